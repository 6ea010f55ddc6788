//! Laws: what is encrypted and read again is what it was, and merges to the same dump; what was damaged is refused.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::super::fuzz::{any_backup, check, read};
use super::*;
use svdr_dump::{DumpWriter, Expectations, Identities, Parts};

const SNAPSHOT: &str = r#"{"created_at":"2026-04-21T23:10:00Z","migration_id":6,"data_snapshot":{"acs_snapshot":"AAEC","acs_timestamp":"2026-04-21T23:10:00Z","dars":[]}}"#;

fn merged(identities: &Identities) -> Vec<u8> {
    let expectations =
        Expectations { timestamp: "2026-04-21T23:10:00Z".parse().unwrap(), migration_id: Some(6) };
    let mut out = Vec::new();
    let writer = DumpWriter::merge(identities, expectations, Parts::Skip, &mut out).unwrap();
    writer.read(SNAPSHOT.as_bytes(), |_| {}).unwrap();
    out
}

/// Documents with a field of any length: below, at and above the chunks of an age file.
fn documents() -> impl Strategy<Value = String> {
    let len = prop_oneof![0usize..300, 65_000usize..66_500, 130_000usize..132_000];
    (len, "[a-z]{1,9}", " {0,3}").prop_map(|(len, key, space)| {
        let text = document("PAR::SV-1::1220");
        let text = text.replacen('{', &format!("{{{space}\"{key}_\":\"{}\",", "x".repeat(len)), 1);
        format!("{space}{text}{space}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_again_is_the_same_and_what_is_damaged_is_refused(
        text in documents(), armor: bool, cut: bool, at in any::<prop::sample::Index>(), bit: u8,
    ) {
        let identities = Identities::parse(Zeroizing::new(text.clone().into_bytes())).unwrap();
        prop_assert_eq!(identities.participant(), Some("PAR::SV-1::1220"));
        check(&identities, armor, cut, (at.index(text.len()), bit));
    }

    #[test]
    fn an_encrypted_backup_merges_to_what_a_plain_one_merges_to(text in documents()) {
        let plain = read(text.as_bytes()).unwrap();
        let sealed = encrypted(&identity().to_public(), text.as_bytes());
        let decrypted = read(&sealed).unwrap();
        prop_assert!(!plain.encrypted && decrypted.encrypted);
        prop_assert_eq!(merged(&plain.identities), merged(&decrypted.identities));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), form in 0usize..4) {
        let start: &[u8] = [
            &b""[..],
            b"age-encryption.org/v1\n-> X25519 ",
            b"age-encryption.org/v1\n-> a\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        ][form];
        any_backup(&[&[0, 0, 0], start, &bytes[..]].concat());
    }
}

/// Every place at which a small file can be cut, and every bit of it.
#[test]
fn no_cut_and_no_changed_bit_goes_unnoticed() {
    let sealed = encrypted(&identity().to_public(), document("PAR::SV-1::1220").as_bytes());
    assert!(read(&sealed).is_ok());
    for at in 0..sealed.len() {
        assert!(read(&sealed[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
    assert!(read(&[sealed, b"x".to_vec()].concat()).is_err());
}
