#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vecrank_fuzz::vectors(data));
