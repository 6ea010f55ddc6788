//! The model: what members can sign next, and what must hold of all they have signed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use stateright::{Model, Property};
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::equivocation;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Abandonment, Agreement, Attestation, Body, RoundOf, Verified, abandonments_needed,
};
use svdr_protocol::vote::{Decision, Record, Voter, Wait};

use super::network::{Id, Network, Slot};

/// What every member has on its disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Signed(pub(crate) Vec<BTreeSet<Id>>);

/// A member signs a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) member: usize,
    pub(crate) statement: Id,
}

/// What a member may decide to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Vote {
    Agree,
    Attest,
    Abandon,
    Release,
}

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Signs(Id),
    Waits,
    No,
}

type Decided = (Vote, usize, usize, Vec<Id>, Vec<Id>);

/// A recovery of a network, in which the last member may lie.
pub(crate) struct Recovery {
    pub(crate) network: Network,
    releases: bool,
    /// How many members' operators may abandon rounds.
    abandoning: usize,
    equivocator: Option<usize>,
    /// How many statements the liar signs at the beginning.
    lies: usize,
    decided: Mutex<HashMap<Decided, Outcome>>,
}

impl Recovery {
    pub(crate) fn new(network: Network) -> Recovery {
        Recovery {
            network,
            releases: false,
            abandoning: 1,
            equivocator: None,
            lies: 0,
            decided: Mutex::default(),
        }
    }

    /// So many members' operators may abandon rounds; one, unless said otherwise.
    pub(crate) fn abandoning(self, abandoning: usize) -> Recovery {
        Recovery { abandoning, ..self }
    }

    /// An operator may release an attestation.
    pub(crate) fn with_releases(self) -> Recovery {
        Recovery { releases: true, ..self }
    }

    /// The last member signs whatever it likes.
    pub(crate) fn with_equivocator(self) -> Recovery {
        let liar = self.network.members() - 1;
        let lies = self.lies(liar).len();
        Recovery { equivocator: Some(liar), lies, ..self }
    }

    /// What the rules say to a member that has `own` on its disk and is shown `part`.
    pub(crate) fn decide(&self, vote: Vote, member: usize, slot: usize, own: &[Id], part: &[Id]) -> Outcome {
        let key = (vote, member, slot, own.to_vec(), part.to_vec());
        if let Some(known) = self.decided.lock().unwrap().get(&key) {
            return *known;
        }
        let outcome = self.ask(vote, member, slot, own, part);
        self.decided.lock().unwrap().insert(key, outcome);
        outcome
    }

    fn ask(&self, vote: Vote, member: usize, slot: usize, own: &[Id], part: &[Id]) -> Outcome {
        let at = &self.network.slots[slot];
        let known = [own, part].concat();
        let session = self.network.session(at.session, at.round, &known);
        let elsewhere = (0..self.network.places()).filter(|place| *place != at.session);
        let others: Vec<Session> = elsewhere
            .map(|place| self.network.session(place, self.network.rounds_of(place), &known))
            .collect();
        let others: Vec<&Session> = others.iter().collect();
        let mut record = Record::new();
        own.iter().for_each(|id| record.sign(self.network.statement(*id)));
        let me = self.network.name(member);
        let voter = Voter::new(&me, &record, &session, &others);
        match vote {
            Vote::Agree => self.outcome(member, at, voter.agree(&at.proposal), Body::Agreement),
            Vote::Attest => {
                let dump = self.network.dump(member, at);
                self.outcome(member, at, voter.attest(at.round, &dump), Body::Attestation)
            }
            Vote::Abandon => {
                let reason = self.network.reason(member, at.round);
                self.outcome(member, at, voter.abandon(at.round, &reason), Body::Abandonment)
            }
            Vote::Release => self.outcome(member, at, voter.release(at.round, ""), Body::Release),
        }
    }

    fn outcome<T>(
        &self,
        member: usize,
        at: &Slot,
        decision: Decision<T>,
        body: impl FnOnce(T) -> Body,
    ) -> Outcome {
        match decision {
            Decision::Sign(content) => {
                self.network.sign(member, at.session, body(content)).map_or(Outcome::No, Outcome::Signs)
            }
            Decision::Wait(Wait::Agreements { .. } | Wait::Abandonments { .. }) => Outcome::Waits,
            // More knowledge may show a certificate for another proposal than the one agreed to, never undo it.
            Decision::Wait(_) | Decision::Signed(_) | Decision::Refuse(_) => Outcome::No,
        }
    }

    /// What a member that keeps to the rules can sign next.
    pub(crate) fn honest(&self, member: usize, state: &Signed, actions: &mut Vec<Sign>) {
        let own: Vec<Id> = state.0[member].iter().copied().collect();
        let others: Vec<Id> = (0..state.0.len())
            .filter(|other| *other != member)
            .flat_map(|other| state.0[other].clone())
            .collect();
        let mut found = BTreeSet::new();
        for (slot, at) in self.network.slots.iter().enumerate() {
            // Members are alike, so it is enough that some of them abandon and one of those that do not releases.
            let mut votes = vec![Vote::Agree, Vote::Attest];
            if member >= self.network.members() - self.abandoning {
                votes.push(Vote::Abandon);
            }
            if at.round == 1 && member == 0 && self.releases {
                votes.push(Vote::Release);
            }
            for vote in &votes {
                match self.decide(*vote, member, slot, &own, &[]) {
                    Outcome::Signs(id) => {
                        found.insert(id);
                    }
                    Outcome::No => {}
                    Outcome::Waits => self.parts(*vote, &others, &mut |part| {
                        if let Outcome::Signs(id) = self.decide(*vote, member, slot, &own, part) {
                            found.insert(id);
                        }
                    }),
                }
            }
        }
        actions.extend(found.into_iter().map(|statement| Sign { member, statement }));
    }

    /// Every part of `all` that a decision of this kind can need: its own agreement counts for an attestation.
    pub(crate) fn parts(&self, vote: Vote, all: &[Id], each: &mut dyn FnMut(&[Id])) {
        let size = match vote {
            Vote::Attest => self.network.roster.threshold() - 1,
            _ => abandonments_needed(&self.network.roster),
        };
        combinations(all, size, &mut Vec::new(), each);
    }

    /// All that a liar may sign without knowing anything: it agrees to everything, attests everything, promises
    /// never to.
    fn lies(&self, member: usize) -> BTreeSet<Id> {
        let mut lies = BTreeSet::new();
        for at in &self.network.slots {
            let mut say = |body| lies.insert(self.network.sign(member, at.session, body).unwrap());
            let others = (0..self.network.places()).filter(|place| *place != at.session);
            let elsewhere = others.map(|place| (self.network.base(place, 0).id(), 1)).collect();
            for elsewhere in [BTreeMap::new(), elsewhere] {
                say(Body::Agreement(Agreement {
                    round: at.round,
                    proposal: at.proposal,
                    attested: BTreeMap::new(),
                    elsewhere,
                }));
            }
            let dump = self.network.dump(member, at);
            say(Body::Attestation(Attestation {
                round: at.round,
                proposal: at.proposal,
                recovery_timestamp: dump.recovery_timestamp,
                migration_id: dump.migration_id,
                dump: dump.whole,
                parts: dump.parts,
                started: dump.started,
                finished: dump.finished,
                received: dump.received,
            }));
            say(Body::Abandonment(Abandonment { round: at.round, reason: String::new() }));
        }
        lies
    }

    /// A liar agrees once with any proof that it can put together, whether or not it attested: it then looks like an
    /// honest member that moved on.
    fn proven(&self, member: usize, state: &Signed, actions: &mut Vec<Sign>) {
        if state.0[member].len() > self.lies {
            return;
        }
        let all: Vec<Id> = state.0.iter().flatten().copied().collect();
        for at in &self.network.slots {
            for passed in &self.network.slots {
                let earlier = passed.session != at.session || passed.round < at.round;
                if !earlier {
                    continue;
                }
                let session = self.network.base(passed.session, 0).id();
                let round = RoundOf { session, round: passed.round };
                let size = abandonments_needed(&self.network.roster);
                combinations(&all, size, &mut Vec::new(), &mut |part| {
                    if part.len() == size
                        && let Some(proof) = self.proof(part, round)
                    {
                        let elsewhere = (passed.session != at.session).then_some((session, passed.round));
                        let body = Body::Agreement(Agreement {
                            round: at.round,
                            proposal: at.proposal,
                            attested: [(round, proof)].into(),
                            elsewhere: elsewhere.into_iter().collect(),
                        });
                        let statement = self.network.sign(member, at.session, body).unwrap();
                        actions.push(Sign { member, statement });
                    }
                });
            }
        }
    }

    /// The envelopes of `part`, if they prove that nobody can complete `round`.
    fn proof(&self, part: &[Id], round: RoundOf) -> Option<Vec<svdr_protocol::dsse::Envelope>> {
        let statements: Vec<_> = part.iter().map(|id| self.network.statement(*id)).collect();
        let signers: BTreeSet<_> = statements.iter().map(|one| one.signer().clone()).collect();
        let abandons = |one: &Arc<Verified>| {
            let here = one.session() == Some(round.session);
            match one.body() {
                Body::Abandonment(abandonment) => here && abandonment.round == round.round,
                Body::Release(release) => here && release.round == round.round,
                Body::Agreement(agreement) => {
                    agreement.attested.is_empty()
                        && one.session().is_some_and(|own| agreement.abandons(own, round))
                }
                _ => false,
            }
        };
        (signers.len() == part.len() && statements.iter().all(abandons))
            .then(|| statements.iter().map(|one| one.envelope().clone()).collect())
    }

    /// Every completion certificate of a slot that anybody could put together from what was signed.
    fn completions(&self, state: &Signed, at: &Slot) -> Vec<Vec<Arc<Verified>>> {
        if self.network.attesting(state.0.iter().flatten(), &at.proposal) < self.network.roster.threshold() {
            return Vec::new();
        }
        let mut choices: Vec<Vec<[Arc<Verified>; 2]>> = Vec::new();
        for own in self.network.by_member(state.0.iter().flatten().copied()).into_values() {
            let of = |one: &&Arc<Verified>, proposal| {
                proposal == at.proposal && { one.session() == Some(self.network.base(at.session, 0).id()) }
            };
            let attested = own
                .iter()
                .find(|one| matches!(one.body(), Body::Attestation(said) if of(one, said.proposal)));
            let agreed = own
                .iter()
                .filter(|one| matches!(one.body(), Body::Agreement(said) if of(one, said.proposal)));
            if let Some(attested) = attested {
                choices.push(agreed.map(|agreed| [Arc::clone(agreed), Arc::clone(attested)]).collect());
            }
        }
        let mut found = Vec::new();
        choose(&choices, self.network.roster.threshold(), &mut Vec::new(), &mut |chosen| {
            let statements = self.network.head_of(at).into_iter().chain(chosen.iter().flatten().cloned());
            let statements: Vec<_> = statements.collect();
            if CompletionCertificate::check(&self.network.roster, statements.clone()).is_ok() {
                found.push(statements);
            }
        });
        found
    }

    fn completed(&self, state: &Signed) -> impl Iterator<Item = (&Slot, Vec<Vec<Arc<Verified>>>)> {
        let all = self.network.slots.iter().map(|at| (at, self.completions(state, at)));
        all.filter(|(_, found)| !found.is_empty()).collect::<Vec<_>>().into_iter()
    }

    fn split(&self, state: &Signed) -> bool {
        let times: BTreeSet<_> = self.completed(state).map(|(at, _)| at.recovery_timestamp).collect();
        times.len() > 1
    }

    /// Whether any two certificates with different timestamps show, by themselves, who is to blame.
    fn accountable(&self, state: &Signed) -> bool {
        let all: Vec<_> = self.completed(state).collect();
        all.iter().all(|(one, first)| {
            let others = all.iter().filter(|(other, _)| other.recovery_timestamp < one.recovery_timestamp);
            others
                .flat_map(|(_, second)| second)
                .all(|second| first.iter().all(|first| self.blames(first.iter().chain(second))))
        })
    }

    fn blames<'a>(&self, statements: impl Iterator<Item = &'a Arc<Verified>>) -> bool {
        let mut all: Vec<Arc<Verified>> = Vec::new();
        for one in statements {
            if let Body::Agreement(agreement) = one.body() {
                let proofs = agreement.attested.values().flatten().cloned();
                all.extend(
                    proofs.map(|proof| Arc::new(Verified::read(proof, &self.network.roster).unwrap())),
                );
            }
            all.push(Arc::clone(one));
        }
        all.iter().any(|one| matches!(one.body(), Body::Release(_))) || !equivocation::find(&all).is_empty()
    }

    /// Whether members that keep to the rules agreed to and attested only what follows from evidence that they have.
    fn founded(&self, state: &Signed) -> bool {
        let false_ones: BTreeSet<_> =
            self.network.slots.iter().filter(|at| !at.follows).map(|at| at.proposal).collect();
        let honest = (0..state.0.len()).filter(|member| self.equivocator != Some(*member));
        honest.flat_map(|member| &state.0[member]).all(|id| match self.network.statement(*id).body() {
            Body::Agreement(said) => !false_ones.contains(&said.proposal),
            Body::Attestation(said) => !false_ones.contains(&said.proposal),
            _ => true,
        })
    }

    /// Whether some member has attested, others have abandoned, and nobody who attested can go anywhere, whatever
    /// it is shown.
    fn locked(&self, state: &Signed) -> bool {
        let all: Vec<Id> = state.0.iter().flatten().copied().collect();
        let last = self.network.slots.len() - 1;
        let at = &self.network.slots[last];
        let signed = |member: usize, what: fn(&Body) -> bool| {
            state.0[member].iter().any(|id| what(self.network.statement(*id).body()))
        };
        let attested: Vec<usize> = (0..state.0.len())
            .filter(|member| signed(*member, |body| matches!(body, Body::Attestation(_))))
            .collect();
        let pruned =
            (0..state.0.len()).any(|member| signed(member, |body| matches!(body, Body::Abandonment(_))));
        let held = |member: &usize| {
            let session = self.network.session(at.session, at.round, &all);
            let (me, record) = (self.network.name(*member), Record::new());
            let decision = Voter::new(&me, &record, &session, &[]).agree(&at.proposal);
            matches!(decision, Decision::Wait(Wait::Abandonments { .. }))
        };
        attested.len() + 1 == self.network.roster.threshold() && pruned && attested.iter().all(held)
    }

    /// Whether the last slot is complete, with the help of a release.
    fn released(&self, state: &Signed) -> bool {
        let last = self.network.slots.last().unwrap();
        self.completions(state, last).iter().any(|certificate| {
            let agreements = certificate.iter().filter_map(|one| match one.body() {
                Body::Agreement(agreement) => Some(agreement),
                _ => None,
            });
            let proofs = agreements.flat_map(|agreement| agreement.attested.values().flatten());
            proofs.into_iter().any(|proof| proof.payload_type().contains(".release+"))
        })
    }
}

/// Every subset of `all` of at most `size`, the empty one aside.
fn combinations(all: &[Id], size: usize, chosen: &mut Vec<Id>, each: &mut dyn FnMut(&[Id])) {
    for (place, id) in all.iter().enumerate() {
        chosen.push(*id);
        each(chosen);
        if chosen.len() < size {
            combinations(&all[place + 1..], size, chosen, each);
        }
        chosen.pop();
    }
}

/// Every way to take one item from each of `size` of the lists.
fn choose<T: Clone>(lists: &[Vec<T>], size: usize, chosen: &mut Vec<T>, each: &mut dyn FnMut(&[T])) {
    if chosen.len() == size {
        return each(chosen);
    }
    for (place, list) in lists.iter().enumerate() {
        for item in list {
            chosen.push(item.clone());
            choose(&lists[place + 1..], size, chosen, each);
            chosen.pop();
        }
    }
}

impl Model for Recovery {
    type State = Signed;
    type Action = Sign;

    fn init_states(&self) -> Vec<Signed> {
        let lies = |member| match self.equivocator {
            Some(liar) if liar == member => self.lies(member),
            _ => BTreeSet::new(),
        };
        vec![Signed((0..self.network.members()).map(lies).collect())]
    }

    fn actions(&self, state: &Signed, actions: &mut Vec<Sign>) {
        for member in 0..state.0.len() {
            match self.equivocator {
                Some(liar) if liar == member => self.proven(member, state, actions),
                _ => self.honest(member, state, actions),
            }
        }
    }

    fn next_state(&self, state: &Signed, action: Sign) -> Option<Signed> {
        let mut state = state.clone();
        state.0[action.member].insert(action.statement).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("two completions show an equivocation or a release", |model: &Self, state| {
                model.accountable(state)
            }),
            Property::always("honest members sign only what follows", |model: &Self, state| {
                model.founded(state)
            }),
            Property::sometimes("a completion", |model: &Self, state| {
                model.completed(state).next().is_some()
            }),
        ];
        if self.equivocator.is_none() && !self.releases {
            properties.push(Property::always("no two completions at all", |model: &Self, state| {
                !model.split(state)
            }));
        } else {
            // The danger is real: without accountability, nobody would know whom to ask.
            properties.push(Property::sometimes("two completions", |model: &Self, state| model.split(state)));
        }
        let honest = self.equivocator.is_none();
        if honest && self.network.places() == 1 && self.network.members() > 3 {
            properties.push(Property::sometimes("a locked round", |model: &Self, state| model.locked(state)));
        }
        if self.releases {
            properties
                .push(Property::sometimes("a release opens it", |model: &Self, state| model.released(state)));
        }
        properties
    }
}
