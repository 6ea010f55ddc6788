//! A connection to one of the configured coordinators, and transcripts that have been checked.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_cli::roster_file::{self, RosterFileError};
use svdr_cli::signing_key::{self, SigningKeyError};
use svdr_proto::channel::{ConnectError, connect};
use svdr_proto::limits::{CALL_TIMEOUT, MAX_CERTIFICATE_LEN};
use svdr_proto::tls::{TlsError, TlsIdentity};
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_protocol::certificate::{CertificateError, CompletionCertificate};
use svdr_protocol::dsse::{Envelope, EnvelopeError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::{Broken, Chain, ReceiptError, VerifiedReceipt};
use svdr_protocol::roster::Roster;
use svdr_protocol::session::{NotAccepted, Session};
use svdr_protocol::statement::{Body, Header, SessionId, Statement, StatementError, Verified};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::config::{Config, ConfigError};
use crate::version::SOFTWARE;

/// Why a coordinator could not be asked, or what it said does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The key cannot be used.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// TLS cannot use it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key is no member's.
    #[error("the key of [signing] is {key}, which no member of the roster has; use the member's own key")]
    NotAMember {
        /// The public key.
        key: String,
    },
    /// No coordinator can be reached.
    #[error(
        "none of the {tried} coordinators of the configuration can be used; the last one tried gave the reason"
    )]
    NoCoordinator {
        /// How many were tried.
        tried: usize,
        /// What the last one gave.
        #[source]
        last: Box<ConnectError>,
    },
    /// A call failed.
    #[error("the coordinator says: {}", status.message())]
    Call {
        /// What it said.
        status: Box<Status>,
    },
    /// It does not answer.
    #[error(
        "the coordinator has not answered for {} s; try again, or name another one first in the configuration",
        CALL_TIMEOUT.as_secs()
    )]
    Silent,
    /// A statement of the transcript does not hold.
    #[error(
        "statement {position} that the coordinator sent does not hold; tell its operator, and use another"
    )]
    Statement {
        /// Its position.
        position: u64,
        /// Why.
        #[source]
        source: Box<StatementError>,
    },
    /// A receipt of the transcript does not hold.
    #[error(
        "the receipt of statement {position} does not hold; tell the coordinator's operator, and use another"
    )]
    Receipt {
        /// Its position.
        position: u64,
        /// Why.
        #[source]
        source: Box<ReceiptError>,
    },
    /// An envelope is malformed.
    #[error("entry {position} that the coordinator sent is malformed; tell its operator, and use another")]
    Envelope {
        /// Its position.
        position: u64,
        /// Why.
        #[source]
        source: Box<EnvelopeError>,
    },
    /// The transcript is no chain.
    #[error(
        "entry {position} of the coordinator's transcript does not follow from those before it; tell its operator, \
         and use another coordinator"
    )]
    Chain {
        /// Its position.
        position: u64,
        /// What differs.
        #[source]
        source: Box<Broken>,
    },
    /// The receipt is for another statement.
    #[error(
        "the receipt at position {position} is for another statement; tell the coordinator's operator, and use another"
    )]
    OtherReceipt {
        /// Its position.
        position: u64,
    },
    /// The transcript is another session's.
    #[error("the coordinator sent what belongs to session {found} for {expected}; use another coordinator")]
    OtherSession {
        /// The session asked for.
        expected: SessionId,
        /// The session of the transcript.
        found: SessionId,
    },
    /// What it sent is no certificate.
    #[error(
        "what the coordinator sent is no completion certificate of session {session}; tell its operator, and use another"
    )]
    Certificate {
        /// The session.
        session: SessionId,
        /// Why.
        #[source]
        source: Box<CertificateError>,
    },
    /// A statement belongs elsewhere.
    #[error(
        "statement {position} of the coordinator's transcript is not of the session; use another coordinator"
    )]
    NotAccepted {
        /// Its position.
        position: u64,
        /// Why.
        #[source]
        source: Box<NotAccepted>,
    },
    /// What is to be signed is refused already here.
    #[error("the statement cannot be signed")]
    Sign(#[source] Box<StatementError>),
}

impl CommandError for ClientError {
    fn exit(&self) -> Exit {
        match self {
            ClientError::Config(error) => error.exit(),
            ClientError::Roster(error) => error.exit(),
            ClientError::Identity(error) => error.exit(),
            ClientError::NoCoordinator { .. } | ClientError::Tls(_) => Exit::Failed,
            ClientError::Call { status } => match status.code() {
                Code::InvalidArgument | Code::PermissionDenied | Code::FailedPrecondition => Exit::Refused,
                _ => Exit::Failed,
            },
            ClientError::Silent => Exit::Failed,
            ClientError::NotAMember { .. }
            | ClientError::Statement { .. }
            | ClientError::Receipt { .. }
            | ClientError::Envelope { .. }
            | ClientError::Chain { .. }
            | ClientError::OtherReceipt { .. }
            | ClientError::OtherSession { .. }
            | ClientError::NotAccepted { .. }
            | ClientError::Certificate { .. }
            | ClientError::Sign(_) => Exit::Refused,
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> ClientError {
        ClientError::Call { status: Box::new(status) }
    }
}

/// What a call, or the next message of one, brings; not waited for without end.
async fn answered<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, ClientError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(ClientError::Silent),
    }
}

/// A member's or observer's connection.
pub struct Client {
    /// The roster.
    pub roster: Arc<Roster>,
    /// The migration id of the configuration.
    pub migration_id: Option<u64>,
    key: SigningKey,
    coordinator: PublicKey,
    service: SessionServiceClient<Channel>,
}

/// One entry that has been checked.
pub struct Checked {
    /// The statement, where its kind is known.
    pub statement: Option<Arc<Verified>>,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its receipt.
    pub receipt: VerifiedReceipt,
}

/// A transcript that has been checked from its beginning, as far as it has been received.
pub struct Followed {
    chain: Chain,
    /// The state; none before the first entry.
    pub session: Option<Session>,
}

impl Client {
    /// Connects to the first coordinator of the configuration that can be used.
    ///
    /// # Errors
    /// Where none can, or the configuration is of no use.
    pub async fn connect(config: &Config) -> Result<Client, ClientError> {
        let roster = Arc::new(roster_file::read(&config.roster)?);
        let key = signing_key::read(&config.signing.key)?;
        let identity = TlsIdentity::new(&key)?;
        let mut last = None;
        for coordinator in &config.coordinators {
            let pinned = *coordinator.key.verifying_key().as_bytes();
            match connect(&coordinator.url, pinned, &identity).await {
                Ok(service) => {
                    let (coordinator, migration_id) = (coordinator.key, config.sv_app.migration_id);
                    return Ok(Client { roster, migration_id, key, coordinator, service });
                }
                Err(error) => {
                    tracing::warn!(target: "svdr", url = coordinator.url, %error, "a coordinator cannot be used");
                    last = Some(error);
                }
            }
        }
        let last = last.ok_or_else(|| ConfigError::NoCoordinator { path: config.roster.clone() })?;
        Err(ClientError::NoCoordinator { tried: config.coordinators.len(), last: Box::new(last) })
    }

    /// The key of the coordinator that it is connected to.
    pub const fn coordinator(&self) -> PublicKey {
        self.coordinator
    }

    /// The sessions of the coordinator, as it tells them.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn list(&mut self) -> Result<Vec<v1::SessionSummary>, ClientError> {
        let answer = answered(self.service.list_sessions(v1::ListSessionsRequest {})).await?;
        Ok(answer.into_inner().sessions)
    }

    /// Signs a statement as this member, and submits it; its checked receipt.
    ///
    /// # Errors
    /// Where it cannot be signed, or is refused.
    pub async fn sign_and_submit(
        &mut self,
        session: Option<&Session>,
        drill: bool,
        body: Body,
    ) -> Result<VerifiedReceipt, ClientError> {
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
        let envelope =
            Statement { header, body }.sign(&self.key).map_err(|error| ClientError::Sign(Box::new(error)))?;
        let request = v1::SubmitRequest { statement: Some(envelope.to_message()) };
        let receipt = answered(self.service.submit(request)).await?.into_inner().receipt.unwrap_or_default();
        let receipt = self.receipt(receipt, 0)?;
        if receipt.receipt().statement != envelope.digest() {
            return Err(ClientError::OtherReceipt { position: receipt.receipt().position });
        }
        Ok(receipt)
    }

    /// The member whose key this is.
    fn member(&self) -> Result<MemberName, ClientError> {
        let own = PublicKey::from(self.key.verifying_key());
        let member = self.roster.member_by_key(&own).map(|member| member.name.clone());
        member.ok_or_else(|| ClientError::NotAMember { key: own.to_string() })
    }

    /// The completion certificate of a session, counted and checked here with nothing but the roster.
    ///
    /// # Errors
    /// Where the call fails, or what comes is no certificate of that session.
    pub async fn certificate(&mut self, session: SessionId) -> Result<CompletionCertificate, ClientError> {
        let request = v1::GetCertificateRequest { session: session.to_string() };
        let mut service = self.service.clone().max_decoding_message_size(MAX_CERTIFICATE_LEN);
        let statements = answered(service.get_certificate(request)).await?.into_inner().statements;
        let mut verified = Vec::new();
        for (position, statement) in (0..).zip(statements) {
            let envelope = Envelope::from_message(statement)
                .map_err(|error| ClientError::Envelope { position, source: Box::new(error) })?;
            let one = Verified::read(envelope, &self.roster)
                .map_err(|source| ClientError::Statement { position, source: Box::new(source) })?;
            verified.push(Arc::new(one));
        }
        let certificate = CompletionCertificate::check(&self.roster, verified)
            .map_err(|source| ClientError::Certificate { session, source: Box::new(source) })?;
        match certificate.round().session {
            found if found == session => Ok(certificate),
            found => Err(ClientError::OtherSession { expected: session, found }),
        }
    }

    /// The transcript as it is now, and the state that follows from it.
    ///
    /// # Errors
    /// Where the call fails, or something does not hold.
    pub async fn transcript(&mut self, session: SessionId) -> Result<(Vec<Checked>, Followed), ClientError> {
        let request = v1::GetTranscriptRequest { session: session.to_string(), from: 0 };
        let mut stream = answered(self.service.get_transcript(request)).await?.into_inner();
        let mut followed = Followed::new(session);
        let mut entries = Vec::new();
        while let Some(response) = answered(stream.message()).await? {
            entries.push(self.check(response.entry.unwrap_or_default(), &mut followed)?);
        }
        Ok((entries, followed))
    }

    /// The events of a session from where `followed` ends.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn watch(
        &mut self,
        followed: &Followed,
    ) -> Result<tonic::Streaming<v1::WatchResponse>, ClientError> {
        let session = followed.chain.session().to_string();
        let request = v1::WatchRequest { session, from: followed.chain.len() };
        Ok(answered(self.service.watch(request)).await?.into_inner())
    }

    /// Checks the next entry of a transcript, and adds it to the state.
    ///
    /// # Errors
    /// Where something about it does not hold.
    pub fn check(&self, entry: v1::TranscriptEntry, followed: &mut Followed) -> Result<Checked, ClientError> {
        let position = followed.chain.len();
        let envelope = Envelope::from_message(entry.statement.unwrap_or_default())
            .map_err(|error| ClientError::Envelope { position, source: Box::new(error) })?;
        let receipt = self.receipt(entry.receipt.unwrap_or_default(), position)?;
        if receipt.receipt().statement != envelope.digest() {
            return Err(ClientError::OtherReceipt { position });
        }
        followed
            .chain
            .follow(receipt.receipt())
            .map_err(|source| ClientError::Chain { position, source: Box::new(source) })?;
        let statement = match Verified::read(envelope.clone(), &self.roster) {
            Ok(verified) => Some(Arc::new(verified)),
            Err(StatementError::UnknownKind { .. }) => None,
            Err(source) => return Err(ClientError::Statement { position, source: Box::new(source) }),
        };
        if let Some(statement) = &statement {
            followed.add(statement, &self.roster, position)?;
        }
        Ok(Checked { statement, envelope, receipt })
    }

    fn receipt(&self, message: v1::Envelope, position: u64) -> Result<VerifiedReceipt, ClientError> {
        let envelope = Envelope::from_message(message)
            .map_err(|error| ClientError::Envelope { position, source: Box::new(error) })?;
        VerifiedReceipt::read(envelope, Some(&self.coordinator))
            .map_err(|source| ClientError::Receipt { position, source: Box::new(source) })
    }
}

impl Followed {
    /// Nothing of the session yet.
    pub fn new(session: SessionId) -> Followed {
        Followed { chain: Chain::new(session), session: None }
    }

    /// How many entries of the present coordinator's transcript have been received.
    pub const fn len(&self) -> u64 {
        self.chain.len()
    }

    /// Whether none has.
    pub const fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Begins the transcript anew, where it may be another coordinator's with an order of its own. What is known
    /// of the session stays.
    pub fn restart_chain(&mut self) {
        self.chain = Chain::new(self.chain.session());
    }

    fn add(
        &mut self,
        statement: &Arc<Verified>,
        roster: &Arc<Roster>,
        position: u64,
    ) -> Result<(), ClientError> {
        let refused = |source| ClientError::NotAccepted { position, source: Box::new(source) };
        match &mut self.session {
            // Its opening names no session; it is known once there is one.
            Some(session) if session.opened().digest() == statement.digest() => {}
            Some(session) => {
                session.insert(Arc::clone(statement)).map_err(refused)?;
            }
            None => {
                let session = Session::open(Arc::clone(statement), Arc::clone(roster)).map_err(refused)?;
                if session.id() != self.chain.session() {
                    return Err(ClientError::OtherSession {
                        expected: self.chain.session(),
                        found: session.id(),
                    });
                }
                self.session = Some(session);
            }
        }
        Ok(())
    }
}

/// The highest number that a member has signed with in a session; zero where it has signed nothing.
fn last_sequence(session: &Session, member: &MemberName) -> u64 {
    let own = session.statements().filter(|one| one.signer() == member);
    own.map(|one| one.header().sequence).max().unwrap_or(0)
}
