//! Who calls the coordinators with the session commands: a convener, a member or an observer, from `agent.toml`.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_cli::failure::Failure;
use svdr_cli::roster_file;
use svdr_cli::signing_key;
use svdr_client::limits::TranscriptLimits;
use svdr_client::{Connection, Coordinators, History, SessionError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, Header, SessionId, Statement, StatementError};

use super::config::Config;
use crate::version::SOFTWARE;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignerError {
    /// The key is not a member's.
    #[error(
        "no member of the roster has the key {key}\nhelp: name a member's key file under [signing] in agent.toml"
    )]
    NotAMember {
        /// The public key.
        key: PublicKey,
    },
    /// The statement is not one that others accept.
    #[error("the statement cannot be signed")]
    Statement(#[source] Box<StatementError>),
}

impl CommandError for SignerError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// The holder of the configured key.
pub(super) struct Signer {
    pub(super) roster: Arc<Roster>,
    pub(super) coordinators: Coordinators,
    /// The keys of the configured coordinators, in the order of the configuration.
    pub(super) coordinator_keys: Vec<PublicKey>,
    /// The migration id of the configuration.
    pub(super) migration_id: Option<u64>,
    key: SigningKey,
}

impl Signer {
    pub(super) fn new(config: &Config) -> Result<Signer, Failure> {
        let roster = Arc::new(roster_file::read(&config.roster)?);
        let key = signing_key::read(&config.signing.key)?;
        let coordinators = Coordinators::new(config.coordinators(), &key)?;
        let mut coordinator_keys = Vec::new();
        for one in &config.coordinators {
            // One coordinator may have several addresses.
            if !coordinator_keys.contains(&one.key) {
                coordinator_keys.push(one.key);
            }
        }
        Ok(Signer { roster, coordinators, coordinator_keys, migration_id: config.sv_app.migration_id, key })
    }

    /// Signs a statement as this member, submits it, and returns the coordinator's receipt. The convener may have thought for
    /// a while: a connection that broke meanwhile is made anew.
    pub(super) async fn sign_and_submit(
        &self,
        connection: &mut Connection,
        session: Option<&Session>,
        drill: bool,
        body: Body,
    ) -> Result<VerifiedReceipt, Failure> {
        let signer = self.member()?;
        let sequence = session.map_or(0, |session| last_sequence(session, &signer)) + 1;
        let header = Header {
            session: session.map(Session::id),
            roster: self.roster.fingerprint(),
            drill,
            signer,
            sequence,
            software: SOFTWARE.to_owned(),
        };
        let envelope = Statement { header, body }
            .sign(&self.key)
            .map_err(|error| SignerError::Statement(Box::new(error)))?;
        let id = session.map_or_else(|| SessionId::of_open(&envelope.digest()), Session::id);
        let receipt = match connection.submit(&envelope).await {
            Err(error) if error.is_broken_connection() => {
                *connection = self.coordinators.connect_again(connection.coordinator()).await?;
                connection.submit(&envelope).await?
            }
            submitted => submitted?,
        };
        History::new(id, TranscriptLimits::of(&self.roster))
            .acknowledged(receipt.clone())
            .map_err(|source| SessionError::of_history(&connection.coordinator().url, source))?;
        Ok(receipt)
    }

    /// The member that signs.
    pub(super) fn member(&self) -> Result<MemberName, SignerError> {
        let key = PublicKey::from(self.key.verifying_key());
        let member = self.roster.member_by_key(&key).map(|member| member.name.clone());
        member.ok_or(SignerError::NotAMember { key })
    }
}

/// The highest number that a member has signed with in a session; zero if it has signed nothing.
fn last_sequence(session: &Session, member: &MemberName) -> u64 {
    let own = session.statements().filter(|one| one.signer() == member);
    own.map(|one| one.header().sequence).max().unwrap_or(0)
}
