//! Proposals: making the next one, and computing one again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Session, UnknownPlan};
use crate::digest::Digest;
use crate::evidence::Evidence;
use crate::names::MemberName;
use crate::plan::dump::{Outcome, Parameters, ProposalError, RULE_VERSION, Shortfall, propose};
use crate::statement::{Body, CandidateSummary, Plan, Proposal};
use crate::time::Timestamp;

/// Why there is no proposal to sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProposable {
    /// The rule refuses its input.
    #[error(transparent)]
    Rule(#[from] ProposalError),
    /// Only a newer version knows the session's plan.
    #[error(transparent)]
    UnknownPlan(#[from] UnknownPlan),
    /// No candidate reaches the threshold.
    #[error("no candidate reaches the threshold")]
    NoChoice(#[source] Box<Shortfall>),
    /// The session has had as many rounds as there can be.
    #[error("the session has had {0} rounds, the most that a session can have\nhelp: open another session")]
    TooManyRounds(u32),
}

/// Why a proposal does not follow from the evidence it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// Evidence that it names is not here.
    #[error(
        "{} of the evidences that the proposal was computed from have not arrived{}\n\
         help: wait for the evidence, or use another coordinator",
        missing.len(),
        missing.first().map_or(String::new(), |first| format!(", the first is {first}"))
    )]
    Missing {
        /// Their digests.
        missing: BTreeSet<Digest>,
    },
    /// Only a newer version knows the session's plan.
    #[error(transparent)]
    UnknownPlan(#[from] UnknownPlan),
    /// It names a statement of another kind.
    #[error("the proposal names {digest} as evidence, which is of kind {kind}\nhelp: reject the proposal")]
    NotEvidence {
        /// The statement.
        digest: Digest,
        /// Its kind.
        kind: &'static str,
    },
    /// It is computed from evidence that its signer contradicted.
    #[error(
        "the proposal was computed from evidence of {member}, who signed another evidence with the same sequence \
         number\nhelp: reject the proposal and have a convener propose again without {member}"
    )]
    Contradicted {
        /// Who.
        member: MemberName,
    },
    /// It was computed by another version of the rule.
    #[error(
        "the proposal was computed by version {found} of the rule, but this is version {expected}\n\
         help: use the same version of svdr everywhere"
    )]
    OtherRule {
        /// This version's.
        expected: u32,
        /// The proposal's.
        found: u32,
    },
    /// The rule refuses its input.
    #[error("the proposal's parameters or evidence are refused\nhelp: reject the proposal")]
    Rule(#[source] Box<ProposalError>),
    /// The rule chooses nothing.
    #[error("no candidate follows from the proposal's evidence and parameters\nhelp: reject the proposal")]
    NoChoice(#[source] Box<Shortfall>),
    /// The rule chooses something else.
    #[error("{0}\nhelp: reject the proposal")]
    Differs(Difference),
}

/// Results of the rule, by the evidence and the parameters that they were computed from; they depend on nothing else.
/// The same proposal is needed again whenever anything arrives, and hostile evidence may take the rule a minute. Clones
/// share the results.
#[derive(Clone, Debug, Default)]
pub(super) struct Computed(Arc<Mutex<BTreeMap<BTreeSet<Digest>, Vec<Known>>>>);

/// Sets of evidence whose results are kept: far more than a session has in good faith, and some megabytes.
const KEPT_RESULTS: usize = 4096;

type Known = (Parameters, Result<Outcome, ProposalError>);

impl Computed {
    fn get(&self, proposal: &Proposal) -> Option<Result<Outcome, ProposalError>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_evidence = known.get(&proposal.evidence)?.iter();
        of_evidence
            .find(|(parameters, _)| *parameters == proposal.parameters)
            .map(|(_, result)| result.clone())
    }

    fn keep(&self, proposal: &Proposal, result: Result<Outcome, ProposalError>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_RESULTS {
            known.clear();
        }
        known.entry(proposal.evidence.clone()).or_default().push((proposal.parameters.clone(), result));
    }
}

/// What a proposal says, and what it should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What about.
    pub what: &'static str,
    /// What the proposal says.
    pub proposed: String,
    /// What follows from its evidence.
    pub computed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, proposed, computed } = self;
        write!(f, "the proposal's {what} is {proposed}, but {computed} follows from its evidence")
    }
}

impl Session {
    /// The default parameters of this session: its margin, the roster's threshold.
    pub fn parameters(&self) -> Parameters {
        Parameters { margin: self.opening.margin, ..Parameters::new(&self.roster) }
    }

    /// The proposal for the next round, from the evidence that counts now.
    ///
    /// # Errors
    /// [`NotProposable`] if the rule refuses or chooses nothing.
    pub fn next_proposal(&self, parameters: &Parameters) -> Result<Proposal, NotProposable> {
        if let Some(unknown) = self.unknown_plan() {
            return Err(unknown.into());
        }
        let counted = self.evidence();
        let evidence = counted.values().filter_map(|one| match one.body() {
            Body::Evidence(evidence) => Some(evidence),
            _ => None,
        });
        let outcome = propose(&self.roster, evidence, parameters)?;
        let chosen = match (outcome.chosen(), &outcome.choice) {
            (Some(chosen), _) => chosen,
            (None, crate::plan::dump::Choice::NotPossible(shortfall)) => {
                return Err(NotProposable::NoChoice(Box::new(shortfall.clone())));
            }
            (None, crate::plan::dump::Choice::Candidate(_)) => {
                return Err(NotProposable::TooManyRounds(self.latest_round()));
            }
        };
        let round = self.latest_round() + 1;
        if round > crate::statement::MAX_ROUND {
            return Err(NotProposable::TooManyRounds(self.latest_round()));
        }
        Ok(Proposal {
            round,
            plan: self.plan(chosen.recovery_timestamp),
            candidate: CandidateSummary::from(chosen),
            parameters: parameters.clone(),
            evidence: counted.values().map(|one| one.digest()).collect(),
            rule: RULE_VERSION,
            appointment: None,
        })
    }

    fn plan(&self, recovery_timestamp: Timestamp) -> Plan {
        Plan::Dump { recovery_timestamp, migration_id: self.opening.migration_id }
    }

    /// Computes a proposal again from the evidence it names, and compares. The outcome is what its round's
    /// candidates were.
    ///
    /// # Errors
    /// [`Unconfirmed`] if it does not follow; [`Unconfirmed::Missing`] if that cannot be said yet.
    pub fn recompute(&self, proposal: &Proposal) -> Result<Outcome, Unconfirmed> {
        if let Some(unknown) = self.unknown_plan() {
            return Err(unknown.into());
        }
        let [expected, found] = [RULE_VERSION, proposal.rule];
        if expected != found {
            return Err(Unconfirmed::OtherRule { expected, found });
        }
        let evidence = self.evidence_of(proposal)?;
        let computed = self.computed.get(proposal).unwrap_or_else(|| {
            let result = propose(&self.roster, evidence.into_values(), &proposal.parameters);
            self.computed.keep(proposal, result.clone());
            result
        });
        let outcome = computed.map_err(|source| Unconfirmed::Rule(Box::new(source)))?;
        if let crate::plan::dump::Choice::NotPossible(shortfall) = &outcome.choice {
            return Err(Unconfirmed::NoChoice(Box::new(shortfall.clone())));
        }
        if let Some(chosen) = outcome.chosen() {
            let candidate = CandidateSummary::from(chosen);
            let plan = self.plan(chosen.recovery_timestamp);
            if let Some(difference) = difference(proposal, &plan, &candidate) {
                return Err(Unconfirmed::Differs(difference));
            }
        }
        Ok(outcome)
    }

    fn evidence_of(&self, proposal: &Proposal) -> Result<BTreeMap<Digest, &Evidence>, Unconfirmed> {
        let (mut evidence, mut missing) = (BTreeMap::new(), BTreeSet::new());
        for digest in &proposal.evidence {
            let Some(one) = self.statement(digest) else {
                missing.insert(*digest);
                continue;
            };
            let Body::Evidence(content) = one.body() else {
                return Err(Unconfirmed::NotEvidence { digest: *digest, kind: one.body().kind() });
            };
            if self.contradicted(one) {
                return Err(Unconfirmed::Contradicted { member: one.signer().clone() });
            }
            evidence.insert(*digest, content);
        }
        if missing.is_empty() { Ok(evidence) } else { Err(Unconfirmed::Missing { missing }) }
    }
}

/// The first thing in which a proposal differs from what follows.
fn difference(proposal: &Proposal, plan: &Plan, candidate: &CandidateSummary) -> Option<Difference> {
    let names = |names: &BTreeSet<MemberName>| {
        let names: Vec<&str> = names.iter().map(MemberName::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let [proposed, computed] = [&proposal.candidate, candidate];
    let pairs = [
        (
            "recovery timestamp",
            proposal.plan.recovery_timestamp().to_string(),
            plan.recovery_timestamp().to_string(),
        ),
        ("migration id", proposal.plan.migration_id().to_string(), plan.migration_id().to_string()),
        ("tick", proposed.tick.to_string(), computed.tick.to_string()),
        ("coverage", names(&proposed.covered), names(&computed.covered)),
        ("list of members left behind", names(&proposed.left_behind), names(&computed.left_behind)),
        (
            "history lost in seconds",
            proposed.history_lost_seconds.to_string(),
            computed.history_lost_seconds.to_string(),
        ),
        ("bracketing", proposed.bracketed.to_string(), computed.bracketed.to_string()),
    ];
    pairs
        .into_iter()
        .find(|(_, proposed, computed)| proposed != computed)
        .map(|(what, proposed, computed)| Difference { what, proposed, computed })
}
