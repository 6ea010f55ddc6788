//! The flags that say where a finished dump is put, over what `agent.toml` says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

/// Where a dump is put.
#[derive(Clone, Debug, Default, Args)]
pub struct DeliveryArgs {
    /// Copy to this file, instead of what agent.toml says
    #[arg(long, value_name = "FILE", env = "SVDR_DELIVER_TO", conflicts_with = "set")]
    pub to: Option<PathBuf>,
    /// A value for a {placeholder} of the command in agent.toml; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Answer the question whether to deliver with yes
    #[arg(long)]
    pub yes: bool,
}

impl DeliveryArgs {
    /// The values of `--set`, by their names.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        self.set.iter().cloned().collect()
    }
}

/// The text is no pair.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not NAME=VALUE; write for example pod=sv-app-0")]
struct PairError {
    text: String,
}

fn pair(text: &str) -> Result<(String, String), PairError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(PairError { text: text.to_owned() }),
    }
}
