//! `saola order impact NAME`: what else breaks when a name goes.

use super::super::Failure;
use super::super::online::{self, Online, field};
use crate::control::Request;
use crate::telemetry::count;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name.
    name: String,
    #[command(flatten)]
    online: Online,
}

/// Lists the names that use hosts at or below it.
///
/// # Errors
/// When no daemon answers, or it does not know.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::OrderImpact { domain: args.name.clone() }, |value| {
        let mut text = format!(
            "{} with hosts at or below {}, {} with no others, {} of State bodies\n",
            count(value["names"].as_u64().unwrap_or(0) as usize, "name"),
            field(value, "domain"),
            field(value, "names_without_servers"),
            field(value, "state_bodies")
        );
        let rows: Vec<Vec<String>> = value["dependants"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| {
                let state = if line["state_body"] == true { "State body".to_owned() } else { String::new() };
                vec![field(line, "domain"), format!("{} of {}", field(line, "servers_lost"), field(line, "servers")), state]
            })
            .collect();
        if !rows.is_empty() {
            text.push_str(&online::table(&["name", "servers lost", ""], &rows));
        }
        text
    })
}
