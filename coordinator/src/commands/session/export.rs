//! `session export` and `session certificate`: what a session leaves behind, checked before it is written.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::screens::facts::phase_name;
use svdr_client::{Connection, ReceivedEntry, completion_certificate};
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::time::Timestamp;
use svdr_protocol::transcript;

use super::signer::Signer;
use super::{choose, read};

/// Arguments of `session export`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-coordinator session export 0123… --out session.jsonl\n\n\
    svdr-agent verify verifies the transcript on any machine, with the roster alone.")]
pub struct ExportArgs {
    /// The session's id, or at least its first 4 digits
    pub session: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `session certificate`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-coordinator session certificate 0123… --out certificate.jsonl\n\n\
    Members and observers can write it. It contains no secret: give it to every validator's operator, who makes the dump \
    with svdr-agent validator dump --certificate certificate.jsonl. svdr-agent verify --completed verifies the certificate \
    on any machine, with the roster alone.")]
pub struct CertificateArgs {
    /// The session's id, or at least its first 4 digits
    pub session: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// What is printed of a transcript that has been written.
#[derive(Serialize)]
struct Exported {
    session: String,
    statements: usize,
    state: &'static str,
    path: String,
}

/// Writes the transcript, entry by entry as it arrives: a session of a large network has more than memory should hold.
pub(super) async fn transcript(
    signer: &Signer,
    connection: &mut Connection,
    args: &ExportArgs,
    output: Output,
) -> Result<(), Failure> {
    let mut file = BufWriter::new(PrivateFile::create(&args.out, Replace::from_force(args.force))?);
    let mut statements = 0;
    let failed = |error| FileError::of_write(&args.out, error);
    let session = read(signer, connection, &args.session, |entry| {
        statements += 1;
        Ok(file.write_all(lines(entry).as_bytes()).map_err(failed)?)
    })
    .await?;
    file.into_inner().map_err(|error| failed(error.into_error()))?.commit()?;
    let exported = Exported {
        session: session.id().to_string(),
        statements,
        state: phase_name(session.phase()),
        path: args.out.display().to_string(),
    };
    let Exported { session, statements, state, path } = &exported;
    Ok(output.show(&exported, || {
        format!("{statements} statements of session {session} ({state}) are in {path}")
    })?)
}

/// A statement and its receipt, each on a line.
fn lines(entry: &ReceivedEntry) -> String {
    let mut text = String::new();
    let receipt = std::slice::from_ref(entry.receipt.envelope());
    transcript::write([(&entry.statement, receipt)], |line| {
        text.push_str(line);
        text.push('\n');
    });
    text
}

/// What is printed of a certificate that has been written.
#[derive(Serialize)]
struct Certified {
    session: String,
    drill: bool,
    round: u32,
    recovery_timestamp: Timestamp,
    migration_id: u64,
    attested_by: Vec<String>,
    path: String,
}

/// Writes the completion certificate.
pub(super) async fn certificate(
    signer: &Signer,
    connection: &mut Connection,
    args: &CertificateArgs,
    output: Output,
) -> Result<(), Failure> {
    let id = choose(connection, &args.session).await?;
    let certificate = completion_certificate(connection, &signer.roster, id).await?;
    let text: String = certificate.statements().map(|one| one.envelope().to_json() + "\n").collect();
    svdr_files::write_private(&args.out, text.as_bytes(), Replace::from_force(args.force))?;
    let certified = Certified {
        session: id.to_string(),
        drill: certificate.agreement().drill(),
        round: certificate.round().round,
        recovery_timestamp: certificate.recovery_timestamp(),
        migration_id: certificate.agreement().plan().migration_id(),
        attested_by: certificate.attestations().keys().map(ToString::to_string).collect(),
        path: args.out.display().to_string(),
    };
    Ok(output.show(&certified, || summary(&certified))?)
}

fn summary(certified: &Certified) -> String {
    let Certified { session, drill, round, recovery_timestamp, migration_id, attested_by, path } = certified;
    let kind = if *drill { "DRILL session, not to be imported by anybody:" } else { "session" };
    format!(
        "the certificate of {kind} {session}, completed in round {round}, is in {path}\n\
         back to {recovery_timestamp}, migration id {migration_id}, attested by {}",
        attested_by.join(", ")
    )
}
