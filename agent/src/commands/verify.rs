//! `verify`: does what somebody signed hold, on any machine, with nothing but the roster?
//!
//! It takes transcripts, certificates and single statements, in any mix: lines of envelopes, whose order means
//! nothing. All of it is [`transcript::verify`](svdr_protocol::transcript); here lines are read and the report is
//! shown. Nothing is asked of any service.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::screens::heading::Style;
use svdr_files::FileIoError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::transcript::Verifier;

use crate::envelope_lines::{MAX_LINES, for_each_line};
use crate::roster_file;

mod document;
mod text;

use document::VerifyDocument;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  svdr-agent verify --roster roster.toml session.jsonl\n  \
    svdr-agent verify --roster roster.toml --completed certificate.jsonl\n  \
    svdr-agent verify --roster roster.toml evidence-of-*.json\n\n\
    Exit code 3 if anything is invalid: a signature, the hash chain of a coordinator, a proposal that does not follow \
    from its evidence, or two statements of one member that contradict each other.")]
pub struct VerifyArgs {
    /// The roster whose members may have signed
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// Also exit with 3 unless the files have exactly one completion certificate of a real session
    #[arg(long)]
    pub completed: bool,
    /// List every line, even of long files
    #[arg(long)]
    pub lines: bool,
    /// Transcripts, certificates and statements: DSSE envelopes in JSON, one a line; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Why not everything could be said to hold.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error(
        "{} contains no statement\nhelp: give a file of DSSE envelopes in JSON, one a line",
        path.display()
    )]
    Empty { path: PathBuf },
    #[error("the files have more than {MAX_LINES} lines\nhelp: verify fewer files at a time")]
    TooMany,
    #[error(
        "not everything is valid: {}\nhelp: do not use these files before this is resolved",
        findings.join(", ")
    )]
    Refused { findings: Vec<String> },
    #[error(
        "everything is valid, but there is no completion certificate of a real session, so nothing may be \
         imported\n\
         help: get the whole transcript with `svdr-coordinator session export`"
    )]
    NotCompleted,
}

impl CommandError for VerifyError {
    fn exit(&self) -> Exit {
        match self {
            VerifyError::Refused { .. }
            | VerifyError::NotCompleted
            | VerifyError::Empty { .. }
            | VerifyError::TooMany => Exit::Refused,
            VerifyError::Io(error) => error.exit(),
        }
    }
}

/// Where each line that was read stands.
#[derive(Debug, Default)]
struct Places(Vec<(PathBuf, usize)>);

impl Places {
    /// The file and the line of the line with that number in all files together, from 1.
    fn of(&self, number: usize) -> (String, usize) {
        let place = number.checked_sub(1).and_then(|at| self.0.get(at));
        place.map_or((String::new(), 0), |(path, line)| (path.display().to_string(), *line))
    }
}

/// Verifies every line of the files and prints what holds.
///
/// # Errors
/// Where a file cannot be read, or anything in it does not hold.
pub fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let roster = Arc::new(roster_file::read(&args.roster)?);
    let (document, completed) = read(&args.files, &roster)?;
    output.show(&document, || text::text(&document, args.lines, Style::of_stdout()))?;
    match document.holds {
        false => Err(VerifyError::Refused { findings: document.findings() }.into()),
        true if args.completed && completed != 1 => Err(VerifyError::NotCompleted.into()),
        true => Ok(()),
    }
}

/// Reads and verifies the files; with the number of completion certificates of real sessions in them.
fn read(
    files: &[PathBuf],
    roster: &Arc<svdr_protocol::roster::Roster>,
) -> Result<(VerifyDocument, usize), VerifyError> {
    let mut verifier = Verifier::new(Arc::clone(roster));
    let mut places = Places::default();
    for path in files {
        let before = places.0.len();
        let unreadable = FileIoError::read("", path);
        let failed = |source| unreadable(source).into();
        for_each_line(path, failed, |line, bytes| {
            if places.0.len() == MAX_LINES {
                return Err(VerifyError::TooMany);
            }
            places.0.push((path.clone(), line));
            verifier.line(places.0.len(), bytes);
            Ok(())
        })?;
        if places.0.len() == before {
            return Err(VerifyError::Empty { path: path.clone() });
        }
    }
    let report = verifier.finish();
    let real = report.sessions.iter().filter(|one| !one.session.drill());
    let completed = real.map(|one| one.completed.len()).sum();
    Ok((VerifyDocument::of(&report, &places), completed))
}

#[cfg(test)]
mod tests;
