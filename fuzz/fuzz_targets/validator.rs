//! `CHUNK_LEN ANSWER`: refused, or the text of the value of `data_snapshot`, wherever the answer is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    svdr_dump::fuzz::takes_the_value(bytes);
});
