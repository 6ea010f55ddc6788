//! The one type that a command fails with, and how it is reported on stderr: `error:`, `because:` and `help:` lines, or
//! one JSON document with `--output json`.
//!
//! Whatever a command calls returns an error of its own type; `?` makes a [`Failure`] of each that knows its exit code.
//! A command has an error type of its own only for what it alone can say.

use std::error::Error;
use std::fmt::Write as _;

use clap::Parser;
use svdr_protocol::failure::{CommandError, Exit, Told};
use svdr_protocol::text::{shown, shown_in_json};

use crate::output::Output;

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

    /// The error and its causes in one line, for log lines.
    pub fn in_one_line(&self) -> String {
        Told::of(self.error()).in_one_line()
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

/// How a program ends after a command; an error is reported on stderr.
pub fn report(result: Result<(), Failure>, output: Output) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(failure) => {
            match output {
                Output::Table => eprintln!("{}", failure.explain()),
                Output::Json => eprintln!("{}", json(&Told::of(failure.error()), failure.exit())),
            }
            failure.exit()
        }
    }
}

/// Parses this process's arguments. A wrong use ends the process with clap's message and code, or with the same as a
/// JSON document if the arguments ask for JSON.
pub fn parse<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| {
        let arguments: Vec<_> = std::env::args_os().collect();
        let wants_json = arguments.iter().any(|one| one == "--output=json")
            || arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
        if !error.use_stderr() || !wants_json {
            error.exit();
        }
        eprintln!("{}", json(&usage(&error.render().to_string()), Exit::Usage));
        std::process::exit(Exit::Usage.code().into())
    })
}

/// Clap's message in the parts of our own: what is wrong, and then its tips and the usage.
fn usage(message: &str) -> Told {
    let message = message.trim_end();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let (error, help) = message.split_once("\n\n").unwrap_or((message, ""));
    let help = (!help.is_empty()).then(|| help.trim().to_owned());
    Told { error: error.to_owned(), because: Vec::new(), help }
}

/// What `--output json` prints of an error; its keys are stable.
fn json(told: &Told, exit: Exit) -> String {
    let Told { error, because, help } = told;
    let document = serde_json::json!({"error": error, "help": help, "because": because, "code": exit.code()});
    shown_in_json(&document.to_string())
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

    #[test]
    fn an_error_is_a_document_for_programs() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(
            json(&Told::of(&error), Exit::Failed),
            r#"{"because":["disk on fire"],"code":1,"error":"the file a\u001b[2J.log cannot be read","help":"check its permissions"}"#
        );
        let told = usage("error: unexpected argument '-x' found\n\nUsage: svdr-agent <COMMAND>\n");
        assert_eq!(told.error, "unexpected argument '-x' found");
        assert_eq!(told.help.as_deref(), Some("Usage: svdr-agent <COMMAND>"));
    }
}
