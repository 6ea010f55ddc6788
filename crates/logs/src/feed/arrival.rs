//! How logs are read, and what arrives from them.

use std::thread;

use crate::input::Fault;
use crate::lines::Found;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a segment or block.
    pub block_bytes: usize,
    /// Threads that search one plain file.
    pub workers: usize,
    /// Whether plain files are mapped; not for a process that must continue if a log is cut while it is read.
    pub mapped: bool,
}

impl Effort {
    /// For a command that does nothing else: plain files are mapped.
    pub fn mapped() -> Effort {
        Effort { block_bytes: 1 << 20, mapped: true, ..Effort::default() }
    }
}

impl Default for Effort {
    /// Blocks that stay in a core's cache together with what is copied into them, and as many threads as there are
    /// cores, up to eight: beyond that the memory is the limit.
    fn default() -> Effort {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
        Effort { block_bytes: 1 << 18, workers, mapped: false }
    }
}

/// What arrives from a log, in order.
pub(crate) enum Arrival {
    /// The log at this place of the list is next.
    Begin(usize),
    /// The log is an archive, and what arrives next is from the file of this path inside of it.
    Entry(String),
    /// A part of it.
    Part(Found),
    /// It cannot be read further.
    Fault(Fault),
}
