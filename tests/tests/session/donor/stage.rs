//! A completed round of three members, and a fourth without a dump.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Instant;

use serde_json::Value;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Attestation, Body, Donation, SessionId};
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::{Agent, LIMIT};
use svdr_tests::relay::Relay;
use svdr_tests::sv_app::document::{self, Flaw};
use svdr_tests::sv_app::{Options, SnapshotShape};

use svdr_tests::town::Town;

/// Bytes of active contracts in a whole snapshot: a donated one takes 12 messages and more.
const ACS: u64 = 3_000_000;
/// The donor, the member without a dump, and their names.
pub(crate) const DONOR: usize = 1;
pub(crate) const RECEIVER: usize = 4;
pub(crate) const DONOR_NAME: &str = "Example-SV-1";

/// Bytes of the stream after which it stands still: some messages, and less than the snapshot.
const SOME: u64 = 1_500_000;
/// Bytes of the snapshot that have arrived by then at least.
const ARRIVED: u64 = 1 << 20;

pub(crate) struct Stage {
    pub(crate) town: Town,
    pub(crate) session: SessionId,
    /// Stands before the donor's endpoint.
    pub(crate) relay: Relay,
}

fn town(app: impl Fn(usize, Options) -> Options) -> Town {
    Town::with_apps(4, "automatic", |place, options| {
        app(place, Options { snapshot: SnapshotShape::with_acs(7, ACS), ..options })
    })
}

impl Stage {
    /// The fourth member has reported nothing, so that the round leaves it behind.
    pub(crate) fn left_behind() -> Stage {
        let town = town(|_, options| options);
        let session = town.agents.open(&[]).unwrap();
        let agents: Vec<Agent> = (1..=3).map(|member| town.run(member)).collect();
        for agent in &agents {
            assert!(agent.logs("signed evidence"), "{}", agent.log());
        }
        let end = Instant::now() + LIMIT;
        // The coordinator may not have all evidence yet.
        while let Err(error) = town.agents.convene(&["propose", &session.to_string()]) {
            assert!(Instant::now() < end, "{error}");
        }
        for agent in agents {
            let finished = agent.finish().unwrap();
            assert!(finished.status.success(), "{}", finished.log);
        }
        Stage { town, session, relay: Relay::start().unwrap() }
    }

    /// The fourth member has agreed, but its SV app is pruned beyond the timestamp: its agent is at work still.
    pub(crate) fn pruned() -> (Stage, Agent) {
        let town = town(|place, options| match place + 1 {
            RECEIVER => Options { pruned_until: Some(Timestamp::MAX), ..options },
            _ => options,
        });
        let session = town.agents.open(&[]).unwrap();
        let agents: Vec<Agent> = (1..=3).map(|member| town.run(member)).collect();
        let fourth = town.run(RECEIVER);
        assert!(fourth.logs("signed obstacle"), "{}", fourth.log());
        for agent in agents {
            let finished = agent.finish().unwrap();
            assert!(finished.status.success(), "{}", finished.log);
        }
        (Stage { town, session, relay: Relay::start().unwrap() }, fourth)
    }

    pub(crate) fn id(&self) -> String {
        self.session.to_string()
    }

    fn party(&self) -> String {
        let identities = &self.town.agents.apps[DONOR - 1].options().identities;
        identities["identities"]["dso_party_id"].as_str().unwrap().to_owned()
    }

    /// The arguments of `donate`, with an endpoint behind the relay.
    fn donate_args(&self, more: &[&str]) -> Vec<String> {
        let args = ["donate", &self.id(), "--yes", "--dso-party", &self.party(), "--output", "json"];
        let endpoint = ["--donor-listen", "127.0.0.1:0", "--donor-url", &self.relay.url()];
        args.iter().chain(&endpoint).chain(more).map(|one| (*one).to_owned()).collect()
    }

    /// Starts the donor, waits until it serves, and leads the relay there.
    pub(crate) fn donate(&self) -> Agent {
        let args = self.donate_args(&[]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let donor = self.town.agents.start(DONOR, &args).unwrap();
        assert!(donor.logs("serving the snapshot"), "{}", donor.log());
        let log = donor.log();
        let after = log.split("members on ").nth(1).unwrap();
        self.relay.lead_to(Some(after.split(',').next().unwrap().parse().unwrap()));
        donor
    }

    /// Runs `donate` to its end.
    pub(crate) fn donate_once(&self, member: usize, more: &[&str]) -> Output {
        let args = self.donate_args(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.town.agents.command(member, &args).unwrap()
    }

    /// Starts the receiver.
    pub(crate) fn receive(&self, more: &[&str]) -> Agent {
        let id = self.id();
        let mut args = vec!["receive", &id, "--from", DONOR_NAME, "--yes", "--output", "json"];
        args.extend(more);
        self.town.agents.start(RECEIVER, &args).unwrap()
    }

    /// Starts the receiver, whose transfer stands still in the middle until the relay allows more.
    pub(crate) fn receive_half(&self, more: &[&str]) -> Agent {
        self.relay.allow(Some(SOME));
        let receiver = self.receive(more);
        self.arrived(ARRIVED);
        receiver
    }

    /// Waits for a receiver, which has to end well; gives what it printed.
    pub(crate) fn received(&self, receiver: Agent) -> Value {
        let finished = receiver.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// Waits for a receiver, which has to end with that code; gives its log.
    pub(crate) fn refused(&self, receiver: Agent, code: i32) -> String {
        let finished = receiver.finish().unwrap();
        assert_eq!(finished.status.code(), Some(code), "{}", finished.log);
        finished.log
    }

    /// The session as the coordinator has it, everything in it verified.
    pub(crate) fn seen(&self) -> Session {
        let report = self.town.transcript(self.session);
        assert!(report.holds(), "{report:?}");
        report.sessions[0].session.clone()
    }

    /// The donations that were signed.
    pub(crate) fn donations(&self) -> Vec<Donation> {
        let seen = self.seen();
        let donations = seen.statements().filter_map(|one| match one.body() {
            Body::Donation(donation) => Some(donation.clone()),
            _ => None,
        });
        donations.collect()
    }

    /// What the fourth member attested.
    pub(crate) fn attestation(&self) -> Option<Attestation> {
        let seen = self.seen();
        let mut own = seen.statements().filter(|one| one.signer().as_str() == "Example-SV-4");
        own.find_map(|one| match one.body() {
            Body::Attestation(attestation) => Some(attestation.clone()),
            _ => None,
        })
    }

    /// The DSO party's snapshot as the donor's SV app answers it.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let seen = self.seen();
        let at = seen.agreement_certificate(1).unwrap().plan().recovery_timestamp();
        let shape = SnapshotShape::with_acs(7, ACS).of_the_dso_party();
        document::snapshot(shape, at, 6, Flaw::Sound).flatten().collect()
    }

    pub(crate) fn dumps(&self, member: usize) -> PathBuf {
        self.town.agents.folder(member).join("dumps")
    }

    /// Names in the receiver's folder that begin or end so.
    pub(crate) fn left_in_dumps(&self, part: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dumps(RECEIVER)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(part)).collect()
    }

    /// Waits until so many bytes have arrived in the partial file.
    fn arrived(&self, bytes: u64) {
        let end = Instant::now() + LIMIT;
        loop {
            let partial = self.left_in_dumps(".partial");
            let len = partial.first().and_then(|name| fs::metadata(self.dumps(RECEIVER).join(name)).ok());
            if len.is_some_and(|metadata| metadata.len() >= bytes) {
                return;
            }
            assert!(Instant::now() < end, "{bytes} bytes did not arrive");
            std::thread::yield_now();
        }
    }

    /// What must hold once the receiver has received: its dump is the donor's snapshot with its own identities, attested
    /// as such, and nothing else is left.
    pub(crate) fn assert_received(&self, received: &Value) {
        let dump: Value =
            serde_json::from_slice(&fs::read(received["dump"].as_str().unwrap()).unwrap()).unwrap();
        let snapshot: Value = serde_json::from_slice(&self.snapshot()).unwrap();
        assert_eq!(dump["data_snapshot"], snapshot["data_snapshot"]);
        let own = &self.town.agents.apps[RECEIVER - 1].options().identities;
        assert_eq!(dump["identities"], own["identities"]);
        let attestation = self.attestation().unwrap();
        assert_eq!(attestation.dump.digest.to_string(), received["sha256"].as_str().unwrap());
        let from = attestation.received.unwrap();
        assert_eq!(from.from.as_str(), DONOR_NAME);
        assert_eq!(from.donation.to_string(), received["donation"].as_str().unwrap());
        assert!(self.left_in_dumps(".partial").is_empty());
        assert!(self.left_in_dumps(".tmp").is_empty());
    }

    /// What must hold where nothing was received: no dump, no vote, and nothing that looks finished.
    pub(crate) fn assert_nothing(&self) {
        assert!(self.attestation().is_none());
        assert!(self.left_in_dumps("domain_migration_dump").is_empty());
        assert!(self.left_in_dumps(".tmp").is_empty());
    }
}
