//! `HOW AT AT BYTES`: any bytes as a backup of the node identities, in the clear or as an age file; and a sound document, encrypted
//! and read again, then cut or changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_agent::identities::fuzz::any_backup(bytes));
