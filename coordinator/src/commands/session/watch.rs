//! `session watch`: the screen of `session show`, drawn in place in a terminal; a line a statement where it is not one.
//!
//! A broken stream is resumed where it ended, through whichever coordinator of the configuration can be reached;
//! everything is verified as in `session show`.

use std::io;
use std::time::Duration;

use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_cli::screens::facts::{SessionFacts, phase_name};
use svdr_cli::screens::heading::Style;
use svdr_cli::screens::live::{self, Live};
use svdr_cli::screens::screen;
use svdr_proto::limits::KEEP_ALIVE_INTERVAL;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::SessionId;
use tonic::Code;

use super::SessionCommandError;
use crate::convener::client::{Checked, Client, ClientError, Followed};
use crate::convener::config::Config;

/// A stream that says nothing for so long is broken.
const SILENCE: Duration = KEEP_ALIVE_INTERVAL.saturating_mul(3);
/// The pause before the first try to resume; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Where a watched session goes to.
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
    config: &Config,
    mut client: Client,
    id: SessionId,
    output: Output,
) -> Result<(), SessionCommandError> {
    let mut followed = Followed::new(id);
    let mut sink = match (output, Live::of_stdout()) {
        (Output::Json, _) => Sink::Json,
        (Output::Table, Some(live)) => Sink::Live(live),
        (Output::Table, None) => Sink::Lines,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let before = followed.len();
        if let Ended::Done = follow(&mut client, &mut followed, &mut sink).await? {
            return Ok(());
        }
        pause = if followed.len() > before { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause).await;
        match Client::connect(config).await {
            Ok(connected) => {
                if connected.coordinator() != client.coordinator() {
                    followed.restart_chain();
                }
                client = connected;
            }
            Err(ClientError::NoCoordinator { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn follow(
    client: &mut Client,
    followed: &mut Followed,
    sink: &mut Sink,
) -> Result<Ended, SessionCommandError> {
    let mut stream = match client.watch(followed).await {
        Ok(stream) => stream,
        Err(error) => return broken(error),
    };
    loop {
        let message = match tokio::time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) | Err(_) => return Ok(Ended::Broken),
            Ok(Err(status)) => return broken(status.into()),
        };
        let Some(Event::Entry(entry)) = message.event else { continue };
        let known = followed.session.as_ref().map_or(0, Session::len);
        let checked = client.check(entry, followed)?;
        let Some(session) = &followed.session else { continue };
        // After a change of coordinator its transcript starts anew; what is known is not told twice.
        if session.len() > known || checked.statement.is_none() {
            sink.tell(session, &checked).map_err(SessionCommandError::Print)?;
        }
        if matches!(session.phase(), Phase::Completed(_) | Phase::Verified(_) | Phase::Aborted) {
            return Ok(Ended::Done);
        }
    }
}

/// Whether to try again: where the coordinator or the way to it failed, not where it refused.
fn broken(error: ClientError) -> Result<Ended, SessionCommandError> {
    match &error {
        ClientError::Call { status }
            if matches!(
                status.code(),
                Code::Unavailable
                    | Code::Unknown
                    | Code::Cancelled
                    | Code::Internal
                    | Code::ResourceExhausted
            ) =>
        {
            tracing::warn!(target: "svdr", reason = status.message(), "the stream broke. Continuing");
            Ok(Ended::Broken)
        }
        _ => Err(error.into()),
    }
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
    /// Shows a statement that has come, or the session with it.
    fn tell(&mut self, session: &Session, checked: &Checked) -> io::Result<()> {
        let statement = checked.statement.as_deref();
        match self {
            Sink::Live(live) => {
                let style = Style { width: live.width(), ..Style::of_stdout() };
                live.draw(&screen(&SessionFacts::of(session), None, style))
            }
            Sink::Lines => {
                let position = checked.receipt.receipt().position;
                // Of a kind for newer versions, nothing but its place is known.
                let line = statement.map_or_else(|| "of an unknown kind".to_owned(), live::line);
                output::print(&format!("{position} {line}"))
            }
            Sink::Json => output::print_json(&Line {
                position: checked.receipt.receipt().position,
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
