//! The members of a model, their sessions, and everything that they ever sign.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_protocol::digest::Digest;
use svdr_protocol::evidence::{Evidence, Observations, Ticks};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Body, Header, Open, Part, PlanKind, Proposal, SessionId, Statement, Verified,
};
use svdr_protocol::time::{Tick, Timestamp};
use svdr_protocol::vote::Dump;

/// A statement, by its place among all that were ever signed.
pub(crate) type Id = u16;

/// A proposal that members may agree to.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The place of its session.
    pub(crate) session: usize,
    /// Its round.
    pub(crate) round: u32,
    /// Its digest.
    pub(crate) proposal: Digest,
    /// What it recovers to.
    pub(crate) recovery_timestamp: Timestamp,
    /// Whether it follows from evidence that everybody has.
    pub(crate) follows: bool,
}

/// Members, sessions with evidence and proposals, and a table of statements.
pub(crate) struct Network {
    pub(crate) roster: Arc<Roster>,
    pub(crate) slots: Vec<Slot>,
    /// Each session by the number of rounds that are known of it.
    bases: Vec<Vec<Session>>,
    table: Mutex<Table>,
    /// Whether it is one that was recorded: then there are no keys, and what is signed is what was signed.
    is_recorded: bool,
}

#[derive(Default)]
struct Table {
    statements: Vec<Arc<Verified>>,
    ids: HashMap<Digest, Id>,
    /// The proposal that each attests, where it is an attestation.
    attests: Vec<Option<Digest>>,
}

/// Ticks that everybody reports; each round recovers to another one.
const TICKS: [i64; 4] = [0, 3600, 7200, 10800];

/// Whether it is one of the statements that the voting rules are about.
pub(crate) const fn is_vote(body: &Body) -> bool {
    matches!(body, Body::Agreement(_) | Body::Attestation(_) | Body::Abandonment(_) | Body::Release(_))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_776_000_000_000_000 + seconds * 1_000_000).unwrap()
}

/// The key of the coordinator that openings list.
fn coordinator_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

fn key(member: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(member).unwrap() + 1; 32])
}

impl Network {
    /// One session of `rounds` rounds.
    pub(crate) fn rounds(members: usize, rounds: u32) -> Network {
        let mut network = Network::empty(members);
        let mut session = network.open(0);
        network.bases.push(vec![session.clone()]);
        for round in 1..=rounds {
            let tick = TICKS[TICKS.len() - usize::try_from(round).unwrap()];
            network.propose(0, &mut session, round, tick);
            network.bases[0].push(session.clone());
        }
        network
    }

    /// One session of one round with two proposals.
    pub(crate) fn proposals(members: usize) -> Network {
        let mut network = Network::empty(members);
        let mut session = network.open(0);
        let unproposed = session.clone();
        for tick in [TICKS[3], TICKS[2]] {
            network.propose(0, &mut session, 1, tick);
        }
        network.bases.push(vec![unproposed, session]);
        network
    }

    /// One session of one round, in which the last member proposes as it likes: what does not follow from the evidence,
    /// what names evidence that nobody has, and what follows but leaves a member out. A coordinator that the opening lists
    /// proposes what follows for all.
    pub(crate) fn steered(members: usize) -> Network {
        let mut network = Network::empty(members);
        let mut session = network.open(0);
        let unproposed = session.clone();
        let liar = members - 1;
        let honest = session.next_proposal(&session.parameters()).unwrap();
        let mut invented = honest.clone();
        invented.candidate.history_lost_seconds += 1;
        let mut withheld = honest.clone();
        withheld.evidence.insert(Digest::of(b"evidence that nobody has"));
        let mut parameters = session.parameters();
        parameters.excluded = [network.name(0)].into();
        parameters.not_after = Some(at(TICKS[2] - 900));
        parameters.threshold = 2;
        let without = session.next_proposal(&parameters).unwrap();
        let header = |signer| network.header(signer, Some(session.id()));
        let by_coordinator = network.verified(
            header("coordinator".parse().unwrap()),
            Body::Proposal(honest),
            &coordinator_key(),
        );
        let by_liar = [(invented, false), (withheld, false), (without, true)].map(|(proposal, follows)| {
            (network.verified(header(network.name(liar)), Body::Proposal(proposal), &key(liar)), follows)
        });
        for (signed, follows) in [(by_coordinator, true)].into_iter().chain(by_liar) {
            let Body::Proposal(proposal) = signed.body() else { continue };
            let recovery_timestamp = proposal.plan.recovery_timestamp();
            let digest = signed.digest();
            network.slots.push(Slot { session: 0, round: 1, proposal: digest, recovery_timestamp, follows });
            session.insert(signed).unwrap();
        }
        network.bases.push(vec![unproposed, session]);
        network
    }

    /// Two sessions of one round each.
    pub(crate) fn sessions(members: usize) -> Network {
        let mut network = Network::empty(members);
        for (place, tick) in [(0, TICKS[3]), (1, TICKS[2])] {
            let mut session = network.open(u8::try_from(place).unwrap());
            let unproposed = session.clone();
            network.propose(place, &mut session, 1, tick);
            network.bases.push(vec![unproposed, session]);
        }
        network
    }

    fn empty(members: usize) -> Network {
        let member = |at: usize| {
            let public = PublicKey::from(key(at).verifying_key());
            format!(
                "[[member]]\nname = \"SV-{at}\"\nparticipant = \"PAR::sv-{at}::abc\"\nkey = \"{public}\"\nconvener = {}\n",
                at == 0 || at + 1 == members
            )
        };
        let members: String = (0..members).map(member).collect();
        let roster = Roster::parse(&format!("network = \"N\"\nsynchronizer = \"global::abc\"\n{members}"));
        Network {
            roster: Arc::new(roster.unwrap()),
            slots: Vec::new(),
            bases: Vec::new(),
            table: Mutex::default(),
            is_recorded: false,
        }
    }

    /// The one session of a recording: all of it but the votes is known from the beginning, round by round.
    pub(crate) fn recorded(roster: Arc<Roster>, statements: &[Arc<Verified>]) -> Network {
        let (votes, others): (Vec<_>, Vec<_>) =
            statements.iter().cloned().partition(|one| is_vote(one.body()));
        let (proposals, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|one| matches!(one.body(), Body::Proposal(_)));
        let mut session = Session::fold(Arc::clone(&roster), others).unwrap();
        let mut network = Network {
            roster,
            slots: Vec::new(),
            bases: vec![vec![session.clone()]],
            table: Mutex::default(),
            is_recorded: true,
        };
        for signed in proposals {
            let Body::Proposal(proposal) = signed.body().clone() else { continue };
            let round = proposal.round;
            assert_eq!(round, network.rounds_of(0) + 1, "recordings have one proposal a round");
            let recovery_timestamp = proposal.plan.recovery_timestamp();
            let proposal = signed.digest();
            network.slots.push(Slot { session: 0, round, proposal, recovery_timestamp, follows: true });
            session.insert(signed).unwrap();
            network.bases[0].push(session.clone());
        }
        for vote in votes {
            network.remember(vote);
        }
        network
    }

    fn open(&self, nonce: u8) -> Session {
        let open = Open {
            reason: "the synchronizer is lost".to_owned(),
            margin: Duration::from_secs(900),
            migration_id: 6,
            predecessors: BTreeSet::new(),
            nonce: [nonce; 16],
            coordinators: vec![coordinator_key().verifying_key().into()],
            plan: PlanKind::Dump,
        };
        let opened = self.signed(0, None, Body::Open(open));
        let mut session = Session::open(opened, Arc::clone(&self.roster)).unwrap();
        for (place, member) in self.roster.members().iter().enumerate() {
            let ticks: Ticks = TICKS.iter().map(|seconds| Tick(at(*seconds))).collect();
            let others = self.roster.members().iter().filter(|other| other.name != member.name);
            let matched = Observations { matches: ticks, mismatches: Ticks::default() };
            let evidence = Evidence {
                member: member.name.clone(),
                participant: member.participant.clone(),
                synchronizers: BTreeSet::new(),
                log_span: None,
                about: others.map(|other| (other.name.clone(), matched.clone())).collect(),
                unattributed_mismatches: 0,
            };
            let signed = self.signed(place, Some(session.id()), Body::Evidence(evidence));
            session.insert(signed).unwrap();
        }
        session
    }

    fn propose(&mut self, place: usize, session: &mut Session, round: u32, tick: i64) {
        let mut parameters = session.parameters();
        parameters.not_after = Some(at(tick - 900));
        let proposal = Proposal { round, ..session.next_proposal(&parameters).unwrap() };
        let recovery_timestamp = proposal.plan.recovery_timestamp();
        let signed = self.signed(0, Some(session.id()), Body::Proposal(proposal));
        let proposal = signed.digest();
        session.insert(signed).unwrap();
        self.slots.push(Slot { session: place, round, proposal, recovery_timestamp, follows: true });
    }

    fn header(&self, signer: MemberName, session: Option<SessionId>) -> Header {
        Header {
            session,
            roster: self.roster.fingerprint(),
            drill: false,
            signer,
            sequence: 1,
            software: String::new(),
        }
    }

    fn signed(&self, member: usize, session: Option<SessionId>, body: Body) -> Arc<Verified> {
        self.verified(self.header(self.name(member), session), body, &key(member))
    }

    fn verified(&self, header: Header, body: Body, key: &SigningKey) -> Arc<Verified> {
        let envelope = Statement { header, body }.sign(key).unwrap();
        Arc::new(Verified::read(envelope, &self.roster).unwrap())
    }

    pub(crate) fn members(&self) -> usize {
        self.roster.members().len()
    }

    pub(crate) fn name(&self, member: usize) -> MemberName {
        self.roster.members()[member].name.clone()
    }

    /// The session at that place, as far as `rounds` rounds of it are known, with nothing agreed.
    pub(crate) fn base(&self, place: usize, rounds: u32) -> &Session {
        &self.bases[place][usize::try_from(rounds).unwrap()]
    }

    /// How many rounds the session at that place has.
    pub(crate) fn rounds_of(&self, place: usize) -> u32 {
        u32::try_from(self.bases[place].len() - 1).unwrap()
    }

    pub(crate) fn places(&self) -> usize {
        self.bases.len()
    }

    /// Signs as a member, and gives the statement's place in the table. A recorded member has signed what was
    /// recorded, and nothing else: `None` then.
    pub(crate) fn sign(&self, member: usize, place: usize, body: Body) -> Option<Id> {
        if self.is_recorded {
            return self.found(member, |one| *one == body);
        }
        Some(self.remember(self.signed(member, Some(self.base(place, 0).id()), body)))
    }

    /// The place of the recorded statement of a member whose body is that one.
    fn found(&self, member: usize, is_it: impl Fn(&Body) -> bool) -> Option<Id> {
        let (name, table) = (self.name(member), self.table.lock().unwrap());
        let place = table.statements.iter().position(|one| *one.signer() == name && is_it(one.body()));
        place.map(|place| Id::try_from(place).unwrap())
    }

    /// Puts a statement into the table, once, and gives its place.
    pub(crate) fn remember(&self, signed: Arc<Verified>) -> Id {
        let mut table = self.table.lock().unwrap();
        let next = Id::try_from(table.statements.len()).unwrap();
        if let Some(known) = table.ids.get(&signed.digest()) {
            return *known;
        }
        table.ids.insert(signed.digest(), next);
        table.attests.push(match signed.body() {
            Body::Attestation(attestation) => Some(attestation.proposal),
            _ => None,
        });
        table.statements.push(signed);
        next
    }

    /// How many of the statements attest a proposal.
    pub(crate) fn attesting<'a>(&self, ids: impl Iterator<Item = &'a Id>, proposal: &Digest) -> usize {
        let table = self.table.lock().unwrap();
        ids.filter(|id| table.attests[usize::from(**id)].as_ref() == Some(proposal)).count()
    }

    pub(crate) fn statement(&self, id: Id) -> Arc<Verified> {
        Arc::clone(&self.table.lock().unwrap().statements[usize::from(id)])
    }

    /// The session at that place, with `rounds` rounds of proposals and those of the statements that are its own.
    pub(crate) fn session(&self, place: usize, rounds: u32, known: &[Id]) -> Session {
        let mut session = self.base(place, rounds).clone();
        for statement in known.iter().map(|id| self.statement(*id)) {
            if statement.session() == Some(session.id()) {
                session.insert(statement).unwrap();
            }
        }
        session
    }

    /// The dump that a member makes for a slot: the recorded one, or the same bytes for everybody.
    pub(crate) fn dump(&self, member: usize, slot: &Slot) -> Dump {
        let of_slot = |one: &Body| matches!(one, Body::Attestation(said) if said.proposal == slot.proposal);
        if self.is_recorded
            && let Some(id) = self.found(member, of_slot)
            && let Body::Attestation(made) = self.statement(id).body().clone()
        {
            return Dump {
                recovery_timestamp: made.recovery_timestamp,
                migration_id: made.migration_id,
                whole: made.dump,
                parts: made.parts,
                started: made.started,
                finished: made.finished,
                received: made.received,
            };
        }
        Dump {
            recovery_timestamp: slot.recovery_timestamp,
            migration_id: 6,
            whole: Part {
                name: String::new(),
                digest: Digest::of(&slot.recovery_timestamp.micros().to_be_bytes()),
                size: 1,
                file: None,
            },
            parts: Vec::new(),
            started: at(0),
            finished: at(0),
            received: None,
        }
    }

    /// The reason that a member gives for abandoning a round: its operator's, where it is recorded.
    pub(crate) fn reason(&self, member: usize, round: u32) -> String {
        let of_round = |one: &Body| matches!(one, Body::Abandonment(said) if said.round == round);
        let recorded = if self.is_recorded { self.found(member, of_round) } else { None };
        match recorded.map(|id| self.statement(id).body().clone()) {
            Some(Body::Abandonment(said)) => said.reason,
            _ => String::new(),
        }
    }

    /// The opening and the proposal of a slot.
    pub(crate) fn head_of(&self, slot: &Slot) -> [Arc<Verified>; 2] {
        let session = self.base(slot.session, slot.round);
        [Arc::clone(session.opened()), Arc::clone(session.statement(&slot.proposal).unwrap())]
    }

    /// Statements by who signed them.
    pub(crate) fn by_member(
        &self,
        ids: impl IntoIterator<Item = Id>,
    ) -> BTreeMap<MemberName, Vec<Arc<Verified>>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for statement in ids.into_iter().map(|id| self.statement(id)) {
            all.entry(statement.signer().clone()).or_default().push(statement);
        }
        all
    }
}
