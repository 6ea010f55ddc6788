//! What to do next, from what is known: the driver's rule, without its hands.
//!
//! Whether something may be signed is for [`Voter`] to say; here it is decided what this agent wants to sign at all,
//! and what has to be made before. Nothing is remembered: the same situation gives the same steps, so that a restart
//! takes up the work where it was.
//!
//! * Evidence is reported once; agreements follow the operator's policy; only the latest round is worked on, or the
//!   one that is completed. A dump of a round that a higher one supersedes is given up: its attestation could only
//!   lock what the others are leaving.
//! * An agreement is signed automatically only once everybody has reported, or the grace period is over: whoever proposes
//!   early must not leave behind an SV that was about to report.
//! * A proposal that this member has rejected, or whose round it has abandoned, is not asked for again.

use std::fmt;

use svdr_protocol::digest::Digest;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Body, Plan, Proposal};
use svdr_protocol::time::Timestamp;
use svdr_protocol::vote::{Decision, VoteRefusal, Voter};

use crate::config::Approval;

/// All that a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// This member.
    pub me: &'a MemberName,
    /// The session as it is known.
    pub session: &'a Session,
    /// What may be signed.
    pub voter: Voter<'a>,
    /// Who decides on proposals.
    pub approval: Approval,
    /// Whether members that have not reported were waited for as long as configured.
    pub grace_is_over: bool,
    /// The migration id of the configuration.
    pub migration_id: u64,
    /// Whether there are logs to report from.
    pub has_logs: bool,
}

/// A dump that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedDump {
    /// The round.
    pub round: u32,
    /// Digest of the proposal agreed to.
    pub proposal: Digest,
    /// The time that it is to be of.
    pub recovery_timestamp: Timestamp,
    /// The id of the new migration.
    pub migration_id: u64,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the logs, and sign what they say.
    Report,
    /// Sign that a round, abandoned by an agreement, is abandoned.
    Abandon {
        /// The round.
        round: u32,
    },
    /// Sign an agreement, as the configuration says.
    Agree {
        /// Digest of the proposal.
        proposal: Digest,
    },
    /// Ask the operator about a proposal.
    Ask {
        /// The round.
        round: u32,
        /// Digest of the proposal.
        proposal: Digest,
        /// Why the agent does not decide it.
        reason: AskReason,
    },
    /// Make this dump, and attest it once it is there.
    Dump(WantedDump),
    /// Keep the completion certificate: it binds from now on.
    KeepCertificate,
    /// Nothing more is to be done in the session.
    End(End),
    /// Tell the operator what is being waited for, or why nothing can be signed.
    Tell(String),
    /// Warn the operator of a proposal that does not follow from the evidence.
    Warn(String),
}

/// Why the operator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskReason {
    /// The configuration wants it so.
    Configured,
    /// The proposal leaves this SV behind.
    LeftBehind,
    /// The proposal's migration id is not the configured one.
    OtherMigrationId {
        /// The proposal's.
        proposed: u64,
        /// The configured one.
        configured: u64,
    },
}

impl fmt::Display for AskReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskReason::Configured => write!(f, "approval = \"operator\""),
            AskReason::LeftBehind => write!(f, "it leaves this SV behind"),
            AskReason::OtherMigrationId { proposed, configured } => {
                write!(
                    f,
                    "its migration id is {proposed}, but sv_app.migration_id is {configured}: correct one of them first"
                )
            }
        }
    }
}

/// How a session ends for this agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its round is completed, and this member attested it: with this statement, which has to have left.
    Attested {
        /// The round.
        round: u32,
        /// Digest of the attestation.
        attestation: Digest,
    },
    /// A round is completed, and this member has no dump of its own to attest in it: it is left behind, has refused or
    /// abandoned the round, or cannot confirm it.
    CompletedWithout {
        /// The round.
        round: u32,
    },
    /// A convener ended it.
    Aborted,
}

impl Situation<'_> {
    /// What to do now, in this order.
    pub fn steps(&self) -> Vec<Action> {
        let mut steps = Vec::new();
        let phase = self.session.phase();
        if let Some(unknown) = self.session.unknown_plan().filter(|_| phase != Phase::Aborted) {
            // It keeps what the others say and hands it on; who has a newer version acts on it.
            return vec![Action::Tell(in_one_line(&unknown))];
        }
        match phase {
            Phase::Aborted => return vec![Action::End(End::Aborted)],
            Phase::Completed(round) | Phase::Verified(round) => {
                steps.push(Action::KeepCertificate);
                steps.push(self.completed(round));
            }
            Phase::Gathering => steps.extend(self.report()),
            Phase::Proposed(round) | Phase::Agreed(round) | Phase::Recovering(round) => {
                steps.extend(self.report());
                steps.extend(self.voter.owed().into_iter().map(|round| Action::Abandon { round }));
                steps.extend(self.vote(round));
                steps.extend(self.dump(round));
            }
        }
        steps
    }

    fn report(&self) -> Option<Action> {
        let reported = self
            .session
            .statements()
            .any(|one| one.by_member() && one.signer() == self.me && matches!(one.body(), Body::Evidence(_)));
        (self.has_logs && !reported).then_some(Action::Report)
    }

    fn completed(&self, round: u32) -> Action {
        match self.voter.dump(round) {
            Decision::Signed(attestation) => Action::End(End::Attested { round, attestation }),
            Decision::Sign(plan) => match self.wanted(round, plan) {
                Some(wanted) => Action::Dump(wanted),
                None => Action::End(End::CompletedWithout { round }),
            },
            Decision::Wait(wait) => Action::Tell(in_one_line(&wait)),
            Decision::Refuse(_) => self.follow(round).unwrap_or(Action::End(End::CompletedWithout { round })),
        }
    }

    /// To agree to a round that the others have completed, where its plan counts on this member's dump: a slow SV
    /// imports one like everybody else.
    fn follow(&self, round: u32) -> Option<Action> {
        let proposal = self.session.agreement_certificate(round)?.proposal().digest();
        let Some(Body::Proposal(body)) = self.session.statement(&proposal).map(|one| one.body()) else {
            return None;
        };
        let is_wanted = body.candidate.covered.contains(self.me)
            && !self.session.rejections(round, &proposal).contains_key(self.me)
            && !self.session.abandonments(round).contains_key(self.me);
        match self.voter.agree(&proposal) {
            Decision::Sign(_) if is_wanted => Some(match self.ask_about(body) {
                None => Action::Agree { proposal },
                Some(reason) => Action::Ask { round, proposal, reason },
            }),
            _ => None,
        }
    }

    /// About the proposals of the latest round.
    fn vote(&self, round: u32) -> Vec<Action> {
        let withdrawn = self.session.abandonments(round).contains_key(self.me);
        let mut open = None;
        let (mut obstacles, mut steps) = (Vec::new(), Vec::new());
        for one in self.session.proposals(round) {
            let Body::Proposal(proposal) = one.body() else { continue };
            let digest = one.digest();
            match self.voter.agree(&digest) {
                Decision::Signed(_) => return steps,
                Decision::Sign(_) if self.session.rejections(round, &digest).contains_key(self.me) => {}
                Decision::Sign(_) => {
                    open = Some((digest, proposal));
                    break;
                }
                Decision::Wait(wait) => obstacles.push(Action::Tell(in_one_line(&wait))),
                Decision::Refuse(refusal @ VoteRefusal::Unconfirmed(_)) => {
                    let (by, why) = (one.signer(), refused(&refusal));
                    steps.push(Action::Warn(format!(
                        "the proposal {digest} of round {round}, signed by {by}, is not confirmed by the evidence: {why}"
                    )));
                }
                Decision::Refuse(refusal) => obstacles.push(Action::Tell(refused(&refusal))),
            }
        }
        match open {
            _ if withdrawn => {}
            Some((digest, proposal)) => {
                steps.push(match (self.ask_about(proposal), self.waits_for()) {
                    (Some(reason), _) => Action::Ask { round, proposal: digest, reason },
                    (None, silent) if silent.is_empty() => Action::Agree { proposal: digest },
                    (None, silent) => Action::Tell(format!(
                        "automatic approval waits for the evidence of {}, until the grace period is over",
                        silent.join(", ")
                    )),
                });
            }
            None => steps.extend(obstacles),
        }
        steps
    }

    /// The members that have not reported, and that automatic approval still waits for.
    fn waits_for(&self) -> Vec<&str> {
        if self.grace_is_over {
            return Vec::new();
        }
        let evidence = self.session.evidence();
        let members = self.session.roster().members().iter().map(|member| &member.name);
        members.filter(|name| !evidence.contains_key(*name)).map(MemberName::as_str).collect()
    }

    fn ask_about(&self, proposal: &Proposal) -> Option<AskReason> {
        let (proposed, configured) = (proposal.plan.migration_id(), self.migration_id);
        if proposed != configured {
            Some(AskReason::OtherMigrationId { proposed, configured })
        } else if self.approval == Approval::Operator {
            Some(AskReason::Configured)
        } else if !proposal.candidate.covered.contains(self.me) {
            Some(AskReason::LeftBehind)
        } else {
            None
        }
    }

    fn wanted(&self, round: u32, plan: Plan) -> Option<WantedDump> {
        let certificate = self.session.agreement_certificate(round)?;
        Some(WantedDump {
            round,
            proposal: certificate.proposal().digest(),
            recovery_timestamp: plan.recovery_timestamp(),
            migration_id: plan.migration_id(),
        })
    }

    fn dump(&self, round: u32) -> Option<Action> {
        match self.voter.dump(round) {
            Decision::Sign(plan) => self.wanted(round, plan).map(Action::Dump),
            // Only who has agreed waits for the others.
            Decision::Wait(wait) => Some(Action::Tell(in_one_line(&wait))),
            Decision::Signed(_) | Decision::Refuse(_) => None,
        }
    }
}

/// A refusal with its cause, on one line.
pub(super) fn refused(refusal: &svdr_protocol::vote::VoteRefusal) -> String {
    in_one_line(refusal)
}

#[cfg(test)]
mod tests;
