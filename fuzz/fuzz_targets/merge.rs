//! `CHUNK_LEN IDENTITIES 0xff SNAPSHOT`: refused, or merged into what serde_json makes of both, wherever the
//! snapshot is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_dump::fuzz::merges_as_promised(bytes));
