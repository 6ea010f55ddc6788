//! A proxy that stands in for a long way: what passes through arrives later, in its order, and comes from an address of its
//! own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes that are carried at once.
const CHUNK: usize = 16 * 1024;

/// Listens on a free port, and leads every connection to `target`: from `source`, and with a delay of `one_way` in each
/// direction. Returns the address. The proxy ends with the runtime.
///
/// # Errors
/// Where it cannot listen.
pub async fn start(target: SocketAddr, source: IpAddr, one_way: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A connection that fails is closed, as it is dropped.
            tokio::spawn(carry(client, target, source, one_way));
        }
    });
    Ok(address)
}

async fn carry(client: TcpStream, target: SocketAddr, source: IpAddr, one_way: Duration) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    // What the client sends from now on is on its way, while the last packet of TCP's handshake is.
    let up = read(from_client, one_way);
    tokio::time::sleep(one_way).await;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    let server = socket.connect(target).await?;
    server.set_nodelay(true)?;
    let (from_server, to_server) = server.into_split();
    tokio::spawn(write(read(from_server, one_way), to_client));
    write(up, to_server).await
}

/// Bytes, and when they arrive.
type Arrivals = mpsc::UnboundedReceiver<(Instant, Vec<u8>)>;

fn read(mut from: OwnedReadHalf, one_way: Duration) -> Arrivals {
    let (sender, arrivals) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let bytes = chunk.iter().take(read).copied().collect();
            if sender.send((Instant::now() + one_way, bytes)).is_err() {
                break;
            }
        }
    });
    arrivals
}

async fn write(mut arrivals: Arrivals, mut to: OwnedWriteHalf) -> io::Result<()> {
    while let Some((due, bytes)) = arrivals.recv().await {
        tokio::time::sleep_until(due).await;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}
