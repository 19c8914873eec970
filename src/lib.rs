//! Saola: the authoritative DNS of the .VN registry.
//!
//! zone = f(export, orders, keys, policy, now). The rooms and their floors stand in ARCHITECTURE.md.

pub mod answer;
pub mod config;
pub mod dns;
pub mod tool;
pub mod zone;
