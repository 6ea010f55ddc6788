//! The members by their keys, as every statement looks them up.
//!
//! To make a point of a key's 32 bytes takes a tenth of the time that checking a signature with it does. Here that is
//! done once for each member, and not twice for each statement: when its key id is read, and when its signature is
//! checked. A key that is in no roster still goes the long way.

use std::collections::HashMap;

use ed25519_dalek::VerifyingKey;

use super::Member;
use crate::keys::PublicKey;

/// A member's place in the roster, and its key ready for use.
#[derive(Clone, Debug)]
struct Known {
    at: usize,
    verifying_key: VerifyingKey,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct ByKey {
    known: HashMap<PublicKey, Known>,
    /// The keys as envelopes name them.
    texts: HashMap<String, PublicKey>,
}

impl ByKey {
    /// Of those members, in their order.
    pub(super) fn of(members: &[Member]) -> ByKey {
        let known = |(at, member): (usize, &Member)| {
            (member.key, Known { at, verifying_key: member.key.verifying_key() })
        };
        ByKey {
            known: members.iter().enumerate().map(known).collect(),
            texts: members.iter().map(|member| (member.key.to_string(), member.key)).collect(),
        }
    }

    /// The place of the member with that key.
    pub(super) fn place(&self, key: &PublicKey) -> Option<usize> {
        self.known.get(key).map(|known| known.at)
    }

    /// A member's key, ready for use.
    pub(super) fn verifying_key(&self, key: &PublicKey) -> Option<&VerifyingKey> {
        self.known.get(key).map(|known| &known.verifying_key)
    }

    /// A member's key by its text.
    pub(super) fn by_text(&self, text: &str) -> Option<PublicKey> {
        self.texts.get(text).copied()
    }
}
