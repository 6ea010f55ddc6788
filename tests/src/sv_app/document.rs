//! Documents as the SV app answers them, generated from a seed: the same seed gives the same bytes, at any size and
//! without holding them in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use svdr_protocol::time::Timestamp;

/// Raw bytes of a payload that become one chunk of base64: a multiple of three, so that only the last is padded.
const RAW_CHUNK: usize = 48 * 1024;

/// What a data snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotShape {
    /// Decides every payload byte.
    pub seed: u64,
    /// Bytes of `acs_snapshot` before base64.
    pub acs_len: u64,
    /// Bytes of `genesis_state` before base64; absent where zero.
    pub genesis_len: u64,
    /// How many DARs of 3,000 bytes there are.
    pub dars: usize,
    /// Whether it holds one party's contracts only.
    pub is_cut: bool,
}

impl SnapshotShape {
    /// A snapshot whose ACS has `acs_len` bytes.
    pub const fn with_acs(seed: u64, acs_len: u64) -> SnapshotShape {
        SnapshotShape { seed, acs_len, genesis_len: 1000, dars: 3, is_cut: false }
    }

    /// The cut of the same ledger that holds only the contracts of the DSO party: other active contracts, and fewer.
    pub const fn of_the_dso_party(self) -> SnapshotShape {
        // The genesis state and the DARs come from the seed as well, and are the same for everybody: only the contracts
        // may differ.
        SnapshotShape { acs_len: self.acs_len - self.acs_len / 4, is_cut: true, ..self }
    }
}

/// The variations of a snapshot document that a client has to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None.
    Sound,
    /// The key `migration_id` stands twice.
    DuplicateKey,
    /// The document is cut off inside the ACS, but its HTTP framing says that it is complete.
    Cut,
}

/// A source of bytes that look random and are not.
#[derive(Clone)]
pub struct Noise(u64);

impl Noise {
    /// The bytes that belong to `seed`.
    pub const fn new(seed: u64) -> Noise {
        Noise(seed)
    }

    /// The next eight bytes: splitmix64.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = len.div_ceil(8);
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.word().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

/// The pieces of a data snapshot, in order. Joined, they are the document.
pub fn snapshot(
    shape: SnapshotShape,
    timestamp: Timestamp,
    migration_id: u64,
    flaw: Flaw,
) -> impl Iterator<Item = Vec<u8>> + Send {
    let twice =
        if flaw == Flaw::DuplicateKey { format!(r#""migration_id":{migration_id},"#) } else { String::new() };
    let mut head =
        format!(r#"{{"created_at":"{timestamp}","migration_id":{migration_id},{twice}"data_snapshot":{{"#);
    if shape.genesis_len > 0 {
        head.push_str(r#""genesis_state":""#);
    }
    let genesis = payload(Noise::new(shape.seed), shape.genesis_len);
    let between = if shape.genesis_len > 0 { r#"","acs_snapshot":""# } else { r#""acs_snapshot":""# };
    let acs = payload(Noise::new(shape.seed ^ if shape.is_cut { 3 } else { 1 }), shape.acs_len);
    let acs_len = if flaw == Flaw::Cut { acs.size_hint().0 / 2 } else { usize::MAX };
    let tail = tail(shape, timestamp);
    std::iter::once(head.into_bytes())
        .chain(genesis)
        .chain(std::iter::once(between.as_bytes().to_vec()))
        .chain(acs.take(acs_len))
        .chain((flaw != Flaw::Cut).then_some(tail))
}

/// How many bytes [`snapshot`] gives.
pub fn snapshot_len(shape: SnapshotShape, timestamp: Timestamp, migration_id: u64, flaw: Flaw) -> u64 {
    snapshot(shape, timestamp, migration_id, flaw).map(|piece| piece.len() as u64).sum()
}

pub(super) fn payload(noise: Noise, len: u64) -> impl Iterator<Item = Vec<u8>> + Send {
    raw(noise, len).map(|bytes| STANDARD.encode(bytes).into_bytes())
}

/// `len` bytes of a payload, a piece at a time.
pub(super) fn raw(noise: Noise, len: u64) -> impl Iterator<Item = Vec<u8>> + Send {
    Payload { noise, left: len }
}

/// `left` bytes of noise, a piece at a time.
struct Payload {
    noise: Noise,
    left: u64,
}

impl Iterator for Payload {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(RAW_CHUNK);
        if len == 0 {
            return None;
        }
        self.left -= len as u64;
        Some(self.noise.bytes(len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = usize::try_from(self.left.div_ceil(RAW_CHUNK as u64)).unwrap_or(usize::MAX);
        (chunks, Some(chunks))
    }
}

/// The DARs of a snapshot.
pub(super) fn dars(shape: SnapshotShape) -> Value {
    let mut noise = Noise::new(shape.seed ^ 2);
    let dars = (0..shape.dars).map(|_| {
        let content = noise.bytes(3000);
        json!({"hash": hex(&Sha256::digest(&content)), "content": STANDARD.encode(content)})
    });
    Value::Array(dars.collect())
}

/// The participant's users.
pub(super) fn users() -> Value {
    json!({"users": [{"id": "ledger-api-user", "annotations": {}}]})
}

fn tail(shape: SnapshotShape, timestamp: Timestamp) -> Vec<u8> {
    let (dars, users) = (dars(shape), users());
    format!(
        r#"","acs_timestamp":"{timestamp}","dars":{dars},"synchronizer_was_paused":true}},"participant_users":{users}}}"#
    )
    .into_bytes()
}

/// The identities dump of a member: private keys that are noise, in the shape of Splice's.
///
/// `member` is its name, `participant` its full participant id (`PAR::…`), `synchronizer` the logical synchronizer's.
pub fn identities(member: &str, participant: &str, synchronizer: &str, seed: u64) -> Value {
    let mut noise = Noise::new(seed);
    let mut node = |id: &str| {
        let keys: Vec<Value> = ["namespace", "signing", "encryption"]
            .iter()
            .map(|name| json!({"keyPair": STANDARD.encode(noise.bytes(96)), "name": format!("{member}-{name}")}))
            .collect();
        json!({
            "id": id,
            "keys": keys,
            "authorizedStoreSnapshot": STANDARD.encode(noise.bytes(600)),
            "version": "0.5.0",
        })
    };
    let fingerprint = participant.rsplit("::").next().unwrap_or_default().to_owned();
    let [participant, sequencer, mediator] = [
        node(participant),
        node(&format!("SEQ::{member}::{fingerprint}")),
        node(&format!("MED::{member}::{fingerprint}")),
    ];
    json!({"identities": {
        "sv_party_id": format!("{member}::{fingerprint}"),
        "dso_party_id": format!("DSO::{}", synchronizer.rsplit("::").next().unwrap_or_default()),
        "domain_alias": "global",
        "domain_id": synchronizer,
        "participant": participant,
        "sequencer": sequencer,
        "mediator": mediator,
    }})
}

/// Every private key of an identities dump, as it stands in it: what must never appear in any output.
pub fn private_keys(identities: &Value) -> Vec<String> {
    ["participant", "sequencer", "mediator"]
        .iter()
        .filter_map(|node| identities["identities"][node]["keys"].as_array())
        .flatten()
        .filter_map(|key| key["keyPair"].as_str().map(str::to_owned))
        .collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn whole(shape: SnapshotShape, flaw: Flaw) -> Vec<u8> {
        snapshot(shape, "2026-04-21T23:10:00.500Z".parse().unwrap(), 6, flaw).flatten().collect()
    }

    #[test]
    fn a_snapshot_is_what_the_api_describes() {
        for acs_len in [0, 1, 2, 3, 48 * 1024, 100_001] {
            let document: Value =
                serde_json::from_slice(&whole(SnapshotShape::with_acs(7, acs_len), Flaw::Sound)).unwrap();
            assert_eq!(document["created_at"], "2026-04-21T23:10:00.500Z");
            assert_eq!(document["data_snapshot"]["acs_timestamp"], document["created_at"]);
            assert_eq!(document["migration_id"], 6);
            let acs = STANDARD.decode(document["data_snapshot"]["acs_snapshot"].as_str().unwrap()).unwrap();
            assert_eq!(acs.len() as u64, acs_len);
            let dar = &document["data_snapshot"]["dars"][2];
            let content = STANDARD.decode(dar["content"].as_str().unwrap()).unwrap();
            assert_eq!(dar["hash"], hex(&Sha256::digest(content)));
        }
    }

    #[test]
    fn a_seed_decides_every_byte() {
        let shape = SnapshotShape::with_acs(7, 100_001);
        assert_eq!(whole(shape, Flaw::Sound), whole(shape, Flaw::Sound));
        assert_ne!(whole(shape, Flaw::Sound), whole(SnapshotShape { seed: 8, ..shape }, Flaw::Sound));
    }

    #[test]
    fn a_partys_cut_has_other_contracts_and_the_same_rest() {
        let shape = SnapshotShape::with_acs(7, 90_000);
        let [all, cut] = [shape, shape.of_the_dso_party()]
            .map(|shape| serde_json::from_slice::<Value>(&whole(shape, Flaw::Sound)).unwrap());
        let part = |document: &Value, name: &str| document["data_snapshot"][name].clone();
        assert_ne!(part(&all, "acs_snapshot"), part(&cut, "acs_snapshot"));
        assert_eq!(part(&all, "genesis_state"), part(&cut, "genesis_state"));
        assert_eq!(part(&all, "dars"), part(&cut, "dars"));
    }

    #[test]
    fn flaws_are_flaws() {
        let shape = SnapshotShape::with_acs(7, 200_000);
        assert!(serde_json::from_slice::<Value>(&whole(shape, Flaw::Cut)).is_err());
        let twice = String::from_utf8(whole(shape, Flaw::DuplicateKey)).unwrap();
        assert_eq!(twice.matches("migration_id").count(), 2);
        assert_eq!(
            twice.len() as u64,
            snapshot_len(shape, "2026-04-21T23:10:00.500Z".parse().unwrap(), 6, Flaw::DuplicateKey)
        );
    }

    #[test]
    fn identities_hold_nine_keys() {
        let document = identities("SV-1", "PAR::SV-1::1220ab", "global-domain::1220cd", 1);
        let keys = private_keys(&document);
        assert_eq!(keys.len(), 9);
        assert_eq!(document["identities"]["sv_party_id"], "SV-1::1220ab");
        assert!(keys.iter().all(|key| STANDARD.decode(key).is_ok()));
    }
}
