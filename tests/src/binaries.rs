//! The programs under test. Every executable of this package contains both.
//!
//! An executable whose `main` begins with [`run_as_called`] becomes `svdr-agent` or `svdr-coordinator` when it is started
//! by that name, through a symbolic link. This is the one mechanism of tests, benchmarks and the drill: nothing is built
//! while they run, what they drive is as new as they are, and a drill needs no other file. What runs is what the programs'
//! own `main`s run: both parse the command line and call `CommandLine::run`, nothing else.
//!
//! The links are in a folder beside the executable, `drill.programs` for tests, unless [`link`] has chosen another place
//! and other programs, as the drill does.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser as _;

/// The agent's name.
pub const AGENT: &str = "svdr-agent";
/// The coordinator's name.
pub const COORDINATOR: &str = "svdr-coordinator";

/// The links of this process.
static LINKS: OnceLock<Links> = OnceLock::new();

#[derive(Debug)]
struct Links {
    agent: PathBuf,
    coordinator: PathBuf,
}

/// Runs the program whose name this process was started by; `None` for any other name.
pub fn run_as_called() -> Option<ExitCode> {
    let called = std::env::args_os().next()?;
    match Path::new(&called).file_name()?.to_str()? {
        AGENT => Some(svdr_agent::commands::CommandLine::parse().run().into()),
        COORDINATOR => Some(svdr_coordinator::commands::CommandLine::parse().run().into()),
        _ => None,
    }
}

/// The executable that contains the programs: `drill` for a test, which cargo has built for it, otherwise this process's.
///
/// # Errors
/// If the system does not know this process's executable.
pub fn own() -> io::Result<PathBuf> {
    match std::env::var_os("CARGO_BIN_EXE_drill") {
        Some(drill) => Ok(drill.into()),
        None => std::env::current_exe(),
    }
}

/// Makes the links in `folder`, to these programs. From now on this process starts them.
///
/// # Errors
/// If the links cannot be made, or this process has already started programs.
pub fn link(folder: &Path, agent: &Path, coordinator: &Path) -> io::Result<()> {
    let links = Links::new(folder, agent, coordinator)?;
    LINKS.set(links).map_err(|_| io::Error::other("this process has already chosen its programs"))
}

/// The path of `svdr-agent`.
///
/// # Panics
/// If the link cannot be made: without the program there is nothing to test.
pub fn agent() -> &'static Path {
    &links().agent
}

/// The path of `svdr-coordinator`.
///
/// # Panics
/// If the link cannot be made: without the program there is nothing to test.
pub fn coordinator() -> &'static Path {
    &links().coordinator
}

#[allow(clippy::panic, reason = "a harness without its programs can only stop")]
fn links() -> &'static Links {
    LINKS.get_or_init(|| {
        let made = own().and_then(|own| Links::new(&own.with_extension("programs"), &own, &own));
        made.unwrap_or_else(|error| panic!("cannot link the programs under test: {error}"))
    })
}

impl Links {
    fn new(folder: &Path, agent: &Path, coordinator: &Path) -> io::Result<Links> {
        std::fs::create_dir_all(folder)?;
        let link = |name: &str, program: &Path| {
            let link = folder.join(name);
            if std::fs::read_link(&link).is_ok_and(|target| target == program) {
                return Ok(link);
            }
            // Several test programs may do this at once: the link is replaced in one step, and never missing.
            let new = folder.join(format!("{name}.{}", std::process::id()));
            symlink(program, &new)?;
            std::fs::rename(new, &link)?;
            Ok::<_, io::Error>(link)
        };
        Ok(Links { agent: link(AGENT, agent)?, coordinator: link(COORDINATOR, coordinator)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_programs_and_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        let target = |link: &Path| std::fs::read_link(link).unwrap();
        let links = Links::new(&bin, Path::new("/a"), Path::new("/b")).unwrap();
        assert_eq!((target(&links.agent), target(&links.coordinator)), ("/a".into(), "/b".into()));
        assert_eq!(links.agent.file_name().unwrap(), AGENT);
        let links = Links::new(&bin, Path::new("/c"), Path::new("/b")).unwrap();
        assert_eq!((target(&links.agent), target(&links.coordinator)), ("/c".into(), "/b".into()));
        assert_eq!(std::fs::read_dir(&bin).unwrap().count(), 2);
    }

    #[test]
    fn this_process_is_called_by_another_name() {
        assert!(run_as_called().is_none());
    }
}
