//! One coordinator, as a configuration names it.

use svdr_protocol::keys::PublicKey;

/// Where a coordinator is, and which key it has: `[[coordinator]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// Its address.
    pub url: String,
    /// The key that its TLS certificate and its receipts must have.
    pub key: PublicKey,
}
