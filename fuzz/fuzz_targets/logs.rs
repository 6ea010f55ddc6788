//! `FIRST SECOND LOG`: a log read in parts of one length, as of the other; and each of its lines alone.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_logs::fuzz::any_log(bytes));
