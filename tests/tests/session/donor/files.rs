//! Snapshots as files: those that are passed on by hand, and the donor's own.

use std::fs;

use super::stage::{DONOR, RECEIVER, Stage};

/// The donor's file.
fn kept(stage: &Stage) -> std::path::PathBuf {
    let names = fs::read_dir(stage.dumps(DONOR)).unwrap().map(|entry| entry.unwrap().path());
    names.into_iter().find(|path| path.to_string_lossy().contains("dso_snapshot")).unwrap()
}

#[test]
fn a_file_that_is_passed_on_is_checked_like_a_transfer() {
    let stage = Stage::left_behind();
    let signed = stage.donate_once(DONOR, &["--no-serve"]);
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    assert_eq!(stage.donations()[0].url, None);
    let no_url = stage.refused(stage.receive(&[]), 1);
    assert!(no_url.contains("--file FILE"), "{no_url}");
    let snapshot = fs::read(kept(&stage)).unwrap();
    let given = stage.town.agents.folder(RECEIVER).join("given.json");
    let file = given.to_str().unwrap();
    let more = [&snapshot[..], b"\n"].concat();
    let fewer = [&snapshot[..snapshot.len() - 2], b"}"].concat();
    let mut other = snapshot.clone();
    // One character of a payload, and the document is as sound as before.
    let at = String::from_utf8_lossy(&other).find("\"acs_snapshot\":\"").unwrap() + 1000;
    other[at] = if other[at] == b'A' { b'B' } else { b'A' };
    for wrong in [&more, &fewer, &other, &b"<html>".to_vec(), &snapshot[..1000].to_vec()] {
        fs::write(&given, wrong).unwrap();
        let log = stage.refused(stage.receive(&["--file", file]), 3);
        assert!(log.contains("given.json is not the snapshot that Example-SV-1 signed: it is "), "{log}");
        stage.assert_nothing();
    }
    fs::write(&given, &snapshot).unwrap();
    let received = stage.received(stage.receive(&["--file", file]));
    stage.assert_received(&received);
}

#[test]
fn a_donor_whose_file_has_changed_hands_nothing_out() {
    let stage = Stage::left_behind();
    let donor = stage.donate();
    let file = kept(&stage);
    let before = fs::read(&file).unwrap();
    // While it serves: seen by the time of change.
    fs::write(&file, &before).unwrap();
    let log = stage.refused(stage.receive(&[]), 1);
    assert!(log.contains("no longer the signed one"), "{log}");
    assert!(donor.logs("was changed while it was served"), "{}", donor.log());
    donor.kill().unwrap();
    // Before it serves: by the digest.
    let mut other = before.clone();
    other[100] ^= 1;
    fs::write(&file, &other).unwrap();
    let refused = stage.donate_once(DONOR, &[]);
    let log = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{log}");
    assert!(log.contains("--again"), "{log}");
    stage.assert_nothing();
    // The signed one is as good as ever.
    fs::write(&file, &before).unwrap();
    let _donor = stage.donate();
    let received = stage.received(stage.receive(&[]));
    stage.assert_received(&received);
}
