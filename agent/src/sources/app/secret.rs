//! Bearer tokens and client secrets: wiped when dropped, and never printed.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text. `Debug` prints a placeholder, there is no `Display`, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// Replaces a secret that a peer repeated to us.
pub(super) const PLACEHOLDER: &str = "[secret]";

impl Secret {
    /// Takes over `text`.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The secret itself, for the one place that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}
