//! `saola order VERB`: files orders, and shows what there is of them.

mod file;
mod impact;
mod list;
mod note;
mod report;
mod show;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::online::{self, Online};
use super::{Failure, time};
use crate::control::Request;
use crate::orders::{Filing, OrderKind};

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Hides a name until it is restored.
    Suspend(Box<Suspend>),
    /// Ends the registration of a name.
    Cancel(Box<Cancel>),
    /// Ends another order.
    Restore(Box<Restore>),
    /// Files the orders of a file: JSON Lines, one order a line.
    File(file::Args),
    /// Shows what else breaks when a name goes.
    Impact(impact::Args),
    /// Lists the orders that are in force or to come.
    List(list::Args),
    /// Shows one order.
    Show(show::Args),
    /// Shows what persons should do: orders to be looked at, notices and approvers that are missing.
    Report(report::Args),
    /// Writes down who approved an urgent order, or that the registrant was told.
    Note(note::Args),
    /// Checks a ledger's chain of hashes, without a daemon.
    Verify(verify::Args),
}

/// What every order says.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The name, in U-labels or A-labels.
    name: String,
    /// The legal ground, a code of the table.
    #[arg(long, value_name = "CODE")]
    ground: String,
    /// Who ordered: A05, COURT, INSPECTORATE, VNNIC ...
    #[arg(long)]
    authority: String,
    /// Where the evidence is archived; never the document itself.
    #[arg(long, value_name = "REF")]
    evidence: String,
    /// Who files the order.
    #[arg(long, value_name = "WHO")]
    operator: String,
    /// Who approved it; somebody else.
    #[arg(long, value_name = "WHO")]
    approver: Option<String>,
    /// The approver may follow later, and is missed until then.
    #[arg(long)]
    urgent: bool,
    /// The order's id; with it, the same order can be filed again without harm.
    #[arg(long)]
    id: Option<String>,
    /// The number of the paper.
    #[arg(long, value_name = "NO")]
    document: Option<String>,
    /// When the order arrived (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    received_at: Option<String>,
    /// From when it holds (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    effective_at: Option<String>,
    /// When the registrant was told (RFC 3339).
    #[arg(long, value_name = "TIME")]
    notice_sent_at: Option<String>,
    /// How the registrant was told.
    #[arg(long, value_name = "HOW")]
    notice_channel: Option<String>,
    /// Keep it out of public feeds.
    #[arg(long)]
    confidential: bool,
    /// The name is protected, and is meant all the same.
    #[arg(long)]
    break_glass: bool,
    /// Names that lose name servers by it are known of and accepted.
    #[arg(long)]
    accept_impact: bool,
    #[command(flatten)]
    online: Online,
}

/// Arguments of `suspend`.
#[derive(Debug, clap::Args)]
pub struct Suspend {
    #[command(flatten)]
    common: Common,
    /// When it ends by itself (RFC 3339).
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// When it is to be looked at again (RFC 3339) [default: 30 days after it holds].
    #[arg(long, value_name = "TIME")]
    review_at: Option<String>,
}

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub struct Cancel {
    #[command(flatten)]
    common: Common,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    #[command(flatten)]
    common: Common,
    /// The order that ends.
    #[arg(long, value_name = "ID")]
    refers_to: String,
}

/// Carries out a verb.
///
/// # Errors
/// When it is refused, or no daemon answers.
pub fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Suspend(args) => {
            let mut filing = filing(&args.common, OrderKind::Suspend)?;
            filing.expires_at = args.expires_at.as_deref().map(|text| time(Some(text))).transpose()?;
            filing.review_at = args.review_at.as_deref().map(|text| time(Some(text))).transpose()?;
            one(filing, &args.common.online)
        }
        Verb::Cancel(args) => one(filing(&args.common, OrderKind::Cancel)?, &args.common.online),
        Verb::Restore(args) => {
            let filing = filing(&args.common, OrderKind::Restore)?;
            one(Filing { refers_to: Some(args.refers_to.clone()), ..filing }, &args.common.online)
        }
        Verb::File(args) => file::run(args),
        Verb::Impact(args) => impact::run(args),
        Verb::List(args) => list::run(args),
        Verb::Show(args) => show::run(args),
        Verb::Report(args) => report::run(args),
        Verb::Note(args) => note::run(args),
        Verb::Verify(args) => verify::run(args),
    }
}

fn filing(common: &Common, kind: OrderKind) -> Result<Filing, Failure> {
    let at = |text: &Option<String>| text.as_deref().map(|text| time(Some(text))).transpose();
    Ok(Filing {
        order_id: common.id.clone(),
        kind,
        refers_to: None,
        domain: common.name.clone(),
        authority: common.authority.clone(),
        legal_ground: common.ground.clone(),
        document_no: common.document.clone(),
        evidence_ref: common.evidence.clone(),
        received_at: at(&common.received_at)?,
        effective_at: at(&common.effective_at)?,
        expires_at: None,
        review_at: None,
        operator: common.operator.clone(),
        approver: common.approver.clone().unwrap_or_default(),
        urgent: common.urgent,
        notice_sent_at: at(&common.notice_sent_at)?,
        notice_channel: common.notice_channel.clone(),
        registrar_notified_at: None,
        confidential: common.confidential,
        break_glass: common.break_glass,
        accept_impact: common.accept_impact,
    })
}

/// Files one order and says what came of it.
fn one(filing: Filing, online: &Online) -> Result<(), Failure> {
    let answer = online.ask(&Request::OrderFile { orders: vec![filing] }, &mut std::io::sink())?;
    let line = &answer[0];
    if line["ok"] != true {
        return Err(Failure::Refused(online::field(line, "error")));
    }
    let text = if online.json { format!("{line:#}\n") } else { shown(line) };
    online::write(&text)
}

/// What came of an order, in words.
fn shown(line: &Value) -> String {
    let field = |key: &str| online::field(line, key);
    let mut text = format!("order {}, {}", field("order_id"), field("state"));
    if !line["zone"].is_null() {
        let us = |key: &str| line[key].as_u64().unwrap_or(0);
        let total = us("judged_us") + us("ledger_us") + us("published_us");
        text.push_str(&format!(
            ": {} in {}, serial {} -> {}, {:.1} ms ({:.1} of them the ledger)\ncaches may keep what was there until {}",
            field("domain"),
            field("zone"),
            field("serial_before"),
            field("serial_after"),
            total as f64 / 1000.0,
            us("ledger_us") as f64 / 1000.0,
            field("cached_until"),
        ));
    }
    text.push('\n');
    for note in line["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// Where ledgers are when nothing is said.
fn default_ledgers() -> Vec<PathBuf> {
    ["var/orders/ledger.jsonl", "var/orders-copy/ledger.jsonl"].map(PathBuf::from).to_vec()
}
