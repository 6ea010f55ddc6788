//! The committed code of `svdr-proto` is what its schema generates. With `SVDR_REGENERATE=1` it is written anew instead.
//!
//! Here and not in that crate, so that every selection of packages that tests anything compiles its dependencies with
//! the same features: the generator's are others than what the programs need.

use std::fs;
use std::path::{Path, PathBuf};

const SCHEMA: [&str; 3] = ["svdr/v1/statement.proto", "svdr/v1/session.proto", "svdr/v1/donor.proto"];
/// The coordinator's service, with all it imports.
const SESSION: &str = "svdr/v1/session.proto";
/// What carries the bytes of a donated snapshot.
const DONATED: &str = ".svdr.v1.FetchSnapshotResponse.chunk";
const GENERATED: [&str; 2] = ["svdr.v1.rs", "svdr.v1.bin"];

/// The messages need prost alone; client and server stand behind the feature that brings the rest.
const ONLY_WITH_GRPC: &str = "#[cfg(feature = \"grpc\")]";

/// The folder of the crate, which the schema's paths start from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto")
}

fn generate(out: &Path) {
    let root = root();
    let files = protox::compile(SCHEMA, [&root]).unwrap();
    tonic_prost_build::configure()
        .out_dir(out)
        .client_mod_attribute(".", ONLY_WITH_GRPC)
        .server_mod_attribute(".", ONLY_WITH_GRPC)
        // Parts of the message's own buffer, not copies: a snapshot has gigabytes.
        .bytes(DONATED)
        .compile_fds(files)
        .unwrap();
    // Reflection serves shapes, of what a coordinator serves; the comments would double its size.
    let mut bare = protox::Compiler::new([&root]).unwrap();
    bare.include_imports(true).include_source_info(false).open_files([SESSION]).unwrap();
    fs::write(out.join("svdr.v1.bin"), bare.encode_file_descriptor_set()).unwrap();
}

#[test]
fn committed_code_is_what_the_schema_generates() {
    let committed = root().join("src/generated");
    if std::env::var_os("SVDR_REGENERATE").is_some() {
        return generate(&committed);
    }
    let fresh = tempfile::tempdir().unwrap();
    generate(fresh.path());
    for name in GENERATED {
        let [committed, fresh] = [&committed, fresh.path()].map(|dir| fs::read(dir.join(name)).unwrap());
        assert!(
            committed == fresh,
            "proto/src/generated/{name} is not what the schema generates\nhelp: run ./bless and commit the result"
        );
    }
}
