//! A file of envelopes, one a line, that only grows: what others signed, and what coordinators acknowledged.
//!
//! A crash while a line is written leaves a line without an end. Reading ignores that line, and the next append cuts
//! it off: the coordinators send its statement again. Any other line that is not an envelope is an error, and
//! [`Store::mend`](super::Store::mend) has set it aside before anybody reads. Appending needs the store's lock, so that two processes do not write into each other's lines.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use svdr_files::crash::around_flush;
use svdr_protocol::dsse::Envelope;

use super::StoreError;

/// A growing file of envelopes. See the module.
#[derive(Clone, Debug)]
pub struct EnvelopeLog {
    path: PathBuf,
}

impl EnvelopeLog {
    /// The log at `path`, whether it exists or not.
    pub const fn new(path: PathBuf) -> EnvelopeLog {
        EnvelopeLog { path }
    }

    /// Every complete line; none if there is no file.
    ///
    /// # Errors
    /// If it cannot be read, or a complete line is not an envelope.
    pub fn read(&self) -> Result<Vec<Envelope>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => self.envelopes(&bytes[..complete_len(&bytes)]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(StoreError::Read { path: self.path.clone(), source }),
        }
    }

    /// Every line of a file that was written in one go; `None` if its last line is incomplete, or it has none.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not an envelope.
    pub(super) fn read_whole(&self) -> Result<Option<Vec<Envelope>>, StoreError> {
        let read = fs::read(&self.path);
        let bytes = read.map_err(|source| StoreError::Read { path: self.path.clone(), source })?;
        if bytes.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.envelopes(&bytes).map(|lines| if lines.is_empty() { None } else { Some(lines) })
    }

    fn envelopes(&self, lines: &[u8]) -> Result<Vec<Envelope>, StoreError> {
        let lines = lines.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        lines
            .map(|(at, line)| {
                Envelope::from_json(line).map_err(|source| StoreError::Line {
                    path: self.path.clone(),
                    line: at + 1,
                    source,
                })
            })
            .collect()
    }

    /// Adds `envelopes` with one flush. The store's lock is held. Who adds one twice finds it twice.
    pub(super) fn append(&self, envelopes: &[&Envelope]) -> Result<(), StoreError> {
        if envelopes.is_empty() {
            return Ok(());
        }
        let lines: String = envelopes.iter().map(|envelope| envelope.to_json() + "\n").collect();
        around_flush(|| self.write(lines.as_bytes()))
            .map_err(|source| StoreError::Append { path: self.path.clone(), source })
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = File::options().create(true).read(true).append(true).mode(0o600).open(&self.path)?;
        let len = file.metadata()?.len();
        let mut last = [0];
        if len > 0 {
            file.read_exact_at(&mut last, len - 1)?;
        }
        if len > 0 && last != *b"\n" {
            let bytes = fs::read(&self.path)?;
            file.set_len(complete_len(&bytes) as u64)?;
        }
        file.write_all(lines)?;
        file.sync_all()?;
        // A new file's name must survive as well.
        match self.path.parent() {
            Some(folder) if len == 0 => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

/// The length of what ends with a line end.
fn complete_len(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}
