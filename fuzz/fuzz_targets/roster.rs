//! Any bytes as a roster: refused with its mistakes, or a roster whose fingerprint does not depend on how it
//! is written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_protocol::fuzz::roster(bytes));
