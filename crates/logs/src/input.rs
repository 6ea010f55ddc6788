//! Opens logs. The format is detected from the first bytes; a file's name says nothing.

mod fault;
mod gzip;
mod opened;
mod packed;
mod paths;
mod source;
mod stream;
mod tar;
mod utf16;
mod zstandard;

pub(crate) use fault::{CHECK_THE_DISK, Fault};
pub(crate) use opened::{Input, read_at};
pub use paths::{PathError, Pipe, SourcePath, expand};
pub(crate) use stream::{Piece, Stream};
