//! Why a call to a node has no answer.

use std::error::Error as _;
use std::time::Duration;

use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::text::{excerpt, shown_in_line};
use tonic::{Code, Status};

use crate::limits::MAX_WORDS;
use crate::reason::Reason;
use crate::secret::SecretError;
use crate::settings::NodeUrl;

/// How tonic's own error begins if an answer is longer than the limit. The code is that of some of Canton's errors too.
const TOO_LONG: &str = "Error, decoded message length too large";

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no token to send.
    #[error(transparent)]
    Token(#[from] SecretError),
    /// The node did not answer in time.
    #[error("{url} did not answer {call} within {} s\nhelp: check the load of the node and its database", after.as_secs())]
    TimedOut {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is longer than its limit.
    #[error(
        "{url} answers {call} with more bytes than svdr accepts\nhelp: ask for a shorter time with --since"
    )]
    TooLong {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// What tonic says, with both lengths.
        source: Box<Status>,
    },
    /// The node refused, for a reason that is known.
    #[error("{url} refused {call}: {words}\nhelp: {}", reason.help())]
    Refused {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// Why.
        reason: Reason,
        /// The node's own words, safe to show.
        words: String,
    },
    /// The node wants another token, or the token's user may not do this.
    #[error(
        "{url} does not let this client call {call}: {words}\nhelp: set token_file to a token that the node accepts"
    )]
    NotAllowed {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// The node's own words.
        words: String,
    },
    /// The server does not have the call.
    #[error("{url} does not know {call}{}", unknown(*served))]
    Unknown {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// Which other API the server serves there, if it says so.
        served: Option<OtherApi>,
    },
    /// The connection broke, or the node is not ready.
    #[error(
        "{url} did not complete {call}: {words}\nhelp: check that the node is up, and that the URL's scheme is right"
    )]
    Unavailable {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// What happened.
        words: String,
    },
    /// The node failed for a reason that svdr does not know.
    #[error("{url} failed {call}: {words}\nhelp: look into the node's log for that time")]
    Failed {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// The code's name, and the node's own words.
        words: String,
    },
    /// The answer contradicts the question or Canton's own rules.
    #[error(
        "the answer of {url} to {call} is not valid: {found}\nhelp: check that the URL is the right node's"
    )]
    Malformed {
        /// Which node.
        url: NodeUrl,
        /// Which call.
        call: &'static str,
        /// What was expected and what was found.
        found: String,
    },
}

/// Another API of a node than its admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherApi {
    /// A participant's, for its users.
    Ledger,
    /// A sequencer's, for its members.
    SequencerPublic,
}

/// Why a server does not know a call, and what to do.
const fn unknown(served: Option<OtherApi>) -> &'static str {
    match served {
        Some(OtherApi::Ledger) => {
            ": this is the port of the ledger API\nhelp: use the port of the participant's admin API, 5002 on Splice"
        }
        Some(OtherApi::SequencerPublic) => {
            ": this is the port of the sequencer's public API\n\
             help: use the port of the sequencer's admin API, 5009 on Splice"
        }
        None => "\nhelp: check that this is the port of the right node, and that its release has the call",
    }
}

impl CommandError for CallError {
    fn exit(&self) -> Exit {
        match self {
            CallError::Malformed { .. } => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}

/// The words of a status, and the cause that this end knows.
fn with_cause(status: &Status, words: String) -> String {
    match status.source() {
        Some(cause) => format!("{words}: {}", in_one_line(cause)),
        None => words,
    }
}

impl CallError {
    /// What `status` means as the answer to `call`.
    pub(crate) fn of_status(url: &NodeUrl, call: &'static str, after: Duration, status: Status) -> CallError {
        let url = url.clone();
        let message = status.message();
        if status.code() == Code::OutOfRange && message.starts_with(TOO_LONG) {
            return CallError::TooLong { url, call, source: Box::new(status) };
        }
        let words = shown_in_line(&excerpt(message, MAX_WORDS)).trim().to_owned();
        if let Some(reason) = Reason::of(message) {
            return CallError::Refused { url, call, reason, words };
        }
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => CallError::NotAllowed { url, call, words },
            Code::Unimplemented => CallError::Unknown { url, call, served: None },
            // Of this end's own deadline, which the library tells as a cancellation, or of the node.
            Code::DeadlineExceeded | Code::Cancelled => CallError::TimedOut { url, call, after },
            Code::Unavailable | Code::Unknown => {
                CallError::Unavailable { url, call, words: with_cause(&status, words) }
            }
            // With a cause it is of this end: the connection broke within an answer.
            _ if status.source().is_some() => {
                CallError::Unavailable { url, call, words: with_cause(&status, words) }
            }
            code => CallError::Failed { url, call, words: format!("{code:?}: {words}") },
        }
    }

    /// Whether the same call may succeed a little later, because a node restarts or is overloaded.
    pub fn is_transient(&self) -> bool {
        match self {
            CallError::Unavailable { .. } | CallError::TimedOut { .. } => true,
            CallError::Refused { reason, .. } => *reason == Reason::ServerOverloaded,
            _ => false,
        }
    }

    /// The known reason for which the node refused.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            CallError::Refused { reason, .. } => Some(*reason),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(status: Status) -> CallError {
        let url = "http://participant:5002".parse().unwrap();
        CallError::of_status(&url, "ListAll", Duration::from_secs(7), status)
    }

    #[test]
    fn a_status_means_what_to_do_next() {
        let words = "TRAFFIC_CONTROL_NOT_INITIALIZED_LSU(12,0): traffic was not set";
        assert_eq!(of(Status::out_of_range(words)).reason(), Some(Reason::TrafficControlNotInitializedLsu));
        let too_long = "Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes";
        assert!(matches!(of(Status::out_of_range(too_long)), CallError::TooLong { .. }));
        assert!(matches!(of(Status::unimplemented("x")), CallError::Unknown { .. }));
        assert!(matches!(of(Status::permission_denied("x")), CallError::NotAllowed { .. }));
        assert!(matches!(of(Status::internal("x")), CallError::Failed { .. }));
        let transient = [
            Status::unavailable("x"),
            Status::deadline_exceeded("x"),
            Status::aborted("SERVER_OVERLOADED(2,0): x"),
        ];
        assert!(transient.into_iter().all(|status| of(status).is_transient()));
        assert!(!of(Status::aborted("FAILED_LSU(2,0): Lsu failed: x")).is_transient());
    }

    #[test]
    fn the_words_of_a_node_are_one_short_line() {
        let words = format!("a\u{1b}[2J\nhelp: do harm{}", "x".repeat(10_000));
        let told = svdr_protocol::failure::Told::of(&of(Status::internal(words)));
        assert!(told.error.len() < 2 * MAX_WORDS && !told.error.contains(['\n', '\u{1b}']), "{told:?}");
        assert_eq!(told.help.as_deref(), Some("look into the node's log for that time"));
    }
}
