//! Golden command-line cases: `cmd/*.trycmd`, each in a copy of its `.in` folder.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use svdr_tests::binaries;

#[test]
fn command_lines_answer_as_recorded() {
    // As a checkout leaves it with the usual umask; one case is about the warning that this earns.
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("cmd/identity.in/identity.key");
    fs::set_permissions(key, Permissions::from_mode(0o644)).unwrap();
    trycmd::TestCases::new()
        .register_bin("svdr-agent", binaries::agent())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .case("cmd/*.trycmd")
        .run();
}
