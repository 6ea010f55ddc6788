//! `evidence`: what do this participant's logs say about the other members?

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, SystemTimeError};

use clap::Args;
use ed25519_dalek::SigningKey;
use svdr_cli::output::{self, Output};
use svdr_cli::progress::Progress;
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::evidence::EvidenceError;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::span::{self, SpanError};
use svdr_protocol::statement::{Body, Header, Statement, StatementError};
use svdr_protocol::time::{Tick, Timestamp};

use super::SOFTWARE;
use crate::roster_file::{self, RosterFileError};
use svdr_cli::signing_key::{self, SigningKeyError};
use svdr_logs::{Bound, Effort, LogsError, LogsRequest};

/// Arguments of `evidence`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --since 48h /var/log/canton\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --output json 'participant*.log*' > sv-1.json\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --sign signing.key --out sv-1.dsse /var/log/canton\n  \
    kubectl logs participant-0 | svdr-agent evidence --roster roster.toml --member SV-1 -\n\n\
    The format is detected automatically: text and JSON of Canton, in the wrappers of kubelet, docker, lnav and log \
    platforms, plain, gzip or zstd.")]
pub struct EvidenceArgs {
    /// The roster
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// The member whose participant wrote the logs
    #[arg(long, value_name = "NAME")]
    pub member: MemberName,
    /// Oldest tick that counts: RFC 3339, or a duration back from the newest tick, such as 48h
    #[arg(long, value_name = "T", value_parser = bound)]
    pub since: Option<Bound>,
    /// Newest tick that counts, in the same forms
    #[arg(long, value_name = "T", value_parser = bound)]
    pub until: Option<Bound>,
    /// Sign the evidence with this signing key, as a statement outside of any session
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// The file to write, signed or as JSON; without it, --sign prints the signed statement
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Logs: files, folders, patterns such as '*.log*'; - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// The text bounds no window.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is neither a time nor a duration\n\
     help: write a time such as 2026-04-21T23:10:00Z, or a duration such as 48h"
)]
pub struct BoundError(#[source] SpanError);

/// Reads a bound of the window; for use as a clap value parser.
///
/// # Errors
/// Where the text is neither a timestamp nor a duration.
pub fn bound(text: &str) -> Result<Bound, BoundError> {
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(Bound::At(at)),
        Err(_) => span::parse(text).map(Bound::Back).map_err(BoundError),
    }
}

/// Why no evidence is printed.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceCommandError {
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The logs cannot be scanned.
    #[error(transparent)]
    Scan(#[from] LogsError),
    /// The key that is to sign cannot be used.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The key that is to sign is somebody else's.
    #[error(
        "the signing key {} is {found}, but the key of {member} in the roster is {expected}\n\
         help: give the signing key of {member}",
        path.display()
    )]
    OtherKey {
        /// The key file.
        path: PathBuf,
        /// The member whose logs these are.
        member: MemberName,
        /// Its key in the roster.
        expected: Box<PublicKey>,
        /// The key in the file.
        found: Box<PublicKey>,
    },
    /// What was found contradicts the roster.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The evidence cannot be signed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The clock stands before 1970.
    #[error(
        "the clock of this machine shows a time before 1970, so the evidence would have no sequence number\n\
         help: set the clock"
    )]
    Clock(#[source] SystemTimeError),
    /// The document has no JSON form.
    #[error("the evidence cannot be written as JSON\nhelp: report this as a bug in svdr")]
    Json(#[source] serde_json::Error),
    /// The result's file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The result's file cannot be written to.
    #[error("{} cannot be written\nhelp: check the free space of its disk", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Stdout cannot be written.
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for EvidenceCommandError {
    fn exit(&self) -> Exit {
        match self {
            EvidenceCommandError::Roster(error) => error.exit(),
            EvidenceCommandError::Scan(LogsError::NotAMember { .. } | LogsError::BackwardWindow { .. }) => {
                Exit::Usage
            }
            EvidenceCommandError::File(error) => error.exit(),
            EvidenceCommandError::OtherKey { .. }
            | EvidenceCommandError::Evidence(_)
            | EvidenceCommandError::Statement(_)
            | EvidenceCommandError::Identity(
                SigningKeyError::NotAKey { .. } | SigningKeyError::TooLong { .. },
            ) => Exit::Refused,
            EvidenceCommandError::Scan(_)
            | EvidenceCommandError::Identity(_)
            | EvidenceCommandError::Clock(_)
            | EvidenceCommandError::Json(_)
            | EvidenceCommandError::Write { .. }
            | EvidenceCommandError::Print(_) => Exit::Failed,
        }
    }
}

/// Scans the logs and prints the evidence.
///
/// # Errors
/// [`EvidenceCommandError`]; warnings are none, they go to stderr.
pub fn run(args: &EvidenceArgs, output: Output) -> Result<(), EvidenceCommandError> {
    let roster = roster_file::read(&args.roster)?;
    // What can go wrong without the logs goes wrong before they are read.
    let key = args.sign.as_deref().map(|path| signing_key(path, &args.member, &roster)).transpose()?;
    let replace = Replace::from_force(args.force);
    let file = args.out.as_ref().map(|path| PrivateFile::create(path, replace)).transpose()?;
    let document = {
        let progress = Progress::bytes("reading logs", None);
        let request = LogsRequest {
            roster: &roster,
            member: &args.member,
            since: args.since,
            until: args.until,
            paths: &args.paths,
            effort: Effort::mapped(),
            on_bytes: &|bytes| progress.advance(bytes),
        };
        svdr_logs::read(&request)?
    };
    for warning in &document.warnings {
        eprintln!("warning: {warning}");
    }
    let signed = key.map(|key| sign(&document, &roster, &key)).transpose()?;
    let printed = match (file, &signed) {
        (None, Some(signed)) => return output::print(signed).map_err(EvidenceCommandError::Print),
        (None, None) => output,
        (Some(file), signed) => {
            let text = match signed {
                Some(signed) => signed.clone(),
                None => serde_json::to_string(&document).map_err(EvidenceCommandError::Json)?,
            };
            write(file, &text)?;
            output
        }
    };
    let printed = match printed {
        Output::Json => output::print_json(&document),
        Output::Table => output::print(&text(&document, &roster)),
    };
    printed.map_err(EvidenceCommandError::Print)
}

/// The key in `path`, where the roster says that `member` signs with it.
fn signing_key(
    path: &Path,
    member: &MemberName,
    roster: &Roster,
) -> Result<SigningKey, EvidenceCommandError> {
    let key = signing_key::read(path)?;
    let found = PublicKey::from(key.verifying_key());
    match roster.member(member) {
        None => Err(LogsError::not_a_member(member, roster).into()),
        Some(listed) if listed.key != found => Err(EvidenceCommandError::OtherKey {
            path: path.to_owned(),
            member: member.clone(),
            expected: Box::new(listed.key),
            found: Box::new(found),
        }),
        Some(_) => Ok(key),
    }
}

/// The evidence as a signed statement outside of any session, in JSON. Its sequence number is the time in
/// microseconds, so that of two scans the later one counts.
fn sign(
    document: &EvidenceDocument,
    roster: &Roster,
    key: &SigningKey,
) -> Result<String, EvidenceCommandError> {
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(EvidenceCommandError::Clock)?;
    let header = Header {
        session: None,
        roster: roster.fingerprint(),
        drill: false,
        signer: document.member.clone(),
        sequence: u64::try_from(now.as_micros()).unwrap_or(u64::MAX),
        software: SOFTWARE.to_owned(),
    };
    let statement = Statement { header, body: Body::Evidence(document.evidence(roster)?) };
    Ok(statement.sign(key)?.to_json())
}

/// Writes `text` as a line, and the file becomes visible under its name.
fn write(mut file: PrivateFile, text: &str) -> Result<(), EvidenceCommandError> {
    let path = file.path().to_owned();
    let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n"));
    written.map_err(|source| EvidenceCommandError::Write { path, source })?;
    Ok(file.commit()?)
}

/// The document as a person reads it.
fn text(document: &EvidenceDocument, roster: &Roster) -> String {
    let mut members =
        output::table(&["member", "matches", "oldest", "newest", "mismatches", "newest mismatch"]);
    for member in roster.members().iter().filter(|member| member.name != document.member) {
        let matches = document.matches.iter().find(|matches| matches.counterparty == member.name);
        let ticks = matches.map(|matches| matches.ticks.as_slice()).unwrap_or_default();
        let mismatches: Vec<Tick> = document
            .mismatches
            .iter()
            .filter(|mismatch| mismatch.counterparty == member.name)
            .map(|mismatch| mismatch.tick)
            .collect();
        let shown = |tick: Option<&Tick>| tick.map_or_else(|| "-".to_owned(), ToString::to_string);
        members.add_row([
            member.name.to_string(),
            ticks.len().to_string(),
            shown(ticks.first()),
            shown(ticks.last()),
            mismatches.len().to_string(),
            shown(mismatches.last()),
        ]);
    }
    let mut sources = output::table(&["source", "bytes read", "lines", "about commitments", "unreadable"]);
    for source in &document.sources {
        sources.add_row([
            source.path.clone(),
            source.bytes.to_string(),
            source.lines.to_string(),
            source.commitment_lines.to_string(),
            source.unreadable_lines.to_string(),
        ]);
    }
    let span = document.log_span.map_or_else(
        || "unknown: no line has a time in a known zone".to_owned(),
        |span| format!("{} to {}", span.first, span.last),
    );
    let synchronizers = match document.synchronizers.as_slice() {
        [] => "none named".to_owned(),
        named => named.join(", "),
    };
    format!(
        "member         {}\nparticipant    {}\nsynchronizer   {synchronizers}\nlog lines      {span}\n\n\
         {members}\n\n{sources}\n\n\
         unattributed mismatches  {}\noutside of the roster    {} matches with {} participants\n",
        document.member,
        document.participant,
        document.unattributed_mismatches,
        document.outside_roster.matches,
        document.outside_roster.participants,
    )
}
