//! The decoder of the log's lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eventing::testing::any_bytes_as_record(bytes));
