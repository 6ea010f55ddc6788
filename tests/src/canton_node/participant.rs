//! A participant's admin API: its status, and what it stored about commitments.
//!
//! Its store is that of a real one: periods with a state, of which a mismatch may have been overwritten by a later match;
//! the commitments that it received and those that it computed; and what was pruned. The traps of the real answers are in
//! it: a received commitment has the state of the *first* stored period that overlaps it, what overlaps the window at all is
//! answered, and the ids of others have the form of members although the fields are called uids.

use std::sync::Arc;

use prost_types::Timestamp as WireTimestamp;
use svdr_canton::wire::com::digitalasset::canton::admin::health::v30 as health;
use svdr_canton::wire::com::digitalasset::canton::admin::participant::v30 as wire;
use svdr_protocol::time::Timestamp;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use wire::participant_inspection_service_server::{
    ParticipantInspectionService, ParticipantInspectionServiceServer,
};
use wire::participant_status_service_server::{ParticipantStatusService, ParticipantStatusServiceServer};

use super::serving::{Fault, Shared};
use super::times::{from_wire, to_wire};

/// What came of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The commitments were equal, or are since a repair.
    Match,
    /// They differed.
    Mismatch,
    /// Nothing has been received yet.
    Outstanding,
}

/// A stored period with one other participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The other participant, `PAR::…`.
    pub counterparty: String,
    /// Its start, excluded.
    pub from: Timestamp,
    /// Its end, included.
    pub to: Timestamp,
    /// What came of it.
    pub state: State,
}

/// What a participant has in its store.
#[derive(Clone, Debug, Default)]
pub struct ParticipantNode {
    /// Its own id, `PAR::…`.
    pub participant: String,
    /// The logical id of its synchronizer.
    pub synchronizer: String,
    /// The periods.
    pub periods: Vec<Period>,
    /// Commitments that were received for other periods than those that are stored: a catch-up of the other side.
    pub received: Vec<Period>,
    /// Commitments that were received before they could be compared.
    pub buffered: Vec<Period>,
    /// Whether it never computed a commitment.
    pub is_fresh: bool,
}

impl ParticipantNode {
    /// Adds a period of `seconds` that ends at `to`.
    pub fn add(&mut self, counterparty: &str, to: Timestamp, seconds: u64, state: State) {
        let from = to.checked_sub(std::time::Duration::from_secs(seconds)).unwrap_or(Timestamp::MIN);
        self.periods.push(Period { counterparty: counterparty.to_owned(), from, to, state });
    }

    /// Forgets the periods that end before `at`.
    pub fn prune(&mut self, at: Timestamp) {
        self.periods.retain(|period| period.to >= at);
    }

    pub(super) fn routes(self, shared: &Arc<Shared>) -> Routes {
        let service = Service { node: Arc::new(self), shared: Arc::clone(shared) };
        Routes::new(ParticipantInspectionServiceServer::new(service.clone()))
            .add_service(ParticipantStatusServiceServer::new(service))
    }

    /// The window of the one range that is asked for, or the error of the real service.
    fn window(&self, ranges: &[wire::SynchronizerTimeRange]) -> Result<(Timestamp, Timestamp), Status> {
        let [range] = ranges else { return Err(Status::internal("No computations done for all")) };
        let id = &range.synchronizer_id;
        if *id != self.synchronizer {
            return Err(Status::internal(format!("No synchronizer alias found for {id}")));
        }
        if self.is_fresh {
            return Err(Status::internal(format!("No computations done for {id}")));
        }
        let interval = range.interval.unwrap_or_default();
        let at = |at: Option<WireTimestamp>| at.as_ref().and_then(from_wire);
        let missing = |what: &str| Status::internal(format!("Missing {what} timestamp for {id}"));
        Ok((
            at(interval.from_exclusive).ok_or_else(|| missing("start"))?,
            at(interval.to_inclusive).ok_or_else(|| missing("end"))?,
        ))
    }
}

/// Whether a period has a part in the window.
fn overlaps(period: &Period, (from, to): (Timestamp, Timestamp)) -> bool {
    period.to > from && period.from < to
}

fn interval(period: &Period) -> Option<wire::Interval> {
    Some(wire::Interval {
        start_tick_exclusive: to_wire(period.from),
        end_tick_inclusive: to_wire(period.to),
    })
}

/// Refuses ids that are not in the form of members.
fn check_ids(ids: &[String]) -> Result<(), Status> {
    match ids.iter().find(|id| !id.starts_with("PAR::")) {
        Some(id) => Err(Status::internal(format!("Invalid member `{id}`, expected 3 parts"))),
        None => Ok(()),
    }
}

#[derive(Clone, Debug)]
struct Service {
    node: Arc<ParticipantNode>,
    shared: Arc<Shared>,
}

impl Service {
    /// The name of the synchronizer in the answer.
    fn named(&self, fault: Option<&Fault>) -> String {
        match fault {
            Some(Fault::OtherSynchronizer) => format!("other-domain::1220{}", "ab".repeat(32)),
            _ => self.node.synchronizer.clone(),
        }
    }
}

#[tonic::async_trait]
impl ParticipantInspectionService for Service {
    async fn lookup_received_acs_commitments(
        &self,
        request: Request<wire::LookupReceivedAcsCommitmentsRequest>,
    ) -> Result<Response<wire::LookupReceivedAcsCommitmentsResponse>, Status> {
        use wire::ReceivedCommitmentState as Wire;
        self.shared.enter("LookupReceivedAcsCommitments", &request)?;
        let fault = self.shared.fault().await?;
        let request = request.into_inner();
        let window = self.node.window(&request.time_ranges)?;
        check_ids(&request.counter_participant_ids)?;
        let wanted = |period: &&Period| {
            let ids = &request.counter_participant_ids;
            overlaps(period, window) && (ids.is_empty() || ids.contains(&period.counterparty))
        };
        let row = |period: &Period, state: Wire| wire::ReceivedAcsCommitment {
            interval: interval(period),
            origin_counter_participant_uid: period.counterparty.clone(),
            received_commitment: None,
            own_commitment: None,
            state: state.into(),
        };
        let node = &self.node;
        let stored = |received: &Period| {
            let mut of_sender = node.periods.iter().filter(|one| one.counterparty == received.counterparty);
            match of_sender.find(|one| overlaps(one, (received.from, received.to))).map(|one| one.state) {
                Some(State::Match) => Wire::Match,
                Some(State::Mismatch) => Wire::Mismatch,
                Some(State::Outstanding) => Wire::Outstanding,
                None => Wire::Unspecified,
            }
        };
        let plain = node.periods.iter().filter(|period| period.state != State::Outstanding);
        let mut received: Vec<_> =
            plain.chain(&node.received).filter(wanted).map(|period| row(period, stored(period))).collect();
        received.extend(node.buffered.iter().filter(wanted).map(|period| row(period, Wire::Buffered)));
        let outstanding = node.periods.iter().filter(|period| period.state == State::Outstanding);
        received.extend(outstanding.filter(wanted).map(|period| row(period, Wire::Outstanding)));
        if let Some(Fault::Longer(bytes)) = fault {
            let nobody = Period {
                counterparty: format!("PAR::nobody::1220{}", "0".repeat(64)),
                from: window.0,
                to: window.1,
                state: State::Match,
            };
            // Each has a little more than this.
            let rows = bytes / 100;
            received.extend(std::iter::repeat_n(row(&nobody, Wire::Match), rows));
        }
        let answer = wire::ReceivedAcsCommitmentPerSynchronizer {
            synchronizer_id: self.named(fault.as_ref()),
            received,
        };
        Ok(Response::new(wire::LookupReceivedAcsCommitmentsResponse { received: vec![answer] }))
    }

    async fn lookup_sent_acs_commitments(
        &self,
        request: Request<wire::LookupSentAcsCommitmentsRequest>,
    ) -> Result<Response<wire::LookupSentAcsCommitmentsResponse>, Status> {
        use wire::SentCommitmentState as Wire;
        self.shared.enter("LookupSentAcsCommitments", &request)?;
        let fault = self.shared.fault().await?;
        let request = request.into_inner();
        let window = self.node.window(&request.time_ranges)?;
        check_ids(&request.counter_participant_ids)?;
        let ids = &request.counter_participant_ids;
        let wanted = self.node.periods.iter().filter(|period| {
            overlaps(period, window) && (ids.is_empty() || ids.contains(&period.counterparty))
        });
        let sent = wanted.map(|period| wire::SentAcsCommitment {
            interval: interval(period),
            dest_counter_participant_uid: period.counterparty.clone(),
            own_commitment: None,
            received_commitment: None,
            state: match period.state {
                State::Match => Wire::Match,
                State::Mismatch => Wire::Mismatch,
                State::Outstanding => Wire::NotCompared,
            }
            .into(),
        });
        let answer = wire::SentAcsCommitmentPerSynchronizer {
            synchronizer_id: self.named(fault.as_ref()),
            sent: sent.collect(),
        };
        Ok(Response::new(wire::LookupSentAcsCommitmentsResponse { sent: vec![answer] }))
    }

    async fn count_in_flight(
        &self,
        _request: Request<wire::CountInFlightRequest>,
    ) -> Result<Response<wire::CountInFlightResponse>, Status> {
        Err(Status::unimplemented("this stand-in does not count"))
    }
}

#[tonic::async_trait]
impl ParticipantStatusService for Service {
    async fn participant_status(
        &self,
        request: Request<wire::ParticipantStatusRequest>,
    ) -> Result<Response<wire::ParticipantStatusResponse>, Status> {
        use wire::participant_status_response::{Kind, Status as NodeStatus};
        self.shared.enter("ParticipantStatus", &request)?;
        let uid = self.node.participant.trim_start_matches("PAR::").to_owned();
        let common = health::Status { uid, active: true, version: "3.5.4".to_owned(), ..Default::default() };
        let status = NodeStatus {
            common_status: Some(common),
            connected_synchronizers: Vec::new(),
            active: true,
            supported_protocol_versions: vec![34, 35],
        };
        Ok(Response::new(wire::ParticipantStatusResponse { kind: Some(Kind::Status(status)) }))
    }
}
