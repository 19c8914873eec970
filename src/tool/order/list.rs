//! `saola order list [NAME]`: the orders that are in force or to come.

use serde_json::Value;

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
    let mut orders: Vec<Value> = Vec::new();
    loop {
        let after = orders.last().and_then(|last| last["seq"].as_u64()).unwrap_or(0);
        let request = Request::OrderList { domain: args.name.clone(), all: args.all, after };
        match args.online.ask(&request, &mut std::io::sink())? {
            Value::Array(more) if !more.is_empty() => orders.extend(more),
            _ => break,
        }
    }
    if args.online.json {
        return online::write(&format!("{:#}\n", Value::Array(orders)));
    }
    if orders.is_empty() {
        return online::write("no order\n");
    }
    let row = |line: &Value| {
        ["order_id", "type", "domain", "state", "effective_at", "expires_at", "authority", "legal_ground"]
            .map(|key| field(line, key))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = orders.iter().map(row).collect();
    online::write(&online::table(&["order", "type", "name", "state", "from", "until", "authority", "ground"], &rows))
}
