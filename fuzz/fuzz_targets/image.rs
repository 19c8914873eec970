//! Images, without and with the right checksums: read, not answered from, as answering may panic where a worker would catch it.
#![no_main]

#[path = "../../tests/doors/mod.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(doors::state::image(data)));
