//! Transfers that break: the stream, the receiver, the donor.

use std::fs;

use super::stage::{DONOR_NAME, RECEIVER, Stage};

#[test]
fn a_torn_transfer_goes_on_at_the_byte_where_it_broke() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    let receiver = stage.receive_half(&[]);
    stage.relay.cut();
    stage.relay.allow(None);
    let finished = receiver.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    assert!(finished.log.contains("broke at byte"), "{}", finished.log);
    stage.assert_received(&serde_json::from_str(&finished.stdout).unwrap());
    let asked: Vec<String> = lines(&donor.log(), "sending the snapshot to Example-SV-4, from byte ");
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(!asked[1].starts_with("0 "), "{asked:?}");
}

/// What follows `mark` in each line that has it.
fn lines(log: &str, mark: &str) -> Vec<String> {
    log.lines().filter_map(|line| Some(line.split_once(mark)?.1.to_owned())).collect()
}

#[test]
fn a_killed_receiver_goes_on_where_it_was() {
    let stage = Stage::left_behind();
    let _donor = stage.donate();
    let receiver = stage.receive_half(&[]);
    receiver.kill().unwrap();
    stage.assert_nothing();
    let [partial] = stage.left_in_dumps(".partial").try_into().unwrap();
    let path = stage.dumps(RECEIVER).join(&partial);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let there = fs::metadata(&path).unwrap().len();
    stage.relay.allow(None);
    let receiver = stage.receive(&[]);
    let finished = receiver.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    assert!(finished.log.contains(&format!("continuing at byte {there} of")), "{}", finished.log);
    stage.assert_received(&serde_json::from_str(&finished.stdout).unwrap());
}

#[test]
fn a_killed_donor_is_waited_for() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    let receiver = stage.receive_half(&[]);
    donor.kill().unwrap();
    stage.relay.lead_to(None);
    stage.relay.allow(None);
    assert!(receiver.logs("trying again in"), "{}", receiver.log());
    let _donor = stage.donate();
    let received = stage.received(receiver);
    stage.assert_received(&received);
    assert_eq!(stage.donations().len(), 1);
}

#[test]
fn who_gives_up_keeps_what_has_arrived() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    let receiver = stage.receive_half(&["--retry-for", "0s"]);
    donor.kill().unwrap();
    stage.relay.lead_to(None);
    let log = stage.refused(receiver, 1);
    assert!(log.contains(DONOR_NAME), "{log}");
    stage.assert_nothing();
    assert_eq!(stage.left_in_dumps(".partial").len(), 1);
}

#[test]
fn a_partial_file_that_is_not_what_was_signed_is_begun_anew() {
    let stage = Stage::left_behind();
    let _donor = stage.donate();
    let receiver = stage.receive_half(&[]);
    receiver.kill().unwrap();
    stage.relay.allow(None);
    // As a loss of power may leave it: the length is there, the bytes are not.
    let [partial] = stage.left_in_dumps(".partial").try_into().unwrap();
    let path = stage.dumps(RECEIVER).join(partial);
    let len = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    fs::write(&path, vec![0; len]).unwrap();
    let finished = stage.receive(&[]).finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    assert!(finished.log.contains("Starting again"), "{}", finished.log);
    stage.assert_received(&serde_json::from_str(&finished.stdout).unwrap());
}

#[test]
fn a_receiver_that_is_told_to_stop_leaves_what_has_arrived() {
    let stage = Stage::left_behind();
    let _donor = stage.donate();
    let receiver = stage.receive_half(&[]);
    receiver.signal("-TERM").unwrap();
    let log = stage.refused(receiver, 1);
    assert!(log.contains("stopped by a signal"), "{log}");
    stage.assert_nothing();
    stage.relay.allow(None);
    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
}
