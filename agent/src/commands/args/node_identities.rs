//! The flags that say where the backup of the node identities is, and what decrypts it, over what `agent.toml` says.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{AgentConfig, Missing};

/// The backup of the node identities.
#[derive(Clone, Debug, Default, Args)]
pub struct NodeIdentitiesArgs {
    /// The backup of the node identities, plaintext or encrypted with age. Contains private keys
    #[arg(long, value_name = "FILE", env = "SVDR_NODE_IDENTITIES")]
    pub node_identities: Option<PathBuf>,
    /// The age identity that decrypts the backup, as age-keygen writes it
    #[arg(long, value_name = "FILE", env = "SVDR_AGE_IDENTITY")]
    pub age_identity: Option<PathBuf>,
}

impl NodeIdentitiesArgs {
    /// The backup's path, of flags or else of the file. Where it is nowhere, that is added to `missing`.
    pub fn path(&self, config: &AgentConfig, missing: &mut Vec<Missing>) -> Option<PathBuf> {
        let path = self.node_identities.clone().or_else(|| config.node_identities.clone());
        if path.is_none() {
            missing.push(Missing {
                section: "node_identities",
                line: "backup = \"/secure/identities.json\"",
                flag: "--node-identities",
                variable: "SVDR_NODE_IDENTITIES",
                file: config.file.clone(),
            });
        }
        path
    }

    /// The age identity's path, of flags or else of the file.
    pub fn age_identity<'a>(&'a self, config: &'a AgentConfig) -> Option<&'a Path> {
        self.age_identity.as_deref().or(config.age_identity.as_deref())
    }
}
