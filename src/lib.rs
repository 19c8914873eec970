//! Saola: the authoritative DNS of the .VN registry.
//!
//! zone = f(export, orders, keys, policy, now). The rooms and their floors stand in ARCHITECTURE.md.

pub mod answer;
pub mod compile;
pub mod dns;
pub mod orders;
pub mod registry;
pub mod tool;
pub mod zone;
