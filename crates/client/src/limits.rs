//! What a client takes from one coordinator, each limit with its reason. Those of the wire are in
//! [`svdr_proto::limits`].

use std::time::Duration;

use svdr_proto::limits::{
    KEEP_ALIVE_INTERVAL, MAX_BYTES_PER_MEMBER, MAX_FOREIGN_PROPOSALS_PER_MEMBER, MAX_STATEMENTS_PER_MEMBER,
};
use svdr_protocol::roster::Roster;

/// A stream that is silent for so long is broken: three keep-alives did not come.
pub const SILENCE: Duration = KEEP_ALIVE_INTERVAL.saturating_mul(3);

/// Invalid statements of one coordinator. A few are left out with a warning, and the session continues; a coordinator
/// that forwards more does so to be in the way.
pub const MAX_INVALID: usize = 100;

/// Statements that are left out, or of unknown kinds, of which the log names each: more would fill the disk.
pub(crate) const MAX_LOGGED: usize = 100;

/// Journals of one coordinator in one session. An operator whose coordinator loses its disk starts a few; more only fill the
/// agents' disks with receipts.
pub(crate) const MAX_JOURNALS: usize = 64;

/// Entries of one page of a transcript.
pub(crate) const PAGE_ENTRIES: usize = 1024;

/// Bytes of statements, beyond which a page ends: a page is held in memory before its statements are verified.
pub(crate) const PAGE_BYTES: u64 = 16 << 20;

/// What is taken of one session from one coordinator: twice what a coordinator lets all members of the roster submit, so
/// that a coordinator of a newer version may allow more. Guards this machine's memory and disk against a transcript that
/// never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranscriptLimits {
    /// Statements.
    pub statements: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Proposals that no member signed. Anybody can make a key to sign them with.
    pub foreign_proposals: u64,
}

impl TranscriptLimits {
    /// Returns the limits of a session of this roster.
    pub fn of(roster: &Roster) -> TranscriptLimits {
        let twice = 2 * roster.members().len() as u64;
        TranscriptLimits {
            statements: twice * MAX_STATEMENTS_PER_MEMBER,
            bytes: twice * MAX_BYTES_PER_MEMBER,
            foreign_proposals: twice * MAX_FOREIGN_PROPOSALS_PER_MEMBER,
        }
    }
}
