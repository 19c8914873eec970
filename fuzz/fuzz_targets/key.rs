//! Key files: public and private text with a line of hyphens between them.
#![no_main]

#[path = "../../tests/doors/mod.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| doors::key(data));
