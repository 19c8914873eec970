//! What an UPDATE makes of a zone, held against the pseudo-code of RFC 2136 §3 written out over a list of records.

use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, UnixTime};
use saola::sign::{self, Algorithm, Denial, Key, Policy, ZoneKeys};
use saola::transfer::update::{Refused, Rules, Update, update};
use saola::zone::{Fault, Finding, Severity, Zone, check};

const IN: u16 = 1;
const CH: u16 = 3;
const NONE: u16 = 254;
const ANY: u16 = 255;

/// A record of a message, or of the zone, where its class is IN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    name: String,
    rtype: u16,
    class: u16,
    ttl: u32,
    rdata: Vec<u8>,
}

fn row(name: &str, class: u16, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Row {
    Row { name: name.into(), rtype: rtype.0, class, ttl, rdata: rdata.to_vec() }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn wire(text: &str) -> Vec<u8> {
    name(text).as_ref().as_wire().to_vec()
}

fn soa(serial: u32) -> Vec<u8> {
    Soa { mname: name("ns.vn"), rname: name("mail.vn"), serial, refresh: 1, retry: 2, expire: 3, minimum: 4 }.to_rdata()
}

/// The message, nothing in it compressed but owners that are the zone's name.
fn message(zone: &str, class: u16, prerequisites: &[Row], updates: &[Row]) -> Vec<u8> {
    let mut out = vec![0, 7, 5 << 3, 0, 0, 1];
    out.extend((prerequisites.len() as u16).to_be_bytes());
    out.extend((updates.len() as u16).to_be_bytes());
    out.extend([0, 0]);
    out.extend(wire(zone));
    out.extend([6, class].map(u16::to_be_bytes).concat());
    for Row { name, rtype, class, ttl, rdata } in prerequisites.iter().chain(updates) {
        out.extend(if name == zone { vec![0xc0, 12] } else { wire(name) });
        out.extend([*rtype, *class].map(u16::to_be_bytes).concat());
        out.extend(ttl.to_be_bytes());
        out.extend((rdata.len() as u16).to_be_bytes());
        out.extend(rdata);
    }
    out
}

/// The pseudo-code of RFC 2136 §3, over a list. The zone afterwards, or the response code.
fn reference(zone: &[Row], prerequisites: &[Row], updates: &[Row]) -> Result<Vec<Row>, u16> {
    let in_zone = |name: &str| name == "vn." || name.ends_with(".vn.");
    let is_meta = |rtype: u16| rtype == 0 || rtype == 41 || (128..=255).contains(&rtype);
    let has_set = |zone: &[Row], name: &str, rtype: u16| zone.iter().any(|z| z.name == name && z.rtype == rtype);
    let has_name = |name: &str| zone.iter().any(|z| z.name == name);
    let same = |rtype: u16, a: &[u8], b: &[u8]| if rtype == Rtype::MX.0 { a.eq_ignore_ascii_case(b) } else { a == b };
    let mut temp: Vec<Row> = Vec::new();
    for rr in prerequisites {
        if rr.ttl != 0 {
            return Err(1);
        }
        if !in_zone(&rr.name) {
            return Err(10);
        }
        if is_meta(rr.rtype) && (rr.rtype != ANY || rr.class == IN) {
            return Err(1);
        }
        if rr.class == ANY {
            if !rr.rdata.is_empty() {
                return Err(1);
            }
            if rr.rtype == ANY {
                if !has_name(&rr.name) {
                    return Err(3);
                }
            } else if !has_set(zone, &rr.name, rr.rtype) {
                return Err(8);
            }
        } else if rr.class == NONE {
            if !rr.rdata.is_empty() {
                return Err(1);
            }
            if rr.rtype == ANY {
                if has_name(&rr.name) {
                    return Err(6);
                }
            } else if has_set(zone, &rr.name, rr.rtype) {
                return Err(7);
            }
        } else if rr.class == IN {
            temp.push(rr.clone());
        } else {
            return Err(1);
        }
    }
    for rr in &temp {
        let of = |rows: &[Row]| rows.iter().filter(|z| z.name == rr.name && z.rtype == rr.rtype).cloned().collect::<Vec<_>>();
        let (wanted, found) = (of(&temp), of(zone));
        let within = |a: &[Row], b: &[Row]| a.iter().all(|x| b.iter().any(|y| same(x.rtype, &x.rdata, &y.rdata)));
        if !within(&wanted, &found) || !within(&found, &wanted) {
            return Err(8);
        }
    }
    for rr in updates {
        if !in_zone(&rr.name) {
            return Err(10);
        }
        let is_wrong = match rr.class {
            IN => is_meta(rr.rtype) || rr.rdata.is_empty(),
            ANY => rr.ttl != 0 || !rr.rdata.is_empty() || is_meta(rr.rtype) && rr.rtype != ANY,
            NONE => rr.ttl != 0 || is_meta(rr.rtype) || rr.rdata.is_empty(),
            _ => true,
        };
        if is_wrong {
            return Err(1);
        }
    }
    let mut zone = zone.to_vec();
    'each: for rr in updates {
        let is_apex = rr.name == "vn.";
        if rr.class == IN {
            if rr.rtype == 5 {
                if zone.iter().any(|z| z.name == rr.name && z.rtype != 5) {
                    continue;
                }
            } else if has_set(&zone, &rr.name, 5) {
                continue;
            }
            if rr.rtype == 6 {
                let serial = |rdata: &[u8]| u32::from_be_bytes(rdata[rdata.len() - 20..rdata.len() - 16].try_into().expect("four"));
                let Some(old) = zone.iter().find(|z| z.name == rr.name && z.rtype == 6) else { continue };
                if !(1..1 << 31).contains(&serial(&rr.rdata).wrapping_sub(serial(&old.rdata))) {
                    continue;
                }
            }
            // A set has one TTL (RFC 2181 §5.2): our choice is the last one.
            zone.iter_mut().filter(|z| z.name == rr.name && z.rtype == rr.rtype).for_each(|z| z.ttl = rr.ttl);
            for z in zone.iter_mut().filter(|z| z.name == rr.name && z.rtype == rr.rtype) {
                let is_wks = rr.rtype == Rtype::WKS.0 && z.rdata[..5] == rr.rdata[..5];
                if [5, 6, 39].contains(&rr.rtype) || is_wks || same(rr.rtype, &z.rdata, &rr.rdata) {
                    z.rdata.clone_from(&rr.rdata);
                    continue 'each;
                }
            }
            zone.push(rr.clone());
        } else if rr.class == ANY {
            if rr.rtype == ANY {
                zone.retain(|z| z.name != rr.name || is_apex && [2, 6].contains(&z.rtype));
            } else if !(is_apex && [2, 6].contains(&rr.rtype)) {
                zone.retain(|z| z.name != rr.name || z.rtype != rr.rtype);
            }
        } else {
            let n_ns = zone.iter().filter(|z| z.name == "vn." && z.rtype == 2).count();
            if is_apex && (rr.rtype == 6 || rr.rtype == 2 && n_ns == 1) {
                continue;
            }
            zone.retain(|z| z.name != rr.name || z.rtype != rr.rtype || !same(z.rtype, &z.rdata, &rr.rdata));
        }
    }
    Ok(zone)
}

fn rows(records: &Records) -> Vec<Row> {
    let row = |r: saola::dns::Record<'_>| Row {
        name: r.owner.to_lowercase().to_string(),
        rtype: r.rtype.0,
        class: IN,
        ttl: r.ttl,
        rdata: r.rdata.to_vec(),
    };
    records.iter().map(row).collect()
}

fn records(rows: &[Row]) -> Records {
    let mut records = Records::new();
    rows.iter().for_each(|r| records.push(name(&r.name).as_ref(), Rtype(r.rtype), r.ttl, &r.rdata).expect("room"));
    records.sort();
    records
}

fn zone_of(rows: &[Row]) -> Zone {
    Zone::build(name("vn").as_ref(), records(rows)).expect("a zone")
}

/// What both can be compared by: case in RDATA is not content.
fn content(rows: &[Row]) -> Vec<Row> {
    let lower = |row: &Row| Row { rdata: if row.rtype == 15 { row.rdata.to_ascii_lowercase() } else { row.rdata.clone() }, ..row.clone() };
    let mut rows: Vec<Row> = rows.iter().map(lower).collect();
    rows.sort();
    rows
}

/// The errors of a zone, all of it looked at: what no update may bring. A delegation without addresses may get them later.
fn errors(list: &[Row]) -> Vec<Finding> {
    let mut found = check(name("vn").as_ref(), &zone_of(list).records());
    found.retain(|Finding { owner, fault }| match fault {
        Fault::NoAddress(_) | Fault::NsToCname(_) | Fault::NsBelowDname(_) => *owner == name("vn"),
        fault => fault.severity() == Severity::Error,
    });
    found
}

/// A start: `vn` with a name or two.
fn start() -> Vec<Row> {
    vec![
        row("vn.", IN, Rtype::SOA, 900, &soa(u32::MAX - 3)),
        row("vn.", IN, Rtype::NS, 300, &wire("ns.vn")),
        row("ns.vn.", IN, Rtype::A, 300, &[192, 0, 2, 1]),
    ]
}

fn random_row(random: &mut fastrand::Rng, is_prerequisite: bool) -> Row {
    let names = ["vn.", "vn.", "a.vn.", "b.vn.", "x.a.vn.", "y.x.b.vn.", "*.vn.", "ns.vn."];
    let mut name = names[random.usize(..names.len())].to_owned();
    if random.u8(..60) == 0 {
        name = ["evn.", ".", "com."][random.usize(..3)].to_owned();
    }
    let types = [
        Rtype::A,
        Rtype::A,
        Rtype::TXT,
        Rtype::CNAME,
        Rtype::NS,
        Rtype::NS,
        Rtype::SOA,
        Rtype::DNAME,
        Rtype::DS,
        Rtype::WKS,
        Rtype::MX,
        Rtype(65_280),
    ];
    let mut rtype = types[random.usize(..types.len())];
    let mut class = [IN, IN, IN, ANY, NONE][random.usize(..5)];
    let host = ["ns.vn", "a.vn", "b.vn"][random.usize(..3)];
    let mut rdata = match rtype {
        Rtype::A => vec![192, 0, 2, random.u8(..4)],
        Rtype::TXT => vec![1, random.u8(b'a'..b'd')],
        Rtype::SOA => soa((u32::MAX - 5).wrapping_add(random.u32(..10))),
        Rtype::WKS => vec![192, 0, 2, 1, random.u8(..2), random.u8(..4)],
        Rtype::MX => [&[0, random.u8(..2)][..], &wire(if random.bool() { host } else { "A.vn" })].concat(),
        Rtype::CNAME | Rtype::NS | Rtype::DNAME => wire(host),
        Rtype::DS => [&[0, 1, 13, 2][..], &[random.u8(..2); 32]].concat(),
        _ => vec![random.u8(..3)],
    };
    let is_value_less = class == ANY || class == NONE && is_prerequisite;
    if is_value_less && random.u8(..40) != 0 {
        rdata.clear();
    }
    if is_value_less && random.u8(..3) == 0 || random.u8(..80) == 0 {
        rtype = Rtype::ANY;
    }
    if random.u8(..150) == 0 {
        rtype = Rtype([0, 41, 252, 254][random.usize(..4)]);
        rdata.clear();
    }
    if random.u8(..150) == 0 {
        class = CH;
    }
    let has_ttl = if is_prerequisite || class != IN { random.u8(..80) == 0 } else { random.u8(..4) != 0 };
    Row { name, rtype: rtype.0, class, ttl: if has_ttl { random.u32(1..3) * 100 } else { 0 }, rdata }
}

#[test]
fn it_is_as_the_pseudo_code_says() {
    let number = |key: &str, default: u64| std::env::var(key).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let first = number("SAOLA_SEED", 1);
    let (mut n_changed, mut n_unsound, mut codes) = (0, 0, std::collections::BTreeMap::<u16, usize>::new());
    for seed in first..first + 400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut list = start();
        for step in 0..30 {
            let what = format!("SAOLA_SEED={seed}, step {step}");
            let zone = zone_of(&list);
            let mut prerequisites: Vec<Row> = Vec::new();
            for _ in 0..[0, 0, 1, 2][random.usize(..4)] {
                prerequisites.push(random_row(&mut random, true));
            }
            // A whole set, which is there, at times.
            if random.u8(..4) == 0 {
                let one = list[random.usize(..list.len())].clone();
                prerequisites
                    .extend(list.iter().filter(|r| r.name == one.name && r.rtype == one.rtype).map(|r| Row { ttl: 0, ..r.clone() }));
            }
            let updates: Vec<Row> = (0..random.usize(..8)).map(|_| random_row(&mut random, false)).collect();
            let expected = reference(&list, &prerequisites, &updates);
            let octets = message("vn.", IN, &prerequisites, &updates);
            let found = Update::parse(&octets).and_then(|parsed| update(&zone, &parsed, &Rules::default()));
            match (&found, &expected) {
                (Err(Refused::Unsound(fault)), Ok(new)) => {
                    assert!(errors(new).contains(fault) && !errors(&list).contains(fault), "{what}: {fault}, {updates:?}");
                    n_unsound += 1;
                }
                (Ok(diff), Ok(new)) => {
                    let had = errors(&list);
                    let worse: Vec<Finding> = errors(new).into_iter().filter(|error| !had.contains(error)).collect();
                    assert_eq!(worse, [], "{what}: {updates:#?}");
                    let before = zone.records();
                    let after = diff.apply_to(&before).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(content(&rows(&after)), content(new), "{what}: {updates:#?}");
                    n_changed += usize::from(!diff.is_empty());
                    list.clone_from(new);
                }
                (Err(refused), Err(rcode)) => {
                    *codes.entry(*rcode).or_default() += 1;
                    assert_eq!(refused.rcode(), *rcode, "{what}: {refused}, {prerequisites:?} {updates:?}");
                }
                _ => panic!("{what}: {found:?}, not {expected:?} of {prerequisites:?} {updates:?}"),
            }
        }
    }
    // Everything there is has been met.
    assert!(n_changed > 2000 && n_unsound > 500, "{n_changed} {n_unsound}");
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [1, 3, 6, 7, 8, 10], "{codes:?}");
}

/// One update of the start; what changes, a record a line, or the reason why not.
fn ask(rows_before: &[Row], zone: &str, class: u16, updates: &[Row], rules: &Rules) -> Result<Vec<String>, Refused> {
    let parsed = Update::parse(&message(zone, class, &[], updates))?;
    let diff = update(&zone_of(rows_before), &parsed, rules)?;
    let line = |sign: char, row: Row| format!("{sign}{} {} {}", row.name, row.ttl, Rtype(row.rtype));
    Ok(rows(&diff.removed).into_iter().map(|r| line('-', r)).chain(rows(&diff.added).into_iter().map(|r| line('+', r))).collect())
}

#[test]
fn only_its_own_zone_and_class() {
    let add = [row("a.vn.", IN, Rtype::A, 60, &[192, 0, 2, 9])];
    let rules = Rules::default();
    assert_eq!(ask(&start(), "vn.", IN, &add, &rules), Ok(vec!["+a.vn. 60 A".to_owned()]));
    for (zone, class) in [("com.vn.", IN), (".", IN), ("vn.", CH), ("vn.", ANY)] {
        assert_eq!(ask(&start(), zone, class, &add, &rules).map_err(|refused| refused.rcode()), Err(9), "{zone} {class}");
    }
}

#[test]
fn a_message_is_read_whole_or_not_at_all() {
    let good = message("vn.", IN, &[row("a.vn.", NONE, Rtype::ANY, 0, &[])], &[row("a.vn.", IN, Rtype::A, 60, &[192, 0, 2, 9])]);
    assert_eq!(Update::parse(&good).map(|parsed| parsed.len()), Ok(2));
    for n in 0..good.len() {
        assert_eq!(Update::parse(&good[..n]).map_err(|refused| refused.rcode()), Err(1), "cut at {n}");
    }
    let changed = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        Update::parse(&octets).map_err(|refused| refused.rcode())
    };
    // No zone, two, one that is no SOA; more records than there are; an address of three octets.
    for (at, octet) in [(5, 0), (5, 2), (17, 1), (9, 2), (11, 1), (good.len() - 5, 3)] {
        assert_eq!(changed(at, octet), Err(1), "octet {at}");
    }
    assert_eq!(Update::parse(&[&good[..], &[0]].concat()).map_err(|refused| refused.rcode()), Err(1));
}

#[test]
fn limits_are_kept() {
    let many: Vec<Row> = (0..20).map(|i| row("a.vn.", IN, Rtype::A, 60, &[192, 0, 2, i])).collect();
    let rules = Rules { most_records: 20, most_in_set: 20, ..Rules::default() };
    assert_eq!(ask(&start(), "vn.", IN, &many, &rules).map(|lines| lines.len()), Ok(20));
    for rules in [Rules { most_records: 19, ..rules.clone() }, Rules { most_in_set: 19, ..rules.clone() }] {
        assert_eq!(ask(&start(), "vn.", IN, &many, &rules).map_err(|refused| refused.rcode()), Err(5));
    }
    // A set that is too large already may shrink.
    let full = [start(), many.clone()].concat();
    let rules = Rules { most_in_set: 3, ..Rules::default() };
    assert_eq!(ask(&full, "vn.", IN, &[Row { class: NONE, ttl: 0, ..many[0].clone() }], &rules).map(|lines| lines.len()), Ok(1));
}

/// What other servers would not load, or not follow; see `it_is_as_the_pseudo_code_says` for the rest.
#[test]
fn no_update_leaves_an_error() {
    let ds = [&[0, 1, 13, 2][..], &[7; 32]].concat();
    let a = |name: &str| row(name, IN, Rtype::A, 60, &[192, 0, 2, 9]);
    let gone = |name: &str, rtype: Rtype| row(name, ANY, rtype, 0, &[]);
    let dname = |name: &str| row(name, IN, Rtype::DNAME, 60, &wire("example"));
    let ns = |name: &str, server: &str| row(name, IN, Rtype::NS, 60, &wire(server));
    let deep = [start(), vec![a("x.y.vn.")]].concat();
    let delegated = [start(), vec![ns("d.vn.", "ns.example")]].concat();
    let redirected = [start(), vec![dname("r.vn.")]].concat();
    let broken = [deep.clone(), vec![dname("y.vn.")]].concat();
    let cases: [(&[Row], &[Row], Option<&str>); 20] = [
        (&start(), &[dname("vn.")], Some("'ns.vn.': hidden below the DNAME at vn.")),
        (&deep, &[dname("y.vn.")], Some("'x.y.vn.': hidden below the DNAME at y.vn.")),
        (&deep, &[dname("y.vn."), gone("x.y.vn.", Rtype::A)], None),
        (&start(), &[dname("y.vn.")], None),
        (&redirected, &[a("x.r.vn.")], Some("'x.r.vn.': hidden below the DNAME at r.vn.")),
        (&redirected, &[a("x.r.vn."), gone("r.vn.", Rtype::DNAME)], None),
        // It had that error, and is no worse for the change.
        (&broken, &[a("x.y.vn."), a("z.vn.")], None),
        (&broken, &[a("z.y.vn.")], Some("'z.y.vn.': hidden below the DNAME at y.vn.")),
        (&broken, &[gone("x.y.vn.", Rtype::ANY)], None),
        (&delegated, &[dname("d.vn.")], Some("'d.vn.': DNAME and NS at the same name below the apex")),
        (&start(), &[ns("*.vn.", "ns.example")], Some("'*.vn.': NS at a wildcard has no defined meaning")),
        (&start(), &[row("vn.", IN, Rtype::DS, 60, &ds)], Some("'vn.': DS at the apex, it belongs into the parent's zone")),
        (&delegated, &[row("d.vn.", IN, Rtype::DS, 60, &ds)], None),
        (&start(), &[gone("ns.vn.", Rtype::A)], Some("'vn.': name server ns.vn. has no address in the zone")),
        (&start(), &[gone("ns.vn.", Rtype::A), a("*.vn.")], None),
        (&start(), &[ns("vn.", "b.ns.vn"), a("b.ns.vn.")], None),
        (&start(), &[ns("vn.", "b.ns.vn")], Some("'vn.': name server b.ns.vn. has no address in the zone")),
        (
            &start(),
            &[gone("ns.vn.", Rtype::A), row("ns.vn.", IN, Rtype::CNAME, 60, &wire("a.vn"))],
            Some("'vn.': name server ns.vn. is an alias (CNAME)"),
        ),
        // Its addresses may come with the next.
        (&start(), &[ns("d.vn.", "ns.d.vn")], None),
        (&start(), &[ns("vn.", "ns.example")], None),
    ];
    for (zone, updates, expected) in cases {
        let refused = ask(zone, "vn.", IN, updates, &Rules::default()).err();
        let expected = expected.map(|what| format!("the zone would have an error at {what}"));
        assert_eq!(refused.as_ref().map(ToString::to_string), expected, "{updates:?}");
        assert!(refused.is_none_or(|refused| refused.rcode() == 5));
    }
    for rtype in [Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3, Rtype::NSEC3PARAM] {
        let added = ask(&start(), "vn.", IN, &[row("vn.", IN, rtype, 60, &[1, 0, 0, 0, 0])], &Rules::default());
        assert!(added.as_ref().is_err_and(|refused| matches!(refused.rcode(), 1 | 5)), "{added:?}");
        assert_eq!(
            ask(&start(), "vn.", IN, &[gone("vn.", rtype)], &Rules::default()),
            Ok(vec![]),
            "who has one by mistake may be rid of it"
        );
    }
}

/// What the signer makes is nobody else's: named, it is refused; beside what goes, it stays.
#[test]
fn what_is_signed_here_is_left_alone() {
    let now = UnixTime(1_800_000_000);
    for denial in [Denial::NSEC3_OPT_OUT, Denial::NSEC3, Denial::Nsec] {
        let policy = Policy { csk: true, denial, ..Policy::default() };
        let key = Key::generate(name("vn").as_ref(), Algorithm::Ed25519, 257, None).expect("a key");
        let keys = ZoneKeys::new(vec![key], true, now).expect("keys");
        let plain = [start(), vec![row("a.vn.", IN, Rtype::A, 60, &[192, 0, 2, 9])]].concat();
        let signed = sign::sign(records(&plain), name("vn").as_ref(), &keys, &policy, now, 1).expect("signed");
        let zone = Zone::build(name("vn").as_ref(), signed).expect("a zone");
        let changes = |updates: &[Row], is_signed_here: bool| {
            let parsed = Update::parse(&message("vn.", IN, &[], updates)).expect("well formed");
            let diff = update(&zone, &parsed, &Rules { is_signed_here, ..Rules::default() })?;
            // It is content alone, so the signer takes it.
            if !diff.is_empty() {
                sign::sign_diff(&zone, &diff, zone.serial().next(), &keys, &policy, now, 1).expect("signed");
            }
            Ok::<_, Refused>(
                [&diff.removed, &diff.added].map(|side| rows(side).into_iter().map(|r| (r.name, Rtype(r.rtype))).collect::<Vec<_>>()),
            )
        };
        let a = |class: u16, rtype: Rtype, rdata: &[u8]| [row("a.vn.", class, rtype, 0, rdata)];
        assert_eq!(changes(&a(ANY, Rtype::ANY, &[]), true), Ok([vec![("a.vn.".into(), Rtype::A)], vec![]]));
        assert_eq!(changes(&[row("vn.", ANY, Rtype::ANY, 0, &[])], true), Ok([vec![], vec![]]));
        // A CNAME may stand where nothing else stands but what the signer made.
        let cname = [a(ANY, Rtype::A, &[]), a(IN, Rtype::CNAME, &wire("ns.vn"))].concat();
        assert_eq!(changes(&cname, true), Ok([vec![("a.vn.".into(), Rtype::A)], vec![("a.vn.".into(), Rtype::CNAME)]]));
        assert_eq!(changes(&cname, false), Err(Refused::SignedElsewhere));
        for rtype in [Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3, Rtype::NSEC3PARAM, Rtype::DNSKEY, Rtype::CDS, Rtype::CDNSKEY] {
            assert_eq!(changes(&a(ANY, rtype, &[]), true), Err(Refused::Maintained(name("a.vn"), rtype)));
        }
    }
}

/// With it, the digest is the signer's too, and goes and comes without a word of clients; without it, it is a record like any other.
#[test]
fn a_digest_that_is_made_here_is_left_alone() {
    let digest = [&7u32.to_be_bytes()[..], &[1, 1], &[9; 48]].concat();
    let zone = zone_of(&[start(), vec![row("vn.", IN, Rtype::ZONEMD, 60, &digest)]].concat());
    for (is_digest_made_here, refused, n_gone) in [(true, Some(5), 0), (false, None, 1)] {
        let rules = Rules { is_digest_made_here, ..Rules::default() };
        let change = |updates: &[Row]| update(&zone, &Update::parse(&message("vn.", IN, &[], updates)).expect("well formed"), &rules);
        let gone = [row("vn.", ANY, Rtype::ZONEMD, 0, &[])];
        assert_eq!(change(&gone).err().map(|refused| refused.rcode()), refused);
        let all = change(&[row("vn.", ANY, Rtype::ANY, 0, &[])]).expect("changed");
        assert_eq!(all.removed.rtypes().filter(|rtype| *rtype == Rtype::ZONEMD).count(), n_gone);
        // Elsewhere it is no digest.
        assert!(change(&[row("a.vn.", IN, Rtype::ZONEMD, 60, &digest)]).is_ok());
    }
}
