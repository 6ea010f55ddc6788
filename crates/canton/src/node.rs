//! What every node says about its own state.

use crate::wire::com::digitalasset::canton::admin::health::v30 as wire;

/// The state of a node, with what `T` says once it is initialized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState<T> {
    /// It is initialized.
    Initialized(T),
    /// It waits.
    Waiting {
        /// For what.
        waits_for: WaitsFor,
        /// Its release, if it says so.
        version: Option<String>,
    },
}

/// What a node that is not initialized waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Its identity.
    Identity,
    /// The topology of its identity.
    Topology,
    /// Its initialization: where a fresh successor waits.
    Initialization,
    /// It does not say.
    Unknown,
}

/// The state of a node that is not initialized.
pub(crate) fn waiting<T>(answer: wire::NotInitialized) -> NodeState<T> {
    use wire::not_initialized::WaitingForExternalInput as Wire;
    let waits_for = match answer.waiting_for_external_input() {
        Wire::Id => WaitsFor::Identity,
        Wire::NodeTopology => WaitsFor::Topology,
        Wire::Initialization => WaitsFor::Initialization,
        Wire::Unspecified => WaitsFor::Unknown,
    };
    let version = Some(answer.version).filter(|version| !version.is_empty());
    NodeState::Waiting { waits_for, version }
}
