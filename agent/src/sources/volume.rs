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
//! So a complete export is told from one that is being written, or was left half-written by a crash, by itself:
//!
//! * the document is whole JSON, every file that it names is there, and each is whole;
//! * no payload file was written after the document, or a further export is under way;
//! * nothing has changed while it was read.
//!
//! What is there is read once, into private copies, and checked as it was copied: nobody can exchange it between
//! check and use. Links are not followed; all of it has to belong to one user and be writable by no stranger, because
//! whoever else writes into a shared volume could lay a dump of his own there.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use svdr_files::Replace;
use svdr_protocol::time::Timestamp;

use svdr_dump::{Expectations, Parts, Relocation};

mod copy;
mod error;
mod folder;
mod sight;
#[cfg(test)]
mod tests;

pub use copy::take;
pub use error::ExportError;
pub use sight::Sight;

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

/// What to take, and where to.
#[derive(Clone, Copy, Debug)]
pub struct TakeOrder<'a> {
    /// Where it is.
    pub volume: &'a Volume,
    /// What it has to be.
    pub expectations: Expectations,
    /// The participant whose identities it has to hold, where that is known.
    pub participant: Option<&'a str>,
    /// Whether the DARs are digested one by one; payload files always are.
    pub parts: Parts,
    /// The folder that the set is to be.
    pub out: &'a Path,
    /// Whether that may exist.
    pub replace: Replace,
    /// Set where nobody wants it any more: gigabytes take a while.
    pub given_up: &'a AtomicBool,
}

/// The folder of a set that is asked for as `out`: a dump in several files cannot be called like a single one.
pub fn set_folder(out: &Path) -> PathBuf {
    match out.extension() {
        Some(extension) if extension == "json" => out.with_extension(""),
        _ => out.to_owned(),
    }
}
