//! Laws on random documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::super::fuzz;
use super::*;

/// White space that JSON allows between tokens.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(""), 1 => prop::sample::select(vec![" ", "\n", "\t \r\n", "  "])]
}

/// Texts of JSON values, in every way that RFC 8259 lets one write them.
fn value() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![
        number,
        string(),
        prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned)
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = (space(), string(), space(), inner, space())
            .prop_map(|(a, key, b, value, c)| format!("{a}{key}{b}:{c}{value}"));
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ !#-\\[\\]-~]{0,90}",
        "[^\"\\\\\\x00-\\x1f]{0,9}",
        prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"])
            .prop_map(str::to_owned),
        "\\\\u0[0-9a-fA-F]{3}",
        Just(r"\uD83d\uDE00".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A good snapshot with unknown fields in random places.
fn snapshot() -> impl Strategy<Value = String> {
    let payload = prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| STANDARD.encode(bytes));
    (value(), value(), value(), payload, any::<bool>(), space()).prop_map(|(top, data, dar, acs, first, space)| {
        let acs = if first { acs.replace('/', r"\/") } else { acs };
        let known = format!(
            r#""created_at":"{AT}",{space}"migration_id":6,"data_snapshot":{{"new":{data},"acs_snapshot":"{acs}","acs_timestamp":"{AT}","dars":[{{"hash":"1220","new":{dar},"content":"AAAA"}}]}}"#
        );
        match first {
            true => format!("{space}{{\"new\":{top},{known}}}"),
            false => format!("{{{known},{space}\"new\":{top}{space}}}{space}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn a_good_snapshot_is_merged_however_it_arrives(snapshot in snapshot(), chunk_len in 1usize..200) {
        prop_assert!(fuzz::check(identities_text().as_bytes(), snapshot.as_bytes(), chunk_len), "{}", snapshot);
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_merged_as_promised(
        snapshot in snapshot(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..3),
        chunk_len in 1usize..200,
    ) {
        let mut snapshot = snapshot.into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(snapshot.len());
            match how {
                0 => snapshot[at] = byte,
                1 => drop(snapshot.remove(at)),
                _ => snapshot.insert(at, b"{}[]:,\"\\ 0-+.eEtnu"[usize::from(byte) % 18]),
            }
        }
        fuzz::check(identities_text().as_bytes(), &snapshot, chunk_len);
    }

    /// What is refused as JSON, serde_json refuses too: the grammar is neither wider nor narrower.
    #[test]
    fn the_grammar_is_that_of_serde_json(value in value(), damage in prop::option::of((any::<prop::sample::Index>(), "\\PC|[\\x00-\\x7f]"))) {
        let mut value = value;
        if let Some((at, text)) = damage {
            let at = at.index(value.chars().count() + 1);
            let at = value.char_indices().map(|(at, _)| at).nth(at).unwrap_or(value.len());
            value.insert_str(at, &text);
        }
        // Half surrogates are refused here and not there, and a comma may end this value and begin a next key.
        let comparable = !value.contains(r"\u") && serde_json::from_str::<IgnoredAny>(&format!("[{value}]")).is_ok()
            == serde_json::from_str::<IgnoredAny>(&format!("{{\"new\":{value}}}")).is_ok();
        let snapshot = snapshot_text(r#""acs_snapshot":"AAEC""#, &format!(",\"new\":{value}"));
        let accepted = merge(&identities(&identities_text()).unwrap(), snapshot.as_bytes()).is_ok();
        if comparable {
            prop_assert_eq!(accepted, serde_json::from_str::<IgnoredAny>(&snapshot).is_ok(), "{}", snapshot);
        }
    }

    #[test]
    fn any_input_is_survived(input in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::merges_as_promised(&input);
    }
}

#[test]
fn every_cut_gives_the_same_result() {
    let id = identities(&identities_text()).unwrap();
    let tricky = r#","x":["\ud83d\ude00é€😀\\\"",-1.5e+10,true,null,{"k\u0065y":"v"}]"#;
    let good = snapshot_text(r#""acs_snapshot":"AA\/C","genesis_state":"AA==""#, tricky);
    let broken = good.replace("-1.5e+10", "-1.5e+x");
    for snapshot in [good.as_bytes(), broken.as_bytes()] {
        let expected = merge(&id, snapshot).map_err(|error| error.to_string());
        for cut in 0..=snapshot.len() {
            let mut out = Vec::new();
            let mut merger = DumpWriter::merge(&id, expectations(), Parts::Digest, &mut out).unwrap();
            let (first, second) = snapshot.split_at(cut);
            let pushed = merger.push(first).and_then(|()| merger.push(second));
            let merged = pushed.and_then(|()| merger.finish());
            let merged = merged.map(|summary| (String::from_utf8(out).unwrap(), summary));
            assert_eq!(merged.map_err(|error| error.to_string()), expected, "cut at {cut}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let id = identities(&identities_text()).unwrap();
    let snapshot = good_snapshot();
    for len in 0..snapshot.len() {
        assert!(merge(&id, &snapshot.as_bytes()[..len]).is_err_and(|error| error.is_refusal()), "{len}");
    }
    let text = identities_text();
    for len in 0..text.len() {
        assert!(identities(&text[..len]).is_err_and(|error| error.is_refusal()), "{len}");
    }
}

/// A good answer of a validator app with unknown fields in random places.
fn answer() -> impl Strategy<Value = String> {
    let payload = prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| STANDARD.encode(bytes));
    (value(), value(), value(), payload, space()).prop_map(|(top, data, keys, acs, space)| {
        format!(
            r#"{space}{{"new":{top},{space}"data_snapshot"{space}:{space}{{"new":{data},"participant":{{"keys":{keys}}},"acs_snapshot":"{acs}","acs_timestamp":"{AT}","dars":[]{space}}}{space},"newer":1}}{space}"#
        )
    })
}

proptest! {
    #[test]
    fn a_validators_dump_is_the_text_of_the_value(answer in answer(), chunk_len in 1u8..) {
        prop_assert!(fuzz::takes_the_value(&[&[chunk_len], answer.as_bytes()].concat()));
    }

    #[test]
    fn a_damaged_answer_is_no_other_dump(
        answer in answer(), at in any::<prop::sample::Index>(), byte: u8, chunk_len in 1u8..,
    ) {
        let mut damaged = [&[chunk_len], answer.as_bytes()].concat();
        let at = 1 + at.index(damaged.len() - 1);
        damaged[at] = byte;
        fuzz::takes_the_value(&damaged);
    }
}
