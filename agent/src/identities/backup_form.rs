//! The form of a backup file, detected by how it begins.

/// The most that must be seen of a file: the longest beginning below, with some white space before it.
pub(super) const MAX_START_LEN: usize = 128;

/// The first line of an age file up to its version.
const AGE: &[u8] = b"age-encryption.org/";
/// The first line of ASCII armor.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The form of a backup file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackupForm {
    /// The document itself, or something else that is no age file.
    Plain,
    /// An age file.
    Age,
    /// An age file in ASCII armor, after so many bytes of white space, which mail programs add.
    Armored(usize),
}

impl BackupForm {
    /// The form of a file that begins with `start`.
    pub(super) fn of(start: &[u8]) -> BackupForm {
        let trimmed = start.trim_ascii_start();
        if start.starts_with(AGE) {
            BackupForm::Age
        } else if trimmed.starts_with(ARMOR) {
            BackupForm::Armored(start.len() - trimmed.len())
        } else {
            BackupForm::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_tells_the_form() {
        assert_eq!(BackupForm::of(b"age-encryption.org/v1\n-> X25519"), BackupForm::Age);
        assert_eq!(BackupForm::of(b"age-encryption.org/v2\n"), BackupForm::Age);
        assert_eq!(BackupForm::of(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), BackupForm::Armored(0));
        assert_eq!(BackupForm::of(b"\r\n -----BEGIN AGE ENCRYPTED FILE-----\n"), BackupForm::Armored(3));
        for plain in
            [&b""[..], b"{\"identities\":{}}", b" age-encryption.org/v1\n", b"age", b"-----BEGIN AGE"]
        {
            assert_eq!(BackupForm::of(plain), BackupForm::Plain);
        }
    }
}
