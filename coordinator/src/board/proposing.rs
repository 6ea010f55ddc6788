//! The coordinator's own proposals, computed beside the board.
//!
//! The rule may take a minute on hostile evidence. So it runs on a blocking thread, over a copy of the session, and the
//! board continues. A session has one computation at a time, and none is repeated on the same evidence.
//!
//! The coordinator proposes only in sessions whose opening lists its key, or lists none, or in which a convener appointed
//! it. Everybody refuses any other proposal of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::failure::Told;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::{Mandate, NotProposable, Session};
use svdr_protocol::statement::{Body, Header, Proposal, SessionId, Statement};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::sessions::Sessions;
use crate::incoming::Incoming;
use crate::proposer::{ProposeWhen, decide, threshold_reported};
use crate::version::SOFTWARE;

/// The name that the coordinator signs with; made longer if a member has it.
const OWN_NAME: &str = "coordinator";

/// The result of a computation.
pub(super) struct Proposed {
    session: SessionId,
    drill: bool,
    result: Result<Proposal, NotProposable>,
}

pub(super) struct Proposing {
    roster: Arc<Roster>,
    key: Arc<SigningKey>,
    name: Option<MemberName>,
    grace: Duration,
    running: JoinSet<Proposed>,
}

impl Proposing {
    pub(super) fn new(roster: Arc<Roster>, key: Arc<SigningKey>, grace: Duration) -> Proposing {
        let name = own_name(&roster);
        Proposing { roster, key, name, grace, running: JoinSet::new() }
    }

    /// Starts the computations that are due.
    pub(super) fn look(&mut self, sessions: &mut Sessions) {
        let now = Instant::now();
        for id in sessions.ids() {
            let Some(slot) = sessions.slot_mut(id).filter(|slot| slot.durable() > 0) else { continue };
            if slot.reached.is_none() && threshold_reported(&slot.session) {
                slot.reached = Some(now);
            }
            let reached = slot.reached.map(|at| now.saturating_duration_since(at));
            if decide(&slot.session, reached, self.grace) != ProposeWhen::Propose {
                continue;
            }
            let key = PublicKey::from(self.key.verifying_key());
            let Some(mandate) = slot.session.mandate(&key) else {
                if !std::mem::replace(&mut slot.is_without_mandate, true) {
                    tracing::warn!(
                        target: "svdr", session = %id,
                        "this coordinator does not propose: the opening does not list its key {key}. A convener can \
                         run `svdr-coordinator session appoint {id} --coordinator {key}`"
                    );
                }
                continue;
            };
            let appointment = match mandate {
                Mandate::Anybody | Mandate::Listed(_) => None,
                Mandate::Appointed(one) => Some(Box::new(one.envelope().clone())),
            };
            let evidence: BTreeSet<_> = slot.session.evidence().values().map(|one| one.digest()).collect();
            if slot.tried.as_ref() != Some(&evidence) {
                slot.tried = Some(evidence);
                self.start(slot.session.clone(), appointment);
            }
        }
    }

    fn start(&mut self, session: Session, appointment: Option<Box<Envelope>>) {
        self.running.spawn_blocking(move || Proposed {
            session: session.id(),
            drill: session.drill(),
            result: session
                .next_proposal(&session.parameters())
                .map(|proposal| Proposal { appointment, ..proposal }),
        });
    }

    /// The next computation that ends; none if none runs.
    pub(super) async fn next(&mut self) -> Option<Proposed> {
        match self.running.join_next().await? {
            Ok(proposed) => Some(proposed),
            Err(error) => {
                tracing::error!(target: "svdr", %error, "a proposal could not be computed. A convener must \
                    propose");
                None
            }
        }
    }

    /// Signs what was computed.
    pub(super) fn sign(&self, proposed: Proposed) -> Option<Incoming> {
        let Proposed { session, drill, result } = proposed;
        let proposal = match result {
            Ok(proposal) => proposal,
            Err(error) => {
                let reason = Told::of(&error).in_one_line();
                tracing::warn!(target: "svdr", %session, reason, "no proposal is possible");
                return None;
            }
        };
        let header = Header {
            session: Some(session),
            roster: self.roster.fingerprint(),
            drill,
            signer: self.name.clone()?,
            sequence: u64::from(proposal.round),
            software: SOFTWARE.to_owned(),
        };
        let signed = Statement { header, body: Body::Proposal(proposal) }.sign(&self.key);
        match signed.map(|envelope| Incoming::read(envelope, &self.roster)) {
            Ok(Ok(incoming)) => Some(incoming),
            Ok(Err(refusal)) => {
                let refusal = Told::of(&refusal).in_one_line();
                tracing::error!(target: "svdr", %session, refusal, "the coordinator's own proposal is refused");
                None
            }
            Err(error) => {
                let error = Told::of(&error).in_one_line();
                tracing::error!(target: "svdr", %session, error, "the proposal cannot be signed");
                None
            }
        }
    }
}

/// A name that no member has; none only if members have taken a hundred of them.
fn own_name(roster: &Roster) -> Option<MemberName> {
    let mut names = (1..100).map(|n| if n == 1 { OWN_NAME.to_owned() } else { format!("{OWN_NAME}-{n}") });
    names.find_map(|name| name.parse().ok().filter(|name| roster.member(name).is_none()))
}
