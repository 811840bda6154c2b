//! `portcullis_fuzz::jwe` for cargo-fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| portcullis_fuzz::jwe(input));
