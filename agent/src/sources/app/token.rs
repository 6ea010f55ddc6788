//! The bearer token for the SV app: from a file, or from an OAuth2 server by client credentials.
//!
//! A file is read again at every try, because whoever rotates it does so while the agent waits. A token from an
//! OAuth2 server is kept until shortly before it expires, or until the app has refused it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer_text::AnswerText;
use super::base_url::BaseUrl;
use super::body::read_limited;
use super::secret::Secret;

/// The longest secret that is read from a file, in bytes: HTTP servers refuse longer headers.
pub const MAX_SECRET_LEN: u64 = 16 * 1024;

/// The longest answer of an OAuth2 server that is read: a token and little else.
const MAX_TOKEN_ANSWER: usize = 64 * 1024;

/// How long an OAuth2 server may take, all in all. Its answer is small and needs no work.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A token is asked for again this long before it expires, so that it lives at least until the app has read it.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A file that holds the token and nothing else.
    File(PathBuf),
    /// OAuth2 client credentials (RFC 6749, section 4.4).
    OAuth2(OAuth2),
}

/// How to ask an OAuth2 server for a token. The secret is sent in the body of the request (`client_secret_post`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: BaseUrl,
    /// The client's name.
    pub client_id: String,
    /// A file that holds the client's secret and nothing else; read at every request.
    pub client_secret_file: PathBuf,
    /// The audience to ask for, where the server wants one.
    pub audience: Option<String>,
    /// The scope to ask for, where the server wants one.
    pub scope: Option<String>,
    /// The CA of the token endpoint, PEM; the machine's own where there is none.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::File(path) => write!(f, "the token in {}", path.display()),
            Credentials::OAuth2(oauth2) => {
                write!(f, "the token that {} gives to {:?}", oauth2.token_url, oauth2.client_id)
            }
        }
    }
}

/// Why there is no token to send.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error(
        "{} cannot be read\nhelp: write the secret to that file, or correct its name in the configuration",
        path.display()
    )]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "{} contains {found}\nhelp: write only the secret to it, on one line, without \"Bearer\" and quotes",
        path.display()
    )]
    NotASecret { path: PathBuf, found: &'static str },
    #[error("{url} returned no token\nhelp: check the address, and that this machine can reach it")]
    Unreachable { url: BaseUrl, source: reqwest::Error },
    #[error(
        "{url} answered {status}{answer}\n\
         help: check client_id {client_id:?}, the secret in client_secret_file, audience and scope"
    )]
    Refused { url: BaseUrl, status: StatusCode, answer: AnswerText, client_id: String },
    #[error("{url} answered {status} with {found}\nhelp: check that token_url is the token endpoint")]
    NotAToken { url: BaseUrl, status: StatusCode, found: &'static str },
}

/// Gives out tokens, and remembers the one that an OAuth2 server gave.
pub(super) struct Tokens {
    credentials: Credentials,
    oauth2_http: Option<Client>,
    cached: Mutex<Option<Cached>>,
}

struct Cached {
    token: Secret,
    /// `None` where the server did not say: then until it is refused.
    until: Option<Instant>,
}

impl Tokens {
    /// `oauth2_http` is the client for the token endpoint, where there is one.
    pub(super) fn new(credentials: Credentials, oauth2_http: Option<Client>) -> Tokens {
        Tokens { credentials, oauth2_http, cached: Mutex::new(None) }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Reads the files that secrets come from, so that a wrong name is found before anything is asked of anybody.
    pub(super) async fn check(&self) -> Result<(), TokenError> {
        let path = match &self.credentials {
            Credentials::File(path) => path,
            Credentials::OAuth2(oauth2) => &oauth2.client_secret_file,
        };
        read_secret(path).await.map(drop)
    }

    /// The token to send now.
    pub(super) async fn token(&self) -> Result<Secret, TokenError> {
        match (&self.credentials, &self.oauth2_http) {
            (Credentials::OAuth2(oauth2), Some(http)) => {
                let mut cached = self.cached.lock().await;
                if let Some(kept) =
                    cached.as_ref().filter(|kept| kept.until.is_none_or(|until| Instant::now() < until))
                {
                    return Ok(kept.token.clone());
                }
                let fresh = request_token(http, oauth2).await?;
                let token = fresh.token.clone();
                *cached = Some(fresh);
                Ok(token)
            }
            (Credentials::OAuth2(OAuth2 { client_secret_file: path, .. }), None)
            | (Credentials::File(path), _) => read_secret(path).await,
        }
    }

    /// The app has refused the token: the next one comes from its source again.
    pub(super) async fn forget(&self) {
        *self.cached.lock().await = None;
    }
}

async fn read_secret(path: &Path) -> Result<Secret, TokenError> {
    let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
    let not_a_secret = |found| TokenError::NotASecret { path: path.to_owned(), found };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_SECRET_LEN + 1).read_to_end(&mut text).await.map_err(unreadable)?;
    if text.len() as u64 > MAX_SECRET_LEN {
        return Err(not_a_secret("more than 16 KiB"));
    }
    let secret = text.trim_ascii();
    // A server would answer 401 to each of these, which says nothing about the file.
    match secret {
        [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(not_a_secret("a byte order mark before the secret"));
        }
        [b'{', .., b'}'] => return Err(not_a_secret("JSON, such as the whole answer of a token server")),
        [quote @ (b'"' | b'\''), .., end] if quote == end => return Err(not_a_secret("a text in quotes")),
        _ => {}
    }
    if secret.is_empty() {
        return Err(not_a_secret("nothing"));
    }
    if secret.iter().any(u8::is_ascii_whitespace) {
        return Err(not_a_secret("several words"));
    }
    match std::str::from_utf8(secret) {
        Ok(secret) if secret.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Secret::new(secret.to_owned()))
        }
        _ => Err(not_a_secret("characters that no token has")),
    }
}

/// RFC 6749, section 5.1. Some servers write the life time as a text.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    fn get(&self) -> Option<u64> {
        match self {
            Seconds::Number(seconds) => Some(*seconds),
            Seconds::Text(text) => text.parse().ok(),
        }
    }
}

async fn request_token(http: &Client, oauth2: &OAuth2) -> Result<Cached, TokenError> {
    let url = || oauth2.token_url.clone();
    let unreachable =
        |source: reqwest::Error| TokenError::Unreachable { url: url(), source: source.without_url() };
    let secret = read_secret(&oauth2.client_secret_file).await?;
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &oauth2.client_id),
        ("client_secret", secret.expose()),
    ];
    form.extend(oauth2.audience.as_deref().map(|audience| ("audience", audience)));
    form.extend(oauth2.scope.as_deref().map(|scope| ("scope", scope)));
    let asked_at = Instant::now();
    let request = http.post(oauth2.token_url.as_url().clone()).header(ACCEPT, "application/json").form(&form);
    let mut response = request.timeout(TOKEN_TIMEOUT).send().await.map_err(unreachable)?;
    let status = response.status();
    let body =
        zeroize::Zeroizing::new(read_limited(&mut response, MAX_TOKEN_ANSWER).await.map_err(unreachable)?);
    if status != StatusCode::OK {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|named| named.to_str().ok());
        let answer = oauth2_text(content_type, &body, &secret);
        return Err(TokenError::Refused { url: url(), status, answer, client_id: oauth2.client_id.clone() });
    }
    let not_a_token = |found| TokenError::NotAToken { url: url(), status, found };
    // The parser's own message could quote the token.
    let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&body) else {
        return Err(not_a_token("something else than {\"access_token\": …}"));
    };
    let token = Secret::new(answer.access_token);
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(not_a_token("a token that is not a bearer token"));
    }
    if token.expose().is_empty() || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(not_a_token("an empty or malformed token"));
    }
    let lives = answer.expires_in.as_ref().and_then(Seconds::get).map(Duration::from_secs);
    let until = lives.and_then(|lives| asked_at.checked_add(lives.saturating_sub(EXPIRY_MARGIN)));
    Ok(Cached { token, until })
}

/// RFC 6749, section 5.2: `{"error": "invalid_client", "error_description": "…"}`.
fn oauth2_text(content_type: Option<&str>, body: &[u8], secret: &Secret) -> AnswerText {
    #[derive(Deserialize)]
    struct OAuth2Error {
        error: String,
        error_description: String,
    }
    match serde_json::from_slice(body) {
        Ok(OAuth2Error { error, error_description }) => {
            AnswerText::App(super::answer_text::shown(&format!("{error}: {error_description}"), &[secret]))
        }
        Err(_) => AnswerText::read(content_type, body, &[secret]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn read(content: &[u8]) -> Result<Secret, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        read_secret(&path).await
    }

    #[tokio::test]
    async fn white_space_around_a_secret_is_dropped() {
        assert_eq!(read(b" \teyJh.bGci-_\r\n\n").await.unwrap().expose(), "eyJh.bGci-_");
        let longest = vec![b'x'; usize::try_from(MAX_SECRET_LEN).unwrap()];
        assert_eq!(read(&longest).await.unwrap().expose().len(), longest.len());
    }

    #[tokio::test]
    async fn what_is_not_a_secret_is_refused_without_showing_it() {
        let too_long = vec![b'x'; usize::try_from(MAX_SECRET_LEN).unwrap() + 1];
        for content in [
            &b""[..],
            b" \n",
            b"Bearer hunter2",
            b"hunter2\nhunter2",
            b"\"hunter2\"\n",
            b"'hunter2'",
            b"{\"access_token\":\"hunter2\"}",
            b"{\n  \"access_token\": \"hunter2\"\n}\n",
            b"\xef\xbb\xbfhunter2",
            b"hunter2\0",
            b"hunter2\xff",
            "hünter2".as_bytes(),
            &too_long,
        ] {
            let error = read(content).await.unwrap_err();
            assert!(matches!(error, TokenError::NotASecret { .. }));
            assert!(!format!("{error} {error:?}").contains("nter2"));
        }
        assert!(matches!(read_secret(Path::new("/nonexistent")).await, Err(TokenError::Unreadable { .. })));
    }

    #[tokio::test]
    async fn a_file_is_read_again_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let tokens = Tokens::new(Credentials::File(path.clone()), None);
        assert!(tokens.check().await.is_err());
        for token in ["one", "two"] {
            std::fs::write(&path, token).unwrap();
            assert_eq!(tokens.token().await.unwrap().expose(), token);
        }
    }

    #[test]
    fn an_oauth2_refusal_is_told_in_full() {
        let secret = Secret::new("hunter2".to_owned());
        let body = br#"{"error":"invalid_client","error_description":"wrong secret hunter2"}"#;
        assert_eq!(
            oauth2_text(None, body, &secret),
            AnswerText::App("invalid_client: wrong secret [secret]".to_owned())
        );
        assert_eq!(
            oauth2_text(None, br#"{"error":"access_denied"}"#, &secret),
            AnswerText::App("access_denied".to_owned())
        );
    }
}
