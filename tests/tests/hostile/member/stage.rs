//! The hostile member, and the three beside it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_client::{CallError, Connection, Coordinator as Address, Coordinators};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::Ticks;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Agreement, AnyStatement, Attestation, Body, Header, Part, Proposal, SessionId, Statement, Verified,
};
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::Agent;
use tokio::runtime::Runtime;

use svdr_tests::town::Town;

/// The number of the hostile member.
pub(crate) const HOSTILE: usize = 4;
/// Its name.
pub(crate) const NAME: &str = "Example-SV-4";

/// The hostile member's connection.
pub(crate) struct Hostile<'a> {
    town: &'a Town,
    pub(crate) session: SessionId,
    runtime: Runtime,
    connection: Connection,
    sequence: Cell<u64>,
}

impl<'a> Hostile<'a> {
    pub(crate) fn new(town: &'a Town, session: SessionId) -> Hostile<'a> {
        let runtime = Runtime::new().unwrap();
        let address = Address { url: town.relay.url(), key: town.coordinator_key() };
        let coordinators = Coordinators::new(vec![address], town.agents.network.key(HOSTILE)).unwrap();
        let connection = runtime.block_on(coordinators.connect(0)).unwrap();
        Hostile { town, session, runtime, connection, sequence: Cell::new(1000) }
    }

    pub(crate) fn next(&self) -> u64 {
        self.sequence.set(self.sequence.get() + 1);
        self.sequence.get()
    }

    pub(crate) fn sign(&self, body: Body) -> Envelope {
        self.sign_as(self.next(), body)
    }

    /// Signs under a sequence number.
    pub(crate) fn sign_as(&self, sequence: u64, body: Body) -> Envelope {
        self.town.agents.network.sign(HOSTILE, Some(self.session), sequence, body).unwrap()
    }

    pub(crate) fn submit(&mut self, statement: &Envelope) -> Result<(), CallError> {
        loop {
            match self.runtime.block_on(self.connection.submit(statement)) {
                Err(error) if error.is_passing() => std::thread::yield_now(),
                other => return other.map(drop),
            }
        }
    }

    /// Signs and submits what the coordinator has to accept.
    pub(crate) fn say(&mut self, body: Body) {
        let statement = self.sign(body);
        self.submit(&statement).unwrap();
    }

    /// The session as the coordinator has it.
    pub(crate) fn folded(&mut self) -> Session {
        let page = self.runtime.block_on(self.connection.transcript(self.session, 0)).unwrap();
        assert!(page.is_last);
        let roster = Arc::new(self.town.agents.network.roster.clone());
        let mut entries = page.entries.into_iter().map(|entry| entry.statement);
        let opened = Verified::read(entries.next().unwrap(), &roster).unwrap();
        let mut session = Session::open(Arc::new(opened), Arc::clone(&roster)).unwrap();
        for statement in entries {
            session.add(&AnyStatement::read(statement, &roster).unwrap()).unwrap();
        }
        session
    }

    /// Waits until so many members have reported, and gives the ticks that they match each other at.
    pub(crate) fn ticks(&mut self, reported: usize) -> Ticks {
        ticks_of(&self.wait(|session| session.evidence().len() >= reported))
    }

    /// Waits until the session is as wanted.
    pub(crate) fn wait(&mut self, wanted: impl Fn(&Session) -> bool) -> Session {
        let end = std::time::Instant::now() + svdr_tests::agents::LIMIT;
        loop {
            let session = self.folded();
            if wanted(&session) {
                return session;
            }
            assert!(std::time::Instant::now() < end, "{:?}", session.phase());
            std::thread::yield_now();
        }
    }

    /// A proposal as another coordinator signs it, that the opening lists.
    pub(crate) fn by_coordinator(&self, proposal: Proposal) -> Envelope {
        let key = svdr_cli::signing_key::read(&self.town.agents.network.path().join("second.key")).unwrap();
        self.proposed_with(&key, proposal)
    }

    /// A proposal in the coordinator's name under a key that the opening does not list.
    pub(crate) fn by_impostor(&self, proposal: Proposal) -> Envelope {
        self.proposed_with(&SigningKey::from_bytes(&[50; 32]), proposal)
    }

    fn proposed_with(&self, key: &SigningKey, proposal: Proposal) -> Envelope {
        let header = Header {
            session: Some(self.session),
            roster: self.town.agents.network.roster.fingerprint(),
            drill: false,
            signer: "coordinator".parse().unwrap(),
            sequence: self.next(),
            software: "hostile".to_owned(),
        };
        Statement { header, body: Body::Proposal(proposal) }.sign(key).unwrap()
    }
}

/// The ticks that members of the session match each other at.
pub(crate) fn ticks_of(session: &Session) -> Ticks {
    let evidence = session.evidence();
    let Some(Body::Evidence(first)) = evidence.values().next().map(|one| one.body()) else { unreachable!() };
    first.about.values().next().unwrap().matches.clone()
}

/// The three run; the hostile one has reported as well, so that there is a proposal.
pub(crate) fn proposed<'a>(town: &'a Town, session: SessionId) -> (Vec<Agent>, Hostile<'a>, Digest) {
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    let mut hostile = Hostile::new(town, session);
    let ticks = hostile.ticks(3);
    hostile.say(town.agents.network.evidence_at(HOSTILE, &ticks));
    let folded = hostile.wait(|session| session.latest_round() == 1);
    let proposal = folded.proposals(1).next().unwrap().digest();
    (agents, hostile, proposal)
}

pub(crate) fn agreement(round: u32, proposal: Digest) -> Body {
    Body::Agreement(Agreement { round, proposal, attested: BTreeMap::new(), elsewhere: BTreeMap::new() })
}

pub(crate) fn attestation(round: u32, proposal: Digest, at: Timestamp, dump: &[u8]) -> Body {
    Body::Attestation(Attestation {
        round,
        proposal,
        recovery_timestamp: at,
        migration_id: 6,
        dump: Part { name: String::new(), digest: Digest::of(dump), size: 6, file: None },
        parts: Vec::new(),
        started: at,
        finished: at,
        received: None,
    })
}

/// What a member's operator sees.
pub(crate) fn seen(town: &Town, member: usize, args: &[&str]) -> String {
    let output = town.agents.command(member, args).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// Member 1, 2 and 3 agree, as their operators.
pub(crate) fn agree(town: &Town, session: SessionId) {
    for member in 1..=3 {
        seen(town, member, &["agree", &session.to_string(), "--yes"]);
    }
}

/// Each has done its part.
pub(crate) fn all_finish(agents: Vec<Agent>) {
    for agent in agents {
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
        let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(document["attested"], true, "{}", finished.log);
    }
}
