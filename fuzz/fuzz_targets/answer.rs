//! Any bytes as the body of a refusal: what is shown of it is short and cannot steer a terminal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_agent::sources::app::fuzz::any_body(bytes));
