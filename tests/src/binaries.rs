//! Finds the programs under test, building them where cargo has not done so yet.
//!
//! Cargo builds a package's programs for that package's own tests only, so a test or a drill of this package
//! asks cargo for the others, once, in the profile that it was built in itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The profile this crate was compiled in, which is the one the programs are built in.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

/// The path of `svdr-agent`, built if need be.
///
/// # Panics
/// Where cargo cannot build it: without the program there is nothing to test.
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| build("svdr-agent"))
}

/// The path of `svdr-coordinator`, built if need be.
///
/// # Panics
/// Where cargo cannot build it: without the program there is nothing to test.
pub fn coordinator() -> &'static Path {
    static COORDINATOR: OnceLock<PathBuf> = OnceLock::new();
    COORDINATOR.get_or_init(|| build("svdr-coordinator"))
}

/// Asks cargo to build the program of that name (the package's too) and to say where it put it.
#[allow(clippy::panic, reason = "a harness without its program can only give up")]
fn build(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The whole workspace, as tests and drills are built: the features are the same, nothing is compiled twice.
    let built = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--message-format=json",
            "--profile",
            PROFILE,
            "--workspace",
            "--bin",
            name,
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output();
    let output = match built {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("cargo cannot build {name}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("cargo cannot be started to build {name}: {error}"),
    };
    let executable = output.stdout.split(|&byte| byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.unwrap_or_else(|| panic!("cargo built {name}, but did not say where"))
}
