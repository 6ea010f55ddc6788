//! What tools put around a line of a log, one file a wrapper.
//!
//! A wrapper is a function that recognizes its own form and shows what is inside of it, with what it knows about it:
//! see [`Open`]. A new wrapper is one file and one entry in [`WRAPPERS`].
//!
//! A wrapper must never show text that a user of the ledger can choose as if it were a line: it splits at positions
//! that the tool alone writes.

mod colour;
pub(crate) mod cri;
pub(crate) mod docker;
mod json;
mod layer;
pub(crate) mod prefix;
mod quoted;
mod stamp;

pub(crate) use colour::Codes;
pub(crate) use json::{continues_piece, open_row};
use layer::Open;
pub(crate) use layer::{Context, Habits, Inside, Show, Texts};
pub(crate) use quoted::is_quoted;

/// Every wrapper, in the order in which they are tried.
pub(crate) const WRAPPERS: [Open; 6] =
    [colour::open, cri::open, prefix::open, stamp::open, quoted::open, json::open];
