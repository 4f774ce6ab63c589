//! The decoder of catalogues.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| classifier::testing::any_bytes_as_catalogue(bytes));
