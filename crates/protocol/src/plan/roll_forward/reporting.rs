//! Whose evidence counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::RollForwardError;
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::roster::Roster;
use crate::sequencing::Sequencing;
use crate::time::Timestamp;

/// The checked evidence of one session, and which members report. Only [`Reporting::new`] makes it.
pub(super) struct Reporting<'a> {
    roster: &'a Roster,
    old: PhysicalSynchronizerId,
    excluded: BTreeSet<MemberName>,
    /// Everybody's, in byte order of names.
    evidence: BTreeMap<&'a MemberName, &'a Sequencing>,
}

/// Whether a member reports.
pub(super) enum Standing<'a> {
    /// Its evidence counts.
    Reports(&'a Sequencing),
    /// The parameters exclude it.
    Excluded,
    /// It has no evidence.
    Silent,
    /// Its evidence is of another physical synchronizer.
    Elsewhere(&'a PhysicalSynchronizerId),
}

/// A time that a reporting member names.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) member: &'a MemberName,
    pub(super) field: &'static str,
    pub(super) at: Timestamp,
}

impl<'a> Reporting<'a> {
    pub(super) fn new(
        roster: &'a Roster,
        evidence: impl IntoIterator<Item = &'a Sequencing>,
        old: &PhysicalSynchronizerId,
        excluded: &BTreeSet<MemberName>,
    ) -> Result<Reporting<'a>, RollForwardError> {
        let old = old.completed(roster.synchronizer());
        if !old.is_of(roster.synchronizer()) {
            let expected = roster.synchronizer().to_string();
            return Err(RollForwardError::OtherSynchronizer { found: old, expected });
        }
        if let Some(name) = excluded.iter().find(|name| roster.member(name).is_none()) {
            let members = roster.members().iter().map(|member| member.name.clone()).collect();
            return Err(RollForwardError::NotAMember { name: name.clone(), members });
        }
        // Sorted, so that the error does not depend on the order of arrival either.
        let mut all: Vec<&Sequencing> = evidence.into_iter().collect();
        all.sort_by_key(|one| &one.member);
        let mut evidence = BTreeMap::new();
        for one in all {
            one.check(roster)?;
            if evidence.insert(&one.member, one).is_some() {
                return Err(RollForwardError::TwoEvidences { member: one.member.clone() });
            }
        }
        Ok(Reporting { roster, old, excluded: excluded.clone(), evidence })
    }

    pub(super) const fn roster(&self) -> &'a Roster {
        self.roster
    }

    /// The old physical synchronizer, in full.
    pub(super) const fn old(&self) -> &PhysicalSynchronizerId {
        &self.old
    }

    pub(super) fn standing(&self, member: &MemberName) -> Standing<'a> {
        match self.evidence.get(member) {
            _ if self.excluded.contains(member) => Standing::Excluded,
            None => Standing::Silent,
            Some(one) if one.physical_synchronizer != self.old => {
                Standing::Elsewhere(&one.physical_synchronizer)
            }
            Some(one) => Standing::Reports(one),
        }
    }

    /// The evidence that counts, in byte order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Sequencing> {
        self.evidence.keys().filter_map(|member| match self.standing(member) {
            Standing::Reports(one) => Some(one),
            _ => None,
        })
    }

    /// All members of the roster, in byte order of names.
    pub(super) fn members(&self) -> BTreeSet<&'a MemberName> {
        self.roster.members().iter().map(|member| &member.name).collect()
    }

    /// The largest `last_sequenced` or `participant_record_time`.
    pub(super) fn newest(&self) -> Option<Seen<'a>> {
        let seen = self.iter().flat_map(|one| {
            let last = Some(Seen { member: &one.member, field: "last_sequenced", at: one.last_sequenced });
            let record = one.participant_record_time;
            let record = record.map(|at| Seen { member: &one.member, field: "participant_record_time", at });
            last.into_iter().chain(record)
        });
        seen.max_by_key(|seen| seen.at)
    }

    /// The largest `topology_effective`.
    pub(super) fn newest_effective(&self) -> Option<Seen<'a>> {
        let seen = self.iter().filter_map(|one| {
            let at = one.topology?.effective;
            Some(Seen { member: &one.member, field: "topology_effective", at })
        });
        seen.max_by_key(|seen| seen.at)
    }

    /// Members with a time that is more than `corroboration` later than what f + 1 members have sequenced.
    pub(super) fn uncorroborated(&self, corroboration: Duration) -> Vec<MemberName> {
        let faulty = self.roster.members().len().saturating_sub(1) / 3;
        let mut last: Vec<Timestamp> = self.iter().map(|one| one.last_sequenced).collect();
        last.sort();
        // The (f + 1)-th largest, or the smallest if fewer report.
        let Some(&reference) = last.iter().rev().nth(faulty).or(last.first()) else { return Vec::new() };
        // A limit after the year 9999 is one that no time exceeds.
        let limit = reference.checked_add(corroboration).unwrap_or(Timestamp::MAX);
        let ahead = |one: &&Sequencing| {
            let effective = one.topology.map(|times| times.effective);
            let times = [Some(one.last_sequenced), one.participant_record_time, effective];
            times.into_iter().flatten().any(|at| at > limit)
        };
        self.iter().filter(ahead).map(|one| one.member.clone()).collect()
    }
}
