//! Bodies of the fuzz targets: what must be true for any bytes from outside. Not part of the interface.

use ed25519_dalek::SigningKey;

use crate::dsse::Envelope;
use crate::roster::Roster;
use crate::statement::Statement;

/// A roster, as text: refused with its mistakes, or one with a fingerprint and words to read aloud.
///
/// # Panics
/// If a law is broken.
pub fn roster(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Roster::parse(text) {
        Ok(roster) => {
            assert_eq!(roster.spoken_fingerprint().len(), 12);
            let commented = Roster::parse(&format!("# a comment\n{text}\n# another"));
            assert!(commented.is_ok_and(|again| again.fingerprint() == roster.fingerprint()));
        }
        Err(error) => {
            assert!(!error.mistakes.is_empty());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Every kind of statement there is.
const KINDS: [&str; 16] = [
    "open",
    "evidence",
    "sequencing",
    "proposal",
    "agreement",
    "rejection",
    "attestation",
    "obstacle",
    "abandonment",
    "release",
    "milestone",
    "readiness",
    "abort",
    "donation",
    "confirmation",
    "appointment",
];

/// Bytes as an envelope, and as the content of a statement that a member signed; the first byte says of which
/// kind.
///
/// # Panics
/// If a law is broken.
pub fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::from_json(bytes) {
        let again = Envelope::from_json(envelope.to_json().as_bytes());
        assert!(again.is_ok_and(|again| again == envelope));
        let _ = envelope.verify();
    }
    let key = SigningKey::from_bytes(&[1; 32]);
    let Some((first, payload)) = bytes.split_first() else { return };
    let Some(kind) = KINDS.get(usize::from(*first) % KINDS.len()) else { return };
    let payload_type = format!("application/vnd.svdr.v1.{kind}+protobuf");
    let signed = Envelope::sign(payload_type, payload.to_vec(), &key);
    let Some(roster) = two_members(&key) else { return };
    if let Ok(statement) = Statement::read(&signed, &roster) {
        // Meaning survives being signed again, although the bytes may differ from what svdr would write.
        let again = statement.sign(&key).and_then(|envelope| Statement::read(&envelope, &roster));
        assert!(again.is_ok_and(|again| again == statement));
    }
}

fn two_members(key: &SigningKey) -> Option<Roster> {
    let member = |name: &str, key: &SigningKey| {
        let public = crate::keys::PublicKey::from(key.verifying_key());
        format!(
            "[[member]]\nname = \"{name}\"\nparticipant = \"PAR::{name}::abc\"\nkey = \"{public}\"\nconvener = true\n"
        )
    };
    let [a, b] = [member("A", key), member("B", &SigningKey::from_bytes(&[2; 32]))];
    Roster::parse(&format!("network = \"N\"\nsynchronizer = \"g::abc\"\n{a}{b}")).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_roster_of_the_targets_is_one() {
        assert!(super::two_members(&ed25519_dalek::SigningKey::from_bytes(&[1; 32])).is_some());
    }
}
