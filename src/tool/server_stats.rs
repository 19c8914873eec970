//! `saola server stats`: the counters of the server.

use super::Failure;
use super::online::{Online, lines};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    online: Online,
}

/// Prints the counters.
///
/// # Errors
/// When no daemon answers.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::ServerStats {}, lines)
}
