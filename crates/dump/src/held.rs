//! The text of an identities document while it arrives: in memory that is wiped, and that grows without leaving
//! copies of the keys behind.

use std::fmt;

use zeroize::Zeroizing;

use super::error::MergeError;
use super::limits::MAX_IDENTITIES_LEN;

/// Room made for a document whose length is not known.
const FIRST_ROOM: usize = 256 << 10;

/// See the module. Holds at most [`MAX_IDENTITIES_LEN`] bytes; `Debug` shows nothing of them.
pub struct HeldText {
    /// Filled up to `len`; the rest is room.
    text: Zeroizing<Vec<u8>>,
    len: usize,
}

impl fmt::Debug for HeldText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldText(private)")
    }
}

impl HeldText {
    /// An empty text. `len_hint` is the length in bytes that it will have, where that is known: with it, the text
    /// comes into place once.
    pub fn new(len_hint: Option<u64>) -> HeldText {
        // One byte more than the hint, so that the end is seen without growing.
        let room = len_hint
            .and_then(|len| usize::try_from(len).ok())
            .map_or(FIRST_ROOM, |len| len.saturating_add(1));
        HeldText { text: Zeroizing::new(vec![0; room.clamp(1, MAX_IDENTITIES_LEN + 1)]), len: 0 }
    }

    /// Bytes so far.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Room for at least one more byte, to be filled from its start and then taken with [`HeldText::filled`].
    pub(super) fn room(&mut self) -> Result<&mut [u8], MergeError> {
        if self.len > MAX_IDENTITIES_LEN {
            return Err(MergeError::IdentitiesTooLarge);
        }
        if self.len == self.text.len() {
            // `Vec` would grow by moving, and leave the keys behind in memory that it gives back.
            let mut grown = Zeroizing::new(vec![0; (2 * self.len).min(MAX_IDENTITIES_LEN + 1)]);
            // The limit is above `len`, so that twice as much or the limit is more.
            grown[..self.len].copy_from_slice(&self.text);
            self.text = grown;
        }
        // `filled` never counts beyond the text.
        Ok(&mut self.text[self.len..])
    }

    /// So many bytes of the room have been filled.
    pub(super) fn filled(&mut self, bytes: usize) {
        self.len = self.text.len().min(self.len + bytes);
    }

    /// Adds the next piece of the text.
    ///
    /// # Errors
    /// [`MergeError::IdentitiesTooLarge`].
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), MergeError> {
        while !piece.is_empty() {
            let room = self.room()?;
            let (now, later) = piece.split_at(piece.len().min(room.len()));
            // It was split at the length of the room, or is shorter.
            room[..now.len()].copy_from_slice(now);
            self.filled(now.len());
            piece = later;
        }
        Ok(())
    }

    /// The whole text.
    pub fn into_text(mut self) -> Zeroizing<Vec<u8>> {
        self.text.truncate(self.len);
        self.text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_become_the_text(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            hint in prop::option::of(0u64..200),
        ) {
            let mut held = HeldText::new(hint);
            for piece in &pieces {
                held.push(piece).unwrap();
            }
            prop_assert_eq!(held.into_text().to_vec(), pieces.concat());
        }
    }

    #[test]
    fn there_is_a_limit() {
        let mut held = HeldText::new(Some(u64::MAX));
        let piece = vec![b'x'; MAX_IDENTITIES_LEN];
        held.push(&piece).unwrap();
        assert!(matches!(held.push(b"xx"), Err(MergeError::IdentitiesTooLarge)));
        assert_eq!(format!("{held:?}"), "HeldText(private)");
    }
}
