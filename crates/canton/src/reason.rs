//! Why a node refuses a call, as far as svdr knows the reason.
//!
//! Canton's errors begin with their id: `ERROR_ID(CATEGORY,CORRELATION): cause`. The participant's inspection service
//! instead fails with a bare text. Both are recognised by how they begin, and by nothing within, because a cause may quote
//! anything.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $begins:literal, $help:literal;)*) => {
        /// Why a node refuses a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The id of Canton's error, or the beginning of its bare text.
            pub const fn begins(self) -> &'static str {
                match self { $(Reason::$name => $begins,)* }
            }

            /// What to do about it: one sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Reason::$name => $help,)* }
            }
        }
    };
}

reasons! {
    /// The participant never computed a commitment on the synchronizer.
    NoComputations = "No computations done for ",
        "read the logs instead: this participant has computed no commitments on that synchronizer";
    /// The participant does not know the synchronizer.
    UnknownSynchronizer = "No synchronizer alias found for ",
        "check that the roster names the synchronizer that this participant was connected to";
    /// The participant has no store of commitments for the synchronizer.
    NoCommitmentStore = "No acs commitment store for ",
        "check that the roster names the synchronizer that this participant was connected to";
    /// The same, in the words of the other call.
    NoSentCommitmentStore = "No ACS commitment store found for ",
        "check that the roster names the synchronizer that this participant was connected to";
    /// Too many calls at once.
    ServerOverloaded = "SERVER_OVERLOADED",
        "retry in some seconds";
    /// No traffic export time was given, and no upgrade is announced.
    SequencerNoLsuAnnounced = "SEQUENCER_NO_LSU_ANNOUNCED",
        "give the traffic export time: no upgrade is announced on this sequencer";
    /// The sequencer has not processed the traffic export time.
    SequencerLsuNotAtUpgradeTimeOrBeyond = "SEQUENCER_LSU_NOT_AT_UPGRADE_TIME_OR_BEYOND",
        "wait until this sequencer has caught up to the time, or agree on an earlier one";
    /// The synchronizer has no traffic control.
    TrafficControlDisabled = "TRAFFIC_CONTROL_DISABLED",
        "skip the transfer of traffic: this synchronizer has no traffic control";
    /// The sequencer has no traffic state of that time.
    SequencerLsuTrafficNotFound = "SEQUENCER_LSU_TRAFFIC_NOT_FOUND",
        "check the traffic export time against the agreed one";
    /// The successor has no bounds configured.
    MissingSynchronizerPredecessor = "MISSING_SYNCHRONIZER_PREDECESSOR",
        "configure lower bound and upgrade time on the new sequencer, and restart the sequencer";
    /// The successor's traffic is set.
    SequencerLsuTrafficAlreadyInitialized = "SEQUENCER_LSU_TRAFFIC_ALREADY_INITIALIZED",
        "continue: the traffic of this sequencer is set";
    /// The successor has processed a block after its upgrade time.
    SequencerLsuPastUpgradeTime = "SEQUENCER_LSU_PAST_UPGRADE_TIME",
        "start a new successor sequencer: this one never accepts the traffic state";
    /// The traffic state lacks a member, or another one is being set.
    SequencerLsuInvalidTrafficState = "SEQUENCER_LSU_INVALID_TRAFFIC_STATE",
        "export the traffic state again at the agreed time, and set that";
    /// The successor's traffic is not set.
    TrafficControlNotInitializedLsu = "TRAFFIC_CONTROL_NOT_INITIALIZED_LSU",
        "transfer the traffic state from the old sequencer";
    /// The sequencer cannot send.
    SequencerSendAsyncClientError = "SEQUENCER_SEND_ASYNC_CLIENT_ERROR",
        "check that the mediator group exists on the new synchronizer";
    /// The node does not know the topology store.
    TopologyStoreNotFound = "TOPOLOGY_STORE_NOT_FOUND",
        "check that this node belongs to that physical synchronizer";
    /// The node is still building the topology store.
    TopologyStoreNotInitialized = "TOPOLOGY_STORE_NOT_INITIALIZED",
        "wait until the node is initialized";
    /// No topology export time was given, and no upgrade is announced.
    TopologyNoLsuAnnounced = "TOPOLOGY_NO_LSU_ANNOUNCED",
        "give the topology export time: no upgrade is announced on this sequencer";
    /// The participant could not move to the successor.
    FailedLsu = "FAILED_LSU",
        "read the node's words: if they do not name a mistake in the request, retry when the participant has caught up";
}

impl Reason {
    /// The reason of an error with these words.
    pub(crate) fn of(words: &str) -> Option<Reason> {
        let names = |reason: &&Reason| match words.strip_prefix(reason.begins()) {
            // An id is complete only before its category.
            Some(rest) => reason.begins().contains(' ') || rest.starts_with('('),
            None => false,
        };
        Reason::ALL.iter().find(names).copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.begins().trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_recognised_by_its_beginning_alone() {
        let at =
            "SEQUENCER_LSU_NOT_AT_UPGRADE_TIME_OR_BEYOND(9,5f0c1a2b): Sequencer hasn't reached upgrade time";
        assert_eq!(Reason::of(at), Some(Reason::SequencerLsuNotAtUpgradeTimeOrBeyond));
        let bare = "No computations done for global-domain::1220be58";
        assert_eq!(Reason::of(bare), Some(Reason::NoComputations));
        for other in
            ["FAILED_LSU_OTHER(2,0): x", "FAILED_LSU", "error: FAILED_LSU(2,0): x", "No computations", ""]
        {
            assert_eq!(Reason::of(other), None, "{other}");
        }
    }

    #[test]
    fn each_reason_is_found_by_its_own_text_and_says_what_to_do() {
        for reason in Reason::ALL {
            let words = format!("{}(9,0): cause", reason.begins());
            assert_eq!(Reason::of(&words), Some(*reason));
            assert!(!reason.help().is_empty() && !reason.help().ends_with('.'), "{reason}");
        }
    }
}
