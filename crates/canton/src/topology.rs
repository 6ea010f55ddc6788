//! The topology that a sequencer knows: its newest transaction, an announced upgrade, and the export.

use std::time::Duration;

use svdr_protocol::time::Timestamp;
use tonic::transport::Channel;

use crate::connection::Connection;
use crate::convert::{from_wire, to_wire};
use crate::error::CallError;
use crate::limits::{EXPORT_TIMEOUT, LOOKUP_TIMEOUT, MAX_EXPORT_LEN, MAX_TOPOLOGY_LEN};
use crate::wire::com::digitalasset::canton::topology::admin::v30 as wire;
use wire::base_query::{TimeQuery, TimeRange};
use wire::topology_manager_read_service_client::TopologyManagerReadServiceClient;
use wire::{store_id, synchronizer};

/// How far back the newest transaction is looked for first. A busy network has one every few minutes.
const FIRST_RANGE: Duration = Duration::from_secs(6 * 60 * 60);
/// How much further back each time that there was none.
const WIDER: u32 = 4;
/// How often the range is widened: to more than two years.
const MAX_WIDENINGS: u32 = 6;

/// Times of the newest topology transaction that was not rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestTopology {
    /// The latest time at which one was sequenced.
    pub sequenced: Timestamp,
    /// The latest time at which one becomes effective.
    pub effective: Timestamp,
}

/// An announced upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The successor's id.
    pub successor: String,
    /// When the announcement became effective.
    pub effective: Timestamp,
    /// The announced upgrade time.
    pub upgrade_time: Timestamp,
}

/// The calls, on one node.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    connection: Connection,
    service: TopologyManagerReadServiceClient<Channel>,
}

impl Topology {
    pub(crate) fn new(connection: Connection) -> Topology {
        let service = TopologyManagerReadServiceClient::new(connection.channel())
            .max_decoding_message_size(MAX_TOPOLOGY_LEN);
        Topology { connection, service }
    }

    /// The newest transaction of a physical synchronizer that was sequenced before `now` or a little after it.
    pub(crate) async fn newest(
        &self,
        physical_synchronizer: &str,
        now: Timestamp,
    ) -> Result<Option<NewestTopology>, CallError> {
        let mut back = FIRST_RANGE;
        for _ in 0..=MAX_WIDENINGS {
            let from = now.checked_sub(back).unwrap_or(Timestamp::MIN);
            let range = TimeQuery::Range(TimeRange { from: Some(to_wire(from)), until: None });
            let newest = self.newest_in(query(physical_synchronizer, range)).await?;
            if newest.is_some() {
                return Ok(newest);
            }
            back = back.saturating_mul(WIDER);
        }
        Ok(None)
    }

    /// The newest transaction that a query finds.
    async fn newest_in(&self, query: wire::BaseQuery) -> Result<Option<NewestTopology>, CallError> {
        const CALL: &str = "ListAllV2";
        let (mut service, mut older) = (self.service.clone(), self.service.clone());
        let request = wire::ListAllV2Request {
            base_query: Some(query.clone()),
            include_mappings: Vec::new(),
            filter_namespace: String::new(),
        };
        let send = |request| async move { service.list_all_v2(request).await };
        let answered = self.connection.call(CALL, LOOKUP_TIMEOUT, request, send).await;
        let result = match answered {
            Ok(answer) => answer.result,
            // A release before 3.5.
            Err(CallError::Unknown { .. }) => {
                let request = wire::ListAllRequest {
                    base_query: Some(query),
                    exclude_mappings: Vec::new(),
                    filter_namespace: String::new(),
                };
                let send = |request| async move { older.list_all(request).await };
                self.connection.call("ListAll", LOOKUP_TIMEOUT, request, send).await?.result
            }
            Err(error) => return Err(error),
        };
        let mut newest: Option<NewestTopology> = None;
        for item in result.map(|result| result.items).unwrap_or_default() {
            let times =
                (item.sequenced.as_ref().and_then(from_wire), item.valid_from.as_ref().and_then(from_wire));
            let (Some(sequenced), Some(effective)) = times else {
                return Err(self.malformed(CALL, "a transaction without its two times".to_owned()));
            };
            let before = newest.unwrap_or(NewestTopology { sequenced, effective });
            newest = Some(NewestTopology {
                sequenced: before.sequenced.max(sequenced),
                effective: before.effective.max(effective),
            });
        }
        Ok(newest)
    }

    /// The upgrade that is announced on a physical synchronizer now.
    pub(crate) async fn announcement(
        &self,
        physical_synchronizer: &str,
    ) -> Result<Option<Announcement>, CallError> {
        const CALL: &str = "ListLsuAnnouncement";
        let request = wire::ListLsuAnnouncementRequest {
            base_query: Some(query(physical_synchronizer, TimeQuery::HeadState(()))),
            filter_synchronizer_id: String::new(),
        };
        let mut service = self.service.clone();
        let send = |request| async move { service.list_lsu_announcement(request).await };
        let answer = self.connection.call(CALL, LOOKUP_TIMEOUT, request, send).await?;
        let mut announced = Vec::new();
        for result in answer.results {
            let effective =
                result.context.and_then(|context| context.valid_from).as_ref().and_then(from_wire);
            let item = result.item;
            let upgrade_time = item.as_ref().and_then(|item| item.upgrade_time.as_ref()).and_then(from_wire);
            match (item, effective, upgrade_time) {
                (Some(item), Some(effective), Some(upgrade_time)) => announced.push(Announcement {
                    successor: item.successor_physical_synchronizer_id,
                    effective,
                    upgrade_time,
                }),
                _ => return Err(self.malformed(CALL, "an announcement without its times".to_owned())),
            }
        }
        // A newer announcement replaces an older one.
        Ok(announced.into_iter().max_by_key(|one| one.effective))
    }

    /// The export of a physical synchronizer's topology as of `at`. Nothing is changed by it. `each` gets its bytes in
    /// order, in chunks.
    pub(crate) async fn export(
        &self,
        physical_synchronizer: &str,
        at: Timestamp,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), CallError> {
        const CALL: &str = "SequencerLsuState";
        let request = wire::SequencerLsuStateRequest {
            synchronizer_store: Some(store(physical_synchronizer)),
            timestamp: Some(to_wire(at)),
        };
        let mut service = self.service.clone();
        let send = |request| async move { service.sequencer_lsu_state(request).await };
        let mut stream = self.connection.call(CALL, EXPORT_TIMEOUT, request, send).await?;
        let url = self.connection.url();
        let mut received = 0;
        loop {
            let next = tokio::time::timeout(EXPORT_TIMEOUT, stream.message());
            let chunk = match next.await {
                Ok(Ok(Some(message))) => message.chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(status)) => return Err(CallError::of_status(url, CALL, EXPORT_TIMEOUT, status)),
                Err(_elapsed) => {
                    return Err(CallError::TimedOut { url: url.clone(), call: CALL, after: EXPORT_TIMEOUT });
                }
            };
            received += chunk.len();
            if received > MAX_EXPORT_LEN {
                return Err(self.malformed(CALL, format!("more than {MAX_EXPORT_LEN} bytes")));
            }
            each(&chunk);
        }
    }

    fn malformed(&self, call: &'static str, found: String) -> CallError {
        CallError::Malformed { url: self.connection.url().clone(), call, found }
    }
}

/// The store of one physical synchronizer. By its logical id, a node would take the one that is active.
fn store(physical_synchronizer: &str) -> wire::StoreId {
    let kind = synchronizer::Kind::PhysicalId(physical_synchronizer.to_owned());
    let synchronizer = wire::Synchronizer { kind: Some(kind) };
    wire::StoreId { store: Some(store_id::Store::Synchronizer(synchronizer)) }
}

fn query(physical_synchronizer: &str, time_query: TimeQuery) -> wire::BaseQuery {
    wire::BaseQuery {
        store: Some(store(physical_synchronizer)),
        proposals: false,
        operation: wire::TopologyChangeOp::Unspecified.into(),
        filter_signed_key: String::new(),
        protocol_version: None,
        time_query: Some(time_query),
    }
}
