//! Thousands of names and types against every zone and denial: each answer proves what it says, whatever was asked.

use crate::ask::{Question, World, denials, read, sign, signed};
use crate::proof::{Proven, prove};
use saola::dns::{Name, Records, Rtype};
use std::collections::{BTreeMap, BTreeSet};

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
    let apex = Name::parse(apex).expect("a name");
    let mut counts = BTreeMap::new();
    let mut problems = Vec::new();
    for name in names(records, &apex) {
        for &rtype in TYPES {
            let question = Question { name: name.clone(), rtype, class: 1, flags: 0, tcp: true, edns: Some((1232, 0, 0x8000, Vec::new())) };
            let reply = world.ask_it(&question);
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
