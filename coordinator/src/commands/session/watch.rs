//! `session watch`: the screen of `session show`, drawn in place in a terminal; a line a statement where it is not one.
//!
//! A broken stream is resumed where it ended, through whichever coordinator of the configuration can be reached;
//! everything is verified as in `session show`.

use std::sync::Arc;

use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output, PrintError};
use svdr_cli::screens::facts::{SessionFacts, phase_name};
use svdr_cli::screens::heading::Style;
use svdr_cli::screens::live::{self, Live};
use svdr_cli::screens::screen;
use svdr_client::retry::Backoff;
use svdr_client::{CallError, Connection, SessionError, SessionReader, Verdict, WatchEvent};
use svdr_protocol::failure::in_one_line;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{SessionId, Verified};

use super::signer::Signer;

/// What shows a watched session.
enum Sink {
    Live(Live),
    /// A line for each statement.
    Lines,
    /// A document for each statement.
    Json,
}

/// How a stream ended.
enum Ended {
    /// The session is completed or aborted.
    Done,
    /// It broke and can be resumed.
    Broken,
}

pub(super) async fn run(
    signer: &Signer,
    mut connection: Connection,
    session: SessionId,
    output: Output,
) -> Result<(), Failure> {
    let mut reader = SessionReader::new(session, Arc::clone(&signer.roster));
    let mut sink = match (output, Live::of_stdout()) {
        (Output::Json, _) => Sink::Json,
        (Output::Table, Some(live)) => Sink::Live(live),
        (Output::Table, None) => Sink::Lines,
    };
    let mut backoff = Backoff::new();
    loop {
        let before = reader.next();
        if let Ended::Done = follow(&mut connection, session, &mut reader, &mut sink).await? {
            return Ok(());
        }
        if reader.next() > before {
            backoff.succeeded();
        }
        tokio::time::sleep(backoff.failed()).await;
        match signer.coordinators.connect(0).await {
            Ok(connected) => {
                if connected.coordinator() != connection.coordinator() {
                    reader.begin_again();
                }
                connection = connected;
            }
            Err(error) => tracing::warn!("{}", in_one_line(&error)),
        }
    }
}

async fn follow(
    connection: &mut Connection,
    session: SessionId,
    reader: &mut SessionReader,
    sink: &mut Sink,
) -> Result<Ended, Failure> {
    let mut watch = match connection.watch(session, reader.next()).await {
        Ok(watch) => watch,
        Err(error) => return broken(error, reader),
    };
    loop {
        let entry = match watch.next().await {
            Ok(WatchEvent::Entry(entry)) => entry,
            Ok(WatchEvent::KeepAlive) => continue,
            Err(error) => return broken(error, reader),
        };
        let verdict = match reader.follow(&connection.coordinator().url, &entry) {
            Err(SessionError::Call(error)) => return broken(error, reader),
            followed => followed?,
        };
        let statement = match verdict {
            Some(Verdict::Counts(statement)) => Some(statement),
            Some(Verdict::Kept(_)) => None,
            // Known from another coordinator, or left out: the log says why.
            None | Some(Verdict::Unreadable | Verdict::Invalid) => continue,
        };
        let Some(session) = reader.session() else { continue };
        sink.show(session, entry.position, statement.as_deref())?;
        if matches!(session.phase(), Phase::Completed(_) | Phase::Verified(_) | Phase::Aborted) {
            return Ok(Ended::Done);
        }
    }
}

/// A broken connection is resumed; a coordinator that refuses or lies is not asked again. One that has begun another
/// journal is read from its beginning, once it has been given the session.
fn broken(error: CallError, reader: &mut SessionReader) -> Result<Ended, Failure> {
    match error {
        CallError::OtherJournal { .. } => reader.begin_other_journal(),
        _ if error.is_unknown() && reader.session().is_some() => reader.begin_other_journal(),
        _ if error.is_broken_connection() => {}
        _ => return Err(error.into()),
    }
    tracing::warn!("{}. Reconnecting", in_one_line(&error));
    Ok(Ended::Broken)
}

/// One statement, as it is printed in JSON.
#[derive(Serialize)]
struct Line<'a> {
    position: u64,
    kind: &'a str,
    signer: Option<&'a str>,
    says: Option<String>,
    state: &'static str,
    round: u32,
    drill: bool,
}

impl Sink {
    /// Shows the statement at `position`, or the session with it; `None` is one of an unknown kind.
    fn show(
        &mut self,
        session: &Session,
        position: u64,
        statement: Option<&Verified>,
    ) -> Result<(), PrintError> {
        match self {
            Sink::Live(live) => {
                let style = Style { width: live.width(), ..Style::of_stdout() };
                Ok(live.draw(&screen(&SessionFacts::of(session), None, style))?)
            }
            Sink::Lines => {
                let line = statement.map_or_else(|| "of an unknown kind".to_owned(), live::line);
                output::print(&format!("{position} {line}"))
            }
            Sink::Json => output::print_json(&Line {
                position,
                kind: statement.map_or("unknown", |one| one.body().kind()),
                signer: statement.map(|one| one.signer().as_str()),
                says: statement.map(|one| one.body().to_string()),
                state: phase_name(session.phase()),
                round: session.latest_round(),
                drill: session.drill(),
            }),
        }
    }
}
