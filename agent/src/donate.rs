//! A donor's endpoint: hands donated snapshots out to the other members of the roster.
//!
//! It is the agent's own gRPC server, `DonorService`, over mutual TLS 1.3 with the roster's keys: who connects is a
//! member, and knows that it talks to the donor. Nothing is handed out but files whose digest this member has signed
//! ([`Offer`]), and nobody has to be trusted: receivers check what they get against that signature.
//!
//! Transfers are limited in number, and in what each holds in memory; a receiver that takes nothing is dropped, as is
//! whoever does not finish the handshake. A receiver whose stream breaks asks again, from the byte where it broke.

use std::future::Future;
use std::io;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_proto::accept::{ACCEPTED, Acceptor};
use svdr_proto::limits::{
    CALL_TIMEOUT, MAX_HEADER_LIST_LEN, PING_INTERVAL, PING_TIMEOUT, TRANSFER_WRITE_LEN,
};
use svdr_proto::tls::{KnownClients, TlsError, TlsIdentity, server_config};
use svdr_proto::v1::donor_service_server::DonorServiceServer;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Roster;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;

pub mod limits;
mod offer;
mod receivers;
mod service;

pub use offer::{Offer, OfferError};

use limits::{MAX_CALLS_PER_CONNECTION, MAX_REQUEST_LEN, SHUTDOWN_GRACE};
use receivers::Receivers;
use service::SnapshotService;

/// Why an endpoint stopped, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum DonorServerError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(
        "the donation is no longer served, because the gRPC server stopped\n\
         help: see the log above, and run `svdr-agent donate` again"
    )]
    Grpc(#[source] tonic::transport::Error),
    #[error(
        "the donation is no longer served, because its task stopped unexpectedly\n\
         help: run `svdr-agent donate` again"
    )]
    Task(#[source] tokio::task::JoinError),
    #[error("the address in donor.listen can no longer be listened on\nhelp: check the address")]
    Listener(#[source] io::Error),
}

impl CommandError for DonorServerError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Hands `offers` out to the members of `roster`, as the holder of `key`, until `stop` is ready.
///
/// # Errors
/// Why it could not go on.
pub async fn serve(
    roster: &Roster,
    key: &SigningKey,
    offers: Vec<Offer>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), DonorServerError> {
    let members = Arc::new(Receivers::of(roster));
    let tls = Arc::new(server_config(&TlsIdentity::new(key)?, members.keys())?);
    let known = Arc::new(KnownClients::new(members.keys()));
    let (connections, accepted) = tokio::sync::mpsc::channel(ACCEPTED);
    let acceptor =
        Acceptor { listener, tls, known, gate: members, write_len: TRANSFER_WRITE_LEN, connections };
    let accepting = tokio::spawn(acceptor.run());
    let (stopping, mut watching) = watch::channel(false);
    let told = async move {
        // Where the sender is gone, the server is stopping as well.
        let _ = watching.wait_for(|stopping| *stopping).await;
    };
    let service =
        DonorServiceServer::new(SnapshotService::new(offers)).max_decoding_message_size(MAX_REQUEST_LEN);
    let mut grpc = tokio::spawn(
        tonic::transport::Server::builder()
            // Until the stream begins; how long it lasts is the receiver's affair.
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(PING_INTERVAL))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .http2_max_header_list_size(MAX_HEADER_LIST_LEN)
            .add_service(service)
            .serve_with_incoming_shutdown(ReceiverStream::new(accepted), told),
    );
    let ended = tokio::select! {
        () = stop => None,
        ended = &mut grpc => Some(ended),
    };
    accepting.abort();
    if let Some(ended) = ended {
        return Err(match ended {
            Ok(Err(error)) => DonorServerError::Grpc(error),
            Err(error) => DonorServerError::Task(error),
            Ok(Ok(())) => DonorServerError::Listener(io::ErrorKind::UnexpectedEof.into()),
        });
    }
    stopping.send_replace(true);
    if tokio::time::timeout(SHUTDOWN_GRACE, &mut grpc).await.is_err() {
        tracing::info!(
            "running transfers are stopped. Receivers continue at the same byte when this command \
            runs again"
        );
        grpc.abort();
    }
    Ok(())
}
