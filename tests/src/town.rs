//! A network of agents with a coordinator behind a relay, and what must hold of every session.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test that needs it")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::agents::{Agent, Agents, Finished, LIMIT};
use crate::coordinator::Coordinator;
use crate::relay::Relay;
use crate::sv_app::{Options, export};
use sha2::{Digest as _, Sha256};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::{Body, SessionId, Verified};
use svdr_protocol::transcript::{self, Report};

/// Members with agents, and a coordinator behind a relay.
pub struct Town {
    /// The members.
    pub agents: Agents,
    /// Leads to the coordinator.
    pub relay: Relay,
    /// Leads to nobody, until another coordinator takes the first one's place.
    pub spare: Relay,
    coordinator: Option<Coordinator>,
}

impl Town {
    /// Agents that agree by themselves.
    pub fn new(count: usize) -> Town {
        Town::with_approval(count, "automatic")
    }

    /// Agents with this `approval` in their configuration.
    pub fn with_approval(count: usize, approval: &str) -> Town {
        Town::with_apps(count, approval, |_, options| options)
    }

    /// Agents that agree by themselves and know one coordinator only.
    pub fn alone(count: usize) -> Town {
        let town = Town::new(count);
        let only = [(town.relay.url(), town.coordinator_key().to_string())];
        town.agents.configure("automatic", &only).unwrap();
        town
    }

    /// Agents whose SV apps are as `app` makes them of their place, from 0.
    pub fn with_apps(count: usize, approval: &str, app: impl Fn(usize, Options) -> Options) -> Town {
        let agents = Agents::new(count, app).unwrap();
        let (relay, spare) = (Relay::start().unwrap(), Relay::start().unwrap());
        let coordinator = Coordinator::start(agents.network.path(), &[]).unwrap();
        relay.lead_to(Some(coordinator.started.address));
        let second = svdr_cli::signing_key::create(&agents.network.path().join("second.key")).unwrap();
        let coordinators = [
            (relay.url(), coordinator.started.public_key.clone()),
            (spare.url(), PublicKey::to_string(&second)),
        ];
        agents.configure(approval, &coordinators).unwrap();
        Town { agents, relay, spare, coordinator: Some(coordinator) }
    }

    /// Runs a member's agent, by its number from 1.
    pub fn run(&self, member: usize) -> Agent {
        self.agents.run(member, &[], &[]).unwrap()
    }

    /// Kills the coordinator, and starts it again on its journal.
    pub fn restart_coordinator(&mut self) {
        self.relay.lead_to(None);
        self.coordinator.take().unwrap().kill().unwrap();
        let again = Coordinator::start(self.agents.network.path(), &[]).unwrap();
        self.relay.lead_to(Some(again.started.address));
        self.coordinator = Some(again);
    }

    /// Kills the coordinator for good, and starts another one, with its own key and an empty journal.
    pub fn replace_coordinator(&mut self) {
        self.relay.lead_to(None);
        self.coordinator.take().unwrap().kill().unwrap();
        let folder = self.agents.network.path().join("second");
        fs::create_dir(&folder).unwrap();
        for (from, to) in [("second.key", "coordinator.key"), ("roster.toml", "roster.toml")] {
            fs::copy(self.agents.network.path().join(from), folder.join(to)).unwrap();
        }
        let second = Coordinator::start(&folder, &[]).unwrap();
        self.spare.lead_to(Some(second.started.address));
        self.coordinator = Some(second);
    }

    /// Kills the coordinator, and moves its journal to a folder of that name.
    pub fn put_away_journal(&mut self, name: &str) {
        self.relay.lead_to(None);
        self.coordinator.take().unwrap().kill().unwrap();
        let folder = self.agents.network.path();
        fs::rename(folder.join("data"), folder.join(name)).unwrap();
    }

    /// Starts the coordinator with its key, on a copy of the journal in the folder of that name, or on an empty one.
    ///
    /// # Errors
    /// What it printed on stderr, if it ends instead.
    pub fn start_on_journal(&mut self, name: Option<&str>) -> io::Result<()> {
        let folder = self.agents.network.path();
        if let Some(name) = name {
            copy_folder(&folder.join(name), &folder.join("data"))?;
        }
        let started = Coordinator::start(folder, &[])?;
        self.relay.lead_to(Some(started.started.address));
        self.coordinator = Some(started);
        Ok(())
    }

    /// Puts a coordinator with another key in the place of the first.
    pub fn impersonate(&mut self) {
        self.replace_coordinator();
        let address = self.coordinator.as_ref().unwrap().started.address;
        self.relay.lead_to(Some(address));
        self.spare.lead_to(None);
    }

    /// The key of the coordinator that runs.
    pub fn coordinator_key(&self) -> PublicKey {
        self.coordinator.as_ref().unwrap().started.public_key.parse().unwrap()
    }

    /// Where the coordinator that runs listens.
    pub fn coordinator_address(&self) -> SocketAddr {
        self.coordinator.as_ref().unwrap().started.address
    }

    /// The statement that opened a session.
    pub fn opening(&self, session: SessionId) -> Envelope {
        self.transcript(session).sessions[0].session.opened().envelope().clone()
    }

    /// Waits until a member's agent has so many receipts of the coordinator on disk; false where that takes too
    /// long.
    pub fn receipts(&self, member: usize, session: SessionId, count: usize) -> bool {
        let folder = self.agents.state(member).join(session.to_string());
        let lines = || -> usize {
            let entries = fs::read_dir(&folder).into_iter().flatten().map_while(Result::ok);
            let logs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("receipts-"));
            logs.map(|log| fs::read_to_string(log.path()).unwrap_or_default().lines().count())
                .max()
                .unwrap_or(0)
        };
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if lines() >= count {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    /// The coordinator's transcript, verified as anybody would.
    pub fn transcript(&self, session: SessionId) -> Report {
        let path = self.agents.network.path().join("transcript.jsonl");
        let out = path.to_str().unwrap();
        self.agents.convene(&["export", &session.to_string(), "--out", out, "--force"]).unwrap();
        let text = fs::read(&path).unwrap();
        let lines = text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        transcript::verify(
            lines.map(|(at, line)| (at + 1, line)),
            &Arc::new(self.agents.network.roster.clone()),
        )
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// What runs that did their part have printed.
pub fn documents(finished: &[Finished]) -> Vec<serde_json::Value> {
    let document = |one: &Finished| {
        assert!(one.status.success(), "{}", one.log);
        serde_json::from_str(&one.stdout).unwrap()
    };
    finished.iter().map(document).collect()
}

/// What must hold once a session of honest members is over: it is completed, everything in the transcript holds,
/// nobody contradicted itself, nobody voted twice, every store's votes are those of the transcript, and every dump is
/// what was attested.
pub fn assert_sound(town: &Town, session: SessionId) {
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
    assert!(report.equivocations.is_empty() && report.forks.is_empty());
    let folded = &report.sessions[0];
    assert_eq!(folded.phase, Phase::Completed(1));
    assert_eq!(folded.completed.len(), 1);
    let mut votes: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for one in folded.session.statements().filter(|one| one.by_member()) {
        if matches!(one.body(), Body::Evidence(_) | Body::Agreement(_) | Body::Attestation(_)) {
            *votes.entry((one.signer().to_string(), one.body().kind())).or_default() += 1;
        }
    }
    assert!(votes.values().all(|count| *count == 1), "{votes:?}");
    let timestamp = folded.completed[0].recovery_timestamp();
    for member in 1..=town.agents.apps.len() {
        let folder = town.agents.state(member).join(session.to_string());
        for envelope in signed(&folder) {
            let one = Verified::read(envelope, &town.agents.network.roster).unwrap();
            assert!(
                folded.session.statement(&one.digest()).is_some(),
                "{} did not arrive",
                one.body().kind()
            );
            if let Body::Attestation(attestation) = one.body() {
                assert_eq!(attestation.recovery_timestamp, timestamp);
                let dumps = town.agents.folder(member).join("dumps");
                let name = format!("domain_migration_dump-{}-r1", &session.to_string()[..8]);
                let single = dumps.join(format!("{name}.json"));
                // One in several files has a folder of its own.
                let dump = if single.exists() { single } else { dumps.join(name).join(export::DUMP) };
                let dump = fs::read(dump).unwrap();
                assert_eq!(Sha256::digest(&dump).as_slice(), attestation.dump.digest.as_bytes());
            }
        }
    }
}

fn signed(folder: &Path) -> Vec<Envelope> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let numbered = |name: &String| name.starts_with(|first: char| first.is_ascii_digit());
    names
        .filter(numbered)
        .map(|name| Envelope::from_json(&fs::read(folder.join(name)).unwrap()).unwrap())
        .collect()
}
