//! `saola zone status [NAME]`: what is served of each zone.

use serde_json::Value;

use super::Failure;
use super::online::{Online, field, lines, table};
use crate::control::Request;
use crate::dns::Name;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The zone; without it all zones, a line each.
    name: Option<Name>,
    #[command(flatten)]
    online: Online,
}

/// Prints the status.
///
/// # Errors
/// When no daemon answers, or it has no such zone.
pub fn run(args: &Args) -> Result<(), Failure> {
    let one = args.name.is_some();
    args.online
        .print(&Request::ZoneStatus { zone: args.name.as_ref().map(Name::to_string) }, |value| if one { lines(value) } else { show(value) })
}

fn show(value: &Value) -> String {
    let keys = ["zone", "state", "serial", "records", "signatures", "refresh_at", "problem"];
    let rows: Vec<Vec<String>> =
        value.as_array().into_iter().flatten().map(|zone| keys.iter().map(|key| field(zone, key)).collect()).collect();
    table(&["zone", "state", "serial", "records", "signatures", "renewed at", "problem"], &rows)
}
