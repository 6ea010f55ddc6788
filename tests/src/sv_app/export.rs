//! What `POST …/migration-dump` makes: an export in the app's dump volume, as Splice writes one. Written from the
//! form's description alone, not with the agent's code: payload files in chunks with their length before each, then
//! the dump that names them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use svdr_protocol::time::Timestamp;

use super::document::{self, Noise, SnapshotShape};

/// The name of the dump in an export's folder.
pub const DUMP: &str = "domain_migration_dump.json";
/// When exports say that they were made: by the app's clock, which is not the time that they are of.
const CREATED_AT: &str = "2026-04-22T01:02:03.123456789Z";

/// The app's dump volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpVolume {
    /// The release of the app does not know the call: 404.
    Unknown,
    /// No dump path is configured: 500.
    Unconfigured,
    /// There is one.
    At {
        /// Its folder.
        folder: PathBuf,
        /// Where the app says that it is.
        app_dir: String,
    },
}

/// What goes wrong with one export. Each queued one is used up by one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportFault {
    /// Nothing.
    None,
    /// This status with `{"error": text}`, and nothing is written.
    Status(u16, String),
    /// A proxy has waited long enough: 504 with its page, at once; the app goes on and finishes.
    GatewayTimeout,
    /// The export is whole, and nothing is ever answered.
    Silent,
    /// 200 first; the export is written afterwards, with this pause after each chunk.
    AnswerFirst(Duration),
    /// Every chunk is followed by such a pause.
    Slow(Duration),
    /// The app is killed once so many bytes of the active contracts' file are written; the connection is reset.
    KilledAt(u64),
    /// The active contracts' file has only so many bytes, and the rest is as if nothing were missing.
    CutAt(u64),
    /// These bytes follow the last chunk of the active contracts' file.
    Trailing(Vec<u8>),
    /// The dump names this path for the active contracts; `{folder}` stands for the export's, as the app sees it.
    Path(String),
    /// The dump is of another timestamp: this many microseconds later.
    WrongTimestamp(i64),
    /// The dump carries this migration id.
    WrongMigrationId(u64),
    /// The dump holds another participant's identities.
    OtherParticipant,
    /// The payloads stand in the dump.
    Inline,
    /// The dump is cut off in the middle.
    CutDump,
    /// The active contracts' file is a symbolic link to one elsewhere.
    Link,
    /// Everybody may write the dump.
    Writable,
}

/// What is to be written.
pub(super) struct Export<'a> {
    pub(super) folder: &'a Path,
    pub(super) app_dir: &'a str,
    pub(super) shape: SnapshotShape,
    pub(super) identities: &'a Value,
    pub(super) timestamp: Timestamp,
    pub(super) migration_id: u64,
    pub(super) fault: &'a ExportFault,
    /// Told of the bytes of each chunk.
    pub(super) written: &'a dyn Fn(u64),
}

impl Export<'_> {
    /// Writes it. `false` where the app was killed on the way.
    pub(super) fn write(&self) -> io::Result<bool> {
        let name = format!("export_at_{}", self.timestamp.micros().div_euclid(1000));
        let folder = self.folder.join(&name);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750))?;
        let file = |payload: &str| format!("{}-{payload}", self.timestamp);
        let shape = self.shape;
        if shape.genesis_len > 0 {
            let pieces = document::raw(Noise::new(shape.seed), shape.genesis_len);
            self.payload(&folder.join(file("genesis-state")), pieces, &ExportFault::None)?;
        }
        let acs = folder.join(file("acs-snapshot"));
        let pieces = document::raw(Noise::new(shape.seed ^ 1), shape.acs_len);
        if !self.payload(&acs, pieces, self.fault)? {
            return Ok(false);
        }
        if *self.fault == ExportFault::Link {
            let elsewhere = self.folder.join("elsewhere");
            fs::rename(&acs, &elsewhere)?;
            symlink(&elsewhere, &acs)?;
        }
        let mut dump = self.dump(&format!("{}/{name}", self.app_dir)).to_string();
        if *self.fault == ExportFault::CutDump {
            dump.truncate(dump.len() / 2);
        }
        fs::write(folder.join(DUMP), dump)?;
        let mode = if *self.fault == ExportFault::Writable { 0o666 } else { 0o640 };
        fs::set_permissions(folder.join(DUMP), fs::Permissions::from_mode(mode))?;
        Ok(true)
    }

    fn payload(
        &self,
        path: &Path,
        pieces: impl Iterator<Item = Vec<u8>>,
        fault: &ExportFault,
    ) -> io::Result<bool> {
        let file = File::create(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o640))?;
        let mut out = BufWriter::new(file);
        let mut written = 0;
        for piece in pieces {
            let mut chunk = u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
            chunk.extend(piece);
            if let ExportFault::KilledAt(at) | ExportFault::CutAt(at) = fault {
                let room = usize::try_from(at.saturating_sub(written)).unwrap_or(usize::MAX);
                chunk.truncate(room);
            }
            out.write_all(&chunk)?;
            out.flush()?;
            written += chunk.len() as u64;
            (self.written)(chunk.len() as u64);
            if let ExportFault::Slow(pause) | ExportFault::AnswerFirst(pause) = fault {
                thread::sleep(*pause);
            }
            if matches!(fault, ExportFault::KilledAt(at) if written >= *at) {
                return Ok(false);
            }
        }
        if let ExportFault::Trailing(bytes) = fault {
            out.write_all(bytes)?;
        }
        out.flush()?;
        Ok(true)
    }

    /// The dump, whose folder the app sees as `seen`.
    fn dump(&self, seen: &str) -> Value {
        let (shape, fault) = (self.shape, self.fault);
        let timestamp = match fault {
            ExportFault::WrongTimestamp(later) => Timestamp::from_micros(self.timestamp.micros() + later),
            _ => None,
        };
        let timestamp = timestamp.unwrap_or(self.timestamp);
        let migration_id = match fault {
            ExportFault::WrongMigrationId(other) => *other,
            _ => self.migration_id,
        };
        let mut identities = self.identities["identities"].clone();
        if *fault == ExportFault::OtherParticipant {
            identities["participant"]["id"] = json!("PAR::somebody-else::1220ff");
        }
        let named = |payload: &str| json!(format!("{seen}/{}-{payload}", self.timestamp));
        let mut data = json!({
            "acs_snapshot": named("acs-snapshot"),
            "acs_timestamp": timestamp,
            "dars": document::dars(shape),
            "synchronizer_was_paused": false,
            "separate_payload_files": true,
        });
        if shape.genesis_len > 0 {
            data["genesis_state"] = named("genesis-state");
        }
        match fault {
            ExportFault::Path(path) => data["acs_snapshot"] = json!(path.replace("{folder}", seen)),
            ExportFault::Inline => {
                let long = json!("AAEC".repeat(2000));
                (data["acs_snapshot"], data["genesis_state"]) = (long.clone(), long);
                data["separate_payload_files"] = json!(false);
            }
            _ => {}
        }
        json!({
            "migration_id": migration_id,
            "identities": identities,
            "data_snapshot": data,
            "participant_users": document::users(),
            "created_at": CREATED_AT,
        })
    }
}

/// What an agent has to make of an export that it takes: the dump with the paths of its payload files in `app_dir`,
/// and the whole payloads by the names of their files.
pub fn taken(
    shape: SnapshotShape,
    identities: &Value,
    timestamp: Timestamp,
    migration_id: u64,
    app_dir: &str,
) -> (Value, Vec<(String, Vec<u8>)>) {
    let millis = timestamp.micros().div_euclid(1000);
    let export = Export {
        folder: Path::new(""),
        app_dir,
        shape,
        identities,
        timestamp,
        migration_id,
        fault: &ExportFault::None,
        written: &|_| (),
    };
    let mut dump = export.dump("");
    let mut files = Vec::new();
    let parts =
        [("genesis_state", shape.seed, shape.genesis_len), ("acs_snapshot", shape.seed ^ 1, shape.acs_len)];
    for (part, seed, len) in parts.into_iter().filter(|(_, _, len)| *len > 0) {
        let name = format!("{part}-{millis}");
        dump["data_snapshot"][part] = json!(format!("{app_dir}/{name}"));
        files.push((name, document::raw(Noise::new(seed), len).flatten().collect()));
    }
    (dump, files)
}

/// The content of a payload file, its lengths taken out; `None` where it is not whole.
pub fn unchunked(mut file: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    while !file.is_empty() {
        let (length, rest) = file.split_first_chunk::<4>()?;
        let (chunk, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        content.extend_from_slice(chunk);
        file = rest;
    }
    Some(content)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_what_splice_describes() {
        let folder = tempfile::tempdir().unwrap();
        let identities = document::identities("SV-1", "PAR::SV-1::1220ab", "global-domain::1220cd", 1);
        let shape = SnapshotShape::with_acs(7, 200_001);
        let timestamp: Timestamp = "2026-04-21T23:10:00.500Z".parse().unwrap();
        let export = Export {
            folder: folder.path(),
            app_dir: "/dump",
            shape,
            identities: &identities,
            timestamp,
            migration_id: 6,
            fault: &ExportFault::None,
            written: &|_| (),
        };
        assert!(export.write().unwrap());
        let written = folder.path().join("export_at_1776813000500");
        let dump: Value = serde_json::from_slice(&fs::read(written.join(DUMP)).unwrap()).unwrap();
        assert_eq!(dump["migration_id"], 6);
        assert_eq!(dump["identities"], identities["identities"]);
        let acs = "/dump/export_at_1776813000500/2026-04-21T23:10:00.500Z-acs-snapshot";
        assert_eq!(dump["data_snapshot"]["acs_snapshot"], acs);
        let (_, files) = taken(shape, &identities, timestamp, 6, "/dump");
        let file = fs::read(written.join("2026-04-21T23:10:00.500Z-acs-snapshot")).unwrap();
        assert_eq!(file.len(), 200_001 + 5 * 4);
        assert_eq!(unchunked(&file).unwrap(), files[1].1);
        assert_eq!(unchunked(&file[..file.len() - 1]), None);
    }
}
