use super::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_790_935_200_000_000 + micros).unwrap()
}

fn read<T>(value: T, source: &str) -> Read<T> {
    Read { value, source: source.to_owned() }
}

fn readings() -> Readings {
    Readings {
        member: "A".parse().unwrap(),
        physical_synchronizer: read("global::abc::35-1".parse().unwrap(), "log"),
        sequencer: None,
        processed: vec![read(at(100), "sequencer log")],
        begun: None,
        topology: None,
        participant: Vec::new(),
        own_sequencer_only: false,
        announcement: None,
        fences: Vec::new(),
        warnings: Vec::new(),
    }
}

fn begun(height: i64, events: Option<(i64, i64)>, complete: bool) -> Option<Read<BegunChunk>> {
    let events = events.map(|(first, last)| (at(first), at(last)));
    Some(read(BegunChunk { height, events, complete }, "sequencer log"))
}

fn topology(sequenced: i64) -> Option<Read<TopologyTimes>> {
    Some(read(TopologyTimes { sequenced: at(sequenced), effective: at(sequenced + 1) }, "database"))
}

#[test]
fn what_is_processed_counts_and_is_never_below_the_topology() {
    let seen = readings().sequencing().unwrap();
    assert_eq!((seen.last_sequenced, seen.protocol_version), (at(100), Some(35)));
    assert_eq!(seen.sources["last_sequenced"], "sequencer log");
    let seen = Readings { topology: topology(120), ..readings() }.sequencing().unwrap();
    assert_eq!(seen.last_sequenced, at(120));
    assert_eq!(seen.sources["last_sequenced"], "newest topology transaction, database");
    assert_eq!(seen.warnings, Vec::<String>::new());
    let seen = Readings { topology: topology(90), ..readings() }.sequencing().unwrap();
    assert_eq!((seen.last_sequenced, seen.warnings.len()), (at(100), 0));
}

#[test]
fn the_newest_block_counts_only_if_another_time_shows_it() {
    let crashed = Readings { begun: begun(7, Some((110, 130)), true), ..readings() };
    let seen = crashed.clone().sequencing().unwrap();
    assert_eq!((seen.last_sequenced, seen.block_height), (at(100), Some(6)));
    assert!(seen.warnings[0].starts_with("nothing shows that the sequencer has processed block 7"));
    // Any of its own events, or a later one, shows it.
    for (shown, expected) in [(109, 109), (110, 130), (130, 130), (140, 140)] {
        let seen = Readings { topology: topology(shown), ..crashed.clone() }.sequencing().unwrap();
        assert_eq!(seen.last_sequenced, at(expected), "{shown}");
        assert_eq!(seen.block_height, Some(if shown < 110 { 6 } else { 7 }));
    }
    let mut database = crashed.clone();
    database.processed.push(read(at(130), "database"));
    let seen = database.sequencing().unwrap();
    assert_eq!(seen.last_sequenced, at(130));
    assert!(seen.warnings[0].contains("The later one counts"));
    let torn = Readings { begun: begun(7, Some((110, 130)), false), topology: topology(115), ..readings() };
    let seen = torn.sequencing().unwrap();
    assert_eq!((seen.last_sequenced, seen.block_height), (at(115), Some(6)));
    assert!(seen.warnings.iter().any(|text| text.contains("cannot be read completely")));
    let empty = Readings { begun: begun(7, None, true), ..readings() }.sequencing().unwrap();
    assert_eq!((empty.last_sequenced, empty.block_height, empty.warnings.len()), (at(100), Some(7), 0));
}

#[test]
fn the_participant_stands_in_only_if_it_has_no_other_sequencer() {
    let mut only = Readings {
        processed: Vec::new(),
        participant: vec![read(at(50), "participant log"), read(at(60), "database")],
        ..readings()
    };
    let error = only.clone().sequencing().unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    only.own_sequencer_only = true;
    let seen = only.clone().sequencing().unwrap();
    assert_eq!((seen.last_sequenced, seen.participant_record_time), (at(60), Some(at(60))));
    assert!(seen.warnings[0].contains("may have processed more"));
    // Not beside a sequencer that speaks for itself.
    only.processed = readings().processed;
    assert_eq!(only.sequencing().unwrap().last_sequenced, at(100));
}

#[test]
fn contradictions_are_said() {
    let ahead = Readings { participant: vec![read(at(101), "participant log")], ..readings() };
    assert!(ahead.sequencing().unwrap().warnings[0].contains("later than the sequencer"));
    let fence = |fence, reached| Fence { at: at(fence), reached };
    let fences = vec![read(fence(200, false), "operator"), read(fence(150, true), "sequencer log")];
    let seen = Readings { fences, ..readings() }.sequencing().unwrap();
    assert_eq!(seen.fence, Some(fence(150, true)));
    assert_eq!(seen.warnings.len(), 1);
    let passed = Readings { fences: vec![read(fence(100, true), "operator")], ..readings() };
    assert!(passed.sequencing().unwrap().warnings[0].contains("although its max sequencing time"));
}
