//! `saola order show ID`: one order.

use super::super::Failure;
use super::super::online::{Online, lines};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The order's id.
    id: String,
    #[command(flatten)]
    online: Online,
}

/// Shows every field of it, and what became of it.
///
/// # Errors
/// When no daemon answers, or there is no such order.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::OrderShow { id: args.id.clone() }, lines)
}
