//! Recipients that nobody can have the identity of: the points of low order on Curve25519.
//!
//! The secret agreed on with one of them is zero, whatever the other side's key is, so a file for it would be open to
//! everybody. RFC 7748, section 6.1, asks to refuse them, and the crate `age` panics.

use bech32::FromBase32 as _;
use x25519_dalek::x25519;

/// Any key: with a point of low order the agreed secret is zero for all of them, with another point for none.
const ANY_KEY: [u8; 32] = [1; 32];

/// Whether a recipient, in the text that [`age::x25519::Recipient`] prints, is a point of low order.
pub(super) fn is_low_order(recipient: &str) -> bool {
    let data = bech32::decode(recipient).ok().map(|(_age, data, _variant)| data);
    let point = data.and_then(|data| Vec::from_base32(&data).ok()).and_then(|point| point.try_into().ok());
    // Every text that age prints is a point.
    point.is_none_or(|point: [u8; 32]| x25519(ANY_KEY, point) == [0; 32])
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use bech32::{ToBase32 as _, Variant};

    use super::*;

    /// All points of low order as X25519 reads them, with their top bit cleared (<https://cr.yp.to/ecdh.html#validate>).
    const LOW_ORDER: [[u8; 32]; 7] = [
        // 0 and 1.
        [0; 32],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // The two of order 8.
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
            0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        // p - 1, and p and p + 1, which are read as 0 and 1.
        near_prime(0xec),
        near_prime(0xed),
        near_prime(0xee),
    ];

    /// 2^255 - 256 + `low`, little-endian; p is 2^255 - 19.
    const fn near_prime(low: u8) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes[31] = 0x7f;
        bytes
    }

    /// The recipient that is this point.
    pub(in super::super) fn recipient(point: &[u8; 32]) -> String {
        bech32::encode("age", point.to_base32(), Variant::Bech32).unwrap()
    }

    #[test]
    fn a_recipient_is_low_order_where_age_would_panic() {
        // So that the panics do not fill the output.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let panics = |text: &str| {
            let recipient: age::x25519::Recipient = text.parse().unwrap();
            let all = std::iter::once(&recipient as &dyn age::Recipient);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                age::Encryptor::with_recipients(all).is_ok()
            }))
            .is_err()
        };
        let mut found = Vec::new();
        for low in LOW_ORDER {
            for top in [0, 0x80] {
                let mut point = low;
                point[31] |= top;
                found.push((panics(&recipient(&point)), is_low_order(&recipient(&point))));
            }
        }
        let other = age::x25519::Identity::generate().to_public().to_string();
        let right = (panics(&other), is_low_order(&other));
        std::panic::set_hook(hook);
        assert_eq!(found, vec![(true, true); 14]);
        assert_eq!(right, (false, false));
    }
}
