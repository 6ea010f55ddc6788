//! Who may connect to a donor, and who may donate.

use std::path::Path;

use ed25519_dalek::SigningKey;
use svdr_proto::channel::{ConnectError, connect_to_donor};
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1::{FetchSnapshotRequest, FetchSnapshotResponse};
use svdr_protocol::digest::Digest;
use tonic::Code;

use super::stage::{DONOR, RECEIVER, Stage};

type Answer = Result<Option<FetchSnapshotResponse>, tonic::Status>;

/// Asks the donor as the holder of `key`; the first message.
fn ask(stage: &Stage, key: &SigningKey, request: FetchSnapshotRequest) -> Result<Answer, ConnectError> {
    let donor = stage.town.agents.network.key(DONOR).verifying_key().to_bytes();
    let identity = TlsIdentity::new(key).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = connect_to_donor(&stage.relay.url(), donor, &identity).await?;
        Ok(match client.fetch_snapshot(request).await {
            Ok(answer) => answer.into_inner().message().await,
            Err(status) => Err(status),
        })
    })
}

#[test]
fn members_alone_are_let_in_and_get_nothing_but_what_was_donated() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    let network = &stage.town.agents.network;
    let snapshot = stage.snapshot();
    let donation = {
        let seen = stage.seen();
        let all = seen.donations(1, &seen.agreement_certificate(1).unwrap().proposal().digest());
        all.values().next().unwrap().0
    };
    let right =
        || FetchSnapshotRequest { session: stage.id(), donation: donation.as_bytes().to_vec(), offset: 0 };
    for stranger in [&SigningKey::from_bytes(&[9; 32]), &network.observer] {
        let refused = ask(&stage, stranger, right()).unwrap_err();
        assert!(matches!(refused, ConnectError::Refused { .. }), "{refused:?}");
    }
    assert!(donor.logs("is refused"), "{}", donor.log());
    let member = network.key(2);
    let code = |answer: Answer| answer.unwrap_err().code();
    let beyond = FetchSnapshotRequest { offset: snapshot.len() as u64 + 1, ..right() };
    assert_eq!(code(ask(&stage, member, beyond).unwrap()), Code::OutOfRange);
    let at_the_end = FetchSnapshotRequest { offset: snapshot.len() as u64, ..right() };
    assert!(ask(&stage, member, at_the_end).unwrap().unwrap().is_none());
    let others = [
        FetchSnapshotRequest { donation: Digest::of(b"other").as_bytes().to_vec(), ..right() },
        FetchSnapshotRequest { donation: b"../../etc/passwd".to_vec(), ..right() },
        FetchSnapshotRequest { session: "0".repeat(32), ..right() },
        FetchSnapshotRequest { session: "../state".to_owned(), ..right() },
    ];
    for other in others {
        assert_eq!(code(ask(&stage, member, other).unwrap()), Code::NotFound);
    }
    let first = ask(&stage, member, FetchSnapshotRequest { offset: 1000, ..right() }).unwrap();
    let chunk = first.unwrap().unwrap().chunk;
    assert_eq!(&chunk[..], &snapshot[1000..1000 + chunk.len()]);
    let huge = FetchSnapshotRequest { session: "0".repeat(1 << 20), ..right() };
    assert_eq!(code(ask(&stage, member, huge).unwrap()), Code::OutOfRange);
}

#[test]
fn another_key_than_the_donors_is_refused() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    donor.kill().unwrap();
    // Another member's endpoint in its place.
    let network = &stage.town.agents.network;
    let says = svdr_tests::donor_liar::Says::Nothing;
    let other = svdr_tests::donor_liar::DonorLiar::start(&network.roster, network.key(2), says).unwrap();
    stage.relay.lead_to(Some(other.address()));
    let log = stage.refused(stage.receive(&[]), 3);
    assert!(log.contains("is not the donor's agent that the roster names"), "{log}");
    stage.assert_nothing();
}

#[test]
fn a_member_that_is_left_behind_can_neither_donate_nor_take_from_itself() {
    let stage = Stage::left_behind();
    let refused = stage.donate_once(RECEIVER, &[]);
    assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
    let id = stage.id();
    for name in ["Example-SV-4", "Nobody"] {
        let args = ["receive", &id, "--from", name, "--yes"];
        let used = stage.town.agents.command(RECEIVER, &args).unwrap();
        assert_eq!(used.status.code(), Some(2), "{}", String::from_utf8_lossy(&used.stderr));
    }
    assert!(stage.donations().is_empty());
    assert!(
        Path::new(&stage.dumps(RECEIVER))
            .read_dir()
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().contains("snapshot") })
    );
}
