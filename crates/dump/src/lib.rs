//! The migration dump: a backup of an SV's node identities and a data snapshot, merged while the snapshot streams by.
//!
//! The manual runbook merges the two with `jq -s add`: the union of the fields of two objects. The result here is
//! equal to that as a JSON value, and the bytes of every value are the documents' own: nothing is parsed into
//! numbers and printed again. White space before the first and after the last brace of each document is dropped.
//! What jq does silently, replacing a field that both documents have, is refused.
//!
//! Rules:
//! * Both documents are valid JSON (RFC 8259) in UTF-8 from the first byte to the last, without byte order mark;
//!   `\u` escapes of half a surrogate pair are refused, as are keys that stand twice in the documents themselves,
//!   in `identities` and its `participant`, in `data_snapshot` and in the entries of `dars`.
//! * What the SV app's import needs is there, of the right kind; the snapshot was taken at the time asked for.
//! * Payloads are strict base64, or, where `separate_payload_files` is true, paths. That flag may follow them.
//! * What the SV app exports itself is a whole dump with its payloads in files (`whole.rs`, `chunks.rs`).
//! * A validator's dump is a part of what its app answers ([`Extractor`]), under the same rules; but `created_at` in it
//!   is when the app made it, so that only `acs_timestamp` has to be the time asked for.
//! * The snapshot takes constant memory, however long it or anything in it is. The identities document is held in
//!   memory, which is wiped; nothing of its values is ever in an error, a log or a `Debug`.

mod base64;
mod chunks;
mod digest;
mod error;
mod extractor;
#[doc(hidden)]
pub mod fuzz;
mod held;
mod identities;
mod inspector;
mod json;
pub mod limits;
mod merger;
mod passage;
mod payload;
mod payload_file;
mod relocation;
mod shape;
mod snapshot;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod whole;

pub use base64::Base64Defect;
pub use chunks::{ChunkCheck, ChunkDefect};
pub use error::{Defect, Document, Found, MergeError, Position, Refusal};
pub use extractor::{Extractor, check_validator_dump};
pub use held::HeldText;
pub use identities::Identities;
pub use inspector::{Inspector, inspect};
pub use merger::{Expectations, Merger, Parts, merge};
pub use payload_file::{PayloadFileError, Shared, copy_payload_file, read_payload_file};
pub use relocation::{PayloadPart, Relocation};
pub use summary::{CheckedFile, Dar, MergeSummary, Payload};
pub use whole::{DumpCopy, NamedFile, ReadDump};
