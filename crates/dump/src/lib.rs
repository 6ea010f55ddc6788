//! The migration dump: a backup of an SV's node identities and a data snapshot, merged while the snapshot streams by.
//!
//! The manual runbook merges the two with `jq -s add`: the union of the fields of two objects. The result here is
//! equal to that as a JSON value, and the bytes of every value are the documents' own: nothing is parsed into
//! numbers and printed again. White space before the first and after the last brace of each document is dropped.
//! What jq does silently, replacing a field that both documents have, is refused.
//!
//! Rules:
//! * Both documents are valid JSON (RFC 8259) in UTF-8 from the first byte to the last, without byte order mark;
//!   `\u` escapes of half a surrogate pair are refused, as are keys that occur twice in the documents themselves,
//!   in `identities` and its `participant`, in `data_snapshot` and in the entries of `dars`.
//! * Everything that the SV app's import needs is in them, of the right kind; the snapshot was taken at the time asked for.
//! * Payloads are strict base64, or, if `separate_payload_files` is true, paths. That flag may follow them.
//! * What the SV app exports itself is a whole dump with its payloads in files (`relocation.rs`, `chunks.rs`).
//! * A validator's dump is a part of what its app answers, under the same rules; but `created_at` in it is when the app
//!   made it, so that only `acs_timestamp` must be the time asked for.
//! * The snapshot takes constant memory, however long it or anything in it is. The identities document is held in
//!   memory, which is wiped; nothing of its values is ever in an error, a log or a `Debug`.
//!
//! A document's bytes go through [`DumpWriter`], whatever becomes of them: `json.rs` reads them, `shape.rs` knows which
//! fields there are, `document.rs` checks them and says which bytes belong to the dump.

mod base64;
mod chunks;
mod digest;
mod document;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod identities;
mod json;
pub mod limits;
mod payload;
mod payload_file;
mod relocation;
mod shape;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub use base64::Base64Defect;
pub use chunks::ChunkDefect;
pub use document::Expectations;
pub use error::{Defect, Document, Found, MergeError, Position, Refusal};
pub use identities::{Identities, IdentitiesText};
pub use payload_file::{PayloadFileError, copy_payload_file, read_payload_file};
pub use relocation::{PayloadPart, Relocation};
pub use summary::{CheckedFile, Dar, ExportedFile, MergeSummary, Payload};
pub use writer::{DumpWriter, Parts};
