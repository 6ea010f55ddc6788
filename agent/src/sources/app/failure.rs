//! What a try at the SV app came to when it brought no snapshot, and what that means.
//!
//! Every failure belongs to one [`Class`]: the recovery rules only look at that. `protocol.md`'s table: 400 is
//! pruned, 429 is behind, 401 and 403 are unauthorized, server errors and everything that breaks on the way are
//! retried. On top of it, two things that proxies do: an HTML page is never the SV app's own word, whatever its
//! status, and a 429 that is not `{"error": …}` is a rate limit. What would fail the same way again (a wrong path, a
//! redirect, an untrusted certificate) is not retried.

use std::time::Duration;

use reqwest::StatusCode;

use super::answer_text::AnswerText;
use super::token::TokenError;

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The app's participant is pruned beyond the timestamp: only a later one can be served.
    Pruned,
    /// The app has not caught up to the timestamp: only an earlier one can be served now.
    Behind,
    /// The token is wrong: ask the operator, try again.
    Unauthorized,
    /// Trying again can help.
    Retry,
    /// Trying again cannot help.
    Hopeless,
}

/// Why a try brought no snapshot. Every message names the URL and the way out.
#[derive(Debug, thiserror::Error)]
pub enum AppFailure {
    #[error(
        "{url} answered 400 Bad Request{answer}. This SV's participant is pruned beyond that timestamp, and \
         needs a later one\n\
         help: tell the others, and ask a convener to propose again with --not-before"
    )]
    Pruned { url: String, answer: AnswerText },
    #[error(
        "{url} answered 429 Too Many Requests{answer}. This SV's participant has not caught up to that \
         timestamp\n\
         help: run the command again when the participant has caught up, or ask a convener to propose again \
         with --not-after"
    )]
    Behind { url: String, answer: AnswerText },
    #[error(
        "{url} answered {status}{answer}\n\
         help: renew {credentials}, which must be that of an administrator of the app"
    )]
    Unauthorized { url: String, status: StatusCode, answer: AnswerText, credentials: String },
    #[error("there is no token for the app")]
    Token(#[from] TokenError),
    #[error(
        "{url} answered {status}{answer}\nhelp: check the log of the app and its ingress if this persists"
    )]
    Server { url: String, status: StatusCode, answer: AnswerText, retry_after: Option<Duration> },
    #[error(
        "{url} answered {status}{answer}. A proxy answered instead of the app\n\
         help: check that url is the API of the app and needs no login page"
    )]
    Page { url: String, status: StatusCode, answer: AnswerText },
    #[error(
        "{url} cannot be reached\n\
         help: check the URL, the name resolution, the proxy variables and the firewall"
    )]
    Unreachable { url: String, source: reqwest::Error },
    #[error(
        "{url} closed the connection before it answered\n\
         help: check the log of the app and its ingress if this persists"
    )]
    Dropped { url: String, source: reqwest::Error },
    #[error(
        "{url} has not begun to answer within {}\nhelp: raise first_byte_timeout if the app needs more time",
        humantime::format_duration(*after)
    )]
    NoAnswer { url: String, after: Duration },
    #[error(
        "{url} has sent nothing for {} after {received} bytes of its answer\n\
         help: check the network and the load of the app, or raise idle_timeout",
        humantime::format_duration(*after)
    )]
    Stalled { url: String, after: Duration, received: u64 },
    #[error(
        "{url} closed the connection after {received} bytes of its answer\n\
         help: check the limits of the ingress if this persists"
    )]
    Broken { url: String, received: u64, source: reqwest::Error },
    #[error(
        "{url} answered 404 Not Found{answer}. The URL is not the base of the app's API, or the release of \
         the app does not have this call\n\
         help: check that the URL ends in /api/sv for an SV app, or in /api/validator for a validator app"
    )]
    NotFound { url: String, answer: AnswerText },
    #[error(
        "{url} answered {status}, a redirect to {location}, where the token is not sent\n\
         help: set the URL to the address of the app itself, past any login page"
    )]
    Redirect { url: String, status: StatusCode, location: String },
    #[error(
        "{url} shows a certificate that this machine does not trust\n\
         help: name the CA that signed it with ca_file, and use the host name in the certificate"
    )]
    Untrusted { url: String, source: reqwest::Error },
    #[error(
        "{url} answered {status}{answer}, which is not an answer of the app's API\n\
         help: check that the URL is the base of the API, and that no proxy changes the request"
    )]
    Unexpected { url: String, status: StatusCode, answer: AnswerText },
}

impl AppFailure {
    /// What follows from it.
    pub fn class(&self) -> Class {
        match self {
            AppFailure::Pruned { .. } => Class::Pruned,
            AppFailure::Behind { .. } => Class::Behind,
            AppFailure::Unauthorized { .. } | AppFailure::Token(_) => Class::Unauthorized,
            AppFailure::Server { .. }
            | AppFailure::Page { .. }
            | AppFailure::Unreachable { .. }
            | AppFailure::Dropped { .. }
            | AppFailure::NoAnswer { .. }
            | AppFailure::Stalled { .. }
            | AppFailure::Broken { .. } => Class::Retry,
            AppFailure::NotFound { .. }
            | AppFailure::Redirect { .. }
            | AppFailure::Untrusted { .. }
            | AppFailure::Unexpected { .. } => Class::Hopeless,
        }
    }

    /// Whether the app may be at work on the request nevertheless: it was sent, and the app itself has not said no.
    /// An ingress that has waited long enough answers in its place, and the app goes on.
    pub fn leaves_app_at_work(&self) -> bool {
        match self {
            AppFailure::Dropped { .. } | AppFailure::NoAnswer { .. } | AppFailure::Page { .. } => true,
            AppFailure::Server { status, answer, .. } => {
                !matches!(answer, AnswerText::App(_)) && *status != StatusCode::SERVICE_UNAVAILABLE
            }
            _ => false,
        }
    }

    /// Whether another try can help: also where the token is wrong, since whoever renews it does so meanwhile.
    pub fn is_worth_retrying(&self) -> bool {
        matches!(self.class(), Class::Retry | Class::Unauthorized)
    }

    /// The delay that the server asked for before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            AppFailure::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An answer that is no document, as far as its meaning depends on it.
pub(super) struct ErrorAnswer {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) answer: AnswerText,
    /// `Location`, as shown text.
    pub(super) location: Option<String>,
    /// `Retry-After`, where it is a number of seconds.
    pub(super) retry_after: Option<Duration>,
    pub(super) credentials: String,
}

impl ErrorAnswer {
    /// What it means for a call that names no timestamp: then 400 and 429 say nothing about one.
    pub(super) fn meaning_without_timestamp(self) -> AppFailure {
        let (status, retry_after) = (self.status, self.retry_after);
        match self.meaning() {
            AppFailure::Pruned { url, answer } => AppFailure::Unexpected { url, status, answer },
            AppFailure::Behind { url, answer } => AppFailure::Server { url, status, answer, retry_after },
            failure => failure,
        }
    }

    /// What it means for a call that only asks whether something is so: a success with another answer than that is not
    /// the app's.
    pub(super) fn meaning_of_check(self) -> AppFailure {
        if self.status.is_success() {
            let ErrorAnswer { url, status, answer, .. } = self;
            return AppFailure::Unexpected { url, status, answer };
        }
        self.meaning_without_timestamp()
    }

    /// What it means. Pure: all it looks at is in `self`.
    pub(super) fn meaning(self) -> AppFailure {
        let ErrorAnswer { url, status, answer, location, retry_after, credentials } = self;
        let from_a_proxy = matches!(answer, AnswerText::Html(_));
        match status {
            // It was no document, or it would not have come to this.
            StatusCode::OK => AppFailure::Page { url, status, answer },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                AppFailure::Unauthorized { url, status, answer, credentials }
            }
            StatusCode::NOT_FOUND => AppFailure::NotFound { url, answer },
            _ if status.is_redirection() => AppFailure::Redirect {
                url,
                status,
                location: location.unwrap_or_else(|| "nowhere".to_owned()),
            },
            StatusCode::REQUEST_TIMEOUT | StatusCode::MISDIRECTED_REQUEST | StatusCode::TOO_EARLY => {
                AppFailure::Server { url, status, answer, retry_after }
            }
            _ if from_a_proxy => AppFailure::Page { url, status, answer },
            StatusCode::BAD_REQUEST => AppFailure::Pruned { url, answer },
            StatusCode::TOO_MANY_REQUESTS if matches!(answer, AnswerText::Other(_) | AnswerText::Unshown) => {
                AppFailure::Server { url, status, answer, retry_after }
            }
            StatusCode::TOO_MANY_REQUESTS => AppFailure::Behind { url, answer },
            _ if status.is_server_error() || status.is_success() => {
                AppFailure::Server { url, status, answer, retry_after }
            }
            _ => AppFailure::Unexpected { url, status, answer },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> ErrorAnswer {
        ErrorAnswer {
            url: "https://sv.example.com/".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            answer: AnswerText::read(None, body.as_bytes(), &[]),
            location: None,
            retry_after: None,
            credentials: "the token in token".to_owned(),
        }
    }

    fn class(status: u16, body: &str) -> Class {
        refusal(status, body).meaning().class()
    }

    #[test]
    fn each_status_has_its_class() {
        let of_the_app = |status| class(status, r#"{"error":"words"}"#);
        assert_eq!(of_the_app(400), Class::Pruned);
        assert_eq!(of_the_app(429), Class::Behind);
        for status in [401, 403] {
            assert_eq!(of_the_app(status), Class::Unauthorized);
        }
        for status in [202, 204, 206, 408, 421, 425, 500, 502, 503, 504, 599] {
            assert_eq!(of_the_app(status), Class::Retry, "{status}");
        }
        for status in [301, 302, 303, 304, 307, 308, 404, 405, 406, 407, 410, 413, 415, 418] {
            assert_eq!(of_the_app(status), Class::Hopeless, "{status}");
        }
    }

    #[test]
    fn a_page_is_never_the_apps_own_word() {
        let page = |status| class(status, "<html>nginx</html>");
        for status in [400, 429, 500, 502, 503, 405] {
            assert_eq!(page(status), Class::Retry, "{status}");
        }
        for status in [401, 403] {
            assert_eq!(page(status), Class::Unauthorized);
        }
        assert_eq!(page(404), Class::Hopeless);
    }

    #[test]
    fn without_a_timestamp_nothing_is_said_about_one() {
        let class = |status| refusal(status, r#"{"error":"words"}"#).meaning_without_timestamp().class();
        assert_eq!(
            (class(400), class(429), class(403)),
            (Class::Hopeless, Class::Retry, Class::Unauthorized)
        );
    }

    #[test]
    fn a_rate_limit_is_not_an_app_that_is_behind() {
        assert_eq!(class(429, "local_rate_limited"), Class::Retry);
        assert_eq!(class(429, ""), Class::Behind);
        assert_eq!(class(400, "The query parameter 'timestamp' was malformed"), Class::Pruned);
    }
}
