//! What outlives the process: snapshots of published zones, the changes between versions, and the
//! account of what they were made from.
//!
//! Knows files and records; knows no key, no query, no export. Everything read back is taken as damaged until its checksum
//! and every length in it proved otherwise; what is damaged is refused, and the caller makes it anew.

mod amendments;
mod diffs;
mod images;
mod records;
mod snapshot;
mod state;

pub use amendments::Amendments;
pub use diffs::{Bounds, Diffs, DiffsError, Fault, Log, Step, StepRecords, Steps, Trimmed};
pub use images::{Account, Images};
pub use snapshot::{SnapshotError, decode, encode};
pub use state::{Compiled, Journal, Saved, SavedZone, StateError, Written, stem};
