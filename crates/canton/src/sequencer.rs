//! A sequencer's admin API.

use svdr_protocol::time::Timestamp;
use tonic::transport::Channel;

use crate::connection::Connection;
use crate::convert::to_wire;
use crate::error::CallError;
use crate::limits::{EXPORT_TIMEOUT, LOOKUP_TIMEOUT, MAX_STATUS_LEN, MAX_TRAFFIC_LEN, STATUS_TIMEOUT};
use crate::node::{NodeState, waiting};
use crate::reason::Reason;
use crate::topology::{Announcement, NewestTopology, Topology};
use crate::wire::com::digitalasset::canton::admin::sequencer::v30 as status_wire;
use crate::wire::com::digitalasset::canton::sequencer::admin::v30 as wire;
use status_wire::sequencer_status_response::Kind;
use status_wire::sequencer_status_service_client::SequencerStatusServiceClient;
use wire::sequencer_administration_service_client::SequencerAdministrationServiceClient;
use wire::traffic_control_state_request::{RelativeTimestamp, Timestamp as AsOf};

/// The mediators of a Splice network are in this group.
const MEDIATOR_GROUP: i32 = 0;

/// A sequencer.
#[derive(Clone, Debug)]
pub struct Sequencer {
    connection: Connection,
    administration: SequencerAdministrationServiceClient<Channel>,
    status: SequencerStatusServiceClient<Channel>,
    topology: Topology,
}

/// What an initialized sequencer says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequencerState {
    /// Its id, `SEQ::name::fingerprint`.
    pub id: String,
    /// The physical synchronizer that it belongs to.
    pub physical_synchronizer: String,
    /// The synchronizer's protocol version.
    pub protocol_version: i32,
    /// Its release.
    pub version: String,
    /// Whether it is active.
    pub active: bool,
}

/// How far one member has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPosition {
    /// The member, `PAR::`, `MED::` or `SEQ::` in front.
    pub member: String,
    /// Up to when it has acknowledged events; `None` if it never did.
    pub last_acknowledged: Option<Timestamp>,
    /// Whether it may read.
    pub enabled: bool,
}

/// Whether a successor has the traffic of the old synchronizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficTransfer {
    /// It has, or it is no successor.
    Set,
    /// It has not.
    NotSet,
}

impl Sequencer {
    /// The sequencer at the other end.
    pub fn new(connection: Connection) -> Sequencer {
        let administration = SequencerAdministrationServiceClient::new(connection.channel())
            .max_decoding_message_size(MAX_TRAFFIC_LEN)
            .max_encoding_message_size(MAX_TRAFFIC_LEN);
        let status =
            SequencerStatusServiceClient::new(connection.channel()).max_decoding_message_size(MAX_STATUS_LEN);
        let topology = Topology::new(connection.clone());
        Sequencer { connection, administration, status, topology }
    }

    /// What the sequencer says about itself.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn state(&self) -> Result<NodeState<SequencerState>, CallError> {
        const CALL: &str = "SequencerStatus";
        let mut service = self.status.clone();
        let send = |request| async move { service.sequencer_status(request).await };
        let request = status_wire::SequencerStatusRequest {};
        match self.connection.call(CALL, STATUS_TIMEOUT, request, send).await?.kind {
            Some(Kind::Status(status)) => {
                let common = status.common_status.unwrap_or_default();
                Ok(NodeState::Initialized(SequencerState {
                    // The status has the id without its prefix.
                    id: format!("SEQ::{}", common.uid),
                    physical_synchronizer: status.physical_synchronizer_id,
                    protocol_version: status.protocol_version,
                    version: common.version,
                    active: common.active,
                }))
            }
            Some(Kind::NotInitialized(answer)) => Ok(waiting(answer)),
            None => Err(self.malformed(CALL, "expected a status, found none".to_owned())),
        }
    }

    /// Times of the newest topology transaction of a physical synchronizer; `None` if there is none in two years before
    /// `now`. Transactions that are sequenced and not effective yet count.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn newest_topology(
        &self,
        physical_synchronizer: &str,
        now: Timestamp,
    ) -> Result<Option<NewestTopology>, CallError> {
        self.topology.newest(physical_synchronizer, now).await
    }

    /// The upgrade that is announced on a physical synchronizer.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn announcement(&self, physical_synchronizer: &str) -> Result<Option<Announcement>, CallError> {
        self.topology.announcement(physical_synchronizer).await
    }

    /// Exports the topology of a physical synchronizer as of `at`, and changes nothing. `each` gets the bytes in order.
    ///
    /// # Errors
    /// [`CallError`] if the export did not end. The bytes until then are not an export.
    pub async fn export_topology(
        &self,
        physical_synchronizer: &str,
        at: Timestamp,
        each: impl FnMut(&[u8]),
    ) -> Result<(), CallError> {
        self.topology.export(physical_synchronizer, at, each).await
    }

    /// The members' traffic as of `at`, in Canton's own encoding.
    ///
    /// # Errors
    /// [`CallError`]; [`Reason::SequencerLsuNotAtUpgradeTimeOrBeyond`] if the sequencer has not processed `at`.
    pub async fn lsu_traffic_state(&self, at: Timestamp) -> Result<Vec<u8>, CallError> {
        let request = wire::GetLsuTrafficControlStateRequest { timestamp: Some(to_wire(at)) };
        let mut service = self.administration.clone();
        let send = |request| async move { service.get_lsu_traffic_control_state(request).await };
        let call = "GetLsuTrafficControlState";
        Ok(self.connection.call(call, EXPORT_TIMEOUT, request, send).await?.lsu_traffic_state)
    }

    /// Gives a successor the members' traffic. It accepts one, once, and none after its upgrade time has passed.
    ///
    /// # Errors
    /// [`CallError`]; [`Reason::SequencerLsuTrafficAlreadyInitialized`] if it has one.
    pub async fn set_lsu_traffic_state(&self, state: Vec<u8>) -> Result<(), CallError> {
        let request = wire::SetLsuTrafficControlStateRequest { lsu_traffic_state: state };
        let mut service = self.administration.clone();
        let send = |request| async move { service.set_lsu_traffic_control_state(request).await };
        self.connection.call("SetLsuTrafficControlState", EXPORT_TIMEOUT, request, send).await?;
        Ok(())
    }

    /// Whether a successor has the members' traffic, as its readiness to answer about one member's traffic shows.
    ///
    /// # Errors
    /// [`CallError`] if the sequencer answers neither way.
    pub async fn traffic_transfer(&self, member: &str) -> Result<TrafficTransfer, CallError> {
        let request = wire::TrafficControlStateRequest {
            members: vec![member.to_owned()],
            timestamp: Some(AsOf::RelativeTimestamp(RelativeTimestamp::LatestApproximate.into())),
        };
        let mut service = self.administration.clone();
        let send = |request| async move { service.traffic_control_state(request).await };
        match self.connection.call("TrafficControlState", STATUS_TIMEOUT, request, send).await {
            Ok(_) => Ok(TrafficTransfer::Set),
            Err(error) if error.reason() == Some(Reason::TrafficControlNotInitializedLsu) => {
                Ok(TrafficTransfer::NotSet)
            }
            Err(error) => Err(error),
        }
    }

    /// How far each member has read.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn read_positions(&self) -> Result<Vec<ReadPosition>, CallError> {
        const CALL: &str = "PruningStatus";
        let mut service = self.administration.clone();
        let send = |request| async move { service.pruning_status(request).await };
        let answer = self.connection.call(CALL, LOOKUP_TIMEOUT, wire::PruningStatusRequest {}, send).await?;
        let status = answer.pruning_status;
        let status =
            status.ok_or_else(|| self.malformed(CALL, "expected a status, found none".to_owned()))?;
        let positions = status.members.into_iter().map(|member| {
            let last_acknowledged = match member.last_acknowledged {
                None => None,
                Some(micros) => Some(Timestamp::from_micros(micros).ok_or_else(|| {
                    self.malformed(CALL, format!("{micros} microseconds is outside of the years 1 to 9999"))
                })?),
            };
            Ok(ReadPosition { member: member.member, last_acknowledged, enabled: member.enabled })
        });
        positions.collect()
    }

    /// Sends a message to the mediators that proves that this sequencer and theirs work together. It changes no ledger, and
    /// returns before the message is sequenced.
    ///
    /// # Errors
    /// [`CallError`] if the message was not sent.
    pub async fn perform_sequencing_test(&self) -> Result<(), CallError> {
        let request = wire::PerformLsuSequencingTestRequest { recipient_mediator_group: MEDIATOR_GROUP };
        let mut service = self.administration.clone();
        let send = |request| async move { service.perform_lsu_sequencing_test(request).await };
        self.connection.call("PerformLsuSequencingTest", STATUS_TIMEOUT, request, send).await?;
        Ok(())
    }

    fn malformed(&self, call: &'static str, found: String) -> CallError {
        CallError::Malformed { url: self.connection.url().clone(), call, found }
    }
}
