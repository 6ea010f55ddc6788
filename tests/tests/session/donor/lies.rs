//! Donors that send something else than they signed, or sign what is no snapshot.

use svdr_client::{Coordinator, Coordinators};
use svdr_protocol::digest::Digest;
use svdr_protocol::statement::{Body, Donation, Part};
use svdr_tests::donor_liar::{DonorLiar, Says};
use svdr_tests::sv_app::Fault;

use super::stage::{DONOR, DONOR_NAME, Stage};

/// The donor's key in a liar's hands, behind the relay.
fn liar(stage: &Stage, says: Says) -> DonorLiar {
    let network = &stage.town.agents.network;
    let liar = DonorLiar::start(&network.roster, network.key(DONOR), says).unwrap();
    stage.relay.lead_to(Some(liar.address()));
    liar
}

#[test]
fn a_donor_that_sends_something_else_is_named_and_nothing_is_kept() {
    let stage = Stage::left_behind();
    stage.donate().kill().unwrap();
    let snapshot = stage.snapshot();
    let mut other = snapshot.clone();
    other[2_000_000] ^= 1;
    let liar = liar(&stage, Says::Nothing);
    for says in [
        Says::Nothing,
        Says::Bytes(other),
        Says::Bytes([&snapshot[..], b" "].concat()),
        Says::Bytes(snapshot[..snapshot.len() - 1].to_vec()),
        Says::Bytes(Vec::new()),
        Says::OutOfRange,
    ] {
        liar.say(says);
        let log = stage.refused(stage.receive(&[]), 3);
        assert!(log.contains(&format!("{DONOR_NAME} sends ")), "{log}");
        stage.assert_nothing();
        assert!(stage.left_in_dumps(".partial").is_empty());
    }
    liar.say(Says::Bytes(snapshot));
    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
}

#[test]
fn a_donor_that_lies_to_a_receiver_that_was_killed_is_named_too() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    stage.receive_half(&[]).kill().unwrap();
    donor.kill().unwrap();
    stage.relay.allow(None);
    let mut other = stage.snapshot();
    let last = other.len() - 2;
    other[last] ^= 1;
    let _liar = liar(&stage, Says::Bytes(other));
    let log = stage.refused(stage.receive(&[]), 3);
    // What was there may have been torn, so that it begins again; what comes then is the donor's alone.
    assert!(log.contains("Starting again"), "{log}");
    assert!(log.contains(&format!("{DONOR_NAME} sends ")), "{log}");
    stage.assert_nothing();
    assert!(stage.left_in_dumps(".partial").is_empty());
}

/// Signs and submits a donation of `snapshot` with the donor's key, as no agent would.
fn sign(stage: &Stage, snapshot: &[u8], change: impl Fn(Donation) -> Donation) {
    let seen = stage.seen();
    let certificate = seen.agreement_certificate(1).unwrap();
    let donation = change(Donation {
        round: 1,
        proposal: certificate.proposal().digest(),
        recovery_timestamp: certificate.plan().recovery_timestamp(),
        migration_id: certificate.plan().migration_id(),
        party: "DSO::1220ab".to_owned(),
        snapshot: Part {
            name: String::new(),
            digest: Digest::of(snapshot),
            size: snapshot.len() as u64,
            file: None,
        },
        parts: Vec::new(),
        url: Some(stage.relay.url()),
    });
    let network = &stage.town.agents.network;
    let sequence = 1000 + seen.len() as u64;
    let envelope = network.sign(DONOR, Some(stage.session), sequence, Body::Donation(donation)).unwrap();
    let coordinator = Coordinator { url: stage.town.relay.url(), key: stage.town.coordinator_key() };
    let coordinators = Coordinators::new(vec![coordinator], network.key(DONOR)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { coordinators.connect(0).await.unwrap().submit(&envelope).await.unwrap() });
}

#[test]
fn what_is_signed_and_is_no_snapshot_is_refused_all_the_same() {
    let stage = Stage::left_behind();
    let sound = String::from_utf8(stage.snapshot()).unwrap();
    let minute = |text: &str| text.replacen("T21:", "T20:", 1);
    let with_identities = sound.replacen('{', "{\"identities\":{},", 1);
    let other_migration = sound.replacen("\"migration_id\":6", "\"migration_id\":7", 1);
    assert_ne!(minute(&sound), sound);
    let liar = liar(&stage, Says::Nothing);
    // The last one is a sound snapshot, but not of the parts that are signed: none.
    for bad in [minute(&sound), with_identities, other_migration, "<html>".to_owned(), sound] {
        sign(&stage, bad.as_bytes(), |donation| donation);
        liar.say(Says::Bytes(bad.into_bytes()));
        let log = stage.refused(stage.receive(&[]), 3);
        assert!(log.contains(DONOR_NAME), "{log}");
        stage.assert_nothing();
        assert!(stage.left_in_dumps(".partial").is_empty());
    }
}

#[test]
fn a_donation_of_another_time_or_by_a_member_left_behind_does_not_count() {
    let stage = Stage::left_behind();
    let snapshot = stage.snapshot();
    let later = |donation: Donation| {
        let hour = std::time::Duration::from_secs(3600);
        Donation { recovery_timestamp: donation.recovery_timestamp.checked_add(hour).unwrap(), ..donation }
    };
    sign(&stage, &snapshot, later);
    let _liar = liar(&stage, Says::Bytes(snapshot));
    let log = stage.refused(stage.receive(&[]), 1);
    assert!(log.contains("has donated nothing that counts"), "{log}");
    stage.assert_nothing();
}

#[test]
fn an_honest_agent_signs_no_wrong_snapshot() {
    let stage = Stage::left_behind();
    let app = &stage.town.agents.apps[DONOR - 1];
    for fault in [Fault::WrongTimestamp(1_000_000), Fault::WrongMigrationId(9), Fault::DuplicateKey] {
        app.add_fault(fault);
        let refused = stage.donate_once(DONOR, &["--retry-for", "0s"]);
        assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
    }
    assert!(stage.donations().is_empty());
    let kept = stage.dumps(DONOR).read_dir().unwrap();
    assert!(kept.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_string_lossy().contains("dso")));
    assert!(stage.attestation().is_none());
}
