//! `saola server reload`: configuration, registry inputs and zones are read again while queries are answered.

use super::Failure;
use super::online::Online;
use super::zone_reload::show;
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    online: Online,
}

/// Asks for the reload and waits for its end.
///
/// # Errors
/// What could not be taken over; the old state of that stays.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::ServerReload {}, show)
}
