//! Members of a made-up network: names, participants, keys, and the roster that lists them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The synchronizer of the made-up network.
pub const SYNCHRONIZER: &str =
    "global-domain::1220be58c29e65de40bf273be1dc2b266d43a9a002ea5b18955aeef7aac881bb471a";

/// One super validator of the made-up network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMember {
    /// Its name in the roster.
    pub name: String,
    /// Its full participant id.
    pub participant: String,
}

/// The first `count` members: the same for every call.
pub fn members(count: usize) -> Vec<TestMember> {
    (1..=count)
        .map(|number| {
            let identifier = format!("Example-SV-{number}");
            let fingerprint = hex(&Sha256::digest(identifier.as_bytes()));
            let participant = format!("PAR::{identifier}::1220{fingerprint}");
            TestMember { name: identifier, participant }
        })
        .collect()
}

/// The roster of `members` with their public keys (`ed25519:…`), in the same order; the first is the convener.
pub fn roster_toml(members: &[TestMember], keys: &[String]) -> String {
    let mut roster = format!("network = \"PracticeNet\"\nsynchronizer = \"{SYNCHRONIZER}\"\n");
    for (at, (member, key)) in members.iter().zip(keys).enumerate() {
        let TestMember { name, participant } = member;
        // Writing to a string cannot fail.
        let _ = write!(
            roster,
            "\n[[member]]\nname = \"{name}\"\nparticipant = \"{participant}\"\nkey = \"{key}\"\n"
        );
        if at == 0 {
            roster.push_str("convener = true\n");
        }
    }
    roster
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ed25519_dalek::SigningKey;
    use svdr_protocol::keys::PublicKey;
    use svdr_protocol::roster::Roster;

    use super::*;

    #[test]
    fn the_roster_of_every_size_is_a_roster() {
        for count in [2, 4, 40, 128] {
            let key =
                |seed: usize| PublicKey::from(SigningKey::from_bytes(&[seed as u8; 32]).verifying_key());
            let keys: Vec<String> = (1..=count).map(|seed| key(seed).to_string()).collect();
            assert_eq!(Roster::parse(&roster_toml(&members(count), &keys)).unwrap().members().len(), count);
        }
    }
}
