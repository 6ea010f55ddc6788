//! Publishes completed sessions as files: what validators follow, and what anybody needs to check it.
//!
//! For every completed session there are two, for any web server to hand out:
//!
//! * `SESSION.certificate.jsonl`, its completion certificate, one envelope a line;
//! * `SESSION.transcript.jsonl`, its transcript, each statement with its receipt behind it.
//!
//! Those of a rehearsal begin with `drill-`. Neither holds a secret, so everybody may read them (0644): they are
//! statements that their signers showed to the whole roster. Rules:
//!
//! * A file appears complete or not at all, and is replaced whole. Files are written anew at every start, and
//!   whenever the session has grown: attestations that come after the completion are added.
//! * Where members contradict themselves or release, and there is no longer exactly one certificate, its file is
//!   taken away again. The transcript stays: it is the proof of who did it.
//! * What cannot be written is told in the log and tried again at the next look. It never holds the members up.

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
use svdr_protocol::statement::SessionId;
use svdr_protocol::transcript;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::board::{BoardHandle, Entry};
use crate::incoming::Kept;
use crate::refusal::Refusal;

/// How often it is looked for sessions that have grown: nobody waits long for a file, and a session in which many
/// statements arrive is not written for each of them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a session is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The board does not answer.
    #[error(transparent)]
    Board(#[from] Refusal),
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
    /// A certificate that does not stand any more cannot be taken away.
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
    /// What went wrong last, so that it is told once.
    told: Option<String>,
}

impl Publisher {
    /// A publisher into `folder`, which has to exist; `key` signs the receipts.
    pub fn new(folder: PathBuf, board: BoardHandle, key: Arc<SigningKey>) -> Publisher {
        Publisher { folder, board, key, seen: BTreeMap::new(), told: None }
    }

    /// Publishes until `stopping` becomes true, and once more then. Blocks: on files, and on the board.
    pub fn run(mut self, runtime: &Handle, mut stopping: watch::Receiver<bool>) {
        loop {
            self.look(runtime);
            let stopped = runtime.block_on(async {
                // Where the sender is gone, the server is stopping as well.
                tokio::time::timeout(LOOK_EVERY, stopping.wait_for(|stopping| *stopping)).await.is_ok()
            });
            if stopped {
                return self.look(runtime);
            }
        }
    }

    fn look(&mut self, runtime: &Handle) {
        // A board that does not answer any more is about to stop, which is told elsewhere.
        let Ok(lengths) = runtime.block_on(self.board.lengths()) else { return };
        let mut failed = None;
        for (session, length) in lengths {
            if self.seen.get(&session) == Some(&length) {
                continue;
            }
            match self.publish(runtime, session) {
                Ok(()) => drop(self.seen.insert(session, length)),
                Err(PublishError::Board(Refusal::Stopping)) => return,
                Err(error) => failed = Some((session, error)),
            }
        }
        let told = failed.as_ref().map(|(_, error)| error.to_string());
        if let Some((session, error)) = failed
            && told != self.told
        {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(target: "svdr", %session, %error, cause, "a session cannot be published");
        }
        self.told = told;
    }

    /// Brings the files of one session up to date.
    fn publish(&self, runtime: &Handle, session: SessionId) -> Result<(), PublishError> {
        let certificate = match runtime.block_on(self.board.certificate(session)) {
            Ok(certificate) => Some(certificate),
            Err(Refusal::NotCompleted { .. } | Refusal::SeveralCertificates { .. }) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let first = runtime.block_on(self.board.page(session, 0))?.entries;
        let names = Names::of(&self.folder, session, first.first().is_some_and(|opening| is_drill(opening)));
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
struct Names {
    certificate: PathBuf,
    transcript: PathBuf,
}

impl Names {
    fn of(folder: &Path, session: SessionId, drill: bool) -> Names {
        let drill = if drill { "drill-" } else { "" };
        let path = |what: &str| folder.join(format!("{drill}{session}.{what}.jsonl"));
        Names { certificate: path("certificate"), transcript: path("transcript") }
    }
}

fn is_drill(opening: &Entry) -> bool {
    match &opening.statement {
        Kept::Known(known) => known.header().drill,
        // No session is opened with one.
        Kept::Unknown(_) => false,
    }
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
