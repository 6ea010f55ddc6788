//! Any bytes as an `agent.toml`: refused with its mistakes, or a configuration that means the same when it is
//! written with comments.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_agent::config::fuzz::any_text(bytes));
