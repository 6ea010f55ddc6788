//! Shows a session while it goes on: the table of members and steps in a terminal, drawn again whenever something
//! changes, with the newest lines below it; where stdout is not a terminal, every line as it comes.

use std::collections::VecDeque;
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
    lines: VecDeque<String>,
    drawn: Option<Instant>,
    is_new: bool,
}

impl Display {
    /// A table where stdout is a terminal, unless lines are asked for.
    pub(super) fn new(lines: bool) -> Display {
        let live = if lines { None } else { Live::of_stdout() };
        Display { live, lines: VecDeque::new(), drawn: None, is_new: true }
    }

    /// Something that `who` said or did.
    pub(super) fn line(&mut self, who: &str, text: &str) {
        let line = shown(&format!("{who:>19} | {text}"));
        if self.live.is_none() {
            println!("{line}");
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

    /// The drill fails: what led to it has not been seen yet where only a table was drawn.
    pub(super) fn fail(&self) {
        if self.live.is_some() {
            println!("\nThe last lines before the drill failed:");
            self.lines.iter().for_each(|line| command::show(line));
        }
    }
}
