//! Golden command-line cases: `cmd/*.trycmd`, each in a copy of its `.in` folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use svdr_tests::binaries;

#[test]
fn command_lines_answer_as_recorded() {
    // Some cases are about the warning that a file with secrets earns which a checkout leaves to be read by others.
    for (file, mode) in [
        ("key.in/signing.key", 0o644),
        ("evidence.in/signing.key", 0o600),
        ("merge.in/identities.json", 0o600),
        ("dump.in/identities.json", 0o600),
        ("backup.in/signing.key", 0o600),
        ("backup.in/age.key", 0o600),
        ("backup.in/other.key", 0o600),
        ("roll-forward.in/signing.key", 0o600),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cmd").join(file);
        fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    }
    trycmd::TestCases::new()
        .register_bin("svdr-agent", binaries::agent())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .case("cmd/*.trycmd")
        .run();
}
