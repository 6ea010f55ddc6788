//! Reads a participant's logs into evidence: with whom, at which ticks, its commitments matched or differed.
//!
//! ```text
//! input → feed → lines, documents, table → line → wrappers → canton → tally → document, warnings
//! open   threads  find the element          read it  peel it  Canton's   count   report
//! ```
//!
//! `form` detects from the beginning of a log how it is divided into elements, and what its lines have in common: which
//! prefix a tool printed before each, and what the texts in its objects are.
//!
//! Opening, searching, reading (pure functions) and counting do not know each other. `feed` carries bytes between them
//! in bounded memory, and `window` finds where in a large file a time begins. A new wrapper around lines is one file in
//! `wrappers`; a new compression is one file in `input`. [`sequencing`] reads what the nodes have seen of a synchronizer,
//! with the same `input` and `wrappers`.

mod canton;
mod document;
mod documents;
mod feed;
mod form;
#[doc(hidden)]
pub mod fuzz;
mod input;
mod limits;
mod line;
mod lines;
mod reading;
mod request;
mod sample;
pub mod sequencing;
mod source;
mod table;
mod tally;
mod warnings;
mod window;
mod wrappers;
mod zone;

pub use feed::Effort;
pub use input::{PathError, Pipe, SourcePath, expand};
pub use reading::read;
pub use request::{Bound, LogsError, LogsRequest};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
