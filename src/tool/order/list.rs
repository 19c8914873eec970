//! `saola order list [NAME]`: the orders that are in force or to come.

use super::super::Failure;
use super::super::online::{self, Online, field};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this name.
    name: Option<String>,
    /// Also those that have ended, and restores.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    online: Online,
}

/// Lists orders, oldest first.
///
/// # Errors
/// When no daemon answers, or it has no ledger.
pub fn run(args: &Args) -> Result<(), Failure> {
    args.online.print(&Request::OrderList { domain: args.name.clone(), all: args.all }, |value| {
        let row = |line: &serde_json::Value| {
            ["order_id", "type", "domain", "state", "effective_at", "expires_at", "authority", "legal_ground"]
                .map(|key| field(line, key))
                .to_vec()
        };
        let rows: Vec<Vec<String>> = value.as_array().into_iter().flatten().map(row).collect();
        if rows.is_empty() {
            return "no order\n".into();
        }
        online::table(&["order", "type", "name", "state", "from", "until", "authority", "ground"], &rows)
    })
}
