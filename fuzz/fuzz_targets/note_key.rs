//! The decoder of note key text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eventing::testing::any_bytes_as_key(bytes));
