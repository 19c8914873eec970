//! What may be filed.

use serde_json::{Value, json};

use saola::orders::{Filed, Filing, Ledger};

use super::{file, judge};
use crate::disk::Disk;

/// A filing with these fields in place of the ordinary ones; `null` takes one away.
fn filing(fields: &Value) -> Filing {
    let mut order = json!({
        "type": "suspend", "domain": "vidu.vn", "authority": "A05", "legal_ground": "INVESTIGATION", "evidence_ref": "CV-1", "operator": "op1", "approver": "op2",
    });
    for (key, value) in fields.as_object().expect("fields") {
        if value.is_null() {
            order.as_object_mut().expect("object").remove(key);
        } else {
            order[key] = value.clone();
        }
    }
    serde_json::from_value(order).expect("a filing")
}

/// A ledger with O-1, a suspension of vidu.vn; O-2, a voluntary cancellation of traloi.vn; O-3, a suspension of het.vn that has expired; O-4 and O-5, a
/// suspension of xong.vn that was restored.
fn ledger() -> Ledger<Disk> {
    let disk = Disk::default();
    let mut ledger = Ledger::open([disk.clone(), disk.beside()], None).unwrap_or_else(|error| panic!("{error}")).ledger;
    for fields in [
        json!({"order_id": "O-1"}),
        json!({"order_id": "O-2", "type": "cancel", "domain": "traloi.vn", "legal_ground": "VOLUNTARY"}),
        json!({"order_id": "O-3", "domain": "het.vn", "effective_at": "2026-01-01T00:00:00Z", "expires_at": "2026-02-01T00:00:00Z"}),
        json!({"order_id": "O-4", "domain": "xong.vn"}),
        json!({"order_id": "O-5", "type": "restore", "domain": "xong.vn", "refers_to": "O-4", "legal_ground": "RESTORE_13_4"}),
    ] {
        file(&mut ledger, &filing(&fields)).expect("room");
    }
    ledger
}

#[track_caller]
fn refused(fields: Value, expected: &str) {
    let ledger = ledger();
    let refusal = judge(&filing(&fields), ledger.orders()).expect_err(expected).to_string();
    assert!(refusal.starts_with(expected), "{fields}: {refusal}");
}

#[track_caller]
fn taken(fields: Value, domain: &str) {
    let ledger = ledger();
    match judge(&filing(&fields), ledger.orders()) {
        Ok(Filed::New(order)) => assert_eq!(order.domain, domain, "{fields}"),
        other => panic!("{fields}: {other:?}"),
    }
}

#[test]
fn names() {
    taken(json!({}), "vidu.vn");
    taken(json!({"domain": "VIDU.com.vn."}), "vidu.com.vn");
    taken(json!({"domain": "Tiếngviệt.vn"}), "xn--tingvit-5t4cyc.vn");
    refused(json!({"domain": "*.vidu.vn"}), "BAD_ORDER_NAME: '*.vidu.vn' is a wildcard");
    refused(json!({"domain": "www.vidu.vn"}), "BAD_ORDER_NAME: 'www.vidu.vn' is not at a level");
    refused(json!({"domain": "vi_du.vn"}), "BAD_ORDER_NAME");
    refused(json!({"domain": ""}), "BAD_ORDER_NAME");
    for hidden in ["vidu\u{200b}.vn", "vi\u{ad}du.vn", "vidu\u{202e}.vn", "vidu\u{200d}.vn"] {
        refused(json!({"domain": hidden}), "BAD_ORDER_NAME");
    }
    refused(json!({"domain": "vidu..vn"}), "BAD_ORDER_NAME");
    refused(json!({"domain": "vidu.example"}), "BAD_ORDER_NAME");
    refused(json!({"domain": "com.vn"}), "PROTECTED_NAME");
    refused(json!({"domain": "com.vn", "break_glass": true}), "PROTECTED_NAME");
    refused(json!({"domain": "vn"}), "PROTECTED_NAME");
    refused(json!({"domain": "VNNIC.vn"}), "PROTECTED_NAME: 'vnnic.vn' is protected: --break-glass");
    taken(json!({"domain": "vnnic.vn", "break_glass": true}), "vnnic.vn");
    refused(json!({"domain": "thongbao.vn"}), "PROTECTED_NAME: 'ns1.thongbao.vn' is protected: --break-glass");
    taken(json!({"domain": "thongbao.vn", "break_glass": true}), "thongbao.vn");
    taken(json!({"domain": "avnnic.vn"}), "avnnic.vn");
    taken(json!({"domain": "bao.vn"}), "bao.vn");
    refused(json!({"domain": "vnnic.vn", "break_glass": true, "approver": "", "urgent": true}), "TWO_PERSONS");
}

#[test]
fn persons_and_grounds() {
    refused(json!({"approver": "op1"}), "TWO_PERSONS: the approver must be somebody other");
    for same in [" op1 ", "OP1", "o.p-1"] {
        refused(json!({"approver": same}), "TWO_PERSONS");
    }
    // Composed and decomposed, and in full width.
    for (operator, approver) in [("Nguy\u{1ec5}n Lan", "Nguye\u{302}\u{303}n Lan"), ("lan", "\u{ff4c}\u{ff41}\u{ff4e}")] {
        refused(json!({"operator": operator, "approver": approver}), "TWO_PERSONS");
    }
    taken(json!({"operator": "Lan", "approver": "Lân"}), "vidu.vn");
    refused(json!({"approver": null}), "TWO_PERSONS: an approver is needed");
    taken(json!({"approver": null, "urgent": true}), "vidu.vn");
    refused(json!({"legal_ground": "NO_SUCH"}), "BAD_GROUND: there is no legal ground 'NO_SUCH'");
    refused(json!({"legal_ground": "VOLUNTARY"}), "BAD_GROUND: 'VOLUNTARY' is no ground of a suspend, write one of ADMIN_147_2024");
    refused(json!({"legal_ground": "DISPUTE_HOLD"}), "BAD_GROUND");
    for field in ["authority", "evidence_ref", "operator"] {
        refused(json!({field: " "}), "BAD_ORDER");
        refused(json!({field: "x".repeat(201)}), "BAD_ORDER");
        for hidden in ["a\nb", "a\u{202e}b", "op\u{200b}1", "\u{feff}op1", "a\u{2066}b", "\u{3164}", "\u{2800}", "b\u{34f}"] {
            refused(json!({field: hidden}), "BAD_ORDER");
        }
    }
    refused(json!({"order_id": "x".repeat(41)}), "BAD_ORDER");
    refused(json!({"order_id": "a b"}), "BAD_ORDER");
    refused(json!({"order_id": "a\u{202e}b"}), "BAD_ORDER");
    taken(json!({"order_id": "QĐ-123/2026"}), "vidu.vn");
    refused(json!({"order_id": ""}), "BAD_ORDER");
}

#[test]
fn times() {
    taken(json!({"effective_at": "2030-01-01T00:00:00Z", "expires_at": "2030-02-01T00:00:00Z"}), "vidu.vn");
    refused(json!({"expires_at": "2020-01-01T00:00:00Z"}), "BAD_ORDER: it would expire");
    refused(
        json!({"type": "cancel", "legal_ground": "STATE_NOTICE", "expires_at": "2030-01-01T00:00:00Z"}),
        "BAD_ORDER: a cancel does not end",
    );
    for field in ["received_at", "effective_at", "review_at", "notice_sent_at"] {
        refused(json!({field: "9999-01-01T00:00:00Z"}), &format!("BAD_ORDER: {field} lies beyond"));
    }
    let ledger = ledger();
    let Ok(Filed::New(order)) = judge(&filing(&json!({})), ledger.orders()) else { panic!("taken") };
    assert_eq!(
        (order.received_at, order.effective_at, order.review_at),
        (super::NOW, super::NOW, Some(saola::dns::UnixTime(super::NOW.0 + 30 * 86_400)))
    );
}

#[test]
fn restores() {
    let restore = |fields: Value| {
        let mut all = json!({"type": "restore", "legal_ground": "RESTORE_13_4", "refers_to": "O-1"});
        fields.as_object().expect("fields").iter().for_each(|(key, value)| all[key] = value.clone());
        all
    };
    taken(restore(json!({})), "vidu.vn");
    refused(restore(json!({"refers_to": "O-9"})), "NOTHING_TO_RESTORE: order 'O-9' is not in the ledger");
    refused(restore(json!({"domain": "khac.vn"})), "NOTHING_TO_RESTORE: order 'O-1' is about 'vidu.vn'");
    refused(restore(json!({"domain": "traloi.vn", "refers_to": "O-2"})), "NOT_RESTORABLE");
    refused(restore(json!({"domain": "het.vn", "refers_to": "O-3"})), "NOTHING_TO_RESTORE: order 'O-3' has expired");
    refused(restore(json!({"domain": "xong.vn", "refers_to": "O-4"})), "NOTHING_TO_RESTORE: order 'O-4' has been restored already");
    refused(restore(json!({"domain": "xong.vn", "refers_to": "O-5"})), "NOTHING_TO_RESTORE: order 'O-5' is itself a restore");
    refused(restore(json!({"authority": "COURT"})), "NOT_THEIRS: order 'O-1' is of ");
    taken(restore(json!({"authority": "VNNIC"})), "vidu.vn");
    refused(restore(json!({"approver": "", "urgent": true})), "TWO_PERSONS: an approver is needed: nobody brings a name back alone");
    refused(restore(json!({"refers_to": null})), "BAD_ORDER: a restore must name");
    refused(json!({"refers_to": "O-1"}), "BAD_ORDER: a restore must name");
    refused(restore(json!({"legal_ground": "INVESTIGATION"})), "BAD_GROUND");
}

#[test]
fn the_same_again_is_no_change_and_another_body_is_refused() {
    let ledger = ledger();
    let again = |fields: Value| judge(&filing(&fields), ledger.orders());
    assert_eq!(again(json!({"order_id": "O-1"})), Ok(Filed::Known(1)));
    assert_eq!(again(json!({"order_id": "O-1", "domain": "VIDU.vn."})), Ok(Filed::Known(1)));
    assert_eq!(again(json!({"order_id": "O-1", "effective_at": "2027-01-15T08:00:00Z"})), Ok(Filed::Known(1)), "the time it was filed at");
    for other in [
        json!({"order_id": "O-1", "domain": "khac.vn"}),
        json!({"order_id": "O-1", "authority": "COURT"}),
        json!({"order_id": "O-1", "expires_at": "2030-01-01T00:00:00Z"}),
        json!({"order_id": "O-1", "approver": "op3"}),
        json!({"order_id": "O-1", "effective_at": "2030-01-01T00:00:00Z"}),
    ] {
        refused(other, "ORDER_ID_TAKEN");
    }
}

#[test]
fn ids_are_made_and_never_twice() {
    let mut ledger = ledger();
    for _ in 0..3 {
        let Ok(Filed::New(order)) = judge(&filing(&json!({})), ledger.orders()) else { panic!("taken") };
        ledger.add(*order).expect("an order");
    }
    ledger.commit().expect("room");
    let ids = super::ids(ledger.orders());
    assert_eq!(ids[5..], ["O-2027-0006", "O-2027-0007", "O-2027-0008"]);
}
