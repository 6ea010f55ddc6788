//! Names of members, participants and synchronizers, in their full forms and in the short forms of Canton's logs.
//!
//! Canton prints an identity as `identifier::fingerprint` and cuts the fingerprint in logs to its first
//! [`SHORT_FINGERPRINT_LEN`] characters and `...`; a fingerprint of that length or less is printed whole. Two
//! identities with equal short forms cannot be distinguished in a log, so a roster refuses them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{self, excerpt};

/// Characters of a fingerprint that Canton's logs show.
pub const SHORT_FINGERPRINT_LEN: usize = 12;
/// The longest identifier of a Daml party or participant, in characters (Canton's `String185`).
pub const MAX_IDENTIFIER_LEN: usize = 185;
/// The longest fingerprint, in characters (Canton's `String68`).
pub const MAX_FINGERPRINT_LEN: usize = 68;
/// The longest name of a member or observer, in bytes: it must fit in a column of a table.
pub const MAX_NAME_LEN: usize = 64;

const SEPARATOR: &str = "::";
const PARTICIPANT_PREFIX: &str = "PAR::";
/// Multihash prefix of a SHA-256 fingerprint: such a one always has [`MAX_FINGERPRINT_LEN`] characters.
const SHA256_FINGERPRINT_PREFIX: &str = "1220";

/// Characters of a rejected text that an error quotes: enough to find it, and far less than a secret that was
/// pasted into the wrong field.
const EXCERPT_LEN: usize = 80;

/// Why a text is not a name, a participant or a synchronizer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A member's or observer's name is empty, too long, or has a character that cannot be shown.
    #[error(
        "{found:?} is not a name; expected 1 to {MAX_NAME_LEN} bytes, without control or invisible characters and \
         without white space at either end"
    )]
    Name {
        /// The text as given.
        found: String,
    },
    /// The text has not the form of a participant id.
    #[error(
        "{found:?} is not a participant id; expected PAR::identifier::fingerprint, as the participant prints it in full"
    )]
    Participant {
        /// The text as given.
        found: String,
    },
    /// The text has not the form of a synchronizer id.
    #[error(
        "{found:?} is not a synchronizer id; expected identifier::fingerprint, for example global-domain::1220be58…"
    )]
    Synchronizer {
        /// The text as given.
        found: String,
    },
    /// The text has not the form of a physical synchronizer id.
    #[error(
        "{found:?} is not a physical synchronizer id; expected identifier::fingerprint::version-serial, for example \
         global-domain::1220be58…::35-1"
    )]
    PhysicalSynchronizer {
        /// The text as given.
        found: String,
    },
    /// The fingerprint has been shortened, as logs do.
    #[error(
        "the fingerprint of {found:?} is shortened, as logs show it; expected 1220 and 64 hexadecimal digits"
    )]
    CutFingerprint {
        /// The text as given.
        found: String,
    },
}

/// The name of a member or observer, unique in its roster; any text that can be shown on a line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(String);

impl MemberName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MemberName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<MemberName, NameError> {
        let fits = (1..=MAX_NAME_LEN).contains(&text.len())
            && text.trim() == text
            && text::hidden_in(text).is_none();
        if fits {
            Ok(MemberName(text.to_owned()))
        } else {
            Err(NameError::Name { found: excerpt(text, EXCERPT_LEN) })
        }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A participant's full id: `PAR::identifier::fingerprint`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(UniqueId);

/// A synchronizer's full logical id: `identifier::fingerprint`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SynchronizerId(UniqueId);

/// A physical synchronizer's id (psid), `identifier::fingerprint::version-serial`: a synchronizer as it runs with one
/// protocol version, and the serial that each upgrade increases.
///
/// Logs show the fingerprint shortened. Such an id is read too, is equal to no full one, and is completed with
/// [`PhysicalSynchronizerId::completed`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysicalSynchronizerId {
    synchronizer: UniqueId,
    cut: bool,
    protocol_version: u32,
    serial: u32,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct UniqueId {
    identifier: String,
    fingerprint: String,
}

impl UniqueId {
    /// `None` if `text` is not `identifier::fingerprint` with characters and lengths that Canton allows.
    fn parse(text: &str) -> Option<UniqueId> {
        let (identifier, fingerprint) = text.split_once(SEPARATOR)?;
        let identifier_fits = (1..=MAX_IDENTIFIER_LEN).contains(&identifier.len())
            && identifier.bytes().all(is_identifier_byte);
        let fingerprint_fits = (1..=MAX_FINGERPRINT_LEN).contains(&fingerprint.len())
            && fingerprint.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (identifier_fits && fingerprint_fits)
            .then(|| UniqueId { identifier: identifier.to_owned(), fingerprint: fingerprint.to_owned() })
    }

    fn is_cut(&self) -> bool {
        self.fingerprint.starts_with(SHA256_FINGERPRINT_PREFIX)
            && self.fingerprint.len() < MAX_FINGERPRINT_LEN
    }

    /// As a log shows it, without the dots.
    fn short(&self) -> String {
        // A fingerprint is ASCII, so every length is a character boundary.
        let fingerprint = self.fingerprint.get(..SHORT_FINGERPRINT_LEN).unwrap_or(&self.fingerprint);
        format!("{}{SEPARATOR}{fingerprint}", self.identifier)
    }
}

/// The characters of a Daml party's or participant's identifier; `::` is excluded by how it is split off.
pub fn is_identifier_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b' ')
}

impl ParticipantId {
    /// How Canton's logs show this participant: `PAR::identifier::`, the first 12 characters of the
    /// fingerprint, and `...` if there are more.
    pub fn in_logs(&self) -> String {
        let dots = if self.0.fingerprint.len() > SHORT_FINGERPRINT_LEN { "..." } else { "" };
        format!("{PARTICIPANT_PREFIX}{}{dots}", self.0.short())
    }
}

impl FromStr for ParticipantId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<ParticipantId, NameError> {
        let malformed = || NameError::Participant { found: excerpt(text, EXCERPT_LEN) };
        let rest = text.strip_prefix(PARTICIPANT_PREFIX).ok_or_else(malformed)?;
        let uncut = rest.strip_suffix("...").or_else(|| rest.strip_suffix('…'));
        let identity = UniqueId::parse(uncut.unwrap_or(rest)).ok_or_else(malformed)?;
        if uncut.is_some() || identity.is_cut() {
            return Err(NameError::CutFingerprint { found: excerpt(text, EXCERPT_LEN) });
        }
        Ok(ParticipantId(identity))
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PARTICIPANT_PREFIX}{}{SEPARATOR}{}", self.0.identifier, self.0.fingerprint)
    }
}

impl SynchronizerId {
    /// The form that names a synchronizer in evidence: the identifier and the first 12 characters of the
    /// fingerprint, which is all that every log shows.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl FromStr for SynchronizerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<SynchronizerId, NameError> {
        let malformed = || NameError::Synchronizer { found: excerpt(text, EXCERPT_LEN) };
        let uncut = text.strip_suffix("...").or_else(|| text.strip_suffix('…'));
        let identity = UniqueId::parse(uncut.unwrap_or(text)).ok_or_else(malformed)?;
        // Logs never show more than twelve characters, so a shorter fingerprint than that identifies nothing.
        if uncut.is_some() || identity.is_cut() {
            return Err(NameError::CutFingerprint { found: excerpt(text, EXCERPT_LEN) });
        }
        Ok(SynchronizerId(identity))
    }
}

impl fmt::Display for SynchronizerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}", self.0.identifier, self.0.fingerprint)
    }
}

impl PhysicalSynchronizerId {
    /// The largest protocol version and the largest serial: Canton has them in 32 signed bits.
    pub const MAX_NUMBER: u32 = i32::MAX.unsigned_abs();

    /// The physical synchronizer with that protocol version and serial.
    pub fn new(synchronizer: &SynchronizerId, protocol_version: u32, serial: u32) -> PhysicalSynchronizerId {
        PhysicalSynchronizerId { synchronizer: synchronizer.0.clone(), cut: false, protocol_version, serial }
    }

    /// This id, in full if it is `synchronizer`'s, of which a log shows the first characters only.
    pub fn completed(&self, synchronizer: &SynchronizerId) -> PhysicalSynchronizerId {
        let full = &synchronizer.0;
        let same = self.cut
            && self.synchronizer.identifier == full.identifier
            && self.synchronizer.fingerprint.len() >= SHORT_FINGERPRINT_LEN
            && full.fingerprint.starts_with(&self.synchronizer.fingerprint);
        if same {
            PhysicalSynchronizerId::new(synchronizer, self.protocol_version, self.serial)
        } else {
            self.clone()
        }
    }

    /// Whether this is `synchronizer` with some protocol version and serial; false for a shortened id.
    pub fn is_of(&self, synchronizer: &SynchronizerId) -> bool {
        !self.cut && self.synchronizer == synchronizer.0
    }

    /// The protocol version.
    pub const fn protocol_version(&self) -> u32 {
        self.protocol_version
    }

    /// The serial.
    pub const fn serial(&self) -> u32 {
        self.serial
    }
}

impl FromStr for PhysicalSynchronizerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<PhysicalSynchronizerId, NameError> {
        let malformed = || NameError::PhysicalSynchronizer { found: excerpt(text, EXCERPT_LEN) };
        let number = |digits: &str| -> Option<u32> {
            // Only as Canton prints it, so that one id has one text.
            let number = digits.parse().ok().filter(|number: &u32| number.to_string() == digits)?;
            (number <= Self::MAX_NUMBER).then_some(number)
        };
        let (synchronizer, numbers) = text.rsplit_once(SEPARATOR).ok_or_else(malformed)?;
        let (protocol_version, serial) = numbers.split_once('-').ok_or_else(malformed)?;
        let uncut = synchronizer.strip_suffix("...").or_else(|| synchronizer.strip_suffix('…'));
        let id = UniqueId::parse(uncut.unwrap_or(synchronizer)).ok_or_else(malformed)?;
        Ok(PhysicalSynchronizerId {
            cut: uncut.is_some() || id.is_cut(),
            synchronizer: id,
            protocol_version: number(protocol_version).ok_or_else(malformed)?,
            serial: number(serial).ok_or_else(malformed)?,
        })
    }
}

impl fmt::Display for PhysicalSynchronizerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UniqueId { identifier, fingerprint } = &self.synchronizer;
        let dots = if self.cut { "..." } else { "" };
        write!(
            f,
            "{identifier}{SEPARATOR}{fingerprint}{dots}{SEPARATOR}{}-{}",
            self.protocol_version, self.serial
        )
    }
}

macro_rules! text_forms {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

text_forms!(MemberName, ParticipantId, SynchronizerId, PhysicalSynchronizerId);

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PhysicalSynchronizerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SynchronizerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "1220e5a29d39f2bcfe2fff7f0a6e4a9dbd1a0d3eb6c0b3c1a1b2c3d4e5f60718293a";

    #[test]
    fn a_participant_is_cut_in_logs_where_its_fingerprint_is_long() {
        let long: ParticipantId = format!("PAR::Digital-Asset-2::{FINGERPRINT}").parse().unwrap();
        assert_eq!(long.in_logs(), "PAR::Digital-Asset-2::1220e5a29d39...");
        let short: ParticipantId = "PAR::sv 1:a_b::abcdefabcdef".parse().unwrap();
        assert_eq!(short.in_logs(), "PAR::sv 1:a_b::abcdefabcdef");
        assert_eq!(short.to_string().parse(), Ok(short));
    }

    #[test]
    fn a_cut_fingerprint_is_said_to_be_cut() {
        for found in ["PAR::A::1220e5a29d39...", "PAR::A::1220e5a29d39…", "PAR::A::1220e5a29d39"] {
            let error = NameError::CutFingerprint { found: found.to_owned() };
            assert_eq!(found.parse::<ParticipantId>(), Err(error));
        }
        let found = "global-domain::1220be58c29e";
        assert_eq!(
            found.parse::<SynchronizerId>(),
            Err(NameError::CutFingerprint { found: found.to_owned() })
        );
    }

    #[test]
    fn a_physical_synchronizer_is_completed_only_with_its_own_synchronizer() {
        let full: SynchronizerId = format!("global-domain::{FINGERPRINT}").parse().unwrap();
        let expected = PhysicalSynchronizerId::new(&full, 35, 1);
        assert_eq!(expected.to_string(), format!("global-domain::{FINGERPRINT}::35-1"));
        assert_eq!(expected.to_string().parse(), Ok(expected.clone()));
        for short in ["1220e5a29d39", "1220e5a29d39...", "1220e5a29d39f2…"] {
            let read: PhysicalSynchronizerId = format!("global-domain::{short}::35-1").parse().unwrap();
            assert_ne!(read, expected);
            assert!(!read.is_of(&full));
            assert_eq!(read.completed(&full), expected);
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for other in ["global-domain::1220e5a29d3", "global-domain::1220e5a29d38...", "other::1220e5a29d39"] {
            let read: PhysicalSynchronizerId = format!("{other}::35-1").parse().unwrap();
            assert!(!read.completed(&full).is_of(&full), "{other}");
        }
        for malformed in [
            "",
            "35-1",
            "a::35-1",
            "a::b",
            "a::b::",
            "a::b::35",
            "a::b::35-",
            "a::b::035-1",
            "a::b::35-+1",
            "a::b::35-1-2",
            "a::b::35-2147483648",
        ] {
            let error = NameError::PhysicalSynchronizer { found: malformed.to_owned() };
            assert_eq!(malformed.parse::<PhysicalSynchronizerId>(), Err(error));
        }
    }

    #[test]
    fn refuses_what_canton_would_not_print() {
        let long = format!("PAR::{}::abc", "a".repeat(MAX_IDENTIFIER_LEN + 1));
        assert!(long.parse::<ParticipantId>().is_err());
        for found in
            ["", "PAR::", "PAR::A", "PAR::A::", "PAR::::abc", "SV::A::abc", "PAR::A::b::c", "PAR::Ä::abc"]
        {
            let error = NameError::Participant { found: found.to_owned() };
            assert_eq!(found.parse::<ParticipantId>(), Err(error));
        }
    }

    #[test]
    fn a_long_text_is_quoted_by_its_beginning() {
        let error = "é".repeat(1000).parse::<MemberName>().unwrap_err();
        assert_eq!(error, NameError::Name { found: format!("{}…", "é".repeat(EXCERPT_LEN)) });
    }

    #[test]
    fn names_can_be_told_apart_by_sight() {
        let long = "x".repeat(MAX_NAME_LEN + 1);
        for found in ["", " A", "A ", "A\nB", "A\u{202e}B", "A\u{200b}", &long] {
            assert_eq!(found.parse::<MemberName>(), Err(NameError::Name { found: found.to_owned() }));
        }
        assert_eq!("Zürich SV-1".parse::<MemberName>().unwrap().as_str(), "Zürich SV-1");
    }
}
