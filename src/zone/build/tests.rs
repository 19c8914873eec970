//! Zones built from names in parts are the zones built from all records at once, and have what the records say.

use std::collections::BTreeSet;

use super::*;
use crate::dns::master::{self, Options};
use crate::zone::{Builder, Zone};

fn apex() -> Name {
    Name::parse("vn").expect("name")
}

fn records(text: &str) -> Records {
    let mut records = master::scan(text.as_bytes(), "zone", &Options::new(apex().as_ref()), &mut |_, _| Err(String::new())).expect("text");
    records.sort();
    records
}

/// A zone of few names that meet often: cuts below cuts, hosts at, below and beside their cuts, empty non-terminals, wildcards, DNAMEs.
fn random_zone(rng: &mut fastrand::Rng) -> String {
    let mut text = String::from("$ORIGIN vn.\n$TTL 60\n@ SOA a h 7 1 1 1 1\n@ NS a\n@ NSEC3PARAM 1 0 0 -\n");
    let label = |rng: &mut fastrand::Rng| *rng.choice(["a", "B", "c", "*", "ns", "ns1", "z-9"].iter()).expect("some");
    let name = |rng: &mut fastrand::Rng| (0..rng.usize(1..5)).map(|_| label(rng)).collect::<Vec<_>>().join(".");
    for i in 0..rng.usize(..40) {
        let owner = name(rng);
        match rng.u8(..8) {
            0..3 => {
                for _ in 0..rng.usize(1..4) {
                    let target = match rng.u8(..3) {
                        0 => format!("{}.{owner}", name(rng)),
                        1 => name(rng),
                        _ => format!("ns{}.example.", rng.u8(..3)),
                    };
                    text.push_str(&format!("{owner} NS {target}\n"));
                }
                if rng.bool() {
                    text.push_str(&format!("{owner} DS 1 13 1 0011223344556677889900112233445566778899\n"));
                }
            }
            3 if rng.bool() => text.push_str(&format!("{owner} DNAME x.example.\n")),
            4 => text.push_str(&format!("{owner} TXT t{i}\n")),
            _ => text.push_str(&format!("{owner} A 192.0.2.{i}\n")),
        }
    }
    for i in 0..rng.u8(..5) {
        text.push_str(&format!("{i}0000000000000000000000000000000 NSEC3 1 1 0 - {i}0000000000000000000000000000001 NS\n"));
        text.push_str(&format!("{i}0000000000000000000000000000000 RRSIG NSEC3 13 2 60 20260101000000 20260101000000 1 vn. AQID\n"));
    }
    text
}

fn list(zone: &Zone) -> Vec<String> {
    zone.records().iter().map(|r| format!("{} {} {} {:?}", r.owner, r.ttl, r.rtype, r.rdata)).collect()
}

/// The records in parts as a reader may give them: names in order, those of the chain among them or anywhere.
fn parts(records: &Records, rng: &mut fastrand::Rng) -> Vec<Records> {
    let (mut chain, mut others): (Vec<_>, Vec<_>) =
        records.names().partition(|name| name.rrsets().all(|set| set.rtype() == Rtype::NSEC3 || set.rtype() == Rtype::RRSIG));
    rng.shuffle(&mut chain);
    for link in chain {
        others.insert(rng.usize(1..=others.len()), link);
    }
    let mut parts = vec![Records::new()];
    for name in others {
        let part = parts.last_mut().expect("one");
        for set in name.rrsets() {
            set.rdata().for_each(|rdata| part.push(set.owner(), set.rtype(), set.ttl(), rdata).expect("room"));
        }
        if rng.u8(..3) == 0 {
            parts.push(Records::new());
        }
    }
    parts.iter_mut().for_each(Records::sort);
    parts
}

#[test]
fn parts_make_the_whole() {
    let mut rng = fastrand::Rng::with_seed(17);
    let mut n_zones = 0;
    for round in 0..2000 {
        let text = random_zone(&mut rng);
        let records = records(&text);
        let built = Zone::build(apex().as_ref(), records.clone());
        let mut builder = Builder::new(apex().as_ref());
        let in_parts = parts(&records, &mut rng).iter().try_for_each(|part| builder.add(part)).and_then(|()| builder.finish());
        let (whole, in_parts) = match (built, in_parts) {
            (Ok(whole), Ok(in_parts)) => (whole, in_parts),
            (whole, in_parts) => {
                assert_eq!(whole.err(), in_parts.err(), "round {round}\n{text}");
                continue;
            }
        };
        assert_eq!(list(&whole), list(&in_parts), "round {round}\n{text}");
        assert_eq!(whole.counts(), in_parts.counts());
        assert_eq!(whole.base.absent_hosts, in_parts.base.absent_hosts);
        hosts_are_right(&whole, &records, &text);
        hosts_are_right(&in_parts, &records, &text);
        n_zones += 1;
    }
    assert!(n_zones > 1000, "{n_zones}");
}

/// Every cut has the nodes of the name servers in its set, and the others are known to be absent.
fn hosts_are_right(zone: &Zone, records: &Records, text: &str) {
    let mut absent = BTreeSet::new();
    for node in zone.base.nodes().filter(|node| node.is_cut()) {
        let owner = node.name(&zone.apex);
        let set = records.name(owner.as_ref()).and_then(|name| name.rrset(Rtype::NS)).expect("a cut has NS");
        let mut expected = BTreeSet::new();
        for target in set.rdata().map(|rdata| NameRef::from_wire(rdata).expect("a name").to_lowercase()) {
            match (zone.node(target.as_ref()), target.as_ref().prefix_of(zone.apex())) {
                (Some(node), Some(_)) => drop(expected.insert((node.id(), target.as_ref().is_at_or_below(owner.as_ref())))),
                (None, Some(prefix)) => drop(absent.insert(prefix.to_vec())),
                (_, None) => {}
            }
        }
        let cut = node.cut();
        let found: BTreeSet<_> = cut.hosts(&cut.ns()).map(|host| (host.node.id(), host.in_domain)).collect();
        assert_eq!(found, expected, "{owner}\n{text}");
    }
    assert_eq!(zone.base.absent_hosts.iter().map(|name| name.to_vec()).collect::<BTreeSet<_>>(), absent, "{text}");
}

#[test]
fn what_came_apart_is_refused() {
    let refused = |parts: &[&str]| {
        let mut builder = Builder::new(apex().as_ref());
        let built = parts.iter().try_for_each(|part| builder.add(&records(part))).and_then(|()| builder.finish().map(drop));
        built.expect_err("refused")
    };
    let name = |text: &str| Name::parse(text).expect("name");
    let start = "$TTL 60\n@ SOA a h 7 1 1 1 1\n@ NSEC3PARAM 1 0 0 -\nb A 192.0.2.1\n";
    assert_eq!(refused(&[start, "$TTL 60\na A 192.0.2.1\n"]), ZoneError::OutOfOrder(name("a.vn")));
    assert_eq!(refused(&[start, "$TTL 60\nb TXT x\n"]), ZoneError::OutOfOrder(name("b.vn")));
    assert_eq!(
        refused(&[start, "$TTL 60\nc NS x.\nb.c A 192.0.2.1\n", "$TTL 60\na.c A 192.0.2.1\n"]),
        ZoneError::OutOfOrder(name("a.c.vn"))
    );
    let link = "$TTL 60\n00000000000000000000000000000000 NSEC3 1 1 0 - 00000000000000000000000000000000 NS\n";
    let signature = "$TTL 60\n00000000000000000000000000000000 RRSIG NSEC3 13 2 60 20260101000000 20260101000000 1 vn. AQID\n";
    assert!(matches!(refused(&[start, link, signature]), ZoneError::OutOfOrder(_)));
    assert!(matches!(refused(&[start, link, link]), ZoneError::OutOfOrder(_)));
    assert_eq!(refused(&["$TTL 60\na A 192.0.2.1\n"]), ZoneError::Soa);
    assert_eq!(refused(&[]), ZoneError::Soa);
    assert_eq!(refused(&[start, "$TTL 60\nc.example. A 192.0.2.1\n"]), ZoneError::OutOfZone(name("c.example")));
}
