//! What the merge accepts at most, and why so much.
//!
//! Both documents come from elsewhere: the snapshot over the network, the backup from a disk of long ago. Every
//! amount that decides how much memory or time they can take has its bound here. The snapshot as a whole has none:
//! it is streamed.

/// The longest identities document, in bytes. It is held in memory, and the whole process must stay below
/// 64 MiB; a real one, keys and topology of three nodes, has less than a tenth of this.
pub const MAX_IDENTITIES_LEN: usize = 32 << 20;

/// The deepest nesting of objects and arrays. Real documents stay below ten; serde_json, with which other tools
/// may read the result, stops at 128.
pub const MAX_DEPTH: usize = 100;

/// The longest key, in bytes once unescaped. Keys are kept for the path in an error and for finding duplicates;
/// the longest real ones are party ids, of 255 characters at most.
pub const MAX_KEY_LEN: usize = 4096;

/// The most keys in one object whose keys must be unique: the document itself, `data_snapshot`, each of `dars`,
/// `identities`. They are kept to find duplicates; there are fewer than ten today.
pub const MAX_UNIQUE_KEYS: usize = 1024;

/// The most entries in `dars`. Each leaves a line in the summary; networks hold a few hundred today.
pub const MAX_DARS: usize = 16_384;

/// The longest short value that is read rather than passed through (timestamps, numbers, hashes, party ids), in
/// bytes: twice the longest party id.
pub const MAX_SHORT_LEN: usize = 512;

/// The longest path of a separate payload file, in bytes: Linux's `PATH_MAX`. A payload longer than this cannot
/// be a path and must be base64.
pub const MAX_PATH_LEN: usize = 4096;

/// The longest chunk of a separate payload file, in bytes: the longest array of a Java machine, in which the SV app
/// holds each.
pub const MAX_CHUNK_LEN: u32 = i32::MAX as u32 - 8;

/// What an error shows of a value it found in the snapshot, in characters; more would bury the message.
pub const MAX_SHOWN_LEN: usize = 60;

/// What an error shows of the path of a value, in bytes: far more than any real one.
pub const MAX_SHOWN_PATH_LEN: usize = 300;
