//! What one member's nodes have seen of the old physical synchronizer: the evidence of a roll-forward.
//!
//! [`Sequencing`] is the meaning. Its outer form for people and files is the JSON document that
//! `svdr-agent sequencing` prints ([`document`]). Every reader checks it with [`Sequencing::check`], so that
//! [the rule](crate::plan::roll_forward) never sees evidence that contradicts itself or the roster.

use std::collections::BTreeMap;

use crate::failure::{CommandError, Exit};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::roster::Roster;
use crate::text;
use crate::time::Timestamp;

pub mod document;
pub mod readings;

/// The most sources that one evidence may name: several times the values that it has.
pub const MAX_SOURCES: usize = 32;
/// The most warnings of the reading: a person reads them all.
pub const MAX_WARNINGS: usize = 32;
/// The longest sequencer id, source or warning, in bytes: a paragraph.
pub const MAX_TEXT_LEN: usize = 1024;

/// What a member's nodes have seen of a physical synchronizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequencing {
    /// Whose nodes.
    pub member: MemberName,
    /// The synchronizer.
    pub physical_synchronizer: PhysicalSynchronizerId,
    /// Its protocol version, as a node reports it.
    pub protocol_version: Option<u32>,
    /// The sequencer's id, `SEQ::identifier::fingerprint`; for people.
    pub sequencer: Option<String>,
    /// Sequencing time of the newest event that the sequencer has processed, deliverable or not.
    pub last_sequenced: Timestamp,
    /// Height of the newest block; for people.
    pub block_height: Option<i64>,
    /// The newest topology transaction that was not rejected.
    pub topology: Option<TopologyTimes>,
    /// Record time of the participant.
    pub participant_record_time: Option<Timestamp>,
    /// The announced upgrade in the topology.
    pub announcement: Option<Announcement>,
    /// The max sequencing time that the sequencer has.
    pub fence: Option<Fence>,
    /// Where each value was read, by the name of the value; for people.
    pub sources: BTreeMap<String, String>,
    /// What the reader of the nodes doubted; for people.
    pub warnings: Vec<String>,
}

/// Times of the newest topology transaction that was not rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopologyTimes {
    /// Its sequencing time.
    pub sequenced: Timestamp,
    /// The newest time at which a transaction became or becomes effective.
    pub effective: Timestamp,
}

/// An upgrade that the topology announces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// The physical synchronizer that was to follow.
    pub successor: PhysicalSynchronizerId,
    /// Time at which the announcement became effective.
    pub effective: Timestamp,
    /// Time of the upgrade.
    pub upgrade_time: Timestamp,
}

/// The time from which on a sequencer sequences nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The max sequencing time, exclusive.
    pub at: Timestamp,
    /// Whether the sequencer has reached it.
    pub reached: bool,
}

/// Why evidence of a roll-forward is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequencingError {
    /// The member is not in the roster.
    #[error(
        "the evidence is by {member}, who is not a member of the roster\n\
         help: check that the evidence and the roster are of the same network"
    )]
    NotAMember {
        /// The name in the evidence.
        member: MemberName,
    },
    /// The newest topology transaction is later than everything that was sequenced.
    #[error(
        "the evidence of {member} is invalid: topology_sequenced {topology} is later than last_sequenced {last}, but a \
         topology transaction is sequenced too\n\
         help: ask {member} to report again"
    )]
    TopologyAfterLast {
        /// Whose evidence.
        member: MemberName,
        /// Its `topology_sequenced`.
        topology: Timestamp,
        /// Its `last_sequenced`.
        last: Timestamp,
    },
    /// One topology time is missing.
    #[error(
        "the evidence of {member} has {present} but not {missing}; expected both or neither\n\
         help: ask {member} to report again"
    )]
    HalfTopology {
        /// Whose evidence.
        member: MemberName,
        /// The field that is there.
        present: &'static str,
        /// The field that is not.
        missing: &'static str,
    },
    /// An announcement is incomplete.
    #[error(
        "the announcement in the evidence of {member} has no {missing}; expected successor_psid, effective and \
         upgrade_time\n\
         help: ask {member} to report again"
    )]
    HalfAnnouncement {
        /// Whose evidence.
        member: MemberName,
        /// The field that is not there.
        missing: &'static str,
    },
    /// A text is too long, has invisible characters, or there are too many of them.
    #[error(
        "the field {field} in the evidence of {member} has {found}; expected at most {limit}\n\
         help: ask {member} to report again"
    )]
    Text {
        /// Whose evidence.
        member: MemberName,
        /// The field.
        field: &'static str,
        /// What it has.
        found: String,
        /// The most of it.
        limit: String,
    },
}

impl CommandError for SequencingError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

impl Sequencing {
    /// Checks that this is evidence a member of `roster` can have given. The synchronizer may be another one: the rule
    /// leaves such a member behind.
    ///
    /// # Errors
    /// The first thing that contradicts the roster, itself or a limit.
    pub fn check(&self, roster: &Roster) -> Result<(), SequencingError> {
        if roster.member(&self.member).is_none() {
            return Err(SequencingError::NotAMember { member: self.member.clone() });
        }
        self.check_itself()
    }

    /// Checks what needs no roster.
    pub(crate) fn check_itself(&self) -> Result<(), SequencingError> {
        let member = || self.member.clone();
        if let Some(topology) = self.topology.map(|times| times.sequenced)
            && topology > self.last_sequenced
        {
            return Err(SequencingError::TopologyAfterLast {
                member: member(),
                topology,
                last: self.last_sequenced,
            });
        }
        let error = |field, found, limit| SequencingError::Text { member: member(), field, found, limit };
        for (field, count, most) in
            [("sources", self.sources.len(), MAX_SOURCES), ("warnings", self.warnings.len(), MAX_WARNINGS)]
        {
            if count > most {
                return Err(error(field, format!("{count} entries"), format!("{most} entries")));
            }
        }
        let sources =
            self.sources.iter().flat_map(|(value, source)| [("sources", value), ("sources", source)]);
        let warnings = self.warnings.iter().map(|text| ("warnings", text));
        let texts = self.sequencer.iter().map(|text| ("sequencer", text)).chain(sources).chain(warnings);
        for (field, text) in texts {
            if text.len() > MAX_TEXT_LEN {
                return Err(error(field, format!("{} bytes", text.len()), format!("{MAX_TEXT_LEN} bytes")));
            }
            if let Some(hidden) = text::hidden_in(text) {
                let found = format!("the character {}", hidden.escape_default());
                return Err(error(field, found, "what a person can see".to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
