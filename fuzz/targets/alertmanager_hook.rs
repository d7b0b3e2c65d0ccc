//! Hands libFuzzer's inputs to the target of this name; what it checks is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::alertmanager_hook(data));
