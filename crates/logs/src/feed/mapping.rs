//! Maps a log into memory, so that reading gigabytes copies none of them.
//!
//! The price is that the system sends SIGBUS if a mapped file is cut while it is read, or if its disk fails. So only a
//! command that does nothing else maps, never an agent that keeps running. The file's size is checked before every
//! segment, which leaves a millisecond. For that millisecond the signal's handler reports what happened and ends the
//! process, which has written nothing yet.

use std::fs::File;
use std::sync::Once;

const CUT: &[u8] = b"error: a log was cut while it was read, or its disk failed\n\
    help: read the logs again, and check the system's log if the error stays\n";

/// Bytes before a segment that are mapped with the byte before it: the system maps what is around a page.
const MAPPED_AROUND: u64 = 128 * 1024;

/// A file in memory, as long as it was when it was mapped.
pub(crate) struct Mapping(memmap2::Mmap);

impl Mapping {
    /// Maps the first `size` bytes of `file`; none if the file system or the address space does not allow it.
    pub(super) fn of(file: &File, size: u64) -> Option<Mapping> {
        static HANDLER: Once = Once::new();
        let length = usize::try_from(size).ok().filter(|length| *length > 0)?;
        HANDLER.call_once(handle_bus_errors);
        #[expect(unsafe_code, reason = "mapping is unsafe because others may write to the file")]
        // SAFETY: the bytes are only searched and parsed, by code that accepts any bytes. If the file changes meanwhile,
        // the result is that of a read at an unlucky moment. If the file is cut, the handler ends the process.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(file) };
        map.ok().map(Mapping)
    }

    /// Returns the bytes of `[from, to)`; fewer if the mapping ends before.
    ///
    /// # Panics
    /// If `from` is after `to`.
    pub(super) fn bytes(&self, from: u64, to: u64) -> &[u8] {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        // In range: both are at most the length, in the order of the caller's.
        &self.0[place(from)..place(to)]
    }

    /// Releases the pages of `[from, to)`, so that the process does not grow with the file.
    pub(super) fn release(&self, from: u64, to: u64) {
        let from = from.saturating_sub(MAPPED_AROUND);
        let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else { return };
        let length = to.min(self.0.len()).saturating_sub(from);
        #[expect(unsafe_code, reason = "what a process wrote to its mapping could get lost")]
        // SAFETY: nothing is written to this mapping, so a page that is touched again is read from the file.
        let released =
            unsafe { self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, from, length) };
        // If the system refuses, the pages are released with the mapping.
        drop(released);
    }
}

/// Makes SIGBUS end the process with [`CUT`] and the code for input that cannot be read.
fn handle_bus_errors() {
    extern "C" fn end(_: libc::c_int) {
        #[expect(unsafe_code, reason = "a signal's handler can only call the system")]
        // SAFETY: both calls may be made in a signal's handler; the buffer is static.
        unsafe {
            libc::write(libc::STDERR_FILENO, CUT.as_ptr().cast(), CUT.len());
            libc::_exit(1);
        }
    }
    let handler: extern "C" fn(libc::c_int) = end;
    #[expect(unsafe_code, reason = "the standard library has no handlers of signals")]
    // SAFETY: the handler only makes calls that are allowed in one, and never returns.
    unsafe {
        libc::signal(libc::SIGBUS, handler as libc::sighandler_t);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    fn log(bytes: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; bytes]).unwrap();
        file
    }

    #[test]
    fn parts_end_where_the_mapping_does() {
        let mapping = Mapping::of(&log(10_000), 9_000).unwrap();
        assert_eq!(mapping.bytes(0, 9_000).len(), 9_000);
        assert_eq!(mapping.bytes(8_999, u64::MAX), b"x");
        assert_eq!(mapping.bytes(9_001, 10_000), b"");
        assert!(Mapping::of(&log(1), 0).is_none());
    }

    #[test]
    #[ignore = "ends the process: the next test runs it in one of its own"]
    fn reads_what_was_cut() {
        let file = log(100_000);
        let mapping = Mapping::of(&file, 100_000).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(mapping.bytes(50_000, 50_001), b"x");
    }

    #[test]
    fn a_log_that_is_cut_ends_the_process_with_an_error() {
        // Without the crate, as libtest names tests.
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::reads_what_was_cut"), "--ignored", "--nocapture"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.ends_with(CUT), "{output:?}");
    }
}
