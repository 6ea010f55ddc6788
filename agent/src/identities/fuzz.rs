//! What must hold for any bytes in a backup's place: the body of a fuzz target and of property tests.

use std::path::Path;

use zeroize::Zeroizing;

use super::age_identity::AgeIdentity;
use super::error::BackupError;
use super::read::{Backup, read_with};
use super::recipients::Recipients;
use super::seal::{Sealing, write};
use svdr_dump::Identities;

/// An age identity of the tests; its recipient is below.
pub(super) const AGE_IDENTITY: &str =
    "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// Its recipient: the pair is one of the age specification's examples.
const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

/// Takes `HOW AT AT BYTES` and panics where a law is broken:
///
/// * any bytes are read as a backup or refused, without a panic;
/// * a plaintext document that is accepted is the same after it was encrypted and read again, with armor or without;
/// * an encrypted one that was cut, or of which a bit was changed, is refused.
pub fn any_backup(input: &[u8]) {
    let Some((&[how, at_high, at_low], bytes)) = input.split_first_chunk() else { return };
    // As it is, in the place of an encrypted file too.
    let _read_or_refused = read(bytes);
    let Ok(identities) = Identities::parse(Zeroizing::new(bytes.to_vec())) else { return };
    let at = usize::from(u16::from_be_bytes([at_high, at_low]));
    check(&identities, how & 1 == 1, how & 2 == 2, (at, how >> 2));
}

/// Encrypts the document, and reads it again, first sound and then damaged: cut, or with a bit changed, at about
/// `damage.0`.
#[expect(clippy::panic, reason = "a broken law is reported by a panic, which the fuzzer looks for")]
pub(super) fn check(identities: &Identities, armor: bool, cut: bool, damage: (usize, u8)) {
    let Ok(Some(recipients)) = Recipients::gather(&[RECIPIENT.to_owned()], &[]) else {
        panic!("the recipient of the tests is none");
    };
    let mut sealed = Vec::new();
    let sealing = Sealing::Encrypted { recipients, armor };
    let Ok(written) = write(identities, &sealing, &mut sealed) else { panic!("writing to memory failed") };
    assert_eq!(written.size, sealed.len() as u64);
    match read(&sealed) {
        Ok(read) => {
            assert!(read.encrypted);
            assert!(read.identities.expose() == identities.expose(), "not the same document");
            assert_eq!(read.identities.participant(), identities.participant());
        }
        Err(error) => panic!("a sound backup is refused: {error}"),
    }
    let (at, bit) = (damage.0 % sealed.len(), damage.1 % 8);
    if cut {
        sealed.truncate(at);
    } else if let Some(byte) = sealed.get_mut(at) {
        *byte ^= 1 << bit;
    }
    match read(&sealed) {
        // Armor allows for white space around it, and for either kind of line end.
        Ok(read) if armor => {
            assert!(read.identities.expose() == identities.expose(), "not the same document")
        }
        Ok(_) => panic!("damaged at {at}, and accepted"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Reads `bytes` as a backup, with the identity of the tests.
pub(super) fn read(bytes: &[u8]) -> Result<Backup, BackupError> {
    let path = Path::new("backup");
    let len = Some(bytes.len() as u64);
    read_with(bytes, len, path, || Ok(AgeIdentity::parse(AGE_IDENTITY.as_bytes(), Path::new("age.key"))?))
}
