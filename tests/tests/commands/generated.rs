//! The committed code of `svdr-proto` and `svdr-canton` is what their schemas generate. With `SVDR_REGENERATE=1` it is
//! written anew instead.
//!
//! Here and not in those crates, so that every selection of packages that tests anything compiles its dependencies with
//! the same features: the generator's are others than what the programs need.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const SCHEMA: [&str; 3] = ["svdr/v1/statement.proto", "svdr/v1/session.proto", "svdr/v1/donor.proto"];
/// The coordinator's service, with all it imports.
const SESSION: &str = "svdr/v1/session.proto";
/// What carries the bytes of a donated snapshot.
const DONATED: &str = ".svdr.v1.FetchSnapshotResponse.chunk";
const GENERATED: [&str; 2] = ["svdr.v1.rs", "svdr.v1.bin"];

/// What svdr calls of Canton's nodes.
const CANTON: [&str; 6] = [
    "participant.proto",
    "topology.proto",
    "sequencer.proto",
    "sequencer_status.proto",
    "mediator_status.proto",
    "connection.proto",
];
/// The modules that lead to the packages, which name each other.
const CANTON_PACKAGES: &str = "packages.rs";
/// Only a stand-in of a node needs the services' other end.
const ONLY_FOR_SERVERS: &str = "#[cfg(feature = \"server\")]";

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

fn canton() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/canton")
}

fn generate_canton(out: &Path) {
    let files = protox::compile(CANTON, [canton().join("proto")]).unwrap();
    tonic_prost_build::configure()
        .out_dir(out)
        .include_file(CANTON_PACKAGES)
        .server_mod_attribute(".", ONLY_FOR_SERVERS)
        .compile_fds(files)
        .unwrap();
}

#[test]
fn committed_code_for_canton_is_what_its_schema_generates() {
    let committed = canton().join("src/generated");
    if std::env::var_os("SVDR_REGENERATE").is_some() {
        return generate_canton(&committed);
    }
    let fresh = tempfile::tempdir().unwrap();
    generate_canton(fresh.path());
    let names = |folder: &Path| -> BTreeSet<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(&committed), names(fresh.path()), "help: run ./bless and commit the result");
    for name in names(fresh.path()) {
        let [committed, fresh] = [&committed, fresh.path()].map(|dir| fs::read(dir.join(&name)).unwrap());
        assert!(
            committed == fresh,
            "crates/canton/src/generated/{} is not what the schema generates\nhelp: run ./bless and commit the result",
            name.display()
        );
    }
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
