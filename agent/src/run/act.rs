//! The driver's hands: each vote is decided once more under the store's lock, signed, flushed, and left to the courier.

use std::sync::Arc;

use svdr_protocol::digest::Digest;
use svdr_protocol::evidence::Evidence;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, MAX_REASON_LEN, Milestone, Obstacle, ObstacleKind};
use svdr_protocol::text::shortened;
use svdr_protocol::vote::{Decision, Record, Voter};
use tokio::time::Instant;

use super::decide::refused;
use super::jobs::{self, JobError};
use super::{Driver, FIRST_PROGRESS, RunError, WantedDump};
use crate::replica::Replica;
use crate::sources::app::Class;
use crate::sources::fetch::FetchError;

/// The milestone under which a dump's progress is shown to the others.
const DUMP_MILESTONE: &str = "dump";

impl Driver {
    /// Decides with all that this agent knows, under the lock, and signs what comes of it. Returns whether
    /// something was signed.
    fn sign(
        &mut self,
        decide: impl FnOnce(&Voter<'_>, &Session, &Record) -> Option<Body>,
    ) -> Result<bool, RunError> {
        let locked = self.store.lock()?;
        // What another process has signed since binds as well.
        self.view.refresh(&self.store)?;
        let record = self.store.record(&self.settings.roster)?;
        let others: Vec<&Session> = self.others.iter().map(Replica::session).collect();
        let session = self.view.session();
        let voter = Voter::new(&self.settings.signer.member, &record, session, &others);
        let Some(body) = decide(&voter, session, &record) else { return Ok(false) };
        let (kind, text) = (body.kind(), body.to_string());
        let envelope = locked.sign(&self.settings.signer, session, body)?;
        drop(locked);
        tracing::info!("signed {kind}: {text} ({})", envelope.digest());
        self.view.refresh(&self.store)?;
        self.is_new = true;
        // A full channel has a nudge in it already; a closed one is noticed where events are taken.
        let _ = self.nudges.try_send(());
        Ok(true)
    }

    pub(super) fn report(&mut self) {
        let Some(order) = self.settings.evidence.clone() else { return };
        if self.logs.is_ready(()) {
            tracing::info!("reading the evidence");
            let (roster, me) = (Arc::clone(&self.settings.roster), self.settings.signer.member.clone());
            self.logs.start((), jobs::read_evidence(order, roster, me));
        }
    }

    pub(super) fn sign_evidence(&mut self, evidence: Evidence) -> Result<(), RunError> {
        let me = self.settings.signer.member.clone();
        self.sign(|_, session, _| {
            let mut own = session.statements().filter(|one| one.by_member() && *one.signer() == me);
            // One is enough; a new one is the operator's to give.
            let reported = own.any(|one| matches!(one.body(), Body::Evidence(_)));
            (!reported).then_some(Body::Evidence(evidence))
        })?;
        Ok(())
    }

    pub(super) fn abandon(&mut self, round: u32) -> Result<(), RunError> {
        let reason = "this member has agreed to a higher round";
        self.sign(|voter, _, _| match voter.abandon(round, reason) {
            Decision::Sign(abandonment) => Some(Body::Abandonment(abandonment)),
            Decision::Signed(_) | Decision::Wait(_) | Decision::Refuse(_) => None,
        })?;
        Ok(())
    }

    pub(super) fn agree(&mut self, proposal: &Digest) -> Result<(), RunError> {
        self.sign(|voter, _, _| match voter.agree(proposal) {
            Decision::Sign(agreement) => Some(Body::Agreement(agreement)),
            Decision::Refuse(refusal) => {
                tracing::warn!("not agreed: {}", refused(&refusal));
                None
            }
            Decision::Signed(_) | Decision::Wait(_) => None,
        })?;
        Ok(())
    }

    /// Makes the dump, or attests it where it is made.
    pub(super) fn dump(&mut self, wanted: WantedDump) -> Result<(), RunError> {
        if let Some(record) = self.made.as_ref().filter(|made| made.proposal == wanted.proposal) {
            let dump = record.to_vote();
            self.sign(|voter, _, _| match voter.attest(wanted.round, &dump) {
                Decision::Sign(attestation) => Some(Body::Attestation(attestation)),
                Decision::Refuse(refusal) => {
                    tracing::warn!("not attested: {}", refused(&refusal));
                    None
                }
                Decision::Signed(_) | Decision::Wait(_) => None,
            })?;
            return Ok(());
        }
        if !self.dump.is_ready(wanted) {
            return Ok(());
        }
        tracing::info!(
            "making the dump of {} for migration {}, as round {} has it",
            wanted.recovery_timestamp,
            wanted.migration_id,
            wanted.round
        );
        let received = Arc::clone(&self.received);
        let order = self.settings.dump.clone();
        self.dump.start(wanted, jobs::make_dump(wanted, order, self.store.clone(), self.id(), received));
        self.next_progress = Some((Instant::now() + FIRST_PROGRESS, FIRST_PROGRESS));
        Ok(())
    }

    /// Shows the others how far the dump is.
    pub(super) fn mark(&mut self, note: &str) -> Result<(), RunError> {
        let milestone = Milestone { name: DUMP_MILESTONE.to_owned(), note: note.to_owned() };
        self.sign(|_, _, _| Some(Body::Milestone(milestone)))?;
        Ok(())
    }

    /// Tells why there is no dump; what the SV app itself says about the timestamp is signed for the others.
    pub(super) fn not_dumped(&mut self, wanted: WantedDump, error: &JobError) -> Result<(), RunError> {
        tracing::warn!("there is no dump of round {} yet: {}", wanted.round, in_one_line(error));
        let JobError::Fetch(failed) = error else { return Ok(()) };
        let Some(kind) = obstacle(failed) else { return Ok(()) };
        let text = shortened(&in_one_line(error), MAX_REASON_LEN);
        let me = self.settings.signer.member.clone();
        self.sign(|_, session, _| {
            let mut known = session.obstacles(wanted.round).filter(|(member, _)| **member == me);
            let is_known = known.any(|(_, obstacle)| obstacle.kind == kind);
            let recovery_timestamp = wanted.recovery_timestamp;
            (!is_known).then_some(Body::Obstacle(Obstacle {
                round: wanted.round,
                kind,
                recovery_timestamp,
                text,
            }))
        })?;
        self.operator_log.bounds(self.view.session());
        Ok(())
    }

    pub(super) fn keep_certificate(&mut self) -> Result<(), RunError> {
        if let Some(certificate) = self.view.session().completion_certificate() {
            self.store.lock()?.keep_certificate(&certificate)?;
        }
        Ok(())
    }
}

/// What the SV app says about the timestamp, where that is what failed.
fn obstacle(failed: &FetchError) -> Option<ObstacleKind> {
    match failed {
        FetchError::SvApp(failure) => match failure.class() {
            Class::Pruned => Some(ObstacleKind::Pruned),
            Class::Behind => Some(ObstacleKind::Behind),
            Class::Unauthorized | Class::Retry | Class::Hopeless => None,
        },
        FetchError::GaveUp { source, .. } => obstacle(source),
        _ => None,
    }
}
