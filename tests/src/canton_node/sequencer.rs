//! A sequencer's admin API: its status, its topology, and what an upgrade asks of it.
//!
//! An old one, which exports; or a successor, which waits for the traffic of the old one, accepts it once, and never after
//! its upgrade time.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use svdr_canton::wire::com::digitalasset::canton::admin::health::v30 as health;
use svdr_canton::wire::com::digitalasset::canton::admin::sequencer::v30 as status_wire;
use svdr_canton::wire::com::digitalasset::canton::sequencer::admin::v30 as wire;
use svdr_canton::wire::com::digitalasset::canton::topology::admin::v30 as topology;
use svdr_protocol::time::Timestamp;
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use status_wire::sequencer_status_service_server::{SequencerStatusService, SequencerStatusServiceServer};
use topology::topology_manager_read_service_server::{
    TopologyManagerReadService, TopologyManagerReadServiceServer,
};
use wire::sequencer_administration_service_server::{
    SequencerAdministrationService, SequencerAdministrationServiceServer,
};

use super::serving::Shared;
use super::times::{from_wire, to_wire};

/// Where a sequencer is with the traffic of its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// It is no successor.
    Own,
    /// It waits for it.
    Awaited,
    /// It waits for it, and has processed a block after its upgrade time.
    Missed,
}

/// What a sequencer knows.
#[derive(Clone, Debug)]
pub struct SequencerNode {
    /// Its id without `SEQ::`.
    pub uid: String,
    /// Its physical synchronizer, `name::fingerprint::PV-SERIAL`.
    pub physical_synchronizer: String,
    /// The protocol version.
    pub protocol_version: i32,
    /// Whether it is initialized.
    pub is_initialized: bool,
    /// Topology transactions: when each was sequenced, and when it becomes effective.
    pub transactions: Vec<(Timestamp, Timestamp)>,
    /// An announced successor, with when that became effective and the upgrade time.
    pub announcement: Option<(String, Timestamp, Timestamp)>,
    /// Whether its release has the calls of 3.5.
    pub is_current: bool,
    /// The time of its last block.
    pub last_block: Timestamp,
    /// Where it is with the traffic.
    pub traffic: Traffic,
}

impl SequencerNode {
    pub(super) fn routes(self, shared: &Arc<Shared>) -> Routes {
        let traffic = Mutex::new(self.traffic);
        let service =
            Service { node: Arc::new(self), traffic: Arc::new(traffic), shared: Arc::clone(shared) };
        Routes::new(SequencerAdministrationServiceServer::new(service.clone()))
            .add_service(SequencerStatusServiceServer::new(service.clone()))
            .add_service(TopologyManagerReadServiceServer::new(service))
    }
}

#[derive(Clone, Debug)]
struct Service {
    node: Arc<SequencerNode>,
    traffic: Arc<Mutex<Traffic>>,
    shared: Arc<Shared>,
}

impl Service {
    fn traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a query that does not name this sequencer's synchronizer and a time.
    fn check(&self, query: Option<&topology::BaseQuery>) -> Result<topology::base_query::TimeQuery, Status> {
        use topology::store_id::Store;
        use topology::synchronizer::Kind;
        let query = query.ok_or_else(|| Status::invalid_argument("field not set: base_query"))?;
        let store = query.store.as_ref().and_then(|store| store.store.as_ref());
        let psid = match store {
            Some(Store::Synchronizer(synchronizer)) => match &synchronizer.kind {
                Some(Kind::PhysicalId(psid)) => psid,
                _ => return Err(Status::internal("this stand-in wants physical ids")),
            },
            _ => return Err(Status::internal("this stand-in wants a synchronizer's store")),
        };
        if *psid != self.node.physical_synchronizer {
            let text = format!("TOPOLOGY_STORE_NOT_FOUND(11,0): Topology store '{psid}' is not known.");
            return Err(Status::not_found(text));
        }
        query.time_query.ok_or_else(|| Status::invalid_argument("field not set: time_query"))
    }

    /// The transactions whose `valid_from` is in the range.
    fn transactions(
        &self,
        query: Option<&topology::BaseQuery>,
    ) -> Result<topology::TopologyTransactions, Status> {
        use topology::base_query::TimeQuery;
        let TimeQuery::Range(range) = self.check(query)? else {
            return Err(Status::internal("this stand-in wants a range"));
        };
        let from = range.from.as_ref().and_then(from_wire).unwrap_or(Timestamp::MIN);
        let until = range.until.as_ref().and_then(from_wire).unwrap_or(Timestamp::MAX);
        let inside =
            self.node.transactions.iter().filter(|(_, effective)| (from..=until).contains(effective));
        let items = inside.map(|(sequenced, effective)| topology::topology_transactions::Item {
            valid_from: to_wire(*effective),
            valid_until: None,
            transaction: vec![1, 2, 3],
            sequenced: to_wire(*sequenced),
            rejection_reason: None,
        });
        Ok(topology::TopologyTransactions { items: items.collect() })
    }
}

#[tonic::async_trait]
impl SequencerAdministrationService for Service {
    async fn get_lsu_traffic_control_state(
        &self,
        request: Request<wire::GetLsuTrafficControlStateRequest>,
    ) -> Result<Response<wire::GetLsuTrafficControlStateResponse>, Status> {
        self.shared.enter("GetLsuTrafficControlState", &request)?;
        let at = request.into_inner().timestamp.as_ref().and_then(from_wire);
        let at = at.ok_or_else(|| Status::failed_precondition("SEQUENCER_NO_LSU_ANNOUNCED(9,0): none"))?;
        let last = self.node.last_block;
        if last < at {
            return Err(Status::failed_precondition(format!(
                "SEQUENCER_LSU_NOT_AT_UPGRADE_TIME_OR_BEYOND(9,5f0c1a2b): Sequencer hasn't reached upgrade time {at}, \
                 currently observed time is Some({last})"
            )));
        }
        let lsu_traffic_state = format!("traffic at {at}").into_bytes();
        Ok(Response::new(wire::GetLsuTrafficControlStateResponse { lsu_traffic_state }))
    }

    async fn set_lsu_traffic_control_state(
        &self,
        request: Request<wire::SetLsuTrafficControlStateRequest>,
    ) -> Result<Response<wire::SetLsuTrafficControlStateResponse>, Status> {
        self.shared.enter("SetLsuTrafficControlState", &request)?;
        let mut traffic = self.traffic();
        match *traffic {
            Traffic::Own => {
                let text = "SEQUENCER_LSU_TRAFFIC_ALREADY_INITIALIZED(9,0): it is set";
                Err(Status::failed_precondition(text))
            }
            Traffic::Missed => {
                Err(Status::failed_precondition("SEQUENCER_LSU_PAST_UPGRADE_TIME(9,0): it has passed"))
            }
            Traffic::Awaited => {
                *traffic = Traffic::Own;
                Ok(Response::new(wire::SetLsuTrafficControlStateResponse {}))
            }
        }
    }

    async fn traffic_control_state(
        &self,
        request: Request<wire::TrafficControlStateRequest>,
    ) -> Result<Response<wire::TrafficControlStateResponse>, Status> {
        self.shared.enter("TrafficControlState", &request)?;
        match *self.traffic() {
            Traffic::Own => Ok(Response::new(wire::TrafficControlStateResponse::default())),
            Traffic::Awaited | Traffic::Missed => {
                Err(Status::out_of_range("TRAFFIC_CONTROL_NOT_INITIALIZED_LSU(12,0): the traffic is not set"))
            }
        }
    }

    async fn pruning_status(
        &self,
        request: Request<wire::PruningStatusRequest>,
    ) -> Result<Response<wire::PruningStatusResponse>, Status> {
        use wire::sequencer_pruning_status::MemberStatus;
        self.shared.enter("PruningStatus", &request)?;
        let now = self.node.last_block.micros();
        let member = MemberStatus {
            member: format!("PAR::{}", self.node.uid),
            registered_at: now,
            last_acknowledged: Some(now),
            enabled: true,
        };
        let silent =
            MemberStatus { member: "MED::m::1220".to_owned(), last_acknowledged: None, ..member.clone() };
        let status = wire::SequencerPruningStatus {
            now,
            earliest_event_timestamp: now,
            members: vec![member, silent],
        };
        Ok(Response::new(wire::PruningStatusResponse { pruning_status: Some(status) }))
    }

    async fn perform_lsu_sequencing_test(
        &self,
        request: Request<wire::PerformLsuSequencingTestRequest>,
    ) -> Result<Response<wire::PerformLsuSequencingTestResponse>, Status> {
        self.shared.enter("PerformLsuSequencingTest", &request)?;
        match request.into_inner().recipient_mediator_group {
            0 => Ok(Response::new(wire::PerformLsuSequencingTestResponse {})),
            _ => Err(Status::failed_precondition(
                "SEQUENCER_SEND_ASYNC_CLIENT_ERROR(9,0): Unable to send through the sequencer",
            )),
        }
    }
}

#[tonic::async_trait]
impl SequencerStatusService for Service {
    async fn sequencer_status(
        &self,
        request: Request<status_wire::SequencerStatusRequest>,
    ) -> Result<Response<status_wire::SequencerStatusResponse>, Status> {
        use health::not_initialized::WaitingForExternalInput;
        use status_wire::sequencer_status_response::{Kind, Status as NodeStatus};
        self.shared.enter("SequencerStatus", &request)?;
        let version = "3.5.4".to_owned();
        let kind = match self.node.is_initialized {
            true => Kind::Status(NodeStatus {
                common_status: Some(health::Status {
                    uid: self.node.uid.clone(),
                    active: true,
                    version,
                    ..Default::default()
                }),
                physical_synchronizer_id: self.node.physical_synchronizer.clone(),
                protocol_version: self.node.protocol_version,
                ..Default::default()
            }),
            false => Kind::NotInitialized(health::NotInitialized {
                active: true,
                waiting_for_external_input: WaitingForExternalInput::Initialization.into(),
                version,
            }),
        };
        Ok(Response::new(status_wire::SequencerStatusResponse { kind: Some(kind) }))
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<topology::SequencerLsuStateResponse, Status>> + Send>>;

#[tonic::async_trait]
impl TopologyManagerReadService for Service {
    async fn list_available_stores(
        &self,
        _request: Request<topology::ListAvailableStoresRequest>,
    ) -> Result<Response<topology::ListAvailableStoresResponse>, Status> {
        Err(Status::unimplemented("this stand-in lists no stores"))
    }

    async fn list_all(
        &self,
        request: Request<topology::ListAllRequest>,
    ) -> Result<Response<topology::ListAllResponse>, Status> {
        self.shared.enter("ListAll", &request)?;
        self.shared.fault().await?;
        let result = self.transactions(request.into_inner().base_query.as_ref())?;
        Ok(Response::new(topology::ListAllResponse { result: Some(result) }))
    }

    async fn list_all_v2(
        &self,
        request: Request<topology::ListAllV2Request>,
    ) -> Result<Response<topology::ListAllV2Response>, Status> {
        self.shared.enter("ListAllV2", &request)?;
        if !self.node.is_current {
            return Err(Status::unimplemented("Method not found: ListAllV2"));
        }
        self.shared.fault().await?;
        let result = self.transactions(request.into_inner().base_query.as_ref())?;
        Ok(Response::new(topology::ListAllV2Response { result: Some(result) }))
    }

    async fn list_sequencer_synchronizer_state(
        &self,
        _request: Request<topology::ListSequencerSynchronizerStateRequest>,
    ) -> Result<Response<topology::ListSequencerSynchronizerStateResponse>, Status> {
        Err(Status::unimplemented("this stand-in lists no sequencers"))
    }

    async fn list_lsu_announcement(
        &self,
        request: Request<topology::ListLsuAnnouncementRequest>,
    ) -> Result<Response<topology::ListLsuAnnouncementResponse>, Status> {
        use topology::list_lsu_announcement_response::Result as Row;
        self.shared.enter("ListLsuAnnouncement", &request)?;
        self.check(request.into_inner().base_query.as_ref())?;
        let rows = self.node.announcement.iter().map(|(successor, effective, upgrade_time)| Row {
            context: Some(topology::BaseResult { valid_from: to_wire(*effective), ..Default::default() }),
            item: Some(topology::LsuAnnouncement {
                successor_physical_synchronizer_id: successor.clone(),
                upgrade_time: to_wire(*upgrade_time),
            }),
        });
        Ok(Response::new(topology::ListLsuAnnouncementResponse { results: rows.collect() }))
    }

    async fn list_lsu_sequencer_connection_successor(
        &self,
        _request: Request<topology::ListLsuSequencerConnectionSuccessorRequest>,
    ) -> Result<Response<topology::ListLsuSequencerConnectionSuccessorResponse>, Status> {
        Err(Status::unimplemented("this stand-in knows no successors"))
    }

    type SequencerLsuStateStream = Chunks;

    async fn sequencer_lsu_state(
        &self,
        request: Request<topology::SequencerLsuStateRequest>,
    ) -> Result<Response<Chunks>, Status> {
        self.shared.enter("SequencerLsuState", &request)?;
        let at = request.into_inner().timestamp.as_ref().and_then(from_wire);
        let at = at.ok_or_else(|| Status::failed_precondition("TOPOLOGY_NO_LSU_ANNOUNCED(9,0): none"))?;
        let known = self.node.transactions.iter().filter(|(sequenced, _)| *sequenced <= at);
        let chunks: Vec<_> = known
            .map(|(sequenced, _)| {
                Ok(topology::SequencerLsuStateResponse { chunk: format!("{sequenced};").into_bytes() })
            })
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }
}
