//! Checks the dumps with code of its own: not with what made them.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::command::heading;
use super::network::{Network, VOLUME, failed};
use super::receiving::RECEIVED;
use super::steps::{Chosen, Dump, unexpected};
use super::{DrillError, Options};
use crate::sv_app::document::{self, Flaw};
use crate::sv_app::export;

/// Snapshots up to this size, in megabytes, are compared as JSON documents, in memory.
const COMPARED_MEGABYTES: u32 = 64;
/// So many dumps are compared so, which takes as long as all the rest; the parts of the others are attested to be the
/// same.
const COMPARED: usize = 3;

/// Every dump is private, is what was said of it, and equals the union of the two documents.
pub(super) fn dumps(
    network: &Network,
    options: &Options,
    chosen: &Chosen,
    dumps: &[Dump],
) -> Result<(), DrillError> {
    heading("The dumps are checked by other means");
    for (nth, dump) in dumps.iter().enumerate() {
        content(&network.folder.join(&dump.path), dump)?;
        if !options.offline {
            content(&network.folder.join(&dump.name).join(VOLUME).join(export::DUMP), dump)?;
        }
        let is_set = network.large && !["merge", RECEIVED].contains(&dump.how);
        let is_compared = nth < COMPARED || dump.how == RECEIVED;
        if is_compared && options.snapshot_megabytes <= COMPARED_MEGABYTES {
            if is_set { set(network, chosen, dump)? } else { union(network, chosen, dump)? }
        }
        let files = if is_set { ", with its payload files" } else { "" };
        let says =
            if options.offline { "and as its summary says" } else { "as attested, and delivered unchanged" };
        say!("    {}{files}: private, complete, {says}", dump.path);
    }
    Ok(())
}

/// The file is private, and the dump that the summary is of.
fn content(path: &Path, dump: &Dump) -> Result<(), DrillError> {
    let reading = failed(path, "reading the dump");
    let name = path.display().to_string();
    let mode = fs::metadata(path).map_err(&reading)?.permissions().mode() & 0o7777;
    expect(&name, "mode", "0600", &format!("{mode:04o}"))?;
    let mut hash = Hashing(Sha256::new());
    let size = io::copy(&mut File::open(path).map_err(&reading)?, &mut hash).map_err(&reading)?;
    expect(&name, "size", &dump.size.to_string(), &size.to_string())?;
    expect(&name, "digest", &dump.sha256, &format!("sha256:{}", hex::encode(hash.0.finalize())))
}

/// The dump and the files beside it are what the SV app has written into its volume, as they are to be delivered.
fn set(network: &Network, chosen: &Chosen, dump: &Dump) -> Result<(), DrillError> {
    let path = network.folder.join(&dump.path);
    let reading = failed(&path, "reading the dump");
    let sv = network.sv(dump.member)?;
    let Some(app) = &sv.app else { return Err(unexpected(&dump.path, "an SV with an app", &dump.name)) };
    let (shape, id) = (app.options().snapshot, super::network::MIGRATION_ID + 1);
    let (expected, files) =
        export::taken(shape, &sv.identities, chosen.recovery_timestamp, id, super::network::APP_DIR);
    let found: Value = serde_json::from_slice(&fs::read(&path).map_err(&reading)?)
        .map_err(|error| unexpected(&dump.path, "JSON", &error.to_string()))?;
    if found != expected {
        return Err(unexpected(&dump.path, "the dump that the SV app wrote", "another document"));
    }
    for (name, content) in files {
        let path = path.with_file_name(&name);
        let reading = failed(&path, "reading the payload file");
        let mode = fs::metadata(&path).map_err(&reading)?.permissions().mode() & 0o7777;
        expect(&path.display().to_string(), "mode", "0600", &format!("{mode:04o}"))?;
        if export::unchunked(&fs::read(&path).map_err(&reading)?) != Some(content) {
            return Err(unexpected(
                &path.display().to_string(),
                "the payload that the SV app wrote",
                "another",
            ));
        }
    }
    Ok(())
}

/// The dump is what `jq -s add` makes of the two documents.
fn union(network: &Network, chosen: &Chosen, dump: &Dump) -> Result<(), DrillError> {
    let path = network.folder.join(&dump.path);
    let reading = failed(&path, "reading the dump");
    let found: Value = serde_json::from_reader(BufReader::new(File::open(&path).map_err(&reading)?))
        .map_err(|error| unexpected(&dump.path, "JSON", &error.to_string()))?;
    let sv = network.sv(dump.member)?;
    let shape = sv.app.as_ref().map(|app| app.options().snapshot);
    let Some(shape) = shape else { return Err(unexpected(&dump.path, "an SV with an app", &dump.name)) };
    let shape = if dump.how == RECEIVED { shape.of_the_dso_party() } else { shape };
    let snapshot: Vec<u8> =
        document::snapshot(shape, chosen.recovery_timestamp, super::network::MIGRATION_ID + 1, Flaw::Sound)
            .flatten()
            .collect();
    let snapshot: Value = serde_json::from_slice(&snapshot)
        .map_err(|error| unexpected("the stand-in's snapshot", "JSON", &error.to_string()))?;
    let mut expected = sv.identities.as_object().cloned().unwrap_or_default();
    expected.extend(snapshot.as_object().cloned().unwrap_or_default());
    if found == Value::Object(expected) {
        Ok(())
    } else {
        Err(unexpected(&dump.path, "the union of identities and snapshot", "another document"))
    }
}

fn expect(path: &str, what: &str, expected: &str, found: &str) -> Result<(), DrillError> {
    if expected == found {
        Ok(())
    } else {
        Err(unexpected(&format!("the {what} of {path}"), expected, found))
    }
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
