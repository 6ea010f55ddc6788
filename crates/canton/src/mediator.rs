//! A mediator's admin API.

use tonic::transport::Channel;

use crate::connection::Connection;
use crate::error::CallError;
use crate::limits::{MAX_STATUS_LEN, STATUS_TIMEOUT};
use crate::node::{NodeState, waiting};
use crate::wire::com::digitalasset::canton::admin::mediator::v30 as wire;
use wire::mediator_status_response::Kind;
use wire::mediator_status_service_client::MediatorStatusServiceClient;

/// A mediator.
#[derive(Clone, Debug)]
pub struct Mediator {
    connection: Connection,
    status: MediatorStatusServiceClient<Channel>,
}

/// What an initialized mediator says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediatorState {
    /// The physical synchronizer that it belongs to.
    pub physical_synchronizer: String,
    /// The synchronizer's protocol version.
    pub protocol_version: i32,
    /// Its release.
    pub version: String,
    /// Whether it is active.
    pub active: bool,
}

impl Mediator {
    /// The mediator at the other end.
    pub fn new(connection: Connection) -> Mediator {
        let status =
            MediatorStatusServiceClient::new(connection.channel()).max_decoding_message_size(MAX_STATUS_LEN);
        Mediator { connection, status }
    }

    /// What the mediator says about itself.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn state(&self) -> Result<NodeState<MediatorState>, CallError> {
        const CALL: &str = "MediatorStatus";
        let mut service = self.status.clone();
        let send = |request| async move { service.mediator_status(request).await };
        let answer = self.connection.call(CALL, STATUS_TIMEOUT, wire::MediatorStatusRequest {}, send).await?;
        match answer.kind {
            Some(Kind::Status(status)) => {
                let common = status.common_status.unwrap_or_default();
                Ok(NodeState::Initialized(MediatorState {
                    physical_synchronizer: status.physical_synchronizer_id,
                    protocol_version: status.protocol_version,
                    version: common.version,
                    active: common.active,
                }))
            }
            Some(Kind::NotInitialized(answer)) => Ok(waiting(answer)),
            None => Err(CallError::Malformed {
                url: self.connection.url().clone(),
                call: CALL,
                found: "expected a status, found none".to_owned(),
            }),
        }
    }
}
