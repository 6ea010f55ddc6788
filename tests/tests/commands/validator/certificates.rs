//! Which certificates a validator follows: a file by which nothing is fetched is refused before the app is asked.

use svdr_protocol::statement::Body;
use svdr_tests::completed::Completed;
use svdr_tests::network::Network;
use svdr_tests::sv_app::Options;

use super::bench::Bench;

/// Is refused, and asks nothing of the app.
#[track_caller]
fn refused(bench: &Bench, arguments: &[&str], code: i32, texts: &[&str]) {
    bench.dump(arguments).says(code, texts);
    assert_eq!(bench.stand_in.log().requests, []);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_certificate_with_one_signature_flipped() {
    let bench = Bench::new(Options::default());
    let good = bench.lines("certificate.jsonl");
    for at in [0, 1, 4, good.len() - 1] {
        let mut lines = good.clone();
        let mut envelope: serde_json::Value = serde_json::from_str(&lines[at]).unwrap();
        let signature = envelope["signatures"][0]["sig"].as_str().unwrap().to_owned();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        envelope["signatures"][0]["sig"] = format!("{flipped}{}", &signature[1..]).into();
        lines[at] = envelope.to_string();
        bench.write_lines("certificate.jsonl", &lines);
        let line = format!("certificate.jsonl, line {}, is invalid", at + 1);
        refused(&bench, &[], 3, &[&line, "signature"]);
    }
    bench.write_lines("certificate.jsonl", &good);
    bench.dump(&[]).says(0, &[]);
}

#[test]
fn a_certificate_of_a_foreign_roster() {
    let bench = Bench::new(Options::default());
    let foreign = Network::new(4).unwrap();
    let completed = Completed::attested(&foreign, false, 4).unwrap();
    bench.write_lines("certificate.jsonl", &completed.certificate_lines());
    refused(&bench, &[], 3, &["line 1, is invalid with this roster", "compare the words of the roster"]);
}

#[test]
fn a_roster_that_was_exchanged_with_the_certificate() {
    let bench = Bench::new(Options::default());
    let foreign = Network::new(4).unwrap();
    let completed = Completed::attested(&foreign, false, 4).unwrap();
    bench.write_lines("certificate.jsonl", &completed.certificate_lines());
    std::fs::copy(foreign.path().join("roster.toml"), bench.path("roster.toml")).unwrap();
    // All that is left to tell is the fingerprint that the SVs announced.
    refused(&bench, &[], 3, &["--fingerprint expects", "do not use this roster"]);
}

#[test]
fn too_few_attestations_and_an_agreement_alone() {
    for attested in [0, 2] {
        let bench = Bench::empty(Options::default());
        let completed = Completed::attested(&bench.network, false, attested).unwrap();
        let agreement = completed.session.agreement_certificate(1).unwrap();
        let attestations =
            completed.session.statements().filter(|one| matches!(one.body(), Body::Attestation(_)));
        let lines: Vec<String> =
            agreement.statements().chain(attestations).map(|one| one.envelope().to_json()).collect();
        bench.write_lines("certificate.jsonl", &lines);
        let count = format!("a statement of kind attestation by {attested} of the 3 members");
        refused(&bench, &[], 3, &["contains no completion certificate", &count]);
        // Its transcript says the same.
        let lines: Vec<String> = completed.said.iter().map(|one| one.to_json()).collect();
        bench.write_lines("certificate.jsonl", &lines);
        refused(&bench, &[], 3, &["is not completed", "until 3 members have attested"]);
    }
}

#[test]
fn repeated_signatures_are_counted_once() {
    let bench = Bench::empty(Options::default());
    let completed = Completed::attested(&bench.network, false, 2).unwrap();
    let agreement = completed.session.agreement_certificate(1).unwrap();
    let attestations: Vec<_> =
        completed.session.statements().filter(|one| matches!(one.body(), Body::Attestation(_))).collect();
    let repeated = attestations.iter().chain(&attestations).copied();
    let lines: Vec<String> =
        agreement.statements().chain(repeated).map(|one| one.envelope().to_json()).collect();
    bench.write_lines("certificate.jsonl", &lines);
    refused(&bench, &[], 3, &["contains no completion certificate", "a member counts once"]);
}

#[test]
fn drills_are_rehearsed_and_never_delivered() {
    let bench = Bench::empty(Options::default());
    let completed = Completed::attested(&bench.network, true, 3).unwrap();
    bench.write_lines("certificate.jsonl", &completed.certificate_lines());
    refused(&bench, &[], 3, &["is a drill, which is not valid for a real recovery", "--drill"]);
    let to = ["--drill", "--deliver", "--yes", "--to", "volume.json"];
    refused(&bench, &to, 3, &["is a drill, and the dumps of a drill must never be imported"]);
    bench.dump(&["--drill"]).says(0, &["DRILL: do not import its dump"]);
    bench.assert_dump();
    let fingerprint = bench.fingerprint();
    let proof = ["--certificate", "certificate.jsonl", "--fingerprint", &fingerprint];
    let deliver = ["validator", "deliver", "out/dump.json", "--yes", "--to", "volume.json"];
    bench
        .agent(&[&deliver[..], &proof].concat())
        .says(3, &["is a drill, and the dumps of a drill must never be imported"]);
    assert!(!bench.path("volume.json").exists());
}

#[test]
fn a_real_session_is_no_drill() {
    let bench = Bench::new(Options::default());
    refused(&bench, &["--drill"], 3, &["is not a drill"]);
}

#[test]
fn several_certificates_in_one_file_and_another_session_than_asked_for() {
    let bench = Bench::new(Options::default());
    let other = Completed::attested(&bench.network, true, 3).unwrap();
    let both = [bench.lines("certificate.jsonl"), other.certificate_lines()].concat();
    let drill = other.id().to_string();
    refused(&bench, &["--session", &drill], 3, &["but --session names"]);
    refused(&bench, &["--session", "4f3a"], 2, &["\"4f3a\" is not a whole session id"]);
    bench.write_lines("certificate.jsonl", &both);
    refused(&bench, &[], 3, &["exactly one statement of kind open, but this one has 2"]);
}

#[test]
fn a_transcript_in_which_a_member_contradicted_itself() {
    let bench = Bench::empty(Options::default());
    let mut completed = Completed::attested(&bench.network, false, 4).unwrap();
    completed.abandon(4).unwrap();
    let lines: Vec<String> = completed.said.iter().map(|one| one.to_json()).collect();
    bench.write_lines("certificate.jsonl", &lines);
    refused(
        &bench,
        &[],
        3,
        &["not everything in the transcript", "run `svdr-agent verify`, which lists what is invalid"],
    );
    // The certificate of the other three holds.
    bench.write_lines("certificate.jsonl", &completed.certificate_lines());
    bench.dump(&[]).says(0, &["3 of 4 SVs have attested"]);
}

#[test]
fn nonsense_is_said_to_be_that() {
    let bench = Bench::empty(Options::default());
    refused(&bench, &[], 1, &["certificate.jsonl cannot be read"]);
    for (text, said) in [
        ("", "contains no statement"),
        ("<html>502</html>", "line 1, is invalid"),
        ("{\"payload\":1}\n", "line 1, is invalid"),
        ("\u{1b}[2J\n", "line 1, is invalid"),
    ] {
        bench.write("certificate.jsonl", text);
        refused(&bench, &[], 3, &[said]);
    }
    bench.write("certificate.jsonl", &"x".repeat(20_000_000));
    refused(&bench, &[], 3, &["line 1, is invalid"]);
}
