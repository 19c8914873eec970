//! Answers of secondaries to NOTIFY and to queries for the SOA.
#![no_main]

#[path = "../../tests/doors/mod.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| doors::peer::answer(data));
