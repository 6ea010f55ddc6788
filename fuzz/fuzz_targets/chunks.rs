//! `PIECE_LEN FILE`: the file is refused, or its chunks are what a reader that holds it whole makes of it, wherever it
//! is cut into pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_dump::fuzz::chunks_are_chunks(bytes));
