//! Connections of a lying coordinator: its TLS is in order, as agents would not talk to it otherwise.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// A connection whose client has proved to be a member.
pub(super) struct Connection(TlsStream<TcpStream>);

/// Takes connections for as long as anybody serves them.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, connections) = (TlsAcceptor::from(Arc::clone(&tls)), connections.clone());
        tokio::spawn(async move {
            // Whoever is no member, or goes again, is not served.
            if let Ok(proved) = tls.accept(stream).await {
                let _ = connections.send(Ok(Connection(proved))).await;
            }
        });
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
