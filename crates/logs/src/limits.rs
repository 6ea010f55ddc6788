//! The limits on what logs may make the reading do, each with its reason.

/// The longest line that is read. Canton's longest, a mismatch with the context of many periods, stays below a
/// tenth of it; memory is spent on a few of them at a time.
pub(crate) const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Bytes of a line in which its header must end.
pub(crate) const MAX_HEADER_BYTES: usize = 4096;
/// The longest name of a synchronizer: identifier, fingerprint and a physical suffix, with room to spare.
pub(crate) const MAX_SYNCHRONIZER_BYTES: usize = 320;
/// The longest record over several lines. Only Canton's error contexts are, and theirs have a line for each period.
pub(crate) const MAX_RECORD_BYTES: usize = 64 * 1024;
/// The longest piece of a split line. Kubelet splits at 16 KiB.
pub(crate) const MAX_PIECE_BYTES: usize = 32 * 1024;
/// The longest piece of docker's: 16 KiB of text, of which every byte may be escaped as six.
pub(crate) const MAX_DOCKER_PIECE_BYTES: usize = 128 * 1024;
/// How far after a piece its continuation may begin. Kubelet writes both one after the other; only lines of the
/// container's other stream come between.
pub(crate) const MAX_PIECE_DISTANCE: u64 = 256 * 1024;
/// Participants outside the roster that are distinguished; a synchronizer has thousands.
pub(crate) const MAX_OUTSIDE_PARTICIPANTS: usize = 16_384;
/// Runs of ticks kept in all. An uninterrupted series at any interval is one run.
pub(crate) const MAX_TICK_RUNS: usize = 400_000;
/// Mismatches without a counterparty that are distinguished, and remembered until their trace is found.
pub(crate) const MAX_PENDING_MISMATCHES: usize = 50_000;
/// Commitments being checked that are remembered while reading what cannot be read twice.
pub(crate) const MAX_REMEMBERED_CHECKS: usize = 400_000;
/// Warnings of one kind that are shown in full; the others are counted.
pub(crate) const MAX_WARNINGS_OF_A_KIND: usize = 8;
/// The largest window of a zstd frame, which is the memory that its decoder needs: no level below `--ultra` exceeds it.
pub(crate) const MAX_ZSTD_WINDOW_BYTES: u64 = 32 * 1024 * 1024;
/// Files in all that one reading reads.
pub(crate) const MAX_FILES: usize = 100_000;
/// Folders inside folders that are followed.
pub(crate) const MAX_FOLDER_DEPTH: usize = 16;
/// Packed or encoded in packed or encoded: a rolled log, in an archive, packed, in another, and one more.
pub(crate) const MAX_PACKED_LEVELS: usize = 6;
/// Files of one archive that are read. Each is a source of its own in the evidence.
pub(crate) const MAX_ARCHIVE_ENTRIES: usize = 10_000;
/// Participants whose names are kept. One input is of one; a test's process has a dozen.
pub(crate) const MAX_PARTICIPANTS: usize = 64;
