//! The steps of the runbook that every member goes through, from the stopped node to the verified network.
//!
//! A `milestone` statement names its step freely, so that a network may have steps of its own. These are the steps of
//! every recovery, for which screens have columns.

use std::fmt;
use std::str::FromStr;

/// A step that every member of a recovery takes, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// CometBFT is stopped.
    Stopped,
    /// The databases are backed up.
    BackedUp,
    /// The backup of the node identities is there, whole, and this participant's.
    IdentitiesChecked,
    /// The migration dump is made and attested.
    DumpMade,
    /// The dump is where the SV app imports it from.
    Delivered,
    /// The new synchronizer is deployed.
    SynchronizerDeployed,
    /// The SV app has imported the dump, and the node is up.
    Restored,
    /// The participant's logs show matching commitments on the new synchronizer.
    Verified,
}

/// It is none of the steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a step of the runbook; expected one of {}", Step::names().join(", "))]
pub struct NoSuchStep {
    /// What was given.
    pub found: String,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Step; 8] = [
        Step::Stopped,
        Step::BackedUp,
        Step::IdentitiesChecked,
        Step::DumpMade,
        Step::Delivered,
        Step::SynchronizerDeployed,
        Step::Restored,
        Step::Verified,
    ];

    /// Its name in a `milestone` statement and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Stopped => "stopped",
            Step::BackedUp => "backed-up",
            Step::IdentitiesChecked => "identities-checked",
            Step::DumpMade => "dump-made",
            Step::Delivered => "delivered",
            Step::SynchronizerDeployed => "synchronizer-deployed",
            Step::Restored => "restored",
            Step::Verified => "verified",
        }
    }

    /// What is done once it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Step::Stopped => "CometBFT is stopped",
            Step::BackedUp => "the databases are backed up",
            Step::IdentitiesChecked => "the backup of the node identities is checked",
            Step::DumpMade => "the migration dump is made and attested",
            Step::Delivered => "the dump lies where the SV app imports it from",
            Step::SynchronizerDeployed => "the new synchronizer is deployed",
            Step::Restored => "the SV app has imported the dump, and the node is up",
            Step::Verified => "the logs show matching commitments on the new synchronizer",
        }
    }

    fn names() -> Vec<&'static str> {
        Step::ALL.iter().map(|step| step.name()).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Step {
    type Err = NoSuchStep;

    fn from_str(text: &str) -> Result<Step, NoSuchStep> {
        let found = Step::ALL.into_iter().find(|step| step.name() == text);
        found.ok_or_else(|| NoSuchStep { found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_as_it_is_printed_and_once() {
        for (at, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step.to_string().parse(), Ok(step));
            assert!(step.name().len() <= crate::statement::MAX_SHORT_TEXT_LEN);
            assert!(Step::ALL[..at].iter().all(|other| *other < step && other.name() != step.name()));
        }
    }

    #[test]
    fn another_word_is_told_the_steps() {
        let error = "deliverd".parse::<Step>().map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("\"deliverd\" is not a step of the runbook; expected one of stopped, backed-up, identities-checked, \
                 dump-made, delivered, synchronizer-deployed, restored, verified"
                .to_owned())
        );
    }
}
