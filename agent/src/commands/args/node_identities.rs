//! The flags that say where the identities backup is, and what decrypts it, over what `agent.toml` says.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{AgentConfig, Missing};

/// Where the identities backup is.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupArgs {
    /// The identities backup, encrypted with age or not: the SV app's identities-dump. Holds private keys
    #[arg(long, value_name = "FILE", env = "SVDR_IDENTITIES")]
    pub identities: Option<PathBuf>,
    /// The age identity that decrypts it, as age-keygen writes it; only needed where it is encrypted
    #[arg(long, value_name = "FILE", env = "SVDR_AGE_IDENTITY")]
    pub age_identity: Option<PathBuf>,
}

impl BackupArgs {
    /// The backup's path, of flags or else of the file. Where it is nowhere, that is added to `missing`.
    pub fn identities(&self, config: &AgentConfig, missing: &mut Vec<Missing>) -> Option<PathBuf> {
        let identities = self.identities.clone().or_else(|| config.identities.clone());
        if identities.is_none() {
            missing.push(Missing {
                section: "backup",
                line: "identities = \"/secure/identities.json\"",
                flag: "--identities",
                variable: "SVDR_IDENTITIES",
                file: config.file.clone(),
            });
        }
        identities
    }

    /// The age identity's path, of flags or else of the file.
    pub fn age_identity<'a>(&'a self, config: &'a AgentConfig) -> Option<&'a Path> {
        self.age_identity.as_deref().or(config.age_identity.as_deref())
    }
}
