//! Counters, log lines and how counts are written. Knows nobody: who counts names what is counted, who logs writes the line.

mod count;
mod counters;
mod log;

pub use count::{Count, count};
pub use counters::{Counter, Counters, Snapshot, Telemetry, rcode_name};
pub use log::{Level, LogError, init};
