//! Reads a participant's logs into evidence: with whom, at which ticks, its commitments matched or differed.
//!
//! ```text
//! input → feed → lines, documents → line → wrappers → canton → tally → document, warnings
//! open   threads  find the line    read it  peel it  Canton's   count   report
//! ```
//!
//! Opening, searching, reading (pure functions) and counting do not know each other. `feed` carries bytes between them
//! in bounded memory, and `window` finds where in a large file a time begins. A new wrapper around lines is one file in
//! `wrappers`; a new compression is one file in `input`.

mod canton;
mod document;
mod documents;
mod feed;
#[doc(hidden)]
pub mod fuzz;
mod input;
mod limits;
mod line;
mod lines;
mod reading;
mod request;
mod sample;
mod source;
mod tally;
mod warnings;
mod window;
mod wrappers;
mod zone;

pub use feed::Effort;
pub use input::{PathError, SourcePath, expand};
pub use reading::read;
pub use request::{Bound, LogsError, LogsRequest};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
