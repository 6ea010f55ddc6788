//! Why a member is left behind at a candidate.
//!
//! There may be several reasons at once. The reason is given that a person must know first: a decision (excluded), then
//! missing evidence, then a contradiction (a mismatch), and only then a missing match.

use std::fmt;

use crate::clique::VertexSet;
use crate::names::MemberName;
use crate::text::listed;
use crate::time::{Tick, Timestamp};

use super::reports::Reports;

/// A member that a candidate does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Who.
    pub member: MemberName,
    /// Why.
    pub reason: Reason,
}

/// Why a member is left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The parameters exclude it.
    Excluded,
    /// It has no evidence, and is not vouched for.
    NoEvidence,
    /// Mismatches with covered members would come back.
    Mismatch {
        /// With whom, and the newest tick of each; the newest first. Not empty.
        with: Vec<(MemberName, Tick)>,
    },
    /// In all the evidence there is no mutual match with these covered members.
    NeverMatched {
        /// With whom; not empty.
        with: Vec<MemberName>,
        /// Whether it matches nobody that is covered.
        nobody: bool,
    },
    /// Its mutual matches end before the tick.
    Older {
        /// The newest tick that it has with each of these.
        newest: Tick,
        /// With whom; not empty.
        with: Vec<MemberName>,
        /// Whether these are all that are covered.
        everybody: bool,
    },
    /// It has newer mutual matches, but none at the tick.
    NotAtTick {
        /// The tick.
        tick: Tick,
        /// With whom it has none.
        with: Vec<MemberName>,
        /// The newest mutual match with one of them.
        newest: Option<Tick>,
        /// Whether these are all that are covered.
        everybody: bool,
    },
}

/// The members left behind at `tick`, each with its reason, in byte order of names.
pub(super) fn left_behind(reports: &Reports, tick: Tick, covered: VertexSet) -> Vec<LeftBehind> {
    let others = reports.members().minus(covered);
    others
        .iter()
        .map(|member| LeftBehind {
            member: reports.name(member),
            reason: reason(reports, tick, covered, member),
        })
        .collect()
}

fn reason(reports: &Reports, tick: Tick, covered: VertexSet, member: usize) -> Reason {
    if reports.excluded.contains(member) {
        return Reason::Excluded;
    }
    if !reports.known().contains(member) {
        return Reason::NoEvidence;
    }
    let mut mismatches: Vec<(usize, Tick)> = covered
        .iter()
        .filter(|&other| !(reports.vouched.contains(member) && reports.vouched.contains(other)))
        .filter_map(|other| Some((other, reports.mismatch_in_the_way(member, other, tick)?)))
        .collect();
    if !mismatches.is_empty() {
        mismatches.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        let with = mismatches.into_iter().map(|(other, at)| (reports.name(other), at)).collect();
        return Reason::Mismatch { with };
    }
    let missing: VertexSet =
        covered.iter().filter(|&other| !reports.mutual_at(member, other, tick)).collect();
    let newest: Vec<(usize, Option<Tick>)> =
        missing.iter().map(|other| (other, reports.newest_mutual(member, other))).collect();
    // `None` comes first: never is older than any time.
    let oldest = newest.iter().map(|(_, newest)| *newest).min().flatten();
    let with_oldest: VertexSet =
        newest.iter().filter(|(_, newest)| *newest == oldest).map(|(other, _)| *other).collect();
    match oldest {
        None if !with_oldest.is_empty() => {
            let nobody = covered.iter().all(|other| reports.newest_mutual(member, other).is_none());
            Reason::NeverMatched { with: reports.names_of(with_oldest), nobody }
        }
        Some(newest) if newest < tick => {
            Reason::Older { newest, with: reports.names_of(with_oldest), everybody: with_oldest == covered }
        }
        _ => Reason::NotAtTick {
            tick,
            with: reports.names_of(missing),
            newest: newest.iter().filter_map(|(_, newest)| *newest).max(),
            everybody: missing == covered,
        },
    }
}

/// Whether each pair of `covered`, two vouched members aside, has a match of either at or before `recovery`.
pub(super) fn bracketed(reports: &Reports, recovery: Timestamp, covered: VertexSet) -> bool {
    covered.iter().flat_map(|a| covered.iter().take_while(move |b| *b < a).map(move |b| (a, b))).all(
        |(a, b)| {
            reports.vouched.contains(a) && reports.vouched.contains(b)
                || reports.matched_until(a, b, recovery)
                || reports.matched_until(b, a, recovery)
        },
    )
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = |with: &[MemberName], everybody| match everybody {
            true => "the covered members".to_owned(),
            false => listed(with),
        };
        match self {
            Reason::Excluded => write!(f, "excluded by the parameters"),
            Reason::NoEvidence => write!(f, "no evidence"),
            Reason::Mismatch { with } => {
                let with: Vec<String> = with.iter().map(|(name, at)| format!("{name} at {at}")).collect();
                write!(f, "mismatch with {}", listed(&with))
            }
            Reason::NeverMatched { with, nobody } => {
                write!(f, "it has no mutual match with {} in all the evidence", whom(with, *nobody))
            }
            Reason::Older { newest, with, everybody } => {
                write!(f, "its newest mutual match with {} is {newest}", whom(with, *everybody))
            }
            Reason::NotAtTick { tick, with, newest: Some(newest), everybody } => {
                let whom = whom(with, *everybody);
                write!(f, "it has newer mutual matches with {whom} (the newest {newest}), but none at {tick}")
            }
            Reason::NotAtTick { tick, with, newest: None, everybody } => {
                write!(f, "it has no mutual match with {} at {tick}", whom(with, *everybody))
            }
        }
    }
}
