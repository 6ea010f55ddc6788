//! The roster: who the members are, and the only root of trust.
//!
//! All members use the same roster, and compare its fingerprint aloud before a session. The fingerprint is over the
//! meaning, not the text: formatting, comments and the order of members and observers do not change it, and neither does
//! a threshold that is equal to the default.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::names::{MemberName, ParticipantId, SynchronizerId};

mod by_key;
mod parse;

use by_key::ByKey;
pub use parse::{MistakeKind, RosterError, RosterMistake};

/// The fewest members: one alone has nobody to agree with.
pub const MIN_MEMBERS: usize = 2;
/// The most members: several times the largest network there is, and what the exact search for the largest
/// agreeing set is measured with.
pub const MAX_MEMBERS: usize = 128;
/// The most observers: every validator of a large network.
pub const MAX_OBSERVERS: usize = 4096;
/// The largest roster file, in bytes: far more than the members and observers above need.
pub const MAX_ROSTER_LEN: usize = 4 << 20;

/// What begins the bytes that the fingerprint is over, so that they are nobody else's.
const FINGERPRINT_DOMAIN: &str = "svdr roster v1";
/// Bytes of the fingerprint that the spoken form carries: 128 bits leave no room for a second roster.
const SPOKEN_LEN: usize = 16;

/// A roster in which every member differs from every other.
#[derive(Clone, Debug)]
pub struct Roster {
    network: String,
    synchronizer: SynchronizerId,
    threshold: usize,
    members: Vec<Member>,
    observers: Vec<Observer>,
    by_name: BTreeMap<MemberName, usize>,
    by_key: ByKey,
    /// Every statement is compared with it.
    fingerprint: OnceLock<Digest>,
}

/// One super validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, unique in the roster.
    pub name: MemberName,
    /// Its participant's full id.
    pub participant: ParticipantId,
    /// The key that signs its statements.
    pub key: PublicKey,
    /// Whether it may open, propose and abort sessions.
    pub convener: bool,
}

/// Somebody who may read a session and never sign in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// Its name, unique among members and observers.
    pub name: MemberName,
    /// The key it connects with.
    pub key: PublicKey,
}

/// The DSO governance threshold for `n` members, of whom `f = ⌊(n − 1) / 3⌋` may be faulty: `⌈(n + f + 1) / 2⌉`.
/// Any two sets of so many share at least `f + 1` members.
pub const fn governance_threshold(n: usize) -> usize {
    let f = n.saturating_sub(1) / 3;
    (n + f + 1).div_ceil(2)
}

impl Roster {
    /// Reads a roster in TOML.
    ///
    /// # Errors
    /// Every mistake in it, each with its line.
    pub fn parse(text: &str) -> Result<Roster, RosterError> {
        parse::parse(text)
    }

    /// The network's name, for people.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The synchronizer whose commitments count.
    pub fn synchronizer(&self) -> &SynchronizerId {
        &self.synchronizer
    }

    /// How many members must agree.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The members, in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The observers, in the order of the file.
    pub fn observers(&self) -> &[Observer] {
        &self.observers
    }

    /// The member of that name.
    pub fn member(&self, name: &MemberName) -> Option<&Member> {
        self.by_name.get(name).and_then(|&at| self.members.get(at))
    }

    /// The member whose key this is.
    pub fn member_by_key(&self, key: &PublicKey) -> Option<&Member> {
        self.by_key.place(key).and_then(|at| self.members.get(at))
    }

    /// A member's key, ready to check signatures with; none for a key that no member has.
    pub fn verifying_key(&self, key: &PublicKey) -> Option<&VerifyingKey> {
        self.by_key.verifying_key(key)
    }

    /// The member's key that has exactly this text; none if no member's has.
    pub(crate) fn key_by_text(&self, text: &str) -> Option<PublicKey> {
        self.by_key.by_text(text)
    }

    /// SHA-256 over the roster's meaning: each text after its length, members and observers in the order of their
    /// names.
    pub fn fingerprint(&self) -> Digest {
        *self.fingerprint.get_or_init(|| self.compute_fingerprint())
    }

    fn compute_fingerprint(&self) -> Digest {
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        text(FINGERPRINT_DOMAIN);
        text(&self.network);
        text(&self.synchronizer.to_string());
        text(&self.threshold.to_string());
        text(&self.members.len().to_string());
        for member in self.by_name.values().filter_map(|&at| self.members.get(at)) {
            text(member.name.as_str());
            text(&member.participant.to_string());
            text(&member.key.to_string());
            text(if member.convener { "convener" } else { "member" });
        }
        let observers: BTreeMap<_, _> = self.observers.iter().map(|one| (&one.name, &one.key)).collect();
        for (name, key) in observers {
            text(name.as_str());
            text(&key.to_string());
        }
        Digest::from_bytes(hash.finalize().into())
    }

    /// The fingerprint as twelve English words (the BIP 39 list) that carry its first 128 bits and a checksum,
    /// made for reading aloud.
    pub fn spoken_fingerprint(&self) -> Vec<&'static str> {
        let fingerprint = self.fingerprint();
        let (entropy, _) = fingerprint.as_bytes().split_at(SPOKEN_LEN);
        #[expect(clippy::expect_used, reason = "no words instead would be compared aloud as equal")]
        let mnemonic = bip39::Mnemonic::from_entropy(entropy).expect("BIP 39 takes 16 bytes");
        mnemonic.words().collect()
    }
}

#[cfg(test)]
mod tests;
