//! Tests that need what a machine may lack.
//!
//! A test that cannot run must not look as if it had passed. [`unless`] says so on the terminal, whatever cargo keeps of
//! the output of a test that passes, and fails the test on a machine that must have what is missing.

use std::io::{self, Write as _};

/// Returns what was found. If it was not found, reports that the calling test is skipped, and why.
///
/// # Panics
/// If the variable `SVDR_REQUIRE_<what>` is 1.
#[allow(clippy::panic, reason = "a test that must not be skipped fails")]
pub fn unless<T>(what: &str, found: Result<T, String>) -> Option<T> {
    let why = match found {
        Ok(found) => return Some(found),
        Err(why) => why,
    };
    let variable = format!("SVDR_REQUIRE_{what}");
    if std::env::var_os(&variable).is_some_and(|value| value == "1") {
        panic!("{variable}=1, but {why}");
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("skipped: {test}: {why} ({variable}=1 makes this a failure)\n");
    // Not `eprintln!`: libtest keeps what that writes to itself, unless the test fails.
    let _ = io::stderr().write_all(line.as_bytes());
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Output};

    #[test]
    #[ignore = "is skipped: the next test runs it in a process of its own"]
    fn needs_what_is_nowhere() {
        assert_eq!(super::unless::<()>("NOTHING", Err("there is none".to_owned())), None);
    }

    fn run(require: &str) -> Output {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "skip::tests::needs_what_is_nowhere"]);
        command.env("SVDR_REQUIRE_NOTHING", require).output().unwrap()
    }

    #[test]
    fn a_skipped_test_says_so_and_fails_if_it_must_run() {
        let skipped = run("0");
        assert!(skipped.status.success());
        let said = String::from_utf8(skipped.stderr).unwrap();
        assert_eq!(
            said,
            "skipped: skip::tests::needs_what_is_nowhere: there is none (SVDR_REQUIRE_NOTHING=1 makes this a failure)\n"
        );
        assert!(!run("1").status.success());
    }
}
