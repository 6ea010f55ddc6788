//! The roll-forward rule: from everybody's evidence to the values with which a new physical synchronizer starts.
//!
//! [`propose`] is pure and deterministic: every member computes the same candidates and the same choice from the same
//! evidence, whatever the order in which it arrived. No clock is read. All times are in microseconds, Canton's unit.
//!
//! A member *reports* if it is not excluded and its evidence is of the old physical synchronizer. Everybody else is left
//! behind, with a reason. A candidate is a topology export time E: the sequencing time of the newest topology transaction
//! of some reporting member. It covers the reporting members that have a topology transaction at E or later. The
//! newest candidate that covers the threshold is chosen; the bar is never lowered.
//!
//! Edge cases, by the letter of the rule:
//!
//! * A member whose sequencer has processed E has seen E's transaction. One that names an older newest transaction
//!   contradicts E, and its export would hang, because Canton waits for an event addressed to that very sequencer. So
//!   a false E leaves nobody else behind.
//! * A member without topology times reports, so that its other times count, and no candidate covers it.
//! * The fence, the lower bound and the upgrade time depend on all reporting members, covered or not, so that they are
//!   the same for every candidate. Parameters that break their order are refused even if there is no candidate.
//! * Canton's max sequencing time is exclusive, so the default is one microsecond after everything that was seen.
//! * With [`Parameters::announced`], the export times follow from the announcement. The only candidate covers the members
//!   that report the announcement which at least the threshold reports.
//!
//! What rule 4 demands is [`Values`], which only a check can make.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::failure::{self, CommandError, Exit};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::roster::Roster;
use crate::sequencing::{Announcement, Sequencing, SequencingError};
use crate::time::Timestamp;

pub mod document;
mod reasons;
mod reporting;
mod values;
mod warnings;

pub use reasons::{LeftBehind, Reason, Shortfall};
pub use values::{Exports, Fencing, Refusal, Values};
pub use warnings::Warning;

use reporting::Reporting;

/// How far one member's times may be ahead of the others', unless a proposal says otherwise: more than the clocks of
/// honest nodes differ, and less than a fence in the future that would do harm.
pub const DEFAULT_CORROBORATION: Duration = Duration::from_secs(5 * 60);
/// The fewest members that are worth rolling forward together.
const MIN_COVERAGE: usize = 2;

/// Parameters of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Serial of the new physical synchronizer.
    pub new_serial: u32,
    /// Its protocol version.
    pub new_protocol_version: u32,
    /// Members to exclude.
    pub excluded: BTreeSet<MemberName>,
    /// The time from which on the old sequencers sequence nothing; by default right after everything that was seen.
    pub max_sequencing_time: Option<Timestamp>,
    /// The time up to which the new sequencers sequence nothing.
    pub lower_bound: Option<Timestamp>,
    /// The time after which the new sequencers sequence everything, and their deadline for the traffic state.
    pub upgrade_time: Option<Timestamp>,
    /// How far a member's times may be ahead of what f + 1 members report.
    pub corroboration: Duration,
    /// Whether the topology has an announced upgrade that failed, on whose successor nothing was sequenced.
    pub announced: bool,
}

impl Parameters {
    /// The defaults, for a new physical synchronizer.
    pub fn new(new_serial: u32, new_protocol_version: u32) -> Parameters {
        Parameters {
            new_serial,
            new_protocol_version,
            excluded: BTreeSet::new(),
            max_sequencing_time: None,
            lower_bound: None,
            upgrade_time: None,
            corroboration: DEFAULT_CORROBORATION,
            announced: false,
        }
    }
}

/// The candidates, and the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many members must be covered for a choice.
    pub threshold: usize,
    /// How many members the roster has.
    pub members: usize,
    /// The old physical synchronizer, in full.
    pub old: PhysicalSynchronizerId,
    /// The new one.
    pub new: PhysicalSynchronizerId,
    /// From the newest, which covers fewest, to the oldest, which covers most.
    pub candidates: Vec<Candidate>,
    /// Which of them, or why none.
    pub choice: Choice,
    /// What a person should know before agreeing.
    pub warnings: Vec<Warning>,
}

/// Values to roll forward with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The times.
    pub values: Values,
    /// Whom they are for, in byte order of names.
    pub covered: Vec<MemberName>,
    /// Who is not covered, in byte order of names.
    pub left_behind: Vec<LeftBehind>,
    /// The newest topology transaction that a reporting member has seen, if it is later than the topology export time:
    /// the new synchronizer does not know the transactions between the two.
    pub lost_topology_until: Option<Timestamp>,
    /// Events that some have processed and others have not.
    pub divergence: Option<Divergence>,
    /// Reporting members whose times are further ahead of the others' than the corroboration, in byte order of names.
    pub uncorroborated: Vec<MemberName>,
    /// Whether the fence may still be in the future, so that this can be agreed to and never attested.
    pub provisional: bool,
}

/// The participants of these members have processed events that others have not: expect mismatches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The traffic export time.
    pub from: Timestamp,
    /// The largest time that a reporting member's sequencer has processed.
    pub until: Timestamp,
    /// The reporting members that have processed later events than `from`, in byte order of names. Not empty.
    pub members: Vec<MemberName>,
}

/// What is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The candidate at this place of [`Outcome::candidates`].
    Candidate(usize),
    /// None reaches the threshold.
    NotPossible(Shortfall),
}

/// Why the rule gives no outcome at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollForwardError {
    /// The old psid is not the roster's synchronizer.
    #[error(
        "the old physical synchronizer {found} is not of the synchronizer {expected}, which the roster names\n\
         help: give the physical synchronizer id that the old sequencer reports, or use the roster of that network"
    )]
    OtherSynchronizer {
        /// The psid given.
        found: PhysicalSynchronizerId,
        /// The roster's synchronizer.
        expected: String,
    },
    /// A name to exclude is not a member's.
    #[error(
        "{name} is not a member of the roster, so it cannot be excluded; the members are {}\n\
         help: correct the name",
        crate::text::listed(members)
    )]
    NotAMember {
        /// The name given.
        name: MemberName,
        /// The roster's members.
        members: Vec<MemberName>,
    },
    /// An evidence contradicts the roster or itself.
    #[error(transparent)]
    Evidence(#[from] SequencingError),
    /// One member has two evidences.
    #[error("there are two evidences of {member}\nhelp: give only the one that counts")]
    TwoEvidences {
        /// Whose.
        member: MemberName,
    },
    /// The values would do harm.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl CommandError for RollForwardError {
    fn exit(&self) -> Exit {
        match self {
            RollForwardError::NotAMember { .. } => Exit::Usage,
            _ => Exit::Refused,
        }
    }
}

impl Outcome {
    /// The chosen candidate.
    pub fn chosen(&self) -> Option<&Candidate> {
        match self.choice {
            Choice::Candidate(at) => self.candidates.get(at),
            Choice::NotPossible(_) => None,
        }
    }

    /// Why this choice, in one sentence; without what to do about it, if there is none.
    pub fn reason(&self) -> String {
        match (&self.choice, self.chosen()) {
            (Choice::NotPossible(shortfall), _) => failure::split(&shortfall.to_string()).0,
            (_, chosen) => {
                let covered = chosen.map_or(0, |chosen| chosen.covered.len());
                let of = self.members;
                match chosen.and_then(|chosen| chosen.values.exports()) {
                    Some(_) => {
                        format!("newest topology export time that {covered} of {of} members have processed")
                    }
                    None => format!("announced upgrade that {covered} of {of} members report"),
                }
            }
        }
    }
}

/// Applies the roll-forward rule to one evidence of each member that has any.
///
/// `old` may be shortened, as a log shows it.
///
/// # Errors
/// [`RollForwardError`], the same for everybody who has the same input.
pub fn propose<'a>(
    roster: &'a Roster,
    evidence: impl IntoIterator<Item = &'a Sequencing>,
    old: &PhysicalSynchronizerId,
    parameters: &Parameters,
) -> Result<Outcome, RollForwardError> {
    let reporting = Reporting::new(roster, evidence, old, &parameters.excluded)?;
    let (old, threshold) = (reporting.old().clone(), roster.threshold());
    let new = PhysicalSynchronizerId::new(
        roster.synchronizer(),
        parameters.new_protocol_version,
        parameters.new_serial,
    );
    let announced = parameters.announced.then(|| most_reported(&reporting)).flatten();
    let agreed = announced.as_ref().filter(|(_, by)| by.len() >= threshold);
    check_serial(&reporting, &old, &new, agreed.map(|(announcement, _)| *announcement))?;
    let fencing = Fencing::new(&reporting, parameters)?;

    let groups: Vec<(Option<Exports>, Vec<&Sequencing>)> = match (parameters.announced, agreed) {
        (true, Some((_, by))) => vec![(None, by.clone())],
        (true, None) => Vec::new(),
        (false, _) => by_topology(&reporting),
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    for (exports, covered) in groups {
        // Whoever is covered reports, so that there are times to fence.
        let Some(fencing) = fencing else { continue };
        candidates.push(Candidate {
            values: Values::new(exports, fencing)?,
            left_behind: reasons::left_behind(&reporting, exports, agreed.map(|(one, _)| *one), &covered),
            lost_topology_until: exports.and_then(|exports| lost_topology(&reporting, exports)),
            divergence: exports.and_then(|exports| divergence(&reporting, exports)),
            uncorroborated: reporting.uncorroborated(parameters.corroboration),
            provisional: fencing.is_provisional(&reporting, &covered),
            covered: names(covered),
        });
    }
    let chosen = candidates.iter().position(|candidate| candidate.covered.len() >= threshold);
    let choice = match chosen {
        Some(at) => Choice::Candidate(at),
        None => {
            let most = announced.map(|(announcement, by)| (announcement.clone(), names(by)));
            Choice::NotPossible(Shortfall::of(&reporting, parameters.announced.then_some(most)))
        }
    };
    let chosen = chosen.and_then(|at| candidates.get(at));
    let warnings = warnings::warnings(&reporting, &new, parameters, chosen);
    let members = roster.members().len();
    Ok(Outcome { threshold, members, old, new, candidates, choice, warnings })
}

fn names(evidence: Vec<&Sequencing>) -> Vec<MemberName> {
    evidence.into_iter().map(|one| one.member.clone()).collect()
}

/// The candidates of rules 1 and 2: the export times, and whom they cover, from the newest.
fn by_topology<'a>(reporting: &Reporting<'a>) -> Vec<(Option<Exports>, Vec<&'a Sequencing>)> {
    let seen = reporting.iter().filter_map(|one| one.topology.map(|times| times.sequenced));
    let distinct: BTreeSet<Timestamp> = seen.collect();
    let mut groups = Vec::new();
    for topology in distinct.into_iter().rev() {
        let has_it = |one: &&Sequencing| one.topology.is_some_and(|times| times.sequenced >= topology);
        let covered: Vec<&Sequencing> = reporting.iter().filter(has_it).collect();
        // Each older time covers at least the member that names it more, so that only the size is left to check.
        if covered.len() < MIN_COVERAGE {
            continue;
        }
        if let Some(traffic) = covered.iter().map(|one| one.last_sequenced).min() {
            groups.push((Some(Exports { topology, traffic }), covered));
        }
    }
    groups
}

/// The announcement that most reporting members report, and who they are; of equal numbers the first.
fn most_reported<'a>(reporting: &Reporting<'a>) -> Option<(&'a Announcement, Vec<&'a Sequencing>)> {
    let mut by: BTreeMap<&Announcement, Vec<&Sequencing>> = BTreeMap::new();
    for one in reporting.iter() {
        if let Some(announcement) = &one.announcement {
            by.entry(announcement).or_default().push(one);
        }
    }
    by.into_iter().rev().max_by_key(|(_, by)| by.len())
}

/// Rule 4 about the serial, and the trap of an announced successor.
fn check_serial(
    reporting: &Reporting,
    old: &PhysicalSynchronizerId,
    new: &PhysicalSynchronizerId,
    announced: Option<&Announcement>,
) -> Result<(), Refusal> {
    if new.serial() <= old.serial() {
        return Err(Refusal::Serial { old: old.clone(), new: new.serial() });
    }
    if let Some(successor) = announced.map(|one| &one.successor)
        && new.serial() <= successor.serial()
    {
        return Err(Refusal::AnnouncedSerial { successor: successor.clone(), new: new.serial() });
    }
    let announces_it = |one: &&Sequencing| one.announcement.as_ref().is_some_and(|one| one.successor == *new);
    match reporting.iter().find(announces_it) {
        Some(one) => Err(Refusal::Announced { member: one.member.clone(), successor: new.clone() }),
        None => Ok(()),
    }
}

fn lost_topology(reporting: &Reporting, exports: Exports) -> Option<Timestamp> {
    let seen = reporting.iter().filter_map(|one| one.topology.map(|times| times.sequenced));
    seen.max().filter(|newest| *newest > exports.topology)
}

fn divergence(reporting: &Reporting, exports: Exports) -> Option<Divergence> {
    let ahead: Vec<&Sequencing> =
        reporting.iter().filter(|one| one.last_sequenced > exports.traffic).collect();
    let until = ahead.iter().map(|one| one.last_sequenced).max()?;
    Some(Divergence { from: exports.traffic, until, members: names(ahead) })
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
