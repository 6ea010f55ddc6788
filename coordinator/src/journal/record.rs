//! What a record of the journal contains: an envelope, and when it was accepted.
//!
//! Both are protobuf messages, one encoded after the other. Their field numbers differ, so that each is read from the whole
//! record, and the other one's fields are unknown to it. A record of an earlier version has no time.

use prost::{DecodeError, Message as _};
use svdr_proto::v1;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::time::Timestamp;

/// Encodes a record.
pub fn encode(envelope: &Envelope, accepted: Option<Timestamp>) -> Vec<u8> {
    let mut record = envelope.to_message().encode_to_vec();
    if let Some(at) = accepted {
        record.extend(v1::Accepted { accepted: at.micros() }.encode_to_vec());
    }
    record
}

/// Decodes a record; an impossible time is none.
///
/// # Errors
/// If it is not protobuf.
pub fn decode(record: &[u8]) -> Result<(v1::Envelope, Option<Timestamp>), DecodeError> {
    let envelope = v1::Envelope::decode(record)?;
    let accepted = v1::Accepted::decode(record)?.accepted;
    // Zero is what a record without the field gives; nothing was accepted in 1970.
    Ok((envelope, Some(accepted).filter(|micros| *micros != 0).and_then(Timestamp::from_micros)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    #[test]
    fn a_record_is_read_as_written_also_by_and_from_earlier_versions() {
        let envelope =
            Envelope::sign("text/plain".to_owned(), b"a".to_vec(), &SigningKey::from_bytes(&[9; 32]));
        for accepted in [None, Timestamp::from_micros(1_776_805_200_000_000)] {
            let record = encode(&envelope, accepted);
            assert_eq!(decode(&record).unwrap(), (envelope.to_message(), accepted));
            // As earlier versions read records.
            assert_eq!(v1::Envelope::decode(record.as_slice()).unwrap(), envelope.to_message());
        }
        assert_eq!(decode(&envelope.to_message().encode_to_vec()).unwrap().1, None);
        assert!(decode(&[255]).is_err());
    }
}
