//! `saola zone refresh NAME`: has the primaries of a zone asked now.

use super::Failure;
use super::online::Online;
use crate::control::Request;
use crate::dns::Name;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The zone.
    name: Name,
    /// Fetch the whole zone, also when its serial is not newer.
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    online: Online,
}

/// Asks, and does not wait for what comes.
///
/// # Errors
/// When no daemon answers, or it has no such zone from others.
pub fn run(args: &Args) -> Result<(), Failure> {
    let request = Request::ZoneRefresh { zone: args.name.to_string(), whole: args.whole };
    args.online.print(&request, |_| format!("its primaries are asked, 'saola zone status {}' shows what comes of it\n", args.name))
}
