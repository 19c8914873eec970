//! What became of orders: the companion of the ledger. Each event is a line; together they say how far each order got.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::order::{self, Order, OrderKind};
use super::{Orders, ZERO_HASH};
use crate::dns::{Serial, UnixTime};

/// One line of the record. Each has the SHA-256 of the line before, as in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// SHA-256 of the line before without its LF; zeros first.
    pub prev_sha256: String,
    /// When.
    #[serde(deserialize_with = "order::time", serialize_with = "order::write_time")]
    pub at: UnixTime,
    /// The order.
    pub order_id: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum What {
    /// It is durable in the ledger, in the line of this number and SHA-256.
    Accepted {
        /// The number.
        seq: u64,
        /// The line's SHA-256.
        sha256: String,
    },
    /// It is in force here.
    Published {
        /// The zone that its name is in; none where there was nothing to change.
        zone: Option<String>,
        /// The zone's serials.
        serial_before: Option<u32>,
        /// The zone's serials.
        serial_after: Option<u32>,
        /// Milliseconds since it was taken in.
        ms: u64,
    },
    /// A secondary serves it.
    Secondary {
        /// Its address.
        server: String,
        /// The serial that it was seen with.
        serial: u32,
        /// Milliseconds since the order was taken in.
        ms: u64,
    },
    /// All secondaries serve it.
    Everywhere {
        /// Milliseconds since the order was taken in.
        ms: u64,
    },
    /// The deadline is over, and these do not serve it.
    Late {
        /// Their addresses.
        servers: Vec<String>,
    },
    /// The registry's database was told of this state, and has taken it.
    Acknowledged {
        /// The state.
        state: String,
    },
    /// What was urgent has its approver.
    Approved {
        /// Who.
        approver: String,
    },
    /// The registrant was told.
    Notified {
        /// How.
        channel: String,
    },
}

/// How far orders got.
#[derive(Clone, Debug)]
pub struct Record {
    head: String,
    of: HashMap<String, Vec<Event>>,
}

impl Default for Record {
    fn default() -> Self {
        Self { head: ZERO_HASH.to_owned(), of: HashMap::new() }
    }
}

impl Record {
    /// Reads a record as far as its chain holds; gives the octets that it holds for, and what is wrong behind them.
    pub fn read(text: &[u8]) -> (Self, usize, Option<String>) {
        let (mut record, mut good, mut line) = (Self::default(), 0, 0);
        while let Some(n) = text[good..].iter().position(|&octet| octet == b'\n') {
            line += 1;
            let octets = &text[good..good + n];
            match serde_json::from_slice::<Event>(octets) {
                Ok(event) if event.prev_sha256 == record.head => record.enter(event, octets),
                Ok(_) => return (record, good, Some(format!("line {line}: prev_sha256 is not the hash of the line before"))),
                Err(error) => return (record, good, Some(format!("line {line}: {error}"))),
            }
            good += n + 1;
        }
        let torn = (good < text.len()).then(|| format!("line {}: torn at the end", line + 1));
        (record, good, torn)
    }

    /// Adds an event; gives its line, with its LF.
    pub fn add(&mut self, at: UnixTime, order_id: &str, what: What) -> Vec<u8> {
        let event = Event { prev_sha256: self.head.clone(), at, order_id: order_id.to_owned(), what };
        let mut line = serde_json::to_vec(&event).expect("strings and numbers");
        self.enter(event, &line);
        line.push(b'\n');
        line
    }

    fn enter(&mut self, event: Event, line: &[u8]) {
        self.head = super::ledger::sha256(line);
        self.of.entry(event.order_id.clone()).or_default().push(event);
    }

    /// What became of an order, oldest first.
    pub fn of(&self, order_id: &str) -> &[Event] {
        self.of.get(order_id).map_or(&[], Vec::as_slice)
    }

    /// The line of the ledger with the largest number that is known of, with its SHA-256.
    pub fn newest(&self) -> Option<(u64, &str)> {
        let accepted = self.of.values().flatten().filter_map(|event| match &event.what {
            What::Accepted { seq, sha256 } => Some((*seq, &sha256[..])),
            _ => None,
        });
        accepted.max_by_key(|(seq, _)| *seq)
    }

    /// The zones that orders changed, with their serials after that, in no order.
    pub fn serials(&self) -> impl Iterator<Item = (&str, Serial)> {
        self.of.values().flatten().filter_map(|event| match &event.what {
            What::Published { zone, serial_after, .. } => Some((&zone.as_ref()?[..], Serial((*serial_after)?))),
            _ => None,
        })
    }

    /// When the order came in force here, as far as that is known.
    fn published_at(&self, order: &Order) -> Option<UnixTime> {
        self.of(&order.order_id).iter().find(|event| matches!(event.what, What::Published { .. })).map(|event| event.at)
    }

    /// True if the approver of what was urgent is there.
    fn is_approved(&self, order: &Order) -> bool {
        !order.approver.is_empty() || self.of(&order.order_id).iter().any(|event| matches!(event.what, What::Approved { .. }))
    }

    fn is_notified(&self, order: &Order) -> bool {
        order.notice_sent_at.is_some() || self.of(&order.order_id).iter().any(|event| matches!(event.what, What::Notified { .. }))
    }
}

/// Something about an order that a person should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The code as operators and reports see it.
    pub code: &'static str,
    /// The order.
    pub order_id: String,
    /// Its name.
    pub domain: String,
    /// Since when.
    pub since: UnixTime,
}

const DAY: u64 = 86_400;

/// After how long a suspension with a continued violation may become a cancellation (92/2003 art. 13.1.3), in seconds.
const CANCEL_DUE: u64 = 30 * DAY;

/// What persons should do about the orders in force at `now`, by code. Nothing of it is ever done by the program.
pub fn due(orders: &Orders, record: &Record, now: UnixTime) -> Vec<Due> {
    let mut found: BTreeMap<&'static str, Vec<Due>> = BTreeMap::new();
    let mut add = |code: &'static str, order: &Order, since: UnixTime| {
        let due = Due { code, order_id: order.order_id.clone(), domain: order.domain.clone(), since };
        found.entry(code).or_default().push(due);
    };
    for order in orders.all().iter().filter(|order| order.kind != OrderKind::Restore && orders.state(order, now) == "in force") {
        let since = |time: UnixTime, secs: u64| UnixTime(time.0.saturating_add(secs));
        if order.kind == OrderKind::Suspend {
            // A time before the order was filed is no time that the name was suspended.
            let cancel = since(order.effective_at.max(record.published_at(order).unwrap_or(order.effective_at)), CANCEL_DUE);
            if cancel <= now {
                add("CANCEL_DUE", order, cancel);
            }
            let review = order.review_at.unwrap_or(cancel);
            if review <= now {
                add("REVIEW_DUE", order, review);
            }
        }
        let notice = since(order.received_at, DAY);
        if !record.is_notified(order) && notice <= now {
            add("NOTICE_MISSING", order, notice);
        }
    }
    // Whatever became of it since.
    for order in orders.all().iter().filter(|order| !record.is_approved(order)) {
        add("APPROVER_MISSING", order, order.received_at);
    }
    found.into_values().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_far_as_it_holds() {
        let mut record = Record::default();
        let at = UnixTime(1_800_000_000);
        let events = [
            What::Accepted { seq: 1, sha256: "ab".into() },
            What::Published { zone: Some("vn.".into()), serial_before: Some(1), serial_after: Some(2), ms: 3 },
            What::Secondary { server: "192.0.2.1:53".into(), serial: 2, ms: 40 },
            What::Everywhere { ms: 40 },
            What::Late { servers: vec!["192.0.2.2:53".into()] },
            What::Acknowledged { state: "published".into() },
            What::Approved { approver: "op2".into() },
            What::Notified { channel: "e-mail".into() },
        ];
        let lines: Vec<Vec<u8>> = events.iter().map(|what| record.add(at, "O-1", what.clone())).collect();
        let text = lines.concat();
        let (read, good, wrong) = Record::read(&text);
        assert_eq!((good, wrong), (text.len(), None));
        assert_eq!(read.of("O-1").iter().map(|event| event.what.clone()).collect::<Vec<_>>(), events);
        assert_eq!((read.newest(), read.of("O-2").len()), (Some((1, "ab")), 0));
        for cut in 0..text.len() {
            let (read, good, wrong) = Record::read(&text[..cut]);
            let whole = text[..cut].iter().filter(|&&octet| octet == b'\n').count();
            assert_eq!(read.of("O-1").len(), whole);
            assert_eq!(wrong.is_some(), good < cut);
        }
        let mut damaged = text.clone();
        damaged[lines[0].len() + 90] ^= 1;
        assert!(Record::read(&damaged).0.of("O-1").len() < events.len());
    }

    #[test]
    fn what_is_due_is_listed_and_never_done() {
        let example = Orders::read(include_bytes!("../../zones/example-export/orders.jsonl")).expect("example");
        let at = |text: &str| UnixTime::parse_rfc3339(text).expect("time");
        let list = |record: &Record, now: &str| -> Vec<String> {
            due(&example, record, at(now)).iter().map(|due| format!("{} {} {}", due.code, due.order_id, due.domain)).collect()
        };
        let mut record = Record::default();
        assert_eq!(list(&record, "2026-11-18T12:00:00Z"), Vec::<String>::new());
        assert_eq!(list(&record, "2026-11-20T12:00:00Z"), ["NOTICE_MISSING O-2026-0001 dinhchi.vn"]);
        record.add(at("2026-11-20T12:00:00Z"), "O-2026-0001", What::Notified { channel: "post".into() });
        assert!(list(&record, "2026-11-20T12:00:00Z").is_empty());
        let late = list(&record, "2026-12-04T00:00:00Z");
        assert_eq!(late, ["CANCEL_DUE O-2026-0006 haiorder.vn", "REVIEW_DUE O-2026-0006 haiorder.vn"]);
    }
}
