//! Any bytes as a signed statement, and as the content of one that is signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_protocol::fuzz::envelope(bytes));
