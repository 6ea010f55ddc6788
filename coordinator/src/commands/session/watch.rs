//! `session watch`: a table that is drawn anew in a terminal, a line a statement where it is not one.
//!
//! A broken stream is resumed where it ended, through whichever coordinator of the configuration can be reached;
//! everything is verified as in `session show`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;
use svdr_cli::exit::shown;
use svdr_cli::output::{self, Output};
use svdr_proto::limits::KEEP_ALIVE_INTERVAL;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::SessionId;
use tonic::Code;

use super::SessionCommandError;
use crate::convener::client::{Checked, Client, ClientError, Followed};
use crate::convener::config::Config;
use crate::convener::overview::{self, overview};

/// A stream that says nothing for so long is broken.
const SILENCE: Duration = KEEP_ALIVE_INTERVAL.saturating_mul(3);
/// The pause before the first try to resume; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Clears a terminal and goes to its first line (ECMA-48).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// How a stream ended.
enum Ended {
    /// The session is completed or aborted.
    Done,
    /// It broke and can be resumed.
    Broken,
}

pub(super) async fn run(config: &Config, id: SessionId, output: Output) -> Result<(), SessionCommandError> {
    let mut client = Client::connect(config).await?;
    let mut followed = Followed::new(id);
    let mut pause = FIRST_PAUSE;
    loop {
        let before = followed.len();
        if let Ended::Done = follow(&mut client, &mut followed, output).await? {
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
    output: Output,
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
            tell(session, &checked, output).map_err(SessionCommandError::Print)?;
        }
        if matches!(session.phase(), Phase::Completed(_) | Phase::Aborted) {
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
            tracing::warn!(target: "svdr", reason = status.message(), "the stream broke; resuming");
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

fn tell(session: &Session, checked: &Checked, output: Output) -> io::Result<()> {
    if output == Output::Table && io::stdout().is_terminal() {
        return output::print(&format!("{CLEAR}{}", overview::text(&overview(session))));
    }
    let statement = checked.statement.as_deref();
    let line = Line {
        position: checked.receipt.receipt().position,
        kind: statement.map_or("unknown", |one| one.body().kind()),
        signer: statement.map(|one| one.signer().as_str()),
        says: statement.map(|one| one.body().to_string()),
        state: overview::state(session.phase()),
        round: session.latest_round(),
        drill: session.drill(),
    };
    match output {
        Output::Json => output::print_json(&line),
        Output::Table => {
            let drill = if line.drill { "DRILL " } else { "" };
            let (signer, says) = (line.signer.unwrap_or("somebody"), line.says.unwrap_or_default());
            let text = format!("{drill}{} {} by {signer}: {says} [{}]", line.position, line.kind, line.state);
            output::print(&shown(&text))
        }
    }
}
