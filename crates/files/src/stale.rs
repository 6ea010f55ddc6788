//! Temporary files and folders of killed processes, recognized by their name and by a lock that no process holds.
//!
//! The lock belongs to the open file, so the system drops it with the process. A living writer's file is locked
//! from the instant after its creation; a writer that loses that race finds its file gone, and makes another.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Between the target's name and the process id.
pub(super) const MARK: &str = ".svdr-";
/// Ends the name.
pub(super) const SUFFIX: &str = ".tmp";
/// Hexadecimal digits between process id and suffix.
const RANDOM_DIGITS: usize = 16;

/// Removes stale files from a folder. A file that cannot be removed is only logged: it may have secrets, but the next
/// file can be written all the same.
pub(super) fn remove_in(folder: &Path) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            // A folder may be writable and not readable.
            tracing::debug!(%error, folder = %folder.display(), "not searched for stale temporary files");
            return;
        }
    };
    for entry in entries.flatten().filter(|entry| is_temporary(entry.file_name().as_bytes())) {
        let path = entry.path();
        match remove_if_stale(&path) {
            Ok(true) => {
                tracing::info!(path = %path.display(), "removed a temporary file that a killed run left")
            }
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a temporary file or folder that may contain secrets cannot be removed\nhelp: remove it by hand");
            }
        }
    }
}

/// Whether a name has the form `.NAME.svdr-PID-RANDOM.tmp`.
fn is_temporary(name: &[u8]) -> bool {
    let Some(inner) = name.strip_prefix(b".").and_then(|name| name.strip_suffix(SUFFIX.as_bytes())) else {
        return false;
    };
    // The target's own name may contain the mark, so it is searched from the end.
    let Some(mark) = inner.windows(MARK.len()).rposition(|window| window == MARK.as_bytes()) else {
        return false;
    };
    // The mark was found there, so it ends within the name.
    let mut parts = inner[mark + MARK.len()..].split(|&byte| byte == b'-');
    let (Some(pid), Some(random), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    !pid.is_empty()
        && pid.iter().all(u8::is_ascii_digit)
        && random.len() == RANDOM_DIGITS
        && random.iter().all(u8::is_ascii_hexdigit)
}

/// Removes the file or folder unless it is in use, or is neither.
fn remove_if_stale(path: &Path) -> io::Result<bool> {
    let kind = fs::symlink_metadata(path)?.file_type();
    let mut options = OpenOptions::new();
    let file = if kind.is_dir() {
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY).open(path)?
    } else if kind.is_file() {
        // Writable, because some network file systems lock only those; neither following a link nor waiting for a
        // pipe, should the file have been exchanged by now.
        options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?
    } else {
        return Ok(false);
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if !is_named(&file, path)? {
        return Ok(false);
    }
    // Neither follows a link.
    if kind.is_dir() {
        fs::remove_dir_all(path)?
    } else {
        fs::remove_file(path)?
    }
    Ok(true)
}

/// Whether `path` still names this file.
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let (open, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_recognised() {
        for name in [
            ".dump.json.svdr-1-0123456789abcdef.tmp",
            "..svdr-42-0000000000000000.tmp",
            ".a.svdr-x.svdr-7-ffffffffffffffff.tmp",
        ] {
            assert!(is_temporary(name.as_bytes()), "{name}");
        }
        for name in [
            "dump.json",
            "dump.json.svdr-1-0123456789abcdef.tmp",
            ".dump.json.svdr-1-0123456789abcde.tmp",
            ".dump.json.svdr--0123456789abcdef.tmp",
            ".dump.json.svdr-1-0123456789abcdef-2.tmp",
            ".dump.json.svdr-1-0123456789abcdeg.tmp",
            ".dump.json.svdr-1-0123456789abcdef.tmp.bak",
            ".svdr-",
        ] {
            assert!(!is_temporary(name.as_bytes()), "{name}");
        }
    }
}
