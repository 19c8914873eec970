//! Saola: the authoritative DNS of the .VN registry.
//!
//! zone = f(export, orders, keys, policy, now). The rooms and their floors stand in ARCHITECTURE.md.

pub mod answer;
pub mod compile;
pub mod config;
pub mod control;
pub mod daemon;
pub mod disk;
pub mod dns;
pub mod journal;
pub mod memory;
pub mod orders;
pub mod parallel;
pub mod pipeline;
pub mod publish;
pub mod registry;
pub mod sign;
pub mod telemetry;
pub mod tool;
pub mod transfer;
pub mod transport;
pub mod zone;
