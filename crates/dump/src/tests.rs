#![allow(clippy::unwrap_used, clippy::expect_used)]

mod keep;
mod laws;
mod refusals;
mod relocate;
mod results;
mod validator;

use svdr_protocol::time::Timestamp;
use zeroize::Zeroizing;

use super::{DumpWriter, Expectations, Identities, MergeError, MergeSummary, Parts};

const AT: &str = "1970-01-01T00:00:00Z";
/// Stands in the identities document where private keys do.
const SECRET: &str = "c3VwZXItc2VjcmV0LWtleS1tYXRlcmlhbA";

fn identities_text() -> String {
    format!(
        r#"{{"identities":{{"sv_party_id":"sv::1220","dso_party_id":"DSO::1220","domain_alias":"global","domain_id":"global-domain::1220","participant":{{"keys":[{{"keyPair":"{SECRET}","n":48151623}}]}},"sequencer":{{}},"mediator":{{}}}}}}"#
    )
}

/// A snapshot of which everything but the payloads and the extra fields is fixed.
fn snapshot_text(data: &str, extra: &str) -> String {
    format!(
        r#"{{"created_at":"{AT}","migration_id":6,"data_snapshot":{{{data},"acs_timestamp":"{AT}","dars":[{{"hash":"1220ab","content":"UEsDBA=="}}]}}{extra}}}"#
    )
}

fn good_snapshot() -> String {
    snapshot_text(r#""acs_snapshot":"AAEC","genesis_state":"AA==""#, r#","participant_users":{"users":[]}"#)
}

fn identities(text: &str) -> Result<Identities, MergeError> {
    Identities::parse(Zeroizing::new(text.as_bytes().to_vec()))
}

fn expectations() -> Expectations {
    Expectations { timestamp: AT.parse::<Timestamp>().unwrap(), migration_id: Some(6) }
}

fn merge(identities: &Identities, snapshot: &[u8]) -> Result<(String, MergeSummary), MergeError> {
    let mut out = Vec::new();
    let mut merger = DumpWriter::merge(identities, expectations(), Parts::Digest, &mut out)?;
    merger.push(snapshot)?;
    let summary = merger.finish()?;
    Ok((String::from_utf8(out).unwrap(), summary))
}
