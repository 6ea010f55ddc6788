//! Runs the programs as an operator would, and shows it.

use std::path::Path;
use std::process::{Command, Output};

use super::DrillError;
use crate::binaries;

/// A command line, run in the drill's folder.
pub(super) struct Program<'a> {
    name: &'static str,
    path: &'static Path,
    folder: &'a Path,
    args: Vec<String>,
}

/// What a command printed.
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl<'a> Program<'a> {
    pub(super) fn agent(folder: &'a Path, args: &[&str]) -> Program<'a> {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Program { name: "svdr-agent", path: binaries::agent(), folder, args }
    }

    pub(super) fn coordinator(folder: &'a Path, args: &[&str]) -> Program<'a> {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Program { name: "svdr-coordinator", path: binaries::coordinator(), folder, args }
    }

    /// The command line, as one would type it.
    pub(super) fn line(&self) -> String {
        let quoted = self.args.iter().map(|arg| {
            let plain = arg.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=+".contains(&b));
            if plain { arg.clone() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
        });
        std::iter::once(self.name.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Runs it without showing it, and expects `exit`.
    pub(super) fn run(&self, exit: i32) -> Result<Printed, DrillError> {
        let Output { status, stdout, stderr } = Command::new(self.path)
            .args(&self.args)
            .current_dir(self.folder)
            .env("NO_COLOR", "1")
            .output()
            .map_err(DrillError::Start)?;
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if status.code() == Some(exit) {
            return Ok(Printed { stdout, stderr });
        }
        show(&stdout);
        show(&stderr);
        Err(DrillError::Exit { command: self.line(), expected: exit, found: status.to_string() })
    }

    /// Shows the command line, runs it, and shows what it printed.
    pub(super) fn show(&self, exit: i32) -> Result<Printed, DrillError> {
        say!("\n  $ {}", self.line());
        let printed = self.run(exit)?;
        show(&printed.stdout);
        show(&printed.stderr);
        Ok(printed)
    }

    /// Shows the command line, runs it, and shows what it printed below its table, whose rows `rows` names.
    pub(super) fn show_below_table(&self, rows: &str) -> Result<Printed, DrillError> {
        say!("\n  $ {}", self.line());
        let printed = self.run(0)?;
        let below = printed.stdout.split_once("\n\n").map_or(printed.stdout.as_str(), |(_, below)| below);
        say!("    … ({rows})\n");
        show(below);
        Ok(printed)
    }

    /// Shows the command line, runs it with `--output json`, and reads the result.
    pub(super) fn show_json(&self, exit: i32) -> Result<serde_json::Value, DrillError> {
        say!("\n  $ {}", self.line());
        self.json(exit)
    }

    /// Runs it with `--output json`, unshown, and reads the result.
    pub(super) fn json(&self, exit: i32) -> Result<serde_json::Value, DrillError> {
        let mut args = self.args.clone();
        args.extend(["--output", "json"].map(str::to_owned));
        let program = Program { args, ..*self };
        let printed = program.run(exit)?;
        serde_json::from_str(&printed.stdout).map_err(|error| DrillError::Unexpected {
            what: format!("the output of `{}`", program.line()),
            expected: "one JSON document".to_owned(),
            found: error.to_string(),
        })
    }
}

/// The beginning of a session's id: enough to name it in any command, and short enough to read.
pub(super) fn short(session: &str) -> &str {
    session.get(..8).unwrap_or(session)
}

/// Prints `text`, indented below its command.
pub(super) fn show(text: &str) {
    for line in text.lines() {
        say!("{}", format!("    {line}").trim_end());
    }
}

/// Prints the heading of a step.
pub(super) fn heading(text: &str) {
    say!("\n== {text}");
}
