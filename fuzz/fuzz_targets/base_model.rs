//! The decoder of base models.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| classifier::testing::any_bytes_as_base_model(bytes));
