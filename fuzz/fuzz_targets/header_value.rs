//! `portcullis_fuzz::header_value` for cargo-fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| portcullis_fuzz::header_value(input));
