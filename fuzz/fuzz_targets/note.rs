//! The decoders of signed notes and checkpoints.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eventing::testing::any_bytes_as_note(bytes));
