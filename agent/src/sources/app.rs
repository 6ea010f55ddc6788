//! The SV app as this agent sees it: HTTPS calls, each answered by what was asked for or by a typed [`AppFailure`].
//!
//! The calls are those of Splice's `apps/sv/src/main/openapi/sv-internal.yaml`. A validator app is reached in the same
//! way, with the one call of its `validator-internal.yaml` that a recovery needs. Rules that hold for all of them:
//!
//! * The token goes to the configured address only. Redirects are not followed.
//! * There is no limit on a whole download, which may take hours, nor on the wait for a dump that the app writes itself. There are limits on the connection, on the wait for
//!   the first byte (the app makes the snapshot before it answers) and on the wait for each further one.
//! * HTTP/1.1 only: one download at a time, where HTTP/2's flow control windows would cap the rate of a long line.
//! * Proxies are taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), as `curl` does.
//! * `http` is allowed, because inside a cluster the app has no certificate; [`SvApp::is_clear_text`] tells when the
//!   token can be read on the way.
//! * A body that ends before its `Content-Length`, its last chunk or the end of its gzip stream is a failure.

mod answer_text;
mod base_url;
mod body;
mod failure;
#[doc(hidden)]
pub mod fuzz;
mod secret;
mod tls;
mod token;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::time::Timestamp;

pub use answer_text::{AnswerText, MAX_SHOWN};
pub use base_url::{BaseUrl, UrlError};
pub use failure::{AppFailure, Class};
pub use secret::Secret;
pub use tls::TrustError;
pub use token::{Credentials, MAX_SECRET_LEN, OAuth2, TOKEN_TIMEOUT, TokenError};

use answer_text::ReadText;
use body::read_limited;
use failure::ErrorAnswer;
use token::Tokens;

/// A TCP and TLS connection that is not there after this long will not come: three lost SYN packets.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The app collects the whole snapshot before the first byte: minutes on a large ledger.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Once the snapshot flows, it is in the app's memory: a minute of silence is a broken connection.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection whose other end is gone is noticed this long after it went silent, also where nothing is to come for
/// a long time: while the app writes a dump into its volume.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The app answers this from memory.
pub const AUTHORIZATION_TIMEOUT: Duration = Duration::from_secs(20);

/// How much of a refusal's body is read, in bytes. The app's own answer are a line.
const MAX_REFUSAL: usize = 64 * 1024;

/// How long each part of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: CONNECT_TIMEOUT, first_byte: FIRST_BYTE_TIMEOUT, idle: IDLE_TIMEOUT }
    }
}

/// How to reach the SV app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSettings {
    /// The base of its API.
    pub url: BaseUrl,
    /// Where the token comes from.
    pub credentials: Credentials,
    /// The CA that signs its certificate, PEM; the machine's own where there is none.
    pub ca_file: Option<PathBuf>,
    /// How long each part of a call may take.
    pub timeouts: Timeouts,
}

/// Why the client cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(
        "the HTTP client for {url} cannot be set up\n\
         help: check the proxy variables (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)"
    )]
    Client { url: BaseUrl, source: reqwest::Error },
}

impl CommandError for SetupError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// A client for one SV app.
pub struct SvApp {
    http: Client,
    url: BaseUrl,
    tokens: Tokens,
    timeouts: Timeouts,
}

impl SvApp {
    /// Makes the client, and reads the CA file and the secret's file once, so that a wrong name is found now.
    ///
    /// # Errors
    /// [`SetupError`] where a file cannot be used or the machine has no CA certificates.
    pub async fn new(settings: AppSettings) -> Result<SvApp, SetupError> {
        let AppSettings { url, credentials, ca_file, timeouts } = settings;
        let http = client(&url, ca_file.as_deref(), timeouts.connect)?;
        let oauth2_http = match &credentials {
            Credentials::File(_) => None,
            Credentials::OAuth2(OAuth2 { token_url, ca_file, .. }) => {
                Some(client(token_url, ca_file.as_deref(), timeouts.connect)?)
            }
        };
        let tokens = Tokens::new(credentials, oauth2_http);
        tokens.check().await?;
        Ok(SvApp { http, url, tokens, timeouts })
    }

    /// Whether the token, or the secret that it is got with, can be read on its way.
    pub fn is_clear_text(&self) -> bool {
        let token_url = match self.tokens.credentials() {
            Credentials::File(_) => None,
            Credentials::OAuth2(oauth2) => Some(&oauth2.token_url),
        };
        self.url.is_clear_text() || token_url.is_some_and(BaseUrl::is_clear_text)
    }

    /// Asks once for the data snapshot of `timestamp`, for `migration_id` instead of the app's own + 1 if given, and with
    /// the contracts of `party` alone if given. The snapshot must still be received, with [`DocumentAnswer::chunk`].
    ///
    /// # Errors
    /// [`AppFailure`] where the answer is not the beginning of a snapshot.
    pub async fn data_snapshot(
        &self,
        timestamp: Timestamp,
        migration_id: Option<u64>,
        party: Option<&str>,
    ) -> Result<DocumentAnswer, AppFailure> {
        let url = self.url.data_snapshot(timestamp, migration_id, party);
        self.document(&url, AnswerText::read, ErrorAnswer::meaning).await
    }

    /// Asks a validator app once for its data snapshot of `timestamp`, in which its identities are; otherwise as
    /// [`SvApp::data_snapshot`].
    ///
    /// # Errors
    /// [`AppFailure`] where the answer is not the beginning of a snapshot.
    pub async fn validator_snapshot(
        &self,
        timestamp: Timestamp,
        migration_id: Option<u64>,
    ) -> Result<DocumentAnswer, AppFailure> {
        let url = self.url.validator_snapshot(timestamp, migration_id);
        self.document(&url, AnswerText::read, ErrorAnswer::meaning).await
    }

    /// Asks once for the identities of this SV's nodes: private keys. They are still to be received, with
    /// [`DocumentAnswer::chunk`].
    ///
    /// # Errors
    /// [`AppFailure`] where the answer is not the beginning of a document. It quotes nothing that could be part of one.
    pub async fn identities_dump(&self) -> Result<DocumentAnswer, AppFailure> {
        let url = self.url.identities_dump();
        self.document(&url, AnswerText::read_private, ErrorAnswer::meaning_without_timestamp).await
    }

    /// Asks once for a document; `read` reads the text of another answer, `meaning` says what that means.
    async fn document(
        &self,
        url: &Url,
        read: ReadText,
        meaning: fn(ErrorAnswer) -> AppFailure,
    ) -> Result<DocumentAnswer, AppFailure> {
        let (mut response, token) = self.send(url, None, Some(self.timeouts.first_byte)).await?;
        if is_answer(&response) {
            let (url, idle) = (url.to_string(), self.timeouts.idle);
            return Ok(DocumentAnswer { response, url, token, idle, received: 0 });
        }
        Err(self.failure(url, &mut response, &token, read, meaning).await)
    }

    /// Asks once whether the token is an administrator's.
    ///
    /// # Errors
    /// [`AppFailure`] where it is not, or where the app does not answer.
    pub async fn check_authorization(&self) -> Result<(), AppFailure> {
        let url = self.url.authorization();
        let (mut response, token) = self.send(&url, None, Some(AUTHORIZATION_TIMEOUT)).await?;
        if is_answer(&response) {
            return Ok(());
        }
        Err(self.failure(&url, &mut response, &token, AnswerText::read, ErrorAnswer::meaning_of_check).await)
    }

    /// Has the app write its whole dump of `timestamp` for the migration `migration_id` into its own volume, and waits
    /// until that is done, however long it takes: only the connection and its life have limits.
    ///
    /// # Errors
    /// [`AppFailure`] where the app does not say that it is done. It may still be at work, see
    /// [`AppFailure::leaves_app_at_work`].
    pub async fn migration_dump(&self, timestamp: Timestamp, migration_id: u64) -> Result<(), AppFailure> {
        let url = self.url.migration_dump();
        let body = serde_json::json!({"migration_id": migration_id, "timestamp": timestamp}).to_string();
        let (mut response, token) = self.send(&url, Some(body), None).await?;
        if is_answer(&response) {
            return Ok(());
        }
        Err(self.failure(&url, &mut response, &token, AnswerText::read, ErrorAnswer::meaning).await)
    }

    /// Asks whether the app has the call of [`SvApp::migration_dump`], without having it do anything: the request has
    /// no body, which every release that knows the call refuses as malformed before it looks further.
    ///
    /// # Errors
    /// [`AppFailure`] where the app does not answer, or answers otherwise than that.
    pub async fn knows_migration_dump(&self) -> Result<bool, AppFailure> {
        let url = self.url.migration_dump();
        let (mut response, token) = self.send(&url, Some(String::new()), Some(AUTHORIZATION_TIMEOUT)).await?;
        match response.status() {
            _ if is_page(&response) => {}
            StatusCode::BAD_REQUEST
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => {
                return Ok(true);
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => return Ok(false),
            _ => {}
        }
        Err(self.failure(&url, &mut response, &token, AnswerText::read, ErrorAnswer::meaning_of_check).await)
    }

    /// How long each part of a call may take.
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Sends a request with the token, a POST where it has a body, and waits for the head of the answer: at most
    /// `first_byte` after the connection, where that is limited.
    async fn send(
        &self,
        url: &Url,
        body: Option<String>,
        first_byte: Option<Duration>,
    ) -> Result<(Response, Secret), AppFailure> {
        let token = self.tokens.token().await?;
        let request = match body {
            None => self.http.get(url.clone()),
            Some(body) => self.http.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body),
        };
        let request = request.header(ACCEPT, "application/json").header(AUTHORIZATION, authorization(&token));
        let sent = match first_byte {
            None => request.send().await,
            Some(after) => {
                let limit = self.timeouts.connect.saturating_add(after);
                let sent = tokio::time::timeout(limit, request.send()).await;
                sent.map_err(|_elapsed| AppFailure::NoAnswer { url: url.to_string(), after })?
            }
        };
        match sent {
            Ok(response) => Ok((response, token)),
            Err(source) => Err(unreachable(url.to_string(), source)),
        }
    }

    /// The failure that another answer than the one asked for is. The token is forgotten where it was refused.
    async fn failure(
        &self,
        url: &Url,
        response: &mut Response,
        token: &Secret,
        read: ReadText,
        meaning: fn(ErrorAnswer) -> AppFailure,
    ) -> AppFailure {
        let failure = meaning(self.refusal(url.to_string(), response, token, read).await);
        if failure.class() == Class::Unauthorized {
            self.tokens.forget().await;
        }
        failure
    }

    /// Reads what a refusal says. One whose body breaks off still has its status.
    async fn refusal(
        &self,
        url: String,
        response: &mut Response,
        token: &Secret,
        read: ReadText,
    ) -> ErrorAnswer {
        let body = tokio::time::timeout(self.timeouts.idle, read_limited(response, MAX_REFUSAL)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let headers = response.headers();
        let location = headers.get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
        ErrorAnswer {
            url,
            status: response.status(),
            answer: read(text(headers, CONTENT_TYPE.as_str()), &body, &[token]),
            location: location.map(|location| answer_text::shown(&location, &[token])),
            retry_after: text(headers, RETRY_AFTER.as_str())
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs),
            credentials: self.tokens.credentials().to_string(),
        }
    }
}

/// A data snapshot, or the identities, while it arrives.
pub struct DocumentAnswer {
    response: Response,
    url: String,
    token: Secret,
    idle: Duration,
    received: u64,
}

impl DocumentAnswer {
    /// The next piece of the document, or `None` where it is complete. Never an empty piece. Only the wait for the
    /// network is limited, not the time between two calls.
    ///
    /// # Errors
    /// [`AppFailure`] where nothing comes in time, or the body ends before it should.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, AppFailure> {
        loop {
            match tokio::time::timeout(self.idle, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) if chunk.is_empty() => {}
                Ok(Ok(Some(chunk))) => {
                    self.received += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(source)) => {
                    let source = source.without_url();
                    return Err(AppFailure::Broken {
                        url: self.url.clone(),
                        received: self.received,
                        source,
                    });
                }
                Err(_elapsed) => {
                    let (url, received) = (self.url.clone(), self.received);
                    return Err(AppFailure::Stalled { url, after: self.idle, received });
                }
            }
        }
    }

    /// Bytes of the document so far, after decompression.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the whole document, where the server said.
    pub fn total(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The address it comes from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The failure that this snapshot is none: `start` is how it begins.
    pub fn not_a_snapshot(&self, start: &[u8]) -> AppFailure {
        let answer = AnswerText::read(None, start, &[&self.token]);
        AppFailure::Page { url: self.url.clone(), status: self.response.status(), answer }
    }
}

fn client(url: &BaseUrl, ca_file: Option<&Path>, connect: Duration) -> Result<Client, SetupError> {
    // An address without TLS needs nobody to trust, so it works on a machine without CA certificates.
    let tls = if url.as_url().scheme() == "http" && ca_file.is_none() {
        tls::trusting_nobody()?
    } else {
        tls::client_config(ca_file)?
    };
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect)
        .tcp_keepalive(KEEP_ALIVE)
        .user_agent(concat!("svdr-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|source| SetupError::Client { url: url.clone(), source })
}

/// `Bearer TOKEN`, marked as not to be logged.
fn authorization(token: &Secret) -> HeaderValue {
    #[expect(clippy::expect_used, reason = "a token is made only from visible ASCII characters")]
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).expect("visible ASCII");
    value.set_sensitive(true);
    value
}

/// A failure to send or to be answered: hopeless where the certificate is not trusted, because it will be the same.
fn unreachable(url: String, source: reqwest::Error) -> AppFailure {
    let source = source.without_url();
    if is_untrusted(&source) {
        AppFailure::Untrusted { url, source }
    } else if source.is_connect() {
        AppFailure::Unreachable { url, source }
    } else {
        AppFailure::Dropped { url, source }
    }
}

fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // An I/O error names the cause of what it wraps as its own cause, and so skips what it wraps.
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

/// Whether it is what was asked for.
fn is_answer(response: &Response) -> bool {
    response.status() == StatusCode::OK && !is_page(response)
}

fn is_page(response: &Response) -> bool {
    let named = text(response.headers(), CONTENT_TYPE.as_str());
    named.is_some_and(|named| answer_text::is_html(Some(named), b""))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
