//! Clients that submit side by side, each waiting for a receipt before it goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message as _;
use svdr_proto::channel;
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::statement::{Body, Milestone, SessionId};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tonic::transport::Channel;

use crate::coordinator::Coordinator;
use crate::network::{Failure, Network, opening};

/// How many batches the coordinator's journal has flushed.
const FLUSHES: &str = "svdr_journal_flush_statements_count";

/// What a round of statements came to.
pub(super) struct Measured {
    /// Statements a second.
    pub(super) rate: f64,
    /// Statements that shared a flush, on average.
    pub(super) statements_a_flush: f64,
}

/// A coordinator with an open session, and a network whose members all are clients.
pub(super) struct Load {
    network: Network,
    coordinator: Option<Coordinator>,
    session: SessionId,
    runtime: Runtime,
    clients: usize,
    /// The sequence number that every member's next statement has.
    sequence: u64,
}

impl Load {
    /// Starts the coordinator and opens the session.
    pub(super) fn new(clients: usize) -> Result<Load, Failure> {
        let network = Network::new(clients)?;
        let coordinator = Coordinator::start(network.path(), &[])?;
        let runtime = Runtime::new()?;
        let open = network.sign(1, None, 1, opening(1))?;
        let session = SessionId::of_open(&open.digest());
        runtime.block_on(async {
            let mut client = connect(&coordinator, &network, 1).await?;
            client.submit(v1::SubmitRequest { statement: Some(open.to_message()) }).await?;
            Ok::<_, Failure>(())
        })?;
        Ok(Load { network, coordinator: Some(coordinator), session, runtime, clients, sequence: 2 })
    }

    /// The bytes of such a statement, as a journal keeps it.
    pub(super) fn record(&self) -> Result<Vec<u8>, Failure> {
        Ok(self.statement(1, 1)?.encode_to_vec())
    }

    fn statement(&self, member: usize, sequence: u64) -> Result<v1::Envelope, Failure> {
        let note =
            format!("{sequence} of those that are counted, as long as a note that says how far a dump is");
        let body = Body::Milestone(Milestone { name: "load".to_owned(), note });
        Ok(self.network.sign(member, Some(self.session), sequence, body)?.to_message())
    }

    /// Every client submits `each` statements, which are signed before the clock starts.
    pub(super) fn submit(&mut self, each: usize) -> Result<Measured, Failure> {
        let Some(coordinator) = &self.coordinator else {
            return Err("the coordinator has not started".into());
        };
        let sequences = self.sequence..self.sequence + each as u64;
        self.sequence = sequences.end;
        let before = coordinator.metric(FLUSHES)?;
        let took = self.runtime.block_on(async {
            let start = Arc::new(Barrier::new(self.clients + 1));
            let mut tasks = Vec::new();
            for member in 1..=self.clients {
                let sign = |sequence| self.statement(member, sequence);
                let statements = sequences.clone().map(sign).collect::<Result<Vec<_>, _>>()?;
                let client = connect(coordinator, &self.network, member).await?;
                tasks.push(tokio::spawn(submit_all(client, statements, Arc::clone(&start))));
            }
            start.wait().await;
            let started = Instant::now();
            for task in tasks {
                task.await??;
            }
            Ok::<_, Failure>(started.elapsed())
        })?;
        let statements = (self.clients * each) as f64;
        let flushes = coordinator.metric(FLUSHES)? - before;
        Ok(Measured { rate: statements / took.as_secs_f64(), statements_a_flush: statements / flushes })
    }

    /// Stops the coordinator and starts it on its journal: how many statements that has, and how long it takes until
    /// it listens.
    pub(super) fn restart(&mut self) -> Result<(u64, Duration), Failure> {
        if let Some(running) = self.coordinator.take() {
            running.stop()?;
        }
        let started = Instant::now();
        let again = Coordinator::start(self.network.path(), &[])?;
        let took = started.elapsed();
        let statements = again.started.journal.statements;
        self.coordinator = Some(again);
        Ok((statements, took))
    }
}

/// A connection as that member.
pub(super) async fn connect(
    coordinator: &Coordinator,
    network: &Network,
    member: usize,
) -> Result<SessionServiceClient<Channel>, Failure> {
    let server: PublicKey = coordinator.started.public_key.parse()?;
    let identity = TlsIdentity::new(network.key(member))?;
    Ok(channel::connect(&coordinator.url(), *server.verifying_key().as_bytes(), &identity).await?)
}

async fn submit_all(
    mut client: SessionServiceClient<Channel>,
    statements: Vec<v1::Envelope>,
    start: Arc<Barrier>,
) -> Result<(), tonic::Status> {
    start.wait().await;
    for statement in statements {
        client.submit(v1::SubmitRequest { statement: Some(statement) }).await?;
    }
    Ok(())
}
