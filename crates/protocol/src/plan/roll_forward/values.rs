//! The agreed times, in the order that rule 4 demands, as types that only a check can make.

use std::time::Duration;

use super::Parameters;
use super::reporting::{Reporting, Seen};
use crate::failure::{CommandError, Exit};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::sequencing::Sequencing;
use crate::time::Timestamp;

/// The smallest difference between two times of Canton.
const MICROSECOND: Duration = Duration::from_micros(1);

/// The times as of which the old sequencers' state is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exports {
    /// Sequencing time of the newest topology transaction in the export.
    pub topology: Timestamp,
    /// Time of the traffic state: everything up to it has been processed by all that are covered.
    pub traffic: Timestamp,
}

/// When the old sequencers stop and the new ones start: `max sequencing time ≤ lower bound ≤ upgrade time`, where the
/// first is later than everything that was seen and the second not earlier than any effective topology time. Only the
/// rule makes one, after that check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fencing {
    max_sequencing_time: Timestamp,
    lower_bound: Timestamp,
    upgrade_time: Timestamp,
}

/// All times of a plan: `topology export ≤ traffic export < max sequencing time ≤ lower bound ≤ upgrade time`. Only
/// the rule makes one, after that check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    exports: Option<Exports>,
    fencing: Fencing,
}

/// Why values are refused, whoever proposes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The serial does not grow.
    #[error(
        "the new serial {new} is not larger than {}, the serial of {old}\n\
         help: give a serial of {} or more",
        old.serial(), old.serial().saturating_add(1)
    )]
    Serial {
        /// The old physical synchronizer.
        old: PhysicalSynchronizerId,
        /// The new serial.
        new: u32,
    },
    /// The serial is not larger than the announced successor's.
    #[error(
        "the new serial {new} is not larger than {}, the serial of the announced successor {successor}\n\
         help: give a serial of {} or more",
        successor.serial(), successor.serial().saturating_add(1)
    )]
    AnnouncedSerial {
        /// The announced successor.
        successor: PhysicalSynchronizerId,
        /// The new serial.
        new: u32,
    },
    /// The new synchronizer is an announced successor.
    #[error(
        "the new physical synchronizer {successor} is already announced in the topology, as {member} reports: with this \
         announcement the new sequencer refuses the lower bound and does not start\n\
         help: give a serial of {} or more",
        successor.serial().saturating_add(1)
    )]
    Announced {
        /// Who reports it.
        member: MemberName,
        /// The announced successor.
        successor: PhysicalSynchronizerId,
    },
    /// The fence is not later than what was seen.
    #[error(
        "the max sequencing time {found} is not later than {at}, which {member} reports as {field}: the fence would drop \
         events that some have processed\n\
         help: give a max sequencing time later than {at}, or exclude {member} if its report is false"
    )]
    EarlyFence {
        /// The max sequencing time.
        found: Timestamp,
        /// Who has seen a later time.
        member: MemberName,
        /// Which of its times.
        field: &'static str,
        /// That time.
        at: Timestamp,
    },
    /// A sequencer has another fence.
    #[error(
        "the max sequencing time {found} is not {fence}, which the sequencer of {member} already has: events between \
         the two would be processed by some and dropped by others\n\
         help: give the max sequencing time {fence}, or exclude {member}"
    )]
    OtherFence {
        /// The max sequencing time.
        found: Timestamp,
        /// Who has a fence.
        member: MemberName,
        /// That fence.
        fence: Timestamp,
    },
    /// No time is later than what was seen.
    #[error(
        "{member} reports {at} as {field}, after which there is no time for a fence\n\
         help: exclude {member}, whose report is false"
    )]
    EndOfTime {
        /// Who.
        member: MemberName,
        /// Which of its times.
        field: &'static str,
        /// That time.
        at: Timestamp,
    },
    /// A time is earlier than one that it must follow.
    #[error(
        "the {later} {found} is earlier than the {earlier} {bound}\n\
         help: give {bound} or later as the {later}"
    )]
    Order {
        /// Name of the time that must not be earlier.
        later: &'static str,
        /// That time.
        found: Timestamp,
        /// Name of the time that it must follow.
        earlier: &'static str,
        /// That time.
        bound: Timestamp,
    },
    /// The lower bound is before topology becomes effective.
    #[error(
        "the lower bound {found} is earlier than {effective}, at which a topology transaction becomes effective, as \
         {member} reports\n\
         help: give a lower bound of {effective} or later, or exclude {member} if its report is false"
    )]
    LowerBoundBeforeTopology {
        /// The lower bound.
        found: Timestamp,
        /// Who reports it.
        member: MemberName,
        /// The effective time.
        effective: Timestamp,
    },
    /// The traffic export time is not before the fence.
    #[error(
        "the traffic export time {traffic} is not earlier than the max sequencing time {max_sequencing_time}\n\
         help: give a later max sequencing time"
    )]
    TrafficAfterFence {
        /// The traffic export time.
        traffic: Timestamp,
        /// The max sequencing time.
        max_sequencing_time: Timestamp,
    },
}

impl CommandError for Refusal {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Refuses `found`, called `later`, if it is before `bound`, called `earlier`.
fn follows(
    later: &'static str,
    found: Timestamp,
    earlier: &'static str,
    bound: Option<Timestamp>,
) -> Result<(), Refusal> {
    match bound {
        Some(bound) if found < bound => Err(Refusal::Order { later, found, earlier, bound }),
        _ => Ok(()),
    }
}

const MAX_SEQUENCING_TIME: &str = "max sequencing time";
const LOWER_BOUND: &str = "lower bound";
const UPGRADE_TIME: &str = "upgrade time";

impl Fencing {
    /// The times of rule 3: what the parameters give, checked against everything that was seen, else the earliest that
    /// rule 4 allows. `None` if the parameters give no max sequencing time and nobody reports.
    pub(super) fn new(reporting: &Reporting, parameters: &Parameters) -> Result<Option<Fencing>, Refusal> {
        let max_sequencing_time = max_sequencing_time(reporting, parameters.max_sequencing_time)?;
        let effective = reporting.newest_effective();
        if let Some(found) = parameters.lower_bound {
            follows(LOWER_BOUND, found, MAX_SEQUENCING_TIME, max_sequencing_time)?;
            if let Some(Seen { member, at: effective, .. }) = effective.filter(|seen| found < seen.at) {
                let member = member.clone();
                return Err(Refusal::LowerBoundBeforeTopology { found, member, effective });
            }
        }
        // `None` is smaller than any time.
        let lower_bound =
            parameters.lower_bound.or_else(|| max_sequencing_time.max(effective.map(|seen| seen.at)));
        if let Some(found) = parameters.upgrade_time {
            follows(UPGRADE_TIME, found, LOWER_BOUND, lower_bound)?;
        }
        let upgrade_time = parameters.upgrade_time.or(lower_bound);
        let (Some(max_sequencing_time), Some(lower_bound), Some(upgrade_time)) =
            (max_sequencing_time, lower_bound, upgrade_time)
        else {
            return Ok(None);
        };
        Ok(Some(Fencing { max_sequencing_time, lower_bound, upgrade_time }))
    }

    /// Whether the fence is later than the first microsecond that nobody has seen, and a covered member does not report
    /// it as reached.
    pub(super) fn is_provisional(&self, reporting: &Reporting, covered: &[&Sequencing]) -> bool {
        let first_unseen = reporting.newest().and_then(|seen| seen.at.checked_add(MICROSECOND));
        let in_the_future = first_unseen.is_some_and(|first| self.max_sequencing_time > first);
        in_the_future && !covered.iter().all(|one| self.is_reached_by(one))
    }

    /// Whether this member's sequencer has exactly this fence, and has reached it.
    pub(super) fn is_reached_by(&self, one: &Sequencing) -> bool {
        one.fence.is_some_and(|fence| fence.at == self.max_sequencing_time && fence.reached)
    }
}

/// Later than everything that was seen, and the fence that a sequencer has, if one has any.
fn max_sequencing_time(
    reporting: &Reporting,
    parameter: Option<Timestamp>,
) -> Result<Option<Timestamp>, Refusal> {
    let newest = reporting.newest();
    let found = match (parameter, newest) {
        (Some(found), Some(Seen { member, field, at })) if found <= at => {
            return Err(Refusal::EarlyFence { found, member: member.clone(), field, at });
        }
        (Some(found), _) => Some(found),
        (None, Some(Seen { member, field, at })) => {
            let end = || Refusal::EndOfTime { member: member.clone(), field, at };
            Some(at.checked_add(MICROSECOND).ok_or_else(end)?)
        }
        (None, None) => None,
    };
    let fences = reporting.iter().filter_map(|one| Some((&one.member, one.fence?.at)));
    match found.and_then(|found| Some((found, fences.into_iter().find(|(_, fence)| *fence != found)?))) {
        Some((found, (member, fence))) => Err(Refusal::OtherFence { found, member: member.clone(), fence }),
        None => Ok(found),
    }
}

impl Values {
    /// The times of one candidate.
    pub(super) fn new(exports: Option<Exports>, fencing: Fencing) -> Result<Values, Refusal> {
        if let Some(Exports { topology, traffic }) = exports {
            follows("traffic export time", traffic, "topology export time", Some(topology))?;
            let max_sequencing_time = fencing.max_sequencing_time;
            if traffic >= max_sequencing_time {
                return Err(Refusal::TrafficAfterFence { traffic, max_sequencing_time });
            }
        }
        Ok(Values { exports, fencing })
    }

    /// The export times; `None` if they follow from an announced upgrade.
    pub const fn exports(&self) -> Option<Exports> {
        self.exports
    }

    /// The time from which on the old sequencers sequence nothing (exclusive).
    pub const fn max_sequencing_time(&self) -> Timestamp {
        self.fencing.max_sequencing_time
    }

    /// The time up to which the new sequencers sequence nothing (exclusive).
    pub const fn lower_bound(&self) -> Timestamp {
        self.fencing.lower_bound
    }

    /// The time after which the new sequencers sequence everything, and their deadline for the traffic state.
    pub const fn upgrade_time(&self) -> Timestamp {
        self.fencing.upgrade_time
    }

    /// When the old sequencers stop and the new ones start.
    pub(super) const fn fencing(&self) -> Fencing {
        self.fencing
    }
}
