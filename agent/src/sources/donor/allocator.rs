//! What the C library's allocator does with the memory that a transfer frees.
//!
//! Each message of a transfer is a few buffers of a hundred kilobytes and more, freed as soon as they are written. By
//! itself the allocator gives such memory back to the system at once, and takes it again for the next message, one page
//! fault for each page: in gigabytes that costs as much as all the rest of the transfer.

/// Buffers up to this length, in bytes, are not mapped one by one. No message is longer.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 4 << 20;

/// This much freed memory is kept, in bytes: what one transfer has under way at most, twice.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 16 << 20;

/// Makes this process keep what it frees, up to 16 MiB. Where the allocator is another one, nothing happens.
pub(super) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the allocator's settings are reached through the C library alone")]
    // SAFETY: it takes two numbers, at any time, on any thread, and changes nothing about memory that is in use. Where it
    // refuses, the transfer is slower, so that its answer does not matter.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
