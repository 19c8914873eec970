//! `saola zone reload [NAME]`: reads one zone again, or everything.

use serde_json::Value;

use super::Failure;
use super::online::{Online, field};
use crate::control::Request;
use crate::dns::Name;
use crate::telemetry::count;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The zone; without it configuration, registry inputs and all zones are read again.
    name: Option<Name>,
    #[command(flatten)]
    online: Online,
}

/// Asks for the reload and waits for its end.
///
/// # Errors
/// What could not be taken over; the old state of that stays.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::ZoneReload { zone: args.name.as_ref().map(Name::to_string) }, show)
}

/// What a reload did, one line an event.
pub(super) fn show(value: &Value) -> String {
    let mut out = String::new();
    for warning in value["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("warning: {warning}\n"));
    }
    for zone in value["published"].as_array().into_iter().flatten() {
        let from = if zone["from"].is_null() { "none".into() } else { field(zone, "from") };
        out.push_str(&format!("{} {from} -> {}, {}\n", field(zone, "zone"), field(zone, "to"), field(zone, "why")));
    }
    for zone in value["removed"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("{zone} removed\n"));
    }
    out.push_str(&format!("{} unchanged, {} ms\n", count(value["unchanged"].as_u64().unwrap_or(0), "zone"), field(value, "milliseconds")));
    out
}
