//! The chain against a slow one: which names have a link, worked out by the definitions, on random zones.

use std::collections::BTreeSet;

use saola::dns::{Name, Records, Rtype};
use saola::sign::nsec3::{Hasher, label};
use saola::sign::{Algorithm, Denial, verify};

use super::{DENIALS, NOW, keys, name, sign_with};

#[test]
fn chains_are_those_of_the_definitions() {
    let mut rng = fastrand::Rng::with_seed(5155);
    let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
    for round in 0..120 {
        let zone = random(&mut rng);
        for denial in DENIALS {
            let signed = sign_with(zone.clone(), "vn.", &keys, &denial, NOW);
            let found: BTreeSet<Name> =
                signed.iter().filter(|r| matches!(r.rtype, Rtype::NSEC | Rtype::NSEC3)).map(|r| r.owner.to_owned()).collect();
            let hasher = Hasher { salt: vec![], iterations: 0 };
            let expected: BTreeSet<Name> = linked(&zone, &denial)
                .into_iter()
                .map(|owner| match denial {
                    Denial::Nsec => owner,
                    Denial::Nsec3 { .. } => Name::prepend(&label(&hasher.hash(owner.as_ref())), name("vn.").as_ref()).expect("short"),
                })
                .collect();
            assert_eq!(found, expected, "round {round}, {denial}");
            assert_eq!(signed_sets(&signed), expected_sets(&zone, &found), "round {round}, {denial}");
            let faults = verify(&signed, name("vn.").as_ref(), &[], NOW, 1).err();
            assert_eq!(faults, None, "round {round}, {denial}");
        }
    }
}

fn random(rng: &mut fastrand::Rng) -> Records {
    let mut zone = Records::new();
    let soa = saola::dns::rdata::Soa { mname: name("a."), rname: name("b."), serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
    zone.push(name("vn.").as_ref(), Rtype::SOA, 60, &soa.to_rdata()).expect("room");
    zone.push(name("vn.").as_ref(), Rtype::NS, 60, name("ns.").as_ref().as_wire()).expect("room");
    for _ in 0..rng.usize(0..40) {
        let labels: Vec<&str> = (0..rng.usize(1..5)).map(|_| *rng.choice(["a", "b", "C", "*", "z"].iter()).expect("some")).collect();
        let owner = name(&format!("{}.vn.", labels.join(".")));
        let mut push = |rtype, rdata: &[u8]| zone.push(owner.as_ref(), rtype, 60, rdata).expect("room");
        match rng.u8(..10) {
            0..4 => push(Rtype::NS, b"\x02ns\0"),
            4 => {
                push(Rtype::NS, b"\x02ns\0");
                push(Rtype::DS, &[0, 1, 13, 2, 9]);
            }
            5 => push(Rtype::DNAME, b"\x02to\0"),
            _ => push(Rtype::TXT, b"\x01t"),
        }
    }
    zone.sort();
    zone
}

fn has(zone: &Records, owner: &Name, rtype: Rtype) -> bool {
    zone.iter().any(|r| r.owner == owner.as_ref() && r.rtype == rtype)
}

fn is_cut(zone: &Records, owner: &Name) -> bool {
    *owner != name("vn.") && has(zone, owner, Rtype::NS)
}

fn ancestors(owner: &Name) -> impl Iterator<Item = Name> {
    let mut at = owner.clone();
    std::iter::from_fn(move || {
        if at == name("vn.") {
            return None;
        }
        at = at.as_ref().parent().expect("below vn").to_owned();
        Some(at.clone())
    })
}

/// Names that are not below a cut or a DNAME.
fn visible(zone: &Records) -> BTreeSet<Name> {
    let hidden = |owner: &Name| ancestors(owner).any(|top| is_cut(zone, &top) || has(zone, &top, Rtype::DNAME));
    zone.iter().map(|r| r.owner.to_owned()).filter(|owner| !hidden(owner)).collect()
}

fn linked(zone: &Records, denial: &Denial) -> BTreeSet<Name> {
    let mut names = visible(zone);
    if denial.is_opt_out() {
        names.retain(|owner| !is_cut(zone, owner) || has(zone, owner, Rtype::DS));
    }
    if *denial != Denial::Nsec {
        let empty: Vec<Name> = names.iter().flat_map(ancestors).collect();
        names.extend(empty);
    }
    if denial.is_opt_out() {
        // What has no link and stands above insecure delegations alone must have one where its closest provable encloser has a
        // wildcard: from the top down, since each link that is added is the encloser of what stands below.
        let mut hollow: Vec<Name> = visible(zone).iter().flat_map(ancestors).filter(|owner| !names.contains(owner)).collect();
        hollow.sort_by_key(|owner| owner.as_ref().label_count());
        for owner in hollow {
            let encloser = ancestors(&owner).find(|above| names.contains(above)).expect("the apex has a link");
            if names.contains(&Name::prepend(b"*", encloser.as_ref()).expect("short")) {
                names.insert(owner);
            }
        }
    }
    names
}

/// Owner and type of what must be signed, the apex's own types and the chain's aside.
fn expected_sets(zone: &Records, links: &BTreeSet<Name>) -> BTreeSet<(Name, Rtype)> {
    let visible = visible(zone);
    let mut sets: BTreeSet<(Name, Rtype)> = zone
        .iter()
        .map(|r| (r.owner.to_owned(), r.rtype))
        .filter(|(owner, rtype)| visible.contains(owner) && (*rtype == Rtype::DS || !is_cut(zone, owner)))
        .collect();
    sets.extend(links.iter().map(|owner| (owner.clone(), Rtype::NSEC)));
    sets
}

fn signed_sets(signed: &Records) -> BTreeSet<(Name, Rtype)> {
    signed
        .iter()
        .filter(|r| r.rtype == Rtype::RRSIG)
        .map(|r| (r.owner.to_owned(), Rtype(u16::from_be_bytes([r.rdata[0], r.rdata[1]]))))
        .filter(|(_, rtype)| !matches!(*rtype, Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY | Rtype::NSEC3PARAM))
        .map(|(owner, rtype)| (owner, if rtype == Rtype::NSEC3 { Rtype::NSEC } else { rtype }))
        .collect()
}
