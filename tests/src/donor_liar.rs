//! A donor that lies: its endpoint, with the key that the roster has for it, and other bytes than it signed.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use svdr_proto::accept::{ACCEPTED, Acceptor, Gate, Refused};
use svdr_proto::limits::WRITE_LEN;
use svdr_proto::tls::{KeyBytes, KnownClients, TlsIdentity, server_config};
use svdr_proto::v1::donor_service_server::{DonorService, DonorServiceServer};
use svdr_proto::v1::{FetchSnapshotRequest, FetchSnapshotResponse};
use svdr_protocol::roster::Roster;
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::network::Failure;

/// Bytes in a message.
const CHUNK: usize = 64 << 10;

/// What it does when it is asked.
#[derive(Clone, Debug)]
pub enum Says {
    /// Sends these bytes from the offset that is asked for on, and ends as if that were all.
    Bytes(Vec<u8>),
    /// Sends a message without bytes.
    Nothing,
    /// Says that it has fewer bytes than are asked for.
    OutOfRange,
}

/// A running endpoint. It ends when it is dropped.
pub struct DonorLiar {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    _runtime: tokio::runtime::Runtime,
}

struct Service(Arc<Mutex<Says>>);

/// Lets every member in.
struct Open;

impl DonorLiar {
    /// Starts one with that key.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn start(roster: &Roster, key: &SigningKey, says: Says) -> Result<DonorLiar, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let keys: HashSet<KeyBytes> =
            roster.members().iter().map(|one| one.key.verifying_key().to_bytes()).collect();
        let tls = Arc::new(server_config(&TlsIdentity::new(key)?, keys.clone())?);
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let (address, says) = (listener.local_addr()?, Arc::new(Mutex::new(says)));
        let (connections, accepted) = tokio::sync::mpsc::channel(ACCEPTED);
        let known = Arc::new(KnownClients::new(keys));
        runtime.spawn(
            Acceptor { listener, tls, known, gate: Arc::new(Open), write_len: WRITE_LEN, connections }.run(),
        );
        let service = DonorServiceServer::new(Service(Arc::clone(&says)));
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(ReceiverStream::new(accepted)),
        );
        Ok(DonorLiar { address, says, _runtime: runtime })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does something else from now on.
    pub fn say(&self, says: Says) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }
}

impl Gate for Open {
    type Guest = ();
    type Place = ();

    fn admit(&self, _key: &KeyBytes) -> Result<((), ()), Refused> {
        Ok(((), ()))
    }

    fn refused(&self, _address: Option<SocketAddr>, _reason: Refused, _cause: Option<&io::Error>) {}

    fn cannot_accept(&self, _error: &io::Error) {}
}

#[tonic::async_trait]
impl DonorService for Service {
    type FetchSnapshotStream = ReceiverStream<Result<FetchSnapshotResponse, Status>>;

    async fn fetch_snapshot(
        &self,
        request: Request<FetchSnapshotRequest>,
    ) -> Result<Response<Self::FetchSnapshotStream>, Status> {
        let offset = usize::try_from(request.into_inner().offset).unwrap_or(usize::MAX);
        let says = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let chunks: Vec<Vec<u8>> = match says {
            Says::Bytes(bytes) => {
                // From beyond the end, as if everything had been sent.
                bytes[offset.min(bytes.len())..].chunks(CHUNK).map(<[u8]>::to_vec).collect()
            }
            Says::Nothing => vec![Vec::new()],
            Says::OutOfRange => return Err(Status::out_of_range("there is none")),
        };
        let (sender, stream) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for chunk in chunks {
                let message = FetchSnapshotResponse { chunk: Bytes::from(chunk) };
                // Nobody listens any more, in that case.
                if sender.send(Ok(message)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
