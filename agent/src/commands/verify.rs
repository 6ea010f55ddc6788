//! `verify`: does what somebody signed hold, on any machine, with nothing but the roster?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use svdr_cli::exit::{self, CommandError, Exit};
use svdr_cli::output::{self, Output};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::{Envelope, EnvelopeError, MAX_JSON_LEN};
use svdr_protocol::equivocation;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{StatementError, Verified};

use crate::roster_file::{self, RosterFileError};

/// The most statements in one call: every member's, in every kind, many times over.
const MAX_STATEMENTS: usize = 100_000;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent verify --roster roster.toml evidence-of-*.json\n\n\
    Exit code 3 where any statement does not hold, or somebody signed two that contradict each other.")]
pub struct VerifyArgs {
    /// The roster whose members may have signed
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// Files of signed statements: DSSE envelopes in JSON, one a line; - for standard input
    #[arg(required = true, value_name = "STATEMENTS")]
    pub files: Vec<PathBuf>,
}

/// Why not everything could be said to hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// A file cannot be read.
    #[error("{} cannot be read; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in a file.
    #[error("{} holds no statement; expected DSSE envelopes in JSON, one a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There are more statements than anybody makes.
    #[error("there are more than {MAX_STATEMENTS} statements; verify fewer files at a time")]
    TooMany,
    /// Something does not hold; what, has been printed.
    #[error(
        "{failed} of {total} statements do not hold, and {equivocations} members signed two that contradict each other; use none of them before this is cleared up"
    )]
    Refused {
        /// Statements that do not hold.
        failed: usize,
        /// Statements there are.
        total: usize,
        /// Members with contradictions.
        equivocations: usize,
    },
    /// Stdout cannot be written.
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for VerifyError {
    fn exit(&self) -> Exit {
        match self {
            VerifyError::Roster(error) => error.exit(),
            VerifyError::Refused { .. } | VerifyError::Empty { .. } | VerifyError::TooMany => Exit::Refused,
            VerifyError::Read { .. } | VerifyError::Print(_) => Exit::Failed,
        }
    }
}

#[derive(Serialize)]
struct Document {
    statements: Vec<Checked>,
    equivocations: Vec<Equivocation>,
}

/// One statement and what became of it.
#[derive(Serialize)]
struct Checked {
    path: String,
    line: usize,
    holds: bool,
    kind: Option<&'static str>,
    signer: Option<MemberName>,
    session: Option<String>,
    drill: Option<bool>,
    sequence: Option<u64>,
    says: Option<String>,
    error: Option<String>,
}

/// Two statements that one signer may not both sign.
#[derive(Serialize)]
struct Equivocation {
    signer: MemberName,
    what: String,
    first: Place,
    second: Place,
}

#[derive(Clone, Serialize)]
struct Place {
    path: String,
    line: usize,
    digest: Digest,
}

/// Verifies every statement in the files and prints what each says.
///
/// # Errors
/// Where a file cannot be read, or anything in it does not hold.
pub fn run(args: &VerifyArgs, output: Output) -> Result<(), VerifyError> {
    let roster = roster_file::read(&args.roster)?;
    let mut document = Document { statements: Vec::new(), equivocations: Vec::new() };
    let mut read: BTreeMap<Digest, (Place, Arc<Verified>)> = BTreeMap::new();
    for path in &args.files {
        let before = document.statements.len();
        for_each_line(path, |line, bytes| {
            if document.statements.len() == MAX_STATEMENTS {
                return Err(VerifyError::TooMany);
            }
            let (checked, statement) = check(path, line, bytes, &roster);
            document.statements.push(checked);
            if let Some(statement) = statement {
                let (path, digest) = (path.display().to_string(), statement.digest());
                read.entry(digest).or_insert((Place { path, line, digest }, Arc::new(statement)));
            }
            Ok(())
        })?;
        if document.statements.len() == before {
            return Err(VerifyError::Empty { path: path.clone() });
        }
    }
    let place = |of: &Verified| read.get(&of.digest()).map(|(place, _)| place.clone());
    for equivocation::Equivocation { signer, contradiction, first, second } in
        equivocation::find(read.values().map(|(_, statement)| statement))
    {
        if let (Some(first), Some(second)) = (place(&first), place(&second)) {
            document.equivocations.push(Equivocation {
                signer,
                what: contradiction.to_string(),
                first,
                second,
            });
        }
    }
    let printed = match output {
        Output::Json => output::print_json(&document),
        Output::Table => output::print(&text(&document)),
    };
    printed.map_err(VerifyError::Print)?;
    let failed = document.statements.iter().filter(|checked| !checked.holds).count();
    let equivocators: std::collections::BTreeSet<_> =
        document.equivocations.iter().map(|one| &one.signer).collect();
    match (failed, equivocators.len()) {
        (0, 0) => Ok(()),
        (failed, equivocations) => {
            Err(VerifyError::Refused { failed, total: document.statements.len(), equivocations })
        }
    }
}

/// Calls `each` with the number and the bytes of every line that is not blank. A line longer than any envelope
/// is handed over cut, just long enough to be refused for its length.
fn for_each_line(
    path: &Path,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), VerifyError>,
) -> Result<(), VerifyError> {
    let read = |source| VerifyError::Read { path: path.to_owned(), source };
    let mut reader: Box<dyn io::BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(read)?))
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length =
            (&mut reader).take(MAX_JSON_LEN as u64 + 1).read_until(b'\n', &mut line).map_err(read)?;
        if length == 0 {
            break;
        }
        if line.len() > MAX_JSON_LEN && line.last() != Some(&b'\n') {
            reader.skip_until(b'\n').map_err(read)?;
        }
        let trimmed = line.trim_ascii();
        if !trimmed.is_empty() {
            each(number, trimmed)?;
        }
    }
    Ok(())
}

/// Verifies one line; with the statement where it holds.
fn check(path: &Path, line: usize, bytes: &[u8], roster: &Roster) -> (Checked, Option<Verified>) {
    let path = path.display().to_string();
    let read = Envelope::from_json(bytes)
        .map_err(|error: EnvelopeError| StatementError::from(error))
        .and_then(|envelope| Verified::read(envelope, roster));
    match read {
        Ok(statement) => {
            let header = statement.header();
            let checked = Checked {
                path,
                line,
                holds: true,
                kind: Some(statement.body().kind()),
                signer: Some(header.signer.clone()),
                session: statement.session().map(|session| session.to_string()),
                drill: Some(header.drill),
                sequence: Some(header.sequence),
                says: Some(statement.body().to_string()),
                error: None,
            };
            (checked, Some(statement))
        }
        Err(error) => {
            let error = Some(exit::explain(&error).trim_start_matches("error: ").to_owned());
            let checked = Checked {
                path,
                line,
                holds: false,
                kind: None,
                signer: None,
                session: None,
                drill: None,
                sequence: None,
                says: None,
                error,
            };
            (checked, None)
        }
    }
}

fn text(document: &Document) -> String {
    let mut table = output::table(&["statement", "holds", "by", "kind", "says"]);
    for checked in &document.statements {
        let place = format!("{}:{}", checked.path, checked.line);
        let (holds, says) = match (&checked.says, &checked.error) {
            (Some(says), _) => ("yes", says.clone()),
            (None, error) => ("NO", error.clone().unwrap_or_default()),
        };
        let drill = if checked.drill == Some(true) { " (drill)" } else { "" };
        let kind = checked.kind.map(|kind| format!("{kind}{drill}")).unwrap_or_default();
        let signer = checked.signer.as_ref().map(ToString::to_string).unwrap_or_default();
        table.add_row([exit::shown(&place), holds.to_owned(), signer, kind, says]);
    }
    let mut text = table.to_string();
    for Equivocation { signer, what, first, second } in &document.equivocations {
        text += &format!(
            "\n\nEQUIVOCATION: {signer} signed {what}:\n  {}:{} ({})\n  {}:{} ({})",
            exit::shown(&first.path),
            first.line,
            first.digest,
            exit::shown(&second.path),
            second.line,
            second.digest
        );
    }
    text
}
