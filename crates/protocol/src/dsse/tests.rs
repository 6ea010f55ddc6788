#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn envelope() -> Envelope {
    Envelope::sign("text/plain".to_owned(), b"hello".to_vec(), &SigningKey::from_bytes(&[7; 32]))
}

#[test]
fn the_encoding_is_that_of_the_dsse_specification() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn the_json_form_is_pinned() {
    let json = envelope().to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["payloadType"], "text/plain");
    assert_eq!(value["payload"], "aGVsbG8=");
    assert_eq!(value["signatures"][0]["keyid"], "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=");
    let read = Envelope::from_json(json.as_bytes()).unwrap();
    assert_eq!(read, envelope());
    assert_eq!(read.verify().unwrap().payload(), b"hello");
}

#[test]
fn a_signature_covers_type_payload_and_key() {
    let altered = [
        Envelope { payload: b"hellO".to_vec(), ..envelope() },
        Envelope { payload_type: "text/plaiN".to_owned(), ..envelope() },
        Envelope { signer: SigningKey::from_bytes(&[8; 32]).verifying_key().into(), ..envelope() },
        Envelope { signature: [0; 64], ..envelope() },
    ];
    for envelope in altered {
        assert!(matches!(envelope.verify(), Err(EnvelopeError::Signature { .. })), "{envelope:?}");
    }
}

/// A roster of the signers 7 and 8, and one that has neither.
fn rosters() -> [Roster; 2] {
    let member = |seed: u8| {
        let key = PublicKey::from(SigningKey::from_bytes(&[seed; 32]).verifying_key());
        let participant = format!("PAR::sv-{seed}::abc");
        format!(
            "[[member]]\nname = \"SV-{seed}\"\nparticipant = \"{participant}\"\nkey = \"{key}\"\nconvener = true\n"
        )
    };
    [[7, 8], [9, 10]].map(|seeds| {
        let text = format!("network = \"N\"\nsynchronizer = \"global::abc\"\n{}", seeds.map(member).concat());
        Roster::parse(&text).unwrap()
    })
}

#[test]
fn with_a_roster_at_hand_the_same_envelopes_are_read_and_hold() {
    let other: PublicKey = SigningKey::from_bytes(&[8; 32]).verifying_key().into();
    let mut negated = envelope().signature;
    // s + L proves the same as s, to whoever does not insist on the smaller.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let carry = negated[32..].iter_mut().zip(order).fold(0, |carry, (byte, add)| {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        sum >> 8
    });
    assert_eq!(carry, 0);
    let small_order = [&[1][..], &[0; 63]].concat().try_into().unwrap();
    let cases = [
        (envelope(), true),
        (Envelope { payload: b"hellO".to_vec(), ..envelope() }, false),
        (Envelope { signer: other, ..envelope() }, false),
        (Envelope { signature: [0; 64], ..envelope() }, false),
        (Envelope { signature: negated, ..envelope() }, false),
        (Envelope { signature: small_order, ..envelope() }, false),
    ];
    for (envelope, holds) in cases {
        assert_eq!(envelope.verify().is_ok(), holds, "{envelope:?}");
        for roster in rosters() {
            assert_eq!(envelope.verify_in(&roster).is_ok(), holds, "{envelope:?}");
            assert_eq!(Envelope::from_message_in(envelope.to_message(), &roster).unwrap(), envelope);
        }
    }
}

#[test]
fn with_a_roster_at_hand_a_key_id_has_to_be_a_key_all_the_same() {
    let [roster, _] = rosters();
    let key = envelope().signer.to_string();
    let neutral = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    for keyid in [String::new(), key.replace("ed25519:", ""), format!("{key} "), key.to_lowercase(), neutral]
    {
        let mut message = envelope().to_message();
        message.signatures[0].keyid = keyid.clone();
        let refused = Envelope::from_message_in(message, &roster);
        assert!(matches!(refused, Err(EnvelopeError::KeyId(_))), "{keyid}");
    }
}

#[test]
fn damaged_json_is_refused_by_what_is_wrong() {
    let json = envelope().to_json();
    let read = |json: &str| Envelope::from_json(json.as_bytes()).unwrap_err();
    assert!(matches!(read("{}"), EnvelopeError::Json(_)));
    assert!(matches!(read(&json.replace("aGVs", "a*Vs")), EnvelopeError::Base64 { field: "payload", .. }));
    assert!(matches!(read(&json.replace("ed25519:", "")), EnvelopeError::KeyId(_)));
    let none = r#"{"payloadType":"a","payload":"","signatures":[]}"#;
    assert!(matches!(read(none), EnvelopeError::SignatureCount { found: 0 }));
    let short = json.replace(&STANDARD.encode(envelope().signature), "AAAA");
    assert!(matches!(read(&short), EnvelopeError::SignatureLength { found: 3 }));
    let long = "x".repeat(MAX_JSON_LEN + 1);
    assert!(matches!(read(&long), EnvelopeError::TooLong { .. }));
}

proptest! {
    #[test]
    fn json_cut_anywhere_is_refused(at in 0usize..200) {
        let json = envelope().to_json();
        prop_assert!(Envelope::from_json(&json.as_bytes()[..at.min(json.len() - 1)]).is_err());
    }

    #[test]
    fn any_payload_survives(payload in prop::collection::vec(any::<u8>(), 0..100), kind in "[ -~]{0,40}") {
        let envelope = Envelope::sign(kind.clone(), payload.clone(), &SigningKey::from_bytes(&[9; 32]));
        let read = Envelope::from_json(envelope.to_json().as_bytes()).unwrap();
        let verified = read.verify().unwrap();
        prop_assert_eq!((verified.payload_type(), verified.payload()), (kind.as_str(), payload.as_slice()));
        prop_assert_eq!(Envelope::from_message(envelope.to_message()).unwrap(), envelope);
    }
}
