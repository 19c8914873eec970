//! Every check of the interface description by itself, at its boundaries, and their order.

use saola::compile::{Eligibility, Live, LiveDelegation, Mode, Profile, TargetMode};
use saola::dns::{Name, NameRef};
use saola::orders::{Orders, ZERO_HASH};

use crate::export::{Export, Rules};

const NS: &[&str] = &["ns1.khac.example", "ns2.khac.example"];

/// One name with two outside name servers.
#[track_caller]
fn name(name: &str, expected: &str) {
    let answer = Export::new().domain(name, NS).compile(&Rules::new());
    assert_eq!(answer.outcomes(), [expected], "{name}");
}

/// One name with some columns set and its own name servers.
#[track_caller]
fn row(name: &str, columns: &[(&str, &str)], servers: &[&str], expected: &str) {
    let answer = Export::new().domain_with(name, columns, servers).compile(&Rules::new());
    assert_eq!(answer.outcomes(), [expected], "{name} {columns:?}");
}

#[test]
fn checks_1_to_5_on_names() {
    name("vidu.vn", "in_zone vn");
    name("VIDU.Vn", "in_zone vn");
    name("vidu.hanoi.vn", "in_zone hanoi.vn");
    name("vn", "rejected NOT_UNDER_TLD");
    name("vidu.example", "rejected NOT_UNDER_TLD");
    name("vidu.vn.", "rejected NOT_UNDER_TLD");
    name("viduvn", "rejected NOT_UNDER_TLD");
    name("", "rejected NOT_UNDER_TLD");
    name("a_b.com", "rejected NOT_UNDER_TLD");
    for bad in ["a_b.vn", "-a.vn", "a-.vn", "a..vn", ".vn", "ab--cd.vn", "a b.vn", "việt.vn", "a.b.c.d.e_.vn", "*.vn"] {
        name(bad, "rejected BAD_LABEL");
    }
    name(&format!("{}.vn", "a".repeat(63)), "in_zone vn");
    name(&format!("{}.vn", "a".repeat(64)), "rejected BAD_LABEL");
    name(&format!("{}vn", "a.".repeat(150)), "rejected BAD_LABEL");
    name("a.b.c.d.e.vn", "rejected LEVELS_EXCEEDED");
    name("a.b.c.com.vn", "rejected NOT_REGISTRABLE_LEVEL");
    name("com.vn", "rejected SHARED_SECOND_LEVEL");
    name("HANOI.vn", "rejected SHARED_SECOND_LEVEL");
    name("hatay.vn", "rejected SHARED_SECOND_LEVEL");
    name("vidu.hatay.vn", "rejected NOT_REGISTRABLE_LEVEL");
    name("www.vidu.vn", "rejected NOT_REGISTRABLE_LEVEL");
    name("www.vidu.com.vn", "rejected NOT_REGISTRABLE_LEVEL");
}

#[test]
fn check_6_duplicates() {
    let two = |a: &str, roid_a: &str, ns_a: &[&str], b: &str, roid_b: &str, ns_b: &[&str]| {
        Export::new().domain_with(a, &[("roid", roid_a)], ns_a).domain_with(b, &[("roid", roid_b)], ns_b)
    };
    let check = |export: &Export, expected: &str| assert_eq!(export.compile(&Rules::new()).outcomes(), [expected, expected]);
    let same = "in_zone [DUPLICATE_IDENTICAL] vn";
    check(&two("vidu.vn", "D1", NS, "vidu.vn", "D1", NS), same);
    check(&two("Vidu.vn", "D1", NS, "viDu.vn", "D1", &["NS2.khac.example", "ns1.khac.example"]), same);
    check(&two("vidu.vn", "D1", NS, "vidu.vn", "D2", NS), "rejected DUPLICATE_NAME");
    check(&two("Vidu.vn", "D1", NS, "vidu.vn", "D1", &NS[..1]), "rejected DUPLICATE_NAME");
    // The name alone comes first: what cannot be registered is no duplicate.
    check(&two("com.vn", "D1", NS, "com.vn", "D2", NS), "rejected SHARED_SECOND_LEVEL");
    // One of the rows is held: so is the name.
    let held = two("vidu.vn", "D1", NS, "VIDU.vn", "D1", NS).row("domainStatuses.csv", "VIDU.vn,D1,serverHold,");
    check(&held, "excluded STATUS_SERVER_HOLD [DUPLICATE_IDENTICAL]");
    let answer = two("vidu.vn", "D1", NS, "VIDU.vn", "D1", NS).compile(&Rules::new());
    assert_eq!(answer.records("vn"), ["vidu.vn. IN NS ns1.khac.example.", "vidu.vn. IN NS ns2.khac.example."]);
    assert_eq!(answer.compiled.published()["vn"], 1);
    // DS in the spelling of the second row.
    let ds = format!("VIDU.vn,D1,1,13,2,{}", "ab".repeat(32));
    let answer = two("vidu.vn", "D1", NS, "VIDU.vn", "D1", NS).row("dnssec.csv", &ds).compile(&Rules::new());
    assert_eq!(answer.records("vn").len(), 3);
    // Three rows of which two agree are nobody's.
    let three = two("vidu.vn", "D1", NS, "vidu.vn", "D1", NS).domain_with("vidu.vn", &[("roid", "D3")], NS);
    assert_eq!(three.compile(&Rules::new()).outcomes(), ["rejected DUPLICATE_NAME"; 3]);
}

#[test]
fn a_crowd_of_rows_is_nobodys_and_costs_little() {
    let crowd = |rows: usize| {
        let mut export = Export::new().domain("khac.vn", NS);
        for _ in 0..rows {
            export = export.domain("vidu.vn", NS);
        }
        export
    };
    let outcomes = |rows: usize| crowd(rows).compile(&Rules::new()).outcomes();
    assert_eq!(outcomes(100)[1..], ["in_zone [DUPLICATE_IDENTICAL] vn"; 100]);
    assert_eq!(outcomes(101)[1..], ["rejected DUPLICATE_NAME"; 101]);
    // Each with its children: compared with each other, these would be 400 million places.
    let many = outcomes(20_000);
    assert_eq!((&many[0][..], &many[20_000][..]), ("in_zone vn", "rejected DUPLICATE_NAME"));
}

#[test]
fn a_set_that_fits_no_message_does_not_keep_its_zone_back() {
    let servers: Vec<String> = (0..5000).map(|i| format!("ns{i}.khac.example")).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let mut export = Export::new().domain("vidu.vn", &servers).domain("haiba.vn", &servers[..100]);
    for tag in 0..2000 {
        export = export.row("dnssec.csv", &format!("haiba.vn,D-haiba.vn,{tag},13,2,{}", "ab".repeat(32)));
    }
    let addresses: Vec<String> = (0..5000).map(|i| format!("198.51.{}.{}", i / 250, i % 250)).collect();
    let export = export.host("ns.motba.vn", &addresses.iter().map(String::as_str).collect::<Vec<_>>()).domain("motba.vn", &["ns.motba.vn"]);
    let answer = export.compile(&Rules::new());
    assert_eq!(answer.outcomes(), ["in_zone [BAD_NS] vn", "in_zone [BAD_DS] vn", "in_zone [FEW_NS] vn"]);
    let count = |what: &str| answer.records("vn").iter().filter(|record| record.starts_with(what)).count();
    let found = ["vidu.vn. IN NS", "haiba.vn. IN NS", "haiba.vn. IN DS", "ns.motba.vn. IN A"].map(count);
    assert_eq!(found, [100; 4]);
}

/// Serves vidu.vn with one name server.
struct Served;

impl Live for Served {
    fn delegation(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Option<LiveDelegation> {
        let served = zone.to_string() == "vn." && name.to_string() == "vidu.vn.";
        served.then(|| LiveDelegation { ns: vec![Name::parse("ns.cu.example").expect("name")], ds: vec![] })
    }
}

#[test]
fn a_served_name_outlives_a_contradiction_but_no_order() {
    let export = Export::new()
        .domain_with("vidu.vn", &[("roid", "D1")], NS)
        .domain_with("vidu.vn", &[("roid", "D2")], NS)
        .domain_with("khac.vn", &[("roid", "D3")], NS)
        .domain_with("khac.vn", &[("roid", "D4")], NS);
    let mut rules = Rules { live: Some(Box::new(Served)), ..Rules::new() };
    let answer = export.compile(&rules);
    let kept = "rejected DUPLICATE_NAME [LIVE_STATE_KEPT]";
    assert_eq!(answer.outcomes(), [kept, kept, "rejected DUPLICATE_NAME", "rejected DUPLICATE_NAME"]);
    assert_eq!(answer.records("vn"), ["vidu.vn. IN NS ns.cu.example."]);
    assert_eq!(answer.compiled.published()["vn"], 1);
    rules.orders = orders("suspend", "vidu.vn");
    assert!(export.compile(&rules).records("vn").is_empty());
}

#[test]
fn check_7_idn() {
    let idn = |a: &str, u: &str, expected: &str| row(a, &[("u_name", u)], NS, expected);
    idn("xn--tingvit-5t4cyc.vn", "tiếngviệt.vn", "in_zone vn");
    idn("XN--TINGVIT-5T4CYC.com.VN", "tiếngviệt.com.vn", "in_zone com.vn");
    idn("xn--tingvit-5t4cyc.vn", "", "rejected IDN_MISMATCH");
    idn("xn--tingvit-5t4cyc.vn", "tiếngviệt", "rejected IDN_MISMATCH");
    idn("xn--tingvit-5t4cyc.vn", "tiengviet.vn", "rejected IDN_MISMATCH");
    idn("xn--tingvit-5t4cyc.vn", "tiê\u{301}ngviệt.vn", "rejected IDN_MISMATCH");
    idn("xn--tingvit-5t4cyc.com.vn", "tiếngviệt.net.vn", "rejected IDN_MISMATCH");
    idn("xn--strae-oqa.vn", "straße.vn", "rejected IDN_CODEPOINT");
    idn("xn--a-b.vn", "x.vn", "rejected IDN_BAD_ALABEL");
    idn("xn--99999999.vn", "x.vn", "rejected IDN_BAD_ALABEL");
    let decomposed = format!("xn--{}.vn", idna::punycode::encode_str("vie\u{323}\u{302}t").expect("encodes"));
    idn(&decomposed, "việt.vn", "rejected IDN_NOT_NFC");
}

#[test]
fn the_idn_vectors_hold_for_whole_rows() {
    let vectors = std::fs::read_to_string(crate::export::zones("idn-vectors.csv")).expect("vectors");
    let accepted: Vec<(String, String)> = vectors
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| fields[2] == "accept")
        .map(|fields| (format!("{}.vn", fields[3]), format!("{}.vn", fields[0])))
        .collect();
    assert_eq!(accepted.len(), 20);
    let export = accepted.iter().fold(Export::new(), |export, (a, u)| export.domain_with(a, &[("u_name", u)], NS));
    assert_eq!(export.compile(&Rules::new()).outcomes(), vec!["in_zone vn"; 20]);
}

#[test]
fn checks_8_to_10() {
    name("cumtucam.vn", "rejected PROHIBITED_PHRASE");
    name("x-cumtucam-y.vn", "rejected PROHIBITED_PHRASE");
    let with_marks = Rules::new().policy.idn.to_a_label("shop-cụmtừcấm").expect("label");
    row(&format!("{with_marks}.com.vn"), &[("u_name", "shop-cụmtừcấm.com.vn")], NS, "rejected PROHIBITED_PHRASE");
    let reserved = |name: &str, entitlement: &str| {
        let export = Export::new().domain_with(name, &[("entitlement_ref", entitlement)], NS);
        export.row("nndn.csv", "Quy.vn,withheld,,9.3").compile(&Rules::new()).outcomes().remove(0)
    };
    assert_eq!(reserved("quy.VN", ""), "rejected RESERVED_NAME");
    assert_eq!(reserved("quy.vn", "QD-1"), "in_zone vn");
    assert_eq!(reserved("quy.com.vn", ""), "in_zone com.vn");
    let state = |class: &str| row("vidu.gov.vn", &[("registrant_class", class)], NS, "rejected REGISTRANT_CLASS");
    ["party", "org", "person", "foreign", ""].into_iter().for_each(state);
    row("vidu.gov.vn", &[("registrant_class", "State")], NS, "rejected REGISTRANT_CLASS [BAD_VALUE]");
    row("vidu.gov.vn", &[("registrant_class", "state")], NS, "in_zone [GOV_NS_UNVERIFIED] gov.vn");
    let mut rules = Rules::new();
    rules.policy.profile.eligibility.push(Eligibility { label: String::new(), classes: vec!["state".into()], mode: Mode::Report });
    assert_eq!(Export::new().domain("vidu.vn", NS).compile(&rules).outcomes(), ["in_zone [REGISTRANT_CLASS] vn"]);
}

fn orders(kind: &str, domain: &str) -> Orders {
    let line = format!(
        r#"{{"seq":1,"prev_sha256":"{ZERO_HASH}","order_id":"O-1","type":"{kind}","domain":"{domain}","authority":"A05","legal_ground":"INVESTIGATION","received_at":"2026-11-21T00:00:00Z","effective_at":"2026-11-21T00:00:00Z","expires_at":null,"operator":"a","approver":"b","evidence_ref":"E","notice_sent_at":null}}"#
    );
    Orders::read(format!("{line}\n").as_bytes()).expect("a ledger of one line")
}

#[test]
fn checks_11_and_12_orders() {
    let export = Export::new().domain("Vidu.vn", NS).domain("khac.vn", NS).row("domainStatuses.csv", "Vidu.vn,D-vidu.vn,serverHold,");
    let check = |kind: &str, at: &str, expected: &str| {
        let rules = Rules { orders: orders(kind, "vidu.vn"), at: at.into(), ..Rules::new() };
        assert_eq!(export.compile(&rules).outcomes(), [expected, "in_zone vn"]);
    };
    check("suspend", "2026-11-21T00:00:00Z", "excluded ORDER_SUSPEND");
    check("cancel", "2026-11-21T00:00:00Z", "excluded ORDER_CANCEL");
    check("cancel", "2026-11-20T23:59:59Z", "excluded STATUS_SERVER_HOLD");
}

#[test]
fn check_13_statuses_in_their_order() {
    let check = |statuses: &[&str], expected: &str| {
        let export = statuses.iter().fold(Export::new().domain("vidu.vn", NS), |export, status| {
            export.row("domainStatuses.csv", &format!("vidu.vn,D-vidu.vn,{status},"))
        });
        assert_eq!(export.compile(&Rules::new()).outcomes(), [expected], "{statuses:?}");
    };
    check(&[], "in_zone vn");
    check(&["ok"], "in_zone vn");
    check(&["clientTransferProhibited", "serverDeleteProhibited", "pendingRenew"], "in_zone vn");
    check(&["pendingCreate"], "excluded STATUS_PENDING_CREATE");
    check(&["pendingCreate", "pendingDelete"], "excluded STATUS_PENDING_DELETE");
    check(&["pendingDelete", "clientHold"], "excluded STATUS_CLIENT_HOLD");
    check(&["clientHold", "serverHold", "pendingCreate"], "excluded STATUS_SERVER_HOLD");
    check(&["serverhold"], "in_zone [BAD_VALUE] vn");
}

#[test]
fn check_14_expiry_to_the_second() {
    let expires = |date: &str, expected: &str| row("vidu.vn", &[("ex_date", date)], NS, expected);
    expires("", "in_zone vn");
    expires("2026-11-21T00:00:00Z", "in_zone vn");
    expires("2026-11-20T23:59:59Z", "excluded EXPIRED_SUSPENDED");
    expires("2026-10-27T00:00:00Z", "excluded EXPIRED_SUSPENDED");
    expires("2026-10-26T23:59:59Z", "excluded EXPIRED_REVOKE [REVOKE_CANDIDATE_EXPIRY]");
    expires("2026-11-21T07:00:00+07:00", "in_zone vn");
    expires("soon", "in_zone [BAD_VALUE] vn");
    let mut rules = Rules::new();
    rules.policy.profile = Profile { days_active_after_expiry: 5, last_suspended_day: 35, ..rules.policy.profile };
    let check = |date: &str, expected: &str| {
        assert_eq!(Export::new().domain_with("vidu.vn", &[("ex_date", date)], NS).compile(&rules).outcomes(), [expected]);
    };
    check("2026-11-16T00:00:00Z", "in_zone vn");
    check("2026-11-15T23:59:59Z", "excluded EXPIRED_SUSPENDED");
    check("2026-10-17T00:00:00Z", "excluded EXPIRED_SUSPENDED");
    check("2026-10-16T23:59:59Z", "excluded EXPIRED_REVOKE [REVOKE_CANDIDATE_EXPIRY]");
}

#[test]
fn checks_15_and_16() {
    row("vidu.vn", &[("fee_state", "overdue")], NS, "excluded FEE_OVERDUE");
    row("vidu.vn", &[("fee_state", "due")], NS, "in_zone vn");
    row("vidu.vn", &[("fee_state", "")], NS, "in_zone vn");
    row("vidu.vn", &[("fee_state", "gratis")], NS, "in_zone [BAD_VALUE] vn");
    let created = |date: &str, expected: &str| row("vidu.vn", &[("cr_date", date)], &[], expected);
    created("2026-09-22T00:00:00Z", "excluded NO_NS");
    created("2026-09-21T23:59:59Z", "excluded NO_NS [REVOKE_CANDIDATE_60D]");
    created("", "excluded NO_NS");
    created("2027-01-01T00:00:00Z", "excluded NO_NS");
    row("vidu.vn", &[("target", "dich.example")], &[], "excluded TARGET_MODE_OFF");
    row("vidu.vn", &[("target", "dich.example")], NS, "in_zone vn");
    row("vidu.vn", &[], &["a..b"], "excluded NO_NS [BAD_NS REVOKE_CANDIDATE_60D]");
    row("vidu.vn", &[], &["a b.example", "ns1.khac.example"], "in_zone [BAD_NS FEW_NS] vn");
}

#[test]
fn a_target_is_published_where_the_profile_says_so() {
    let mut rules = Rules::new();
    rules.policy.profile.target_mode = TargetMode::Cname;
    let answer = Export::new()
        .domain_with("vidu.vn", &[("target", "Dich.example.")], &[])
        .domain_with("khac.vn", &[("target", "dich..example")], &[])
        .compile(&rules);
    assert_eq!(answer.outcomes(), ["in_zone vn", "excluded TARGET_MODE_OFF"]);
    assert_eq!(answer.records("vn"), ["vidu.vn. IN CNAME dich.example."]);
}

#[test]
fn check_18_name_servers_of_state_agencies_stand_at_home() {
    let export = |addresses: &[&[&str]]| {
        let mut export = Export::new().domain("khac.vn", NS);
        let mut servers = Vec::new();
        for (i, addresses) in addresses.iter().enumerate() {
            let host = format!("ns{i}.khac.vn");
            export = export.host(&host, addresses);
            servers.push(host);
        }
        let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
        export.domain_with("vidu.gov.vn", &[("registrant_class", "state")], &servers)
    };
    let check = |addresses: &[&[&str]], mode: Mode, expected: &str| {
        let mut rules = Rules::new();
        rules.policy.profile.home_mode = mode;
        assert_eq!(export(addresses).compile(&rules).outcomes()[1], expected, "{addresses:?}");
    };
    check(&[&["198.51.100.1"], &["2001:db8:84::1"]], Mode::Enforce, "in_zone gov.vn");
    check(&[&["198.51.100.1"], &["198.51.100.2", "2001:db8:1::1"]], Mode::Enforce, "rejected GOV_NS_FOREIGN");
    check(&[&["198.51.100.1"], &["203.0.113.1"]], Mode::Report, "in_zone [GOV_NS_FOREIGN] gov.vn");
    check(&[&["198.51.100.1"], &["192.0.2.1"]], Mode::Enforce, "in_zone [GOV_NS_UNVERIFIED] gov.vn");
    check(&[&["198.51.100.1"], &[]], Mode::Enforce, "in_zone [GOV_NS_UNVERIFIED] gov.vn");
    check(&[&["203.0.113.1"], &[]], Mode::Report, "in_zone [GOV_NS_FOREIGN GOV_NS_UNVERIFIED] gov.vn");
    check(&[&["198.51.100.1"]], Mode::Enforce, "in_zone [FEW_NS] gov.vn");
    // Elsewhere a name server may stand anywhere (art. 6.7).
    let abroad = Export::new().domain("vidu.vn", &["ns1.khac.vn", "ns2.khac.example"]).host("ns1.khac.vn", &["203.0.113.1"]);
    assert_eq!(abroad.domain("khac.vn", NS).compile(&Rules::new()).outcomes(), ["in_zone vn", "in_zone vn"]);
}

#[test]
fn check_20_ds() {
    let check = |rows: &[(&str, &str, &str, usize)], published: usize, expected: &str| {
        let mut export = Export::new().domain("vidu.vn", NS);
        for (tag, algorithm, kind, digits) in rows {
            export = export.row("dnssec.csv", &format!("vidu.vn,D-vidu.vn,{tag},{algorithm},{kind},{}", "a".repeat(*digits)));
        }
        let answer = export.compile(&Rules::new());
        assert_eq!(answer.outcomes(), [expected], "{rows:?}");
        assert_eq!(answer.records("vn").iter().filter(|line| line.contains(" DS ")).count(), published, "{rows:?}");
    };
    check(&[("1", "8", "1", 40), ("2", "13", "2", 64), ("3", "13", "4", 96)], 3, "in_zone vn");
    check(&[("1", "8", "2", 40), ("2", "13", "2", 64)], 1, "in_zone [BAD_DS] vn");
    for bad in
        [("1", "8", "2", 63), ("1", "8", "2", 0), ("1", "8", "3", 64), ("65536", "8", "2", 64), ("1", "256", "2", 64), ("", "8", "2", 64)]
    {
        check(&[bad], 0, "in_zone [BAD_DS] vn");
    }
    let letters = format!("vidu.vn,D-vidu.vn,1,13,2,{}", "xy".repeat(32));
    assert_eq!(Export::new().domain("vidu.vn", NS).row("dnssec.csv", &letters).compile(&Rules::new()).outcomes(), ["in_zone [BAD_DS] vn"]);
}

#[test]
fn the_first_check_that_fails_decides() {
    // Everything is wrong with this row; mending one thing after another shows the next.
    let mut columns = vec![("registrant_class", "org"), ("ex_date", "2026-11-20T00:00:00Z"), ("fee_state", "overdue")];
    let build = |name: &str, columns: &[(&str, &str)], reserved: bool, held: bool| {
        let mut export = Export::new().domain_with(name, columns, &["ns1.cumtucam.gov.vn", "ns1.vidu.gov.vn"]);
        if reserved {
            export = export.row("nndn.csv", &format!("{name},withheld,,"));
        }
        if held {
            export = export.row("domainStatuses.csv", &format!("{name},D-{name},clientHold,"));
        }
        export
    };
    let check = |export: Export, orders: Orders, expected: &str| {
        let rules = Rules { orders, ..Rules::new() };
        assert_eq!(export.compile(&rules).outcomes(), [expected]);
    };
    let suspended = || orders("suspend", "vidu.gov.vn");
    check(build("cumtucam.gov.vn", &columns, true, true), Orders::none(), "rejected PROHIBITED_PHRASE");
    check(build("vidu.gov.vn", &columns, true, true), suspended(), "rejected RESERVED_NAME");
    check(build("vidu.gov.vn", &columns, false, true), suspended(), "rejected REGISTRANT_CLASS");
    columns[0].1 = "state";
    check(build("vidu.gov.vn", &columns, false, true), suspended(), "excluded ORDER_SUSPEND");
    check(build("vidu.gov.vn", &columns, false, true), Orders::none(), "excluded STATUS_CLIENT_HOLD");
    check(build("vidu.gov.vn", &columns, false, false), Orders::none(), "excluded EXPIRED_SUSPENDED");
    columns[1].1 = "2027-11-20T00:00:00Z";
    check(build("vidu.gov.vn", &columns, false, false), Orders::none(), "excluded FEE_OVERDUE");
    columns[2].1 = "paid";
    check(build("vidu.gov.vn", &columns, false, false), Orders::none(), "in_zone [FEW_NS GOV_NS_UNVERIFIED NS_DROPPED_NO_GLUE] gov.vn");
}
