//! This SV's evidence, from wherever it has it: logs, programs that print logs, and the participant's admin API.
//!
//! ```text
//! logs, outputs of programs ─ svdr_logs::read ─┐
//! participant ────── windows ─── two calls ────┴─ merge ─ document
//! ```
//!
//! What any source reports counts, and where two contradict each other the document's warnings name the pair and the ticks.
//! A log that cannot be read is an error, as is a program that fails: nobody must take the rest for complete. After a
//! disaster the participant can be gone for good, so beside logs its failure is a warning.

mod participant;
mod programs;
mod windows;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use svdr_canton::{NodeSettings, NodeUrl};
use svdr_logs::{Bound, Effort, LogsError, LogsRequest};
use svdr_protocol::evidence::EvidenceError;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::evidence::merge::{Contradiction, Merged, merge};
use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::Tick;
use tokio::task::JoinError;

pub use participant::ParticipantError;
use participant::Reading;
pub(crate) use participant::read as read_participant;
pub use programs::ProgramError;
use programs::Programs;

/// Ticks of one pair that a warning names; the others are counted.
const MAX_TICKS_NAMED: usize = 12;

/// What to read, and which part of it counts.
#[derive(Clone, Debug)]
pub struct EvidenceOrder {
    /// Logs: files, folders and patterns.
    pub logs: Vec<PathBuf>,
    /// Programs that print logs, each with its arguments.
    pub commands: Vec<Vec<String>>,
    /// The participant's admin API.
    pub participant: Option<NodeSettings>,
    /// The oldest tick that counts.
    pub since: Option<Bound>,
    /// The newest tick that counts.
    pub until: Option<Bound>,
    /// The participant whose lines count, as loggers name it, if several write into the logs.
    pub logger_participant: Option<String>,
    /// How to read logs; without influence on the result.
    pub effort: Effort,
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The logs.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// A program that prints a log.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The participant.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
    /// What the sources report together is no evidence.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// There is nothing to read.
    #[error(
        "no source of evidence is given\nhelp: name logs, commands or the participant in [evidence] of agent.toml"
    )]
    NoSource,
    /// The thread that read the logs has died.
    #[error("the thread that reads the logs stopped unexpectedly\nhelp: report this as a bug in svdr")]
    Died(#[from] JoinError),
}

impl CommandError for GatherError {
    fn exit(&self) -> Exit {
        match self {
            GatherError::Logs(error) => error.exit(),
            GatherError::Program(error) => error.exit(),
            GatherError::Participant(error) => error.exit(),
            GatherError::Evidence(error) => error.exit(),
            GatherError::NoSource => Exit::Usage,
            GatherError::Died(_) => Exit::Failed,
        }
    }
}

/// Reads every source, `what` being the words beside the progress.
///
/// # Errors
/// [`GatherError`] if a log cannot be read, the participant is another one, or there is no source that could be read.
pub async fn gather(
    order: EvidenceOrder,
    roster: Arc<Roster>,
    member: MemberName,
    what: &'static str,
) -> Result<EvidenceDocument, GatherError> {
    let EvidenceOrder { logs, commands, participant, since, until, logger_participant, effort } = order;
    let from_logs = async {
        if logs.is_empty() && commands.is_empty() {
            return Ok(None);
        }
        let (roster, member) = (Arc::clone(&roster), member.clone());
        let (programs, pipes) = Programs::start(&commands)?;
        let reading = tokio::task::spawn_blocking(move || {
            let progress = svdr_cli::progress::Progress::bytes(what, None);
            let (roster, member, paths, pipes) = (&*roster, &member, logs.as_slice(), pipes.as_slice());
            svdr_logs::read(&LogsRequest {
                roster,
                member,
                since,
                until,
                logger_participant: logger_participant.as_deref(),
                paths,
                pipes,
                effort,
                on_bytes: &|bytes| progress.advance(bytes),
            })
        });
        Ok::<_, GatherError>(Some(programs.end(programs::LIMIT, reading).await???))
    };
    let from_participant = async {
        match &participant {
            Some(settings) => {
                Some((&settings.url, participant::read(settings, &roster, &member, since, until).await))
            }
            None => None,
        }
    };
    let (from_logs, from_participant) = tokio::join!(from_logs, from_participant);
    match (from_logs?, from_participant) {
        (None, None) => Err(GatherError::NoSource),
        (Some(document), None) => Ok(document),
        (None, Some((_, reading))) => Ok(reading?.into_document(&roster)),
        (Some(document), Some((url, Ok(reading)))) => together(document, url, reading, &roster),
        (Some(_), Some((_, Err(error)))) if error.exit() == Exit::Refused => Err(error.into()),
        (Some(mut document), Some((url, Err(error)))) => {
            document.warnings.push(format!(
                "the participant {url} gave no evidence, so mismatches that only it knows are missing: {}",
                in_one_line(&error)
            ));
            Ok(document)
        }
    }
}

/// One document of what the logs and the participant report.
fn together(
    logs: EvidenceDocument,
    url: &NodeUrl,
    reading: Reading,
    roster: &Roster,
) -> Result<EvidenceDocument, GatherError> {
    let Merged { evidence, contradictions } =
        merge(&logs.evidence(roster)?, std::slice::from_ref(&reading.evidence))?;
    let mut document = EvidenceDocument {
        sources: logs.sources,
        outside_roster: logs.outside_roster,
        warnings: logs.warnings,
        ..EvidenceDocument::new(&evidence, roster)
    };
    document.sources.push(reading.source);
    document.warnings.extend(reading.warnings);
    document.warnings.extend(contradicting(&contradictions, url));
    Ok(document)
}

/// What to say about pairs of which the logs, the first source, and the participant, the second, say opposite things.
fn contradicting(contradictions: &[Contradiction], url: &NodeUrl) -> Vec<String> {
    let mut by_pair: BTreeMap<(&MemberName, bool), Vec<Tick>> = BTreeMap::new();
    for Contradiction { counterparty, tick, mismatched_by, .. } in contradictions {
        let only_participant = !mismatched_by.contains(&0);
        by_pair.entry((counterparty, only_participant)).or_default().push(*tick);
    }
    let told = by_pair.into_iter().map(|((counterparty, only_participant), ticks)| {
        let (mismatch, matched) = match only_participant {
            true => (format!("the participant {url}"), "the logs".to_owned()),
            false => ("the logs".to_owned(), format!("the participant {url}")),
        };
        format!(
            "{counterparty} at {}: a mismatch in {mismatch}, but a match in {matched}. The mismatch counts",
            named(&ticks)
        )
    });
    told.collect()
}

/// Ticks as a warning names them.
fn named(ticks: &[Tick]) -> String {
    let shown: Vec<String> = ticks.iter().take(MAX_TICKS_NAMED).map(ToString::to_string).collect();
    match ticks.len().saturating_sub(MAX_TICKS_NAMED) {
        0 => shown.join(", "),
        1 => format!("{} and 1 more tick", shown.join(", ")),
        more => format!("{} and {more} more ticks", shown.join(", ")),
    }
}
