//! Names that are judged one by one come to what a whole compilation comes to, whatever the orders were before.

use std::collections::{BTreeMap, BTreeSet};

use saola::compile::{At, Change, Contents, Live, LiveDelegation, Notice, Register, compile};
use saola::dns::{Name, NameRef, Records, Rtype, UnixTime};
use saola::orders::{Orders, ZERO_HASH};
use saola::registry::{Deposit, ReadOptions};
use tempfile::TempDir;

use super::export::{Export, NOW, Rules};

/// A small generator of numbers; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Owner, type, TTL and RDATA.
type Line = (Name, Rtype, u32, Vec<u8>);

/// Zones that are served, without their SOA.
#[derive(Clone, Default, PartialEq, Debug)]
struct Zones(BTreeMap<Name, BTreeSet<Line>>);

impl Zones {
    fn apply(&mut self, changes: &[Change]) {
        for Change { apex, change, .. } in changes {
            let zone = self.0.get_mut(apex).expect("a zone of ours");
            for record in change.removed.iter() {
                assert!(
                    zone.remove(&(record.owner.to_lowercase(), record.rtype, record.ttl, record.rdata.to_vec())),
                    "{} goes",
                    record.owner
                );
            }
            for record in change.added.iter() {
                assert!(
                    zone.insert((record.owner.to_lowercase(), record.rtype, record.ttl, record.rdata.to_vec())),
                    "{} comes",
                    record.owner
                );
            }
        }
    }

    fn at(&self, zone: NameRef<'_>) -> impl Iterator<Item = &Line> {
        self.0.get(&zone.to_owned()).into_iter().flatten()
    }
}

impl Live for Zones {
    fn delegation(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Option<LiveDelegation> {
        let rdata =
            |rtype| self.at(zone).filter(move |record| record.0.as_ref() == name && record.1 == rtype).map(|record| record.3.clone());
        let ns: Vec<Name> = rdata(Rtype::NS).map(|rdata| Name::from_wire(&rdata).expect("a name")).collect();
        (!ns.is_empty()).then(|| LiveDelegation { ns, ds: rdata(Rtype::DS).collect() })
    }
}

impl Contents for Zones {
    fn records_at(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Records {
        let mut records = Records::new();
        for (owner, rtype, ttl, rdata) in self.at(zone).filter(|record| record.0.as_ref() == name) {
            records.push(owner.as_ref(), *rtype, *ttl, rdata).expect("room");
        }
        records
    }

    fn below(&self, zone: NameRef<'_>, name: NameRef<'_>) -> Vec<Name> {
        let mut below: Vec<Name> = self
            .at(zone)
            .map(|record| record.0.clone())
            .filter(|owner| owner.as_ref() != name && owner.as_ref().is_at_or_below(name))
            .collect();
        below.dedup();
        below
    }
}

const NAMES: [&str; 8] = ["mot.vn", "hai.vn", "ba.com.vn", "bon.com.vn", "nam.gov.vn", "sau.vn", "bay.hanoi.vn", "dns-servers.vn"];
const HOSTS: [&str; 10] = [
    "ns1.mot.vn",
    "ns2.mot.vn",
    "mot.vn",
    "ns.ba.com.vn",
    "ns1.hai.vn",
    "a.b.sau.vn",
    "ns.ngoai.example",
    "ns2.ngoai.example",
    "ns.khongco.vn",
    "ns9.dns-servers.vn",
];

fn export(random: &mut Random) -> Export {
    let mut export = Export::new();
    for name in NAMES {
        if random.below(6) == 0 {
            continue;
        }
        for _ in 0..1 + usize::from(random.below(8) == 0) {
            let servers: Vec<&str> = (0..random.below(4)).map(|_| *random.one(&HOSTS)).collect();
            let state = [("registrant_class", "state"), ("entitlement_ref", "E-1")];
            let expired = [("registrant_class", "state"), ("entitlement_ref", "E-1"), ("ex_date", "2026-11-10T00:00:00Z")];
            let other = [("registrant_class", "state"), ("entitlement_ref", "E-1"), ("roid", "D-OTHER")];
            let columns = match random.below(12) {
                0 => &expired[..],
                1 => &other[..],
                _ => &state[..],
            };
            export = export.domain_with(name, columns, &servers);
        }
        if random.below(4) == 0 {
            export = export.row("dnssec.csv", &format!("{name},D-{name},1,13,2,{}", "AB".repeat(32)));
        }
    }
    for host in HOSTS {
        let addresses: &[&str] = match random.below(4) {
            0 => &[],
            1 => &["203.0.113.7"],
            _ => &["203.0.113.9", "2001:db8::9"],
        };
        if random.below(5) > 0 {
            export = export.host(host, addresses);
        }
    }
    export
}

/// Some orders about some of the names, as a ledger.
fn ledger(random: &mut Random, n: usize) -> Vec<serde_json::Value> {
    let order = |i: usize, random: &mut Random| {
        let (kind, ground) = *random.one(&[("suspend", "INVESTIGATION"), ("suspend", "UNPAID"), ("cancel", "STATE_NOTICE")]);
        let mut order = serde_json::json!({
            "order_id": format!("O-{i}"), "type": kind, "domain": random.one(&NAMES), "authority": "A05", "legal_ground": ground,
            "evidence_ref": "E", "received_at": NOW, "effective_at": random.one(&["2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
            "expires_at": null, "operator": "a", "approver": "b", "notice_sent_at": null,
        });
        if kind == "suspend" && random.below(3) == 0 {
            order["expires_at"] = "2026-12-01T00:00:00Z".into();
        }
        order
    };
    (0..n).map(|i| order(i, random)).collect()
}

fn orders(lines: &[serde_json::Value]) -> Orders {
    let (mut text, mut prev) = (Vec::new(), ZERO_HASH.to_owned());
    for (i, line) in lines.iter().enumerate() {
        let mut line = line.clone();
        (line["seq"], line["prev_sha256"]) = ((i + 1).into(), prev.into());
        let line = line.to_string();
        prev = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, line.as_bytes()).as_ref());
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    Orders::read(&text).expect("a good ledger")
}

fn compiled(deposit: &Deposit, orders: &Orders, rules: &Rules, at: At, live: Option<&dyn Live>) -> (Zones, BTreeMap<String, u64>) {
    let compiled = compile(deposit, orders, &rules.policy, at, live).expect("compiles");
    let published = compiled.published();
    let listed = |records: &Records| records.iter().map(|r| (r.owner.to_lowercase(), r.rtype, r.ttl, r.rdata.to_vec())).collect();
    (Zones(compiled.zones.iter().map(|zone| (zone.apex.clone(), listed(&zone.records))).collect()), published)
}

#[test]
fn one_by_one_is_as_all_at_once() {
    let seed = 92_2003;
    let mut random = Random(seed);
    let (mut n_changed, mut n_notices) = (0, 0);
    for round in 0..400 {
        let what = format!("seed {seed}, round {round}");
        let folder = TempDir::new().expect("folder");
        export(&mut random).write(folder.path());
        let read = || Deposit::read(folder.path(), &ReadOptions::default()).expect("a whole deposit");
        let mut rules = Rules::new();
        if random.below(2) == 0 {
            let servers = vec![Name::parse("ns.thongbao.example").expect("a name")];
            rules.policy.notice = Notice { servers, grounds: ["UNPAID".to_owned()].into() };
        }
        let register = Register::new(read(), rules.policy.clone()).expect("a FULL");
        let names = UnixTime::parse_rfc3339(NOW).expect("time");
        let later = UnixTime::parse_rfc3339("2027-02-01T00:00:00Z").expect("time");
        // First without what is only in force later, so that contradictions of the export have something that stays.
        let mut lines = ledger(&mut random, 0);
        let at = |orders: UnixTime| At { names, orders };
        let (mut live, mut published) = compiled(&read(), &orders(&lines), &rules, at(names), None);
        for step in 0..4 {
            let more = 1 + random.below(3);
            let from = lines.len();
            let mut added = ledger(&mut random, more);
            added.iter_mut().enumerate().for_each(|(i, line)| line["order_id"] = format!("O-{}", from + i).into());
            lines.extend(added);
            if random.below(2) == 0 {
                let lifted = random.one(&lines).clone();
                if lifted["type"] != "restore" {
                    let mut restore = lifted.clone();
                    (restore["type"], restore["refers_to"], restore["order_id"]) =
                        ("restore".into(), lifted["order_id"].clone(), format!("O-{}", lines.len()).into());
                    restore["expires_at"] = serde_json::Value::Null;
                    lines.push(restore);
                }
            }
            let now = if step == 3 { later } else { names };
            let all = orders(&lines);
            let touched: Vec<&[u8]> = NAMES.iter().map(|name| name.as_bytes()).filter(|_| step == 3 || random.below(3) > 0).collect();
            let touched: Vec<&[u8]> = touched.into_iter().chain(all.names()).collect();
            let changes = register.changes(touched, &all, at(now), &live).expect("room");
            let (expected, counts) = compiled(&read(), &all, &rules, at(now), Some(&live));
            n_changed += changes.iter().map(|change| change.change.n_records()).sum::<usize>();
            for change in &changes {
                let zone = change.apex.to_string().trim_end_matches('.').to_owned();
                let count = published.get_mut(&zone).expect("a zone");
                *count = count.checked_add_signed(change.published).expect("as many names as there are");
            }
            live.apply(&changes);
            assert_eq!(live, expected, "{what}, step {step}");
            assert_eq!(published, counts, "{what}, step {step}");
            n_notices += live.0.values().flatten().filter(|record| record.3.windows(8).any(|part| part == b"thongbao")).count();
            assert!(register.changes(all.names(), &all, at(now), &live).expect("room").is_empty(), "{what}: what is as it should be stays");
        }
    }
    assert!(n_changed > 1000 && n_notices > 20, "{n_changed} records, {n_notices} notices");
}

#[test]
fn who_depends_on_a_name_is_known_before() {
    let folder = TempDir::new().expect("folder");
    Export::new()
        .domain("chu.vn", &["ns1.chu.vn", "ns2.chu.vn"])
        .domain("mot.vn", &["ns1.chu.vn", "ns2.chu.vn"])
        .domain("hai.com.vn", &["ns1.chu.vn", "ns.ngoai.example"])
        .domain_with("ba.gov.vn", &[("registrant_class", "state")], &["ns2.chu.vn"])
        .domain_with("het.vn", &[("fee_state", "overdue")], &["ns1.chu.vn"])
        .domain("khac.vn", &["ns.ngoai.example"])
        .host("ns1.chu.vn", &["203.0.113.1"])
        .host("ns2.chu.vn", &["203.0.113.2"])
        .write(folder.path());
    let read = || Deposit::read(folder.path(), &ReadOptions::default()).expect("a whole deposit");
    let mut rules = Rules::new();
    rules.policy.delegated = saola::compile::DelegatedStats::none();
    let at = UnixTime::parse_rfc3339(NOW).expect("time");
    let (live, _) = compiled(&read(), &Orders::none(), &rules, at.into(), None);
    let register = Register::new(read(), rules.policy).expect("a FULL");
    let impact = register.impact(b"CHU.vn", &live);
    let shown: Vec<String> = impact
        .dependants
        .iter()
        .map(|d| format!("{} {}/{}{}", d.domain, d.n_lost, d.n_servers, if d.is_state { " state" } else { "" }))
        .collect();
    assert_eq!(shown, ["ba.gov.vn 1/1 state", "hai.com.vn 1/2", "mot.vn 2/2"]);
    assert!(register.impact(b"khac.vn", &live).dependants.is_empty());
    assert!(register.impact(b"khongco.vn", &live).dependants.is_empty());
}
