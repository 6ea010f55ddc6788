//! A participant's admin API.

use std::collections::BTreeMap;

use prost::Message as _;
use svdr_protocol::evidence::lookup::{Compared, Comparison};
use svdr_protocol::names::{ParticipantId, SynchronizerId};
use svdr_protocol::text::{excerpt, shown_in_line};
use svdr_protocol::time::{Tick, Timestamp};
use tonic::transport::Channel;

use crate::connection::Connection;
use crate::convert::{from_wire, to_wire};
use crate::error::CallError;
use crate::limits::{
    LOOKUP_TIMEOUT, MAX_LOOKUP_LEN, MAX_STATUS_LEN, MAX_WORDS, MIGRATION_TIMEOUT, STATUS_TIMEOUT,
};
use crate::node::{NodeState, waiting};
use crate::settings::NodeUrl;
use crate::wire::com::digitalasset::canton::admin::participant::v30 as wire;
use wire::participant_inspection_service_client::ParticipantInspectionServiceClient;
use wire::participant_status_response::Kind;
use wire::participant_status_service_client::ParticipantStatusServiceClient;
use wire::perform_manual_lsu_request::{SequencerSuccessor as WireSuccessor, SequencerSuccessors, Target};
use wire::synchronizer_connectivity_service_client::SynchronizerConnectivityServiceClient;

/// A participant.
#[derive(Clone, Debug)]
pub struct Participant {
    connection: Connection,
    inspection: ParticipantInspectionServiceClient<Channel>,
    connectivity: SynchronizerConnectivityServiceClient<Channel>,
    status: ParticipantStatusServiceClient<Channel>,
}

/// What an initialized participant says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantState {
    /// Its id, `PAR::name::fingerprint`, as it says it.
    pub id: String,
    /// Its release.
    pub version: String,
    /// Whether it is active.
    pub active: bool,
}

/// A part of a participant's history: periods that end after `from` and not after `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start, excluded.
    pub from: Timestamp,
    /// Its end, included.
    pub to: Timestamp,
}

/// What a participant answers about commitments in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rows.
    pub rows: Vec<Compared>,
    /// The length of the answer, in bytes.
    pub bytes: u64,
}

/// A synchronizer that a participant is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The participant's own name for it; `global` on Splice.
    pub alias: String,
    /// The physical synchronizer's id.
    pub physical_synchronizer: String,
    /// Whether the connection is healthy.
    pub healthy: bool,
}

/// A synchronizer that a participant has a connection for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The physical synchronizer's id, if it is known.
    pub physical_synchronizer: Option<String>,
    /// Whether the participant is connected.
    pub connected: bool,
    /// The role of the connection.
    pub status: RegisteredStatus,
    /// The physical synchronizer that this one follows, and the participant's own ledger time at the switch.
    pub predecessor: Option<(String, Timestamp)>,
}

/// The role of a registered connection. Releases before 3.5 do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredStatus {
    /// In use.
    Active,
    /// Left by an upgrade.
    LsuSource,
    /// Prepared for an upgrade.
    LsuTarget,
    /// Anything else.
    Other,
}

/// Where a successor sequencer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequencerSuccessor {
    /// `http://host:port` or `https://host:port`, at least one.
    pub endpoints: Vec<String>,
    /// The CA of the endpoints, PEM.
    pub custom_trust_certificates: Option<Vec<u8>>,
}

impl Participant {
    /// The participant at the other end.
    pub fn new(connection: Connection) -> Participant {
        let inspection = ParticipantInspectionServiceClient::new(connection.channel())
            .max_decoding_message_size(MAX_LOOKUP_LEN);
        let connectivity = SynchronizerConnectivityServiceClient::new(connection.channel())
            .max_decoding_message_size(MAX_STATUS_LEN);
        let status = ParticipantStatusServiceClient::new(connection.channel())
            .max_decoding_message_size(MAX_STATUS_LEN);
        Participant { connection, inspection, connectivity, status }
    }

    /// Where the participant is.
    pub fn url(&self) -> &NodeUrl {
        self.connection.url()
    }

    /// What the participant says about itself.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn state(&self) -> Result<NodeState<ParticipantState>, CallError> {
        const CALL: &str = "ParticipantStatus";
        let mut service = self.status.clone();
        let send = |request| async move { service.participant_status(request).await };
        let request = wire::ParticipantStatusRequest {};
        match self.connection.call(CALL, STATUS_TIMEOUT, request, send).await?.kind {
            Some(Kind::Status(status)) => {
                let common = status.common_status.unwrap_or_default();
                Ok(NodeState::Initialized(ParticipantState {
                    // The status has the id without its prefix.
                    id: format!("PAR::{}", common.uid),
                    version: common.version,
                    active: status.active,
                }))
            }
            Some(Kind::NotInitialized(answer)) => Ok(waiting(answer)),
            None => Err(self.malformed(CALL, "expected a status, found none".to_owned())),
        }
    }

    /// What came of the commitments of `counterparties` that the participant received, for periods in `window`.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer, or the answer is about another synchronizer.
    pub async fn received_commitments(
        &self,
        synchronizer: &SynchronizerId,
        counterparties: &[ParticipantId],
        window: Window,
    ) -> Result<Answer, CallError> {
        const CALL: &str = "LookupReceivedAcsCommitments";
        let request = wire::LookupReceivedAcsCommitmentsRequest {
            time_ranges: vec![range(synchronizer, window)],
            counter_participant_ids: counterparties.iter().map(ToString::to_string).collect(),
            commitment_state: Vec::new(),
            verbose: false,
        };
        let mut inspection = self.inspection.clone();
        let send = |request| async move { inspection.lookup_received_acs_commitments(request).await };
        let answer = self.connection.call(CALL, LOOKUP_TIMEOUT, request, send).await?;
        let bytes = answer.encoded_len() as u64;
        let mut rows = Vec::new();
        for one in answer.received {
            self.expect_synchronizer(CALL, synchronizer, &one.synchronizer_id)?;
            for row in one.received {
                use wire::ReceivedCommitmentState as State;
                let comparison = match row.state() {
                    State::Match => Comparison::Match,
                    State::Mismatch => Comparison::Mismatch,
                    State::Unspecified | State::Buffered | State::Outstanding => Comparison::NotCompared,
                };
                rows.push(self.row(CALL, &row.origin_counter_participant_uid, row.interval, comparison)?);
            }
        }
        Ok(Answer { rows, bytes })
    }

    /// What came of the commitments that the participant sent to `counterparties`, for periods in `window`.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer, or the answer is about another synchronizer.
    pub async fn sent_commitments(
        &self,
        synchronizer: &SynchronizerId,
        counterparties: &[ParticipantId],
        window: Window,
    ) -> Result<Answer, CallError> {
        const CALL: &str = "LookupSentAcsCommitments";
        let request = wire::LookupSentAcsCommitmentsRequest {
            time_ranges: vec![range(synchronizer, window)],
            counter_participant_ids: counterparties.iter().map(ToString::to_string).collect(),
            commitment_state: Vec::new(),
            verbose: false,
        };
        let mut inspection = self.inspection.clone();
        let send = |request| async move { inspection.lookup_sent_acs_commitments(request).await };
        let answer = self.connection.call(CALL, LOOKUP_TIMEOUT, request, send).await?;
        let bytes = answer.encoded_len() as u64;
        let mut rows = Vec::new();
        for one in answer.sent {
            self.expect_synchronizer(CALL, synchronizer, &one.synchronizer_id)?;
            for row in one.sent {
                use wire::SentCommitmentState as State;
                let comparison = match row.state() {
                    State::Match => Comparison::Match,
                    State::Mismatch => Comparison::Mismatch,
                    State::Unspecified | State::NotCompared => Comparison::NotCompared,
                };
                rows.push(self.row(CALL, &row.dest_counter_participant_uid, row.interval, comparison)?);
            }
        }
        Ok(Answer { rows, bytes })
    }

    fn expect_synchronizer(
        &self,
        call: &'static str,
        expected: &SynchronizerId,
        found: &str,
    ) -> Result<(), CallError> {
        if expected.to_string() == found {
            return Ok(());
        }
        let found = format!("expected synchronizer {expected}, found {}", quoted(found));
        Err(self.malformed(call, found))
    }

    fn row(
        &self,
        call: &'static str,
        counterparty: &str,
        interval: Option<wire::Interval>,
        comparison: Comparison,
    ) -> Result<Compared, CallError> {
        let counterparty = counterparty.parse().map_err(|_| {
            self.malformed(call, format!("{} is not a full participant id", quoted(counterparty)))
        })?;
        let end = interval.as_ref().and_then(|interval| interval.end_tick_inclusive.as_ref());
        let tick = end.and_then(from_wire).map(Tick).ok_or_else(|| {
            self.malformed(call, "a period without an end that is a whole number of microseconds".to_owned())
        })?;
        Ok(Compared { counterparty, tick, comparison })
    }

    fn malformed(&self, call: &'static str, found: String) -> CallError {
        CallError::Malformed { url: self.connection.url().clone(), call, found }
    }

    /// The synchronizers that the participant is connected to.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn connected_synchronizers(&self) -> Result<Vec<Connected>, CallError> {
        let request = wire::ListConnectedSynchronizersRequest {};
        let mut connectivity = self.connectivity.clone();
        let send = |request| async move { connectivity.list_connected_synchronizers(request).await };
        let answer =
            self.connection.call("ListConnectedSynchronizers", STATUS_TIMEOUT, request, send).await?;
        let connected = answer.connected_synchronizers.into_iter().map(|one| Connected {
            alias: one.synchronizer_alias,
            physical_synchronizer: one.physical_synchronizer_id,
            healthy: one.healthy,
        });
        Ok(connected.collect())
    }

    /// The synchronizers that the participant has a connection for, in use or not.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn registered_synchronizers(&self) -> Result<Vec<Registered>, CallError> {
        const CALL: &str = "ListRegisteredSynchronizers";
        let request = wire::ListRegisteredSynchronizersRequest { all_statuses: true };
        let mut connectivity = self.connectivity.clone();
        let send = |request| async move { connectivity.list_registered_synchronizers(request).await };
        let answer = self.connection.call(CALL, STATUS_TIMEOUT, request, send).await?;
        let registered = answer.results.into_iter().map(|one| {
            use wire::list_registered_synchronizers_response::Status;
            let status = match one.status() {
                Status::Active => RegisteredStatus::Active,
                Status::LsuSource => RegisteredStatus::LsuSource,
                Status::LsuTarget => RegisteredStatus::LsuTarget,
                _ => RegisteredStatus::Other,
            };
            let predecessor = match one.synchronizer_predecessor {
                None => None,
                Some(predecessor) => {
                    let at = predecessor.upgrade_time.as_ref().and_then(from_wire);
                    let at = at.ok_or_else(|| {
                        self.malformed(CALL, "a predecessor without an upgrade time".to_owned())
                    })?;
                    Some((predecessor.predecessor_physical_id, at))
                }
            };
            Ok(Registered {
                physical_synchronizer: one.physical_synchronizer_id,
                connected: one.connected,
                status,
                predecessor,
            })
        });
        registered.collect()
    }

    /// Moves the participant from one physical synchronizer to its successor, and waits until it has moved. This cannot be
    /// undone. The sequencers are named by their ids on the old synchronizer, `SEQ::name::fingerprint`; one that is not
    /// named is dropped from the participant's connection.
    ///
    /// # Errors
    /// [`CallError`] if the participant did not move, or its answer was lost. After a lost answer,
    /// [`Participant::connected_synchronizers`] says whether it moved.
    pub async fn perform_manual_lsu(
        &self,
        current: &str,
        successor: &str,
        sequencers: &BTreeMap<String, SequencerSuccessor>,
    ) -> Result<(), CallError> {
        let successors = sequencers.iter().map(|(id, successor)| {
            let SequencerSuccessor { endpoints, custom_trust_certificates } = successor.clone();
            (id.clone(), WireSuccessor { endpoints, custom_trust_certificates })
        });
        let request = wire::PerformManualLsuRequest {
            physical_synchronizer_id: current.to_owned(),
            successor_physical_synchronizer_id: successor.to_owned(),
            // The participant takes its own last record time, the only value that it accepts.
            upgrade_time: None,
            target: Some(Target::SequencerSuccessors(SequencerSuccessors {
                successors: successors.collect(),
            })),
        };
        let mut connectivity = self.connectivity.clone();
        let send = |request| async move { connectivity.perform_manual_lsu(request).await };
        self.connection.call("PerformManualLsu", MIGRATION_TIMEOUT, request, send).await?;
        Ok(())
    }
}

fn range(synchronizer: &SynchronizerId, window: Window) -> wire::SynchronizerTimeRange {
    wire::SynchronizerTimeRange {
        synchronizer_id: synchronizer.to_string(),
        interval: Some(wire::TimeRange {
            from_exclusive: Some(to_wire(window.from)),
            to_inclusive: Some(to_wire(window.to)),
        }),
    }
}

/// A text of the node as an error quotes it.
fn quoted(text: &str) -> String {
    format!("{:?}", shown_in_line(&excerpt(text, MAX_WORDS)))
}
