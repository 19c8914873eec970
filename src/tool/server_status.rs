//! `saola server status`: what the server is and does.

use super::Failure;
use super::online::{Online, lines};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    online: Online,
}

/// Prints the status.
///
/// # Errors
/// When no daemon answers.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::ServerStatus {}, lines)
}
