//! The signed files among the fixtures of the cases: each is, byte for byte, what its signers sign today. With
//! `SVDR_REGENERATE=1` they are written anew instead.

use std::fs;
use std::path::{Path, PathBuf};

mod certificates;
mod statements;

/// The folder of the cases.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cmd")
}

/// Compares each file below the folder of the cases with its content, or writes it.
fn assert_committed(fixtures: impl IntoIterator<Item = (&'static str, String)>) {
    for (name, content) in fixtures {
        let path = folder().join(name);
        if std::env::var_os("SVDR_REGENERATE").is_some() {
            fs::write(path, content).unwrap();
        } else {
            assert!(
                fs::read_to_string(path).unwrap() == content,
                "tests/cmd/{name} is not what its signer signs today\nhelp: run ./bless and read the difference"
            );
        }
    }
}
