//! The one type that a command fails with, and how it is told: `error:`, `because:` and `help:` lines on stderr.
//!
//! Whatever a command calls returns an error of its own type; `?` makes a [`Failure`] of each that knows its exit code.
//! A command has an error type of its own only for what it alone can say.

use std::error::Error;
use std::fmt::Write as _;

use svdr_protocol::failure::{CommandError, Exit, Told};
use svdr_protocol::text::shown;

/// Why a command failed: any error that knows how the program ends with it.
#[derive(Debug)]
pub struct Failure(Box<dyn CommandError + Send + Sync>);

impl Failure {
    /// The exit code's meaning.
    pub fn exit(&self) -> Exit {
        self.0.exit()
    }

    /// The error, its causes and what to do, as [`explain`] prints them.
    pub fn explain(&self) -> String {
        explain(&*self.0)
    }

    /// The error itself.
    pub fn error(&self) -> &(dyn Error + 'static) {
        &*self.0
    }
}

impl<E: CommandError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Box::new(error))
    }
}

/// How a program ends after a command; an error is told on stderr.
pub fn told(result: Result<(), Failure>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(failure) => {
            eprintln!("{}", failure.explain());
            failure.exit()
        }
    }
}

/// The error, its causes and what to do, as the programs print them on stderr.
///
/// Characters that could drive a terminal are escaped, since an error may quote what came from outside.
pub fn explain(error: &dyn Error) -> String {
    let told = Told::of(error);
    let mut text = format!("error: {}", shown(&told.error));
    for cause in &told.because {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  because: {}", shown(cause));
    }
    if let Some(help) = &told.help {
        let _ = write!(text, "\nhelp: {}", shown(help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file a\u{1b}[2J.log cannot be read\nhelp: check its permissions")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_told_with_its_causes_and_cannot_drive_the_terminal() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(
            explain(&error),
            "error: the file a\\u{1b}[2J.log cannot be read\n  because: disk on fire\nhelp: check its permissions"
        );
    }
}
