//! The voting rules of an agent, as decisions: what it signed and what it sees, to sign or not to sign.
//!
//! 1. At most one agreement a round, only for a proposal that its own recomputation confirms, only in a round
//!    higher than any it has agreed to.
//! 2. Agreeing to a round abandons every lower round that it has not attested, and those of other sessions that
//!    it has agreed to.
//! 3. It attests a round only with the agreement certificate in hand, its own agreement in it, and the dump on
//!    disk; never one that it has abandoned.
//! 4. Once it has attested a round, it agrees to another only with proof that the first cannot complete.
//! 5. After a completion certificate, members only follow to the completed round. After an abort, nothing more is
//!    attested or agreed.
//!
//! The rules reach across the sessions of a network. A drill binds within itself alone.
//!
//! An agent's promises are those of its [`Record`] *and* those that the sessions have of it: so an agent whose disk was
//! restored from a backup still keeps the promises that others know. The record must be on disk before a signature leaves
//! the process, which is the caller's task.
//!
//! A decision returns the body to sign. Header, signature and flush are the caller's. Reasons are for the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::certificate::CompletionCertificate;
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::names::MemberName;
use crate::session::{Session, Unconfirmed};
use crate::statement::{
    Abandonment, Agreement, Attestation, Body, MAX_ATTESTED, MAX_ELSEWHERE, Part, Plan, Proposal, Received,
    Rejection, Release, RoundOf, Verified, abandonments_needed, abandons,
};
use crate::time::Timestamp;

mod donating;
mod own;
mod reasons;

pub use reasons::{VoteRefusal, Wait};

use own::Own;

/// What an agent's own store says that it did. It is all that must survive a crash.
#[derive(Clone, Debug, Default)]
pub struct Record {
    signed: Vec<Arc<Verified>>,
    /// Whether of a drill, and which.
    completed: BTreeSet<(bool, RoundOf)>,
}

/// What an agent does about something it could sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// Sign this.
    Sign(T),
    /// It has signed it already: the statement with this digest, to be sent again.
    Signed(Digest),
    /// Not yet.
    Wait(Wait),
    /// No.
    Refuse(VoteRefusal),
}

/// Why nothing is signed.
enum Held {
    Wait(Wait),
    Refuse(VoteRefusal),
}

impl<T> From<Held> for Decision<T> {
    fn from(held: Held) -> Decision<T> {
        match held {
            Held::Wait(wait) => Decision::Wait(wait),
            Held::Refuse(refusal) => Decision::Refuse(refusal),
        }
    }
}

/// A migration dump on disk, checked and flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The time that it is of.
    pub recovery_timestamp: Timestamp,
    /// The migration id in it.
    pub migration_id: u64,
    /// The whole of it.
    pub whole: Part,
    /// Its parts. Which of them are equal for every member: `Part::is_equal_for_all`.
    pub parts: Vec<Part>,
    /// When making it began.
    pub started: Timestamp,
    /// When it was on disk.
    pub finished: Timestamp,
    /// Whose snapshot it is made of, if it is not the member's own SV app's.
    pub received: Option<Received>,
}

/// An agent in a session, with all it knows.
#[derive(Clone, Copy, Debug)]
pub struct Voter<'a> {
    me: &'a MemberName,
    record: &'a Record,
    session: &'a Session,
    others: &'a [&'a Session],
}

impl Record {
    /// An agent that has signed nothing.
    pub fn new() -> Record {
        Record::default()
    }

    /// Adds a statement that the agent signed.
    pub fn sign(&mut self, statement: Arc<Verified>) {
        self.signed.push(statement);
    }

    /// Adds a completion certificate that the agent has had: from now on it binds, whatever becomes known later. The
    /// caller keeps it on disk like a vote, before acting on it.
    pub fn complete(&mut self, certificate: &CompletionCertificate) {
        self.completed.insert((certificate.agreement().drill(), certificate.round()));
    }

    /// The number for the next statement that the agent signs in `session`: above all that it has used.
    pub fn next_sequence(&self, session: &Session, me: &MemberName) -> u64 {
        let signed = self.signed.iter().filter(|one| one.session() == Some(session.id()));
        let seen = session.statements().filter(|one| one.signer() == me && one.by_member());
        signed.chain(seen).map(|one| one.header().sequence).max().map_or(1, |last| last.saturating_add(1))
    }
}

impl<'a> Voter<'a> {
    /// The member `me` in `session`, with what it has recorded, and the other sessions of the network that it
    /// knows. Drills among those, and all of them if `session` is one, are not looked at.
    pub const fn new(
        me: &'a MemberName,
        record: &'a Record,
        session: &'a Session,
        others: &'a [&'a Session],
    ) -> Voter<'a> {
        Voter { me, record, session, others }
    }

    fn own(&self) -> Own<'a> {
        Own::new(self.me, self.record, self.session, self.others)
    }

    /// Whether to agree to the proposal with that digest.
    pub fn agree(&self, proposal: &Digest) -> Decision<Agreement> {
        self.try_agree(proposal).unwrap_or_else(Decision::from)
    }

    fn try_agree(&self, digest: &Digest) -> Result<Decision<Agreement>, Held> {
        let own = self.own();
        // Signed before: the same bytes are sent again, whatever has arrived since.
        if let Some(signed) = own.agreement_to(self.session.id(), digest) {
            return Ok(Decision::Signed(signed));
        }
        let Some(Body::Proposal(proposal)) = self.session.statement(digest).map(|one| one.body()) else {
            self.nothing_moves(None)?;
            return Err(Held::Wait(Wait::Proposal { proposal: *digest }));
        };
        let round = proposal.round;
        // Who comes late to a completed round follows: agreeing to what is completed moves nothing.
        let certificate = self.session.agreement_certificate(round);
        let follows = self.session.settled() == Some(round)
            && certificate.is_some_and(|certificate| certificate.proposal().digest() == *digest);
        self.nothing_moves(follows.then_some(round))?;
        // Rule 1.
        if let Some(agreed) = own.highest_agreed(self.session.id())
            && round <= agreed
        {
            return Err(Held::Refuse(VoteRefusal::AgreedHigher { round, agreed }));
        }
        let latest = self.session.latest_round();
        if round > latest {
            return Err(Held::Wait(Wait::LowerRound { round, latest }));
        }
        if round < latest && !follows {
            return Err(Held::Refuse(VoteRefusal::Superseded { round, latest }));
        }
        // After the cheap checks: on hostile evidence this may take a minute.
        match self.session.recompute(proposal) {
            Ok(_) => {}
            Err(Unconfirmed::Missing { missing }) => return Err(Held::Wait(Wait::Evidence { missing })),
            Err(unconfirmed) => return Err(Held::Refuse(VoteRefusal::Unconfirmed(Box::new(unconfirmed)))),
        }
        let mut agreement = Agreement {
            round,
            proposal: *digest,
            attested: Default::default(),
            elsewhere: own.elsewhere(self.session.id()),
        };
        // Rule 4.
        for attested in own.attested() {
            agreement.attested.insert(attested, self.moving_on_from(attested, &own)?);
        }
        if agreement.attested.len() > MAX_ATTESTED || agreement.elsewhere.len() > MAX_ELSEWHERE {
            return Err(Held::Refuse(VoteRefusal::TooManyRounds));
        }
        Ok(Decision::Sign(agreement))
    }

    /// Rule 4: the envelopes that prove that an attested round cannot complete.
    fn moving_on_from(&self, round: RoundOf, own: &Own<'a>) -> Result<Vec<Envelope>, Held> {
        let roster = self.session.opened().header().roster;
        // The member's own release ends its attestation, so no other proof is needed.
        let release = own.release_of(round);
        if let Some(release) = release.filter(|one| one.header().roster == roster) {
            return Ok(vec![release.envelope().clone()]);
        }
        let follows = self.session.opening().predecessors.contains(&round.session);
        if follows && (release.is_some() || self.completed().any(|of| of.session == round.session)) {
            return Ok(Vec::new());
        }
        // The others could not check a proof that was made with another roster.
        if own.attestation_of(round).is_some_and(|one| one.header().roster != roster) {
            return Err(Held::Refuse(VoteRefusal::OtherRoster { round }));
        }
        let needed = abandonments_needed(self.session.roster());
        let of = self.sessions().find(|session| session.id() == round.session);
        let mut found = of.map_or(BTreeMap::new(), |session| session.abandonments(round.round));
        let void = |member| of.is_some_and(|session| session.is_void(round.round, member));
        // Agreeing elsewhere abandons the round as well.
        let all = self.sessions().flat_map(Session::statements).filter(|one| one.by_member());
        for one in all.filter(|one| one.header().roster == roster && abandons(one.statement(), round)) {
            if !void(one.signer()) {
                found.entry(one.signer()).or_insert(one);
            }
        }
        if found.len() < needed {
            let by: BTreeSet<MemberName> = found.into_keys().cloned().collect();
            let open = self.members_but(|name| name == self.me || by.contains(name));
            return Err(Held::Wait(Wait::Abandonments { round, by, needed, open }));
        }
        Ok(found.into_values().take(needed).map(|one| one.envelope().clone()).collect())
    }

    fn members_but(&self, not: impl Fn(&MemberName) -> bool) -> BTreeSet<MemberName> {
        let members = self.session.roster().members().iter().map(|member| &member.name);
        members.filter(|name| !not(name)).cloned().collect()
    }

    /// Whether this member may make the dump of a round, because it would attest it afterwards: the plan that it
    /// agreed to and that is certified.
    pub fn dump(&self, round: u32) -> Decision<Plan> {
        match self.try_dump(round, &self.own()) {
            Ok(Decision::Sign((_, plan))) => Decision::Sign(plan),
            Ok(Decision::Signed(digest)) => Decision::Signed(digest),
            Ok(Decision::Wait(wait)) | Err(Held::Wait(wait)) => Decision::Wait(wait),
            Ok(Decision::Refuse(refusal)) | Err(Held::Refuse(refusal)) => Decision::Refuse(refusal),
        }
    }

    /// Whether to attest a round of which this dump is on disk.
    pub fn attest(&self, round: u32, dump: &Dump) -> Decision<Attestation> {
        let (proposal, plan) = match self.try_dump(round, &self.own()) {
            Ok(Decision::Sign(certified)) => certified,
            Ok(Decision::Signed(digest)) => return Decision::Signed(digest),
            Ok(Decision::Wait(wait)) | Err(Held::Wait(wait)) => return Decision::Wait(wait),
            Ok(Decision::Refuse(refusal)) | Err(Held::Refuse(refusal)) => return Decision::Refuse(refusal),
        };
        let agreed = (plan.recovery_timestamp(), plan.migration_id());
        let made = (dump.recovery_timestamp, dump.migration_id);
        if made != agreed {
            return Decision::Refuse(VoteRefusal::OtherDump { round, agreed, made });
        }
        Decision::Sign(Attestation {
            round,
            proposal,
            recovery_timestamp: dump.recovery_timestamp,
            migration_id: dump.migration_id,
            dump: dump.whole.clone(),
            parts: dump.parts.clone(),
            started: dump.started,
            finished: dump.finished,
            received: dump.received.clone(),
        })
    }

    /// Rule 3, the dump aside: the proposal to attest, and its plan.
    fn try_dump(&self, round: u32, own: &Own<'a>) -> Result<Decision<(Digest, Plan)>, Held> {
        let of = self.session.round_of(round);
        if let Some(signed) = own.attestation_of(of) {
            return Ok(Decision::Signed(signed.digest()));
        }
        self.nothing_moves(Some(round))?;
        let agreed = own.agreed(of).ok_or(Held::Refuse(VoteRefusal::NotAgreed { round }))?;
        // Rule 2: this promise is what lets the others move on.
        if let Some(by) = own.abandoned(of) {
            return Err(Held::Refuse(VoteRefusal::Abandoned { round: of, by }));
        }
        if own.release_of(of).is_some() {
            return Err(Held::Refuse(VoteRefusal::Released { round }));
        }
        self.certified(round, agreed).map(Decision::Sign)
    }

    /// The certified proposal of a round, which must be the one agreed to, and its plan.
    fn certified(&self, round: u32, agreed: Digest) -> Result<(Digest, Plan), Held> {
        let Some(certificate) = self.session.agreement_certificate(round) else {
            let agreements = self.session.agreements(round, &agreed);
            let by: BTreeSet<MemberName> = agreements.into_keys().cloned().collect();
            let open = self.members_but(|name| by.contains(name));
            let needed = self.session.roster().threshold();
            return Err(Held::Wait(Wait::Agreements { round, by, needed, open }));
        };
        let certified = certificate.proposal().digest();
        if certified != agreed {
            return Err(Held::Refuse(VoteRefusal::OtherProposal { round, agreed, certified }));
        }
        Ok((certified, *certificate.plan()))
    }

    /// Whether to promise never to attest a round.
    pub fn abandon(&self, round: u32, reason: &str) -> Decision<Abandonment> {
        let own = self.own();
        let of = self.session.round_of(round);
        if let Some(signed) = own.abandonment_of(of) {
            return Decision::Signed(signed);
        }
        if own.attestation_of(of).is_some() {
            return Decision::Refuse(VoteRefusal::Attested {
                round: of,
                released: own.release_of(of).is_some(),
            });
        }
        if let Err(held) = self.nothing_moves_here(None) {
            return held.into();
        }
        let latest = self.session.latest_round();
        if round == 0 || round > latest {
            return Decision::Refuse(VoteRefusal::NoSuchRound { round, latest });
        }
        Decision::Sign(Abandonment { round, reason: reason.to_owned() })
    }

    /// Whether to take this member's attestation of a round back.
    pub fn release(&self, round: u32, reason: &str) -> Decision<Release> {
        let own = self.own();
        let of = self.session.round_of(round);
        if let Some(release) = own.release_of(of) {
            return Decision::Signed(release.digest());
        }
        let Some(attestation) = own.attestation_of(of) else {
            return Decision::Refuse(VoteRefusal::NotAttested { round });
        };
        // Somebody may have imported already, so an attestation of a completed session is never taken back.
        if let Some(completed) = self.completed().find(|completed| completed.session == of.session) {
            return Decision::Refuse(VoteRefusal::Completed { completed });
        }
        let attestation = attestation.digest();
        Decision::Sign(Release { round, attestation, reason: reason.to_owned() })
    }

    /// Whether to say that this member does not agree to a proposal.
    pub fn reject(&self, proposal: &Digest, reason: &str) -> Decision<Rejection> {
        let own = self.own();
        let Some(Body::Proposal(Proposal { round, .. })) =
            self.session.statement(proposal).map(|one| one.body())
        else {
            return Decision::Wait(Wait::Proposal { proposal: *proposal });
        };
        let round = *round;
        if own.agreement_to(self.session.id(), proposal).is_some() {
            return Decision::Refuse(VoteRefusal::AgreedAlready { round });
        }
        let rejections = self.session.rejections(round, proposal);
        if let Some(known) = rejections.get(self.me) {
            return Decision::Signed(known.digest());
        }
        if let Err(held) = self.nothing_moves(None) {
            return held.into();
        }
        Decision::Sign(Rejection { round, proposal: *proposal, reason: reason.to_owned() })
    }

    /// Rounds of this session that the agent has abandoned by an agreement that no proof can use, because it carries one
    /// itself. The agent signs an abandonment of each, without asking its operator.
    pub fn owed(&self) -> Vec<u32> {
        let own = self.own();
        let rounds = 1..=self.session.latest_round();
        rounds.filter(|round| own.owes_abandonment(self.session.round_of(*round))).collect()
    }

    /// Rule 5, and the abort. A completed round itself may still be agreed to and attested.
    fn nothing_moves(&self, attesting: Option<u32>) -> Result<(), Held> {
        if self.session.aborts().next().is_some() {
            return Err(Held::Refuse(VoteRefusal::Aborted));
        }
        self.nothing_moves_here(attesting)?;
        let open = self.session.opening();
        let mut settled = self.settled().filter(|of| of.session != self.session.id());
        match settled.find(|of| !open.predecessors.contains(&of.session)) {
            Some(completed) => Err(Held::Refuse(VoteRefusal::CompletedElsewhere { completed })),
            None => Ok(()),
        }
    }

    fn nothing_moves_here(&self, attesting: Option<u32>) -> Result<(), Held> {
        let mut here = self.settled().filter(|of| of.session == self.session.id());
        match here.find(|of| Some(of.round) != attesting) {
            Some(completed) => Err(Held::Refuse(VoteRefusal::Completed { completed })),
            None => Ok(()),
        }
    }

    /// Rounds whose completion certificate this agent has held, or could put together now.
    fn completed(&self) -> impl Iterator<Item = RoundOf> + use<'a> {
        let seen = self.sessions().filter_map(Session::completion_certificate);
        self.held().chain(seen.map(|certificate| certificate.round()))
    }

    /// Rounds that somebody may take for completed.
    fn settled(&self) -> impl Iterator<Item = RoundOf> + use<'a> {
        let seen = self.sessions().filter_map(|one| one.settled().map(|round| one.round_of(round)));
        self.held().chain(seen)
    }

    fn held(&self) -> impl Iterator<Item = RoundOf> + use<'a> {
        let (drill, here) = (self.session.drill(), self.session.id());
        let held = self.record.completed.iter().copied();
        held.filter(move |(of_drill, of)| of.session == here || !(drill || *of_drill)).map(|(_, of)| of)
    }

    /// This session, and those that its votes reach across to.
    fn sessions(&self) -> impl Iterator<Item = &'a Session> + use<'a> {
        let drill = self.session.drill();
        let others = self.others.iter().copied().filter(move |session| !drill && !session.drill());
        std::iter::once(self.session).chain(others)
    }
}

#[cfg(test)]
mod tests;
