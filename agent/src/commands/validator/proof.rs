//! What a validator's operator trusts: the roster, confirmed by its fingerprint, and a certificate checked with it.
//!
//! The fingerprint is the one thing that somebody has to compare, because everything else follows from the roster: an
//! attacker who can exchange the roster can sign any certificate. So it is asked for every time, in the twelve words
//! that the SVs read out, and `--yes` is no answer to it: where nobody can be asked, `--fingerprint` gives what the roster
//! has to have.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use svdr_cli::confirm::{self, Beforehand, ConfirmError};
use svdr_cli::failure::Failure;
use svdr_cli::runtime;
use svdr_cli::screens::choice;
use svdr_client::{Connection, Coordinator, Coordinators, SessionError, completion_certificate};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;
use svdr_protocol::text::shown;

use super::error::ValidatorError;
use crate::config::{AgentConfig, ConfigError};
use crate::roster_file;
use crate::validator::{Recovery, WantedSession};
use svdr_cli::signing_key;

/// Roster and certificate.
#[derive(Clone, Debug, Default, Args)]
#[command(group = ArgGroup::new("completed").required(true).multiple(true).args(["certificate", "session"]))]
pub struct ProofArgs {
    /// The configuration [default: agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The roster of the SVs [default: roster of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_ROSTER")]
    pub roster: Option<PathBuf>,
    /// The fingerprint of the roster as the SVs announced it, sha256:… [default: ask on the terminal]
    #[arg(long, value_name = "DIGEST", env = "SVDR_ROSTER_FINGERPRINT")]
    pub fingerprint: Option<Digest>,
    /// The completion certificate, or a transcript that contains it; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["coordinator", "coordinator_key"])]
    pub certificate: Option<PathBuf>,
    /// Fetch the certificate from this coordinator [default: the coordinators of the configuration]
    #[arg(long, value_name = "URL", requires = "coordinator_key")]
    pub coordinator: Option<String>,
    /// The coordinator's key, ed25519:…
    #[arg(long, value_name = "KEY", requires = "coordinator")]
    pub coordinator_key: Option<PublicKey>,
    /// The signing key of this observer [default: the key of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// The completed session's id, or at least its first 4 digits if a coordinator is asked
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
}

/// A roster, and what was completed with it.
pub(super) struct Proof {
    pub(super) roster: Arc<Roster>,
    pub(super) recovery: Recovery,
    /// What the operator has still to say yes to.
    pub(super) fingerprint: Fingerprint,
}

/// Whether the roster is known to be the SVs'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fingerprint {
    /// `--fingerprint` says so.
    Given,
    /// The operator has to be asked.
    Ask,
}

impl ProofArgs {
    /// Reads the roster, and gets and checks the certificate.
    pub(super) fn proof(&self, config: &AgentConfig, drill: bool) -> Result<Proof, Failure> {
        let path = self.roster.clone().or_else(|| config.roster.clone());
        let path = path.ok_or_else(|| ConfigError::Missing { missing: vec![config.missing_roster()] })?;
        let roster = Arc::new(roster_file::read(&path)?);
        let fingerprint = match self.fingerprint {
            Some(expected) if expected != roster.fingerprint() => {
                let found = roster.fingerprint();
                return Err(ValidatorError::OtherFingerprint { path, expected, found }.into());
            }
            Some(_) => Fingerprint::Given,
            // Before anything is asked of anybody: who cannot be asked has to be told so at once.
            None if !std::io::stdin().is_terminal() => return Err(ValidatorError::NobodyToAsk.into()),
            None => Fingerprint::Ask,
        };
        let recovery = match &self.certificate {
            Some(path) => {
                let session = self.session.as_deref().map(whole_id).transpose()?;
                Recovery::of_file(path, &roster, WantedSession { drill, session })?
            }
            None => self.fetched(config, &roster, drill)?,
        };
        Ok(Proof { roster, recovery, fingerprint })
    }

    /// Fetches the certificate from the first coordinator that has one that holds.
    fn fetched(&self, config: &AgentConfig, roster: &Roster, drill: bool) -> Result<Recovery, Failure> {
        let configured = match (&self.coordinator, self.coordinator_key) {
            (Some(url), Some(key)) => vec![Coordinator { url: url.clone(), key }],
            _ => config.coordinators.clone(),
        };
        let key = self.signing_key.clone().or_else(|| config.signing_key.clone());
        let lacks = || ConfigError::Missing { missing: vec![config.missing_signing_key()] };
        let key = signing_key::read(&key.ok_or_else(lacks)?)?;
        let coordinators = Coordinators::new(configured, &key)?;
        let session = self.session.as_deref().unwrap_or_default();
        runtime::block_on(async {
            let mut failed = None;
            for coordinator in coordinators.configured() {
                match coordinators.connect_to(coordinator).await {
                    Ok(connection) => match recovery_at(connection, session, roster, drill).await {
                        Ok(recovery) => return Ok(recovery),
                        Err(error) => {
                            tracing::warn!("{}", error.in_one_line());
                            failed = Some(error);
                        }
                    },
                    Err(error) => tracing::warn!("{}: {}", coordinator.url, in_one_line(&error)),
                }
            }
            match failed {
                Some(error) => Err(error),
                None => Err(ValidatorError::NoCoordinator { tried: coordinators.configured().len() }.into()),
            }
        })
    }
}

/// The certificate of the session whose id begins with `session`, of one coordinator.
async fn recovery_at(
    mut connection: Connection,
    session: &str,
    roster: &Roster,
    drill: bool,
) -> Result<Recovery, Failure> {
    let session: SessionId = match session.parse() {
        Ok(session) => session,
        Err(_prefix) => {
            let listed = connection.sessions().await.map_err(SessionError::from)?;
            let known: Vec<SessionId> = listed.iter().filter_map(|one| one.session.parse().ok()).collect();
            choice::choose(&known, session)?
        }
    };
    let certificate = completion_certificate(&mut connection, roster, session).await?;
    Ok(Recovery::of_certificate(certificate, WantedSession { drill, session: Some(session) })?)
}

/// A session's id that is compared with a file's, of which there is no list to find a beginning in.
fn whole_id(text: &str) -> Result<SessionId, Failure> {
    Ok(text.parse().map_err(|source| ValidatorError::SessionId { given: text.to_owned(), source })?)
}

impl Proof {
    /// Shows what was completed, and asks what has still to be answered: whether the roster is the SVs', and whether the
    /// dump is to be delivered, where `deliver` says what is meant by that.
    pub(super) fn confirm(&self, deliver: Option<&str>, deliver_yes: bool) -> Result<(), Failure> {
        let mut questions = Vec::new();
        if self.fingerprint == Fingerprint::Ask {
            questions.push("Are these the twelve words that the SVs announced?");
        }
        if deliver.is_some() && !deliver_yes {
            questions.push("Deliver the dump?");
        }
        let beforehand = Beforehand::from_yes(questions.is_empty());
        match confirm::confirm(&self.words(deliver), &questions, beforehand) {
            Ok(()) => Ok(()),
            Err(ConfirmError::NobodyToAsk) if self.fingerprint == Fingerprint::Given => {
                Err(ValidatorError::NobodyToAskToDeliver.into())
            }
            Err(ConfirmError::NobodyToAsk) => Err(ValidatorError::NobodyToAsk.into()),
            Err(ConfirmError::Declined) => Err(ValidatorError::Declined.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn words(&self, deliver: Option<&str>) -> String {
        let recovery = &self.recovery;
        let (reason, by) = recovery.opening();
        let attested: Vec<&str> = recovery.attested_by().map(|name| name.as_str()).collect();
        let kind = if recovery.drill() { "DRILL: do not import its dump. Session" } else { "Session" };
        let mut words = format!(
            "{kind} {} of network {} is completed in round {}.\n\
             Opened by {by}: {}\n\
             Back to {}, migration id {}; {} of {} SVs have attested their dumps: {}.\n\n\
             The roster has the fingerprint {}\nand these words:\n",
            recovery.round().session,
            self.roster.network(),
            recovery.round().round,
            // On one line, so that it cannot pass for what stands around it.
            reason.split_whitespace().collect::<Vec<_>>().join(" "),
            recovery.recovery_timestamp(),
            recovery.migration_id(),
            attested.len(),
            self.roster.members().len(),
            attested.join(", "),
            self.roster.fingerprint(),
        );
        for line in self.roster.spoken_fingerprint().chunks(6) {
            words += &format!("\n    {}", line.join(" "));
        }
        if let Some(deliver) = deliver {
            words += &format!(
                "\n\nThe dump will be {deliver}.\nThis cannot be undone: after the app has imported the \
                 dump, the validator has left the old network. The dump contains this validator's private \
                 keys: check the target."
            );
        }
        shown(&words)
    }
}
