//! HTTP/1.1 by hand, as much as the stand-in needs: a framework would repair the very faults that are to be made.

use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The longest head or body of a request: the agent's are a few hundred bytes.
const MAX_REQUEST: u64 = 64 * 1024;

/// A connection, with or without TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// The connection below.
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A request, taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Reads the next request, or `None` where the client has closed the connection.
    pub(super) async fn read(wire: &mut BufReader<Box<dyn Wire>>) -> io::Result<Option<Request>> {
        let mut wire = wire.take(MAX_REQUEST);
        let Some(first) = line(&mut wire).await? else { return Ok(None) };
        let mut parts = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
            return Err(malformed(&first));
        };
        let mut headers = Vec::new();
        loop {
            match line(&mut wire).await? {
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(line) if line.is_empty() => break,
                Some(line) => match line.split_once(':') {
                    Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                    None => return Err(malformed(&line)),
                },
            }
        }
        let mut request = Request { method, target, headers, body: Vec::new() };
        let len: u64 = request.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
        (&mut wire).take(len).read_to_end(&mut request.body).await?;
        Ok(Some(request))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        parameter(self.target.split_once('?')?.1, name)
    }

    /// A field of a form in the body.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        parameter(std::str::from_utf8(&self.body).ok()?, name)
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is not HTTP"))
}

async fn line(wire: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = String::new();
    if wire.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// `name` in `a=b&c=d`, its percent escapes and plus signs decoded.
fn parameter(encoded: &str, name: &str) -> Option<String> {
    encoded
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| decoded(value))
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                // The two digits are in it.
                rest = &after[2..];
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length.
    Length(u64),
    /// By a last chunk.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What happens to a body before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// The connection is reset.
    Reset,
    /// The connection is closed in good order.
    Close,
    /// Nothing more comes.
    Stall,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) framing: Framing,
    /// After how many bytes what happens.
    pub(super) breaks: Option<(u64, Break)>,
    /// Bytes of a piece, and the pause after each.
    pub(super) drip: Option<(usize, Duration)>,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Writes answers to a connection.
pub(super) struct Answerer<'w> {
    pub(super) wire: &'w mut Box<dyn Wire>,
    /// Told of every byte of a body that went out.
    pub(super) sent: &'w (dyn Fn(u64) + Send + Sync),
    /// Told that from now on nothing more comes.
    pub(super) stalled: &'w (dyn Fn() + Send + Sync),
}

/// Whether the connection can take a further request.
pub(super) type KeepAlive = bool;

impl Answerer<'_> {
    /// Sends a whole small answer.
    pub(super) async fn small(&mut self, head: Head, body: &[u8]) -> io::Result<KeepAlive> {
        let framing = Framing::Length(body.len() as u64);
        let delivery = Delivery { framing, breaks: None, drip: None };
        self.large(head, delivery, std::iter::once(body.to_vec())).await
    }

    /// Sends a head and the pieces of a body, as `delivery` says.
    pub(super) async fn large(
        &mut self,
        mut head: Head,
        delivery: Delivery,
        pieces: impl Iterator<Item = Vec<u8>> + Send,
    ) -> io::Result<KeepAlive> {
        match delivery.framing {
            Framing::Length(len) => head.headers.push(("content-length", len.to_string())),
            Framing::Chunked => head.headers.push(("transfer-encoding", "chunked".to_owned())),
            Framing::Close => head.headers.push(("connection", "close".to_owned())),
        }
        let mut text = format!("HTTP/1.1 {} Stand-In\r\n", head.status);
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.wire.write_all(text.as_bytes()).await?;
        self.wire.flush().await?;
        let limit = delivery.breaks.map_or(u64::MAX, |(at, _)| at);
        let mut sent = 0;
        for piece in pieces {
            let room = usize::try_from(limit - sent).unwrap_or(usize::MAX);
            let piece = piece.get(..room).unwrap_or(&piece);
            self.piece(piece, delivery).await?;
            sent += piece.len() as u64;
            if sent == limit {
                break;
            }
        }
        match delivery.breaks {
            Some((_, how)) => {
                self.break_off(how).await?;
                Ok(false)
            }
            None => {
                if delivery.framing == Framing::Chunked {
                    self.wire.write_all(b"0\r\n\r\n").await?;
                }
                self.wire.flush().await?;
                if delivery.framing == Framing::Close {
                    self.wire.shutdown().await?;
                }
                Ok(delivery.framing != Framing::Close)
            }
        }
    }

    async fn piece(&mut self, piece: &[u8], delivery: Delivery) -> io::Result<()> {
        let (len, pause) = delivery.drip.unwrap_or((piece.len().max(1), Duration::ZERO));
        for part in piece.chunks(len) {
            if delivery.framing == Framing::Chunked {
                self.wire.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await?;
                self.wire.write_all(part).await?;
                self.wire.write_all(b"\r\n").await?;
            } else {
                self.wire.write_all(part).await?;
            }
            (self.sent)(part.len() as u64);
            if !pause.is_zero() {
                self.wire.flush().await?;
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    /// Ends a connection, or never.
    pub(super) async fn break_off(&mut self, how: Break) -> io::Result<()> {
        self.wire.flush().await?;
        match how {
            Break::Close => self.wire.shutdown().await,
            // With nothing to linger for, closing sends RST instead of FIN.
            Break::Reset => self.wire.tcp().set_zero_linger(),
            Break::Stall => {
                (self.stalled)();
                std::future::pending().await
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "timestamp=2026-04-21T23%3A10%3a00Z&a=b+c&b=%zz%4";
        assert_eq!(parameter(query, "timestamp").unwrap(), "2026-04-21T23:10:00Z");
        assert_eq!(parameter(query, "a").unwrap(), "b c");
        assert_eq!(parameter(query, "b").unwrap(), "%zz%4");
        assert_eq!(parameter(query, "c"), None);
    }
}
