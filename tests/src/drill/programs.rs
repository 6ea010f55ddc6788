//! Which programs the drill starts as `svdr-agent` and `svdr-coordinator`.
//!
//! A program named by a flag comes first, whatever its version. Next comes a program that lies beside the drill and has the
//! drill's version. Otherwise the drill starts itself: it contains both. Under cargo it always starts itself, because
//! cargo has built the drill only, and what lies beside it may be older than the sources.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{DrillError, Options};
use crate::binaries::{self, AGENT, COORDINATOR};

/// The folder of the links to them, in the drill's folder.
pub(super) const FOLDER: &str = "bin";

/// A program, and why it was chosen.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    path: PathBuf,
    says: String,
}

/// Chooses the programs, shows which, and makes the links to them in `folder`.
pub(super) fn choose(options: &Options, folder: &Path) -> Result<(), DrillError> {
    let own = binaries::own().map_err(DrillError::Start)?;
    // Set by `cargo run` and `cargo test` for what they start.
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    let choose = |name, named: Option<&PathBuf>, version| -> Result<PathBuf, DrillError> {
        let chosen = match named {
            Some(path) => self::named(path)?,
            None => beside_or_own(&own, name, version, by_cargo),
        };
        say!("    {name:<18}{}", chosen.says);
        Ok(chosen.path)
    };
    let agent = choose(AGENT, options.agent.as_ref(), svdr_agent::version::SOFTWARE)?;
    let coordinator = choose(COORDINATOR, options.coordinator.as_ref(), svdr_coordinator::version::SOFTWARE)?;
    binaries::link(&folder.join(FOLDER), &agent, &coordinator).map_err(DrillError::Start)
}

/// The program that a flag names. It must say its version.
fn named(path: &Path) -> Result<Chosen, DrillError> {
    let failed = |source| DrillError::Named { path: path.to_owned(), source };
    let path = std::fs::canonicalize(path).map_err(failed)?;
    let version = version(&path).map_err(failed)?;
    Ok(Chosen { says: format!("{} ({version}), as named", path.display()), path })
}

/// The program of that name beside `own`, if it says `version`; otherwise `own`.
fn beside_or_own(own: &Path, name: &str, version: &str, by_cargo: bool) -> Chosen {
    let itself = |why: &str| Chosen { path: own.to_owned(), says: format!("this program ({version}){why}") };
    let beside = own.with_file_name(name);
    if by_cargo || !beside.exists() {
        return itself("");
    }
    match self::version(&beside) {
        Ok(found) if found == version => Chosen {
            says: format!("{} ({found}), the same version as this program", beside.display()),
            path: beside,
        },
        Ok(found) => itself(&format!("; {} is {found}, another version", beside.display())),
        Err(error) => itself(&format!("; {} does not start: {error}", beside.display())),
    }
}

/// What the program at `path` says to `--version`.
fn version(path: &Path) -> std::io::Result<String> {
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && said.lines().count() == 1 {
        true => Ok(svdr_protocol::text::shown(&said)),
        false => Err(std::io::Error::other(format!("--version ended with {}", output.status))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Written by a process of its own: what this one has open for writing may reach a child of another test, and then
    /// it cannot be started.
    fn script(path: &Path, text: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
        let written = Command::new("sh").args(["-c", write, "sh"]).arg(path).arg(text).status();
        assert!(written.unwrap().success());
    }

    #[test]
    fn a_program_beside_is_taken_only_with_the_same_version() {
        let folder = tempfile::tempdir().unwrap();
        let (own, beside) = (folder.path().join("drill"), folder.path().join("svdr-agent"));
        let choose = |by_cargo| beside_or_own(&own, "svdr-agent", "svdr-agent 1.2.3", by_cargo);
        assert_eq!(choose(false).path, own);
        script(&beside, "echo svdr-agent 1.2.3");
        assert_eq!(choose(false).path, beside);
        assert_eq!(choose(true).path, own);
        script(&beside, "echo svdr-agent 1.2.4");
        assert_eq!(choose(false).path, own);
        assert!(choose(false).says.ends_with("is svdr-agent 1.2.4, another version"));
        script(&beside, "echo svdr-agent 1.2.3; exit 1");
        assert_eq!(choose(false).path, own);
    }

    #[test]
    fn a_named_program_needs_no_version_but_has_to_start() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("another");
        script(&program, "echo svdr-agent 9.9.9");
        assert_eq!(named(&program).unwrap().path, std::fs::canonicalize(&program).unwrap());
        assert!(matches!(named(&folder.path().join("none")), Err(DrillError::Named { .. })));
        script(&program, "exit 3");
        assert!(matches!(named(&program), Err(DrillError::Named { .. })));
    }
}
