//! A dump that the SV app has written itself: found in its volume, checked whole, and taken as a set of files.
//!
//! For snapshots too large for one answer of the app. On `POST …/migration-dump` with a timestamp the app
//! (`HttpSvAdminHandler.scala`; older releases know the call, but no timestamp) writes below the folder of its
//! migration dump:
//!
//! ```text
//! export_at_MILLIS/TIMESTAMP-genesis-state      in chunks (`dump/chunks.rs`)
//! export_at_MILLIS/TIMESTAMP-acs-snapshot       likewise
//! export_at_MILLIS/domain_migration_dump.json   last, in one go: identities, and the paths of the other two
//! ```
//!
//! Nothing there is written atomically, and the app answers only when all of it is done; but an answer can get lost.
//! So the export itself must show that it is complete, and neither being written nor left half-written by a crash:
//!
//! * the document is whole JSON, every file that it names is there, and each is whole;
//! * no payload file was written after the document, or a further export is under way;
//! * nothing has changed while it was read.
//!
//! The export is read once, into private copies, and checked as it was copied: nobody can exchange it between check and
//! use. Links are not followed. All files must belong to one user and must not be world-writable, because others who
//! write into a shared volume could put a dump of their own there.

use std::path::{Path, PathBuf};

use svdr_protocol::time::Timestamp;

use svdr_dump::{Expectations, Parts, Relocation};

mod copy;
mod error;
mod folder;
mod state;
#[cfg(test)]
mod tests;

pub use copy::take;
pub use error::ExportError;
pub use state::FolderState;

/// The name of the dump in the app's volume, which every release of Splice's Helm charts sets (`sv-app`'s
/// `domainMigrationDumpPath`).
pub const DUMP_FILE: &str = "domain_migration_dump.json";

/// Where those charts mount the volume into the app.
pub const APP_DIR: &str = "/domain-upgrade-dump";

/// The app's dump volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its folder on this machine.
    pub dir: PathBuf,
    /// The same folder as the app sees it.
    pub app_dir: String,
}

impl Volume {
    /// How the export at `timestamp` is called, and its files before and after it is taken.
    pub fn relocation(&self, timestamp: Timestamp) -> Relocation {
        Relocation::new(&self.app_dir, timestamp)
    }

    /// The folder of the export at `timestamp`, on this machine.
    pub fn export(&self, timestamp: Timestamp) -> PathBuf {
        self.dir.join(self.relocation(timestamp).folder())
    }
}

/// An export that is to be taken, and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Where it is.
    pub volume: &'a Volume,
    /// Its time and migration.
    pub expected: Expectations,
    /// The participant whose identities it must contain, if that is known.
    pub participant: Option<&'a str>,
    /// Whether the DARs are digested one by one; payload files always are.
    pub parts: Parts,
}

/// The folder of a set that is asked for as `out`: a dump in several files cannot be called like a single one.
pub fn set_folder(out: &Path) -> PathBuf {
    match out.extension() {
        Some(extension) if extension == "json" => out.with_extension(""),
        _ => out.to_owned(),
    }
}
