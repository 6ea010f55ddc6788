//! What reading an encrypted backup accepts at most, and why so much.
//!
//! The document inside has a limit of its own ([`MAX_IDENTITIES_LEN`](svdr_dump::limits::MAX_IDENTITIES_LEN)), at
//! which reading stops, so the file as a whole needs none.

/// The most recipients of a backup: one for every member that a roster can have.
pub const MAX_RECIPIENTS: usize = 128;

/// The longest header of an encrypted file, in bytes: [`MAX_RECIPIENTS`] recipients of 98 bytes each, and the lines
/// around them. The crate `age` reads a header anew with each of its lines, so a hostile one costs the square of
/// this.
pub const MAX_HEADER_LEN: usize = 16 << 10;

/// The longest file of age identities or recipients, in bytes: hundreds of them, with comments.
pub const MAX_KEYS_FILE_LEN: u64 = 64 << 10;

/// The most age identities in one file. Each is tried on each recipient of a backup.
pub const MAX_AGE_IDENTITIES: usize = 64;

/// The longest line of ASCII armor, in bytes: 64 characters of base64 and a line end of two. Lines are collected in
/// memory, and a hostile file may have none.
pub const MAX_ARMOR_LINE_LEN: usize = 66;
