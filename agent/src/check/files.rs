//! What is on this machine: roster, key, free space, the databases' backups.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ed25519_dalek::SigningKey;
use svdr_cli::screens::size;
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::roster::Roster;
use svdr_protocol::span;

use super::{Finding, explained};
use crate::config::DatabaseBackups;
use crate::roster_file;
use svdr_cli::signing_key;
use svdr_logs::{SourcePath, expand};

/// The longest time between two backups of the databases, by Splice's manual for SV operators
/// (<https://docs.dev.sync.global/sv_operator/sv_backup.html>).
const BACKUP_AGE: Duration = Duration::from_secs(4 * 60 * 60);
/// Permission bits of everybody but the owner.
pub(super) const OTHERS: u32 = 0o077;

/// The roster, with its fingerprint to compare aloud.
pub(super) fn roster(path: Option<&Path>) -> (Option<Roster>, Finding) {
    const NAME: &str = "roster";
    let Some(path) = path else {
        return (
            None,
            Finding::failed(NAME, "no roster is configured: add roster = \"roster.toml\" to agent.toml"),
        );
    };
    match roster_file::read(path) {
        Ok(roster) => {
            let text = format!(
                "{} with {} members, threshold {}; compare aloud: {}",
                roster.network(),
                roster.members().len(),
                roster.threshold(),
                roster.spoken_fingerprint().join(" ")
            );
            (Some(roster), Finding::passed(NAME, text))
        }
        Err(error) => (None, Finding::error(NAME, &error)),
    }
}

/// The key, and whose it is.
pub(super) fn signing_key(path: Option<&Path>, roster: Option<&Roster>) -> (Option<SigningKey>, Finding) {
    const NAME: &str = "signing key";
    let Some(path) = path else {
        let text = "no signing key is configured; add [signing] with key = \"signing.key\" to agent.toml";
        return (None, Finding::failed(NAME, text));
    };
    let key = match signing_key::read(path) {
        Ok(key) => key,
        Err(error) => return (None, Finding::error(NAME, &error)),
    };
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let member = roster.and_then(|roster| roster.member_by_key(&key.verifying_key().into()));
    let finding = match (member, roster) {
        _ if mode & OTHERS != 0 => {
            Finding::failed(NAME, format!("others can read it: run chmod 600 {}", path.display()))
        }
        (Some(member), _) => {
            let convener = if member.convener { ", a convener" } else { "" };
            Finding::passed(NAME, format!("{}'s{convener}", member.name))
        }
        (None, Some(_)) => Finding::failed(
            NAME,
            format!(
                "{} is not the key of a member of the roster: send its [[member]] entry to the convener",
                path.display()
            ),
        ),
        (None, None) => Finding::failed(NAME, "skipped: fix the roster first"),
    };
    (Some(key), finding)
}

/// The folder for dumps: writable, with at least `enough` bytes free.
pub(super) fn room(folder: Option<&Path>, enough: u64) -> Finding {
    const NAME: &str = "room for the dump";
    let Some(folder) = folder else {
        return Finding::failed(
            NAME,
            "no folder is configured: add [output] with dir = \"/var/lib/svdr/dumps\"",
        );
    };
    // Never given its name, and removed at once.
    if let Err(error) = PrivateFile::create(folder.join("check"), Replace::Force) {
        return Finding::error(NAME, &error);
    }
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} free in {}", size(free), folder.display());
            enough_room(NAME, text, free, enough)
        }
        Err(error) => {
            Finding::failed(NAME, format!("the free space of {} cannot be read: {error}", folder.display()))
        }
    }
}

/// Whether what is free on a disk is enough for a dump; `text` says how much that is, and where.
pub(super) fn enough_room(name: &'static str, text: String, free: u64, enough: u64) -> Finding {
    match free >= enough {
        true => Finding::passed(name, text),
        false => Finding::failed(
            name,
            format!(
                "{text}, but a dump can take gigabytes: make room for at least {}, or set room under [output] to twice \
                 the size of your last dump",
                size(enough)
            ),
        ),
    }
}

/// The databases' backups: recent, and the apps' older than the participant's, as Splice asks.
pub(super) fn databases(backups: &DatabaseBackups, now: SystemTime) -> Finding {
    const NAME: &str = "database backups";
    if backups.apps.is_empty() && backups.participant.is_empty() {
        let text = "not configured: add apps = [\"…\"] and participant = [\"…\"] to [database_backups] to check their age \
                    and order";
        return Finding::left_out(NAME, text);
    }
    let [apps, participant] = [("apps", &backups.apps), ("participant", &backups.participant)].map(newest);
    let ((apps, apps_at), (participant, participant_at)) = match (apps, participant) {
        (Ok(apps), Ok(participant)) => (apps, participant),
        (Err(text), _) | (_, Err(text)) => return Finding::failed(NAME, text),
    };
    // A file from the future has no age.
    let age = |at: SystemTime| now.duration_since(at).unwrap_or(Duration::ZERO);
    let printed = |at| span::print(age(at).as_secs());
    let both = format!(
        "the newest of the apps is {} old ({}), that of the participant {} old ({})",
        printed(apps_at),
        apps.display(),
        printed(participant_at),
        participant.display()
    );
    if apps_at >= participant_at {
        return Finding::failed(
            NAME,
            format!(
                "{both}. The apps' backup must be complete before the participant's begins, or the two cannot be \
                 restored together: back up the participant again"
            ),
        );
    }
    if age(apps_at) > BACKUP_AGE {
        return Finding::failed(
            NAME,
            format!("{both}: back up both, at least every {}", span::print(BACKUP_AGE.as_secs())),
        );
    }
    Finding::passed(NAME, both)
}

/// The newest file that the patterns fit, with the time at which it was last written.
fn newest((what, patterns): (&str, &Vec<String>)) -> Result<(PathBuf, SystemTime), String> {
    if patterns.is_empty() {
        return Err(format!(
            "database_backups.{what} is missing in agent.toml: both are needed to compare them"
        ));
    }
    let paths: Vec<PathBuf> = patterns.iter().map(PathBuf::from).collect();
    let files = expand(&paths).map_err(|error| format!("database_backups.{what}: {}", explained(&error)))?;
    let mut newest: Option<(PathBuf, SystemTime)> = None;
    for file in files {
        let SourcePath::File(path) = file else { continue };
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let at = modified.map_err(|error| format!("database_backups.{what}: {}: {error}", path.display()))?;
        if newest.as_ref().is_none_or(|(_, known)| at > *known) {
            newest = Some((path, at));
        }
    }
    newest.ok_or_else(|| format!("database_backups.{what} names no file: check its patterns"))
}
