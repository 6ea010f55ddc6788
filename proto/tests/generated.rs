//! The committed code is what the schema generates. With `SVDR_REGENERATE=1` it is written anew instead.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

const SCHEMA: [&str; 1] = ["svdr/v1/statement.proto"];
const GENERATED: &str = "svdr.v1.rs";

fn generate(out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = protox::compile(SCHEMA, [root]).unwrap();
    prost_build::Config::new().out_dir(out).compile_fds(files).unwrap();
}

#[test]
fn committed_code_is_what_the_schema_generates() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("SVDR_REGENERATE").is_some() {
        return generate(&committed);
    }
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    generate(&fresh);
    let [committed, fresh] =
        [committed, fresh].map(|dir| std::fs::read_to_string(dir.join(GENERATED)).unwrap());
    assert!(
        committed == fresh,
        "proto/src/generated/{GENERATED} is not what the schema generates; run \
         SVDR_REGENERATE=1 cargo test -p svdr-proto and commit the result"
    );
}
