//! Shows a session while it goes on.
//!
//! In a terminal it is the table of members and steps, drawn again whenever something changes, with the newest lines below
//! it. Elsewhere it is each line as it comes, but not what another SV's agent has said already in the same words. With
//! `--lines` it is every line.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::heading::Style;
use svdr_cli::screens::live::Live;
use svdr_protocol::session::Session;
use svdr_protocol::text::shown;

use super::DrillError;
use super::command;

/// Lines below the table.
const TAIL: usize = 8;
/// Lines that are kept, to be shown where the drill fails.
const KEPT: usize = 60;
/// Between two drawings: as fast as eyes follow.
pub(super) const FRAME: Duration = Duration::from_millis(100);

/// Where the session is shown.
pub(super) struct Display {
    live: Option<Live>,
    is_complete: bool,
    said: BTreeSet<String>,
    lines: VecDeque<String>,
    drawn: Option<Instant>,
    is_new: bool,
}

impl Display {
    /// A table if stdout is a terminal, unless all lines are asked for.
    pub(super) fn new(is_complete: bool) -> Display {
        let live = if is_complete { None } else { Live::of_stdout() };
        Display {
            live,
            is_complete,
            said: BTreeSet::new(),
            lines: VecDeque::new(),
            drawn: None,
            is_new: true,
        }
    }

    /// Something that `who` said or did.
    pub(super) fn line(&mut self, who: &str, text: &str) {
        let line = shown(&format!("{who:>19} | {text}"));
        if self.live.is_none() && (self.is_complete || self.said.insert(text.to_owned())) {
            say!("{line}");
        }
        self.lines.push_back(line);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
        self.is_new = true;
    }

    /// The session has changed.
    pub(super) const fn changed(&mut self) {
        self.is_new = true;
    }

    /// Draws, where there is something new and the last time is a while ago, or `now`.
    pub(super) fn draw(&mut self, session: Option<&Session>, now: bool) -> Result<(), DrillError> {
        let is_due = now || self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME);
        let (Some(live), Some(session), true) = (&mut self.live, session, self.is_new && is_due) else {
            return Ok(());
        };
        let style = Style { width: live.width(), ..Style::of_stdout() };
        let mut screen = svdr_cli::screens::screen(&SessionFacts::of(session), None, style);
        screen += "\n";
        for line in self.lines.iter().skip(self.lines.len().saturating_sub(TAIL)) {
            screen += "\n";
            screen += line;
        }
        live.draw(&screen).map_err(DrillError::Show)?;
        (self.drawn, self.is_new) = (Some(Instant::now()), false);
        Ok(())
    }

    /// The drill fails: what led to it has not been shown completely, unless all lines were asked for.
    pub(super) fn fail(&self) {
        if !self.is_complete {
            say!("\nThe last lines before the drill failed:");
            self.lines.iter().for_each(|line| command::show(line));
        }
    }
}
