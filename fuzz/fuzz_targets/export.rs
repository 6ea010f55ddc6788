//! `PIECE_LEN DUMP`: the dump of an export is refused, or copied so that only the two paths are others, wherever it is
//! cut into pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_dump::fuzz::exports_are_copied(bytes));
