//! What a statement says, in one line for people.

use std::fmt;

use super::{Body, ObstacleKind};
use crate::evidence::Evidence;
use crate::time::Tick;

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Open(open) => {
                let margin = open.margin.as_secs();
                write!(f, "migration {}, margin {margin} s: {}", open.migration_id, open.reason)
            }
            Body::Evidence(evidence) => reported(f, evidence),
            Body::Sequencing(seen) => {
                write!(f, "{}: last sequenced {}", seen.physical_synchronizer, seen.last_sequenced)?;
                match seen.topology {
                    Some(times) => write!(f, ", newest topology transaction {}", times.sequenced)?,
                    None => write!(f, ", no topology times")?,
                }
                match seen.fence {
                    Some(fence) if fence.reached => write!(f, ", fence {} reached", fence.at),
                    Some(fence) => write!(f, ", fence {}", fence.at),
                    None => Ok(()),
                }
            }
            Body::Proposal(proposal) => {
                let plan = &proposal.plan;
                write!(f, "round {}: recover to {}", proposal.round, plan.recovery_timestamp())?;
                write!(f, " as migration {}, ", plan.migration_id())?;
                let candidate = &proposal.candidate;
                let [covered, left] = [candidate.covered.len(), candidate.left_behind.len()];
                write!(f, "{covered} members covered, {left} left behind")
            }
            Body::Agreement(agreement) => {
                write!(f, "round {}: agrees to {}", agreement.round, agreement.proposal)?;
                agreement.attested.keys().try_for_each(|round| write!(f, ", moving on from {round}"))
            }
            Body::Rejection(rejection) => {
                let (round, reason) = (rejection.round, &rejection.reason);
                write!(f, "round {round}: rejects {}: {reason}", rejection.proposal)
            }
            Body::Attestation(attestation) => {
                let (round, at) = (attestation.round, attestation.recovery_timestamp);
                let dump = &attestation.dump;
                write!(f, "round {round}: dump of {at}, {} bytes, {}", dump.size, dump.digest)?;
                match &attestation.received {
                    Some(received) => write!(f, ", made of the snapshot of {}", received.from),
                    None => Ok(()),
                }
            }
            Body::Obstacle(obstacle) => {
                let (round, at, text) = (obstacle.round, obstacle.recovery_timestamp, &obstacle.text);
                match obstacle.kind {
                    ObstacleKind::Pruned => write!(f, "round {round}: pruned beyond {at}: {text}"),
                    ObstacleKind::Behind => write!(f, "round {round}: not caught up to {at}: {text}"),
                }
            }
            Body::Abandonment(abandonment) => {
                write!(f, "will never attest round {}: {}", abandonment.round, abandonment.reason)
            }
            Body::Release(release) => {
                write!(f, "takes its attestation of round {} back: {}", release.round, release.reason)
            }
            Body::Milestone(milestone) => {
                write!(f, "done: {}", milestone.name)?;
                if milestone.note.is_empty() { Ok(()) } else { write!(f, " ({})", milestone.note) }
            }
            Body::Readiness(readiness) => {
                let passed = readiness.checks.iter().filter(|check| check.passed).count();
                write!(f, "{passed} of {} checks passed", readiness.checks.len())
            }
            Body::Appointment(appointment) => {
                write!(f, "lets the coordinator with the key {} propose", appointment.coordinator)
            }
            Body::Abort(abort) => write!(f, "ends the session: {}", abort.reason),
            Body::Donation(donation) => {
                let (round, at, party) = (donation.round, donation.recovery_timestamp, &donation.party);
                let snapshot = &donation.snapshot;
                write!(
                    f,
                    "round {round}: offers the snapshot of {party} at {at}, {} bytes, ",
                    snapshot.size
                )?;
                write!(f, "{}", snapshot.digest)
            }
            Body::Confirmation(confirmation) => {
                write!(f, "round {}, after the recovery: ", confirmation.round)?;
                reported(f, &confirmation.evidence)
            }
        }
    }
}

fn reported(f: &mut fmt::Formatter<'_>, evidence: &Evidence) -> fmt::Result {
    let about = || evidence.about.values();
    let newest: Option<Tick> = about().filter_map(|about| about.matches.newest()).max();
    let matches: usize = about().map(|about| about.matches.len()).sum();
    let mismatches: usize = about().map(|about| about.mismatches.len()).sum();
    write!(f, "{matches} matches, {mismatches} mismatches with {} members, ", about().len())?;
    match newest {
        Some(tick) => write!(f, "newest match {tick}"),
        None => write!(f, "no match"),
    }
}
