//! What keeps a log from being read to its end.

/// A fault of a log, at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes of the log, as it is on the disk, before the fault.
    pub(crate) offset: u64,
    /// What is wrong, as a clause whose subject is named in it.
    pub(crate) reason: String,
    /// What to do, as a sentence.
    pub(crate) help: &'static str,
}

/// What to do about a log that is truncated or corrupt.
pub(crate) const USE_ANOTHER_COPY: &str = "Read a complete copy of the log as well, if there is one";
/// What to do if the system fails.
pub(crate) const CHECK_THE_DISK: &str = "Check the disk and the permissions, then read the log again";
