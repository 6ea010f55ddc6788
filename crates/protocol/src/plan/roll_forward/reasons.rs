//! Why a member is left behind at a candidate, and why there may be no choice.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::Exports;
use super::reporting::{Reporting, Standing};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::sequencing::{Announcement, Sequencing};
use crate::span;
use crate::text::listed;
use crate::time::Timestamp;

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
    /// It has no evidence.
    NoEvidence,
    /// Its evidence is of another physical synchronizer.
    OtherSynchronizer {
        /// That one.
        found: PhysicalSynchronizerId,
    },
    /// Its evidence has no topology times.
    NoTopology {
        /// What its sequencer has processed.
        last_sequenced: Timestamp,
    },
    /// Its sequencer has not processed the topology export time.
    Behind {
        /// What it has processed.
        last_sequenced: Timestamp,
        /// The topology export time.
        topology: Timestamp,
    },
    /// Its sequencer has processed the topology export time, but has not seen the topology transaction.
    OlderTopology {
        /// The newest that it has seen.
        sequenced: Timestamp,
        /// The topology export time.
        topology: Timestamp,
    },
    /// It reports no announced upgrade.
    NoAnnouncement,
    /// It reports another announced upgrade.
    OtherAnnouncement {
        /// The one that it reports.
        found: Announcement,
    },
}

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
    /// Too few members report topology times of the old synchronizer.
    TooFewReports {
        /// The threshold.
        threshold: usize,
        /// Those that do.
        known: Vec<MemberName>,
        /// All others, each with its reason.
        missing: Vec<LeftBehind>,
    },
    /// Too few members report the same announced upgrade.
    TooFewAnnounce {
        /// The threshold.
        threshold: usize,
        /// The upgrade that most report, and who.
        most: Option<(Announcement, Vec<MemberName>)>,
        /// All others, each with its reason.
        missing: Vec<LeftBehind>,
    },
}

/// The members that a candidate does not cover, each with its reason, in byte order of names.
pub(super) fn left_behind(
    reporting: &Reporting,
    exports: Option<Exports>,
    announced: Option<&Announcement>,
    covered: &[&Sequencing],
) -> Vec<LeftBehind> {
    // `covered` is in byte order of names, as the evidence is.
    let is_covered = |member: &MemberName| covered.binary_search_by(|one| one.member.cmp(member)).is_ok();
    let topology = exports.map(|exports| exports.topology);
    let others = reporting.members().into_iter().filter(|member| !is_covered(member));
    others
        .map(|member| LeftBehind {
            member: member.clone(),
            reason: match reporting.standing(member) {
                Standing::Excluded => Reason::Excluded,
                Standing::Silent => Reason::NoEvidence,
                Standing::Elsewhere(found) => Reason::OtherSynchronizer { found: found.clone() },
                Standing::Reports(one) => match (announced, &one.announcement) {
                    (Some(_), None) => Reason::NoAnnouncement,
                    (Some(_), Some(found)) => Reason::OtherAnnouncement { found: found.clone() },
                    (None, _) => behind(one, topology),
                },
            },
        })
        .collect()
}

/// Why a reporting member is not covered; without a candidate, because nobody is.
fn behind(one: &Sequencing, topology: Option<Timestamp>) -> Reason {
    let last_sequenced = one.last_sequenced;
    match (one.topology, topology) {
        (Some(_), Some(topology)) if last_sequenced < topology => Reason::Behind { last_sequenced, topology },
        (Some(times), Some(topology)) => Reason::OlderTopology { sequenced: times.sequenced, topology },
        (_, _) => Reason::NoTopology { last_sequenced },
    }
}

impl Shortfall {
    /// Explains why no candidate reaches the threshold. `announced` is there if an announced upgrade is looked for, and
    /// is the one that most report.
    pub(super) fn of(
        reporting: &Reporting,
        announced: Option<Option<(Announcement, Vec<MemberName>)>>,
    ) -> Shortfall {
        let threshold = reporting.roster().threshold();
        let members = reporting.members();
        let excluded = |member: &&&MemberName| matches!(reporting.standing(member), Standing::Excluded);
        let left = members.len() - members.iter().filter(excluded).count();
        if left < threshold {
            return Shortfall::TooFewMembers { threshold, left };
        }
        match announced {
            None => {
                let known: Vec<&Sequencing> = reporting.iter().filter(|one| one.topology.is_some()).collect();
                let missing = left_behind(reporting, None, None, &known);
                let known = known.into_iter().map(|one| one.member.clone()).collect();
                Shortfall::TooFewReports { threshold, known, missing }
            }
            Some(most) => {
                let by = most.as_ref().map_or(&[][..], |(_, by)| by);
                let covered: Vec<&Sequencing> =
                    reporting.iter().filter(|one| by.contains(&one.member)).collect();
                let mut missing = left_behind(reporting, None, most.as_ref().map(|(one, _)| one), &covered);
                for one in &mut missing {
                    if let Reason::NoTopology { .. } = one.reason {
                        one.reason = Reason::NoAnnouncement;
                    }
                }
                Shortfall::TooFewAnnounce { threshold, most, missing }
            }
        }
    }
}

/// How much later `later` is, in whole seconds if there are any.
fn gap(later: Timestamp, earlier: Timestamp) -> String {
    let micros = later.micros().abs_diff(earlier.micros());
    match micros / 1_000_000 {
        0 => format!("{:?}", Duration::from_micros(micros)),
        seconds => span::print(seconds),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Excluded => write!(f, "excluded by the parameters"),
            Reason::NoEvidence => write!(f, "no evidence"),
            Reason::OtherSynchronizer { found } => {
                write!(f, "its evidence is of another physical synchronizer, {found}")
            }
            Reason::NoTopology { last_sequenced } => write!(
                f,
                "its evidence has no topology times; its sequencer has processed events until {last_sequenced}"
            ),
            Reason::Behind { last_sequenced, topology } => write!(
                f,
                "its sequencer has processed events until {last_sequenced} only, {} before the topology export time",
                gap(*topology, *last_sequenced)
            ),
            Reason::OlderTopology { sequenced, topology } => write!(
                f,
                "its newest topology transaction is of {sequenced}, {} before the topology export time",
                gap(*topology, *sequenced)
            ),
            Reason::NoAnnouncement => write!(f, "it reports no announced upgrade"),
            Reason::OtherAnnouncement { found: Announcement { successor, upgrade_time, .. } } => {
                write!(f, "it reports another announced upgrade, to {successor} at {upgrade_time}")
            }
        }
    }
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.member, self.reason)
    }
}

/// The members, each with its reason, and all of them: who is missing must not be guessed.
fn all(missing: &[LeftBehind]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Shortfall {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortfall::TooFewMembers { threshold, left } => {
                write!(f, "{threshold} members must be covered, but only {left} are not excluded")
            }
            Shortfall::TooFewReports { threshold, known, missing } => {
                write!(f, "{threshold} members must be covered, but ")?;
                match known.as_slice() {
                    [] => write!(f, "nobody reports")?,
                    known => write!(f, "only {} can be: they report", listed(known))?,
                }
                write!(f, " topology times of the old physical synchronizer. Missing: {}", all(missing))
            }
            Shortfall::TooFewAnnounce { threshold, most: None, missing } => write!(
                f,
                "{threshold} members must report the same announced upgrade, but nobody reports any. Missing: {}",
                all(missing)
            ),
            Shortfall::TooFewAnnounce { threshold, most: Some((most, by)), missing } => write!(
                f,
                "{threshold} members must report the same announced upgrade, but only {} report the one to {} at {}. \
                 Missing: {}",
                listed(by),
                most.successor,
                most.upgrade_time,
                all(missing)
            ),
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what(f)?;
        match self {
            Shortfall::TooFewMembers { .. } => write!(f, "\nhelp: exclude fewer members"),
            Shortfall::TooFewReports { missing, .. } | Shortfall::TooFewAnnounce { missing, .. } => {
                let could = missing.iter().filter(|one| one.reason != Reason::Excluded);
                let names: Vec<&MemberName> = could.map(|one| &one.member).collect();
                write!(f, "\nhelp: get evidence of {} with `svdr-agent sequencing`", listed(&names))
            }
        }
    }
}

impl Error for Shortfall {}
