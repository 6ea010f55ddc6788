//! The part of `agent.toml` that the session commands need: roster, key, coordinators, migration id.
//!
//! The file is the agent's, which knows and checks all of it; other sections are left to it. Relative paths start
//! from the file's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;

/// The largest configuration, in bytes; one has less than a hundred lines.
const MAX_LEN: u64 = 1 << 20;

/// What is needed of an `agent.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The roster's file.
    pub(super) roster: PathBuf,
    /// The own key.
    pub(super) signing: Signing,
    /// The coordinators, in the order in which they are tried.
    #[serde(default, rename = "coordinator")]
    pub(super) coordinators: Vec<Coordinator>,
    /// The SV app, of which only the migration id is of interest here.
    #[serde(default)]
    pub(super) sv_app: SvApp,
}

/// `[signing]`
#[derive(Debug, Deserialize)]
pub(super) struct Signing {
    /// The key's file.
    pub(super) key: PathBuf,
}

/// `[[coordinator]]`
#[derive(Debug, Deserialize)]
pub(super) struct Coordinator {
    /// Where it is.
    pub(super) url: String,
    /// The key it has.
    pub(super) key: PublicKey,
}

/// `[sv_app]`
#[derive(Debug, Default, Deserialize)]
pub(super) struct SvApp {
    /// The migration id that the network will have.
    pub(super) migration_id: Option<u64>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("the configuration {} cannot be read; name another one with --config", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} has {found} bytes, more than any agent.toml; name another one with --config", path.display())]
    TooLong { path: PathBuf, found: u64 },
    #[error("the configuration {} has a mistake; correct it", path.display())]
    Mistake {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("{} names no coordinator; add a [[coordinator]] with url and key", path.display())]
    NoCoordinator { path: PathBuf },
}

impl CommandError for ConfigError {
    fn exit(&self) -> Exit {
        match self {
            ConfigError::Read { .. } => Exit::Failed,
            ConfigError::TooLong { .. } | ConfigError::Mistake { .. } | ConfigError::NoCoordinator { .. } => {
                Exit::Usage
            }
        }
    }
}

impl Config {
    /// The coordinators, in the order in which they are tried.
    pub(super) fn coordinators(&self) -> Vec<svdr_client::Coordinator> {
        let one = |one: &Coordinator| svdr_client::Coordinator { url: one.url.clone(), key: one.key };
        self.coordinators.iter().map(one).collect()
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, or has a mistake.
    pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let found = fs::metadata(path).map_err(failed)?.len();
        if found > MAX_LEN {
            return Err(ConfigError::TooLong { path: path.to_owned(), found });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut config: Config = toml::from_str(&text)
            .map_err(|source| ConfigError::Mistake { path: path.to_owned(), source: Box::new(source) })?;
        if config.coordinators.is_empty() {
            return Err(ConfigError::NoCoordinator { path: path.to_owned() });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        config.roster = folder.join(&config.roster);
        config.signing.key = folder.join(&config.signing.key);
        Ok(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        roster = "roster.toml"
        approval = "automatic"
        [signing]
        key = "/keys/signing.key"
        [[coordinator]]
        url = "https://localhost:7443"
        key = "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
        [evidence]
        logs = []
    "#;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        fs::write(&path, text).unwrap();
        let mut config = Config::read(&path)?;
        config.roster = config.roster.strip_prefix(folder.path()).unwrap().to_owned();
        Ok(config)
    }

    #[test]
    fn other_sections_are_the_agents_and_relative_paths_the_files() {
        let config = read(MINIMAL).unwrap();
        assert_eq!(config.roster, Path::new("roster.toml"));
        assert_eq!(config.signing.key, Path::new("/keys/signing.key"));
        assert_eq!(config.sv_app.migration_id, None);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let error = read(&MINIMAL.replace("ed25519:", "rsa:")).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("line 8"), "{cause}");
        assert!(matches!(
            read(&MINIMAL.replace("[[coordinator]]", "[other]")),
            Err(ConfigError::NoCoordinator { .. })
        ));
        assert!(matches!(Config::read(Path::new("/nowhere/agent.toml")), Err(ConfigError::Read { .. })));
    }
}
