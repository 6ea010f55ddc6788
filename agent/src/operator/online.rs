//! What the operator's commands share: configuration, roster, key, store and coordinators, and the session that an
//! operator means.
//!
//! They are short-lived clients beside `run`: they read and write the same store under its lock, and submit what
//! they sign themselves. Where no coordinator can be reached they go by what the store holds, and say so.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::screens::choice;
use svdr_cli::screens::coordinators::{self, CoordinatorFacts};
use svdr_cli::screens::facts::SessionFacts;
use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::SessionId;

use super::signer;
use crate::config::{AgentConfig, ConfigError};
use crate::replica::{self, Ledger, Replica, ReplicaError};
use crate::roster_file;
use crate::store::{Signer, Store};
use svdr_client::{CallError, Connection, Coordinator, Coordinators};

/// Configuration, roster, key and state of the agent.
#[derive(Clone, Debug, Default, Args)]
pub struct OnlineArgs {
    /// The agent's configuration [default: agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The roster [default: roster of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_ROSTER")]
    pub roster: Option<PathBuf>,
    /// This member's signing key [default: the key of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// The state folder of the agent [default: output.state, or the folder state in output.dir]
    #[arg(long, value_name = "DIR", env = "SVDR_STATE")]
    pub state: Option<PathBuf>,
}

/// Why there is no session to look at, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
enum OnlineError {
    #[error(
        "there is no session yet\nhelp: ask a convener to open one with `svdr-coordinator session open --reason \"…\"`"
    )]
    NoSession,
    #[error(
        "no coordinator can be reached, and the store {} does not contain session {session}\nhelp: try again when a \
         coordinator can be reached", state.display()
    )]
    NotStored { session: SessionId, state: PathBuf },
}

impl CommandError for OnlineError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Whether a failure is about what a coordinator said or did, so that another one may do better.
fn is_of_coordinator(failure: &Failure) -> bool {
    let error = failure.error();
    error.is::<CallError>() || error.downcast_ref().is_some_and(ReplicaError::is_of_coordinator)
}

/// This member, with everything it needs to take part.
#[derive(Debug)]
pub struct Online {
    /// The configuration.
    pub config: AgentConfig,
    /// The roster.
    pub roster: Arc<Roster>,
    /// Who signs.
    pub signer: Signer,
    /// What it has signed and seen.
    pub store: Store,
    /// The coordinators.
    pub coordinators: Coordinators,
}

/// A session as it is known now.
#[derive(Debug)]
pub struct Seen {
    /// The session.
    pub view: Replica,
    /// Other sessions that the voting rules reach across to.
    pub others: Vec<Replica>,
    /// The coordinator that it comes from; `None` where none could be reached.
    pub connection: Option<Connection>,
    /// Sessions that have not ended, besides this one.
    pub also_open: Vec<SessionId>,
    /// The coordinators of the configuration, as the store knows them.
    pub contacts: Vec<CoordinatorFacts>,
}

impl Seen {
    /// What there is to know about the session, for a screen of this member.
    pub fn facts(&self) -> SessionFacts {
        let others: Vec<&Session> = self.others.iter().map(Replica::session).collect();
        let facts = SessionFacts::among(self.view.session(), &others);
        SessionFacts { contacts: self.contacts.clone(), ..facts }
    }
}

impl Online {
    /// Reads everything that the commands need.
    ///
    /// # Errors
    /// Where anything of it is missing or wrong.
    pub fn open(args: &OnlineArgs) -> Result<Online, Failure> {
        let config = AgentConfig::load(args.config.as_deref())?;
        let roster_file = args.roster.clone().or_else(|| config.roster.clone());
        let key_file = args.signing_key.clone().or_else(|| config.signing_key.clone());
        let state = args.state.clone().or_else(|| config.state());
        let (Some(roster_file), Some(key_file), Some(state)) = (&roster_file, &key_file, &state) else {
            let missing = [
                roster_file.is_none().then(|| config.missing_roster()),
                key_file.is_none().then(|| config.missing_signing_key()),
                state.is_none().then(|| config.missing_output_dir("--state", "SVDR_STATE")),
            ];
            return Err(ConfigError::Missing { missing: missing.into_iter().flatten().collect() }.into());
        };
        let roster = Arc::new(roster_file::read(roster_file)?);
        let signer = signer::read(key_file, &roster, roster_file)?;
        let coordinators = Coordinators::new(config.coordinators.clone(), &signer.key)?;
        let store = Store::open(state)?;
        store.mend(&roster)?;
        Ok(Online { config, roster, signer, store, coordinators })
    }

    /// This member's name.
    pub const fn me(&self) -> &MemberName {
        &self.signer.member
    }

    /// The session that `prefix` begins the id of; the newest that has not ended where none is given, and the
    /// newest of all where each has. Of the coordinators, the first that can be reached and sends what holds; what the
    /// store has, with a warning, where none can be reached.
    ///
    /// # Errors
    /// Where there is no such session, or it cannot be looked at.
    pub async fn session(&self, prefix: Option<&str>) -> Result<Seen, Failure> {
        let mut failed = None;
        for coordinator in self.coordinators.configured() {
            let connection = match self.coordinators.connect_to(coordinator).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!("{}: {}", coordinator.url, in_one_line(&error));
                    continue;
                }
            };
            match self.session_at(Some(connection), prefix).await {
                Err(error) if is_of_coordinator(&error) => {
                    tracing::warn!("{}", error.in_one_line());
                    failed.get_or_insert(error);
                }
                other => return other,
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                tracing::warn!(
                    "no coordinator can be reached. Using what the state folder of this agent \
                    contains"
                );
                self.session_at(None, prefix).await
            }
        }
    }

    async fn session_at(
        &self,
        mut connection: Option<Connection>,
        prefix: Option<&str>,
    ) -> Result<Seen, Failure> {
        let listed = match connection.as_mut() {
            Some(connection) => connection.sessions().await?,
            None => Vec::new(),
        };
        // The newest first, which is the coordinator's order; those that only the store knows come last.
        let mut known: Vec<SessionId> = listed.iter().filter_map(|one| one.session.parse().ok()).collect();
        for stored in self.store.sessions()? {
            if !known.contains(&stored) {
                known.push(stored);
            }
        }
        let ended: Vec<SessionId> = listed
            .iter()
            .filter(|one| is_ended(one.state()))
            .filter_map(|one| one.session.parse().ok())
            .collect();
        let open: Vec<SessionId> = match connection {
            Some(_) => known.iter().filter(|id| !ended.contains(id)).copied().collect(),
            None => self.stored_open(&known)?,
        };
        let session = match prefix {
            Some(prefix) => choice::choose(&known, prefix)?,
            None => *open.first().or(known.first()).ok_or(OnlineError::NoSession)?,
        };
        let view = self.view(connection.as_mut(), session).await?;
        let others = replica::others(&self.store, &self.roster, self.me(), session)?;
        let also_open = open.into_iter().filter(|other| *other != session).collect();
        let configured = self.coordinators.configured().iter();
        let contacts: Vec<_> = configured.map(|one| self.known(session, one)).collect();
        for alarm in coordinators::alarms(&contacts) {
            tracing::warn!("{alarm}");
        }
        Ok(Seen { view, others, connection, also_open, contacts })
    }

    /// What the store knows about a coordinator in a session.
    fn known(&self, session: SessionId, coordinator: &Coordinator) -> CoordinatorFacts {
        let url = coordinator.url.clone();
        // What is wrong with its receipts is reported when the coordinator is used.
        let ledger = Ledger::open(&self.store, &self.roster, session, coordinator);
        let journals =
            ledger.map(|ledger| ledger.journals().map(|one| one.map(|id| id.to_string())).collect());
        CoordinatorFacts { url, journals: journals.unwrap_or_default() }
    }

    async fn view(
        &self,
        connection: Option<&mut Connection>,
        session: SessionId,
    ) -> Result<Replica, Failure> {
        if let Some(connection) = connection {
            return Ok(replica::fetch(connection, &self.store, &self.roster, self.me(), session).await?);
        }
        let stored = Replica::stored(&self.store, &self.roster, self.me(), session)?;
        let absent = || OnlineError::NotStored { session, state: self.store.folder().to_owned() };
        Ok(stored.ok_or_else(absent)?)
    }

    /// Of the sessions that only the store tells about, those that have not ended.
    fn stored_open(&self, known: &[SessionId]) -> Result<Vec<SessionId>, Failure> {
        let mut open = Vec::new();
        for id in known {
            if let Some(view) = Replica::stored(&self.store, &self.roster, self.me(), *id)?
                && !matches!(
                    view.session().phase(),
                    Phase::Aborted | Phase::Completed(_) | Phase::Verified(_)
                )
            {
                open.push(*id);
            }
        }
        Ok(open)
    }
}

fn is_ended(state: svdr_proto::v1::SessionState) -> bool {
    use svdr_proto::v1::SessionState;
    matches!(state, SessionState::Completed | SessionState::Verified | SessionState::Aborted)
}
