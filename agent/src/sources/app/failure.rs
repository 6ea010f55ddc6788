//! What a try at the SV app came to when it brought no snapshot, and what that means.
//!
//! Every failure belongs to one [`Class`]: the recovery rules only look at that. `protocol.md`'s table: 400 is
//! pruned, 429 is behind, 401 and 403 are unauthorized, server errors and everything that breaks on the way are
//! retried. On top of it, two things that proxies do: an HTML page is never the SV app's own word, whatever its
//! status, and a 429 that is not `{"error": …}` is a rate limit. What would fail the same way again (a wrong path, a
//! redirect, an untrusted certificate) is not retried.

use std::time::Duration;

use reqwest::StatusCode;

use super::token::TokenError;
use super::words::Words;

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
pub enum Failure {
    /// 400: pruned beyond the timestamp.
    #[error(
        "{url} answered 400 Bad Request{words}. This SV's participant is pruned beyond that timestamp, and \
         needs a later one\n\
         help: tell the others, and ask a convener to propose again with --not-before"
    )]
    Pruned {
        /// What was asked for.
        url: String,
        /// The app's words.
        words: Words,
    },
    /// 429: not caught up to the timestamp.
    #[error(
        "{url} answered 429 Too Many Requests{words}. This SV's participant has not caught up to that \
         timestamp\n\
         help: run the command again when the participant has caught up, or ask a convener to propose again \
         with --not-after"
    )]
    Behind {
        /// What was asked for.
        url: String,
        /// The app's words.
        words: Words,
    },
    /// 401 or 403.
    #[error(
        "{url} answered {status}{words}\n\
         help: renew {credentials}, which must be that of an administrator of the app"
    )]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: StatusCode,
        /// Whose words they are is part of them.
        words: Words,
        /// Where the token came from.
        credentials: String,
    },
    /// There was no token to send.
    #[error("there is no token for the app")]
    Token(#[from] TokenError),
    /// A status that comes and goes: 5xx, 408, a rate limit, a success that is not 200.
    #[error(
        "{url} answered {status}{words}\nhelp: check the log of the app and its ingress if this persists"
    )]
    Server {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// The words.
        words: Words,
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// A web page where the snapshot should be.
    #[error(
        "{url} answered {status}{words}. A proxy answered instead of the app\n\
         help: check that url is the API of the app and needs no login page"
    )]
    Page {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// The text of the page.
        words: Words,
    },
    /// No connection.
    #[error(
        "{url} cannot be reached\n\
         help: check the URL, the name resolution, the proxy variables and the firewall"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// A connection, but no answer on it.
    #[error(
        "{url} closed the connection before it answered\n\
         help: check the log of the app and its ingress if this persists"
    )]
    Dropped {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// No first byte in time.
    #[error(
        "{url} has not begun to answer within {}\nhelp: raise first_byte_timeout if the app needs more time",
        humantime::format_duration(*after)
    )]
    NoAnswer {
        /// What was asked for.
        url: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// Nothing more came.
    #[error(
        "{url} has sent nothing for {} after {received} bytes of its answer\n\
         help: check the network and the load of the app, or raise idle_timeout",
        humantime::format_duration(*after)
    )]
    Stalled {
        /// What was asked for.
        url: String,
        /// How long it was waited for.
        after: Duration,
        /// Bytes received before.
        received: u64,
    },
    /// The connection broke, the body ended early, or its encoding is damaged.
    #[error(
        "{url} closed the connection after {received} bytes of its answer\n\
         help: check the limits of the ingress if this persists"
    )]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes received before.
        received: u64,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// 404.
    #[error(
        "{url} answered 404 Not Found{words}. The URL is not the base of the app's API, or the release of \
         the app does not have this call\n\
         help: check that the URL ends in /api/sv for an SV app, or in /api/validator for a validator app"
    )]
    NotFound {
        /// What was asked for.
        url: String,
        /// The words.
        words: Words,
    },
    /// A redirect.
    #[error(
        "{url} answered {status}, a redirect to {location}, where the token is not sent\n\
         help: set the URL to the address of the app itself, past any login page"
    )]
    Redirect {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// Where it leads, as shown text.
        location: String,
    },
    /// The server's certificate is not trusted.
    #[error(
        "{url} shows a certificate that this machine does not trust\n\
         help: name the CA that signed it with ca_file, and use the host name in the certificate"
    )]
    Untrusted {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: reqwest::Error,
    },
    /// Any other status.
    #[error(
        "{url} answered {status}{words}, which is not an answer of the app's API\n\
         help: check that the URL is the base of the API, and that no proxy changes the request"
    )]
    Unexpected {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
        /// The words.
        words: Words,
    },
}

impl Failure {
    /// What follows from it.
    pub fn class(&self) -> Class {
        match self {
            Failure::Pruned { .. } => Class::Pruned,
            Failure::Behind { .. } => Class::Behind,
            Failure::Unauthorized { .. } | Failure::Token(_) => Class::Unauthorized,
            Failure::Server { .. }
            | Failure::Page { .. }
            | Failure::Unreachable { .. }
            | Failure::Dropped { .. }
            | Failure::NoAnswer { .. }
            | Failure::Stalled { .. }
            | Failure::Broken { .. } => Class::Retry,
            Failure::NotFound { .. }
            | Failure::Redirect { .. }
            | Failure::Untrusted { .. }
            | Failure::Unexpected { .. } => Class::Hopeless,
        }
    }

    /// Whether the app may be at work on the request nevertheless: it was sent, and the app itself has not said no.
    /// An ingress that has waited long enough answers in its place, and the app goes on.
    pub fn leaves_app_at_work(&self) -> bool {
        match self {
            Failure::Dropped { .. } | Failure::NoAnswer { .. } | Failure::Page { .. } => true,
            Failure::Server { status, words, .. } => {
                !matches!(words, Words::App(_)) && *status != StatusCode::SERVICE_UNAVAILABLE
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
            Failure::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An answer that is no document, as far as its meaning depends on it.
pub(super) struct Refusal {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) words: Words,
    /// `Location`, as shown text.
    pub(super) location: Option<String>,
    /// `Retry-After`, where it is a number of seconds.
    pub(super) retry_after: Option<Duration>,
    pub(super) credentials: String,
}

impl Refusal {
    /// What it means for a call that names no timestamp: then 400 and 429 say nothing about one.
    pub(super) fn meaning_without_timestamp(self) -> Failure {
        let (status, retry_after) = (self.status, self.retry_after);
        match self.meaning() {
            Failure::Pruned { url, words } => Failure::Unexpected { url, status, words },
            Failure::Behind { url, words } => Failure::Server { url, status, words, retry_after },
            failure => failure,
        }
    }

    /// What it means. Pure: all it looks at is in `self`.
    pub(super) fn meaning(self) -> Failure {
        let Refusal { url, status, words, location, retry_after, credentials } = self;
        let from_a_proxy = matches!(words, Words::Html(_));
        match status {
            // It was no document, or it would not have come to this.
            StatusCode::OK => Failure::Page { url, status, words },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::Unauthorized { url, status, words, credentials }
            }
            StatusCode::NOT_FOUND => Failure::NotFound { url, words },
            _ if status.is_redirection() => {
                Failure::Redirect { url, status, location: location.unwrap_or_else(|| "nowhere".to_owned()) }
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::MISDIRECTED_REQUEST | StatusCode::TOO_EARLY => {
                Failure::Server { url, status, words, retry_after }
            }
            _ if from_a_proxy => Failure::Page { url, status, words },
            StatusCode::BAD_REQUEST => Failure::Pruned { url, words },
            StatusCode::TOO_MANY_REQUESTS if matches!(words, Words::Other(_) | Words::Unshown) => {
                Failure::Server { url, status, words, retry_after }
            }
            StatusCode::TOO_MANY_REQUESTS => Failure::Behind { url, words },
            _ if status.is_server_error() || status.is_success() => {
                Failure::Server { url, status, words, retry_after }
            }
            _ => Failure::Unexpected { url, status, words },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal {
            url: "https://sv.example.com/".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            words: Words::read(None, body.as_bytes(), &[]),
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
