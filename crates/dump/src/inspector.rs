//! Looks a data snapshot through without merging it: is it the one asked for, sound, and fit to be passed on?
//!
//! A snapshot that leaves its node may hold neither identities, whose keys are private, nor paths of files beside it,
//! which the receiver has not got.

use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::digest::{DigestThread, Form};
use super::error::{Document, MergeError};
use super::json::Reader;
use super::merger::{CHUNK_LEN, Expectations};
use super::snapshot::SnapshotVisitor;
use super::summary::MergeSummary;

/// Looks a snapshot through that is pushed to it chunk by chunk. The calls block on the threads that compute digests.
pub struct Inspector {
    reader: Reader,
    snapshot: SnapshotVisitor,
    whole: DigestThread,
}

impl Inspector {
    /// Starts.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn new(expectations: Expectations) -> Result<Inspector, MergeError> {
        let parts = DigestThread::start("snapshot's payloads", Form::Base64, Sha256::new())?;
        Ok(Inspector {
            reader: Reader::new(Document::Snapshot),
            snapshot: SnapshotVisitor::to_pass_on(expectations, parts),
            whole: DigestThread::start("data snapshot", Form::Plain, Sha256::new())?,
        })
    }

    /// Takes the next chunk, of any length, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Digest`]. After an error it is over.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        self.reader.push(chunk, &mut self.snapshot)?;
        self.snapshot.check_parts()?;
        self.whole.push(chunk)
    }

    /// The snapshot has ended: what it is. Size and digest are those of all its bytes, as they came.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where it is cut short, and as [`Inspector::push`].
    pub fn finish(mut self) -> Result<MergeSummary, MergeError> {
        self.reader.finish()?;
        self.whole.cut()?;
        let sha256 = self.whole.finish()?.first().copied().flatten();
        let unread =
            || MergeError::Digest { of: "data snapshot", reason: "its thread ended early".to_owned() };
        let size = self.reader.offset();
        self.snapshot.summary(size, sha256.ok_or_else(unread)?)?.ok_or_else(unread)
    }
}

/// Looks a snapshot through that is read from `source`. `progress` is told the bytes of each chunk.
///
/// # Errors
/// As [`Inspector`], and [`MergeError::Read`].
pub fn inspect(
    mut source: impl Read,
    expectations: Expectations,
    mut progress: impl FnMut(u64),
) -> Result<MergeSummary, MergeError> {
    let mut inspector = Inspector::new(expectations)?;
    let mut buffer = vec![0; CHUNK_LEN];
    let mut offset = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return inspector.finish(),
            Ok(read) => {
                inspector.push(&buffer[..read])?;
                offset += read as u64;
                progress(read as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(MergeError::Read { document: Document::Snapshot, offset, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use svdr_protocol::digest::Digest;

    use super::*;
    use crate::Payload;

    const SNAPSHOT: &str = concat!(
        r#" {"created_at":"2026-04-21T23:10:00Z","migration_id":6,"data_snapshot":{"acs_snapshot":"AAAA","#,
        r#""acs_timestamp":"2026-04-21T23:10:00Z","dars":[{"hash":"1220ab","content":"UEsDBA=="}]}}"#,
        "\n"
    );

    fn looked_through(text: &str) -> Result<MergeSummary, String> {
        let timestamp = "2026-04-21T23:10:00Z".parse().unwrap();
        let expectations = Expectations { timestamp, migration_id: Some(6) };
        inspect(text.as_bytes(), expectations, |_| {}).map_err(|error| error.to_string())
    }

    #[test]
    fn says_what_the_whole_and_its_parts_are() {
        let summary = looked_through(SNAPSHOT).unwrap();
        assert_eq!(summary.size, SNAPSHOT.len() as u64);
        assert_eq!(summary.sha256, Digest::of(SNAPSHOT.as_bytes()));
        let acs = Payload::Inline { size: 3, sha256: Some(Digest::of(&[0; 3])) };
        assert_eq!(summary.acs_snapshot, acs);
        assert_eq!(summary.dars[0].sha256, Some(Digest::of(b"PK\x03\x04")));
    }

    #[test]
    fn identities_are_refused_wherever_they_stand_and_however_they_are_written() {
        for key in ["identities", "\\u0069dentities"] {
            let top = SNAPSHOT.replacen('{', &format!("{{\"{key}\":{{}},"), 1);
            let inside = SNAPSHOT.replace("\"acs_snapshot\"", &format!("\"{key}\":{{}},\"acs_snapshot\""));
            let deep = SNAPSHOT.replacen('{', &format!("{{\"x\":[{{\"y\":{{\"{key}\":1}}}}],"), 1);
            for text in [top, inside, deep] {
                let error = looked_through(&text).unwrap_err();
                assert!(error.contains("identities stand in it"), "{text}: {error}");
            }
        }
    }

    #[test]
    fn payloads_in_files_of_their_own_are_refused() {
        for flag in ["\"separate_payload_files\":true,\"acs_snapshot\"", "\"acs_snapshot\""] {
            let text = SNAPSHOT.replace("\"acs_snapshot\"", flag).replace("AAAA", "acs.bin");
            looked_through(&text).unwrap_err();
        }
        let said = SNAPSHOT.replace("\"acs_snapshot\"", "\"separate_payload_files\":true,\"acs_snapshot\"");
        assert!(looked_through(&said).unwrap_err().contains("files of their own"));
        let said = SNAPSHOT.replace("\"acs_snapshot\"", "\"separate_payload_files\":false,\"acs_snapshot\"");
        looked_through(&said).unwrap();
    }

    #[test]
    fn another_snapshot_or_none_is_refused() {
        for (what, instead) in [
            ("\"migration_id\":6", "\"migration_id\":7"),
            ("acs_timestamp\":\"2026-04-21T23:10", "acs_timestamp\":\"2026-04-21T23:11"),
            ("created_at\":\"2026-04-21T23:10", "created_at\":\"2026-04-21T23:11"),
            ("AAAA", "A-AA"),
            ("}}\n", "}"),
            ("}}\n", "}} {}"),
        ] {
            assert!(SNAPSHOT.contains(what));
            looked_through(&SNAPSHOT.replace(what, instead)).unwrap_err();
        }
    }
}
