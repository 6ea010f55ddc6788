//! A network of a few members for tests: their keys, their roster, and the statements they sign.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use crate::digest::Digest;
use crate::evidence::{Evidence, Observations, Ticks};
use crate::keys::PublicKey;
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::roster::Roster;
use crate::sequencing::{Fence, Sequencing, TopologyTimes};
use crate::session::Session;
use crate::statement::{
    Abandonment, Agreement, Attestation, Body, Header, Open, Part, PlanKind, Proposal, Release, SessionId,
    Statement, Verified,
};
use crate::time::{Tick, Timestamp};
use crate::vote::{Dump, Record, Voter};

/// Members `SV-0`, `SV-1`, …, of whom the first two are conveners.
pub(crate) struct Net {
    pub(crate) roster: Arc<Roster>,
    sequence: Cell<u64>,
    nonce: Cell<u8>,
}

pub(crate) fn key(member: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(member).unwrap() + 1; 32])
}

pub(crate) fn coordinator_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_776_000_000_000_000 + seconds * 1_000_000).unwrap()
}

pub(crate) fn part(name: &str) -> Part {
    Part { name: name.to_owned(), digest: Digest::of(name.as_bytes()), size: 7, file: None }
}

pub(crate) fn dump(recovery_timestamp: Timestamp) -> Dump {
    Dump {
        recovery_timestamp,
        migration_id: 6,
        whole: part(""),
        parts: vec![part("acs_snapshot")],
        started: at(0),
        finished: at(60),
        received: None,
    }
}

impl Net {
    pub(crate) fn new(members: usize) -> Net {
        let member = |at: usize| {
            let public = PublicKey::from(key(at).verifying_key());
            let convener = at < 2;
            format!(
                "[[member]]\nname = \"SV-{at}\"\nparticipant = \"PAR::sv-{at}::abc\"\nkey = \"{public}\"\nconvener = {convener}\n"
            )
        };
        let members: String = (0..members).map(member).collect();
        let text = format!("network = \"N\"\nsynchronizer = \"global::abc\"\n{members}");
        Net { roster: Arc::new(Roster::parse(&text).unwrap()), sequence: Cell::new(0), nonce: Cell::new(0) }
    }

    pub(crate) fn name(&self, member: usize) -> MemberName {
        self.roster.members()[member].name.clone()
    }

    pub(crate) fn statement(&self, member: usize, session: Option<SessionId>, body: Body) -> Statement {
        self.sequence.set(self.sequence.get() + 1);
        Statement {
            header: Header {
                session,
                roster: self.roster.fingerprint(),
                drill: false,
                signer: self.name(member),
                sequence: self.sequence.get(),
                software: "test 1".to_owned(),
            },
            body,
        }
    }

    pub(crate) fn verified(&self, statement: &Statement, member: usize) -> Arc<Verified> {
        Arc::new(Verified::read(statement.sign(&key(member)).unwrap(), &self.roster).unwrap())
    }

    pub(crate) fn sign(&self, member: usize, session: SessionId, body: Body) -> Arc<Verified> {
        self.verified(&self.statement(member, Some(session), body), member)
    }

    pub(crate) fn open_after(&self, predecessors: BTreeSet<SessionId>, drill: bool) -> Session {
        self.open_with(predecessors, drill, Vec::new())
    }

    /// A session whose opening lists these coordinators.
    pub(crate) fn open_with(
        &self,
        predecessors: BTreeSet<SessionId>,
        drill: bool,
        coordinators: Vec<PublicKey>,
    ) -> Session {
        self.nonce.set(self.nonce.get() + 1);
        let open = Open {
            reason: "CometBFT forked".to_owned(),
            margin: Duration::from_secs(900),
            migration_id: 6,
            predecessors,
            nonce: [self.nonce.get(); 16],
            coordinators,
            plan: PlanKind::Dump,
        };
        let mut statement = self.statement(0, None, Body::Open(open));
        statement.header.drill = drill;
        Session::open(self.verified(&statement, 0), Arc::clone(&self.roster)).unwrap()
    }

    pub(crate) fn open(&self) -> Session {
        self.open_after(BTreeSet::new(), false)
    }

    /// Matches with everybody else at these seconds.
    pub(crate) fn evidence(&self, member: usize, seconds: &[i64]) -> Body {
        let of = &self.roster.members()[member];
        let ticks: Ticks = seconds.iter().map(|seconds| Tick(at(*seconds))).collect();
        let others = self.roster.members().iter().filter(|other| other.name != of.name);
        let about: BTreeMap<_, _> = others
            .map(|other| {
                let about = Observations { matches: ticks.clone(), mismatches: Ticks::default() };
                (other.name.clone(), about)
            })
            .collect();
        Body::Evidence(Evidence {
            member: of.name.clone(),
            participant: of.participant.clone(),
            synchronizers: [self.roster.synchronizer().short()].into(),
            log_span: None,
            about,
            unattributed_mismatches: 0,
        })
    }

    /// A proposal as a coordinator with this key signs it.
    pub(crate) fn by_coordinator(
        &self,
        key: &SigningKey,
        session: &Session,
        proposal: Proposal,
    ) -> Arc<Verified> {
        let mut statement = self.statement(0, Some(session.id()), Body::Proposal(proposal));
        statement.header.signer = "coordinator".parse().unwrap();
        statement.header.drill = session.drill();
        Arc::new(Verified::read(statement.sign(key).unwrap(), &self.roster).unwrap())
    }

    /// What a member's nodes have seen of the old physical synchronizer at these seconds.
    pub(crate) fn sequencing(&self, member: usize, last: i64, topology: Option<i64>) -> Sequencing {
        Sequencing {
            member: self.name(member),
            physical_synchronizer: PhysicalSynchronizerId::new(self.roster.synchronizer(), 35, 1),
            protocol_version: Some(35),
            sequencer: Some(format!("SEQ::sv-{member}::abc")),
            last_sequenced: at(last),
            block_height: Some(3672),
            topology: topology
                .map(|sequenced| TopologyTimes { sequenced: at(sequenced), effective: at(last) }),
            participant_record_time: Some(at(last)),
            announcement: None,
            fence: Some(Fence { at: at(last + 1), reached: false }),
            sources: [("last_sequenced".to_owned(), "sequencer log".to_owned())].into(),
            warnings: vec!["read from a copy".to_owned()],
        }
    }

    /// A session in which everybody has reported.
    pub(crate) fn gathered(&self) -> Session {
        self.gather(self.open())
    }

    pub(crate) fn gather(&self, mut session: Session) -> Session {
        for member in 0..self.roster.members().len() {
            let body = self.evidence(member, &[0, 3600, 7200]);
            let mut statement = self.statement(member, Some(session.id()), body);
            statement.header.drill = session.drill();
            session.insert(self.verified(&statement, member)).unwrap();
        }
        session
    }

    /// The proposal of the next round by the first member, put into the session.
    pub(crate) fn propose(&self, session: &mut Session) -> Digest {
        let round = session.latest_round() + 1;
        let mut parameters = session.parameters();
        // Each round asks for another timestamp: three ticks are reported.
        let newest = [7200, 3600, 0][usize::try_from(round - 1).unwrap() % 3];
        parameters.not_after = Some(at(newest - 900));
        let proposal = session.next_proposal(&parameters).unwrap();
        let signed = self.sign_in(0, session, Body::Proposal(proposal));
        let digest = signed.digest();
        session.insert(signed).unwrap();
        digest
    }

    /// Signs in a session, as a drill if it is one.
    pub(crate) fn sign_in(&self, member: usize, session: &Session, body: Body) -> Arc<Verified> {
        let mut statement = self.statement(member, Some(session.id()), body);
        statement.header.drill = session.drill();
        self.verified(&statement, member)
    }

    pub(crate) fn say(&self, member: usize, session: &mut Session, body: Body) -> Arc<Verified> {
        let signed = self.sign_in(member, session, body);
        session.insert(Arc::clone(&signed)).unwrap();
        signed
    }

    /// Agrees if the voting rules allow it, and panics otherwise.
    pub(crate) fn agree(&self, member: usize, session: &mut Session, proposal: &Digest) -> Arc<Verified> {
        let me = self.name(member);
        let record = Record::new();
        let decision = Voter::new(&me, &record, session, &[]).agree(proposal);
        let crate::vote::Decision::Sign(agreement) = decision else { panic!("{decision:?}") };
        self.say(member, session, Body::Agreement(agreement))
    }

    /// Attests if the voting rules allow it, and panics otherwise.
    pub(crate) fn attest(&self, member: usize, session: &mut Session, round: u32) -> Arc<Verified> {
        let me = self.name(member);
        let record = Record::new();
        let voter = Voter::new(&me, &record, session, &[]);
        let decision = voter.dump(round);
        let crate::vote::Decision::Sign(plan) = decision else { panic!("{decision:?}") };
        let decision = voter.attest(round, &dump(plan.recovery_timestamp()));
        let crate::vote::Decision::Sign(attestation) = decision else { panic!("{decision:?}") };
        self.say(member, session, Body::Attestation(attestation))
    }

    /// A session whose first round is agreed by the first members, enough of them.
    pub(crate) fn agreed(&self) -> (Session, Digest) {
        let mut session = self.gathered();
        let proposal = self.propose(&mut session);
        for member in 0..self.roster.threshold() {
            self.agree(member, &mut session, &proposal);
        }
        (session, proposal)
    }
}

pub(crate) fn agreement(round: u32, proposal: Digest) -> Body {
    Body::Agreement(Agreement { round, proposal, attested: BTreeMap::new(), elsewhere: BTreeMap::new() })
}

pub(crate) fn attestation(round: u32, proposal: Digest, recovery_timestamp: Timestamp) -> Attestation {
    let dump = dump(recovery_timestamp);
    Attestation {
        round,
        proposal,
        recovery_timestamp,
        migration_id: dump.migration_id,
        dump: dump.whole,
        parts: dump.parts,
        started: dump.started,
        finished: dump.finished,
        received: dump.received,
    }
}

pub(crate) fn abandonment(round: u32) -> Body {
    Body::Abandonment(Abandonment { round, reason: "pruned".to_owned() })
}

pub(crate) fn release(round: u32, attestation: Digest) -> Body {
    Body::Release(Release { round, attestation, reason: "two of four are gone".to_owned() })
}
