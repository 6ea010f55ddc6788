//! What a validator app answers: `{"data_snapshot":{…}}`, with its participant's identities in the value, generated from a
//! seed as the documents of SV apps are.

use serde_json::{Value, json};
use svdr_protocol::time::Timestamp;

use super::document::{self, Flaw, Noise, SnapshotShape};

/// When the app made its answers: by its own clock, and not the time that they are of.
pub const MADE_AT: &str = "2026-04-22T03:04:05.678901Z";

/// The pieces of an answer, in order. Joined, they are the document. Of `identities`, an SV's in the shape of
/// [`document::identities`], the participant's are in it.
pub fn answer(
    shape: SnapshotShape,
    timestamp: Timestamp,
    migration_id: u64,
    flaw: Flaw,
    identities: &Value,
) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
    let ending = if flaw == Flaw::Cut { "" } else { "}\n" };
    std::iter::once(br#"{"data_snapshot":"#.to_vec())
        .chain(dump(shape, timestamp, migration_id, flaw, identities))
        .chain(std::iter::once(ending.as_bytes().to_vec()))
}

/// The pieces of the value of `data_snapshot`: the migration dump.
pub fn dump(
    shape: SnapshotShape,
    timestamp: Timestamp,
    migration_id: u64,
    flaw: Flaw,
    identities: &Value,
) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
    let twice =
        if flaw == Flaw::DuplicateKey { format!(r#""migration_id":{migration_id},"#) } else { String::new() };
    let node = &identities["identities"];
    let (participant, domain) = (&node["participant"], &node["domain_id"]);
    let users = json!({"users": [{"id": "ledger-api-user", "annotations": {}}]});
    let head = format!(
        r#"{{"participant":{participant},"participant_users":{users},"migration_id":{migration_id},{twice}"domain_id":{domain},"created_at":"{MADE_AT}","acs_snapshot":""#
    );
    let acs = document::payload(Noise::new(shape.seed ^ 1), shape.acs_len);
    let acs_len = if flaw == Flaw::Cut { acs.size_hint().0 / 2 } else { usize::MAX };
    let dars = document::dars(shape);
    let tail = format!(
        r#"","acs_timestamp":"{timestamp}","dars":{dars},"synchronizer_was_paused":false,"separate_payload_files":false}}"#
    );
    std::iter::once(head.into_bytes())
        .chain(acs.take(acs_len))
        .chain((flaw != Flaw::Cut).then(|| tail.into_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_the_dump_and_the_identities_in_it() {
        let identities = document::identities("V-1", "PAR::V-1::1220ab", "global-domain::1220cd", 1);
        let at: Timestamp = "2026-04-21T23:10:00.500Z".parse().unwrap();
        let shape = SnapshotShape::with_acs(7, 100_001);
        let whole: Vec<u8> = answer(shape, at, 6, Flaw::Sound, &identities).flatten().collect();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let value: Vec<u8> = dump(shape, at, 6, Flaw::Sound, &identities).flatten().collect();
        let value: Value = serde_json::from_slice(&value).unwrap();
        assert_eq!(whole["data_snapshot"], value);
        assert_eq!(value["participant"], identities["identities"]["participant"]);
        assert_eq!(value["acs_timestamp"], "2026-04-21T23:10:00.500Z");
        assert_eq!((value["migration_id"].as_u64(), value["created_at"].as_str()), (Some(6), Some(MADE_AT)));
        let cut: Vec<u8> = answer(shape, at, 6, Flaw::Cut, &identities).flatten().collect();
        assert!(serde_json::from_slice::<Value>(&cut).is_err());
    }
}
