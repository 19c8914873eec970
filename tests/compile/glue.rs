//! Name servers below the names themselves: what is dropped, what is published where, and what goes with whom.

use crate::export::{Export, Rules};

#[track_caller]
fn check(export: &Export, outcomes: &[&str], hosts: &[&str], zone: &str, records: &[&str]) {
    let answer = export.compile(&Rules::new());
    assert_eq!(answer.outcomes(), outcomes);
    assert_eq!(answer.hosts(), hosts);
    assert_eq!(answer.records(zone), records);
}

#[test]
fn glue_stands_in_the_zone_of_the_domain_above_it() {
    let export = Export::new()
        .domain("vidu.com.vn", &["ns1.vidu.com.vn", "NS2.vidu.com.vn"])
        .domain("khac.vn", &["ns1.vidu.com.vn", "ns1.khac.example"])
        .host("ns1.vidu.com.vn", &["192.0.2.1", "2001:DB8::1", "192.0.2.1"])
        .host("Ns2.vidu.com.vn", &["192.0.2.2"]);
    let hosts = ["ns1.vidu.com.vn: published GLUE in com.vn", "Ns2.vidu.com.vn: published GLUE in com.vn"];
    check(
        &export,
        &["in_zone com.vn", "in_zone vn"],
        &hosts,
        "vn",
        &["khac.vn. IN NS ns1.khac.example.", "khac.vn. IN NS ns1.vidu.com.vn."],
    );
    let mut records = export.compile(&Rules::new()).records("com.vn");
    records.dedup();
    let expected = [
        "ns1.vidu.com.vn. IN A 192.0.2.1",
        "ns1.vidu.com.vn. IN AAAA 2001:db8::1",
        "ns2.vidu.com.vn. IN A 192.0.2.2",
        "vidu.com.vn. IN NS ns1.vidu.com.vn.",
        "vidu.com.vn. IN NS ns2.vidu.com.vn.",
    ];
    assert_eq!(records, expected);
}

#[test]
fn the_name_itself_may_be_its_name_server() {
    let with = |addresses: &[&str]| Export::new().domain("vidu.vn", &["vidu.vn", "ns1.khac.example"]).host("vidu.vn", addresses);
    check(
        &with(&["192.0.2.1"]),
        &["in_zone vn"],
        &["vidu.vn: published GLUE in vn"],
        "vn",
        &["vidu.vn. IN A 192.0.2.1", "vidu.vn. IN NS ns1.khac.example.", "vidu.vn. IN NS vidu.vn."],
    );
    check(
        &with(&[]),
        &["in_zone [FEW_NS NS_DROPPED_NO_GLUE] vn"],
        &["vidu.vn: not_published NO_ADDRESS"],
        "vn",
        &["vidu.vn. IN NS ns1.khac.example."],
    );
}

#[test]
fn without_any_glue_the_name_is_rejected() {
    // No host object at all, and one below a longer name that only looks alike.
    let export = Export::new().domain("vidu.vn", &["ns1.vidu.vn", "ns2.vidu.vn"]);
    check(&export, &["rejected MISSING_GLUE"], &[], "vn", &[]);
    let alike = Export::new().domain("vidu.vn", &["ns1.xvidu.vn"]);
    check(&alike, &["in_zone [FEW_NS] vn"], &[], "vn", &["vidu.vn. IN NS ns1.xvidu.vn."]);
}

#[test]
fn glue_goes_with_the_domain_above_it() {
    let export = Export::new()
        .domain("treo.vn", &["ns1.treo.vn"])
        .row("domainStatuses.csv", "treo.vn,D-treo.vn,serverHold,")
        .domain("dung.com.vn", &["ns1.treo.vn", "ns1.khac.example"])
        .domain("cung.vn", &["ns1.khongco.vn", "ns2.treo.vn"])
        .host("ns1.treo.vn", &["192.0.2.1"])
        .host("ns1.khongco.vn", &["192.0.2.2"])
        .host("ns2.treo.vn", &[]);
    check(
        &export,
        &["excluded STATUS_SERVER_HOLD", "in_zone [ORPHAN_GLUE_DROPPED] com.vn", "in_zone [ORPHAN_GLUE_DROPPED] vn"],
        &[
            "ns1.treo.vn: not_published SUPERORDINATE_NOT_IN_ZONE",
            "ns1.khongco.vn: not_published SUPERORDINATE_NOT_IN_ZONE",
            "ns2.treo.vn: not_published NO_ADDRESS",
        ],
        "vn",
        &["cung.vn. IN NS ns1.khongco.vn.", "cung.vn. IN NS ns2.treo.vn."],
    );
}

#[test]
fn hosts_are_told_apart() {
    let export = Export::new()
        .domain("vidu.vn", &["ns1.khac.example", "ns2.khac.example", "ns1.a.b.c.vidu.vn"])
        .host("ns1.khac.example", &["192.0.2.1"])
        .host("ns.vidu.vn", &["192.0.2.2"])
        .host("ns1.a.b.vidu.vn", &["192.0.2.3"])
        .host("ns1.a.b.c.vidu.vn", &["192.0.2.4"])
        .host("ns1.com.vn", &["192.0.2.5"])
        .host("com.vn", &["192.0.2.6"])
        .host("a..vn", &["192.0.2.7"])
        .row("hostAddresses.csv", "chiadiachi.vidu.vn,192.0.2.8,v4");
    check(
        &export,
        &["in_zone vn"],
        &[
            "ns1.khac.example: not_published EXTERNAL",
            "ns.vidu.vn: not_published NOT_LINKED",
            "ns1.a.b.vidu.vn: not_published NOT_LINKED",
            "ns1.a.b.c.vidu.vn: rejected LEVELS_EXCEEDED",
            "ns1.com.vn: not_published SUPERORDINATE_NOT_IN_ZONE",
            "com.vn: not_published SUPERORDINATE_NOT_IN_ZONE",
            "a..vn: rejected BAD_LABEL",
            "chiadiachi.vidu.vn: not_published NOT_LINKED",
        ],
        "vn",
        &["vidu.vn. IN NS ns1.a.b.c.vidu.vn.", "vidu.vn. IN NS ns1.khac.example.", "vidu.vn. IN NS ns2.khac.example."],
    );
}

#[test]
fn bad_addresses_and_stray_rows_are_told_not_fatal() {
    let export = Export::new()
        .domain("vidu.vn", &["ns1.vidu.vn", "ns1.khac.example"])
        .host("ns1.vidu.vn", &["192.0.2.1"])
        .row("hostAddresses.csv", "ns1.vidu.vn,192.0.2.256,v4")
        .row("hostAddresses.csv", "ns1.vidu.vn,192.0.2.2,v6")
        .row("domainNameServers.csv", "khong.vn,D-khong.vn,ns1.khac.example")
        .row("domainNameServers.csv", "vidu.vn,D-other,ns9.khac.example")
        .row("domainStatuses.csv", "khong.vn,D-khong.vn,serverHold,");
    let answer = export.compile(&Rules::new());
    assert_eq!(answer.outcomes(), ["in_zone vn"]);
    assert_eq!(answer.records("vn").len(), 3);
    assert_eq!(answer.deposit.objects.note_count(), 5);
    assert!(answer.deposit.objects.notes().iter().all(|note| note.contains(".csv line ")));
}

#[test]
fn children_find_their_object_whatever_the_spelling() {
    let export = Export::new()
        .domain("Vidu.vn", &[])
        .domain("khac.vn", &[])
        .row("domainNameServers.csv", "vidu.VN,D-vidu.vn,NS1.khac.example.")
        .row("domainNameServers.csv", "khac.vn,D-khac.vn,ns1.khac.example")
        .row("domainNameServers.csv", "Vidu.vn,D-vidu.vn,ns2.khac.example");
    let answer = export.compile(&Rules::new());
    assert_eq!(answer.outcomes(), ["in_zone vn", "in_zone [FEW_NS] vn"]);
    let expected = ["khac.vn. IN NS ns1.khac.example.", "vidu.vn. IN NS ns1.khac.example.", "vidu.vn. IN NS ns2.khac.example."];
    assert_eq!(answer.records("vn"), expected);
}
