//! Publishes completed sessions as files: what validators follow, and what anybody needs to check it.
//!
//! For every completed session there are two, for any web server to hand out:
//!
//! * `SESSION.certificate.jsonl`, its completion certificate, one envelope a line;
//! * `SESSION.transcript.jsonl`, its transcript, each statement with its receipt after it.
//!
//! Those of a rehearsal begin with `drill-`. Neither has a secret, because their signers showed these statements to the
//! whole roster. So everybody may read them (0644). Rules:
//!
//! * A file appears complete or not at all, and is replaced whole. Files are written anew at every start, and
//!   whenever the session has grown: attestations that come after the completion are added.
//! * If members contradict themselves or release, so that there is no longer exactly one certificate, its file is
//!   removed. The transcript stays: it proves who did it.
//! * An error is logged, and the file is written again a second later. Members never wait for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::dsse::{Envelope, EnvelopeError};
use svdr_protocol::failure::Told;
use svdr_protocol::statement::SessionId;
use svdr_protocol::transcript;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::board::{BoardHandle, Placed};
use crate::refusal::CallRefusal;

/// How often the publisher looks for sessions that have grown: often enough for readers, and seldom enough that a burst
/// of statements is written once.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a session is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The board does not answer.
    #[error(transparent)]
    Board(#[from] CallRefusal),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file cannot be written to its end.
    #[error(
        "{} cannot be written\nhelp: check the free space of the disk",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate that is no longer valid cannot be removed.
    #[error(
        "{} cannot be removed, but the certificate in it is no longer valid\nhelp: remove the file",
        path.display()
    )]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A receipt of our own cannot be read.
    #[error("a receipt of this coordinator cannot be read\nhelp: report this as a bug in svdr")]
    Receipt(#[source] EnvelopeError),
}

/// Writes the files of completed sessions into a folder.
pub struct Publisher {
    folder: PathBuf,
    board: BoardHandle,
    key: Arc<SigningKey>,
    /// How long each session was when it was last looked at.
    seen: BTreeMap<SessionId, u64>,
    /// The last error, so that it is logged once.
    logged: Option<String>,
}

impl Publisher {
    /// A publisher into `folder`, which must exist; `key` signs the receipts.
    pub fn new(folder: PathBuf, board: BoardHandle, key: Arc<SigningKey>) -> Publisher {
        Publisher { folder, board, key, seen: BTreeMap::new(), logged: None }
    }

    /// Publishes until `stopping` becomes true, and a last time then. Blocks on files and on the board.
    pub fn run(mut self, runtime: &Handle, mut stopping: watch::Receiver<bool>) {
        loop {
            self.look(runtime);
            let stopped = runtime.block_on(async {
                // If the sender is gone, the server is stopping as well.
                tokio::time::timeout(LOOK_EVERY, stopping.wait_for(|stopping| *stopping)).await.is_ok()
            });
            if stopped {
                return self.look(runtime);
            }
        }
    }

    fn look(&mut self, runtime: &Handle) {
        // A board that no longer answers is about to stop, which is logged elsewhere.
        let Ok(lengths) = runtime.block_on(self.board.lengths()) else { return };
        let mut failed = None;
        for (session, length) in lengths {
            if self.seen.get(&session) == Some(&length) {
                continue;
            }
            match self.publish(runtime, session) {
                Ok(()) => drop(self.seen.insert(session, length)),
                Err(PublishError::Board(CallRefusal::Stopping)) => return,
                Err(error) => failed = Some((session, error)),
            }
        }
        let error = failed.map(|(session, error)| (session, Told::of(&error).in_one_line()));
        if let Some((session, error)) = &error
            && self.logged.as_ref() != Some(error)
        {
            tracing::error!(target: "svdr", %session, error, "a session cannot be published");
        }
        self.logged = error.map(|(_, error)| error);
    }

    /// Brings the files of one session up to date.
    fn publish(&self, runtime: &Handle, session: SessionId) -> Result<(), PublishError> {
        let certificate = match runtime.block_on(self.board.certificate(session)) {
            Ok(certificate) => Some(certificate),
            Err(CallRefusal::NotCompleted { .. } | CallRefusal::SeveralCertificates { .. }) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let first = runtime.block_on(self.board.page(session, 0))?.entries;
        let names =
            SessionFiles::of(&self.folder, session, first.first().is_some_and(|opening| is_drill(opening)));
        if let Some(certificate) = certificate {
            self.transcript(runtime, session, &names.transcript)?;
            return write_certificate(&certificate, &names.certificate);
        }
        match fs::remove_file(&names.certificate) {
            Ok(()) => {
                tracing::error!(
                    target: "svdr", %session, file = %names.certificate.display(),
                    "a published certificate is no longer valid, and has been removed. Run svdr-agent verify \
                     on the transcript, which names who equivocated or released"
                );
                self.transcript(runtime, session, &names.transcript)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(PublishError::Remove { path: names.certificate, source }),
        }
    }

    fn transcript(&self, runtime: &Handle, session: SessionId, path: &Path) -> Result<(), PublishError> {
        let mut file = PrivateFile::create(path, Replace::Force)?;
        let mut next = 0;
        loop {
            let entries = runtime.block_on(self.board.page(session, next))?.entries;
            let Some(last) = entries.last() else { break };
            next = last.receipt.position + 1;
            let mut text = String::new();
            for entry in &entries {
                let receipt = Envelope::from_message(entry.signed_receipt(&self.key));
                let receipt = [receipt.map_err(PublishError::Receipt)?];
                transcript::write([(entry.statement.envelope(), receipt.as_slice())], |line| {
                    text.push_str(line);
                    text.push('\n');
                });
            }
            write(&mut file, path, &text)?;
        }
        file.share()?;
        Ok(file.commit()?)
    }
}

/// The paths of one session's files.
struct SessionFiles {
    certificate: PathBuf,
    transcript: PathBuf,
}

impl SessionFiles {
    fn of(folder: &Path, session: SessionId, drill: bool) -> SessionFiles {
        let drill = if drill { "drill-" } else { "" };
        let path = |what: &str| folder.join(format!("{drill}{session}.{what}.jsonl"));
        SessionFiles { certificate: path("certificate"), transcript: path("transcript") }
    }
}

fn is_drill(opening: &Placed) -> bool {
    opening.statement.header().drill
}

/// Writes the certificate, unless it is there already as it should be.
fn write_certificate(certificate: &CompletionCertificate, path: &Path) -> Result<(), PublishError> {
    let text: String = certificate.statements().map(|one| one.envelope().to_json() + "\n").collect();
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let mut file = PrivateFile::create(path, Replace::Force)?;
    write(&mut file, path, &text)?;
    file.share()?;
    file.commit()?;
    tracing::info!(target: "svdr", session = %certificate.round().session, file = %path.display(), "certificate published");
    Ok(())
}

fn write(file: &mut PrivateFile, path: &Path, text: &str) -> Result<(), PublishError> {
    file.write_all(text.as_bytes()).map_err(|source| PublishError::Write { path: path.to_owned(), source })
}
