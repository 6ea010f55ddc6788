//! The backup of the node identities: fetched from the SV app, kept as plaintext or encrypted to age recipients, and read
//! again in either form.
//!
//! It contains the private keys of three nodes. Rules:
//! * A backup is written only after all of the document was received and checked: private from its first byte, under
//!   its name when it is complete, or not at all. Where it is encrypted, its plain text never touches a disk.
//! * The form of a file is detected by how it begins, never by its name.
//! * An encrypted backup is decrypted into the memory that the document is checked in, and only when its last byte
//!   has been authenticated is anything done with it. That memory is wiped; the buffers inside the crate `age`, of one
//!   chunk of 64 KiB, are its own affair.
//! * Recipients and identities are X25519 alone (`age1…`, `AGE-SECRET-KEY-1…`), as `age-keygen` makes them. A file
//!   that is encrypted with a passphrase is refused before anything is computed: how much its scrypt costs is up to
//!   whoever wrote it.
//! * No error, log or `Debug` contains anything of a key or of the document.

mod age_identity;
mod backup_form;
mod error;
mod fetch;
#[doc(hidden)]
pub mod fuzz;
pub mod limits;
mod low_order;
mod owner;
mod read;
mod recipients;
mod seal;
mod short_lines;
#[cfg(test)]
mod tests;

pub use age_identity::{AgeIdentity, AgeIdentityError};
pub use error::{BackupError, Damage};
pub use fetch::{IdentitiesFetchError, fetch};
pub use owner::{NotOurs, check_owner};
pub use read::{Backup, read};
pub use recipients::{RecipientError, RecipientPlace, Recipients};
pub use seal::{SealError, Sealed, Sealing, seal};
