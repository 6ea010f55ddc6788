//! Any bytes as a client's certificate: nobody's, or that of an identity that is known.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| svdr_proto::tls::fuzz::client_certificate(bytes));
