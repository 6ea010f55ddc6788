//! A session for tests: real keys, signed statements, and nothing random, so that screens can be compared.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_protocol::digest::Digest;
use svdr_protocol::evidence::{Evidence, LogSpan, Observations};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Abandonment, Agreement, Attestation, Body, Confirmation, Donation, Header, Obstacle, ObstacleKind, Open,
    Part, PlanKind, Received, Rejection, Release, Statement, Verified,
};
use svdr_protocol::time::{Tick, Timestamp};

/// The members, the first of whom is the convener.
pub const MEMBERS: [&str; 4] = ["Digital-Asset-1", "Digital-Asset-2", "Cumberland", "SV-Nodeops"];

/// A session, and the keys of its members.
pub struct Meeting {
    /// The roster.
    pub roster: Arc<Roster>,
    /// The session so far.
    pub session: Session,
    /// Every statement, in the order in which it was made.
    pub said: Vec<Arc<Verified>>,
    sequences: BTreeMap<usize, u64>,
}

/// The key of the member at `at`.
pub fn key(at: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(at + 1).unwrap(); 32])
}

/// The key of the coordinator that the opening lists.
pub fn coordinator_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

/// The name of the member at `at`.
pub fn name(at: usize) -> MemberName {
    MEMBERS[at].parse().unwrap()
}

/// The text of the roster.
pub fn roster_text() -> String {
    let mut text = "network = \"DevNet\"\nsynchronizer = \"global-domain::1220".to_owned();
    text += &"be".repeat(32);
    text += "\"\n";
    for (at, name) in MEMBERS.iter().enumerate() {
        let key = PublicKey::from(key(at).verifying_key());
        let fingerprint = format!("1220{}", format!("{:02x}", 0xa0 + at).repeat(32));
        text += &format!(
            "[[member]]\nname = \"{name}\"\nparticipant = \"PAR::{name}::{fingerprint}\"\nkey = \"{key}\"\n"
        );
        text += if at == 0 { "convener = true\n" } else { "" };
    }
    text
}

/// A time on the day of the disaster, `HH:MM:SS`.
pub fn at(time: &str) -> Timestamp {
    format!("2026-04-21T{time}Z").parse().unwrap()
}

impl Meeting {
    /// Opens a session.
    pub fn open(drill: bool) -> Meeting {
        let roster = Arc::new(Roster::parse(&roster_text()).unwrap());
        let open = Open {
            reason: "global synchronizer stopped at 23:26".to_owned(),
            margin: Duration::from_secs(900),
            migration_id: 6,
            predecessors: Default::default(),
            nonce: [7; 16],
            coordinators: vec![coordinator_key().verifying_key().into()],
            plan: PlanKind::Dump,
        };
        let header = Header {
            session: None,
            roster: roster.fingerprint(),
            drill,
            signer: name(0),
            sequence: 1,
            software: "fixture".to_owned(),
        };
        let envelope = Statement { header, body: Body::Open(open) }.sign(&key(0)).unwrap();
        let opened = Arc::new(Verified::read(envelope, &roster).unwrap());
        let session = Session::open(Arc::clone(&opened), Arc::clone(&roster)).unwrap();
        Meeting { roster, session, said: vec![opened], sequences: [(0, 1)].into() }
    }

    /// A member makes a statement.
    pub fn say(&mut self, by: usize, body: Body) -> Arc<Verified> {
        let sequence = self.sequences.entry(by).or_default();
        *sequence += 1;
        let header = Header {
            session: Some(self.session.id()),
            roster: self.roster.fingerprint(),
            drill: self.session.drill(),
            signer: name(by),
            sequence: *sequence,
            software: "fixture".to_owned(),
        };
        let envelope = Statement { header, body }.sign(&key(by)).unwrap();
        let said = Arc::new(Verified::read(envelope, &self.roster).unwrap());
        self.session.insert(Arc::clone(&said)).unwrap();
        self.said.push(Arc::clone(&said));
        said
    }

    /// A member reports matches with all others at each of `ticks`.
    pub fn report(&mut self, by: usize, ticks: &[&str]) {
        let others = (0..MEMBERS.len()).filter(|other| *other != by);
        let matches = || ticks.iter().map(|tick| Tick(at(tick))).collect();
        let about =
            others.map(|other| (name(other), Observations { matches: matches(), ..Observations::default() }));
        let evidence = Evidence {
            member: name(by),
            participant: self.roster.member(&name(by)).unwrap().participant.clone(),
            synchronizers: [self.roster.synchronizer().short()].into(),
            log_span: Some(LogSpan { first: at("20:00:00"), last: at("23:31:12") }),
            about: about.collect(),
            unattributed_mismatches: 0,
        };
        self.say(by, Body::Evidence(evidence));
    }

    /// The first three report up to the newest tick, the fourth has stopped earlier.
    pub fn report_all(&mut self) {
        for by in 0..3 {
            self.report(by, &["22:55:00", "23:24:00", "23:25:00"]);
        }
        self.report(3, &["22:55:00"]);
    }

    /// The convener proposes with these parameters, or with the session's own.
    pub fn propose(&mut self, parameters: Option<&Parameters>) -> Digest {
        let own = self.session.parameters();
        let proposal = self.session.next_proposal(parameters.unwrap_or(&own)).unwrap();
        self.say(0, Body::Proposal(proposal)).digest()
    }

    /// A member agrees to the proposal.
    pub fn agree(&mut self, by: usize, proposal: Digest) -> Arc<Verified> {
        let round = self.round(&proposal);
        let (attested, elsewhere) = (BTreeMap::new(), BTreeMap::new());
        self.say(by, Body::Agreement(Agreement { round, proposal, attested, elsewhere }))
    }

    /// A member rejects the proposal.
    pub fn reject(&mut self, by: usize, proposal: Digest, reason: &str) {
        let (round, reason) = (self.round(&proposal), reason.to_owned());
        self.say(by, Body::Rejection(Rejection { round, proposal, reason }));
    }

    /// A member attests its dump, whose ACS snapshot has the content `acs`: on a real network that of every member has
    /// another.
    pub fn attest(&mut self, by: usize, proposal: Digest, acs: &str) -> Arc<Verified> {
        self.attest_with(by, proposal, acs, "genesis")
    }

    /// The same, with a genesis state of its own.
    pub fn attest_with(&mut self, by: usize, proposal: Digest, acs: &str, genesis: &str) -> Arc<Verified> {
        let verified = Arc::clone(self.session.statement(&proposal).unwrap());
        let Body::Proposal(content) = verified.body() else { panic!("{proposal} is no proposal") };
        let part = |name: &str, content: &str, size| Part {
            name: name.to_owned(),
            digest: Digest::of(content.as_bytes()),
            size,
            file: None,
        };
        let attestation = Attestation {
            round: content.round,
            proposal,
            recovery_timestamp: content.plan.recovery_timestamp(),
            migration_id: content.plan.migration_id(),
            dump: part("", &format!("{by} {acs}"), 1_234_567_890),
            parts: vec![part("acs_snapshot", acs, 1_200_000_000), part("genesis_state", genesis, 42_000)],
            started: at("23:40:00"),
            finished: at("23:52:00"),
            received: None,
        };
        self.say(by, Body::Attestation(attestation))
    }

    /// A member donates the DSO party's snapshot, whose ACS snapshot has the content `acs`.
    pub fn donate(&mut self, by: usize, proposal: Digest, acs: &str, url: Option<&str>) -> Arc<Verified> {
        let verified = Arc::clone(self.session.statement(&proposal).unwrap());
        let Body::Proposal(content) = verified.body() else { panic!("{proposal} is no proposal") };
        let part = |name: &str, size| Part {
            name: name.to_owned(),
            digest: Digest::of(format!("{name} {acs}").as_bytes()),
            size,
            file: None,
        };
        let donation = Donation {
            round: content.round,
            proposal,
            recovery_timestamp: content.plan.recovery_timestamp(),
            migration_id: content.plan.migration_id(),
            party: "DSO::1220be58".to_owned(),
            snapshot: part("", 1_100_000_000),
            parts: vec![part("acs_snapshot", 800_000_000)],
            url: url.map(str::to_owned),
        };
        self.say(by, Body::Donation(donation))
    }

    /// A member attests a dump made of what was donated, or not quite: its ACS snapshot has the content `acs`.
    pub fn attest_received(&mut self, by: usize, donated: &Verified, acs: &str) -> Arc<Verified> {
        let Body::Donation(donation) = donated.body() else { panic!("no donation") };
        let mut parts = donation.parts.clone();
        parts[0].digest = Digest::of(format!("acs_snapshot {acs}").as_bytes());
        let attestation = Attestation {
            round: donation.round,
            proposal: donation.proposal,
            recovery_timestamp: donation.recovery_timestamp,
            migration_id: donation.migration_id,
            dump: Part { digest: Digest::of(b"received"), ..donation.snapshot.clone() },
            parts,
            started: at("23:55:00"),
            finished: at("23:58:00"),
            received: Some(Received { from: donated.signer().clone(), donation: donated.digest() }),
        };
        self.say(by, Body::Attestation(attestation))
    }

    /// A member's SV app cannot make the dump.
    pub fn obstacle(&mut self, by: usize, proposal: Digest, kind: ObstacleKind, text: &str) {
        let verified = Arc::clone(self.session.statement(&proposal).unwrap());
        let Body::Proposal(content) = verified.body() else { panic!("{proposal} is no proposal") };
        let (round, recovery_timestamp) = (content.round, content.plan.recovery_timestamp());
        let text = text.to_owned();
        self.say(by, Body::Obstacle(Obstacle { round, kind, recovery_timestamp, text }));
    }

    /// A member promises not to attest a round.
    pub fn abandon(&mut self, by: usize, round: u32, reason: &str) {
        self.say(by, Body::Abandonment(Abandonment { round, reason: reason.to_owned() }));
    }

    /// A member takes an attestation back.
    pub fn release(&mut self, by: usize, round: u32, attestation: Digest, reason: &str) {
        self.say(by, Body::Release(Release { round, attestation, reason: reason.to_owned() }));
    }

    /// A member confirms what its new participant's logs say about others: matches and mismatches.
    pub fn confirm(&mut self, by: usize, proposal: Digest, about: &[(usize, &[&str], &[&str])]) {
        let ticks = |times: &[&str]| times.iter().map(|time| Tick(at(time))).collect();
        let about = about.iter().map(|(other, matches, mismatches)| {
            (name(*other), Observations { matches: ticks(matches), mismatches: ticks(mismatches) })
        });
        let evidence = Evidence {
            member: name(by),
            participant: self.roster.member(&name(by)).unwrap().participant.clone(),
            synchronizers: [self.roster.synchronizer().short()].into(),
            log_span: Some(LogSpan { first: at("23:56:00"), last: at("23:59:30") }),
            about: about.collect(),
            unattributed_mismatches: 0,
        };
        let round = self.round(&proposal);
        self.say(by, Body::Confirmation(Confirmation { round, proposal, evidence }));
    }

    fn round(&self, proposal: &Digest) -> u32 {
        match self.session.statement(proposal).unwrap().body() {
            Body::Proposal(proposal) => proposal.round,
            body => panic!("{} is no proposal", body.kind()),
        }
    }
}
