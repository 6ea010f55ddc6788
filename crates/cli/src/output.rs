//! Results on stdout: as tables for people, or as JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

pub use comfy_table;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use svdr_protocol::failure::{CommandError, Exit};
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

impl Output {
    /// Prints a result: `document` for programs, or `text` for people.
    ///
    /// # Errors
    /// As [`print()`].
    pub fn show(self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), PrintError> {
        match self {
            Output::Json => print_json(document),
            Output::Table => print(&text()),
        }
    }
}

/// Why a result is not on stdout.
#[derive(Debug, thiserror::Error)]
#[error("{}the result cannot be printed\nhelp: check where standard output goes", .done.map_or(String::new(), |done| format!("{done}, but ")))]
pub struct PrintError {
    /// What is done all the same.
    done: Option<&'static str>,
    source: io::Error,
}

impl PrintError {
    /// Says that what the command was to do is done all the same, for example "the dump is complete".
    pub fn after(self, done: &'static str) -> PrintError {
        PrintError { done: Some(done), ..self }
    }
}

impl From<io::Error> for PrintError {
    fn from(source: io::Error) -> PrintError {
        PrintError { done: None, source }
    }
}

impl CommandError for PrintError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// The widest that a table gets where the width of the terminal is not known.
const DEFAULT_WIDTH: u16 = 120;

/// Prints `text` on stdout, with a line end; white space at the ends of lines, which tables leave, is dropped.
///
/// # Errors
/// Where stdout cannot be written, a closed pipe aside: a reader that has seen enough is no failure.
pub fn print(text: &str) -> Result<(), PrintError> {
    let lines: Vec<&str> = text.trim_end_matches('\n').lines().map(str::trim_end).collect();
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", lines.join("\n")).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints `document` on stdout as one JSON document, indented if a person is looking.
///
/// # Errors
/// Where stdout cannot be written, a closed pipe aside.
pub fn print_json(document: &impl Serialize) -> Result<(), PrintError> {
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
