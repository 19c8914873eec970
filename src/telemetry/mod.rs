//! Counters and log lines. Knows nobody: who counts names what is counted, who logs writes the line.

mod counters;
mod log;

pub use counters::{Counter, Counters, Snapshot, Telemetry};
pub use log::{Level, LogError, init};
