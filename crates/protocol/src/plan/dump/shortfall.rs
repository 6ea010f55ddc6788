//! Why no candidate reaches the threshold, and what a person can change about it.
//!
//! There may be several reasons at once. The one that is easiest to change is given.

use std::error::Error;
use std::fmt;

use crate::clique::VertexSet;
use crate::names::MemberName;
use crate::time::{Tick, Timestamp};

use super::reports::Reports;
use super::{BoundedSearch, Candidate, Parameters, ProposalError};
use crate::text::listed;

/// Why no candidate reaches the threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// So many members are excluded that the others are too few.
    TooFewMembers {
        /// The threshold.
        threshold: usize,
        /// Members that are not excluded.
        left: usize,
    },
    /// Too few members have evidence or are vouched for.
    TooLittleEvidence {
        /// The threshold.
        threshold: usize,
        /// Members, not excluded, that have evidence or are vouched for.
        known: Vec<MemberName>,
        /// Those that have none.
        silent: Vec<MemberName>,
    },
    /// No evidence reports any match between members that are not excluded.
    NoMatches,
    /// A tick reaches the threshold, but the bounds forbid its recovery timestamp.
    Bounds {
        /// The threshold.
        threshold: usize,
        /// The newest later than the bounds allow.
        later: Option<Beyond>,
        /// The newest earlier than the bounds allow.
        earlier: Option<Beyond>,
    },
    /// No match is within the bounds.
    NothingWithinBounds {
        /// The newest recovery timestamp of any match.
        newest: Timestamp,
    },
    /// Too many pairs lack mutual matches, or have mismatches that would come back.
    Pairs {
        /// The threshold.
        threshold: usize,
        /// The tick that is nearest to it: with the largest coverage, else the newest.
        tick: Tick,
        /// Who is covered there; empty if no two members are connected at any tick.
        covered: Vec<MemberName>,
        /// The pairs that are not connected there: mismatches, then what was never matched, then what was
        /// matched at other ticks.
        gaps: Vec<Gap>,
        /// Members that have no evidence and are not vouched for.
        silent: Vec<MemberName>,
    },
}

/// A recovery timestamp outside the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The recovery timestamp.
    pub recovery_timestamp: Timestamp,
    /// How many members it covers.
    pub covered: usize,
}

/// Two members that are not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Who, in byte order of names.
    pub members: [MemberName; 2],
    /// Why not.
    pub reason: GapReason,
}

/// Why two members are not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// A mismatch would come back.
    Mismatch {
        /// Its tick.
        at: Tick,
    },
    /// No evidence has a mutual match of theirs.
    NeverMatched,
    /// They have no mutual match at the tick.
    NotAtTick {
        /// The newest that they have at any tick.
        newest: Tick,
    },
}

/// Explains why no candidate reaches the threshold; `best` is the one that covers most.
pub(super) fn explain(
    search: &mut BoundedSearch,
    parameters: &Parameters,
    best: Option<&Candidate>,
) -> Result<Shortfall, ProposalError> {
    let reports = search.reports;
    let threshold = parameters.threshold;
    let left = reports.eligible().len();
    if left < threshold {
        return Ok(Shortfall::TooFewMembers { threshold, left });
    }
    let silent = reports.names_of(reports.eligible().minus(reports.known()));
    if reports.known().len() < threshold {
        let known = reports.names_of(reports.known());
        return Ok(Shortfall::TooLittleEvidence { threshold, known, silent });
    }
    let Some(newest) = reports.newest_eligible(Timestamp::MAX) else { return Ok(Shortfall::NoMatches) };
    let mut beyond = |window| -> Result<Option<Beyond>, ProposalError> {
        let Some(window) = window else { return Ok(None) };
        let mut beyond = None;
        search.sweep(window, threshold, |tick, covered| {
            let covered = covered.len();
            let at = reports.recovery_timestamp(tick);
            beyond = at.map(|recovery_timestamp| Beyond { recovery_timestamp, covered });
            false
        })?;
        Ok(beyond)
    };
    let later = beyond(parameters.window_after())?;
    let earlier = beyond(parameters.window_before())?;
    if later.is_some() || earlier.is_some() {
        return Ok(Shortfall::Bounds { threshold, later, earlier });
    }
    let tick = best.map(|best| best.tick).or_else(|| {
        let window = parameters.window()?;
        reports.newest_eligible(window.newest.0).filter(|tick| *tick >= window.oldest)
    });
    let Some(tick) = tick else {
        let newest = reports.recovery_timestamp(newest).unwrap_or(Timestamp::MIN);
        return Ok(Shortfall::NothingWithinBounds { newest });
    };
    let covered = best.map_or(Vec::new(), |best| best.covered.clone());
    let vertices = reports.known().iter().filter(|&v| covered.contains(&reports.name(v))).collect();
    let gaps = gaps(reports, tick, vertices);
    Ok(Shortfall::Pairs { threshold, tick, covered, gaps, silent })
}

/// The unconnected pairs of which one at least is not covered.
fn gaps(reports: &Reports, tick: Tick, covered: VertexSet) -> Vec<Gap> {
    let known = reports.known();
    let mut gaps = Vec::new();
    for b in known.iter() {
        for a in known.iter().take_while(|a| *a < b) {
            let both_covered = covered.contains(a) && covered.contains(b);
            let both_vouched = reports.vouched.contains(a) && reports.vouched.contains(b);
            if both_covered || both_vouched || reports.connected(a, b, tick) {
                continue;
            }
            let reason = match (reports.mismatch_in_the_way(a, b, tick), reports.newest_mutual(a, b)) {
                (Some(at), _) => GapReason::Mismatch { at },
                (None, Some(newest)) => GapReason::NotAtTick { newest },
                (None, None) => GapReason::NeverMatched,
            };
            gaps.push(Gap { members: [reports.name(a), reports.name(b)], reason });
        }
    }
    gaps.sort_by(|one, other| {
        let rank = |gap: &Gap| match gap.reason {
            GapReason::Mismatch { at } => (0, -at.0.micros()),
            GapReason::NeverMatched => (1, 0),
            GapReason::NotAtTick { newest } => (2, newest.0.micros()),
        };
        rank(one).cmp(&rank(other)).then_with(|| one.members.cmp(&other.members))
    });
    gaps
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.members;
        match self.reason {
            GapReason::Mismatch { at } => write!(f, "{a} and {b} have a mismatch at {at}"),
            GapReason::NeverMatched => write!(f, "{a} and {b} have no mutual match"),
            GapReason::NotAtTick { newest } => {
                write!(f, "{a} and {b} have their newest mutual match at {newest}")
            }
        }
    }
}

impl Shortfall {
    /// What to do about it, in one imperative sentence.
    fn help(&self) -> Option<String> {
        match self {
            Shortfall::TooFewMembers { .. } => Some("exclude fewer members".to_owned()),
            Shortfall::TooLittleEvidence { silent, .. } => Some(format!(
                "get the evidence of {}, or vouch for members that have no logs",
                listed(silent)
            )),
            Shortfall::NoMatches => {
                Some("check that the logs have commitment lines of this network".to_owned())
            }
            Shortfall::Bounds { .. } | Shortfall::NothingWithinBounds { .. } => {
                Some("widen the bounds".to_owned())
            }
            Shortfall::Pairs { silent, .. } if !silent.is_empty() => {
                Some(format!("get the evidence of {}", listed(silent)))
            }
            Shortfall::Pairs { .. } => None,
        }
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortfall::TooFewMembers { threshold, left } => {
                write!(f, "{threshold} members must be covered, but only {left} are not excluded")
            }
            Shortfall::TooLittleEvidence { threshold, known, .. } => match known.as_slice() {
                [] => write!(f, "{threshold} members must be covered, but nobody can be"),
                known => write!(f, "{threshold} members must be covered, but only {} can be", listed(known)),
            },
            Shortfall::NoMatches => {
                write!(f, "no evidence has a match between members that are not excluded")
            }
            Shortfall::Bounds { threshold, later, earlier } => {
                write!(f, "no recovery timestamp within the bounds covers {threshold} members")?;
                for (bound, beyond) in [("latest", later), ("earliest", earlier)] {
                    if let Some(Beyond { recovery_timestamp, covered }) = beyond {
                        write!(f, "; without the {bound} bound, {recovery_timestamp} would cover {covered}")?;
                    }
                }
                Ok(())
            }
            Shortfall::NothingWithinBounds { newest } => write!(
                f,
                "the evidence has no match within the bounds; its newest recovery timestamp is {newest}"
            ),
            Shortfall::Pairs { threshold, tick, covered, gaps, silent } => {
                write!(f, "{threshold} members must be covered, but ")?;
                match covered.len() {
                    0 => write!(f, "no two are connected at any tick")?,
                    most => write!(f, "at most {most} are: {} at {tick}", listed(covered))?,
                }
                if !gaps.is_empty() {
                    write!(f, "; in the way: {}", listed(gaps))?;
                }
                if !silent.is_empty() {
                    write!(f, "; without evidence: {}", listed(silent))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what(f)?;
        match self.help() {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl Error for Shortfall {}
