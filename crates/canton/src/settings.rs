//! How to reach one node's admin API.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use svdr_protocol::text::{excerpt, hidden_in};

use crate::limits::MAX_URL_LEN;

/// Characters of a wrong URL that an error quotes.
const EXCERPT_LEN: usize = 80;

/// Where a node's admin API is: `http://HOST:PORT`, or `https://HOST:PORT`.
///
/// The images of Splice serve it in plaintext, on port 5002 (participant), 5009 (sequencer) or 5007 (mediator).
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl {
    uri: Uri,
    host: String,
    port: u16,
}

/// Why a text is not the URL of an admin API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// It does not have the form.
    #[error(
        "{found:?} is not the URL of an admin API\n\
         help: write http://HOST:PORT or https://HOST:PORT, such as http://participant:5002"
    )]
    Malformed {
        /// The text, without what could be a password.
        found: String,
    },
    /// It contains a user name or a password.
    #[error("the URL for {host} contains a user name or password\nhelp: remove them, and set token_file")]
    Credentials {
        /// What follows them.
        host: String,
    },
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<NodeUrl, NodeUrlError> {
        if let Some((_, host)) = text.rsplit_once('@') {
            return Err(NodeUrlError::Credentials { host: excerpt(host, EXCERPT_LEN) });
        }
        let malformed = || NodeUrlError::Malformed { found: excerpt(text, EXCERPT_LEN) };
        if text.len() > MAX_URL_LEN || hidden_in(text).is_some() || text.contains('#') {
            return Err(malformed());
        }
        let uri: Uri = text.parse().map_err(|_invalid| malformed())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().ok_or_else(malformed)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if is_bare && is_http { Ok(NodeUrl { uri, host, port }) } else { Err(malformed()) }
    }
}

impl NodeUrl {
    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri.to_string().trim_end_matches('/'))
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How to reach one node's admin API. It contains names of files, and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Where it is.
    pub url: NodeUrl,
    /// The CA that signs its certificate, PEM; the machine's own CAs without it.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this client shows, if the node asks for one.
    pub client: Option<ClientCertificate>,
    /// A file that contains the bearer token and nothing else; read again for each call.
    pub token_file: Option<PathBuf>,
}

/// The two files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and the CA, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl NodeSettings {
    /// Settings with only a URL.
    pub fn new(url: NodeUrl) -> NodeSettings {
        NodeSettings { url, ca_file: None, client: None, token_file: None }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_scheme_host_and_port_only() {
        for text in ["http://participant:5002", "https://[::1]:5002/", "http://10.0.0.1:5002"] {
            let url: NodeUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
            assert_eq!(url.port(), 5002);
        }
        let long = format!("http://{}:5002", "a".repeat(MAX_URL_LEN));
        for text in [
            "participant:5002",
            "http://participant",
            "grpc://participant:5002",
            "http://participant:5002/api",
            "http://participant:5002?a=b",
            "http://participant:5002#a",
            "http://:5002",
            "",
            "http://a\u{202e}:5002",
            &long,
        ] {
            let error = text.parse::<NodeUrl>().unwrap_err();
            assert!(matches!(error, NodeUrlError::Malformed { .. }), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = "http://user:hunter2@participant:5002".parse::<NodeUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = "hunter2@".parse::<NodeUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
