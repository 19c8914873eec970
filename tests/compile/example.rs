//! The registry's own example: every row, every host, every zone.

use std::fs;

use saola::compile::compile;
use saola::dns::{Rtype, Serial, UnixTime};
use saola::orders::Orders;
use saola::registry::{Deposit, ReadOptions};

use crate::export::{Answer, Rules, example, zones};

fn answer() -> Answer {
    let rules = Rules::new();
    let deposit = Deposit::read(&example(), &ReadOptions::default()).expect("the example is whole");
    assert_eq!(deposit.objects.note_count(), 0);
    let orders = Orders::read(&fs::read(zones("example-export/orders.jsonl")).expect("ledger")).expect("whole ledger");
    let at = deposit.header.watermark;
    let compiled = compile(&deposit, &orders, &rules.policy, at, None).expect("compiles");
    Answer { deposit, compiled }
}

#[test]
fn every_row_ends_as_expected() {
    let answer = answer();
    let expected = fs::read_to_string(zones("example-export/expected-full.csv")).expect("expected");
    let objects = &answer.deposit.objects;
    let rows: Vec<&str> = expected.lines().skip(1).collect();
    assert_eq!(rows.len(), objects.domains().len());
    for ((line, domain), outcome) in rows.iter().zip(objects.domains()).zip(&answer.compiled.outcomes) {
        let fields: Vec<&str> = line.split(',').collect();
        let zone = outcome.zone.map_or(String::new(), |zone| answer.compiled.zones[zone.0 as usize].apex.to_string());
        let found = [
            objects.text(domain.name),
            outcome.verdict.result(),
            outcome.verdict.reason(),
            &outcome.findings.to_string(),
            zone.trim_end_matches('.'),
        ];
        assert_eq!(found, [fields[1], fields[3], fields[4], fields[5], fields[6]], "{line}");
    }
}

#[test]
fn every_host_ends_as_expected() {
    let expected = fs::read_to_string(zones("example-export/expected-hosts.csv")).expect("expected");
    let expected: Vec<String> = expected
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| format!("{}: {} {}", fields[0], fields[2], fields[3]))
        .collect();
    assert_eq!(answer().hosts(), expected);
}

#[test]
fn every_zone_holds_what_is_expected_and_nothing_else() {
    let answer = answer();
    assert_eq!(answer.compiled.zones.len(), 80);
    for zone in &answer.compiled.zones {
        let apex = zone.apex.to_string();
        let apex = apex.trim_end_matches('.');
        let file = zones("example-export/expected-zones-full").join(format!("{apex}.txt"));
        let expected = fs::read_to_string(file).unwrap_or_default();
        let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(answer.records(apex), expected, "{apex}");
    }
    let published: u64 = answer.compiled.published().values().sum();
    assert_eq!((published, answer.compiled.published()["vn"]), (18, 9));
}

#[test]
fn every_zone_is_delegated_and_has_its_apex() {
    let mut answer = answer();
    let hanoi = answer.compiled.zones.iter().position(|zone| zone.apex.to_string() == "hanoi.vn.").expect("hanoi.vn");
    let apex = answer.compiled.zones[hanoi].apex.clone();
    let ds = [0x30, 0x39, 13, 2];
    answer.compiled.add_ds(apex.as_ref(), &[[&ds[..], &[7; 32]].concat()]).expect("room");
    let mut parent = None;
    for zone in answer.compiled.zones {
        let apex = zone.apex.clone();
        let soa = zone.soa(Serial(7));
        assert_eq!((soa.serial, soa.minimum, soa.refresh, soa.retry, soa.expire), (7, 900, 1800, 600, 1_209_600));
        let records = zone.into_records(Serial(7)).expect("room");
        assert!(records.is_sorted());
        let at_apex = records.name(apex.as_ref()).expect("apex");
        assert_eq!(at_apex.rrset(Rtype::SOA).map(|set| set.len()), Some(1), "{apex}");
        assert_eq!(at_apex.rrset(Rtype::NS).map(|set| set.len()), Some(2), "{apex}");
        // Article 8.2: a shared name has no address.
        assert_eq!(at_apex.rrsets().count(), 2, "{apex}");
        let Some(parent) = &parent else {
            parent = Some(records);
            continue;
        };
        let cut = parent.name(apex.as_ref()).expect("delegated");
        assert_eq!(cut.rrset(Rtype::NS).map(|set| set.len()), Some(2), "{apex}");
        assert_eq!(cut.rrset(Rtype::DS).is_some(), apex.to_string() == "hanoi.vn.");
    }
}

#[test]
fn a_year_later_the_names_have_expired() {
    let rules = Rules::new();
    let deposit = Deposit::read(&example(), &ReadOptions::default()).expect("whole");
    let at = UnixTime::parse_rfc3339("2027-11-21T00:00:00Z").expect("time");
    let compiled = compile(&deposit, &Orders::none(), &rules.policy, at, None).expect("compiles");
    assert!(compiled.published().values().all(|&names| names == 0));
}
