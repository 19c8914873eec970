//! `saola order file PATH`: files the orders of a file.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::Failure;
use super::super::online::{self, Online};
use crate::control::{Client, Request};
use crate::disk;
use crate::orders::Filing;
use crate::telemetry::count;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file: JSON Lines, one order a line with the fields of the ledger but for seq and prev_sha256.
    path: PathBuf,
    #[command(flatten)]
    online: Online,
}

/// Orders that go to the daemon together, and out under one serial. Our choice: some hundred octets each.
const TOGETHER: usize = 5000;

/// The most octets of a file. Our choice: some hundred thousand orders.
const MOST: u64 = 256 << 20;

/// Reads the whole file, then files its orders in their order.
///
/// # Errors
/// When a line is no order, and nothing is filed then; when an order is refused, the others are filed all the same.
pub fn run(args: &Args) -> Result<(), Failure> {
    let path = args.path.display();
    let text = disk::read_text(&args.path, MOST).map_err(|error| Failure::Refused(format!("'{path}': {error}")))?;
    let mut filings = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let filing: Filing =
            serde_json::from_str(line).map_err(|error| Failure::Refused(format!("'{path}', line {}: {error}; nothing is filed", i + 1)))?;
        filings.push((i + 1, filing));
    }
    let (mut lines, mut n_refused, mut broken) = (Vec::new(), 0, None);
    for together in filings.chunks(TOGETHER) {
        let orders = together.iter().map(|(_, filing)| filing.clone()).collect();
        let answer =
            Client::connect(&args.online.control).and_then(|mut client| client.ask(&Request::OrderFile { orders }, &mut std::io::sink()));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let first = together.first().map_or(0, |(at, _)| *at);
                broken = Some(format!(
                    "{error}; accepted before: {}; of those from line {first} on nothing is known: file the whole again, where an id is given twice nothing changes",
                    count(lines.len() - n_refused, "order")
                ));
                break;
            }
        };
        for ((at, filing), mut line) in together.iter().zip(answer.as_array().cloned().unwrap_or_default()) {
            line["line"] = json!(at);
            line["domain"] = json!(filing.domain);
            n_refused += usize::from(line["ok"] != true);
            lines.push(line);
        }
    }
    let text = if args.online.json { format!("{:#}\n", Value::Array(lines.clone())) } else { shown(&lines) };
    online::write(&text)?;
    if let Some(what) = broken {
        return Err(Failure::Refused(what));
    }
    if n_refused > 0 {
        return Err(Failure::Refused(format!("{} of {} refused", n_refused, count(lines.len(), "order"))));
    }
    Ok(())
}

fn shown(lines: &[Value]) -> String {
    let line = |line: &Value| {
        let field = |key: &str| online::field(line, key);
        if line["ok"] != true {
            return format!("line {}, {}: refused, {}\n", field("line"), field("domain"), field("error"));
        }
        let serial =
            if line["serial_after"].is_null() { String::new() } else { format!(", {} serial {}", field("zone"), field("serial_after")) };
        format!("line {}, {}: order {}, {}{serial}\n", field("line"), field("domain"), field("order_id"), field("state"))
    };
    lines.iter().map(line).collect()
}
