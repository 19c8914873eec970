//! The doors of orders: what operators file, the two copies of the ledger, and the record beside it.

use saola::orders::{Filed, Filing, Grounds, Ledger, Orders, Record, Rules, Standing};

use super::NOW;
use super::disk::Disk;

/// A filing is judged against the example's ledger; what is taken can be written into a ledger, and read back.
pub fn filing(text: &[u8]) {
    let Ok(filing) = serde_json::from_slice::<Filing>(text) else { return };
    let grounds = Grounds::built_in();
    let standing = |name: &str| match name.split('.').collect::<Vec<_>>()[..] {
        [_, "vn"] | [_, "com", "vn"] => Standing::Registrable,
        _ => Standing::Other,
    };
    let rules = Rules { grounds: &grounds, protected: &["vnnic.vn".to_owned()], standing: &standing };
    let disk = Disk::with(EXAMPLE);
    let disks = [disk.clone(), Disk::with(EXAMPLE).moved_beside(&disk)];
    let mut ledger = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("the example: {error}")).ledger;
    match filing.judge(ledger.orders(), &rules, NOW) {
        Ok(Filed::New(order)) => {
            let domain = order.domain.clone();
            let id = ledger.add(*order).expect("what is judged good can be written").order_id.clone();
            ledger.commit().expect("there is room");
            let again = Orders::read(&disks[1].octets()).expect("what was written is read");
            assert_eq!(again.by_id(&id).map(|order| &order.domain), Some(&domain));
            assert!(matches!(Filing { order_id: Some(id), ..filing }.judge(&again, &rules, NOW), Ok(Filed::Known(8))), "filed again");
        }
        Ok(Filed::Known(_)) | Err(_) => {}
    }
}

/// Filings of each kind.
pub fn filing_seeds() -> Vec<Vec<u8>> {
    let order = |fields: &str| {
        format!(r#"{{"authority":"A05","evidence_ref":"CV-1","operator":"op1","approver":"op2","domain":"Tiếngviệt.vn",{fields}}}"#)
            .into_bytes()
    };
    vec![
        order(r#""type":"suspend","legal_ground":"INVESTIGATION","order_id":"T-1","expires_at":"2030-01-01T00:00:00+07:00","urgent":true"#),
        order(r#""type":"cancel","legal_ground":"VOLUNTARY","document_no":"7","notice_sent_at":null"#),
        br#"{"type":"restore","refers_to":"O-2026-0001","legal_ground":"RESTORE_13_4","domain":"dinhchi.vn","authority":"A05","evidence_ref":"E","operator":"a","approver":"b"}"#.to_vec(),
    ]
}

/// Any two copies, cut in the middle of the input: they are refused, or both are one whole ledger afterwards.
pub fn copies(text: &[u8]) {
    let (a, b) = text.split_at(text.len() / 2);
    let disk = Disk::with(a);
    let disks = [disk.clone(), Disk::with(b).moved_beside(&disk)];
    if let Ok(opened) = Ledger::open(disks.clone(), None) {
        let octets = disks[0].octets();
        assert!(octets == disks[1].octets(), "the copies are one");
        let read = Orders::read(&octets).expect("and whole");
        assert_eq!(read.chain(), opened.ledger.orders().chain());
        assert!(read.notes().iter().all(|note| !note.contains("torn")));
    }
}

/// The example's ledger twice.
pub fn copies_seeds() -> Vec<Vec<u8>> {
    vec![[EXAMPLE, EXAMPLE].concat()]
}

/// What is left of a damaged record is a whole one.
pub fn record(text: &[u8]) {
    let (record, damage) = Record::read(text);
    if let Some(damage) = damage {
        let (again, nothing) = Record::read(&damage.text);
        assert_eq!((nothing, again.newest()), (None, record.newest()));
    }
}

/// A record with an event of each kind.
pub fn record_seeds() -> Vec<Vec<u8>> {
    use saola::orders::What;
    let mut record = Record::default();
    let events = [
        What::Accepted { seq: 1, sha256: "0".repeat(64) },
        What::Published { zone: Some("vn.".into()), serial_before: Some(1), serial_after: Some(2), ms: Some(3) },
        What::Secondary { server: "192.0.2.1:53".into(), serial: 2, ms: 40 },
        What::Late { servers: vec!["192.0.2.2:53".into()] },
        What::Everywhere { ms: 40 },
        What::Acknowledged { state: "published".into() },
        What::Approved { approver: "op2".into() },
        What::Notified { channel: "e-mail".into() },
    ];
    vec![events.into_iter().flat_map(|what| record.add(NOW, "O-1", what)).collect()]
}

const EXAMPLE: &[u8] = include_bytes!("../../zones/example-export/orders.jsonl");
