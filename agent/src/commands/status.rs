//! `status`: where the session stands, what it waits for and from whom, and what this operator does next.
//!
//! `--watch` follows it: drawn in place on a terminal, else a line for each statement as it arrives. A broken
//! connection is made again, to the next coordinator where there are several.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output, PrintError};
use svdr_cli::runtime;
use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::heading::Style;
use svdr_cli::screens::live::{self, Live};
use svdr_cli::screens::short;
use svdr_client::WatchEvent;
use svdr_protocol::digest::Digest;
use svdr_protocol::session::Session;
use svdr_protocol::statement::SessionId;
use svdr_protocol::text::shown;
use svdr_protocol::vote::Voter;

use crate::operator::online::{Online, OnlineArgs, Seen};
use crate::replica::{Ledger, Replica};
use svdr_cli::screens::operator as screen;
use svdr_cli::screens::operator::next::{Next, next};

/// Between two tries to reach a coordinator: an operator who waits looks at the screen.
const RETRY: Duration = Duration::from_secs(3);
/// How often this member's own store is looked at for what another process has signed.
const REFRESH: Duration = Duration::from_secs(2);

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  svdr-agent status\n  svdr-agent status 4f3a --watch\n  \
    svdr-agent status --watch --output json | jq .phase")]
pub struct StatusArgs {
    /// The session's id, or at least its first 4 digits [default: the newest session that has not ended]
    #[arg(value_name = "SESSION")]
    pub session: Option<String>,
    /// Follow the session until stopped
    #[arg(long)]
    pub watch: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// What `status --output json` prints.
#[derive(Debug, Serialize)]
struct StatusDocument<'a> {
    member: String,
    #[serde(flatten)]
    facts: &'a SessionFacts,
    next: Next,
    coordinator: Option<&'a str>,
    also_open: Vec<String>,
}

/// Shows where the session stands.
///
/// # Errors
/// If the session cannot be looked at.
pub fn run(args: &StatusArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    runtime::block_on(async {
        let seen = online.session(args.session.as_deref()).await?;
        if !args.watch {
            return print(&online, &seen, output);
        }
        let id = seen.view.session().id().to_string();
        match (Live::of_stdout(), output) {
            (Some(live), Output::Table) => Watcher::new(&online, Sink::Live(live), id).follow(seen).await,
            (None, Output::Table) => {
                Watcher::new(&online, Sink::Lines(HashSet::new()), id).follow(seen).await
            }
            (_, Output::Json) => Watcher::new(&online, Sink::Json, id).follow(seen).await,
        }
    })
}

fn next_of(online: &Online, seen: &Seen) -> Result<Next, Failure> {
    let record = online.store.record(&online.roster)?;
    let others: Vec<&Session> = seen.others.iter().map(Replica::session).collect();
    let session = seen.view.session();
    Ok(next(session, online.me(), &Voter::new(online.me(), &record, session, &others)))
}

fn print(online: &Online, seen: &Seen, output: Output) -> Result<(), Failure> {
    let facts = seen.facts();
    let next = next_of(online, seen)?;
    let document = StatusDocument {
        member: online.me().to_string(),
        facts: &facts,
        next,
        coordinator: seen.connection.as_ref().map(|one| one.coordinator().url.as_str()),
        also_open: seen.also_open.iter().map(SessionId::to_string).collect(),
    };
    Ok(output.show(&document, || text(online, seen, &facts, &document.next, Style::of_stdout()))?)
}

fn text(online: &Online, seen: &Seen, facts: &SessionFacts, next: &Next, style: Style) -> String {
    let mut text = screen::status(facts, online.me(), next, style);
    if !seen.also_open.is_empty() {
        let also: Vec<String> = seen.also_open.iter().map(short).collect();
        text += &shown(&format!("\n\nOther open sessions: {}.", also.join(", ")));
    }
    text += &match &seen.connection {
        Some(connection) => shown(&format!("\n\nFrom {}.", connection.coordinator().url)),
        None => {
            "\n\nNO COORDINATOR can be reached. This is the state in the folder of this agent.".to_owned()
        }
    };
    text
}

/// Where a watched session goes to.
enum Sink {
    Live(Live),
    /// A line for each statement, with those that were printed.
    Lines(HashSet<Digest>),
    /// A document for each change.
    Json,
}

struct Watcher<'a> {
    online: &'a Online,
    sink: Sink,
    id: String,
    /// What the last screen was made of.
    shown: Option<(usize, bool)>,
}

impl Watcher<'_> {
    const fn new(online: &Online, sink: Sink, id: String) -> Watcher<'_> {
        Watcher { online, sink, id, shown: None }
    }

    /// Follows the session until the process is stopped, or stdout is closed.
    async fn follow(mut self, mut seen: Seen) -> Result<(), Failure> {
        loop {
            self.show(&seen)?;
            if let Err(error) = self.watch(&mut seen).await? {
                tracing::info!("{}; connecting again", error.in_one_line());
            }
            seen.connection = None;
            self.show(&seen)?;
            seen = loop {
                tokio::time::sleep(RETRY).await;
                match self.online.session(Some(&self.id)).await {
                    Ok(seen) => break seen,
                    Err(error) => tracing::info!("{}", error.in_one_line()),
                }
            };
        }
    }

    /// Takes in what the coordinator sends until the connection breaks; the inner result is why it did.
    async fn watch(&mut self, seen: &mut Seen) -> Result<Result<(), Failure>, Failure> {
        let Some(mut connection) = seen.connection.clone() else { return Ok(Ok(())) };
        let session = seen.view.session().id();
        let mut ledger =
            match Ledger::open(&self.online.store, &self.online.roster, session, connection.coordinator()) {
                Ok(ledger) => ledger,
                Err(error) => return Ok(Err(error.into())),
            };
        let mut watch = match connection.watch(session, ledger.next()).await {
            Ok(watch) => watch,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut refresh = tokio::time::interval(REFRESH);
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                _ = refresh.tick() => {
                    seen.view.refresh(&self.online.store)?;
                    self.show(seen)?;
                    continue;
                }
            };
            match event {
                Ok(WatchEvent::Entry(entry)) => {
                    if let Err(error) = ledger.follow(&self.online.store, std::slice::from_ref(&*entry)) {
                        return Ok(Err(error.into()));
                    }
                    seen.view.absorb(&self.online.store, &[entry.statement])?;
                    self.show(seen)?;
                }
                Ok(WatchEvent::KeepAlive) => {}
                Err(error) => return Ok(Err(error.into())),
            }
        }
    }

    fn show(&mut self, seen: &Seen) -> Result<(), Failure> {
        let state = (seen.view.session().len(), seen.connection.is_some());
        if self.shown.replace(state) == Some(state) {
            return Ok(());
        }
        let facts = seen.facts();
        match &mut self.sink {
            Sink::Live(live) => {
                let style = Style { width: live.width(), ..Style::of_stdout() };
                let next = next_of(self.online, seen)?;
                live.draw(&text(self.online, seen, &facts, &next, style)).map_err(PrintError::from)?;
            }
            Sink::Lines(printed) => lines(seen.view.session(), printed)?,
            Sink::Json => print(self.online, seen, Output::Json)?,
        }
        Ok(())
    }
}

/// Prints the statements that were not printed yet, each signer's in its own order.
fn lines(session: &Session, printed: &mut HashSet<Digest>) -> Result<(), PrintError> {
    let new = session.statements().filter(|one| !printed.contains(&one.digest()));
    let mut new: Vec<_> = new.collect();
    new.sort_by_key(|one| (one.digest() != session.opened().digest(), one.header().sequence, one.digest()));
    for one in new {
        output::print(&live::line(one))?;
        printed.insert(one.digest());
    }
    Ok(())
}
