//! `saola order note ID`: who approved an urgent order, or that the registrant was told.

use super::super::Failure;
use super::super::online::{Online, lines};
use crate::control::Request;

/// Arguments.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true, args = ["approver", "notified"])]
pub struct Args {
    /// The order's id.
    id: String,
    /// Who approved it; somebody other than its operator.
    #[arg(long, value_name = "WHO")]
    approver: Option<String>,
    /// How the registrant was told, just now (art. 13.3.1).
    #[arg(long, value_name = "HOW")]
    notified: Option<String>,
    #[command(flatten)]
    online: Online,
}

/// Writes it down, and shows the order.
///
/// # Errors
/// When no daemon answers, there is no such order, or it has its approver.
pub fn run(args: &Args) -> Result<(), Failure> {
    let request = Request::OrderNote { id: args.id.clone(), approver: args.approver.clone(), notified: args.notified.clone() };
    args.online.print(&request, lines)
}
