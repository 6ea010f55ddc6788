//! Recipients that nobody can have the identity of: the points of low order on Curve25519.
//!
//! What is agreed on with one of them is zero, whatever the other side's secret is, so that a file for it would be
//! open to everybody; RFC 7748, section 6.1, asks to refuse them, and the crate `age` panics.

/// The alphabet of Bech32 (BIP 173).
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Characters of a Bech32 text that are its checksum.
const CHECKSUM_LEN: usize = 6;

/// All points of low order as X25519 reads them, with their top bit cleared (<https://cr.yp.to/ecdh.html#validate>).
const LOW_ORDER: [[u8; 32]; 7] = [
    // 0 and 1.
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    // The two of order 8.
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
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

/// Whether a recipient, in the text that [`age::x25519::Recipient`] prints, is a point of low order.
pub(super) fn is_low_order(recipient: &str) -> bool {
    let data = recipient.strip_prefix("age1").unwrap_or_default();
    let data = data.get(..data.len().saturating_sub(CHECKSUM_LEN)).unwrap_or_default();
    let (mut point, mut at) = ([0_u8; 32], 0_usize);
    for character in data.bytes() {
        let Some(value) = BECH32.iter().position(|&one| one == character) else { return false };
        for bit in (0..5).rev() {
            // The last bits pad the text.
            if let Some(byte) = point.get_mut(at / 8) {
                *byte |= u8::from(value >> bit & 1 == 1) << (7 - at % 8);
            }
            at += 1;
        }
    }
    point[31] &= 0x7f;
    LOW_ORDER.contains(&point)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The recipient that is this point.
    pub(in super::super) fn recipient(point: &[u8; 32]) -> String {
        let mut bits: Vec<u8> =
            point.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        bits.resize(260, 0);
        let values = bits.chunks(5).map(|five| five.iter().fold(0, |value, bit| value << 1 | bit));
        let mut values: Vec<u8> = values.collect();
        let mut checked: Vec<u8> = vec![3, 3, 3, 0, 1, 7, 5];
        checked.extend(&values);
        checked.extend([0; CHECKSUM_LEN]);
        // BIP 173.
        let checksum = checked.iter().fold(1_u32, |sum, &value| {
            let top = sum >> 25;
            let sum = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3_u32]
                .iter()
                .enumerate()
                .fold(sum, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
        }) ^ 1;
        values.extend((0..6).map(|at| (checksum >> (5 * (5 - at)) & 31) as u8));
        let text: String = values.iter().map(|&value| char::from(BECH32[usize::from(value)])).collect();
        format!("age1{text}")
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
