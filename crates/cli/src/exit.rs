//! Exit codes, the same for both programs, and how an error is told to a person.
//!
//! Clap itself exits with 2 where a command line is wrong; [`Exit::Usage`] is the same for mistakes that only
//! show once the flags are put together.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// A file, the network or a server failed; the same command may work later.
    Failed,
    /// It was called with arguments that make no sense together.
    Usage,
    /// A signature, digest, recomputation or policy check said no.
    Refused,
    /// What was asked cannot be had: no candidate reaches the threshold, or the SV app cannot serve the time.
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

/// An error that knows how the program ends with it.
pub trait CommandError: Error {
    /// The exit code's meaning; never [`Exit::Done`].
    fn exit(&self) -> Exit;
}

impl<'a, E: CommandError + 'a> From<E> for Box<dyn CommandError + 'a> {
    fn from(error: E) -> Box<dyn CommandError + 'a> {
        Box::new(error)
    }
}

/// How a program ends after a command; an error is told on stderr.
pub fn told(result: Result<(), Box<dyn CommandError + '_>>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("{}", explain(&*error));
            error.exit()
        }
    }
}

/// The error and its causes, one a line, as the programs print it on stderr.
///
/// A cause that the text above it already ends with is not repeated. Characters that could drive a terminal
/// are escaped, since an error may quote what came from outside.
pub fn explain(error: &dyn Error) -> String {
    let mut text = format!("error: {}", shown(&error.to_string()));
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = shown(&error.to_string());
        if !text.ends_with(&message) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  because: {message}");
        }
        cause = error.source();
    }
    text
}

/// `text` with everything escaped that a terminal would act on, line ends aside.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push(c),
            c if c.is_control() || is_bidirectional(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// Characters that reorder the text around them.
fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file a\u{1b}[2J.log cannot be read; check its permissions")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_told_with_its_causes_and_cannot_drive_the_terminal() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(
            explain(&error),
            "error: the file a\\u{1b}[2J.log cannot be read; check its permissions\n  because: disk on fire"
        );
    }

    #[test]
    fn codes_are_those_of_the_manual() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Refused, Exit::Impossible];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4]);
    }
}
