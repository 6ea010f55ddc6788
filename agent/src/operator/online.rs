//! What the operator's commands share: configuration, roster, key, store and coordinators, and the session that an
//! operator means.
//!
//! They are short-lived clients beside `run`: they read and write the same store under its lock, and submit what
//! they sign themselves. Where no coordinator can be reached they go by what the store holds, and say so.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use svdr_cli::screens::choice::{self, ChoiceError};
use svdr_client::{CallError, Connection, Coordinators, CoordinatorsError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::SessionId;

use crate::commands::SOFTWARE;
use crate::config::{AgentConfig, ConfigError, Missing};
use crate::replica::{self, Replica, ReplicaError};
use crate::roster_file::{self, RosterFileError};
use crate::sources::fetch::in_one_line;
use crate::store::{Signer, Store, StoreError};
use svdr_cli::signing_key::{self, SigningKeyError};

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

/// Why a command cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OnlineError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The key.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The key is nobody's.
    #[error(
        "the signing key {} belongs to no member of the roster {}\n\
         help: compare the output of `svdr-agent key show` with the roster",
        key.display(), roster.display()
    )]
    Stranger {
        /// The key's file.
        key: PathBuf,
        /// The roster's file.
        roster: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// The coordinators.
    #[error(transparent)]
    Coordinators(#[from] CoordinatorsError),
    /// A call to one of them.
    #[error(transparent)]
    Call(Box<CallError>),
    /// What it sent, or the replica on disk.
    #[error(transparent)]
    Replica(Box<ReplicaError>),
    /// It is not clear which session is meant.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// There is none at all.
    #[error(
        "there is no session yet\nhelp: ask a convener to run `svdr-coordinator session open --reason \"…\"`"
    )]
    NoSession,
    /// There is nobody to ask, and the store has not got it.
    #[error(
        "no coordinator can be reached, and the state folder {} does not contain session {session}\n\
         help: retry when a coordinator can be reached",
        state.display()
    )]
    NotStored {
        /// The session.
        session: SessionId,
        /// The store's folder.
        state: PathBuf,
    },
    /// The system gives no threads.
    #[error("this process cannot start its network\nhelp: check the limits of the user that runs it")]
    Runtime(#[source] std::io::Error),
}

impl From<StoreError> for OnlineError {
    fn from(error: StoreError) -> OnlineError {
        OnlineError::Store(Box::new(error))
    }
}

impl From<CallError> for OnlineError {
    fn from(error: CallError) -> OnlineError {
        OnlineError::Call(Box::new(error))
    }
}

impl From<ReplicaError> for OnlineError {
    fn from(error: ReplicaError) -> OnlineError {
        OnlineError::Replica(Box::new(error))
    }
}

impl OnlineError {
    /// Whether it is about what a coordinator said or did, so that another one may do better.
    fn is_of_coordinator(&self) -> bool {
        match self {
            OnlineError::Call(_) => true,
            OnlineError::Replica(error) => error.is_of_coordinator(),
            _ => false,
        }
    }
}

impl CommandError for OnlineError {
    fn exit(&self) -> Exit {
        match self {
            OnlineError::Config(error) => error.exit(),
            OnlineError::Roster(error) => error.exit(),
            OnlineError::Store(error) => error.exit(),
            OnlineError::Coordinators(error) => error.exit(),
            OnlineError::Call(error) => error.exit(),
            OnlineError::Replica(error) => error.exit(),
            OnlineError::Stranger { .. } => Exit::Refused,
            OnlineError::Choice(_) => Exit::Usage,
            OnlineError::Identity(_)
            | OnlineError::NoSession
            | OnlineError::NotStored { .. }
            | OnlineError::Runtime(_) => Exit::Failed,
        }
    }
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
}

impl Online {
    /// Reads everything that the commands need.
    ///
    /// # Errors
    /// Where anything of it is missing or wrong.
    pub fn open(args: &OnlineArgs) -> Result<Online, OnlineError> {
        let config = AgentConfig::load(args.config.as_deref())?;
        let roster_file = args.roster.clone().or_else(|| config.roster.clone());
        let key_file = args.signing_key.clone().or_else(|| config.signing_key.clone());
        let state = args.state.clone().or_else(|| config.state());
        let (Some(roster_file), Some(key_file), Some(state)) = (&roster_file, &key_file, &state) else {
            let missing = missing(&config, [roster_file.is_none(), key_file.is_none(), state.is_none()]);
            return Err(ConfigError::Missing { missing }.into());
        };
        let roster = Arc::new(roster_file::read(roster_file)?);
        let key = signing_key::read(key_file)?;
        let member = roster.member_by_key(&key.verifying_key().into());
        let member = member
            .map(|member| member.name.clone())
            .ok_or_else(|| OnlineError::Stranger { key: key_file.clone(), roster: roster_file.clone() })?;
        let coordinators = Coordinators::new(config.coordinators.clone(), &key)?;
        let fingerprint = roster.fingerprint();
        let signer = Signer { member, key, roster: fingerprint, software: SOFTWARE.to_owned() };
        Ok(Online { config, roster, signer, store: Store::open(state)?, coordinators })
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
    pub async fn session(&self, prefix: Option<&str>) -> Result<Seen, OnlineError> {
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
                Err(error) if error.is_of_coordinator() => {
                    tracing::warn!("{}", in_one_line(&error));
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
    ) -> Result<Seen, OnlineError> {
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
        Ok(Seen { view, others, connection, also_open })
    }

    async fn view(
        &self,
        connection: Option<&mut Connection>,
        session: SessionId,
    ) -> Result<Replica, OnlineError> {
        if let Some(connection) = connection {
            return Ok(replica::fetch(connection, &self.store, &self.roster, self.me(), session).await?);
        }
        let stored = Replica::stored(&self.store, &self.roster, self.me(), session)?;
        stored.ok_or_else(|| OnlineError::NotStored { session, state: self.store.folder().to_owned() })
    }

    /// Of the sessions that only the store tells about, those that have not ended.
    fn stored_open(&self, known: &[SessionId]) -> Result<Vec<SessionId>, OnlineError> {
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

/// Runs a command's future on a runtime of its own.
///
/// # Errors
/// Where the system gives none, and those of the command.
pub fn block_on<T, E: From<OnlineError>>(command: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(OnlineError::Runtime)?.block_on(command)
}

fn is_ended(state: svdr_proto::v1::SessionState) -> bool {
    use svdr_proto::v1::SessionState;
    matches!(state, SessionState::Completed | SessionState::Verified | SessionState::Aborted)
}

/// The settings that are nowhere, of roster, key and state.
fn missing(config: &AgentConfig, [roster, key, state]: [bool; 3]) -> Vec<Missing> {
    let setting =
        |section, line, flag, variable| Missing { section, line, flag, variable, file: config.file.clone() };
    let mut missing = Vec::new();
    if roster {
        missing.push(setting("", "roster = \"roster.toml\"", "--roster", "SVDR_ROSTER"));
    }
    if key {
        missing.push(setting("signing", "key = \"signing.key\"", "--signing-key", "SVDR_SIGNING_KEY"));
    }
    if state {
        missing.push(setting("output", "dir = \"/var/lib/svdr/dumps\"", "--state", "SVDR_STATE"));
    }
    missing
}
