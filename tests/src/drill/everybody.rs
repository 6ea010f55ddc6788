//! A command that several operators run at once, each on its own node. What the first one's says is shown.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use svdr_protocol::milestone::Step;

use super::DrillError;
use super::command::{Program, short};
use super::network::Network;
use super::processes::config;
use super::steps::{text, unexpected};

/// How often a command is run until it does what it should, where things go wrong on purpose.
const TRIES: usize = 50;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// The operators of some SVs in one session.
pub(super) struct Everybody<'a> {
    pub(super) network: &'a Network,
    pub(super) session: &'a str,
    /// The places of their SVs.
    pub(super) svs: &'a [usize],
    /// Whether things go wrong on purpose meanwhile, so that a command may have to be run again.
    pub(super) is_tried_again: bool,
}

impl Everybody<'_> {
    /// Each operator runs `svdr-agent NAME SESSION MORE… --yes`, while `meanwhile` happens. Gives what the first one's
    /// result says to people. `says` fails if a result is not the one that is wanted.
    pub(super) fn run(
        &self,
        (name, more): (&str, &[&str]),
        says: impl Fn(&Value) -> Result<String, DrillError> + Sync,
        meanwhile: impl FnOnce() -> Result<(), DrillError>,
    ) -> Result<String, DrillError> {
        let Some((first, others)) = self.svs.split_first() else {
            return Err(unexpected("the operators", "at least one", "none"));
        };
        let run = |place: usize| {
            let config = config(self.network, place);
            let args = [&[name, short(self.session)], more, &["--yes", "--config", &config]].concat();
            let program = Program::agent(&self.network.folder, &args);
            if place == *first {
                // Marks follow each other, or what they are about.
                let blank = if name == "done" { "" } else { "\n" };
                say!("{blank}  $ {}{}", program.line(), self.likewise(others));
            }
            self.tried(&program, &says)
        };
        thread::scope(|scope| {
            let run = &run;
            let all: Vec<_> = self.svs.iter().map(|place| scope.spawn(move || run(*place))).collect();
            meanwhile()?;
            let mut results = all.into_iter().map(|one| {
                let failed = |_panic| Err(unexpected("an operator's command", "an end", "a panic"));
                one.join().unwrap_or_else(failed)
            });
            let first = results.next().unwrap_or_else(|| Ok(String::new()))?;
            results.try_for_each(|one| one.map(drop))?;
            Ok(first)
        })
    }

    /// Each operator marks a step of the runbook.
    pub(super) fn mark(
        &self,
        step: Step,
        meanwhile: impl FnOnce() -> Result<(), DrillError>,
    ) -> Result<(), DrillError> {
        self.run(("done", &[step.name()]), signed, meanwhile).map(drop)
    }

    /// Who else runs the command, as a comment behind it.
    fn likewise(&self, others: &[usize]) -> String {
        match self.network.names(others).as_slice() {
            [] => String::new(),
            [other] => format!("    # likewise {other}"),
            [one, other] => format!("    # likewise {one} and {other}"),
            [first, .., last] => format!("    # likewise {first} to {last}"),
        }
    }

    fn tried(
        &self,
        program: &Program<'_>,
        says: impl Fn(&Value) -> Result<String, DrillError>,
    ) -> Result<String, DrillError> {
        let once = || program.json(0).and_then(|result| says(&result));
        let mut last = once();
        for _ in 1..TRIES {
            if last.is_ok() || !self.is_tried_again {
                break;
            }
            thread::sleep(PAUSE);
            last = once();
        }
        last
    }
}

/// What a statement says that a coordinator has; an error if none has it.
pub(super) fn signed(result: &Value) -> Result<String, DrillError> {
    match result["submitted"].as_bool() {
        Some(true) => text(result, "/says"),
        _ => Err(unexpected("a signed statement", "one that a coordinator has", &result.to_string())),
    }
}
