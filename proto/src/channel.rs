//! The client's connection to a coordinator or a donor's agent: TCP, mutual TLS, and a gRPC channel.
//!
//! A channel is one connection. When the connection breaks, the calls fail, and the caller connects again. So all that is
//! read over one channel comes from one process: a coordinator that was started with another journal in between cannot be
//! taken for the first.
//!
//! Under TLS 1.3 a client finishes its handshake before the server has checked its certificate. So a refused client would
//! notice in the middle of its first call, in one of several ways. But a server of HTTP/2 sends first: here a connection
//! counts as made when the first byte has arrived, and a refusal is reported as one.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::limits::{
    CONNECT_TIMEOUT, MAX_SNAPSHOT_MESSAGE_LEN, PING_INTERVAL, PING_TIMEOUT, TRANSFER_FRAME_LEN,
    TRANSFER_READ_LEN, TRANSFER_WINDOW,
};
use crate::tls::{KeyBytes, TlsError, TlsIdentity, WrongServer, client_config, key_text};
use crate::v1::donor_service_client::DonorServiceClient;
use crate::v1::session_service_client::SessionServiceClient;

/// Bytes that are read from a coordinator's socket at once: more than the longest TLS record.
const READ_LEN: usize = 18 << 10;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A coordinator, whose key the configuration names.
    Coordinator,
    /// The agent of a member that donates a snapshot; its key is the roster's.
    Donor,
}

impl Peer {
    /// The port of a URL that names none.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Peer::Coordinator => 7443,
            Peer::Donor => 7444,
        }
    }

    /// Where its key is configured.
    const fn named_by(self) -> &'static str {
        match self {
            Peer::Coordinator => "the configuration",
            Peer::Donor => "the roster",
        }
    }

    /// Bytes read from its socket at once.
    const fn read_len(self) -> usize {
        match self {
            Peer::Coordinator => READ_LEN,
            Peer::Donor => TRANSFER_READ_LEN,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Coordinator => "coordinator",
            Peer::Donor => "donor's agent",
        })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be used.
    #[error("{url:?} is not the URL of a {peer}; expected https://HOST:PORT")]
    Url {
        /// What should be there.
        peer: Peer,
        /// As configured.
        url: String,
        /// What is wrong, if the parser says.
        #[source]
        source: Option<http::uri::InvalidUri>,
    },
    /// The own key cannot be used.
    #[error(transparent)]
    Identity(#[from] TlsError),
    /// Nothing answers there.
    #[error(
        "the {peer} at {authority} cannot be reached\nhelp: check the URL, that the {peer} is running, and the firewall"
    )]
    Unreachable {
        /// What should be there.
        peer: Peer,
        /// Host and port.
        authority: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error(
        "the {peer} at {authority} did not answer within {} s\n\
         help: check that a {peer} listens there, and the network in between",
        CONNECT_TIMEOUT.as_secs()
    )]
    TimedOut {
        /// What should be there.
        peer: Peer,
        /// Host and port.
        authority: String,
    },
    /// The server has another key than the expected one.
    #[error(
        "{authority} is not the {peer} that {} names\n\
         help: ask the {peer}'s operator for its key, and do not continue before that is the key in {}",
        peer.named_by(), peer.named_by()
    )]
    WrongServer {
        /// What should be there.
        peer: Peer,
        /// Host and port.
        authority: String,
        /// Both keys.
        #[source]
        source: WrongServer,
    },
    /// The server speaks something else.
    #[error(
        "{authority} does not speak TLS 1.3 as a {peer} does\nhelp: check the host, the port and the proxies in between"
    )]
    NotOurs {
        /// What should be there.
        peer: Peer,
        /// Host and port.
        authority: String,
        /// What TLS says.
        #[source]
        source: io::Error,
    },
    /// The server does not let this key in.
    #[error(
        "the {peer} at {authority} does not know this signing key ({key}): its roster must list the key as a \
         member's{}\nhelp: compare the fingerprint of the two rosters",
        match peer { Peer::Coordinator => " or an observer's", Peer::Donor => "" }
    )]
    Refused {
        /// What is there.
        peer: Peer,
        /// Host and port.
        authority: String,
        /// The own public key.
        key: String,
        /// What TLS says.
        #[source]
        source: io::Error,
    },
    /// It closed the connection before it said anything.
    #[error(
        "{authority} closed the connection at once: it may be stopping, or have too many connections\nhelp: retry"
    )]
    Closed {
        /// Host and port.
        authority: String,
        /// What was seen.
        #[source]
        source: io::Error,
    },
}

/// A connection on which the server has sent something.
type ServerStream = BufReader<TlsStream<BufReader<TcpStream>>>;

/// A server's address and key, and the client's identity.
#[derive(Clone, Debug)]
struct Target {
    peer: Peer,
    host: String,
    port: u16,
    own_key: KeyBytes,
    config: Arc<ClientConfig>,
}

/// Connects to the coordinator at `url` that has the key `server`, as `identity`.
///
/// The connection is there when this returns. Once it breaks, every call fails.
///
/// # Errors
/// Why there is none.
pub async fn connect(
    url: &str,
    server: KeyBytes,
    identity: &TlsIdentity,
) -> Result<SessionServiceClient<Channel>, ConnectError> {
    let channel = channel(url, server, identity).await?;
    Ok(SessionServiceClient::new(channel)
        .max_decoding_message_size(crate::limits::MAX_MESSAGE_LEN)
        .max_encoding_message_size(crate::limits::MAX_MESSAGE_LEN))
}

/// Connects to the donor's agent at `url` that has the key `donor`, as `identity`, with the windows and frames of a
/// transfer of gigabytes.
///
/// # Errors
/// Why there is no connection.
pub async fn connect_to_donor(
    url: &str,
    donor: KeyBytes,
    identity: &TlsIdentity,
) -> Result<DonorServiceClient<Channel>, ConnectError> {
    let (uri, target) = target(Peer::Donor, url, donor, identity)?;
    let endpoint = endpoint(uri)
        .initial_stream_window_size(TRANSFER_WINDOW)
        .initial_connection_window_size(TRANSFER_WINDOW)
        .max_frame_size(TRANSFER_FRAME_LEN);
    let channel = connected(endpoint, target).await?;
    Ok(DonorServiceClient::new(channel).max_decoding_message_size(MAX_SNAPSHOT_MESSAGE_LEN))
}

/// As [`connect`], for other services of the same server: health and reflection.
///
/// # Errors
/// Why there is no connection.
pub async fn channel(url: &str, server: KeyBytes, identity: &TlsIdentity) -> Result<Channel, ConnectError> {
    let (uri, target) = target(Peer::Coordinator, url, server, identity)?;
    connected(endpoint(uri), target).await
}

fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
}

/// The connection of a channel broke earlier.
#[derive(Debug, thiserror::Error)]
#[error("the connection is lost")]
struct Lost;

async fn connected(endpoint: Endpoint, target: Target) -> Result<Channel, ConnectError> {
    let only = Arc::new(Mutex::new(Some(target.dial().await?)));
    let connector = tower::service_fn(move |_: Uri| {
        let made = only.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { made.map(TokioIo::new).ok_or(Lost) }
    });
    // The connection has been made and waits in the connector, so that nothing is lost by being lazy.
    Ok(endpoint.connect_with_connector_lazy(connector))
}

fn target(
    peer: Peer,
    url: &str,
    server: KeyBytes,
    identity: &TlsIdentity,
) -> Result<(Uri, Target), ConnectError> {
    let wrong = |source| ConnectError::Url { peer, url: url.to_owned(), source };
    let uri: Uri = url.parse().map_err(|source| wrong(Some(source)))?;
    let host = uri.host().ok_or_else(|| wrong(None))?.trim_matches(['[', ']']).to_owned();
    if uri.scheme_str() != Some("https") || uri.path() != "/" || uri.query().is_some() {
        return Err(wrong(None));
    }
    let port = uri.port_u16().unwrap_or(peer.default_port());
    let config = Arc::new(client_config(identity, server)?);
    Ok((uri, Target { peer, host, port, own_key: *identity.public_key(), config }))
}

impl Target {
    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, proves both ends, and waits for the server's first byte.
    async fn dial(&self) -> Result<ServerStream, ConnectError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.dial_slowly()).await {
            Ok(result) => result,
            Err(_elapsed) => Err(ConnectError::TimedOut { peer: self.peer, authority: self.authority() }),
        }
    }

    async fn dial_slowly(&self) -> Result<ServerStream, ConnectError> {
        let (peer, authority) = (self.peer, || self.authority());
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|source| ConnectError::Unreachable { peer, authority: authority(), source })?;
        tcp.set_nodelay(true).map_err(|source| ConnectError::Closed { authority: authority(), source })?;
        // The name is sent, so that a proxy can route by it; the key alone says whether it is the right server.
        let name = ServerName::try_from(self.host.clone()).map_err(|_| ConnectError::Url {
            peer,
            url: authority(),
            source: None,
        })?;
        let stream = TlsConnector::from(Arc::clone(&self.config))
            .connect(name, BufReader::with_capacity(peer.read_len(), tcp))
            .await
            .map_err(|source| self.failed(source))?;
        // Looks at the first byte and leaves it there. The buffer has room for that one byte, so later reads go past it.
        let mut stream = BufReader::with_capacity(1, stream);
        let read = stream.fill_buf().await.map(|bytes| bytes.len());
        match read {
            Ok(0) => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(stream),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// What an error of the handshake, or of the first read after it, means.
    fn failed(&self, source: io::Error) -> ConnectError {
        let (peer, authority) = (self.peer, self.authority());
        let tls = source.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::AlertReceived(alert)) if refuses(*alert) => {
                ConnectError::Refused { peer, authority, key: key_text(&self.own_key), source }
            }
            Some(error) => match WrongServer::cause_of(error) {
                Some(source) => ConnectError::WrongServer { peer, authority, source },
                None => ConnectError::NotOurs { peer, authority, source },
            },
            None => ConnectError::Closed { authority, source },
        }
    }
}

/// Whether a server that sends this alert has looked at the client's certificate and does not want it.
const fn refuses(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}
