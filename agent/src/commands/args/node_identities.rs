//! The flags that say where the backup of the node identities is, and what decrypts it, over what `agent.toml` says.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use svdr_cli::failure::Failure;
use svdr_dump::{Document, Identities};

use super::input;
use crate::config::{AgentConfig, Missing};
use crate::identities;

/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

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
            let line = "backup = \"/secure/identities.json\"";
            missing.push(config.missing(
                "node_identities",
                line,
                "--node-identities",
                "SVDR_NODE_IDENTITIES",
            ));
        }
        path
    }

    /// The age identity's path, of flags or else of the file.
    pub fn age_identity<'a>(&'a self, config: &'a AgentConfig) -> Option<&'a Path> {
        self.age_identity.as_deref().or(config.age_identity.as_deref())
    }
}

/// Reads and checks the backup at `path`, which `out` must not replace; warns if others may read private keys in it.
pub(crate) fn read(
    path: &Path,
    age_identity: Option<&Path>,
    out: Option<&Path>,
) -> Result<Identities, Failure> {
    let (file, metadata) = input::open(Document::Identities, path, out)?;
    let read = identities::read(file, metadata.is_file().then_some(metadata.len()), path, age_identity);
    let is_encrypted = match &read {
        Ok(backup) => backup.encrypted,
        Err(error) => error.is_of_encrypted(),
    };
    if !is_encrypted && metadata.is_file() && metadata.mode() & OTHERS != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{:04o}", metadata.mode() & 0o7777),
            "the backup of the node identities contains private keys, and others than its owner can use the file; run chmod 600"
        );
    }
    Ok(read?.identities)
}
