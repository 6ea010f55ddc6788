//! One real agent, member 2, on a stage: a coordinator that lies, and members whose keys the test has.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_proto::v1;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::Ticks;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Agreement, Attestation, Body, Header, Part, Proposal, SessionId, Statement, Verified,
};
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::{Agent, Agents};
use svdr_tests::liar::Liar;
use svdr_tests::network::{milestone, opening};

/// The member whose agent is real.
pub(crate) const REAL: usize = 2;

pub(crate) struct Stage {
    pub(crate) agents: Agents,
    pub(crate) liar: Liar,
    pub(crate) session: SessionId,
    pub(crate) opening: Envelope,
    sequence: Cell<u64>,
}

impl Stage {
    /// A session of four that the liar lists and shows.
    pub(crate) fn new() -> Stage {
        let agents = Agents::new(4, |_, options| options).unwrap();
        let liar = Liar::start(agents.network.path(), "coordinator.key", &agents.network.roster).unwrap();
        agents.configure("automatic", &[liar.configured()]).unwrap();
        let opening = agents.network.sign(1, None, 1, opening(1)).unwrap();
        let session = SessionId::of_open(&opening.digest());
        liar.list(session, false);
        liar.show(session, &opening);
        Stage { agents, liar, session, opening, sequence: Cell::new(100) }
    }

    pub(crate) fn run(&self) -> Agent {
        self.agents.run(REAL, &[], &[]).unwrap()
    }

    /// Runs the agent in the session, whether the liar lists it or not.
    pub(crate) fn run_in_session(&self) -> Agent {
        self.agents.run(REAL, &["--session", &self.session.to_string()], &[]).unwrap()
    }

    /// What the agent says when it is run against the liar and ends as refused.
    pub(crate) fn refused(&self) -> String {
        ended(self.run())
    }

    pub(crate) fn next(&self) -> u64 {
        self.sequence.set(self.sequence.get() + 1);
        self.sequence.get()
    }

    /// Signs in the session, as a member, from 1.
    pub(crate) fn sign(&self, member: usize, body: Body) -> Envelope {
        self.agents.network.sign(member, Some(self.session), self.next(), body).unwrap()
    }

    /// Signs in the session as a member and shows it.
    pub(crate) fn say(&self, member: usize, body: Body) -> Digest {
        let statement = self.sign(member, body);
        self.liar.show(self.session, &statement);
        statement.digest()
    }

    pub(crate) fn mark(&self, member: usize, name: &str) -> Envelope {
        self.sign(member, milestone(name))
    }

    /// A proposal under a key that is in no roster, as a coordinator makes it.
    pub(crate) fn by_nobody(&self, proposal: Proposal) -> Envelope {
        self.unsigned(Body::Proposal(proposal)).sign(&SigningKey::from_bytes(&[50; 32])).unwrap()
    }

    fn unsigned(&self, body: Body) -> Statement {
        let header = Header {
            session: Some(self.session),
            roster: self.agents.network.roster.fingerprint(),
            drill: false,
            signer: "coordinator".parse().unwrap(),
            sequence: self.next(),
            software: "liar".to_owned(),
        };
        Statement { header, body }
    }

    /// The same payload with another signature.
    pub(crate) fn by_stranger(&self, statement: &Envelope) -> Envelope {
        let payload = statement.verify().unwrap().payload().to_vec();
        Envelope::sign(statement.payload_type().to_owned(), payload, &SigningKey::from_bytes(&[51; 32]))
    }

    /// Waits for the agent's evidence, and shows the other members', which matches it.
    pub(crate) fn gather(&self) {
        let roster = &self.agents.network.roster;
        let ticks: Option<Ticks> =
            self.liar.wait_for(|one| match Verified::read(one.clone(), roster).ok()?.body() {
                Body::Evidence(evidence) => evidence.about.values().next().map(|about| about.matches.clone()),
                _ => None,
            });
        let ticks = ticks.unwrap();
        for member in [1, 3, 4] {
            self.say(member, self.agents.network.evidence_at(member, &ticks));
        }
    }

    /// The session as what is shown makes it, for somebody who looks closely.
    pub(crate) fn folded(&self) -> Session {
        let roster = Arc::new(self.agents.network.roster.clone());
        let opened = Verified::read(self.opening.clone(), &roster).unwrap();
        let mut session = Session::open(Arc::new(opened), Arc::clone(&roster)).unwrap();
        for entry in self.liar.shown(self.session) {
            let envelope = Envelope::from_message(entry.statement.unwrap()).unwrap();
            if let Ok(one) = Verified::read(envelope, &roster) {
                // What does not belong here is no part of it.
                let _ = session.insert(Arc::new(one));
            }
        }
        session
    }

    /// The proposal that follows from what is shown.
    pub(crate) fn proposal(&self) -> Proposal {
        let session = self.folded();
        session.next_proposal(&session.parameters()).unwrap()
    }

    /// Floods who reads with valid proposals under a key that is in no roster.
    pub(crate) fn flood(&self) {
        let proposal = self.proposal();
        self.liar.flood(self.unsigned(Body::Proposal(proposal)));
    }

    /// The key of the liar.
    pub(crate) fn coordinator_key(&self) -> SigningKey {
        svdr_cli::signing_key::read(&self.agents.network.path().join("coordinator.key")).unwrap()
    }

    /// Runs the convener's commands that read a transcript: each must end as refused, and say this.
    pub(crate) fn reading_is_refused(&self, words: &str) {
        let session = self.session.to_string();
        let out = self.agents.network.path().join("refused.jsonl");
        let readers: [&[&str]; 5] = [
            &["show", &session],
            &["export", &session, "--out", out.to_str().unwrap()],
            &["watch", &session],
            &["propose", &session],
            &["abort", &session, "--reason", "all is well"],
        ];
        for reader in readers {
            let (code, printed) = self.convene(reader);
            assert_eq!(code, Some(3), "{reader:?}: {printed}");
            assert!(printed.contains(words), "{reader:?}: {printed}");
            assert!(!printed.contains('\u{1b}'), "{reader:?}: {printed}");
        }
        assert!(!out.exists());
    }

    fn convening(&self, args: &[&str]) -> Command {
        let mut command = Command::new(svdr_tests::binaries::coordinator());
        command.args(["session", "--config"]).arg(self.agents.config(1)).args(args).env_remove("RUST_LOG");
        command
    }

    /// Starts `svdr-coordinator session` as the convener.
    pub(crate) fn start_convening(&self, args: &[&str]) -> Agent {
        Agent::start(self.convening(args)).unwrap()
    }

    /// Runs `svdr-coordinator session` as the convener; its exit code, and what it printed.
    pub(crate) fn convene(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.convening(args).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// Waits until the agent has handed in a statement of this kind, and gives it.
    pub(crate) fn submitted(&self, kind: &str) -> Verified {
        let roster = &self.agents.network.roster;
        let found = self.liar.wait_for(|one| {
            let one = Verified::read(one.clone(), roster).ok()?;
            (one.body().kind() == kind).then_some(one)
        });
        found.unwrap()
    }

    /// The kinds of all that the agent has signed, by its store, which has to be what it handed in.
    pub(crate) fn signed(&self) -> Vec<String> {
        let folder = self.agents.state(REAL).join(self.session.to_string());
        let names = std::fs::read_dir(folder).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut numbered: Vec<String> =
            names.filter(|name| name.starts_with(|first: char| first.is_ascii_digit())).collect();
        numbered.sort();
        let kind =
            |name: &String| name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
        numbered.iter().map(|name| kind(name).trim_end_matches(".json").to_owned()).collect()
    }

    /// How many proofs against the coordinator the agent keeps.
    pub(crate) fn proofs(&self) -> usize {
        let folder = self.agents.state(REAL).join(self.session.to_string());
        let names = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("proof-")).count()
    }

    /// Shows a statement that is left out with a word about it, and waits for that word: the agent has looked at all
    /// that was shown before.
    pub(crate) fn seen(&self, agent: &Agent) {
        let last = self.by_stranger(&self.mark(4, &format!("last-{}", self.next())));
        self.liar.show(self.session, &last);
        assert!(agent.logs(&last.digest().to_string()), "{}", agent.log());
    }
}

/// Waits for the end of a run that has to end as refused; what it logged.
pub(crate) fn ended(agent: Agent) -> String {
    let finished = agent.finish().unwrap();
    assert_eq!(finished.status.code(), Some(3), "{}", finished.log);
    finished.log
}

pub(crate) fn agreement(round: u32, proposal: Digest) -> Body {
    Body::Agreement(Agreement { round, proposal, attested: BTreeMap::new(), elsewhere: BTreeMap::new() })
}

pub(crate) fn attestation(round: u32, proposal: Digest, recovery_timestamp: Timestamp) -> Body {
    let dump = Part { name: String::new(), digest: Digest::of(b"a dump"), size: 6, file: None };
    Body::Attestation(Attestation {
        round,
        proposal,
        recovery_timestamp,
        migration_id: 6,
        dump,
        parts: Vec::new(),
        started: recovery_timestamp,
        finished: recovery_timestamp,
        received: None,
    })
}

/// The entry of a statement with the receipt of another.
pub(crate) fn with_statement(entry: &v1::TranscriptEntry, statement: &Envelope) -> v1::TranscriptEntry {
    v1::TranscriptEntry { statement: Some(statement.to_message()), ..entry.clone() }
}

/// The statement with a byte of its payload changed.
pub(crate) fn altered(statement: &Envelope) -> Envelope {
    let mut message = statement.to_message();
    if let Some(last) = message.payload.last_mut() {
        *last ^= 1;
    }
    Envelope::from_message(message).unwrap()
}
