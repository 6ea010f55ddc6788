//! A connection to one node, and how a call is made on it.
//!
//! The first connection is made at once, so that what is wrong with the address, TLS or the client's certificate is found
//! before any call. The channel makes the connection again, with the same checks, when it breaks.
//!
//! Under TLS 1.3 a client finishes its handshake before the server has checked its certificate. But a server of HTTP/2
//! sends first: an encrypted connection counts as made when the first byte has arrived.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use rustls_pki_types::ServerName;
use svdr_protocol::failure::{CommandError, Exit};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::error::{CallError, OtherApi};
use crate::limits::{CONNECT_TIMEOUT, MAX_STATUS_LEN, PING_INTERVAL, PING_TIMEOUT, STATUS_TIMEOUT};
use crate::secret;
use crate::settings::{NodeSettings, NodeUrl};
use crate::trust::{self, TrustError};
use crate::wire::com::digitalasset::canton::connection::v30::GetApiInfoRequest;
use crate::wire::com::digitalasset::canton::connection::v30::api_info_service_client::ApiInfoServiceClient;

/// A connection to one node's admin API.
#[derive(Clone, Debug)]
pub struct Connection {
    settings: Arc<NodeSettings>,
    channel: Channel,
}

/// Why there is no connection to a node.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No TCP connection can be made.
    #[error("{url} cannot be reached\nhelp: check the address, and that the node's admin API listens there")]
    Unreachable {
        /// Where.
        url: NodeUrl,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing answers in time.
    #[error(
        "{url} does not answer within {} s\nhelp: check the address and the firewall between this machine and the node",
        CONNECT_TIMEOUT.as_secs()
    )]
    TimedOut {
        /// Where.
        url: NodeUrl,
    },
    /// The node's certificate is not valid for this client.
    #[error("the certificate of {url} is not valid\nhelp: {advice}")]
    Certificate {
        /// Where.
        url: NodeUrl,
        /// What to do about it.
        advice: &'static str,
        /// What is wrong.
        source: io::Error,
    },
    /// The server does not speak TLS.
    #[error("{url} does not answer with TLS\nhelp: write http:// if the node's admin API is plaintext")]
    NotTls {
        /// Where.
        url: NodeUrl,
        /// What it sent.
        source: io::Error,
    },
    /// The node refuses the client's certificate, or asks for one.
    #[error(
        "{url} refuses this client's certificate\nhelp: set certificate and certificate_key to what the node's \
         operator accepts"
    )]
    ClientRefused {
        /// Where.
        url: NodeUrl,
        /// What it says.
        source: io::Error,
    },
    /// The connection ended before it was ready.
    #[error("{url} closed the connection\nhelp: check that this is the port of the node's admin API")]
    Closed {
        /// Where.
        url: NodeUrl,
        /// What the system says.
        source: io::Error,
    },
}

impl CommandError for ConnectError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

impl ConnectError {
    /// Whether the same may succeed a little later, because a node restarts.
    pub fn is_transient(&self) -> bool {
        use ConnectError::{Closed, TimedOut, Unreachable};
        matches!(self, Unreachable { .. } | TimedOut { .. } | Closed { .. })
    }
}

/// Anything that bytes go through.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect, and how.
#[derive(Clone)]
struct Target {
    url: NodeUrl,
    tls: Option<Arc<ClientConfig>>,
}

impl Connection {
    /// Connects to a node.
    ///
    /// # Errors
    /// [`ConnectError`] if the first connection cannot be made.
    pub async fn open(settings: &NodeSettings) -> Result<Connection, ConnectError> {
        let encrypted = settings.url.is_encrypted().then(|| trust::client_config(settings)).transpose()?;
        let target = Target { url: settings.url.clone(), tls: encrypted.map(Arc::new) };
        let first = Arc::new(Mutex::new(Some(target.dial().await?)));
        let connector = tower::service_fn(move |_uri| {
            let (first, target) = (Arc::clone(&first), target.clone());
            async move {
                let made = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                let stream = match made {
                    Some(stream) => stream,
                    None => target.dial().await?,
                };
                Ok::<_, ConnectError>(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from(settings.url.uri().clone())
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let channel = endpoint.connect_with_connector_lazy(connector);
        Ok(Connection { settings: Arc::new(settings.clone()), channel })
    }

    /// Where the node is.
    pub fn url(&self) -> &NodeUrl {
        &self.settings.url
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Makes one call, with the token, and waits at most `limit` for the answer.
    pub(crate) async fn call<Q, A, F>(
        &self,
        name: &'static str,
        limit: Duration,
        message: Q,
        send: impl FnOnce(Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let url = self.url();
        let mut request = Request::new(message);
        // So that the node, too, stops its work.
        request.set_timeout(limit);
        if let Some(path) = &self.settings.token_file {
            request.metadata_mut().insert("authorization", secret::authorization(path).await?);
        }
        match tokio::time::timeout(limit, send(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) if status.code() == Code::Unimplemented => {
                Err(CallError::Unknown { url: url.clone(), call: name, served: self.served().await })
            }
            Ok(Err(status)) => Err(CallError::of_status(url, name, limit, status)),
            Err(_elapsed) => Err(CallError::TimedOut { url: url.clone(), call: name, after: limit }),
        }
    }
}

impl Connection {
    /// Which API the server says it serves, if that is not an admin API: a wrong port.
    async fn served(&self) -> Option<OtherApi> {
        let client = ApiInfoServiceClient::new(self.channel());
        let mut client = client.max_decoding_message_size(MAX_STATUS_LEN);
        let asked = client.get_api_info(GetApiInfoRequest {});
        let answer = tokio::time::timeout(STATUS_TIMEOUT, asked).await.ok()?.ok()?;
        match answer.into_inner().name.as_str() {
            "ledger-api" => Some(OtherApi::Ledger),
            "sequencer-public-api" => Some(OtherApi::SequencerPublic),
            _ => None,
        }
    }
}

impl Target {
    async fn dial(&self) -> Result<Box<dyn Stream>, ConnectError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.dial_slowly()).await {
            Ok(made) => made,
            Err(_elapsed) => Err(ConnectError::TimedOut { url: self.url.clone() }),
        }
    }

    async fn dial_slowly(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let url = || self.url.clone();
        let tcp = TcpStream::connect((self.url.host(), self.url.port()))
            .await
            .map_err(|source| ConnectError::Unreachable { url: url(), source })?;
        tcp.set_nodelay(true).map_err(|source| ConnectError::Closed { url: url(), source })?;
        let Some(config) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(self.url.host().to_owned()).map_err(|source| {
            let source = io::Error::new(io::ErrorKind::InvalidInput, source);
            ConnectError::Unreachable { url: url(), source }
        })?;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, tcp);
        let stream = connecting.await.map_err(|source| self.failed(source))?;
        // Looks at the first byte and leaves it there. The buffer has room for that byte alone, so later reads bypass it.
        let mut stream = BufReader::with_capacity(1, stream);
        let read = stream.fill_buf().await.map(<[u8]>::len);
        match read {
            Ok(0) => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(Box::new(stream)),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// What an error of the handshake, or of the first read after it, means.
    fn failed(&self, source: io::Error) -> ConnectError {
        let url = self.url.clone();
        match source.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(wrong)) => {
                ConnectError::Certificate { url, advice: advice(wrong), source }
            }
            Some(rustls::Error::InvalidMessage(_)) => ConnectError::NotTls { url, source },
            Some(rustls::Error::AlertReceived(alert)) if refuses(*alert) => {
                ConnectError::ClientRefused { url, source }
            }
            _ => ConnectError::Closed { url, source },
        }
    }
}

/// What to do about a certificate that is not valid.
const fn advice(wrong: &CertificateError) -> &'static str {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "renew the node's certificate, or correct the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "correct the clock of this machine, or wait until the certificate is valid"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a host name that the node's certificate contains"
        }
        CertificateError::UnknownIssuer => "set ca_file to the CA that signs the node's certificate",
        _ => "give the node a certificate for TLS servers, signed by the CA in ca_file",
    }
}

/// Whether a server that sends this alert has looked at the client's certificate and does not want it.
const fn refuses(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}
