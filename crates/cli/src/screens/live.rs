//! A screen that is drawn again whenever something changes, in place, without flicker.
//!
//! Each screen is drawn over the old one from the top: each line is cleared after its end, and the rest below is
//! cleared last. Lines longer than the terminal and lines below its end are cut, since either would scroll the top away,
//! where the alarms are. Where stdout is not a terminal nothing can be drawn; callers print a line for each
//! statement instead ([`line()`]).

use std::io::{self, IsTerminal as _, Write as _};

use svdr_protocol::statement::Verified;

use super::short;
use svdr_protocol::text::shown;

/// Goes to the top left.
const HOME: &str = "\u{1b}[H";
/// Clears behind the cursor, to the end of its line.
const CLEAR_LINE: &str = "\u{1b}[K";
/// Clears behind the cursor, to the end of the screen.
const CLEAR_BELOW: &str = "\u{1b}[J";
/// Clears everything.
const CLEAR: &str = "\u{1b}[2J";
/// Colours and boldness end.
const PLAIN: &str = "\u{1b}[0m";

/// A terminal that a screen is drawn on.
#[derive(Debug)]
pub struct Live {
    terminal: console::Term,
    is_drawn: bool,
}

impl Live {
    /// The terminal of stdout; `None` where it is not one.
    pub fn of_stdout() -> Option<Live> {
        io::stdout().is_terminal().then(|| Live { terminal: console::Term::stdout(), is_drawn: false })
    }

    /// Columns of the terminal now.
    pub fn width(&self) -> u16 {
        self.terminal.size().1
    }

    /// Draws `screen`, whose text is safe to show, in place of the one before.
    ///
    /// # Errors
    /// Where the terminal cannot be written.
    pub fn draw(&mut self, screen: &str) -> io::Result<()> {
        let (rows, columns) = self.terminal.size();
        let mut stdout = io::stdout().lock();
        if !std::mem::replace(&mut self.is_drawn, true) {
            stdout.write_all(CLEAR.as_bytes())?;
        }
        stdout.write_all(frame(screen, rows.into(), columns.into()).as_bytes())?;
        stdout.flush()
    }
}

/// What draws `screen` on a terminal of that size.
fn frame(screen: &str, rows: usize, columns: usize) -> String {
    // The cursor rests on a line of its own below the screen.
    let room = rows.saturating_sub(1).max(1);
    let lines: Vec<&str> = screen.trim_end().lines().collect();
    let mut frame = HOME.to_owned();
    let kept = if lines.len() > room { room - 1 } else { lines.len() };
    for line in lines.iter().take(kept) {
        frame += &console::truncate_str(line, columns, "…");
        // A line that was cut in the middle of a colour would colour the rest.
        frame += PLAIN;
        frame += CLEAR_LINE;
        frame += "\r\n";
    }
    if lines.len() > room {
        let more = format!("… {} more lines: make the window taller", lines.len() - kept);
        frame += &console::truncate_str(&more, columns, "…");
        frame += CLEAR_LINE;
        frame += "\r\n";
    }
    frame + CLEAR_BELOW
}

/// A statement in one line, for output that is not a terminal.
pub fn line(statement: &Verified) -> String {
    let drill = if statement.header().drill { "DRILL " } else { "" };
    let (digest, kind, signer) = (short(&statement.digest()), statement.body().kind(), statement.signer());
    shown(&format!("{drill}{digest} {kind} of {signer}: {}", statement.body()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_covers_what_was_there() {
        assert_eq!(
            frame("one\ntwo\n", 10, 80),
            "\u{1b}[Hone\u{1b}[0m\u{1b}[K\r\ntwo\u{1b}[0m\u{1b}[K\r\n\u{1b}[J"
        );
    }

    #[test]
    fn a_frame_never_scrolls() {
        let screen = "x".repeat(200) + "\n" + &"line\n".repeat(50);
        for (rows, columns) in [(24, 80), (3, 20), (2, 10), (1, 1), (0, 0)] {
            let frame = frame(&screen, rows, columns);
            let breaks = frame.matches("\r\n").count();
            assert!(breaks <= rows.saturating_sub(1).max(1), "{breaks} lines in {rows}");
            let widest = frame.split("\r\n").map(console::measure_text_width).max();
            assert!(widest <= Some(columns.max(1)), "{widest:?} in {columns}");
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let frame = frame(&"line\n".repeat(30), 10, 80);
        assert_eq!(frame.matches("line\u{1b}").count(), 8);
        assert!(frame.contains("… 22 more lines: make the window taller"), "{frame}");
    }
}
