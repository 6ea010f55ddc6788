//! The body of a fuzz target: any bytes as the certificate that a client shows. Not part of the interface.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{KeyBytes, KnownClients, identity_key};

/// A second since the Unix epoch at which the seeds are valid.
const NOW: u64 = 1_776_816_000;

/// The identity that is known, which has made the seeds.
fn identity() -> KeyBytes {
    SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()
}

fn identify(known: &KnownClients, bytes: &[u8], second: u64) -> Option<KeyBytes> {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(second));
    known.identify(&CertificateDer::from(bytes), at).ok()
}

/// Bytes as a client's certificate: nobody's, or that of the one identity that is known.
///
/// # Panics
/// If a law is broken.
pub fn client_certificate(bytes: &[u8]) {
    let known = KnownClients::new([identity()].into());
    let Some(key) = identify(&known, bytes, NOW) else { return };
    assert_eq!(key, identity());
    if let Some((_, shorter)) = bytes.split_last() {
        assert_eq!(identify(&known, shorter, NOW), None);
    }
    let is_certified = identity_key(&CertificateDer::from(bytes)).is_ok_and(|key| key.is_none());
    assert_eq!(identify(&known, bytes, u64::MAX).is_none(), is_certified);
    let nobody = KnownClients::new([].into());
    assert_eq!(identify(&nobody, bytes, NOW), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_reach_what_is_let_in() {
        let seeds = [
            include_bytes!("../../../fuzz/seeds/certificate/identity").as_slice(),
            include_bytes!("../../../fuzz/seeds/certificate/client"),
        ];
        let known = KnownClients::new([identity()].into());
        for seed in seeds {
            assert_eq!(identify(&known, seed, NOW), Some(identity()));
            client_certificate(seed);
        }
    }
}
