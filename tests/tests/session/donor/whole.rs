//! What donors and receivers are for.

use std::fs;

use serde_json::Value;
use svdr_tests::sv_app::document::private_keys;

use super::stage::{DONOR, DONOR_NAME, RECEIVER, Stage};

#[test]
fn a_member_left_behind_recovers_with_a_donors_snapshot_and_its_own_identities() {
    let stage = Stage::left_behind();
    let id = stage.id();
    // Nobody has donated yet: it is said what to ask for, and nothing is signed.
    let early = stage.refused(stage.receive(&[]), 1);
    assert!(early.contains(&format!("svdr-agent donate {id}")), "{early}");
    let donor = stage.donate();
    let status = stage.town.agents.command(RECEIVER, &["status", "--output", "json"]).unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["donations"][0]["donor"], DONOR_NAME);
    assert_eq!(status["next"]["commands"][0], format!("svdr-agent receive {id} --from {DONOR_NAME}"));

    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
    assert!(received["agreement"].is_string(), "it agrees to the completed round first");
    assert_eq!(received["completed"], true);
    assert!(donor.logs("Example-SV-4 has received the whole snapshot"), "{}", donor.log());

    // The donor's file is what its app sent, and no key of its own is in it.
    let names = fs::read_dir(stage.dumps(DONOR)).unwrap().map(|entry| entry.unwrap().path());
    let file = names.into_iter().find(|path| path.to_string_lossy().contains("dso_snapshot")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), stage.snapshot());
    let kept = fs::read_to_string(&file).unwrap();
    let keys = private_keys(&stage.town.agents.apps[DONOR - 1].options().identities);
    assert!(!keys.is_empty() && keys.iter().all(|key| !kept.contains(key.as_str())));

    // From here on it is like everybody else.
    let ran = stage.town.run(RECEIVER).finish().unwrap();
    let ended: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ended["attested"], true, "{}", ran.log);
    let target = stage.town.agents.folder(RECEIVER).join("volume.json");
    let to = target.to_str().unwrap();
    let delivered = stage.town.agents.command(RECEIVER, &["deliver", &id, "--to", to, "--yes"]).unwrap();
    assert!(delivered.status.success(), "{}", String::from_utf8_lossy(&delivered.stderr));
    assert_eq!(fs::read(&target).unwrap(), fs::read(received["dump"].as_str().unwrap()).unwrap());

    // Once more, the same statement is sent again, and nothing is made.
    let again = stage.received(stage.receive(&[]));
    assert_eq!(again["attestation"], received["attestation"]);
}

#[test]
fn an_agent_whose_app_is_pruned_ends_well_once_its_operator_has_received() {
    let (stage, run) = Stage::pruned();
    let donor = stage.donate();
    assert!(run.logs("This SV can make its dump from that snapshot"), "{}", run.log());
    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
    assert!(received["agreement"].is_null(), "it had agreed");
    let finished = run.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    let ended: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(ended["attested"], true);
    assert_eq!(ended["dump"], received["dump"]);
    drop(donor);
}

#[test]
fn who_donates_twice_signs_once() {
    let stage = Stage::left_behind();
    stage.donate().kill().unwrap();
    let donor = stage.donate();
    assert!(donor.log().contains("using the snapshot"), "{}", donor.log());
    assert_eq!(stage.donations().len(), 1);
    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
}

#[test]
fn a_donor_whose_own_dumps_come_through_a_volume_donates_in_one_answer() {
    let stage = Stage::left_behind();
    let config = stage.town.agents.config(DONOR);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[sv_app]\n", "[sv_app]\nmode = \"trigger\"\n")).unwrap();
    let output = stage.donate_once(DONOR, &["--no-serve"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stage.donations().len(), 1);
}
