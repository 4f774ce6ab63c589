//! The decoder and the verifier of exports.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eventing::testing::any_bytes_as_export(bytes));
