//! Zones from server to server. Knows no socket: who speaks with peers asks here what to say.

pub mod access;
pub mod catalog;
pub mod inward;
pub mod notify;
pub mod out;
pub mod refresh;
pub mod service;
pub mod trust;
pub mod tsig;
pub mod update;
