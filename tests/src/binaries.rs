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
    &built()[0]
}

/// The path of `svdr-coordinator`, built if need be.
///
/// # Panics
/// Where cargo cannot build it: without the program there is nothing to test.
pub fn coordinator() -> &'static Path {
    &built()[1]
}

fn built() -> &'static [PathBuf; 2] {
    static BUILT: OnceLock<[PathBuf; 2]> = OnceLock::new();
    BUILT.get_or_init(|| build(["svdr-agent", "svdr-coordinator"]))
}

/// Asks cargo to build the programs of these names and to say where it put them.
#[allow(clippy::panic, reason = "a harness without its program can only give up")]
fn build<const N: usize>(names: [&str; N]) -> [PathBuf; N] {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    // The whole workspace, as tests and drills are built: the features are the same, nothing is compiled twice.
    command.args([
        "build",
        "--locked",
        "--quiet",
        "--message-format=json",
        "--workspace",
        "--profile",
        PROFILE,
    ]);
    command.args(names.iter().flat_map(|name| ["--bin", name]));
    if cfg!(debug_assertions) {
        // A test among what is built makes cargo take the features that the tests' own dependencies ask for, as it did
        // for this test. Without it every crate would be compiled once more.
        command.args(["--test", "drill"]);
    }
    // What cargo says to this process of this package. Build scripts that look at these variables (ring's does) would
    // run again for each change between this cargo and the one that a person calls, and all that depends on them.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
    let output = match command.output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("cargo cannot build {names:?}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("cargo cannot be started to build {names:?}: {error}"),
    };
    let lines = output.stdout.split(|&byte| byte == b'\n');
    let messages: Vec<serde_json::Value> =
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    names.map(|name| {
        let program = messages.iter().find(|message| {
            message["target"]["name"] == name && message["target"]["kind"] == serde_json::json!(["bin"])
        });
        let path = program.and_then(|message| message["executable"].as_str());
        path.map_or_else(|| panic!("cargo built {name}, but did not say where"), PathBuf::from)
    })
}
