//! Zones as text: scanned, checked, verified, built, answered from.
#![no_main]

#[path = "../../tests/doors/mod.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| doors::zone(data));
