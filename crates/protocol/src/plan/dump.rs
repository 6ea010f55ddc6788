//! The proposal rule: from everybody's evidence to the point that the network goes back to.
//!
//! [`propose`] is pure and deterministic: every member computes the same candidates and the same choice from the same
//! evidence, whatever the order in which it arrived. So nobody needs to believe anybody's proposal.
//!
//! At a tick T with recovery timestamp R = T − margin, two members are connected when both report a match with
//! each other at T and no mismatch between them would come back: none in (R, T], and none as the last thing that
//! either reported up to R. The coverage of T is the largest set of pairwise connected members. Going back in
//! time, each tick with a larger coverage than all newer ones is a candidate: it loses more history and leaves
//! fewer behind. The newest candidate that reaches the threshold is chosen; the bar is never lowered.
//!
//! Edge cases, by the letter of the rule:
//!
//! * T runs over the ticks at which a member reports a match with another, neither of them excluded. A tick
//!   that is only reported as a mismatch connects nobody.
//! * Two vouched members are connected at every tick, whatever the evidence says. If they alone reach the
//!   threshold, a choice may follow from nobody's evidence; [`Warning::VouchedAlone`] says so.
//! * The history lost is counted from the newest match in *anybody's* evidence, an excluded member's too: that
//!   history existed.
//! * With a margin of zero, R is T, and a mismatch at T itself counts as the last thing reported.
//!
//! The work is linear in the evidence and has limits: [`SEARCH_STEPS`] for the largest sets of all ticks together, and
//! [`MAX_DISTINCT_TICKS`]. All members refuse evidence that needs more, with the names of the members to exclude. Such
//! evidence takes many members that conspire, because a pair only matches if both say so. The answer is never
//! approximate.

use std::time::Duration;

use crate::clique::{Budget, Exhausted, Graph};
use crate::evidence::{Evidence, EvidenceError, MAX_TICKS};
use crate::failure::{self, CommandError, Exit};
use crate::names::MemberName;
use crate::roster::Roster;
use crate::time::{Tick, Timestamp};

pub mod document;
mod parameters;
mod reasons;
mod reports;
mod shortfall;
mod sweep;
mod warnings;

pub use parameters::{DEFAULT_MARGIN, MAX_MARGIN, ParameterError, Parameters};
pub use reasons::{LeftBehind, Reason};
pub use shortfall::{Beyond, Gap, GapReason, Shortfall};
pub use warnings::Warning;

use reports::Reports;
use sweep::{Sweep, TooManyTicks, Window};

/// Version of the rule, named by every proposal: two versions may choose differently from the same evidence.
pub const RULE_VERSION: u32 = 1;
/// Steps of the clique search that one proposal may take, over all ticks: about a minute on a small machine.
/// The hardest graphs known at 128 members take half a million steps, ordinary evidence takes a few thousand.
pub const SEARCH_STEPS: u64 = 10_000_000;
/// Different ticks at which any pair matches: as many as one member may report in all. Ordinary evidence has some
/// thousands.
pub const MAX_DISTINCT_TICKS: usize = MAX_TICKS;
/// The fewest members that are worth recovering together.
const MIN_COVERAGE: usize = 2;
/// Graphs that are remembered as having no larger clique; evidence mostly stays the same from tick to tick.
const REMEMBERED: usize = 16;
/// Members named if the search is too hard.
const NAMED: usize = 5;

/// The candidates, and the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many members must be covered for a choice.
    pub threshold: usize,
    /// How many members the roster has.
    pub members: usize,
    /// From tick to recovery timestamp.
    pub margin: Duration,
    /// From the newest, which covers fewest, to the oldest, which covers most.
    pub candidates: Vec<Candidate>,
    /// Which of them, or why none.
    pub choice: Choice,
    /// What a person should know before agreeing.
    pub warnings: Vec<Warning>,
}

/// A tick to recover to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The tick at which the covered members agree.
    pub tick: Tick,
    /// The tick less the margin.
    pub recovery_timestamp: Timestamp,
    /// Who recovers together, in byte order of names.
    pub covered: Vec<MemberName>,
    /// Who does not, in byte order of names.
    pub left_behind: Vec<LeftBehind>,
    /// Seconds from the recovery timestamp to the newest tick that anybody's evidence matches.
    pub history_lost_seconds: i64,
    /// Whether for each covered pair (two vouched members aside) one also reports a match with the other at or
    /// before the recovery timestamp.
    pub bracketed: bool,
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
pub enum ProposalError {
    /// The parameters contradict the roster, the evidence or each other.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An evidence contradicts the roster.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// One member has two evidences.
    #[error("there are two evidences of {member}\nhelp: give only the one that counts")]
    TwoEvidences {
        /// Whose.
        member: MemberName,
    },
    /// The largest set of agreeing members cannot be found within [`SEARCH_STEPS`].
    #[error(
        "the largest set of members that agree at {tick} was not found within {SEARCH_STEPS} steps: too many pairs \
         lack matches without a pattern, most of them pairs with {}\n\
         help: exclude one of these members, or narrow the bounds of the recovery timestamp",
        crate::text::listed(members)
    )]
    TooHard {
        /// Where the steps ran out.
        tick: Tick,
        /// Who has the fewest connections there, the fewest first.
        members: Vec<MemberName>,
    },
    /// The pairs match at more than [`MAX_DISTINCT_TICKS`] different ticks.
    #[error(
        "the members match each other at more than {MAX_DISTINCT_TICKS} different ticks, which no network has; most \
         matches are reported by {}\n\
         help: exclude these members, or narrow the bounds of the recovery timestamp",
        crate::text::listed(members)
    )]
    TooManyTicks {
        /// Who reports most, the most first.
        members: Vec<MemberName>,
    },
}

impl CommandError for ProposalError {
    fn exit(&self) -> Exit {
        match self {
            ProposalError::Parameter(_) => Exit::Usage,
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
            (_, chosen) => format!(
                "newest candidate that {} of {} members mutually committed to",
                chosen.map_or(0, |chosen| chosen.covered.len()),
                self.members
            ),
        }
    }
}

/// Applies the proposal rule to one evidence of each member that has any.
///
/// # Errors
/// [`ProposalError`], the same for everybody who has the same input.
pub fn propose<'a>(
    roster: &'a Roster,
    evidence: impl IntoIterator<Item = &'a Evidence>,
    parameters: &Parameters,
) -> Result<Outcome, ProposalError> {
    // Sorted, so that the result does not depend on the order of arrival.
    let mut evidence: Vec<&Evidence> = evidence.into_iter().collect();
    evidence.sort_by_key(|one| &one.member);
    for one in &evidence {
        one.check(roster)?;
    }
    if let Some(twice) = evidence.windows(2).find(|pair| pair[0].member == pair[1].member) {
        return Err(ProposalError::TwoEvidences { member: twice[0].member.clone() });
    }
    parameters.check(roster, &evidence)?;

    let reports = Reports::new(roster, &evidence, parameters);
    let mut search = BoundedSearch { reports: &reports, budget: Budget::new(SEARCH_STEPS) };
    let newest_matched = reports.newest_matched();
    let mut candidates = Vec::new();
    if let Some(window) = parameters.window() {
        search.sweep(window, MIN_COVERAGE, |tick, covered| {
            let (Some(recovery_timestamp), Some(newest)) = (reports.recovery_timestamp(tick), newest_matched)
            else {
                return true;
            };
            candidates.push(Candidate {
                tick,
                recovery_timestamp,
                covered: reports.names_of(covered),
                left_behind: reasons::left_behind(&reports, tick, covered),
                history_lost_seconds: newest.0.seconds_since(recovery_timestamp),
                bracketed: reasons::bracketed(&reports, recovery_timestamp, covered),
            });
            covered.len() < reports.eligible().len()
        })?;
    }
    let chosen = candidates.iter().position(|candidate| candidate.covered.len() >= parameters.threshold);
    let choice = match chosen {
        Some(at) => Choice::Candidate(at),
        None => Choice::NotPossible(shortfall::explain(&mut search, parameters, candidates.last())?),
    };
    let warnings =
        warnings::warnings(&reports, &evidence, parameters, chosen.and_then(|at| candidates.get(at)));
    Ok(Outcome {
        threshold: parameters.threshold,
        members: roster.members().len(),
        margin: parameters.margin,
        candidates,
        choice,
        warnings,
    })
}

struct BoundedSearch<'r, 'a> {
    reports: &'r Reports<'a>,
    budget: Budget,
}

impl BoundedSearch<'_, '_> {
    /// Calls `found` with each tick in `window`, from the newest, whose coverage is at least `size` and larger
    /// than all found before, and that coverage, until it says that this is enough.
    fn sweep(
        &mut self,
        window: Window,
        mut size: usize,
        mut found: impl FnMut(Tick, crate::clique::VertexSet) -> bool,
    ) -> Result<(), ProposalError> {
        let members = self.reports.eligible();
        let mut settled: Vec<Graph> = Vec::with_capacity(REMEMBERED);
        let mut sweep = Sweep::new(self.reports, window);
        let mut oldest_settled = 0;
        loop {
            let next = sweep.next_larger_than(size.saturating_sub(1));
            let next = next.map_err(|TooManyTicks| self.too_many_ticks())?;
            let Some((tick, graph)) = next else { return Ok(()) };
            // Evidence seldom changes from tick to tick, and a part of a settled graph has no larger clique.
            if settled.iter().any(|settled| graph.is_part_of(settled)) {
                continue;
            }
            let largest = graph
                .maximum_clique(members, size, &mut self.budget)
                .map_err(|Exhausted| self.too_hard(tick, &graph))?;
            if let Some(covered) = largest {
                if !found(tick, covered) {
                    return Ok(());
                }
                size = covered.len() + 1;
            }
            if settled.len() < REMEMBERED {
                settled.push(graph);
            } else {
                settled[oldest_settled] = graph;
                oldest_settled = (oldest_settled + 1) % REMEMBERED;
            }
        }
    }

    fn too_many_ticks(&self) -> ProposalError {
        let reports = self.reports;
        let mut members: Vec<usize> = reports.eligible().iter().collect();
        members.sort_by_cached_key(|by| {
            let matches = reports.members().iter().filter_map(|about| reports.observations(*by, about));
            std::cmp::Reverse(matches.map(|about| about.matches.len()).sum::<usize>())
        });
        let members = members.into_iter().take(NAMED).map(|member| reports.name(member)).collect();
        ProposalError::TooManyTicks { members }
    }

    fn too_hard(&self, tick: Tick, graph: &Graph) -> ProposalError {
        let mut members: Vec<usize> = self.reports.eligible().iter().collect();
        members.sort_by_key(|member| graph.neighbours(*member).len());
        let members = members.into_iter().take(NAMED).map(|member| self.reports.name(member)).collect();
        ProposalError::TooHard { tick, members }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
