//! Whom a backup is encrypted to: `age1…`, from the command line and from files, as `age -r` and `age -R` take them.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use svdr_files::FileIoError;
use svdr_protocol::failure::{CommandError, Exit};
use zeroize::Zeroizing;

use super::limits::{MAX_KEYS_FILE_LEN, MAX_RECIPIENTS};
use super::low_order::is_low_order;

/// How an age identity begins, in either case.
const SECRET: &str = "AGE-SECRET-KEY-";

/// One or more recipients, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<Recipient>);

/// Where a recipient was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientPlace {
    /// As the nth `--recipient` of the command line, from 1.
    Flag(usize),
    /// In a line of a file, from 1.
    Line(PathBuf, usize),
}

impl fmt::Display for RecipientPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecipientPlace::Flag(number) => write!(f, "--recipient number {number}"),
            RecipientPlace::Line(path, line) => write!(f, "{}, line {line}", path.display()),
        }
    }
}

/// Why there are no recipients. What was given is not repeated: it may be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error(
        "{} is longer than {MAX_KEYS_FILE_LEN} bytes\nhelp: give a file of age recipients, one a line",
        path.display()
    )]
    TooLong { path: PathBuf },
    #[error(
        "{} contains no recipient\nhelp: give a file of age recipients (age1…), one a line",
        path.display()
    )]
    Empty { path: PathBuf },
    #[error(
        "{place} is not an age recipient: expected age1 and 58 more characters, and no recipient of a \
         plugin, of a tag or of SSH\n\
         help: give the recipient that `age-keygen -y` prints"
    )]
    NotARecipient { place: RecipientPlace },
    #[error(
        "{place} is an age identity, which is secret, instead of a recipient; if it was typed into a command \
         line, the history of the shell now contains it\n\
         help: make another age identity, and give the recipient that `age-keygen -y` prints"
    )]
    Secret { place: RecipientPlace },
    #[error(
        "{place} is a recipient without an age identity, and anybody can decrypt a file that is encrypted to \
         it\n\
         help: ask the sender for the recipient that `age-keygen -y` prints"
    )]
    LowOrder { place: RecipientPlace },
    #[error("there are more than {MAX_RECIPIENTS} recipients\nhelp: give fewer recipients")]
    TooMany,
}

impl CommandError for RecipientError {
    fn exit(&self) -> Exit {
        match self {
            RecipientError::Io(error) => error.exit(),
            RecipientError::LowOrder { .. } => Exit::Refused,
            RecipientError::TooLong { .. }
            | RecipientError::Empty { .. }
            | RecipientError::NotARecipient { .. }
            | RecipientError::Secret { .. }
            | RecipientError::TooMany => Exit::Usage,
        }
    }
}

impl Recipients {
    /// Those of the command line and of the files, in that order; `None` where there are neither.
    ///
    /// # Errors
    /// [`RecipientError`] at the first that is none.
    pub fn gather(flags: &[String], files: &[PathBuf]) -> Result<Option<Recipients>, RecipientError> {
        let mut recipients = Recipients(Vec::new());
        for (at, text) in flags.iter().enumerate() {
            recipients.add(text, RecipientPlace::Flag(at + 1))?;
        }
        for file in files {
            recipients.add_file(file)?;
        }
        Ok((!recipients.0.is_empty()).then_some(recipients))
    }

    fn add_file(&mut self, path: &Path) -> Result<(), RecipientError> {
        let failed = FileIoError::read("the recipients file", path);
        // Wiped, should it be a file of identities by mistake.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_KEYS_FILE_LEN as usize + 1));
        File::open(path)
            .and_then(|file| file.take(MAX_KEYS_FILE_LEN + 1).read_to_end(&mut text))
            .map_err(failed)?;
        if text.len() as u64 > MAX_KEYS_FILE_LEN {
            return Err(RecipientError::TooLong { path: path.to_owned() });
        }
        let mut found = false;
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let place = RecipientPlace::Line(path.to_owned(), at + 1);
            match std::str::from_utf8(line) {
                Ok(text) => self.add(text, place)?,
                Err(_not_utf8) => return Err(RecipientError::NotARecipient { place }),
            }
            found = true;
        }
        if found { Ok(()) } else { Err(RecipientError::Empty { path: path.to_owned() }) }
    }

    fn add(&mut self, text: &str, place: RecipientPlace) -> Result<(), RecipientError> {
        let text = text.trim();
        if text.get(..SECRET.len()).is_some_and(|start| start.eq_ignore_ascii_case(SECRET)) {
            return Err(RecipientError::Secret { place });
        }
        let Ok(recipient) = text.parse::<Recipient>() else {
            return Err(RecipientError::NotARecipient { place });
        };
        if is_low_order(&recipient.to_string()) {
            return Err(RecipientError::LowOrder { place });
        }
        if self.0.contains(&recipient) {
            return Ok(());
        }
        if self.0.len() == MAX_RECIPIENTS {
            return Err(RecipientError::TooMany);
        }
        self.0.push(recipient);
        Ok(())
    }

    /// Each of them, as the crate `age` takes them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Recipient> {
        self.0.iter()
    }

    /// Their texts, `age1…`.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::low_order::tests::recipient;
    use super::*;

    /// Of the age specification's examples.
    const ONE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipients.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn in_file(text: impl AsRef<[u8]>) -> Result<Option<Recipients>, RecipientError> {
        let (_folder, path) = file(text);
        Recipients::gather(&[], &[path])
    }

    #[test]
    fn flags_and_files_are_put_together_each_once() {
        let other = age::x25519::Identity::generate().to_public().to_string();
        let (_folder, path) = file(format!("# the safe\r\n\n  {other}\r\n{ONE}"));
        let all = Recipients::gather(&[ONE.to_owned(), ONE.to_uppercase()], &[path]).unwrap().unwrap();
        assert_eq!(all.texts(), [ONE, &other]);
        assert_eq!(Recipients::gather(&[], &[]).unwrap(), None);
    }

    #[test]
    fn what_is_none_is_named_by_its_place_and_not_repeated() {
        let wrong = ["", "age1", &ONE[..61], &ONE.replace('7', "8"), "ssh-ed25519 AAAA", "age1yubikey1qqqq"];
        for text in wrong {
            let error = Recipients::gather(&[ONE.to_owned(), text.to_owned()], &[]).unwrap_err();
            assert!(error.to_string().starts_with("--recipient number 2 is not an age recipient"), "{error}");
            assert!(text.len() < 5 || !format!("{error:?}{error}").contains(text), "{error}");
        }
        let error = in_file(format!("{ONE}\n\n\u{fffd}")).unwrap_err().to_string();
        assert!(error.contains("recipients.txt, line 3 is not an age recipient"), "{error}");
        assert!(matches!(in_file(b"\xff"), Err(RecipientError::NotARecipient { .. })));
        assert!(matches!(in_file("# nobody\n"), Err(RecipientError::Empty { .. })));
        assert!(matches!(in_file("#".repeat(70_000)), Err(RecipientError::TooLong { .. })));
        assert!(matches!(Recipients::gather(&[], &["/nowhere".into()]), Err(RecipientError::Io(_))));
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_said_to_be_one() {
        let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        for text in [secret.to_owned(), secret.to_lowercase()] {
            let error = Recipients::gather(&[text], &[]).unwrap_err();
            assert!(matches!(error, RecipientError::Secret { .. }));
            assert!(!format!("{error}{error:?}").to_lowercase().contains("1gq9778"), "{error}");
        }
    }

    #[test]
    fn nothing_is_encrypted_to_everybody() {
        let error = Recipients::gather(&[recipient(&[0; 32])], &[]).unwrap_err();
        assert!(matches!(error, RecipientError::LowOrder { .. }), "{error}");
        assert_eq!(error.exit(), Exit::Refused);
    }

    #[test]
    fn there_is_a_limit() {
        let many = |count: usize| {
            let one = |_| age::x25519::Identity::generate().to_public().to_string();
            in_file((0..count).map(one).collect::<Vec<_>>().join("\n"))
        };
        assert_eq!(many(MAX_RECIPIENTS).unwrap().unwrap().texts().len(), MAX_RECIPIENTS);
        assert!(matches!(many(MAX_RECIPIENTS + 1), Err(RecipientError::TooMany)));
    }
}
