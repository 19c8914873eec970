//! UPDATE messages, against an unsigned zone and one of each denial.
#![no_main]

#[path = "../../tests/doors/mod.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| doors::peer::change(data));
