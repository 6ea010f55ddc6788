//! The one call: bytes of a donated snapshot, from an offset on.
//!
//! The request names a donation by its digest, and nothing else: which file that is, stands in this agent's own record.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use svdr_proto::limits::SNAPSHOT_CHUNK_LEN;
use svdr_proto::v1::donor_service_server::DonorService;
use svdr_proto::v1::{FetchSnapshotRequest, FetchSnapshotResponse};
use svdr_protocol::failure::in_one_line;
use svdr_protocol::names::MemberName;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Offer;
use super::limits::{CHUNKS_IN_FLIGHT, MAX_TRANSFERS, SLOW_READER};
use super::receivers::Receiver;

/// What is on offer.
pub(super) struct SnapshotService {
    offers: Vec<Arc<Offer>>,
    transfers: Arc<Semaphore>,
}

type Piece = Result<FetchSnapshotResponse, Status>;

/// One transfer at work, on a thread of its own.
struct Transfer {
    offer: Arc<Offer>,
    file: File,
    at: u64,
    to: MemberName,
    pieces: Sender<Piece>,
    /// Free again when the transfer ends.
    _places: [OwnedSemaphorePermit; 2],
}

impl SnapshotService {
    pub(super) fn new(offers: Vec<Offer>) -> SnapshotService {
        SnapshotService {
            offers: offers.into_iter().map(Arc::new).collect(),
            transfers: Arc::new(Semaphore::new(MAX_TRANSFERS)),
        }
    }

    fn offer(&self, request: &FetchSnapshotRequest) -> Option<&Arc<Offer>> {
        let named = |offer: &&Arc<Offer>| {
            let mut donations = offer.donations.iter();
            offer.session.to_string() == request.session
                && donations.any(|digest| digest.as_bytes().as_slice() == request.donation)
        };
        self.offers.iter().find(named)
    }
}

#[tonic::async_trait]
impl DonorService for SnapshotService {
    type FetchSnapshotStream = ReceiverStream<Piece>;

    async fn fetch_snapshot(
        &self,
        request: Request<FetchSnapshotRequest>,
    ) -> Result<Response<ReceiverStream<Piece>>, Status> {
        let member = request.extensions().get::<Arc<Receiver>>();
        let member =
            Arc::clone(member.ok_or_else(|| Status::unauthenticated("nobody has proved to be here"))?);
        let request = request.into_inner();
        let offer = self.offer(&request).ok_or_else(|| {
            Status::not_found(
                "this agent serves no snapshot of that donation in that session\nhelp: ask its operator to \
                 run `svdr-agent donate`",
            )
        })?;
        if request.offset > offer.size {
            return Err(Status::out_of_range(format!(
                "the donated snapshot has {} bytes, and the request begins at byte {}",
                offer.size, request.offset
            )));
        }
        let busy = |what: &str| {
            tracing::warn!("{} asks for another transfer, but {what}. The transfer must wait", member.name);
            Status::resource_exhausted(format!("{what}\nhelp: retry later"))
        };
        let own = member.transfer().ok_or_else(|| busy("it has too many transfers"))?;
        let place = Arc::clone(&self.transfers).try_acquire_owned();
        let place = place.map_err(|_full| busy("there are too many already"))?;
        let (opened, offer) = (offer.open(), Arc::clone(offer));
        let file = opened.map_err(|error| {
            tracing::error!("{}", in_one_line(&error));
            Status::failed_precondition(
                "the donated snapshot is no longer the signed one\nhelp: ask the \
                donor",
            )
        })?;
        let (pieces, stream) = mpsc::channel(CHUNKS_IN_FLIGHT);
        tracing::info!(
            "sending the snapshot to {}, from byte {} of {}",
            member.name,
            request.offset,
            offer.size
        );
        let transfer = Transfer {
            offer,
            file,
            at: request.offset,
            to: member.name.clone(),
            pieces,
            _places: [own, place],
        };
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || transfer.send(&runtime));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Transfer {
    fn send(mut self, runtime: &Handle) {
        while self.at < self.offer.size {
            let piece = self.read();
            let is_last = piece.is_err();
            let sent = runtime.block_on(self.pieces.send_timeout(piece, SLOW_READER));
            match sent {
                Ok(()) if is_last => return,
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    tracing::warn!(
                        "{} has read nothing for {} s. The transfer stops at byte {}",
                        self.to,
                        SLOW_READER.as_secs(),
                        self.at
                    );
                    return;
                }
                Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                    tracing::info!("the connection to {} was closed at byte {}", self.to, self.at);
                    return;
                }
            }
        }
        match self.offer.unchanged(&self.file) {
            Ok(()) => tracing::info!("{} has received the whole snapshot", self.to),
            Err(error) => tracing::error!("{}", in_one_line(&error)),
        }
    }

    /// The next chunk.
    fn read(&mut self) -> Piece {
        let len = usize::try_from(self.offer.size - self.at).unwrap_or(usize::MAX).min(SNAPSHOT_CHUNK_LEN);
        let mut chunk = vec![0; len];
        match self.file.read_exact_at(&mut chunk, self.at) {
            Ok(()) => {
                self.at += len as u64;
                Ok(FetchSnapshotResponse { chunk: Bytes::from(chunk) })
            }
            Err(error) => {
                tracing::error!(
                    "the donated snapshot {} cannot be read at byte {}: {error}",
                    self.offer.path.display(),
                    self.at
                );
                Err(Status::data_loss("the donor can no longer read its snapshot\nhelp: ask its operator"))
            }
        }
    }
}
