//! As much of everything as the coordinator lets one member have, and more, while the others hold their session.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use svdr_proto::channel;
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::SessionId;
use svdr_tests::agents::LIMIT;
use svdr_tests::network::{milestone, opening};
use tonic::Code;

use super::stage::{HOSTILE, Hostile, all_finish};
use svdr_tests::town::Town;

/// Connections side by side.
const LANES: usize = 6;

#[test]
fn floods_of_a_member_do_not_keep_the_others_from_finishing() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let mut hostile = Hostile::new(&town, session);
    let over = AtomicBool::new(false);
    let flooded = std::thread::scope(|scope| {
        let (shared, done) = (&town, &over);
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || flood(shared, session, lane, done))).collect();
        let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
        // The flood leaves its member no stream to read with.
        let reported = || town.transcript(session).sessions[0].session.evidence().len();
        let end = Instant::now() + LIMIT;
        while reported() < 3 {
            assert!(Instant::now() < end, "three members have not reported");
        }
        let ticks = super::stage::ticks_of(&town.transcript(session).sessions[0].session);
        let evidence = hostile.sign(town.agents.network.evidence_at(HOSTILE, &ticks));
        let accepted = hostile.submit(&evidence);
        if accepted.is_err() {
            // The flood has used up what this member may have; the convener goes on without it.
            town.agents.convene(&["propose", &session.to_string()]).unwrap();
        }
        all_finish(agents);
        over.store(true, Ordering::Relaxed);
        lanes.into_iter().map(|lane| lane.join().unwrap()).sum::<Refusals>()
    });
    assert!(flooded.malformed > 0 && flooded.sessions > 0, "{flooded:?}");
    assert!(flooded.streams > 0, "{flooded:?}");
    assert_eq!(town.transcript(session).sessions[0].phase, Phase::Completed(1));
}

/// What was refused, by what it was.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    malformed: usize,
    sessions: usize,
    streams: usize,
}

impl std::iter::Sum for Refusals {
    fn sum<I: Iterator<Item = Refusals>>(all: I) -> Refusals {
        all.fold(Refusals::default(), |sum, one| Refusals {
            malformed: sum.malformed + one.malformed,
            sessions: sum.sessions + one.sessions,
            streams: sum.streams + one.streams,
        })
    }
}

/// One connection that does everything it may and may not, until the others are done.
fn flood(town: &Town, session: SessionId, lane: usize, over: &AtomicBool) -> Refusals {
    let network = &town.agents.network;
    let server = *town.coordinator_key().verifying_key().as_bytes();
    let identity = TlsIdentity::new(network.key(HOSTILE)).unwrap();
    let mut refusals = Refusals::default();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = channel::connect(&town.relay.url(), server, &identity).await.unwrap();
        let mut unread = Vec::new();
        for n in 0.. {
            if over.load(Ordering::Relaxed) && refusals.malformed > 0 && refusals.streams > 0 {
                break;
            }
            let request = v1::WatchRequest { session: session.to_string(), from: 0 };
            match client.watch(request).await {
                // Held open, and never read.
                Ok(stream) => unread.push(stream),
                Err(status) => refusals.streams += usize::from(status.code() == Code::ResourceExhausted),
            }
            let sequence = lane as u64 * 1_000_000 + n + 1;
            let genuine =
                network.sign(HOSTILE, Some(session), sequence, milestone(&format!("step-{sequence}")));
            let genuine = genuine.unwrap();
            let mut cut = genuine.to_message();
            cut.payload.truncate(20);
            let mut long = genuine.to_message();
            long.payload = vec![0; (4 << 20) + 1];
            let no_convener = network.sign(HOSTILE, None, sequence, opening(u8::try_from(n % 251).unwrap()));
            for statement in [genuine.to_message(), cut, no_convener.unwrap().to_message()] {
                let request = v1::SubmitRequest { statement: Some(statement) };
                if let Err(status) = client.submit(request).await {
                    refusals.malformed += usize::from(status.code() == Code::InvalidArgument);
                    refusals.sessions += usize::from(status.code() == Code::PermissionDenied);
                }
            }
            if n % 16 == 0 {
                let request = v1::SubmitRequest { statement: Some(long) };
                let refused = client.submit(request).await.unwrap_err();
                assert_ne!(refused.code(), Code::Internal, "{refused:?}");
            }
        }
    });
    refusals
}
