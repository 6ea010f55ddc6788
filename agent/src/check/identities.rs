//! The backup of the node identities: there, private or encrypted, readable, complete, and of this participant.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use svdr_cli::screens::facts::restored::IDENTITIES_CHECK;
use svdr_protocol::roster::Member;
use svdr_protocol::span;

use super::files::OTHERS;
use super::{Finding, explained};
use crate::identities::{self, Backup, check_owner};

const NAME: &str = IDENTITIES_CHECK;

/// The backup at `path`, which `age_identity` decrypts if it is encrypted.
pub(super) fn identities(
    path: Option<&Path>,
    age_identity: Option<&Path>,
    me: Option<&Member>,
    now: SystemTime,
) -> Finding {
    let Some(path) = path else {
        let text = "no backup of the node identities is configured: add [node_identities] with backup = \"/secure/identities.age\"";
        return Finding::failed(NAME, text);
    };
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (file, metadata) = match opened {
        Ok(opened) => opened,
        Err(error) => return Finding::failed(NAME, format!("{} cannot be read: {error}", path.display())),
    };
    let read = identities::read(file, Some(metadata.len()), path, age_identity);
    let is_encrypted = match &read {
        Ok(backup) => backup.encrypted,
        Err(error) => error.is_of_encrypted(),
    };
    if !is_encrypted && metadata.permissions().mode() & OTHERS != 0 {
        let text = format!("it has private keys, and others can read it: run chmod 600 {}", path.display());
        return Finding::failed(NAME, text);
    }
    let Backup { identities, .. } = match read {
        Ok(backup) => backup,
        Err(error) => return Finding::failed(NAME, explained(&error)),
    };
    let key = age_identity.filter(|_| is_encrypted);
    if let Some(key) = key.filter(|key| is_open(key)) {
        let text = format!("others can read the age identity: run chmod 600 {}", key.display());
        return Finding::failed(NAME, text);
    }
    let form = match key {
        Some(key) => format!("encrypted, and decrypted with {}", key.display()),
        None => "not encrypted".to_owned(),
    };
    // A file from the future has no age.
    let age = metadata.modified().ok().and_then(|at| now.duration_since(at).ok());
    let age = age.map_or(String::new(), |age| format!(", {} old", span::print(age.as_secs())));
    let Some(me) = me else {
        let text =
            format!("complete, {form}{age}, but not compared: fix the roster and the signing key first");
        return Finding::failed(NAME, text);
    };
    match check_owner(&identities, me) {
        Ok(()) => Finding::passed(NAME, format!("complete, of {}; {form}{age}", me.participant)),
        Err(error) => Finding::failed(NAME, format!("{}: {}", path.display(), explained(&error))),
    }
}

/// Whether others may read the file.
fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & OTHERS != 0)
}
