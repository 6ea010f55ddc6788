//! The coordinator as its clients and strangers meet it: the real program, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ed25519_dalek::SigningKey;
use svdr_proto::channel::{self, ConnectError};
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::receipt::{Chain, VerifiedReceipt};
use svdr_protocol::statement::SessionId;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::network::{Network, milestone, opening};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

mod certificate;
mod commands;
mod crash;
mod crash_points;
mod crash_streams;
mod disk;
mod flood;
mod python;
mod refusals;
mod releases;
mod serving;
mod strangers;
mod streams;

type Client = SessionServiceClient<Channel>;

fn server_key(coordinator: &Coordinator) -> PublicKey {
    coordinator.started.public_key.parse().unwrap()
}

async fn try_connect(coordinator: &Coordinator, key: &SigningKey) -> Result<Client, ConnectError> {
    let server = *server_key(coordinator).verifying_key().as_bytes();
    channel::connect(&coordinator.url(), server, &TlsIdentity::new(key).unwrap()).await
}

async fn connect(coordinator: &Coordinator, key: &SigningKey) -> Client {
    try_connect(coordinator, key).await.unwrap()
}

async fn submit(client: &mut Client, envelope: &Envelope) -> Result<v1::Envelope, Status> {
    let request = v1::SubmitRequest { statement: Some(envelope.to_message()) };
    client.submit(request).await.map(|response| response.into_inner().receipt.unwrap())
}

fn read_receipt(message: v1::Envelope, coordinator: &Coordinator) -> VerifiedReceipt {
    let envelope = Envelope::from_message(message).unwrap();
    VerifiedReceipt::read(envelope, Some(&server_key(coordinator))).unwrap()
}

/// Opens a session as member 1.
async fn open(client: &mut Client, network: &Network, nonce: u8) -> SessionId {
    let envelope = network.sign(1, None, 1, opening(nonce)).unwrap();
    submit(client, &envelope).await.unwrap();
    SessionId::of_open(&envelope.digest())
}

/// The transcript from a position on, with its receipts checked against the chain where it is whole.
async fn transcript(
    client: &mut Client,
    coordinator: &Coordinator,
    session: SessionId,
    from: u64,
) -> Vec<(Envelope, VerifiedReceipt)> {
    let request = v1::GetTranscriptRequest { session: session.to_string(), from };
    let mut stream = client.get_transcript(request).await.unwrap().into_inner();
    let mut chain = Chain::new(session);
    let mut entries = Vec::new();
    while let Some(response) = stream.message().await.unwrap() {
        let entry = response.entry.unwrap();
        let statement = Envelope::from_message(entry.statement.unwrap()).unwrap();
        let receipt = read_receipt(entry.receipt.unwrap(), coordinator);
        assert_eq!(receipt.receipt().statement, statement.digest());
        assert_eq!(receipt.receipt().position, entry.position);
        if from == 0 {
            chain.follow(receipt.receipt()).unwrap();
        }
        entries.push((statement, receipt));
    }
    entries
}

/// Code and reason of a refusal, whose message has to be one that helps.
fn refusal(status: &Status) -> (Code, String) {
    assert!(status.message().len() > 30, "{status:?}");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "svdr");
    (status.code(), info.reason)
}
