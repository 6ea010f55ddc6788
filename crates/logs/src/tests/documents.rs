//! JSON documents that are not one object a line, whole and torn.

use super::*;

#[test]
fn arrays_of_any_shape() {
    let record = |minute| {
        let logger = HEADER.split_once("INFO  ").unwrap().1.split_once(" tid").unwrap().0;
        serde_json::json!({"jsonPayload": {"message": phrase("B", minute), "logger_name": logger, "x": "} {\" \\"}})
    };
    let records: Vec<_> = (1..5).map(record).collect();
    let long = serde_json::json!({"jsonPayload": {"message": phrase("C", 9), "x": "z".repeat(limits::MAX_LINE_BYTES)}});
    let compact = serde_json::to_string(&records).unwrap();
    let pretty = serde_json::to_string_pretty(&records).unwrap();
    let each = records.iter().map(|one| serde_json::to_string_pretty(one).unwrap()).collect::<Vec<_>>();
    for log in [
        compact.clone(),
        pretty.clone(),
        each.join("\n"),
        compact.replace("},{", "},\n{"),
        format!("\u{feff} {compact}"),
    ] {
        let document = Scan::new().log(&log);
        assert_eq!(ticks(&document), ["B 01", "B 02", "B 03", "B 04"], "{log}");
        assert_eq!(document.sources[0].unreadable_lines, 0);
    }
    let torn = &pretty[..pretty.len() - 40];
    let document = Scan::new().log(torn);
    assert_eq!(
        (ticks(&document), document.sources[0].unreadable_lines),
        (vec!["B 01".to_owned(), "B 02".to_owned(), "B 03".to_owned()], 1)
    );
    let head = &pretty[pretty.find("message").unwrap() - 1..];
    assert_eq!(ticks(&Scan::new().log(head)), ["B 02", "B 03", "B 04"]);
    let document = Scan::new().log(format!("[{long},{}]", records[0]));
    assert_eq!((ticks(&document), document.sources[0].unreadable_lines), (vec!["B 01".to_owned()], 1));
}

#[test]
fn what_follows_a_torn_object_is_read() {
    let logger = HEADER.split_once("INFO  ").unwrap().1.split_once(" tid").unwrap().0;
    let record = |minute| {
        // Where an array is torn, what follows goes on with it as far as brackets tell; so those that are cut have none.
        let tags = if minute == 3 {
            serde_json::json!({"a": 7})
        } else {
            serde_json::json!([{"b": [{}, {}]}, {}, 7])
        };
        serde_json::json!({"message": phrase("B", minute), "logger_name": logger, "tags": tags, "of": {"x": {"y": 1}}})
    };
    let whole = serde_json::to_string_pretty(&(1..9).map(record).collect::<Vec<_>>()).unwrap();
    // Cut out anywhere: the objects that are not touched are read, and but for the one in front of the cut and the one
    // behind it all of them are.
    let objects: Vec<usize> = whole.match_indices("\n  {").map(|(at, _)| at).collect();
    for from in (objects[2]..objects[3]).step_by(19) {
        for to in (objects[5]..objects[6]).step_by(23) {
            let torn = format!("{}{}", &whole[..from], &whole[to..]);
            let found = ticks(&Scan::new().log(&torn));
            for expected in ["B 01", "B 02", "B 08"] {
                assert!(found.iter().any(|tick| tick == expected), "{expected} is not in {found:?}: {torn}");
            }
        }
    }
}
