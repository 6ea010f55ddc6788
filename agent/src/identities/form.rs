//! The form of a backup file, detected by how it begins.

/// The most that must be seen of a file: the longest beginning below, with some white space before it.
pub(super) const MAX_START_LEN: usize = 128;

/// The first line of an age file up to its version.
const AGE: &[u8] = b"age-encryption.org/";
/// The first line of ASCII armor.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The form of a backup file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The document itself, or something else that is no age file.
    Plain,
    /// An age file.
    Age,
    /// An age file in ASCII armor, after so many bytes of white space, which mail programs add.
    Armored(usize),
}

impl Form {
    /// The form of a file that begins with `start`.
    pub(super) fn of(start: &[u8]) -> Form {
        let trimmed = start.trim_ascii_start();
        if start.starts_with(AGE) {
            Form::Age
        } else if trimmed.starts_with(ARMOR) {
            Form::Armored(start.len() - trimmed.len())
        } else {
            Form::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_tells_the_form() {
        assert_eq!(Form::of(b"age-encryption.org/v1\n-> X25519"), Form::Age);
        assert_eq!(Form::of(b"age-encryption.org/v2\n"), Form::Age);
        assert_eq!(Form::of(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), Form::Armored(0));
        assert_eq!(Form::of(b"\r\n -----BEGIN AGE ENCRYPTED FILE-----\n"), Form::Armored(3));
        for plain in
            [&b""[..], b"{\"identities\":{}}", b" age-encryption.org/v1\n", b"age", b"-----BEGIN AGE"]
        {
            assert_eq!(Form::of(plain), Form::Plain);
        }
    }
}
