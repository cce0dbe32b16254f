//! The target `requests` under the fuzzing engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| matchcut_fuzz::requests(data));
