//! The bearer token: read from its file for each call, wiped when dropped, and never printed.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt as _;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

use crate::limits::MAX_TOKEN_LEN;

/// Why a file contains no token.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error(
        "the token file {} cannot be read\nhelp: write the token to that file, or correct its name in the configuration",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file contains something else than one token.
    #[error(
        "the token file {} contains {found}\nhelp: write only the token to it, on one line, without \"Bearer\"",
        path.display()
    )]
    NotAToken {
        /// The file.
        path: PathBuf,
        /// What it contains, in words that give nothing away.
        found: &'static str,
    },
}

/// The value of the header `authorization` with the token of the file. `Debug` does not print it.
///
/// # Errors
/// [`SecretError`] if the file does not contain one token.
pub(crate) async fn authorization(path: &Path) -> Result<MetadataValue<Ascii>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let not_a_token = |found| SecretError::NotAToken { path: path.to_owned(), found };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_TOKEN_LEN + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() as u64 > MAX_TOKEN_LEN {
        return Err(not_a_token("more than 16 KiB"));
    }
    let token = bytes.trim_ascii();
    let found = match token {
        [] => Some("nothing"),
        [b'"' | b'\'', ..] => Some("a token in quotes"),
        [b'{', ..] => Some("JSON"),
        _ if token.iter().any(u8::is_ascii_whitespace) => Some("several words"),
        _ if !token.iter().all(u8::is_ascii_graphic) => Some("characters that no token has"),
        _ => None,
    };
    if let Some(found) = found {
        return Err(not_a_token(found));
    }
    let header = Zeroizing::new([b"Bearer ", token].concat());
    let mut value = MetadataValue::try_from(header.as_slice())
        .map_err(|_invalid| not_a_token("characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn read(content: &[u8]) -> Result<MetadataValue<Ascii>, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        authorization(&path).await
    }

    #[tokio::test]
    async fn a_token_is_sent_without_the_white_space_around_it_and_never_printed() {
        let value = read(b" \teyJh.bGci-_\r\n\n").await.unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer eyJh.bGci-_");
        assert!(!format!("{value:?}").contains("eyJh"));
    }

    #[tokio::test]
    async fn a_file_without_one_token_is_refused_without_showing_it() {
        let too_long = vec![b'x'; usize::try_from(MAX_TOKEN_LEN).unwrap() + 1];
        for content in [
            &b""[..],
            b" \n",
            b"Bearer hunter2",
            b"\"hunter2\"",
            b"{\"access_token\":\"hunter2\"}",
            b"hunter2\0",
            b"\xef\xbb\xbfhunter2",
            &too_long,
        ] {
            let error = read(content).await.unwrap_err();
            assert!(matches!(error, SecretError::NotAToken { .. }));
            assert!(!format!("{error} {error:?}").contains("nter2"));
        }
        let absent = authorization(Path::new("/nonexistent")).await;
        assert!(matches!(absent, Err(SecretError::Unreadable { .. })));
    }
}
