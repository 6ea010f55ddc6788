//! The symptoms of a snapshot that does not fit into one answer of the SV app.
//!
//! The app holds the whole answer in memory, as base64 in one string: beyond about 1.5 GB of contracts Java has no
//! array that long, and before that the heap may end. What comes of it differs: an answer that names the error, a
//! process that ends in the middle of it (Pekko ends the Java machine on a fatal error), an ingress that refuses the
//! size or does not wait so long. Some of that happens for other reasons too, so only its repetition counts.

use reqwest::StatusCode;

use super::FetchError;
use crate::sources::app::{AnswerText, AppFailure};

/// What an answer says whose app has no room for it.
const NO_ROOM: [&str; 6] = [
    "OutOfMemory",
    "Java heap space",
    "array size exceeds",
    "NegativeArraySize",
    "Encoded size is too large",
    "exceeds the maximum",
];
/// Where a Java array ends, and an answer with it, in bytes: 2^31 − 1, less what a header may take.
const NEARLY_2_GIB: u64 = (1 << 31) - (1 << 20);
/// How often in a row a failure must happen that has other causes as well.
const OFTEN: u32 = 3;

/// A symptom, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symptom {
    /// It can mean nothing else.
    Sure(&'static str),
    /// It has happened so often that the app's volume is worth a try, if there is one.
    Likely(&'static str),
}

/// What has been seen in a row.
#[derive(Debug, Default)]
pub(super) struct Symptoms {
    broken: u32,
}

impl Symptom {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Symptom::Sure(text) | Symptom::Likely(text) => text,
        }
    }
}

impl Symptoms {
    /// The symptom that a failed try shows.
    pub(super) fn of(&mut self, failure: &FetchError) -> Option<Symptom> {
        let failure = match failure {
            FetchError::SeparateFiles { .. } => {
                return Some(Symptom::Sure("the answer names separate payload files"));
            }
            FetchError::SvApp(failure) => failure,
            _ => {
                self.broken = 0;
                return None;
            }
        };
        let repeated = match failure {
            AppFailure::Unexpected { status: StatusCode::PAYLOAD_TOO_LARGE, .. } => {
                return Some(Symptom::Sure("413 Payload Too Large"));
            }
            AppFailure::Server { answer: AnswerText::App(text) | AnswerText::Other(text), .. }
                if NO_ROOM.iter().any(|sign| text.contains(sign)) =>
            {
                return Some(Symptom::Sure("the SV app has no room for the answer in its memory"));
            }
            AppFailure::Broken { received, .. } if *received >= NEARLY_2_GIB => {
                return Some(Symptom::Sure("the answer broke off at 2 GiB, the longest array of Java"));
            }
            AppFailure::Dropped { .. } | AppFailure::Broken { .. } => {
                "the SV app has broken its answer off several times"
            }
            AppFailure::NoAnswer { .. } => "the SV app has several times not begun to answer in time",
            AppFailure::Page { status, .. } if status.is_server_error() => {
                "the ingress has answered instead of the SV app several times"
            }
            _ => {
                self.broken = 0;
                return None;
            }
        };
        self.broken += 1;
        (self.broken >= OFTEN).then_some(Symptom::Likely(repeated))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn server(text: &str) -> FetchError {
        AppFailure::Server {
            url: String::new(),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            answer: AnswerText::App(text.to_owned()),
            retry_after: None,
        }
        .into()
    }

    fn silent() -> FetchError {
        AppFailure::NoAnswer { url: String::new(), after: Duration::from_secs(1) }.into()
    }

    fn broken(received: u64) -> FetchError {
        let source = reqwest::Proxy::all("not a proxy").unwrap_err();
        AppFailure::Broken { url: String::new(), received, source }.into()
    }

    #[test]
    fn some_failures_can_mean_nothing_else() {
        let too_large = AppFailure::Unexpected {
            url: String::new(),
            status: StatusCode::PAYLOAD_TOO_LARGE,
            answer: AnswerText::None,
        };
        for sure in [
            too_large.into(),
            server("java.lang.OutOfMemoryError: Requested array size exceeds VM limit"),
            server("Encoded size is too large"),
            broken((1 << 31) - 1),
            FetchError::SeparateFiles { url: String::new() },
        ] {
            assert!(matches!(Symptoms::default().of(&sure), Some(Symptom::Sure(_))), "{sure}");
        }
    }

    #[test]
    fn others_count_only_when_they_repeat() {
        let mut symptoms = Symptoms::default();
        assert_eq!(symptoms.of(&silent()), None);
        assert_eq!(symptoms.of(&broken(1000)), None);
        assert!(matches!(symptoms.of(&silent()), Some(Symptom::Likely(_))));
        let mut symptoms = Symptoms::default();
        for _ in 0..10 {
            assert_eq!(symptoms.of(&silent()), None);
            assert_eq!(symptoms.of(&silent()), None);
            assert_eq!(symptoms.of(&server("the participant is unreachable")), None);
        }
    }
}
