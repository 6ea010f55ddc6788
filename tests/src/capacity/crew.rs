//! A session of real agents: each a process of its own that checks what the others say, computes the proposal again
//! and agrees by itself.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use svdr_files::Replace;
use svdr_proto::v1::watch_response::Event;
use svdr_proto::v1::{self, SessionState};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::SessionId;

use super::load::connect;
use crate::agents::Agent;
use crate::binaries;
use crate::coordinator::Coordinator;

use crate::log_writer::traffic::Dice;
use crate::log_writer::{Entry, Format, LogWriter, Period, Style};
use crate::members::{SYNCHRONIZER, members};
use crate::network::{Failure, Network, opening};
use crate::sv_app::document;

/// The log of all, in the network's folder.
const LOG: &str = "participant.log";
const MINUTE: i64 = 60_000_000;
/// 2026-04-20T00:00:00Z, where the logs begin, in microseconds since the Unix epoch.
const START: i64 = 1_776_643_200_000_000;
/// The kind of envelope that says that a member agrees.
const AGREEMENT: &str = "application/vnd.svdr.v1.agreement+protobuf";
/// Where no SV app listens: agents that have agreed ask for their dump in vain, which is past what is measured.
const NO_APP: &str = "http://127.0.0.1:9/api/sv";

/// What a session came to.
pub(super) struct Ran {
    /// From the opening's submission to the agreement that completes the certificate, as somebody who watches sees it.
    pub(super) agreed: Duration,
    /// The most memory that the coordinator has had at once, in bytes.
    pub(super) peak_memory: u64,
}

/// Where the members' evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Each agent reads its logs once the session is open.
    Logs,
    /// It is signed already, and handed in with the opening. On one machine, agents that read logs measure the scan of
    /// hundreds of megabytes each.
    AtHand,
}

/// Agents that wait for a session.
pub(super) struct Crew {
    network: Network,
    coordinator: Coordinator,
    agents: Vec<Agent>,
    /// What is handed in behind the opening.
    at_hand: Vec<Envelope>,
    opened: Envelope,
}

impl Crew {
    /// Writes everybody's files, and starts the agents; returns once all wait for a session.
    pub(super) fn new(count: usize, ticks: usize, evidence: Evidence) -> Result<Crew, Failure> {
        let network = Network::new(count)?;
        let coordinator = Coordinator::start(network.path(), &[])?;
        let opened = network.sign(1, None, 1, opening(1))?;
        let session = Some(SessionId::of_open(&opened.digest()));
        let mut at_hand = Vec::new();
        match evidence {
            Evidence::Logs => write_log(&network.path().join(LOG), count, ticks)?,
            Evidence::AtHand => {
                for member in 1..=count {
                    let body = network.evidence_of(member, i64::try_from(ticks)?);
                    at_hand.push(network.sign(member, session, 2, body)?);
                }
            }
        }
        let mut agents = Vec::new();
        for member in 1..=count {
            agents.push(start(&network, &coordinator, member, evidence)?);
        }
        for agent in &agents {
            if !agent.logs("waiting for a convener") {
                return Err(format!("an agent does not wait for a session: {}", agent.log()).into());
            }
        }
        Ok(Crew { network, coordinator, agents, at_hand, opened })
    }

    /// Opens a session, and watches it until as many members as the threshold have agreed.
    pub(super) fn session(self) -> Result<Ran, Failure> {
        let session = SessionId::of_open(&self.opened.digest());
        let agreed = tokio::runtime::Runtime::new()?.block_on(async {
            let mut client = connect(&self.coordinator, &self.network, 1).await?;
            let started = Instant::now();
            client.submit(v1::SubmitRequest { statement: Some(self.opened.to_message()) }).await?;
            let submitted = self.at_hand.iter().map(|statement| {
                let (mut client, statement) = (client.clone(), Some(statement.to_message()));
                async move { client.submit(v1::SubmitRequest { statement }).await }
            });
            futures_util::future::try_join_all(submitted).await?;
            let request = v1::WatchRequest { session: session.to_string(), from: 0 };
            let mut watch = client.watch(request).await?.into_inner();
            let mut agreements = 0;
            while agreements < self.network.roster.threshold() {
                let news = watch.message().await?.ok_or("the watch has ended")?;
                let Some(Event::Entry(entry)) = news.event else { continue };
                agreements += usize::from(entry.statement.is_some_and(|one| one.payload_type == AGREEMENT));
            }
            let agreed = started.elapsed();
            let request = v1::GetSessionRequest { session: session.to_string() };
            let now = client.get_session(request).await?.into_inner().summary.unwrap_or_default();
            match now.state() {
                SessionState::Agreed | SessionState::Recovering => Ok::<_, Failure>(agreed),
                other => {
                    Err(format!("{agreements} members have agreed, but the session is {other:?}").into())
                }
            }
        })?;
        let peak_memory = self.coordinator.peak_memory()?;
        for agent in self.agents {
            agent.kill()?;
        }
        Ok(Ran { agreed, peak_memory })
    }
}

fn start(
    network: &Network,
    coordinator: &Coordinator,
    member: usize,
    evidence: Evidence,
) -> Result<Agent, Failure> {
    let folder = network.path().join(format!("sv-{member}"));
    fs::create_dir(&folder)?;
    let own = members(member).pop().ok_or("there is no such member")?;
    let identities =
        document::identities(&own.name, &own.participant, SYNCHRONIZER, member as u64).to_string();
    svdr_files::write_private(folder.join("identities.json"), identities.as_bytes(), Replace::Never)?;
    fs::write(folder.join("token"), "a token")?;
    let config = network.path().join(format!("agent-{member}.toml"));
    let (url, key) = (coordinator.url(), &coordinator.started.public_key);
    let logs = match evidence {
        Evidence::Logs => format!("[evidence]\nlogs = [\"{LOG}\"]\n"),
        Evidence::AtHand => String::new(),
    };
    let text = format!(
        "roster = \"roster.toml\"\napproval = \"automatic\"\ngrace = \"1ms\"\n\
         [signing]\nkey = \"member-{member}.key\"\n\
         [[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n\
         {logs}[sv_app]\nurl = \"{NO_APP}\"\ntoken_file = \"sv-{member}/token\"\nmigration_id = 6\n\
         [node_identities]\nbackup = \"sv-{member}/identities.json\"\n\
         [output]\ndir = \"sv-{member}/dumps\"\n"
    );
    fs::write(&config, text)?;
    let mut command = Command::new(binaries::agent());
    command.args(["run", "--config"]).arg(config).env_remove("RUST_LOG");
    Ok(Agent::start(command)?)
}

/// The log of a participant at level INFO that agrees with everybody every minute. One stands for all: it names each
/// member as a sender, and what it says of the member that reads it does not count. For 128 members and two days it has
/// a hundred megabytes, and a hundred of those would measure the disk.
fn write_log(path: &Path, count: usize, ticks: usize) -> Result<(), Failure> {
    let senders = members(count);
    let mut log = LogWriter::new(BufWriter::new(File::create(path)?), Style::new(Format::Text));
    let mut dice = Dice::new(1);
    for nth in 1..=i64::try_from(ticks)? {
        let to = START + nth * MINUTE;
        let period = Period { from: to - MINUTE, to };
        for (place, sender) in senders.iter().enumerate() {
            let at = to + i64::try_from(place)? * 1000;
            let mut entry = Entry::matched(at, SYNCHRONIZER, &dice.trace(), &sender.participant, period);
            // From this protocol version on a participant's log names itself too, so that one log can be everybody's.
            entry.logger = entry.logger.replace("::34-0", "::36-0");
            log.write(&entry)?;
        }
    }
    log.finish()?.into_inner().map_err(|error| error.into_error())?;
    Ok(())
}
