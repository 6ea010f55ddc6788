//! From a snapshot that has arrived to a dump: looked through, then merged with this member's own identities.

use std::cmp::Ordering;
use std::io::{self, Read};
use std::path::Path;

use svdr_cli::progress::Progress;
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::{Donation, Part};

use super::{Lie, ReceiveError};
use crate::store::parts;
use svdr_dump::{Document, DumpWriter, Expectations, Identities, MergeError, MergeSummary, Parts};
use svdr_files::hashing;

/// Looks the whole snapshot through: is it what `donor` signed in `donation`, and a sound snapshot? `open` gives it from
/// its first byte; it is read a second time where it is no sound snapshot, to tell a donor that signed such a thing from
/// other bytes than the signed ones.
///
/// # Errors
/// [`ReceiveError::Refused`] where the signed bytes are no such snapshot, what `or_else` makes of a [`Lie`] where the bytes
/// are others, and [`ReceiveError::Merge`] or what `open` says where it cannot be read.
pub fn inspect<R: Read>(
    open: impl Fn() -> Result<R, ReceiveError>,
    donor: &MemberName,
    donation: &Donation,
    or_else: impl FnOnce(Lie) -> ReceiveError,
) -> Result<(), ReceiveError> {
    let signed = &donation.snapshot;
    // One byte more than there should be shows that there are more, without reading all of them.
    let open = || Ok::<_, ReceiveError>(open()?.take(signed.size.saturating_add(1)));
    let progress = Progress::bytes("checking the snapshot", Some(signed.size));
    let limited = open()?;
    let found = DumpWriter::keep(expectations(donation), io::sink())
        .and_then(|writer| writer.read(limited, |bytes| progress.advance(bytes)));
    let summary = match found.map_err(|error| refused(error, donor)) {
        Ok(summary) => summary,
        Err(ReceiveError::Refused { donor, source }) => {
            let found = hashing::size_and_digest(open()?, |_| ()).map_err(ReceiveError::Again)?;
            return Err(lie(found, signed).map_or(ReceiveError::Refused { donor, source }, or_else));
        }
        Err(error) => return Err(error),
    };
    match lie((summary.size, summary.sha256), signed) {
        Some(lie) => Err(or_else(lie)),
        None => same_parts(&summary, donation).map_err(or_else),
    }
}

/// What is wrong with a snapshot of that size and digest, if it is not the signed one.
fn lie((size, digest): (u64, Digest), signed: &Part) -> Option<Lie> {
    match size.cmp(&signed.size) {
        Ordering::Greater => Some(Lie::More { expected: signed.size }),
        Ordering::Less => Some(Lie::Fewer { expected: signed.size, found: size }),
        Ordering::Equal if digest == signed.digest => None,
        Ordering::Equal => Some(Lie::Digest { expected: signed.digest, found: digest }),
    }
}

/// Merges the snapshot with `identities` into a dump at `out`, which may exist. Nothing is there afterwards unless all of
/// it is what `donor` signed in `donation`.
///
/// # Errors
/// [`ReceiveError`].
pub fn merge(
    source: impl Read,
    identities: &Identities,
    (donor, donation): (&MemberName, &Donation),
    out: &Path,
    or_else: impl FnOnce(Lie) -> ReceiveError,
) -> Result<MergeSummary, ReceiveError> {
    let progress = Progress::bytes("merging", Some(donation.snapshot.size));
    let mut file = PrivateFile::create(out, Replace::Force)?;
    let expectations = expectations(donation);
    let summary = DumpWriter::merge(identities, expectations, Parts::Digest, &mut file)
        .and_then(|writer| writer.read(source, |bytes| progress.advance(bytes)))
        .map_err(|error| refused(error, donor))?;
    // The file may have been written to since it was looked through.
    same_parts(&summary, donation).map_err(or_else)?;
    file.commit()?;
    Ok(summary)
}

const fn expectations(donation: &Donation) -> Expectations {
    Expectations { timestamp: donation.recovery_timestamp, migration_id: Some(donation.migration_id) }
}

/// What is wrong with the donor's document is the donor's; the rest is this machine's.
fn refused(error: MergeError, donor: &MemberName) -> ReceiveError {
    match &error {
        MergeError::Refused(refusal) if refusal.document == Document::Snapshot => {
            ReceiveError::Refused { donor: donor.clone(), source: error }
        }
        _ => ReceiveError::Merge(error),
    }
}

/// Compares the parts with the signed ones, whatever their order.
fn same_parts(summary: &MergeSummary, donation: &Donation) -> Result<(), Lie> {
    let mut found: Vec<Part> = parts(summary).iter().map(Part::from).collect();
    let mut signed = donation.parts.clone();
    found.sort();
    signed.sort();
    let same = found.iter().zip(&signed).take_while(|(found, signed)| found == signed).count();
    // The smallest of the parts after that is in only one of the two lists.
    match [found.get(same), signed.get(same)].into_iter().flatten().min() {
        None => Ok(()),
        Some(part) => Err(Lie::Part { part: part.name.clone() }),
    }
}
