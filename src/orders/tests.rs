//! The ledger's rules, each with its own few lines.

use serde_json::{Value, json};

use super::*;

const EXAMPLE: &[u8] = include_bytes!("../../zones/example-export/orders.jsonl");

/// Chains `orders` (each with its own fields over a common body) into a ledger.
fn ledger(orders: &[Value]) -> Vec<u8> {
    let (mut text, mut prev) = (Vec::new(), ZERO_HASH.to_owned());
    for (i, fields) in orders.iter().enumerate() {
        let mut order = json!({
            "seq": i + 1, "prev_sha256": prev, "order_id": format!("O-{}", i + 1), "type": "suspend", "domain": "vidu.vn",
            "authority": "A05", "legal_ground": "INVESTIGATION", "evidence_ref": "E", "received_at": "2026-01-01T00:00:00Z",
            "effective_at": "2026-01-01T00:00:00Z", "expires_at": null, "operator": "a", "approver": "b", "notice_sent_at": null,
        });
        for (key, value) in fields.as_object().expect("fields") {
            match value {
                Value::String(word) if word == "-" => drop(order.as_object_mut().expect("object").remove(key)),
                value => order[key] = value.clone(),
            }
        }
        let line = order.to_string();
        prev = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, line.as_bytes()).as_ref());
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text
}

/// What is in force for vidu.vn on a day of January 2026: `suspend O-1`, `cancel O-2`, or nothing.
#[track_caller]
fn check(orders: &[Value], day: u32, expected: &str) {
    let orders = Orders::read(&ledger(orders)).expect("a good ledger");
    let at = UnixTime::parse_rfc3339(&format!("2026-01-{day:02}T00:00:00Z")).expect("day");
    let found = match orders.in_force(b"VIDU.vn", at) {
        None => String::new(),
        Some(InForce::Suspend(order)) => format!("suspend {}", order.order_id),
        Some(InForce::Cancel(order)) => format!("cancel {}", order.order_id),
    };
    assert_eq!(found, expected, "day {day}");
}

#[test]
fn an_order_holds_from_its_day_until_lifted_or_expired() {
    let from_5 = json!({"effective_at": "2026-01-05T00:00:00Z"});
    check(std::slice::from_ref(&from_5), 4, "");
    check(std::slice::from_ref(&from_5), 5, "suspend O-1");
    let expires = json!({"expires_at": "2026-01-10T00:00:00Z"});
    check(std::slice::from_ref(&expires), 9, "suspend O-1");
    check(std::slice::from_ref(&expires), 10, "");
    // A cancellation does not end by itself.
    check(&[json!({"type": "cancel", "expires_at": "2026-01-10T00:00:00Z"})], 20, "cancel O-1");
    // A restore holds from its own day.
    let restore = json!({"type": "restore", "refers_to": "O-1", "effective_at": "2026-01-07T00:00:00Z"});
    check(&[from_5.clone(), restore.clone()], 6, "suspend O-1");
    check(&[from_5, restore], 7, "");
}

#[test]
fn several_orders_on_one_name() {
    let suspend = json!({});
    let restore_1 = json!({"type": "restore", "refers_to": "O-1"});
    check(&[suspend.clone(), suspend.clone(), restore_1.clone()], 2, "suspend O-2");
    check(&[suspend.clone(), suspend.clone(), restore_1.clone(), json!({"type": "restore", "refers_to": "O-2"})], 2, "");
    check(&[suspend.clone(), json!({"type": "cancel"})], 2, "cancel O-2");
    check(&[json!({"type": "cancel"}), restore_1.clone()], 2, "");
    check(&[json!({"type": "cancel", "legal_ground": "VOLUNTARY"}), restore_1.clone()], 2, "cancel O-1");
    // Restores that lift nothing leave the name out.
    check(&[suspend.clone(), json!({"type": "restore", "refers_to": "O-9"})], 2, "suspend O-1");
    check(&[suspend.clone(), json!({"type": "restore", "refers_to": "O-1", "domain": "khac.vn"})], 2, "suspend O-1");
    check(&[json!({"domain": "khac.vn"})], 2, "");
}

#[test]
fn the_example_is_as_described() {
    let orders = Orders::read(EXAMPLE).expect("example");
    assert_eq!((orders.all().len(), orders.chain().seq, orders.notes().len()), (7, 7, 0));
    let at = UnixTime::parse_rfc3339("2026-11-21T00:00:00Z").expect("time");
    assert!(matches!(orders.in_force(b"dinhchi.vn", at), Some(InForce::Suspend(_))));
    assert!(matches!(orders.in_force(b"thuhoi.com.vn", at), Some(InForce::Cancel(_))));
    assert!(matches!(orders.in_force(b"haiorder.vn", at), Some(InForce::Suspend(order)) if order.order_id == "O-2026-0006"));
    assert!(orders.in_force(b"khoiphuc.com.vn", at).is_none());
    let early = UnixTime::parse_rfc3339("2026-10-15T00:00:00Z").expect("time");
    assert!(matches!(orders.in_force(b"khoiphuc.com.vn", early), Some(InForce::Suspend(_))));
}

#[track_caller]
fn refused(fields: Value, expected: &str) {
    let error = Orders::read(&ledger(&[json!({}), fields])).expect_err(expected);
    assert_eq!(error.line, 2);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn bad_orders_are_refused_by_line() {
    refused(json!({"prev_sha256": ZERO_HASH}), "CHAIN_BROKEN");
    refused(json!({"seq": 3}), "CHAIN_BROKEN: line 2: seq is 3, want 2");
    refused(json!({"colour": "red"}), "unknown field `colour`");
    refused(json!({"notice_sent_at": "-"}), "missing field `notice_sent_at`");
    refused(json!({"expires_at": "-"}), "missing field `expires_at`");
    refused(json!({"evidence_ref": "-"}), "missing field `evidence_ref`");
    refused(json!({"type": "delete"}), "unknown variant");
    refused(json!({"type": "restore"}), "refers_to");
    refused(json!({"effective_at": "tomorrow"}), "RFC 3339");
    refused(json!({"domain": ""}), "domain is empty");
    refused(json!({"domain": format!("{}.vn", "\u{1ea1}".repeat(2000))}), "A-labels");
    refused(json!({"order_id": "x".repeat(41)}), "40");
    refused(json!({"order_id": "O-1", "authority": "COURT"}), "ORDER_ID_TAKEN");
}

#[track_caller]
fn remarked(fields: Value, expected: &str) {
    let orders = Orders::read(&ledger(&[fields])).expect("carried out all the same");
    assert_eq!(orders.all().len(), 1);
    assert!(matches!(orders.notes(), [note] if note.contains(expected)), "{:?}", orders.notes());
}

#[test]
fn what_was_decided_counts_even_where_it_is_odd() {
    remarked(json!({"domain": "vn"}), "two or three labels");
    remarked(json!({"domain": "a.b.c.vn"}), "two or three labels");
    remarked(json!({"approver": "a"}), "approver");
    remarked(json!({"authority": ""}), "authority is empty");
    let orders = Orders::read(&ledger(&[json!({"domain": "Tiếngviệt.vn"})])).expect("converted");
    assert!(orders.in_force(b"xn--tingvit-5t4cyc.vn", UnixTime(1_800_000_000)).is_some());
}

#[test]
fn the_same_order_twice_is_one() {
    let orders = Orders::read(&ledger(&[json!({}), json!({"order_id": "O-1"})])).expect("no change");
    assert_eq!((orders.all().len(), orders.chain().seq, orders.notes().len()), (1, 2, 1));
    let late = ledger(&[json!({"urgent": true, "approver": ""})]);
    assert!(Orders::read(&late).is_ok(), "an urgent order may wait for its approver");
}

#[test]
fn a_ledger_cut_anywhere_keeps_its_whole_lines() {
    for cut in 0..EXAMPLE.len() {
        let orders = Orders::read(&EXAMPLE[..cut]).expect("a torn tail is no error");
        let lines = EXAMPLE[..cut].iter().filter(|&&octet| octet == b'\n').count();
        let whole_without_lf = EXAMPLE[cut] == b'\n';
        assert_eq!(orders.all().len(), lines + usize::from(whole_without_lf), "cut at {cut}");
        let at_line_start = cut == 0 || EXAMPLE[cut - 1] == b'\n';
        assert_eq!(orders.notes().is_empty(), at_line_start, "cut at {cut}");
    }
}

#[test]
fn a_flipped_octet_is_found() {
    // Every flip changes the line's hash: only in the last line nothing follows that would tell.
    let last = EXAMPLE[..EXAMPLE.len() - 1].iter().rposition(|&octet| octet == b'\n').expect("lines");
    for at in (0..last).step_by(3) {
        let mut damaged = EXAMPLE.to_vec();
        damaged[at] ^= 0x01;
        assert!(Orders::read(&damaged).is_err(), "flip at {at}");
    }
}

#[test]
fn an_order_finds_its_name_however_it_is_written() {
    for domain in ["vidu.vn", "VIDU.vn", "vidu.vn."] {
        check(&[json!({"domain": domain})], 5, "suspend O-1");
    }
    check(&[json!({}), json!({"type": "restore", "refers_to": "O-1", "domain": "Vidu.VN."})], 5, "");
    for odd in [" vidu.vn", "vi_du.vn", "vidu.vn.."] {
        let orders = Orders::read(&ledger(&[json!({"domain": odd})])).expect("a good ledger");
        assert_eq!(orders.notes().len(), 1, "{odd}");
    }
}

#[test]
fn a_ledger_goes_on_from_its_head() {
    let read = |n: usize| Orders::read(&ledger(&vec![json!({}); n])).expect("a good ledger");
    let (two, three) = (read(2), read(3));
    let head = two.chain().clone();
    assert!(two.has_head(head.seq, &head.sha256) && three.has_head(head.seq, &head.sha256));
    let other = Orders::read(&ledger(&[json!({}), json!({"domain": "khac.vn"}), json!({})])).expect("a good ledger");
    assert!(!other.has_head(head.seq, &head.sha256));
    assert!(!Orders::read(&ledger(&[json!({"operator": "c"}), json!({})])).expect("good").has_head(head.seq, &head.sha256));
}
