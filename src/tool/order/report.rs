//! `saola order report`: what persons should do about orders.

use super::super::Failure;
use super::super::online::{self, Online, field};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    online: Online,
}

/// Lists what is due; nothing of it is ever done by the program.
///
/// # Errors
/// When no daemon answers, or it has no ledger.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::OrderReport {}, |value| {
        let row = |line: &serde_json::Value| ["code", "order_id", "domain", "since"].map(|key| field(line, key)).to_vec();
        let rows: Vec<Vec<String>> = value["due"].as_array().into_iter().flatten().map(row).collect();
        let mut text =
            if rows.is_empty() { "nothing is due\n".to_owned() } else { online::table(&["what", "order", "name", "since"], &rows) };
        let candidates = value["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !candidates.is_empty() {
            let row = |line: &serde_json::Value| ["code", "domain", "since"].map(|key| field(line, key)).to_vec();
            text.push_str(&online::table(&["may be taken back", "name", "since"], &candidates.iter().map(row).collect::<Vec<_>>()));
            let n = value["all_candidates"].as_u64().unwrap_or(0);
            if n > candidates.len() as u64 {
                text.push_str(&format!("{n} in all, the others are in outcomes.csv of `saola zone compile`\n"));
            }
        }
        text.push_str(&format!("acknowledgements that nobody has taken: {}\n", field(value, "open_acknowledgements")));
        text
    })
}
