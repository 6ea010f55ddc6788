//! Clients that submit side by side: one statement at a time, or many on a stream.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream;
use prost::Message as _;
use svdr_proto::channel;
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::statement::{Body, Milestone, SessionId};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tonic::transport::Channel;

use crate::coordinator::{Coordinator, processor_time};
use crate::network::{Failure, Network, opening};

/// How many batches the coordinator's journal has flushed.
const FLUSHES: &str = "svdr_journal_flush_statements_count";

/// How a client brings its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bring {
    /// Each with a call of its own, once the one before it has its receipt.
    OneByOne,
    /// All on one stream, as an agent does that hands them to another coordinator.
    OnAStream,
}

/// What a round of statements came to.
pub(super) struct Measured {
    /// Statements a second.
    pub(super) rate: f64,
    /// Statements that shared a flush, on average.
    pub(super) statements_a_flush: f64,
    /// Processor time of the coordinator for each statement, in microseconds: what a busy machine does not change.
    pub(super) processor_micros: f64,
    /// That of all clients.
    pub(super) client_micros: f64,
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
        Ok(self.statement(1, 1)?.to_message().encode_to_vec())
    }

    fn statement(&self, member: usize, sequence: u64) -> Result<Envelope, Failure> {
        let note =
            format!("{sequence} of those that are counted, as long as a note that says how far a dump is");
        let body = Body::Milestone(Milestone { name: "load".to_owned(), note });
        self.network.sign(member, Some(self.session), sequence, body)
    }

    /// Every client submits `each` statements, which are signed before the clock starts. Every receipt is checked once
    /// it has stopped: an agent that checks them has a processor of its own.
    pub(super) fn submit(&mut self, each: usize, bring: Bring) -> Result<Measured, Failure> {
        let Some(coordinator) = &self.coordinator else {
            return Err("the coordinator has not started".into());
        };
        let sequences = self.sequence..self.sequence + each as u64;
        self.sequence = sequences.end;
        let before = coordinator.metric(FLUSHES)?;
        let (mut digests, mut receipts) = (Vec::new(), Vec::new());
        let (took, worked, own) = self.runtime.block_on(async {
            let start = Arc::new(Barrier::new(self.clients + 1));
            let mut tasks = Vec::new();
            for member in 1..=self.clients {
                let sign = |sequence| self.statement(member, sequence);
                let statements = sequences.clone().map(sign).collect::<Result<Vec<_>, _>>()?;
                digests.extend(statements.iter().map(Envelope::digest));
                let messages = statements.iter().map(Envelope::to_message).collect();
                let client = connect(coordinator, &self.network, member).await?;
                tasks.push(tokio::spawn(submit_all(client, messages, bring, Arc::clone(&start))));
            }
            let (worked, own) = (coordinator.processor_time()?, processor_time("self")?);
            start.wait().await;
            let started = Instant::now();
            for task in tasks {
                receipts.extend(task.await??);
            }
            let took = started.elapsed();
            let worked = coordinator.processor_time()?.saturating_sub(worked);
            Ok::<_, Failure>((took, worked, processor_time("self")?.saturating_sub(own)))
        })?;
        let statements = (self.clients * each) as f64;
        let flushes = coordinator.metric(FLUSHES)? - before;
        self.check(coordinator, &digests, receipts)?;
        Ok(Measured {
            rate: statements / took.as_secs_f64(),
            statements_a_flush: statements / flushes,
            processor_micros: worked.as_micros() as f64 / statements,
            client_micros: own.as_micros() as f64 / statements,
        })
    }

    /// Each statement has a receipt of this coordinator, in this session, at a place of its own.
    fn check(
        &self,
        coordinator: &Coordinator,
        statements: &[Digest],
        receipts: Vec<v1::Envelope>,
    ) -> Result<(), Failure> {
        let key: PublicKey = coordinator.started.public_key.parse()?;
        let (mut places, count) = (HashSet::new(), receipts.len());
        for (statement, receipt) in statements.iter().zip(receipts) {
            let receipt = VerifiedReceipt::read(Envelope::from_message(receipt)?, Some(&key))?;
            let receipt = receipt.receipt();
            if receipt.statement != *statement || receipt.session != self.session {
                return Err(format!("the receipt for {statement} is for {}", receipt.statement).into());
            }
            places.insert(receipt.position);
        }
        if places.len() == statements.len() {
            return Ok(());
        }
        Err(format!("{} statements have {count} receipts for {} places", statements.len(), places.len())
            .into())
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

/// The receipts, in the order of the statements.
async fn submit_all(
    mut client: SessionServiceClient<Channel>,
    statements: Vec<v1::Envelope>,
    bring: Bring,
    start: Arc<Barrier>,
) -> Result<Vec<v1::Envelope>, tonic::Status> {
    let mut receipts = Vec::with_capacity(statements.len());
    start.wait().await;
    match bring {
        Bring::OneByOne => {
            for statement in statements {
                let answer = client.submit(v1::SubmitRequest { statement: Some(statement) }).await?;
                receipts.extend(answer.into_inner().receipt);
            }
        }
        Bring::OnAStream => {
            let requests = statements.into_iter().map(|one| v1::SubmitAllRequest { statement: Some(one) });
            let mut answers = client.submit_all(stream::iter(requests)).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                match answer.answer {
                    Some(Answer::Receipt(receipt)) => receipts.push(receipt),
                    refused => return Err(tonic::Status::aborted(format!("no receipt, but {refused:?}"))),
                }
            }
        }
    }
    Ok(receipts)
}
