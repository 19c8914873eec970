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
        /// Milliseconds since it was taken in, where that was measured: not of what came in force at its time, or was written down afterwards.
        ms: Option<u64>,
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

/// What is wrong with a record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first line that is wrong, and why.
    pub what: String,
    /// How many lines cannot be used.
    pub n_lost: usize,
    /// The others, as a record of their own.
    pub text: Vec<u8>,
}

impl Default for Record {
    fn default() -> Self {
        Self { head: ZERO_HASH.to_owned(), of: HashMap::new() }
    }
}

impl Record {
    /// Reads a record. Of one whose chain does not hold, the lines that the line behind them proves are taken: what is damaged costs itself alone.
    ///
    /// Cost: one pass, and a hash for each line.
    pub fn read(text: &[u8]) -> (Self, Option<Damage>) {
        let end = text.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<&[u8]> = text[..end].split_inclusive(|&octet| octet == b'\n').map(|line| &line[..line.len() - 1]).collect();
        let events: Vec<Result<Event, String>> =
            whole.iter().map(|line| serde_json::from_slice(line).map_err(|error: serde_json::Error| error.to_string())).collect();
        let mut record = Self::default();
        // The first line that is not what it was, or that does not follow the one before.
        let mut wrong = None;
        let mut heads = Vec::with_capacity(whole.len());
        for (i, (line, event)) in whole.iter().zip(&events).enumerate() {
            let head = heads.last().map_or(ZERO_HASH, String::as_str);
            let what = match event {
                Err(error) => Some(error.clone()),
                Ok(event) if event.prev_sha256 != head => Some("prev_sha256 is not the hash of the line before".into()),
                Ok(_) => None,
            };
            wrong = wrong.or(what.map(|what| format!("line {}: {what}", i + 1)));
            heads.push(super::ledger::sha256(line));
        }
        let torn = usize::from(end < text.len());
        if wrong.is_none() {
            events.into_iter().flatten().zip(&whole).for_each(|(event, line)| record.enter(event, line));
            let what = (torn > 0).then(|| format!("line {}: torn at the end", whole.len() + 1));
            return (record, what.map(|what| Damage { what, n_lost: torn, text: text[..end].to_vec() }));
        }
        let is_proved = |i: usize| match events.get(i + 1) {
            Some(next) => next.as_ref().is_ok_and(|next| next.prev_sha256 == heads[i]),
            None => events[i].as_ref().is_ok_and(|event| i == 0 || event.prev_sha256 == heads[i - 1]),
        };
        let proved: Vec<bool> = (0..events.len()).map(is_proved).collect();
        let mut kept = Vec::new();
        let mut n_lost = torn;
        for (event, is_proved) in events.into_iter().zip(proved) {
            match event {
                Ok(Event { at, order_id, what, .. }) if is_proved => kept.extend(record.add(at, &order_id, what)),
                Ok(_) | Err(_) => n_lost += 1,
            }
        }
        (record, wrong.map(|what| Damage { what, n_lost, text: kept }))
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

    /// True if nothing is written down.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
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
        !order.approver.is_empty() || self.has_approver(&order.order_id)
    }

    /// True if an approver was written down after the order.
    pub fn has_approver(&self, order_id: &str) -> bool {
        self.of(order_id).iter().any(|event| matches!(event.what, What::Approved { .. }))
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
pub const CANCEL_DUE: u64 = 30 * DAY;

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
    fn what_of_a_record_holds_is_read() {
        let mut record = Record::default();
        let at = UnixTime(1_800_000_000);
        let events = [
            What::Accepted { seq: 1, sha256: "ab".into() },
            What::Published { zone: Some("vn.".into()), serial_before: Some(1), serial_after: Some(2), ms: Some(3) },
            What::Secondary { server: "192.0.2.1:53".into(), serial: 2, ms: 40 },
            What::Everywhere { ms: 40 },
            What::Late { servers: vec!["192.0.2.2:53".into()] },
            What::Acknowledged { state: "published".into() },
            What::Approved { approver: "op2".into() },
            What::Notified { channel: "e-mail".into() },
        ];
        let lines: Vec<Vec<u8>> = events.iter().map(|what| record.add(at, "O-1", what.clone())).collect();
        let text = lines.concat();
        let (read, damage) = Record::read(&text);
        let whats = |record: &Record| record.of("O-1").iter().map(|event| event.what.clone()).collect::<Vec<_>>();
        assert_eq!((whats(&read), damage), (events.to_vec(), None));
        assert_eq!((read.newest(), read.of("O-2").len()), (Some((1, "ab")), 0));
        for cut in 0..text.len() {
            let (read, damage) = Record::read(&text[..cut]);
            let whole = text[..cut].iter().filter(|&&octet| octet == b'\n').count();
            assert_eq!(whats(&read), events[..whole]);
            assert_eq!(
                damage.map(|damage| (damage.n_lost, damage.text.len())),
                (lines[..whole].concat().len() < cut).then(|| (1, lines[..whole].concat().len()))
            );
        }
        // Nothing is behind the last line that could prove it.
        for at in 0..text.len() - lines[7].len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            let (read, damage) = Record::read(&damaged);
            let damage = damage.expect("each octet is part of the chain");
            let left = whats(&read);
            assert!(left.iter().all(|what| events.contains(what)), "octet {at}: nothing is taken that was not written: {left:?}");
            assert!(left.len() + 4 >= events.len() && left.len() < events.len(), "octet {at}: {} left", left.len());
            let (again, damage) = (Record::read(&damage.text), damage);
            assert_eq!((whats(&again.0), again.1), (left, None), "{}", damage.what);
        }
        // A block of it is gone.
        let (read, damage) = Record::read(&[&lines[..3], &lines[5..]].concat().concat());
        assert_eq!((whats(&read), damage.expect("it is seen").n_lost), ([&events[..2], &events[5..]].concat(), 1));
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
