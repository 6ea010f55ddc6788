//! Reading single fields: each is refused by name, with what it contains and what it should contain.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use super::{SessionId, StatementError};
use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::names::{MemberName, NameError};
use crate::text;
use crate::time::Timestamp;

/// The longest text that a person gives as a reason or a note, in bytes: a paragraph.
pub const MAX_REASON_LEN: usize = 1024;
/// The longest text that names something, in bytes: it must fit on a line.
pub const MAX_SHORT_TEXT_LEN: usize = 128;
/// The highest round: people meet for each of them, and whoever could skip ahead to the last one could end a
/// session.
pub const MAX_ROUND: u32 = 1000;

/// Reads the fields of one member's statement.
pub(super) struct Fields<'a> {
    signer: &'a MemberName,
}

impl<'a> Fields<'a> {
    pub(super) fn of(signer: &'a MemberName) -> Fields<'a> {
        Fields { signer }
    }

    pub(super) fn signer(&self) -> &'a MemberName {
        self.signer
    }

    pub(super) fn error(&self, field: &'static str, found: String, expected: &'static str) -> StatementError {
        StatementError::Field { signer: self.signer.clone(), field, found, expected }
    }

    /// A name of `T`.
    pub(super) fn parsed<T: FromStr<Err = NameError>>(
        &self,
        field: &'static str,
        text: &str,
    ) -> Result<T, StatementError> {
        text.parse().map_err(|source| StatementError::Name { signer: self.signer.clone(), field, source })
    }

    pub(super) fn time(&self, field: &'static str, micros: i64) -> Result<Timestamp, StatementError> {
        Timestamp::from_micros(micros).ok_or_else(|| {
            self.error(field, format!("{micros} microseconds"), "a time in the years 1 to 9999")
        })
    }

    pub(super) fn digest(&self, field: &'static str, bytes: &[u8]) -> Result<Digest, StatementError> {
        let digest = bytes.try_into().map(Digest::from_bytes).ok();
        digest.ok_or_else(|| self.error(field, format!("{} bytes", bytes.len()), "32 bytes"))
    }

    /// A field says something that only a newer version knows.
    pub(super) fn not_known(&self, kind: &'static str, field: &'static str) -> StatementError {
        StatementError::NotKnown { kind, signer: self.signer.clone(), field }
    }

    /// A public key in its one text form.
    pub(super) fn key(&self, field: &'static str, text: &str) -> Result<PublicKey, StatementError> {
        let key = text.parse::<PublicKey>();
        key.map_err(|source| StatementError::Key { signer: self.signer.clone(), field, source })
    }

    pub(super) fn session(&self, field: &'static str, bytes: &[u8]) -> Result<SessionId, StatementError> {
        SessionId::from_slice(bytes)
            .ok_or_else(|| self.error(field, format!("{} bytes", bytes.len()), "16 bytes"))
    }

    pub(super) fn round(&self, field: &'static str, round: u32) -> Result<u32, StatementError> {
        match round {
            1..=MAX_ROUND => Ok(round),
            _ => Err(self.error(field, round.to_string(), "a round from 1 to 1000")),
        }
    }

    /// Whole seconds.
    pub(super) fn seconds(&self, field: &'static str, seconds: u64) -> Result<Duration, StatementError> {
        // A thousand years: more cannot be added to any time.
        const MOST: u64 = 1000 * 366 * 24 * 60 * 60;
        if seconds > MOST {
            return Err(self.error(field, format!("{seconds} seconds"), "less than a thousand years"));
        }
        Ok(Duration::from_secs(seconds))
    }

    pub(super) fn count(
        &self,
        field: &'static str,
        found: usize,
        most: usize,
        expected: &'static str,
    ) -> Result<(), StatementError> {
        if found > most { Err(self.error(field, format!("{found} entries"), expected)) } else { Ok(()) }
    }

    /// A reason or a note, of at most [`MAX_REASON_LEN`] bytes.
    pub(super) fn reason(&self, field: &'static str, text: String) -> Result<String, StatementError> {
        self.text(field, text, MAX_REASON_LEN, "at most 1024 bytes without control or invisible characters")
    }

    /// A name or a title, of at most [`MAX_SHORT_TEXT_LEN`] bytes.
    pub(super) fn short_text(&self, field: &'static str, text: String) -> Result<String, StatementError> {
        self.text(
            field,
            text,
            MAX_SHORT_TEXT_LEN,
            "at most 128 bytes without control or invisible characters",
        )
    }

    /// A text of at most `most` bytes, without control or invisible characters.
    pub(super) fn text(
        &self,
        field: &'static str,
        text: String,
        most: usize,
        expected: &'static str,
    ) -> Result<String, StatementError> {
        if text.len() > most {
            return Err(self.error(field, format!("{} bytes", text.len()), expected));
        }
        match text::hidden_in(&text) {
            Some(hidden) => {
                Err(self.error(field, format!("the character {}", hidden.escape_default()), expected))
            }
            None => Ok(text),
        }
    }

    /// What is neither empty nor longer than anybody needs, in strictly ascending order.
    pub(super) fn ascending<T: Ord>(
        &self,
        field: &'static str,
        items: impl Iterator<Item = Result<T, StatementError>>,
    ) -> Result<BTreeSet<T>, StatementError> {
        let mut set = BTreeSet::new();
        for item in items {
            let item = item?;
            if set.last().is_some_and(|last| *last >= item) {
                return Err(self.error(
                    field,
                    "entries out of order or twice".to_owned(),
                    "ascending entries",
                ));
            }
            set.insert(item);
        }
        Ok(set)
    }

    /// Members' names in byte order; at most as many as a roster has.
    pub(super) fn names(
        &self,
        field: &'static str,
        names: &[String],
    ) -> Result<BTreeSet<MemberName>, StatementError> {
        self.count(
            field,
            names.len(),
            crate::roster::MAX_MEMBERS,
            "no more names than a roster has members",
        )?;
        self.ascending(field, names.iter().map(|name| self.parsed(field, name)))
    }
}
