//! The ledger of orders on the disk: no order that was accepted is lost by anything that happens to one of its copies, and an operator is always told.

mod copies;
mod filing;
mod power;

use saola::dns::UnixTime;
use saola::orders::{Filed, Filing, Grounds, Ledger, Orders, Rules, Standing};

use crate::disk::Disk;

/// When everything here is filed.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// A suspension of a name, with an id of its own.
fn suspension(n: usize) -> Filing {
    let text = format!(
        r#"{{"order_id":"T-{n}","type":"suspend","domain":"ten-{n}.vn","authority":"A05","legal_ground":"INVESTIGATION","evidence_ref":"CV-{n}","operator":"op1","approver":"op2"}}"#
    );
    serde_json::from_str(&text).expect("a filing")
}

/// Files as the daemon does: names of two labels and of three below com.vn are registrable.
fn judge(filing: &Filing, orders: &Orders) -> Result<Filed, saola::orders::Refusal> {
    let grounds = Grounds::built_in();
    let standing = |name: &str| match name.split('.').collect::<Vec<_>>()[..] {
        ["vn"] | ["com" | "gov", "vn"] => Standing::Zone,
        [_, "vn"] | [_, "com" | "gov", "vn"] => Standing::Registrable,
        _ => Standing::Other,
    };
    let protected = ["vnnic.vn", "ns1.thongbao.vn"].map(str::to_owned);
    filing.judge(orders, &Rules { grounds: &grounds, protected: &protected, standing: &standing }, NOW)
}

/// Adds an order and makes it durable.
fn file(ledger: &mut Ledger<Disk>, filing: &Filing) -> std::io::Result<()> {
    match judge(filing, ledger.orders()).expect("a good filing") {
        Filed::New(order) => {
            ledger.add(*order).expect("an order");
            ledger.commit()
        }
        Filed::Known(_) => Ok(()),
    }
}

/// A ledger of `n` orders on two disks of one machine.
fn ledger_of(n: usize) -> [Disk; 2] {
    let disk = Disk::default();
    let disks = [disk.clone(), disk.beside()];
    let mut ledger = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger;
    for i in 1..=n {
        file(&mut ledger, &suspension(i)).expect("room");
    }
    disks
}

/// The ids of all orders.
fn ids(orders: &Orders) -> Vec<String> {
    orders.all().iter().map(|order| order.order_id.clone()).collect()
}

/// The ids of the first `n` orders.
fn first(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("T-{i}")).collect()
}
