//! Asks a person before something irreversible.
//!
//! The question goes to stderr, because stdout is for results, and the answer comes from stdin. Only `y` and `yes`
//! mean yes. `n`, `no`, an empty line and the end of the input mean no. Any other answer repeats the question, up to
//! `MAX_TRIES` times, and then means no. If stdin is not a terminal, nobody can read the question: it is refused, and
//! `--yes` answers in advance.

use std::io::{self, BufRead, IsTerminal as _, Read as _, Write};

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::text::shown;

/// How often a question is asked before an unclear answer means no.
const MAX_TRIES: usize = 3;
/// The longest answer that is read, in bytes.
const MAX_ANSWER_LEN: u64 = 256;

/// Whether `--yes` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beforehand {
    /// The question has still to be answered.
    Ask,
    /// It was answered with yes on the command line.
    Yes,
}

impl Beforehand {
    /// What a `--yes` flag says.
    pub const fn from_yes(yes: bool) -> Beforehand {
        if yes { Beforehand::Yes } else { Beforehand::Ask }
    }
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// There is nobody to ask.
    #[error(
        "standard input is not a terminal, so nobody can be asked\n\
         help: read the text above, then run this in a terminal or give --yes"
    )]
    NobodyToAsk,
    /// The answer was no.
    #[error("not confirmed, so nothing was signed or sent\nhelp: run the command again to be asked again")]
    Declined,
    /// The question cannot be asked, or the answer not be read.
    #[error("the question cannot be asked on this terminal\nhelp: read the text above, then give --yes")]
    Terminal(#[source] io::Error),
}

impl CommandError for ConfirmError {
    fn exit(&self) -> Exit {
        match self {
            ConfirmError::NobodyToAsk => Exit::Usage,
            ConfirmError::Declined => Exit::Refused,
            ConfirmError::Terminal(_) => Exit::Failed,
        }
    }
}

/// Shows `what`, then asks every question of `questions` in turn; a yes to all of them is a yes.
///
/// # Errors
/// [`ConfirmError`] for anything else. With [`Beforehand::Yes`] `what` is shown and nothing asked.
pub fn confirm(what: &str, questions: &[&str], beforehand: Beforehand) -> Result<(), ConfirmError> {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "{}\n", shown(what)).map_err(ConfirmError::Terminal)?;
    match beforehand {
        Beforehand::Yes => Ok(()),
        Beforehand::Ask if !io::stdin().is_terminal() => Err(ConfirmError::NobodyToAsk),
        Beforehand::Ask => ask(questions, &mut io::stdin().lock(), &mut stderr),
    }
}

/// Asks on `output` and reads the answers from `input`.
///
/// # Errors
/// As [`confirm`].
fn ask(questions: &[&str], input: &mut impl BufRead, output: &mut impl Write) -> Result<(), ConfirmError> {
    for question in questions {
        let answer = answer(question, input, output).map_err(ConfirmError::Terminal)?;
        if answer != Some(true) {
            return Err(ConfirmError::Declined);
        }
    }
    Ok(())
}

/// `None` if there was no answer that could be understood.
fn answer(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Option<bool>> {
    for _ in 0..MAX_TRIES {
        write!(output, "{} [y/N] ", shown(question))?;
        output.flush()?;
        let mut line = Vec::new();
        let read = input.by_ref().take(MAX_ANSWER_LEN).read_until(b'\n', &mut line)?;
        match line.trim_ascii().to_ascii_lowercase().as_slice() {
            b"y" | b"yes" => return Ok(Some(true)),
            b"" | b"n" | b"no" => return Ok(Some(false)),
            _ if read == 0 => return Ok(Some(false)),
            _ => writeln!(output, "Please answer y or n.")?,
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn asked(answers: &str, questions: &[&str]) -> (Result<(), ConfirmError>, String) {
        let mut output = Vec::new();
        let result = ask(questions, &mut answers.as_bytes(), &mut output);
        (result, String::from_utf8(output).unwrap())
    }

    #[test]
    fn only_yes_means_yes() {
        for yes in ["y\n", "yes\n", " Y \r\n", "YES"] {
            assert!(asked(yes, &["Sign?"]).0.is_ok(), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "yy\nye\nyo\n", "yes please\n", "\u{0}y\n"] {
            assert!(matches!(asked(no, &["Sign?"]).0, Err(ConfirmError::Declined)), "{no:?}");
        }
    }

    #[test]
    fn every_question_has_to_be_answered() {
        assert!(asked("y\ny\n", &["Sign?", "Really?"]).0.is_ok());
        let (once, output) = asked("y\n", &["Sign?", "Really?"]);
        assert!(matches!(once, Err(ConfirmError::Declined)));
        assert_eq!(output, "Sign? [y/N] Really? [y/N] ");
        assert!(asked("n\ny\n", &["Sign?", "Really?"]).1.ends_with("Sign? [y/N] "));
    }

    #[test]
    fn an_answer_that_is_neither_is_asked_for_again() {
        let (result, output) = asked("what?\ny\n", &["Sign?"]);
        assert!(result.is_ok());
        assert_eq!(output, "Sign? [y/N] Please answer y or n.\nSign? [y/N] ");
    }

    #[test]
    fn a_question_cannot_drive_the_terminal() {
        let (_, output) = asked("n\n", &["Agree to \u{1b}[2J?"]);
        assert!(!output.contains('\u{1b}'), "{output}");
    }

    #[test]
    fn an_endless_answer_is_no_answer() {
        let endless = "y".repeat(100_000);
        assert!(matches!(asked(&endless, &["Sign?"]).0, Err(ConfirmError::Declined)));
    }
}
