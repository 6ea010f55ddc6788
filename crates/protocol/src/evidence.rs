//! What a member's participant says about the other members at each tick.
//!
//! [`Evidence`] is the meaning. It has two outer forms: the JSON document that `svdr-agent evidence` prints
//! ([`document`]), and the signed statement ([`crate::statement`]). Both are read through the same checks, so that the
//! proposal rule never sees evidence that contradicts the roster.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::failure::{CommandError, Exit};
use crate::names::{MemberName, ParticipantId};
use crate::roster::Roster;
use crate::time::Timestamp;

pub mod document;
pub mod lookup;
pub mod merge;
mod ticks;

pub(crate) use ticks::Descending;
pub use ticks::{Iter as TickIter, TickRun, TickRunError, Ticks};

/// Ticks that one evidence may have in all: 127 counterparties for five days of one-minute ticks.
pub const MAX_TICKS: usize = 1_000_000;
/// Synchronizers that one evidence may name; a participant is connected to a few.
pub const MAX_SYNCHRONIZERS: usize = 16;

/// What one member's logs say about the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whose logs these are.
    pub member: MemberName,
    /// The participant that wrote them.
    pub participant: ParticipantId,
    /// The synchronizers that the counted lines name, in the short form of
    /// [`SynchronizerId::short`](crate::names::SynchronizerId::short).
    pub synchronizers: BTreeSet<String>,
    /// Times of the oldest and the newest line read.
    pub log_span: Option<LogSpan>,
    /// What is said about each other member. A member of whom nothing is said has no entry.
    pub about: BTreeMap<MemberName, Observations>,
    /// Mismatches of unknown counterparties.
    pub unattributed_mismatches: u64,
}

/// Times of the oldest and the newest log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSpan {
    /// The oldest.
    pub first: Timestamp,
    /// The newest.
    pub last: Timestamp,
}

/// What is said about one other member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Ticks at which its commitment was equal.
    pub matches: Ticks,
    /// Ticks at which it differed. If a tick is in both, the mismatch counts.
    pub mismatches: Ticks,
}

impl Observations {
    /// Whether neither a match nor a mismatch is reported.
    pub fn is_empty(&self) -> bool {
        self.matches.is_empty() && self.mismatches.is_empty()
    }
}

/// Why evidence is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The member is not in the roster.
    #[error(
        "the evidence is by {member}, who is not a member of the roster\n\
         help: check that the evidence and the roster are of the same network"
    )]
    NotAMember {
        /// The name in the evidence.
        member: MemberName,
    },
    /// The participant is not the member's.
    #[error(
        "the evidence of {member} is by participant {found}, but the roster says {expected}\n\
         help: read the logs of that participant"
    )]
    OtherParticipant {
        /// Whose evidence.
        member: MemberName,
        /// The roster's participant.
        expected: ParticipantId,
        /// The evidence's.
        found: ParticipantId,
    },
    /// It comes from a synchronizer that is not the roster's.
    #[error(
        "the evidence of {member} is about synchronizer {found}, but the roster is about {expected}\n\
         help: read the logs again with this roster"
    )]
    OtherSynchronizer {
        /// Whose evidence.
        member: MemberName,
        /// The roster's synchronizer, in short form.
        expected: String,
        /// The evidence's.
        found: String,
    },
    /// It says something about somebody unknown.
    #[error(
        "the evidence of {member} is about {counterparty}, who is not a member of the roster\n\
         help: read the logs again with this roster"
    )]
    UnknownCounterparty {
        /// Whose evidence.
        member: MemberName,
        /// The unknown name.
        counterparty: MemberName,
    },
    /// It says something about its own member.
    #[error("the evidence of {member} is about {member} itself; expected other members only")]
    AboutItself {
        /// Whose evidence.
        member: MemberName,
    },
    /// It has two entries for one counterparty.
    #[error("the evidence of {member} has two entries about {counterparty}; expected one")]
    TwiceAbout {
        /// Whose evidence.
        member: MemberName,
        /// The counterparty named twice.
        counterparty: MemberName,
    },
    /// It has more ticks than anybody needs.
    #[error(
        "the evidence of {member} has more than {MAX_TICKS} ticks\nhelp: read a shorter window of the logs with --since"
    )]
    TooManyTicks {
        /// Whose evidence.
        member: MemberName,
    },
    /// It names more synchronizers than a participant is connected to.
    #[error("the evidence of {member} names {found} synchronizers; expected at most {MAX_SYNCHRONIZERS}")]
    TooManySynchronizers {
        /// Whose evidence.
        member: MemberName,
        /// How many.
        found: usize,
    },
    /// The log span ends before it starts.
    #[error("the log span of {member}'s evidence ends at {last}, before it begins at {first}")]
    BackwardSpan {
        /// Whose evidence.
        member: MemberName,
        /// Its start.
        first: Timestamp,
        /// Its end.
        last: Timestamp,
    },
}

impl CommandError for EvidenceError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

impl Evidence {
    /// What is said about `counterparty`, if anything is.
    pub fn about(&self, counterparty: &MemberName) -> Option<&Observations> {
        self.about.get(counterparty)
    }

    /// The number of ticks reported, matches and mismatches, about everybody.
    pub fn tick_count(&self) -> usize {
        self.about.values().map(|about| about.matches.len() + about.mismatches.len()).sum()
    }

    /// Checks that this is evidence a member of `roster` can have given.
    ///
    /// # Errors
    /// The first thing that contradicts the roster or a limit.
    pub fn check(&self, roster: &Roster) -> Result<(), EvidenceError> {
        let member = || self.member.clone();
        let listed =
            roster.member(&self.member).ok_or_else(|| EvidenceError::NotAMember { member: member() })?;
        if listed.participant != self.participant {
            return Err(EvidenceError::OtherParticipant {
                member: member(),
                expected: listed.participant.clone(),
                found: self.participant.clone(),
            });
        }
        if self.synchronizers.len() > MAX_SYNCHRONIZERS {
            let found = self.synchronizers.len();
            return Err(EvidenceError::TooManySynchronizers { member: member(), found });
        }
        let expected = roster.synchronizer().short();
        if let Some(found) = self.synchronizers.iter().find(|found| **found != expected) {
            return Err(EvidenceError::OtherSynchronizer {
                member: member(),
                expected,
                found: found.clone(),
            });
        }
        for counterparty in self.about.keys() {
            if *counterparty == self.member {
                return Err(EvidenceError::AboutItself { member: member() });
            }
            if roster.member(counterparty).is_none() {
                return Err(EvidenceError::UnknownCounterparty {
                    member: member(),
                    counterparty: counterparty.clone(),
                });
            }
        }
        if self.tick_count() > MAX_TICKS {
            return Err(EvidenceError::TooManyTicks { member: member() });
        }
        match self.log_span {
            Some(LogSpan { first, last }) if last < first => {
                Err(EvidenceError::BackwardSpan { member: member(), first, last })
            }
            _ => Ok(()),
        }
    }
}
