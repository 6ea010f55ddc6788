#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::document::SequencingDocument;
use super::*;
use crate::fixture::Net;

const REQUIRED: &str = r#""member":"SV-1","physical_synchronizer":"global::abc::35-1","last_sequenced":"2026-10-02T10:00:02.1Z""#;

fn read(rest: &str) -> Result<Sequencing, String> {
    let document: SequencingDocument =
        serde_json::from_str(&format!("{{{REQUIRED}{rest}}}")).map_err(|error| error.to_string())?;
    document.sequencing(&Net::new(4).roster).map_err(|error| error.to_string())
}

#[test]
fn only_three_fields_are_required() {
    let least = read("").unwrap();
    assert_eq!((least.topology, least.participant_record_time, least.fence), (None, None, None));
    assert_eq!(least.announcement, None);
    let null = r#","protocol_version":null,"sequencer":null,"block_height":null,"topology_sequenced":null,
        "topology_effective":null,"participant_record_time":null,"announcement":null,"fence":null,"fence_reached":null,
        "sources":null,"warnings":null"#;
    assert_eq!(read(null), Ok(least.clone()));
    let empty = r#","sequencer":"","topology_sequenced":"","topology_effective":"","participant_record_time":"",
        "announcement":{},"fence":"","fence_reached":false,"sources":{},"warnings":[]"#;
    assert_eq!(read(empty), Ok(least));
    for field in ["member", "physical_synchronizer", "last_sequenced"] {
        let whole: serde_json::Value = serde_json::from_str(&format!("{{{REQUIRED}}}")).unwrap();
        let mut without = whole.as_object().unwrap().clone();
        without.remove(field);
        let error = serde_json::from_value::<SequencingDocument>(without.into()).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
    }
}

#[test]
fn topology_times_come_together_and_are_not_later_than_the_last_event() {
    let time = |field: &str, time: &str| format!(",\"{field}\":\"2026-10-02T10:00:{time}Z\"");
    let sequenced = |at| time("topology_sequenced", at);
    assert!(read(&sequenced("01")).unwrap_err().contains("topology_sequenced but not topology_effective"));
    let effective = time("topology_effective", "03");
    assert!(read(&effective).unwrap_err().contains("topology_effective but not topology_sequenced"));
    assert!(read(&(sequenced("02.1") + &effective)).is_ok());
    let error = read(&(sequenced("02.100001") + &effective)).unwrap_err();
    assert!(error.starts_with("the evidence of SV-1 is invalid: topology_sequenced"), "{error}");
}

#[test]
fn times_have_up_to_nine_digits_and_no_more_than_microseconds() {
    for (text, micros) in [("", 0), (".1", 100_000), (".000001", 1), (".123456000", 123_456)] {
        let time = format!(",\"participant_record_time\":\"2026-10-02T10:00:00{text}Z\"");
        assert_eq!(
            read(&time).unwrap().participant_record_time.map(|at| at.micros() % 1_000_000),
            Some(micros)
        );
    }
    for text in [".0000001Z", ".0000000000Z", "+00:00", ""] {
        assert!(read(&format!(",\"fence\":\"2026-10-02T10:00:00{text}\"")).is_err(), "{text}");
    }
}

#[test]
fn an_unknown_key_is_ignored_and_said_and_a_key_twice_is_refused() {
    let evidence = read(",\"topology_sequencd\":\"x\",\"later\":{\"a\":[1]}").unwrap();
    assert_eq!(
        evidence.warnings,
        ["this version does not know these keys, and ignores them: \"later\", \"topology_sequencd\""]
    );
    assert!(read(",\"member\":\"SV-2\"").unwrap_err().contains("duplicate field `member`"));
}

#[test]
fn who_is_not_a_member_and_half_an_announcement_are_refused() {
    let stranger = format!("{{{REQUIRED}}}").replace("SV-1", "SV-9");
    let document: SequencingDocument = serde_json::from_str(&stranger).unwrap();
    let error = document.sequencing(&Net::new(4).roster).unwrap_err();
    assert_eq!(error, SequencingError::NotAMember { member: "SV-9".parse().unwrap() });
    let half = r#","announcement":{"successor_psid":"global::abc::35-2","effective":null}"#;
    assert!(read(half).unwrap_err().contains("has no effective"));
}

#[test]
fn texts_for_people_are_cut_and_cleaned() {
    let long = "x".repeat(5000);
    let evidence = read(&format!(
        ",\"warnings\":[\"a\\u0007b\",\"{long}\"],\"sources\":{{\"fence\":null,\"psid\":\"log\"}}"
    ))
    .unwrap();
    assert_eq!(evidence.warnings[0], "a b");
    assert_eq!(evidence.warnings[1].len(), MAX_TEXT_LEN);
    assert_eq!(evidence.sources, [("psid".to_owned(), "log".to_owned())].into());
    let many = vec!["\"x\""; MAX_WARNINGS + 1].join(",");
    assert!(read(&format!(",\"warnings\":[{many}]")).unwrap_err().contains("33 entries"));
}

pub(crate) fn sequencing(roster: &'static Roster) -> impl Strategy<Value = Sequencing> {
    let time = || (0i64..4_000_000_000_000_000).prop_map(|micros| Timestamp::from_micros(micros).unwrap());
    let psid = move || {
        (0u32..40, 0u32..9)
            .prop_map(|(version, serial)| PhysicalSynchronizerId::new(roster.synchronizer(), version, serial))
    };
    let announcement = (psid(), time(), time())
        .prop_map(|(successor, effective, upgrade_time)| Announcement { successor, effective, upgrade_time });
    let text = "[a-z]([a-z ]{0,9}[a-z])?";
    let texts = (
        prop::option::of(text),
        prop::collection::btree_map(text, text, 0..4),
        prop::collection::vec(text, 0..3),
    );
    let times = (time(), prop::option::of((0i64..1000, time())), prop::option::of(time()));
    let rest = (
        prop::option::of(0u32..99),
        prop::option::of(any::<i64>()),
        prop::option::of(announcement),
        prop::option::of((time(), any::<bool>())),
    );
    (0..roster.members().len(), psid(), times, rest, texts).prop_map(
        move |(member, physical_synchronizer, times, rest, texts)| {
            let ((last_sequenced, topology, participant_record_time), (sequencer, sources, warnings)) =
                (times, texts);
            let (protocol_version, block_height, announcement, fence) = rest;
            Sequencing {
                member: roster.members()[member].name.clone(),
                physical_synchronizer,
                protocol_version,
                sequencer,
                last_sequenced,
                block_height,
                topology: topology.and_then(|(before, effective)| {
                    let sequenced = Timestamp::from_micros(last_sequenced.micros() - before)?;
                    Some(TopologyTimes { sequenced, effective })
                }),
                participant_record_time,
                announcement,
                fence: fence.map(|(at, reached)| Fence { at, reached }),
                sources,
                warnings,
            }
        },
    )
}

fn roster() -> &'static Roster {
    static ROSTER: std::sync::LazyLock<std::sync::Arc<Roster>> =
        std::sync::LazyLock::new(|| Net::new(4).roster);
    &ROSTER
}

proptest! {
    #[test]
    fn the_document_is_read_as_written(evidence in sequencing(roster())) {
        let json = serde_json::to_string(&SequencingDocument::from(&evidence)).unwrap();
        let document: SequencingDocument = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(document.sequencing(roster()), Ok(evidence));
    }

    #[test]
    fn any_json_is_read_or_refused(text in "\\PC*") {
        let _ = read(&text);
    }
}
