//! The JSON form of evidence: what `evidence --output json` prints and `propose` reads.
//!
//! It has more than [`Evidence`]: what was read, and what the operator should know about it. Those parts are for the
//! person who read the logs. They are not signed, and no rule uses them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::{Evidence, EvidenceError, LogSpan, Observations, Ticks};
use crate::names::{MemberName, ParticipantId};
use crate::roster::Roster;
use crate::time::Tick;

/// The longest document, in bytes: [`super::MAX_TICKS`] of some thirty bytes each, with room for pretty printing.
pub const MAX_DOCUMENT_LEN: usize = 64 << 20;

/// The result of reading logs. Ticks ascend; members are in the order of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceDocument {
    /// Whose logs were read.
    pub member: MemberName,
    /// That member's participant.
    pub participant: ParticipantId,
    /// The synchronizers that the counted lines name, in short form.
    pub synchronizers: Vec<String>,
    /// Times of the oldest and the newest line, null if none had a time.
    pub log_span: Option<LogSpan>,
    /// One entry a member with whom commitments matched.
    pub matches: Vec<Matches>,
    /// One entry a mismatch.
    pub mismatches: Vec<Mismatch>,
    /// Mismatches of unknown counterparties.
    pub unattributed_mismatches: u64,
    /// What was read.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What was seen of participants that are not in the roster.
    #[serde(default)]
    pub outside_roster: OutsideRoster,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The ticks at which one member's commitments matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matches {
    /// The other member.
    pub counterparty: MemberName,
    /// The ticks.
    pub ticks: Vec<Tick>,
}

/// A tick at which one member's commitment differed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mismatch {
    /// The other member.
    pub counterparty: MemberName,
    /// The tick.
    pub tick: Tick,
}

/// One file, or standard input, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its path, or `-`.
    pub path: String,
    /// Bytes read of it, before decompression. Less than its size if only a window was read.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// Lines of the commitment processor among them.
    pub commitment_lines: u64,
    /// Lines that could not be read: truncated, too long, or corrupt.
    pub unreadable_lines: u64,
}

/// Participants that are not in the roster: the validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideRoster {
    /// Matches with any of them.
    pub matches: u64,
    /// How many of them were seen.
    pub participants: u64,
}

impl EvidenceDocument {
    /// The evidence in it, checked against the roster.
    ///
    /// # Errors
    /// [`EvidenceError`] if it contradicts the roster.
    pub fn evidence(&self, roster: &Roster) -> Result<Evidence, EvidenceError> {
        let mut about: BTreeMap<MemberName, Observations> = BTreeMap::new();
        for Matches { counterparty, ticks } in &self.matches {
            match about.entry(counterparty.clone()) {
                Entry::Vacant(entry) => entry
                    .insert(Observations { matches: ticks.iter().copied().collect(), ..Default::default() }),
                Entry::Occupied(_) => {
                    return Err(EvidenceError::TwiceAbout {
                        member: self.member.clone(),
                        counterparty: counterparty.clone(),
                    });
                }
            };
        }
        let mut mismatches: BTreeMap<&MemberName, Vec<Tick>> = BTreeMap::new();
        for Mismatch { counterparty, tick } in &self.mismatches {
            mismatches.entry(counterparty).or_default().push(*tick);
        }
        for (counterparty, ticks) in mismatches {
            about.entry(counterparty.clone()).or_default().mismatches = ticks.into_iter().collect::<Ticks>();
        }
        about.retain(|_, observations| !observations.is_empty());
        let evidence = Evidence {
            member: self.member.clone(),
            participant: self.participant.clone(),
            synchronizers: self.synchronizers.iter().cloned().collect(),
            log_span: self.log_span,
            about,
            unattributed_mismatches: self.unattributed_mismatches,
        };
        evidence.check(roster)?;
        Ok(evidence)
    }

    /// The document of `evidence`, members in the order of `roster`, with nothing said about sources.
    pub fn new(evidence: &Evidence, roster: &Roster) -> EvidenceDocument {
        let observed = || {
            let members = roster.members().iter().map(|member| &member.name);
            members.filter_map(|name| evidence.about(name).map(|about| (name, about)))
        };
        EvidenceDocument {
            member: evidence.member.clone(),
            participant: evidence.participant.clone(),
            synchronizers: evidence.synchronizers.iter().cloned().collect(),
            log_span: evidence.log_span,
            matches: observed()
                .filter(|(_, about)| !about.matches.is_empty())
                .map(|(name, about)| Matches {
                    counterparty: name.clone(),
                    ticks: about.matches.iter().collect(),
                })
                .collect(),
            mismatches: observed()
                .flat_map(|(name, about)| about.mismatches.iter().map(move |tick| (name, tick)))
                .map(|(name, tick)| Mismatch { counterparty: name.clone(), tick })
                .collect(),
            unattributed_mismatches: evidence.unattributed_mismatches,
            sources: Vec::new(),
            outside_roster: OutsideRoster::default(),
            warnings: Vec::new(),
        }
    }
}
