//! A recovery session: its state is a function of the *set* of its statements.
//!
//! The same set gives the same state, whatever the order in which statements arrive, through which coordinators and how
//! often. So a coordinator can be replaced by an empty one, and transcripts can be merged. [`Session::insert`] only adds
//! to sets; every answer is computed from them when it is needed.
//!
//! * A statement belongs here if it names this session and agrees with its opening on roster and drill.
//! * If a member replaces its evidence, the highest sequence number counts. One that is signed twice with
//!   different content counts for nothing, nor does what the member signed before it.
//! * What an equivocator says does not count in the rounds of its contradiction, with one exception: enough
//!   attestations, an equivocator's included, [settle](Session::settled) a round, so that nobody moves on from a round
//!   that somebody may have acted on.
//! * An attestation counts if it is of the agreed proposal and its signer agreed, until it is released.
//! * Rounds follow each other without gaps: a proposal for a round counts once there is one for each before it.
//! * A coordinator's own proposal, which no member signed, is valid only under a key that the opening lists or that a
//!   convener appointed. The proposal is of the first round and has the session's own parameters.
//!   Only a convener decides whom to exclude, how much history to lose, and when to give up a round. Otherwise any member
//!   could steer the others with a key that nobody knows.
//! * A completion certificate wins over an abort, whichever came first.
//! * What a newer version says counts for nothing, and changes no answer but how many such statements there are. In a
//!   session whose plan only a newer version knows, nothing counts but an abort.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::digest::Digest;
use crate::equivocation::{Contradiction, Contradictions, Equivocation};
use crate::keys::PublicKey;
use crate::names::MemberName;
use crate::roster::Roster;
use crate::statement::{
    AnyStatement, Body, Header, Open, PlanKind, Proposal, RoundOf, SessionId, StatementError, Unknown,
    Verified,
};

mod certify;
mod received;
mod recompute;
mod restored;
mod round;

pub use certify::Phase;
pub use received::{Misfit, ReceivedDump};
pub use recompute::{Difference, NotProposable, Unconfirmed};
pub use restored::{NotConfirmable, OpenMismatch, Restoration};
pub use round::Bounds;

use recompute::Computed;
use restored::LastAnswer;
use round::Round;

/// How long coordinators and automatic agents wait for members that have not reported, once the threshold has: reading two
/// days of logs takes minutes.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10 * 60);

/// The statements of one session, and what they mean together.
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    roster: Arc<Roster>,
    opening: Open,
    opened: Arc<Verified>,
    statements: BTreeMap<Digest, Arc<Verified>>,
    /// Digests of those of newer versions.
    unknown: BTreeSet<Digest>,
    evidence: BTreeMap<MemberName, BTreeMap<u64, Arc<Verified>>>,
    sequencing: BTreeMap<MemberName, BTreeMap<u64, Arc<Verified>>>,
    rounds: BTreeMap<u32, Round>,
    aborts: BTreeMap<Digest, Arc<Verified>>,
    /// Of each coordinator's key, the appointment with the smallest digest.
    appointments: BTreeMap<PublicKey, Arc<Verified>>,
    readiness: BTreeMap<MemberName, Arc<Verified>>,
    milestones: BTreeMap<(MemberName, String), Arc<Verified>>,
    confirmations: BTreeMap<MemberName, Arc<Verified>>,
    found: Contradictions,
    /// Members whose word counts for nothing in a round.
    void: BTreeSet<(u32, MemberName)>,
    /// Results of the rule that were computed before.
    computed: Computed,
    /// The restoration that was computed last.
    restored: LastAnswer,
}

/// What lets a coordinator propose round 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandate<'a> {
    /// The opening lists no coordinators, so any key may propose.
    Anybody,
    /// The opening lists its key at this place, from 0.
    Listed(usize),
    /// A convener appointed its key. The proposal carries this statement.
    Appointed(&'a Arc<Verified>),
}

/// Why a statement is not of this session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It is another session's, or none's.
    #[error(
        "the {kind} of {signer} belongs to {}, not to session {expected}",
        found.map_or("no session".to_owned(), |found| format!("session {found}"))
    )]
    OtherSession {
        /// Its kind.
        kind: String,
        /// Who signed it.
        signer: MemberName,
        /// This session.
        expected: SessionId,
        /// The statement's.
        found: Option<SessionId>,
    },
    /// It is of a rehearsal and the session is not, or the other way round.
    #[error(
        "the {kind} of {signer} says that session {session} is {}, but the session is {}",
        if *drill { "a drill" } else { "not a drill" },
        if *drill { "not a drill" } else { "a drill" }
    )]
    Drill {
        /// Its kind.
        kind: String,
        /// Who signed it.
        signer: MemberName,
        /// This session.
        session: SessionId,
        /// What the statement says.
        drill: bool,
    },
    /// It was read with another roster.
    #[error(
        "the {kind} of {signer} was made with the roster {found}, but the session uses {expected}\n\
         help: compare the two rosters and use the same one everywhere"
    )]
    OtherRoster {
        /// Its kind.
        kind: String,
        /// Who signed it.
        signer: MemberName,
        /// The session's roster.
        expected: Digest,
        /// The statement's.
        found: Digest,
    },
    /// A proposal is signed with a key that may not propose.
    #[error(
        "the proposal of {signer} is signed with {key}, which is neither a member's key nor one that the opening of \
         session {session} lists\n\
         help: ask a convener to appoint that coordinator with `svdr-coordinator session appoint`"
    )]
    UnknownCoordinator {
        /// The session.
        session: SessionId,
        /// The name that its signer gives itself.
        signer: MemberName,
        /// The key.
        key: PublicKey,
    },
    /// No convener signed a proposal that is a convener's to make.
    #[error(
        "the proposal for round {round} of session {session} by {signer}, who is not a member, does not count: {why}\n\
         help: ask a convener to propose with `svdr-coordinator session propose`"
    )]
    ConvenersToPropose {
        /// The session.
        session: SessionId,
        /// The name that its signer gives itself.
        signer: MemberName,
        /// The round.
        round: u32,
        /// What only a convener may do.
        why: &'static str,
    },
    /// A statement of a newer version is signed by nobody who may sign here.
    #[error(
        "the {kind} of {signer} in session {session} is signed with {key}, which is neither a member's key nor one that \
         the opening lists"
    )]
    Outsider {
        /// The session.
        session: SessionId,
        /// Its kind.
        kind: String,
        /// The name that its signer gives itself.
        signer: MemberName,
        /// The key.
        key: PublicKey,
    },
    /// The session was not opened by any of the statements.
    #[error("no statement opens the session\nhelp: get the transcript from its beginning")]
    NotOpened,
}

/// Why a statement does not belong to a session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// It cannot be read, and no newer version could.
    #[error(transparent)]
    Malformed(Arc<StatementError>),
    /// It belongs elsewhere, or its signer may not sign it.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
}

/// Only a newer version knows the plan of a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this version of svdr does not know the plan of session {session} (number {plan}), so it keeps the statements of the \
     session and takes no part\n\
     help: use {software}, with which {opened_by} opened the session, or a newer version"
)]
pub struct UnknownPlan {
    /// The session.
    pub session: SessionId,
    /// The plan's number in the schema.
    pub plan: i32,
    /// Who opened the session.
    pub opened_by: MemberName,
    /// The software that did.
    pub software: String,
}

impl Session {
    /// The session that a statement opens.
    ///
    /// # Errors
    /// [`NotAccepted`] if it opens none, or was read with another roster.
    pub fn open(opened: Arc<Verified>, roster: Arc<Roster>) -> Result<Session, NotAccepted> {
        let Body::Open(opening) = opened.body() else { return Err(NotAccepted::NotOpened) };
        let [expected, found] = [roster.fingerprint(), opened.header().roster];
        if expected != found {
            let (kind, signer) = (opened.body().kind().to_owned(), opened.signer().clone());
            return Err(NotAccepted::OtherRoster { kind, signer, expected, found });
        }
        Ok(Session {
            id: SessionId::of_open(&opened.digest()),
            roster,
            opening: opening.clone(),
            statements: [(opened.digest(), Arc::clone(&opened))].into(),
            unknown: BTreeSet::new(),
            opened,
            evidence: BTreeMap::new(),
            sequencing: BTreeMap::new(),
            rounds: BTreeMap::new(),
            aborts: BTreeMap::new(),
            appointments: BTreeMap::new(),
            readiness: BTreeMap::new(),
            milestones: BTreeMap::new(),
            confirmations: BTreeMap::new(),
            found: Contradictions::default(),
            void: BTreeSet::new(),
            computed: Computed::default(),
            restored: LastAnswer::default(),
        })
    }

    /// The session of a set of statements in any order, of which one opens it.
    ///
    /// # Errors
    /// [`NotAccepted`] if none opens it, or one belongs elsewhere.
    pub fn fold(
        roster: Arc<Roster>,
        statements: impl IntoIterator<Item = Arc<Verified>>,
    ) -> Result<Session, NotAccepted> {
        let statements: Vec<_> = statements.into_iter().collect();
        let opened = statements.iter().find(|one| matches!(one.body(), Body::Open(_)));
        let mut session = Session::open(Arc::clone(opened.ok_or(NotAccepted::NotOpened)?), roster)?;
        for statement in statements {
            session.insert(statement)?;
        }
        Ok(session)
    }

    /// Whether a statement belongs to this session.
    ///
    /// # Errors
    /// [`NotAccepted`] says why not.
    pub fn accepts(&self, statement: &Verified) -> Result<(), NotAccepted> {
        // Nothing here may depend on what came before: in any order, all must accept the same statements.
        let signer = || statement.signer().clone();
        self.belongs(statement.body().kind(), statement.session(), statement.header())?;
        if !statement.may_sign(&self.opening) {
            let (session, signer, key) = (self.id, signer(), statement.key());
            return Err(NotAccepted::UnknownCoordinator { session, signer, key });
        }
        match statement.body() {
            Body::Proposal(proposal) if !statement.by_member() => {
                self.within_a_coordinators_right(statement, proposal)
            }
            _ => Ok(()),
        }
    }

    /// Checks that a statement names this session, its roster, and whether it is a drill.
    fn belongs(&self, kind: &str, found: Option<SessionId>, header: &Header) -> Result<(), NotAccepted> {
        let (kind, signer) = (|| kind.to_owned(), || header.signer.clone());
        let expected = self.id;
        if found != Some(expected) {
            return Err(NotAccepted::OtherSession { kind: kind(), signer: signer(), expected, found });
        }
        let [expected, found] = [self.opened.header().roster, header.roster];
        if expected != found {
            return Err(NotAccepted::OtherRoster { kind: kind(), signer: signer(), expected, found });
        }
        if header.drill != self.drill() {
            let (session, drill) = (self.id, header.drill);
            return Err(NotAccepted::Drill { kind: kind(), signer: signer(), session, drill });
        }
        Ok(())
    }

    /// Whether a statement belongs to this session, also one of a newer version.
    ///
    /// # Errors
    /// [`NotAdmitted`] says why not.
    pub fn admits(&self, statement: &AnyStatement) -> Result<(), NotAdmitted> {
        match statement {
            AnyStatement::Known(known) => Ok(self.accepts(known)?),
            AnyStatement::Unknown(unknown) => self.admits_unknown(unknown),
        }
    }

    fn admits_unknown(&self, unknown: &Unknown) -> Result<(), NotAdmitted> {
        // As `accepts`: nothing here may depend on what came before.
        let (header, key) = (unknown.header(), unknown.key());
        self.belongs(unknown.kind(), header.session, header)?;
        let listed = self.opening.coordinators.contains(&key);
        if !unknown.by_member() && !listed && !unknown.is_appointed() {
            let (session, kind, signer) = (self.id, unknown.kind().to_owned(), header.signer.clone());
            return Err(NotAccepted::Outsider { session, kind, signer, key }.into());
        }
        match unknown.malformed() {
            Some(error) if self.unknown_plan().is_none() => Err(NotAdmitted::Malformed(Arc::clone(error))),
            _ => Ok(()),
        }
    }

    /// Says that only a newer version knows the plan of this session; `None` if this version knows it.
    pub fn unknown_plan(&self) -> Option<UnknownPlan> {
        match self.opening.plan {
            PlanKind::Dump => None,
            PlanKind::Unknown(plan) => Some(UnknownPlan {
                session: self.id,
                plan,
                opened_by: self.opened.signer().clone(),
                software: self.opened.header().software.clone(),
            }),
        }
    }

    /// Checks that a coordinator may make this proposal on its own.
    fn within_a_coordinators_right(
        &self,
        statement: &Verified,
        proposal: &Proposal,
    ) -> Result<(), NotAccepted> {
        let why = if proposal.round > 1 {
            "only a convener may give up a round and propose the next"
        } else if proposal.parameters != self.parameters() {
            "only a convener may choose margin, threshold, bounds and members other than the session's own"
        } else if proposal.evidence.len() < self.roster.threshold() {
            "only a convener may propose before as many members as the threshold have reported"
        } else {
            return Ok(());
        };
        let (session, signer, round) = (self.id, statement.signer().clone(), proposal.round);
        Err(NotAccepted::ConvenersToPropose { session, signer, round, why })
    }

    /// Adds a statement; false if it was known already.
    ///
    /// # Errors
    /// [`NotAccepted`] if it does not belong here; the session is unchanged.
    pub fn insert(&mut self, statement: Arc<Verified>) -> Result<bool, NotAccepted> {
        self.accepts(&statement)?;
        let Entry::Vacant(vacant) = self.statements.entry(statement.digest()) else { return Ok(false) };
        vacant.insert(Arc::clone(&statement));
        if self.unknown_plan().is_some() && !matches!(statement.body(), Body::Abort(_)) {
            return Ok(true);
        }
        // A contradiction voids both sides in its rounds, whichever came first.
        for contradiction in self.found.insert(&statement) {
            let here = contradiction.rounds().filter(|round| round.session == self.id);
            self.void.extend(here.map(|round| (round.round, statement.signer().clone())));
        }
        self.index(statement);
        Ok(true)
    }

    /// Adds a statement, also one of a newer version, which counts for nothing; false if it was known already.
    ///
    /// # Errors
    /// [`NotAdmitted`] if it does not belong here; the session is unchanged.
    pub fn add(&mut self, statement: &AnyStatement) -> Result<bool, NotAdmitted> {
        match statement {
            AnyStatement::Known(known) => Ok(self.insert(Arc::clone(known))?),
            AnyStatement::Unknown(unknown) => {
                self.admits_unknown(unknown)?;
                Ok(self.unknown.insert(unknown.digest()))
            }
        }
    }

    fn index(&mut self, one: Arc<Verified>) {
        let signer = one.signer().clone();
        let rounds = &mut self.rounds;
        match one.body() {
            Body::Open(_) => {}
            Body::Appointment(appointment) => smallest(&mut self.appointments, appointment.coordinator, one),
            Body::Evidence(_) => {
                let own = self.evidence.entry(signer).or_default();
                smallest(own, one.header().sequence, one);
            }
            Body::Sequencing(_) => {
                let own = self.sequencing.entry(signer).or_default();
                smallest(own, one.header().sequence, one);
            }
            Body::Proposal(proposal) => rounds.entry(proposal.round).or_default().add_proposal(one),
            Body::Agreement(agreement) => {
                let (at, proposal) = (agreement.round, agreement.proposal);
                smallest(&mut rounds.entry(at).or_default().agreements, (proposal, signer), one);
            }
            Body::Rejection(rejection) => {
                let (at, proposal) = (rejection.round, rejection.proposal);
                smallest(&mut rounds.entry(at).or_default().rejections, (proposal, signer), one);
            }
            Body::Attestation(attestation) => {
                let (at, proposal) = (attestation.round, attestation.proposal);
                smallest(&mut rounds.entry(at).or_default().attestations, (proposal, signer), one);
            }
            Body::Obstacle(obstacle) => {
                latest(&mut rounds.entry(obstacle.round).or_default().obstacles, signer, one)
            }
            Body::Abandonment(abandonment) => {
                smallest(&mut rounds.entry(abandonment.round).or_default().abandonments, signer, one);
            }
            Body::Release(release) => {
                smallest(&mut rounds.entry(release.round).or_default().releases, signer, one)
            }
            Body::Milestone(milestone) => {
                let name = milestone.name.clone();
                latest(&mut self.milestones, (signer, name), one);
            }
            Body::Readiness(_) => latest(&mut self.readiness, signer, one),
            Body::Confirmation(_) => latest(&mut self.confirmations, signer, one),
            Body::Donation(donation) => {
                latest(&mut rounds.entry(donation.round).or_default().donations, signer, one);
            }
            Body::Abort(_) => {
                self.aborts.insert(one.digest(), one);
            }
        }
    }

    /// The session's id.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Whether it is a rehearsal.
    pub fn drill(&self) -> bool {
        self.opened.header().drill
    }

    /// What its convener said when opening it.
    pub const fn opening(&self) -> &Open {
        &self.opening
    }

    /// The statement that opened it.
    pub const fn opened(&self) -> &Arc<Verified> {
        &self.opened
    }

    /// The roster.
    pub const fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// How many statements of newer versions there are besides.
    pub fn unknown(&self) -> usize {
        self.unknown.len()
    }

    /// How many statements there are, the opening included.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Never: there is always the statement that opened it.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Every statement, in the order of their digests.
    pub fn statements(&self) -> impl Iterator<Item = &Arc<Verified>> {
        self.statements.values()
    }

    /// The statement with that digest.
    pub fn statement(&self, digest: &Digest) -> Option<&Arc<Verified>> {
        self.statements.get(digest)
    }

    /// What lets the coordinator with this key propose round 1; `None` if nothing does.
    pub fn mandate(&self, key: &PublicKey) -> Option<Mandate<'_>> {
        let listed = &self.opening.coordinators;
        if listed.is_empty() {
            return Some(Mandate::Anybody);
        }
        let place = listed.iter().position(|one| one == key);
        place.map(Mandate::Listed).or_else(|| self.appointments.get(key).map(Mandate::Appointed))
    }

    /// The keys that conveners appointed after the opening, each with its appointment.
    pub const fn appointments(&self) -> &BTreeMap<PublicKey, Arc<Verified>> {
        &self.appointments
    }

    /// The evidence of each member that counts.
    pub fn evidence(&self) -> BTreeMap<&MemberName, &Arc<Verified>> {
        self.newest_of(&self.evidence)
    }

    /// What the nodes of each member have seen of the old physical synchronizer, if it counts.
    pub fn sequencing(&self) -> BTreeMap<&MemberName, &Arc<Verified>> {
        self.newest_of(&self.sequencing)
    }

    /// Each member's statement with its highest sequence number, if the member has not contradicted it.
    fn newest_of<'a>(
        &self,
        all: &'a BTreeMap<MemberName, BTreeMap<u64, Arc<Verified>>>,
    ) -> BTreeMap<&'a MemberName, &'a Arc<Verified>> {
        let newest = all.iter().filter_map(|(member, own)| {
            let (_, newest) = own.last_key_value()?;
            (!self.contradicted(newest)).then_some((member, newest))
        });
        newest.collect()
    }

    /// Whether there is another evidence with the same sequence number.
    fn contradicted(&self, evidence: &Verified) -> bool {
        let (session, sequence) = (evidence.header().session, evidence.header().sequence);
        self.found.contains(evidence.signer(), Contradiction::TwoEvidences { session, sequence })
    }

    /// The latest result of each member's own check.
    pub const fn readiness(&self) -> &BTreeMap<MemberName, Arc<Verified>> {
        &self.readiness
    }

    /// The steps of the runbook that members have marked done, each with the latest mark.
    pub const fn milestones(&self) -> &BTreeMap<(MemberName, String), Arc<Verified>> {
        &self.milestones
    }

    /// The latest confirmation of each member, of whichever round.
    pub const fn confirmations(&self) -> &BTreeMap<MemberName, Arc<Verified>> {
        &self.confirmations
    }

    /// The statements that end the session, whether or not they could.
    pub fn aborts(&self) -> impl Iterator<Item = &Arc<Verified>> {
        self.aborts.values()
    }

    /// Who contradicted itself, with the proofs.
    pub fn equivocations(&self) -> Vec<Equivocation> {
        self.found.equivocations().collect()
    }

    /// A round of this session.
    pub const fn round_of(&self, round: u32) -> RoundOf {
        RoundOf { session: self.id, round }
    }
}

/// Keeps, of statements that mean the same, the one with the smallest digest: whichever came first.
fn smallest<K: Ord>(map: &mut BTreeMap<K, Arc<Verified>>, key: K, one: Arc<Verified>) {
    match map.entry(key) {
        Entry::Occupied(mut known) => {
            if one.digest() < known.get().digest() {
                known.insert(one);
            }
        }
        Entry::Vacant(vacant) => {
            vacant.insert(one);
        }
    }
}

/// Keeps the one with the highest sequence number; of equal ones, that with the smallest digest.
fn latest<K: Ord>(map: &mut BTreeMap<K, Arc<Verified>>, key: K, one: Arc<Verified>) {
    let rank = |of: &Verified| (of.header().sequence, std::cmp::Reverse(of.digest()));
    match map.entry(key) {
        Entry::Occupied(mut known) => {
            if rank(&one) > rank(known.get()) {
                known.insert(one);
            }
        }
        Entry::Vacant(vacant) => {
            vacant.insert(one);
        }
    }
}

#[cfg(test)]
mod tests;
