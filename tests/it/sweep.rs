//! Thousands of names and types against every zone and denial: each answer proves what it says, whatever was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saola::dns::{Name, Records, Rtype};
use saola::sign::{Algorithm, Denial, Key};
use saola::zone::{Diff, Zone};

use crate::ask::{Question, World, denials, labels, read, scan, sign, sign_with, signed};
use crate::oracle::Oracle;
use crate::proof::{Proven, prove};

/// Names worth asking: those of the zone, ancestors, neighbours, names below and beside them.
pub fn names(records: &Records, apex: &Name) -> Vec<Name> {
    let mut names = BTreeSet::new();
    let mut add = |name: Result<Name, saola::dns::name::NameError>| {
        if let Ok(name) = name
            && name.as_ref().is_at_or_below(apex.as_ref())
        {
            names.insert((crate::ask::labels_of(&name), name.as_ref().as_wire().to_vec()));
        }
    };
    for name in records.names() {
        let owner = name.owner();
        for n in apex.as_ref().label_count()..=owner.label_count() {
            let name = owner.suffix(n);
            add(Ok(name.to_owned()));
            for label in [&b"*"[..], b"0", b"zz", b"\0", b"\xff", b"a", b"x", b"www"] {
                let child = Name::prepend(label, name);
                if let Ok(child) = &child {
                    add(Name::prepend(b"q", child.as_ref()));
                    add(Name::prepend(b"*", child.as_ref()));
                }
                add(child);
            }
            if let (Some(first), Some(parent)) = (name.labels().next(), name.parent()) {
                for label in neighbours(first) {
                    add(Name::prepend(&label, parent));
                }
            }
        }
    }
    names.into_iter().map(|(_, wire)| Name::from_wire(&wire).expect("a name")).collect()
}

/// Labels next to this one in canonical order, and in other case.
fn neighbours(label: &[u8]) -> Vec<Vec<u8>> {
    let mut less = label.to_vec();
    if let Some(last) = less.last_mut() {
        *last = last.wrapping_sub(1);
    }
    let mut more = label.to_vec();
    more.push(0);
    vec![less, more, label.to_ascii_uppercase(), [label, b"-"].concat()]
}

const TYPES: &[Rtype] =
    &[Rtype::A, Rtype::TXT, Rtype::DS, Rtype::NS, Rtype::CNAME, Rtype::DNAME, Rtype::ANY, Rtype(65280), Rtype::NSEC, Rtype::NSEC3];

/// Asks everything and counts what was proven.
#[track_caller]
fn sweep(world: &World, records: &Records, apex: &str) -> BTreeMap<String, usize> {
    let oracle = Oracle::new(records, labels(apex));
    let apex = Name::parse(apex).expect("a name");
    let mut counts = BTreeMap::new();
    let mut problems = Vec::new();
    for name in names(records, &apex) {
        for &rtype in TYPES {
            let question = Question { name: name.clone(), rtype, class: 1, flags: 0, tcp: true, edns: Some((1232, 0, 0x8000, Vec::new())) };
            let reply = world.ask_it(&question);
            if let Some(problem) = oracle.differs(&question, &reply) {
                problems.push(format!("{} {rtype}: {problem}\n{}", question.name, reply.show(world)));
            }
            match prove(world, &question, &reply) {
                Ok(proven) => *counts.entry(format!("{proven:?}")).or_default() += 1,
                Err(problem) => problems.push(format!("{} {rtype}: {problem}\n{}", question.name, reply.show(world))),
            }
        }
    }
    assert!(problems.is_empty(), "{} of them\n{}", problems.len(), problems[..problems.len().min(12)].join("\n"));
    counts
}

#[track_caller]
fn check(file: &str, apex: &str) {
    for (label, denial) in denials() {
        let world = signed(file, apex, &denial);
        let counts = sweep(&world, &read(file, apex), apex);
        println!("{file} {label}: {counts:?}");
        let opt_out = denial.is_opt_out();
        assert!(opt_out || !counts.keys().any(|key| key.ends_with("OptOut")), "no opt-out in {label}: {counts:?}");
        assert!(counts.contains_key(&format!("{:?}", Proven::NoData)), "{counts:?}");
    }
}

#[test]
fn the_registry_zone() {
    check("vn.zone", "vn.");
}

#[test]
fn the_zone_of_rfc_4592() {
    check("rfc4592.zone", "example.");
}

#[test]
fn the_zone_of_rfc_5155() {
    check("rfc5155.zone", "example.");
}

#[test]
fn the_root() {
    check("root.zone", ".");
}

#[test]
fn small_zones() {
    check("apex.zone", "apex.example.");
    check("apex.zone", "one.");
    check("apex.zone", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.example.");
    check("wildapex.zone", "wild.example.");
}

#[test]
fn parent_and_child_together() {
    for (_, denial) in denials() {
        let world = World::new()
            .with("vn.", sign(read("vn.zone", "vn."), "vn.", &denial))
            .with("com.vn.", sign(read("com.vn.zone", "com.vn."), "com.vn.", &denial));
        sweep(&world, &read("com.vn.zone", "com.vn."), "com.vn.");
    }
}

/// A zone of which some delegations have been changed since it was built answers and proves like one that was built with them.
#[test]
fn a_changed_zone() {
    let text = |drop: &[&str], more: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zones/vn.zone");
        let text = std::fs::read_to_string(path).expect("the zone");
        let lines = text.lines().filter(|line| !drop.iter().any(|start| line.starts_with(start)));
        lines.map(|line| format!("{line}\n")).collect::<String>() + more
    };
    let gone = ["i1.hollow ", "s1.mixed        DS", "i.wild ", "secure          DS    2", "sibling "];
    let come = "newcut NS ns1.newcut\nns1.newcut A 192.0.2.99\nn.x.hollow NS ns.elsewhere.example.\nz.fresh.ent NS ns1.insecure\n\
                deep.cut DS 9 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE4A5F4C0AC0B3E4B5B7E0D6A1\n";
    let (old, new) = (scan(text(&[], "").as_bytes(), "old", "vn."), scan(text(&gone, come).as_bytes(), "new", "vn."));
    let apex = Name::parse("vn.").expect("a name");
    for (label, denial) in denials() {
        // Ed25519 signs the same the same way, so that the difference is what changed.
        let key = Key::generate(apex.as_ref(), Algorithm::Ed25519, 257, None).expect("a key");
        let again = Key::from_text(&key.public_text(), &key.private_text()).expect("the same key");
        let (before, after) = (sign_with(old.clone(), "vn.", &denial, key), sign_with(new.clone(), "vn.", &denial, again));
        let zone = Zone::build(apex.as_ref(), before.clone()).expect("a zone");
        let zone = zone.apply(&Diff::between(&before, &after)).expect("it fits");
        assert_eq!(zone.is_overlaid(), denial != Denial::Nsec, "{label}");
        let mut world = World::new().with("vn.", after);
        world.zones.insert(Arc::new(zone));
        let counts = sweep(&world, &new, "vn.");
        println!("{label}: {counts:?}");
    }
}

/// Zones made at random from few labels, so that names stand above, below and beside each other in every way.
#[test]
fn generated_zones() {
    let first = std::env::var("SAOLA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let n_zones: u64 = std::env::var("SAOLA_ZONES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    for seed in first..first + n_zones {
        println!("SAOLA_SEED={seed} SAOLA_ZONES=1");
        let mut random = fastrand::Rng::with_seed(seed);
        let apex = ["z.", ".", "a.b.", "*.z."][random.usize(..4)];
        let text = generate(&mut random);
        println!("{text}");
        let records = scan(text.as_bytes(), "generated", apex);
        sweep(&World::new().with(apex, sign(records.clone(), apex, &Denial::Nsec)), &records, apex);
        sweep(&World::new().with(apex, sign(records.clone(), apex, &Denial::NSEC3)), &records, apex);
        sweep(&World::new().with(apex, sign(records.clone(), apex, &Denial::NSEC3_OPT_OUT)), &records, apex);
    }
}

fn generate(random: &mut fastrand::Rng) -> String {
    let mut text = "@ 60 SOA ns.elsewhere.example. h.elsewhere.example. 1 1 1 1 60\n@ 60 NS ns.elsewhere.example.\n".to_owned();
    let mut seen = BTreeSet::new();
    for _ in 0..random.usize(2..14) {
        let labels: Vec<&str> = (0..random.usize(1..5)).map(|_| ["a", "b", "a", "B", "*", "x"][random.usize(..6)]).collect();
        let owner = labels.join(".");
        if !seen.insert(owner.to_lowercase()) {
            continue;
        }
        let any = |random: &mut fastrand::Rng| {
            let labels: Vec<&str> = (0..random.usize(1..4)).map(|_| ["a", "b", "q", "x", "*"][random.usize(..5)]).collect();
            labels.join(".")
        };
        match random.u8(..10) {
            0..=3 if labels[0] != "*" => {
                text += &format!("{owner} 60 NS ns.elsewhere.example.\n");
                if random.bool() {
                    text += &format!("{owner} 60 NS ns.{owner}\nns.{owner} 60 A 192.0.2.1\n");
                }
                if random.u8(..3) == 0 {
                    text += &format!("{owner} 60 DS 1 13 2 {}\n", "AB".repeat(32));
                }
            }
            4 | 5 => text += &format!("{owner} 60 CNAME {}\n", any(random)),
            6 => text += &format!("{owner} 60 DNAME {}\n", any(random)),
            7 => text += &format!("{owner} 60 A 192.0.2.2\n{owner} 60 TXT text\n"),
            _ => text += &format!("{owner} 60 A 192.0.2.3\n"),
        }
    }
    text
}
