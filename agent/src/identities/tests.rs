#![allow(clippy::unwrap_used, clippy::expect_used)]

mod laws;
mod messages;
mod refusals;

use age::x25519::Identity;
use age::{Encryptor, Recipient};
use std::io::Write as _;

/// Stands in the document where private keys do.
const SECRET: &str = "c3VwZXItc2VjcmV0LWtleS1tYXRlcmlhbA";

fn document(participant: &str) -> String {
    format!(
        r#"{{"identities":{{"sv_party_id":"sv::1220","dso_party_id":"DSO::1220","domain_alias":"global","domain_id":"global-domain::1220","participant":{{"id":"{participant}","keys":[{{"keyPair":"{SECRET}"}}]}},"sequencer":{{}},"mediator":{{}}}}}}"#
    )
}

/// The age identity that [`super::fuzz::read`] reads with.
fn identity() -> Identity {
    super::fuzz::AGE_IDENTITY.parse().unwrap()
}

/// `text` encrypted with the crate `age` alone.
fn encrypted(recipient: &dyn Recipient, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let mut writer = encryptor.wrap_output(&mut out).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap();
    out
}
