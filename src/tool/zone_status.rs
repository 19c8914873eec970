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
    args.online.print(&Request::ZoneStatus { zone: args.name.as_ref().map(Name::to_string) }, |value| {
        if one { of_one(value.clone()) } else { of_all(value) }
    })
}

/// Everything of one zone, and a line for each secondary.
fn of_one(mut value: Value) -> String {
    let secondaries = value.get_mut(0).and_then(|zone| zone.get_mut("secondaries")).map_or(Value::Null, Value::take);
    let mut text = lines(&value);
    if secondaries.as_array().is_some_and(|secondaries| !secondaries.is_empty()) {
        let at = |zone: &Value, key: &str| {
            let (serial, time) = (field(zone, key), field(zone, &format!("{key}_at")));
            if serial.is_empty() { serial } else { format!("{serial} {time}") }
        };
        let row = |secondary: &Value| {
            let [told, taken, seen] = ["notified", "acknowledged", "seen"].map(|key| at(secondary, key));
            vec![field(secondary, "address"), field(secondary, "state"), told, taken, seen, field(secondary, "fault")]
        };
        let rows: Vec<_> = secondaries.as_array().into_iter().flatten().map(row).collect();
        text.push_str(&table(&["secondary", "state", "notified", "acknowledged", "seen", "fault"], &rows));
    }
    text
}

fn of_all(value: &Value) -> String {
    let keys = ["zone", "state", "serial", "records", "signatures", "refresh_at", "problem"];
    let row = |zone: &Value| {
        let mut row: Vec<String> = keys.iter().map(|key| field(zone, key)).collect();
        let states: Vec<&Value> = zone["secondaries"].as_array().into_iter().flatten().map(|secondary| &secondary["state"]).collect();
        let n_current = states.iter().filter(|state| **state == "current").count();
        row.insert(6, if states.is_empty() { String::new() } else { format!("{n_current} of {} current", states.len()) });
        row
    };
    let rows: Vec<Vec<String>> = value.as_array().into_iter().flatten().map(row).collect();
    table(&["zone", "state", "serial", "records", "signatures", "renewed at", "secondaries", "problem"], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secondaries_are_lines_of_a_table() {
        let secondary = |state: &str| json!({"address": "192.0.2.1:53", "state": state, "notified": 7, "notified_at": "then", "acknowledged": null, "fault": "x y"});
        let zones = json!([{"zone": "vn.", "serial": 7, "secondaries": [secondary("current"), secondary("silent")]}]);
        let text = of_all(&zones);
        assert!(text.contains("1 of 2 current"), "{text}");
        let text = of_one(zones);
        let expected = [
            "serial 7",
            "zone vn.",
            "secondary     state    notified  acknowledged  seen  fault",
            "192.0.2.1:53  current  7 then                        x y",
            "192.0.2.1:53  silent   7 then                        x y",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
