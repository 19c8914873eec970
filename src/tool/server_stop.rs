//! `saola server stop`: a clean end, requests in flight are answered.

use super::Failure;
use super::online::Online;
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    online: Online,
}

/// Asks for the end; returns when it has begun.
///
/// # Errors
/// When no daemon answers.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::ServerStop {}, |_| "stopping\n".into())
}
