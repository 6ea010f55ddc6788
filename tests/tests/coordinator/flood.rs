//! Strangers who open connections without end do not keep members out.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use svdr_proto::limits::MAX_HANDSHAKES;
use svdr_tests::distance;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::MissedTickBehavior;

use super::*;

/// Addresses that the flood comes from.
const FLOODERS: u8 = 50;
/// Connections that all of them open in a second.
const PER_SECOND: u32 = 1000;
/// Connections that one of them keeps open: as many as it opens in four seconds, far more than its share.
const KEPT: usize = 80;
/// Members that connect meanwhile, and those that must get in.
const TRIES: u8 = 20;
const NEEDED: usize = 19;
/// Half of a round trip between two ends of the world.
const ONE_WAY: Duration = Duration::from_millis(175);

/// A connection that says nothing, from an address of the loopback interface.
async fn silent(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

/// Opens connections at an even rate until it is aborted, and counts them.
async fn flood(from: IpAddr, to: SocketAddr, opened: Arc<AtomicUsize>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * u32::from(FLOODERS) / PER_SECOND);
    // What a busy machine has missed is opened at once, so that the rate is what it should be.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut open = VecDeque::with_capacity(KEPT);
    loop {
        ticks.tick().await;
        if open.len() == KEPT {
            open.pop_front();
        }
        open.extend(silent(from, to).await);
        opened.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_at_the_other_end_of_the_world_gets_in_during_a_flood() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let (address, server) =
        (coordinator.started.address, *server_key(&coordinator).verifying_key().as_bytes());
    let opened = Arc::new(AtomicUsize::new(0));
    let floods: Vec<_> = (0..FLOODERS)
        .map(|at| tokio::spawn(flood(Ipv4Addr::new(127, 0, 1, at + 1).into(), address, Arc::clone(&opened))))
        .collect();
    // The flood has filled whatever room there is.
    while opened.load(Ordering::Relaxed) < 2 * MAX_HANDSHAKES {
        tokio::task::yield_now().await;
    }
    let tries: Vec<_> = (0..TRIES)
        .map(|at| {
            let identity = TlsIdentity::new(network.key(usize::from(at % 4) + 1)).unwrap();
            tokio::spawn(async move {
                let from = Ipv4Addr::new(127, 0, 2, at + 1).into();
                let proxy = distance::start(address, from, ONE_WAY).await.unwrap();
                let mut client =
                    channel::connect(&format!("https://{proxy}"), server, &identity).await.ok()?;
                client.list_sessions(v1::ListSessionsRequest {}).await.ok()
            })
        })
        .collect();
    let mut served = 0;
    for one in tries {
        served += usize::from(one.await.unwrap().is_some());
    }
    floods.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(served >= NEEDED, "{served} of {TRIES} members got in");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_leave_files_for_members_and_for_the_journal() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start_limited(network.path(), "ulimit -n 128").unwrap();
    let address = coordinator.started.address;
    let mut half_open = Vec::new();
    for _ in 0..1500 {
        half_open.push(silent(Ipv4Addr::LOCALHOST.into(), address).await.unwrap());
    }
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    for member in 2..=4 {
        let mut client = connect(&coordinator, network.key(member)).await;
        let statement = network.sign(member, Some(session), 1, milestone("ready")).unwrap();
        submit(&mut client, &statement).await.unwrap();
    }
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_keeps_nobody_from_the_metrics() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let address = coordinator.started.metrics_address.unwrap();
    // Silent and half asked, from a few addresses that are not the scraper's: more than there is room for.
    let mut held = Vec::new();
    for at in 0..100_u8 {
        let from = Ipv4Addr::new(127, 0, 1, at % 5 + 1);
        let connection = silent(from.into(), address).await.unwrap();
        if at % 4 == 0 {
            connection.try_write(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
        }
        held.push(connection);
    }
    for _ in 0..10 {
        assert_eq!(coordinator.metric("svdr_sessions").unwrap(), 0.0);
    }
}
