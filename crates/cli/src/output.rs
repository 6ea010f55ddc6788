//! Results on stdout: as tables for people, or as JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

pub use comfy_table;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use svdr_protocol::text::shown_in_json;

/// The form that facts are printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs: one document, keys in snake_case.
    Json,
}

/// The widest that a table gets if the width of the terminal is not known.
const DEFAULT_WIDTH: u16 = 120;

/// Prints `text` on stdout, with a line end; white space at the ends of lines, which tables leave, is dropped.
///
/// # Errors
/// If stdout cannot be written, a closed pipe aside: a reader that has seen enough is no failure.
pub fn print(text: &str) -> io::Result<()> {
    let lines: Vec<&str> = text.trim_end_matches('\n').lines().map(str::trim_end).collect();
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", lines.join("\n")).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints `document` on stdout as one JSON document, indented if a person is looking.
///
/// # Errors
/// If stdout cannot be written, a closed pipe aside.
pub fn print_json(document: &impl Serialize) -> io::Result<()> {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(document)
    } else {
        serde_json::to_string(document)
    };
    print(&shown_in_json(&text.map_err(io::Error::from)?))
}

/// An empty table with the programs' common look: no frame, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width());
    table.set_header(header.iter().copied());
    table
}

/// The width to print in, in columns: `COLUMNS` if it is set, else a default.
pub fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.filter(|columns| (40..=400).contains(columns)).unwrap_or(DEFAULT_WIDTH)
}

/// Whether stdout takes colours: it is a terminal, and `NO_COLOR` is not set.
pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
