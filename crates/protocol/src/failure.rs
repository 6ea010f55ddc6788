//! The two parts of every error, and how a program ends with it.
//!
//! An error says what is wrong and, if there is something to do, what to do. Both are in its `Display`: the text, then a
//! line that begins with `help: `. So each message is written in one place, and neither part can be lost; [`Told`]
//! separates them again to print them. Causes are given by `source()`, and never repeated in the text of what they
//! caused. A message that is only ever a cause has no help.
//!
//! The exit codes are those of the manual, the same for both programs.

use std::error::Error;
use std::process::ExitCode;

use crate::text::shown_in_line;

/// Begins the second part of an error's text.
const HELP: &str = "\nhelp: ";

/// Begins a link into the documentation of a library, which some libraries put into their errors. It tells a programmer
/// about the library, and an operator nothing.
const DOCUMENTATION: &str = "https://docs.rs/";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// A file, the network or a server failed; the same command may work later.
    Failed,
    /// Its arguments make no sense together. Clap's own code for a wrong command line.
    Usage,
    /// A signature, digest, recomputation or policy check said no.
    Refused,
    /// No candidate reaches the threshold, or the SV app cannot serve the time.
    Impossible,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Impossible => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// An error that knows how a program ends with it.
pub trait CommandError: Error {
    /// The exit code's meaning; never [`Exit::Done`].
    fn exit(&self) -> Exit;
}

/// An error as a person reads it: its own text, its causes, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What is wrong.
    pub error: String,
    /// The causes, the nearest first. A cause that the text before it already ends with is not repeated.
    pub because: Vec<String>,
    /// What to do: of the outermost error that says so.
    pub help: Option<String>,
}

impl Told {
    /// Takes an error and its causes apart.
    pub fn of(error: &dyn Error) -> Told {
        let (text, mut help) = split(&without_links(&error.to_string()));
        let mut told = Told { error: text, because: Vec::new(), help: None };
        let mut cause = error.source();
        while let Some(error) = cause {
            let (text, its_help) = split(&without_links(&error.to_string()));
            let before = told.because.last().unwrap_or(&told.error);
            if !before.ends_with(&text) {
                told.because.push(text);
            }
            help = help.or(its_help);
            cause = error.source();
        }
        told.help = help;
        told
    }

    /// The error in one line that is safe to show, for log lines: `error: cause: cause (help)`.
    pub fn in_one_line(&self) -> String {
        let mut line = self.error.clone();
        for cause in &self.because {
            line.push_str(": ");
            line.push_str(cause);
        }
        if let Some(help) = &self.help {
            line.push_str(" (");
            line.push_str(help);
            line.push(')');
        }
        shown_in_line(&line.replace('\n', " "))
    }
}

/// An error and its causes in one line, fit for a terminal and for log lines; see [`Told::in_one_line`].
pub fn in_one_line(error: &dyn Error) -> String {
    Told::of(error).in_one_line()
}

/// The text of one error, without its causes, in one line that is safe to show: `error (help)`.
pub fn text_in_one_line(text: &str) -> String {
    let (error, help) = split(&without_links(text));
    Told { error, because: Vec::new(), help }.in_one_line()
}

/// A text without its links into the documentation of libraries, and without what leads to them.
fn without_links(text: &str) -> String {
    let mut parts = text.split(DOCUMENTATION);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.truncate(plain.trim_end_matches([':', ' ', '(', '<']).len());
        plain.push_str(
            part.find([' ', '\n', ')', '>']).map_or("", |end| part[end..].trim_start_matches([')', '>'])),
        );
    }
    plain
}

/// The text of an error, and what to do about it.
pub fn split(text: &str) -> (String, Option<String>) {
    match text.split_once(HELP) {
        Some((error, help)) => (error.to_owned(), Some(help.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("disk on fire\nhelp: call the fire brigade")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("a.log cannot be read{help}")]
    struct Outer {
        help: &'static str,
        source: Inner,
    }

    #[test]
    fn the_outermost_help_is_told_and_every_cause_once() {
        let error = Outer { help: "\nhelp: check its permissions", source: Inner };
        let told = Told::of(&error);
        assert_eq!(told.error, "a.log cannot be read");
        assert_eq!(told.because, ["disk on fire"]);
        assert_eq!(told.help.as_deref(), Some("check its permissions"));
        assert_eq!(told.in_one_line(), "a.log cannot be read: disk on fire (check its permissions)");
        assert_eq!(in_one_line(&error), told.in_one_line());
        assert_eq!(text_in_one_line("a\u{1b}[2J\nb"), "a\\u{1b}[2J b");
    }

    #[test]
    fn the_help_of_a_cause_is_told_if_the_error_has_none() {
        let told = Told::of(&Outer { help: "", source: Inner });
        assert_eq!(told.help.as_deref(), Some("call the fire brigade"));
    }

    #[test]
    fn links_into_the_documentation_of_libraries_are_left_out() {
        // What rustls says of a connection that just ends.
        let rustls = "peer closed connection without sending TLS close_notify: \
            https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof";
        assert_eq!(text_in_one_line(rustls), "peer closed connection without sending TLS close_notify");
        let error = Failed { source: std::io::Error::other(rustls) };
        assert_eq!(in_one_line(&error), "it failed: peer closed connection without sending TLS close_notify");
        assert_eq!(text_in_one_line("a (https://docs.rs/a) b: https://docs.rs/b\nhelp: c"), "a b (c)");
        let ours = "see https://board.example:7443";
        assert_eq!(text_in_one_line(ours), ours);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failed {
        source: std::io::Error,
    }

    #[test]
    fn codes_are_those_of_the_manual() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Refused, Exit::Impossible];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4]);
    }
}
