//! The snapshot, once it is here: looked through, and merged.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use svdr_files::FileIoError;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::Donation;

use crate::sources::cancel::Cancelled;
use crate::sources::donor::{self, Lie, Partial, ReceiveError, TransferError};
use svdr_dump::{Identities, MergeSummary};

/// What has arrived.
pub(super) enum SnapshotSource<'a> {
    /// From the donor's agent.
    Partial(&'a Partial),
    /// As a file.
    Given(&'a Path),
}

impl SnapshotSource<'_> {
    /// Looks it through and merges it.
    pub(super) fn merged(
        &self,
        identities: &Identities,
        (from, donation): (&MemberName, &Donation),
        out: &Path,
        cancelled: &Cancelled,
    ) -> Result<MergeSummary, ReceiveError> {
        let lied = |lie| self.lied(from, lie);
        let open = || Ok(cancelled.reader(self.open()?));
        donor::inspect(open, from, donation, lied)?;
        donor::merge(open()?, identities, (from, donation), out, lied)
    }

    fn open(&self) -> Result<Box<dyn Read>, ReceiveError> {
        match self {
            SnapshotSource::Partial(partial) => Ok(Box::new(partial.file().reader()?)),
            SnapshotSource::Given(path) => {
                Ok(Box::new(File::open(path).map_err(FileIoError::read("the snapshot", path))?))
            }
        }
    }

    fn lied(&self, from: &MemberName, lie: Lie) -> ReceiveError {
        let donor = from.clone();
        match self {
            SnapshotSource::Partial(_) => TransferError::Lied { donor, lie }.into(),
            SnapshotSource::Given(path) => ReceiveError::OtherFile { path: (*path).to_owned(), donor, lie },
        }
    }
}
