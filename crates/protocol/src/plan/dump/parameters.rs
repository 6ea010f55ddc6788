//! What a proposal may ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::names::MemberName;
use crate::roster::{Roster, governance_threshold};
use crate::time::{Tick, Timestamp};

use super::sweep::Window;

/// The distance from tick to recovery timestamp unless a proposal says otherwise: long enough that what was
/// still on its way between participants at the recovery timestamp has reached all of them by the tick.
pub const DEFAULT_MARGIN: Duration = Duration::from_secs(15 * 60);
/// The largest margin: beyond a day, a number was mistyped.
pub const MAX_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Parameters of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The distance from a tick to its recovery timestamp, in whole seconds, at most [`MAX_MARGIN`].
    pub margin: Duration,
    /// How many members must be covered; at least the roster's threshold, at most its members.
    pub threshold: usize,
    /// The earliest recovery timestamp allowed.
    pub not_before: Option<Timestamp>,
    /// The latest recovery timestamp allowed.
    pub not_after: Option<Timestamp>,
    /// Members to exclude.
    pub excluded: BTreeSet<MemberName>,
    /// Members without logs of their own: the others' matches with them count for both sides.
    pub vouched: BTreeSet<MemberName>,
}

/// Why parameters are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The margin is not in whole seconds.
    #[error("the margin {}s is not in whole seconds\nhelp: give whole seconds, for example 15m", found.as_secs_f64())]
    FractionalMargin {
        /// The margin given.
        found: Duration,
    },
    /// The margin is too large.
    #[error("the margin of {} seconds is more than {} seconds, a day\nhelp: give a smaller margin, for example 15m",
        found.as_secs(), MAX_MARGIN.as_secs())]
    LargeMargin {
        /// The margin given.
        found: Duration,
    },
    /// The threshold is below the roster's.
    #[error(
        "the threshold {found} is below the roster's, {roster} (the governance threshold of {members} members is \
         {governance})\nhelp: give {roster} or more"
    )]
    LowThreshold {
        /// The threshold given.
        found: usize,
        /// The roster's.
        roster: usize,
        /// The governance threshold.
        governance: usize,
        /// Members of the roster.
        members: usize,
    },
    /// The threshold is above the number of members.
    #[error(
        "the threshold {found} can never be reached, because the roster has {members} members\n\
         help: give {members} or less"
    )]
    HighThreshold {
        /// The threshold given.
        found: usize,
        /// Members of the roster.
        members: usize,
    },
    /// The bounds leave nothing between them.
    #[error(
        "the bounds leave no recovery timestamp: not after {not_after} is earlier than not before {not_before}\n\
         help: swap or widen the bounds"
    )]
    EmptyWindow {
        /// The earliest allowed.
        not_before: Timestamp,
        /// The latest allowed.
        not_after: Timestamp,
    },
    /// A name to exclude or to vouch for is not a member's.
    #[error(
        "{name} is not a member of the roster, so it can be neither excluded nor vouched for; the members are {}",
        crate::text::listed(members)
    )]
    NotAMember {
        /// The name given.
        name: MemberName,
        /// The roster's members.
        members: Vec<MemberName>,
    },
    /// A member is both excluded and vouched for.
    #[error("{member} is both excluded and vouched for\nhelp: choose one of the two")]
    ExcludedAndVouched {
        /// The member.
        member: MemberName,
    },
    /// A vouched member has evidence.
    #[error(
        "{member} is vouched for, but has evidence of its own\n\
         help: do not vouch for {member}, so that its own evidence counts"
    )]
    VouchedWithEvidence {
        /// The member.
        member: MemberName,
    },
}

impl Parameters {
    /// The default margin and the roster's threshold, without bounds, and nobody excluded or vouched for.
    pub fn new(roster: &Roster) -> Parameters {
        Parameters {
            margin: DEFAULT_MARGIN,
            threshold: roster.threshold(),
            not_before: None,
            not_after: None,
            excluded: BTreeSet::new(),
            vouched: BTreeSet::new(),
        }
    }

    /// The first thing wrong with them.
    pub(super) fn check(&self, roster: &Roster, evidence: &[&Evidence]) -> Result<(), ParameterError> {
        let members = roster.members().len();
        let found = self.margin;
        if found.subsec_nanos() != 0 {
            return Err(ParameterError::FractionalMargin { found });
        }
        if found > MAX_MARGIN {
            return Err(ParameterError::LargeMargin { found });
        }
        let found = self.threshold;
        // A roster's threshold is never below the governance threshold.
        if found < roster.threshold() {
            let (roster, governance) = (roster.threshold(), governance_threshold(members));
            return Err(ParameterError::LowThreshold { found, roster, governance, members });
        }
        if found > members {
            return Err(ParameterError::HighThreshold { found, members });
        }
        if let (Some(not_before), Some(not_after)) = (self.not_before, self.not_after)
            && not_after < not_before
        {
            return Err(ParameterError::EmptyWindow { not_before, not_after });
        }
        if let Some(name) = self.excluded.union(&self.vouched).find(|name| roster.member(name).is_none()) {
            let members = roster.members().iter().map(|member| member.name.clone()).collect();
            return Err(ParameterError::NotAMember { name: name.clone(), members });
        }
        if let Some(member) = self.excluded.intersection(&self.vouched).next() {
            return Err(ParameterError::ExcludedAndVouched { member: member.clone() });
        }
        if let Some(one) = evidence.iter().find(|one| self.vouched.contains(&one.member)) {
            return Err(ParameterError::VouchedWithEvidence { member: one.member.clone() });
        }
        Ok(())
    }

    /// The ticks whose recovery timestamp is within the bounds; `None` if there are none.
    pub(super) fn window(&self) -> Option<Window> {
        let oldest = self.not_before.unwrap_or(Timestamp::MIN).checked_add(self.margin)?;
        let newest =
            self.not_after.unwrap_or(Timestamp::MAX).checked_add(self.margin).unwrap_or(Timestamp::MAX);
        Some(Window { oldest: Tick(oldest), newest: Tick(newest) })
    }

    /// The ticks whose recovery timestamp is later than allowed.
    pub(super) fn window_after(&self) -> Option<Window> {
        let oldest = self.not_after?.checked_add(self.margin)?.checked_add(Duration::from_micros(1))?;
        Some(Window { oldest: Tick(oldest), newest: Tick(Timestamp::MAX) })
    }

    /// The ticks whose recovery timestamp is earlier than allowed.
    pub(super) fn window_before(&self) -> Option<Window> {
        let oldest = Timestamp::MIN.checked_add(self.margin)?;
        // A window that would end after the year 9999 contains every tick.
        let newest = self.not_before?.checked_add(self.margin).unwrap_or(Timestamp::MAX);
        let newest = newest.checked_sub(Duration::from_micros(1))?;
        (oldest <= newest).then_some(Window { oldest: Tick(oldest), newest: Tick(newest) })
    }
}
