//! A virtual environment with what the Python example needs, made once and kept under the target folder.
//!
//! It needs a Python and its package index; without one the tests are skipped. A package that is not what
//! `requirements.txt` says fails them in any case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use svdr_tests::skip;

/// The folder of the example.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python")
}

/// The interpreter of the environment; none if the calling test is skipped.
pub(crate) fn python() -> Option<&'static Path> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = MADE.get_or_init(environment);
    skip::unless("PYTHON", made.as_deref().map_err(String::clone))
}

fn environment() -> Result<PathBuf, String> {
    let requirements = example().join("requirements.txt");
    let version = run("python3", &["-c", "import sys; print(sys.version)"])?;
    let digest =
        Sha256::new().chain_update(fs::read(&requirements).unwrap()).chain_update(version).finalize();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let kept = home.join(format!("python-{}", hex::encode(&digest[..8])));
    let python = kept.join("bin").join("python");
    if python.exists() {
        return Ok(python);
    }
    // Made under another name, so that what is kept is complete, whoever else makes it at the same time.
    let made = tempfile::Builder::new().prefix("python-").tempdir_in(home).unwrap();
    let path = made.path().to_str().unwrap();
    run("python3", &["-m", "venv", path])?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--retries=2",
        "--require-hashes",
        "--only-binary=:all:",
        "--requirement",
        requirements.to_str().unwrap(),
    ];
    let installed = run(made.path().join("bin").join("python").to_str().unwrap(), &install);
    if let Err(why) = installed {
        assert!(!why.contains("DO NOT MATCH THE HASHES"), "{why}");
        return Err(why);
    }
    // Where another one is there by now, that is as good.
    if fs::rename(made.path(), &kept).is_err() {
        assert!(python.exists(), "{} cannot be put in place", kept.display());
    }
    Ok(python)
}

/// What a program prints; or what went wrong.
fn run(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{program} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program} {} failed: {}", args.join(" "), String::from_utf8_lossy(&said).trim()))
}
