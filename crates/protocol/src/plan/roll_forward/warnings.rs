//! What a person should know before agreeing, besides the candidates.

use std::fmt;

use super::reporting::{Reporting, Standing};
use super::{Candidate, Parameters};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::sequencing::{Announcement, Sequencing};
use crate::span;
use crate::text::listed;
use crate::time::Timestamp;

/// Something that does not change the choice, and that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Times of these members are further ahead than f + 1 others confirm.
    Uncorroborated {
        /// Who.
        members: Vec<MemberName>,
        /// The corroboration, in seconds.
        corroboration: u64,
    },
    /// The chosen candidate can be agreed to and not attested yet.
    Provisional {
        /// Its max sequencing time.
        max_sequencing_time: Timestamp,
        /// Covered members that do not report this fence as reached.
        open: Vec<MemberName>,
    },
    /// CometBFT does not run with the covered members alone.
    TwoThirds {
        /// How many are covered.
        covered: usize,
        /// How many members there are.
        members: usize,
    },
    /// Members report an announced upgrade, and the plan does not follow from it.
    Announced {
        /// Who.
        members: Vec<MemberName>,
        /// What is announced.
        announcement: Announcement,
    },
    /// The upgrade time is the lower bound, because the parameters give none.
    DefaultUpgradeTime {
        /// That time.
        at: Timestamp,
    },
    /// The new protocol version is lower than the old one.
    LowerProtocolVersion {
        /// The old one.
        old: u32,
        /// The new one.
        new: u32,
    },
    /// Members that are not excluded have no evidence.
    NoEvidence {
        /// Who.
        members: Vec<MemberName>,
    },
    /// A member's evidence names another protocol version than its physical synchronizer id.
    OtherProtocolVersion {
        /// Whose.
        member: MemberName,
        /// The protocol version that it names.
        found: u32,
        /// That of the physical synchronizer.
        expected: u32,
    },
    /// What the reader of a member's nodes doubted.
    Reported {
        /// Whose evidence.
        member: MemberName,
        /// The text.
        text: String,
    },
}

pub(super) fn warnings(
    reporting: &Reporting,
    new: &PhysicalSynchronizerId,
    parameters: &Parameters,
    chosen: Option<&Candidate>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let uncorroborated = reporting.uncorroborated(parameters.corroboration);
    if !uncorroborated.is_empty() {
        let corroboration = parameters.corroboration.as_secs();
        warnings.push(Warning::Uncorroborated { members: uncorroborated, corroboration });
    }
    if let Some(chosen) = chosen {
        warnings.extend(of_the_choice(reporting, parameters, chosen));
    }
    if !parameters.announced {
        warnings.extend(announcements(reporting));
    }
    let [old, new] = [reporting.old().protocol_version(), new.protocol_version()];
    if new < old {
        warnings.push(Warning::LowerProtocolVersion { old, new });
    }
    let silent = |member: &&MemberName| matches!(reporting.standing(member), Standing::Silent);
    let members: Vec<MemberName> = reporting.members().into_iter().filter(silent).cloned().collect();
    if !members.is_empty() {
        warnings.push(Warning::NoEvidence { members });
    }
    for one in reporting.iter() {
        let (member, expected) = (&one.member, one.physical_synchronizer.protocol_version());
        if let Some(found) = one.protocol_version.filter(|found| *found != expected) {
            warnings.push(Warning::OtherProtocolVersion { member: member.clone(), found, expected });
        }
        let reported = one.warnings.iter();
        warnings
            .extend(reported.map(|text| Warning::Reported { member: member.clone(), text: text.clone() }));
    }
    warnings
}

fn of_the_choice(reporting: &Reporting, parameters: &Parameters, chosen: &Candidate) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if chosen.provisional {
        let fencing = chosen.values.fencing();
        let open = |one: &&Sequencing| chosen.covered.contains(&one.member) && !fencing.is_reached_by(one);
        let open = reporting.iter().filter(open).map(|one| one.member.clone()).collect();
        let max_sequencing_time = chosen.values.max_sequencing_time();
        warnings.push(Warning::Provisional { max_sequencing_time, open });
    }
    let (covered, members) = (chosen.covered.len(), reporting.members().len());
    if 3 * covered <= 2 * members {
        warnings.push(Warning::TwoThirds { covered, members });
    }
    if parameters.upgrade_time.is_none() {
        warnings.push(Warning::DefaultUpgradeTime { at: chosen.values.upgrade_time() });
    }
    warnings
}

/// One warning for each announcement, in their own order.
fn announcements(reporting: &Reporting) -> Vec<Warning> {
    let mut by: std::collections::BTreeMap<&Announcement, Vec<MemberName>> = Default::default();
    for one in reporting.iter() {
        if let Some(announcement) = &one.announcement {
            by.entry(announcement).or_default().push(one.member.clone());
        }
    }
    by.into_iter()
        .map(|(announcement, members)| Warning::Announced { members, announcement: announcement.clone() })
        .collect()
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Uncorroborated { members, corroboration } => write!(
                f,
                "uncorroborated: times of {} are more than {} later than enough others confirm. One false clock moves \
                 the fence into the future; ask them, or exclude them",
                listed(members),
                span::print(*corroboration)
            ),
            Warning::Provisional { max_sequencing_time, open } => write!(
                f,
                "provisional: the max sequencing time {max_sequencing_time} is later than everything that was seen, and \
                 {} did not report this fence as reached. Fence the old sequencers, report again, and propose again \
                 with the same max sequencing time",
                listed(open)
            ),
            Warning::TwoThirds { covered, members } => write!(
                f,
                "{covered} of {members} members are not more than two thirds: CometBFT does not run with them alone"
            ),
            Warning::Announced { members, announcement: Announcement { successor, upgrade_time, .. } } => {
                write!(
                    f,
                    "announcement: {} report that the topology announces an upgrade to {successor} at {upgrade_time}. If \
                 that upgrade failed and nothing was sequenced on its successor, use --announced",
                    listed(members)
                )
            }
            Warning::DefaultUpgradeTime { at } => write!(
                f,
                "no upgrade time is given, so that it is the lower bound {at}. A session needs one that leaves time to \
                 transfer the traffic state"
            ),
            Warning::LowerProtocolVersion { old, new } => {
                write!(f, "the new protocol version {new} is lower than the old one, {old}")
            }
            Warning::NoEvidence { members } => {
                write!(f, "no evidence of {}, who can be covered only with evidence", listed(members))
            }
            Warning::OtherProtocolVersion { member, found, expected } => write!(
                f,
                "the evidence of {member} names protocol version {found}, but its physical synchronizer has {expected}"
            ),
            Warning::Reported { member, text } => write!(f, "the evidence of {member} says: {text}"),
        }
    }
}
