//! Sockets: requests come in, [`answer::respond`](crate::answer::respond) answers, replies go out from the address that was asked.
//!
//! Knows no configuration and no content of a zone. What is answered from is one [`Served`], swapped as a whole; a worker keeps it in an
//! [`arc_swap::Cache`], so that a query costs neither lock nor shared cache line. One UDP worker and one TCP worker a core, each with
//! sockets of its own (SO_REUSEPORT) and counters of its own. RFC 7766 and RFC 9210 (TCP), RFC 9715 (no fragments).

pub mod client;
mod connection;
mod later;
mod limits;
mod notifier;
mod request;
mod server;
mod stream;
mod sys;
mod table;
mod tcp;
pub mod tls;
mod transfer;
mod udp;

pub use later::{Later, Updater};
pub use limits::Limits;
pub use notifier::Notifier;
pub use request::Served;
pub use server::{BindError, Running, Server};
pub use sys::{descriptor_limit, give_way, set_descriptor_limit};
