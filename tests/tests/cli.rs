//! Golden command-line cases: `cmd/*.trycmd`, each in a copy of its `.in` folder.

use svdr_tests::binaries;

#[test]
fn command_lines_answer_as_recorded() {
    trycmd::TestCases::new()
        .register_bin("svdr-agent", binaries::agent())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .case("cmd/*.trycmd")
        .run();
}
