//! The other way is gone where the first one turns out to be impossible.

use std::fs;

use svdr_tests::sv_app::{Fault, Options};

use super::bench::{Bench, TIMESTAMP};

fn bench(faults: Vec<Fault>) -> Bench {
    Bench::with(Options { faults, ..Options::default() }, "auto")
}

/// Without a volume: everything else as before.
fn without_volume(faults: Vec<Fault>) -> Bench {
    let bench = bench(faults);
    let text = fs::read_to_string(bench.path("agent.toml")).unwrap();
    bench.write("agent.toml", &text.replace("dump_dir = \"volume\"\n", "").replace("mode = \"auto\"\n", ""));
    bench
}

fn out_of_memory() -> Fault {
    Fault::Status(500, "java.lang.OutOfMemoryError: Requested array size exceeds VM limit".to_owned())
}

fn separate() -> Fault {
    let text = format!(
        r#"{{"created_at":"{TIMESTAMP}","migration_id":6,"data_snapshot":{{"acs_snapshot":"/domain-upgrade-dump/acs","acs_timestamp":"{TIMESTAMP}","dars":[],"separate_payload_files":true}}}}"#
    );
    Fault::Answer(200, "application/json".to_owned(), text)
}

#[test]
fn an_answer_that_works_is_taken_as_one_file() {
    let bench = bench(Vec::new());
    bench.dump(&[]).says(0, &[]);
    assert!(bench.path("out/set").is_file());
    assert_eq!(bench.stand_in.log().exports, 0);
}

#[test]
fn what_shows_that_it_cannot_work_leads_to_the_volume_at_once() {
    for (fault, says) in [
        (out_of_memory(), "has no room for the answer"),
        (Fault::Status(413, "too large".to_owned()), "413 Payload Too Large"),
        (separate(), "names separate payload files"),
    ] {
        let bench = bench(vec![fault]);
        bench.dump(&[]).says(0, &[says, "the SV app is asked to write its dump into its volume instead"]);
        bench.assert_set();
        let log = bench.stand_in.log();
        assert_eq!((log.snapshots_asked(), log.exports), (1, 1));
    }
}

#[test]
fn what_has_other_causes_too_leads_there_when_it_repeats() {
    let bench = bench(vec![Fault::ResetBeforeHead, Fault::ResetAt(1000), Fault::HtmlBadGateway]);
    bench.dump(&[]).says(0, &["several times", "into its volume instead"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().snapshots_asked(), 3);
}

#[test]
fn without_a_volume_it_is_said_exactly_what_to_configure() {
    for fault in [out_of_memory(), Fault::Status(413, "too large".to_owned()), separate()] {
        let bench = without_volume(vec![fault]);
        let says =
            ["too large for one answer", "dump_dir = \"/domain-upgrade-dump\" under [sv_app]", "--dump-dir"];
        bench.dump(&[]).says(1, &says);
        bench.assert_nothing();
        assert_eq!(bench.stand_in.log().exports, 0);
    }
}

#[test]
fn without_a_volume_what_can_pass_is_tried_again_as_ever() {
    let bench = without_volume(vec![Fault::ResetBeforeHead; 4]);
    bench.dump(&[]).says(0, &["try 4 failed"]);
    assert!(bench.path("out/set").is_file());
}

#[test]
fn the_ways_that_are_not_wanted_are_not_gone() {
    let bench = bench(vec![separate(), out_of_memory()]);
    let http = ["--mode", "http", "--retry-for", "0s"];
    bench.dump(&http).says(1, &["files on the SV app's own volume", "mode = \"trigger\""]);
    bench.dump(&http).says(1, &["OutOfMemoryError"]);
    bench.assert_nothing();
    assert_eq!(bench.stand_in.log().exports, 0);
}
