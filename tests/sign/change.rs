//! Signing a change against signing from the start: random zones, changed again and again.

use std::collections::{BTreeMap, BTreeSet};

use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, Serial, UnixTime};
use saola::sign::{Algorithm, ChangeError, Policy, ZoneKeys, sign, sign_diff, verify};
use saola::zone::{Diff, Zone};

use super::{DENIALS, NOW, keys, name};

const APEX: &str = "vn.";

/// Type, TTL and RDATA of the records at each name.
type Model = BTreeMap<Name, BTreeSet<(Rtype, u32, Vec<u8>)>>;

fn soa(serial: u32) -> Vec<u8> {
    Soa { mname: name("a."), rname: name("b."), serial, refresh: 1, retry: 1, expire: 1, minimum: 60 }.to_rdata()
}

fn records(model: &Model, serial: u32) -> Records {
    let mut records = Records::new();
    records.push(name(APEX).as_ref(), Rtype::SOA, 3600, &soa(serial)).expect("room");
    records.push(name(APEX).as_ref(), Rtype::NS, 3600, name("ns.").as_ref().as_wire()).expect("room");
    for (owner, set) in model {
        for (rtype, ttl, rdata) in set {
            records.push(owner.as_ref(), *rtype, *ttl, rdata).expect("room");
        }
    }
    records.level_ttls();
    records
}

/// Changes some names; `insecure` of ten names with data become insecure delegations.
fn mutate(model: &mut Model, rng: &mut fastrand::Rng, insecure: u8) {
    const LABELS: [&str; 6] = ["a", "b", "C", "*", "z", "\\000"];
    let depth = rng.usize(0..100);
    let depth = if depth < 3 { 0 } else { 1 + depth % 4 };
    let labels: Vec<&str> = (0..depth).map(|_| LABELS[rng.usize(..LABELS.len())]).collect();
    let owner = match rng.choice(model.keys()) {
        // What is there is changed as often as something new comes.
        Some(owner) if rng.bool() => owner.clone(),
        _ => name([labels.join("."), APEX.into()].join(".").trim_start_matches('.')),
    };
    let is_apex = owner == name(APEX);
    let host = || b"\x02ns\0".to_vec();
    let text = vec![1, rng.u8(b'a'..b'd')];
    let ttl = *rng.choice([60, 300].iter()).expect("some");
    let set = model.entry(owner).or_default();
    match rng.u8(..10) {
        0..2 => set.clear(),
        2 => {
            if let Some(victim) = rng.choice(set.iter()).cloned() {
                set.remove(&victim);
            }
        }
        3 if !is_apex => {
            // DS comes, goes or changes.
            if !set.iter().any(|(rtype, ..)| *rtype == Rtype::DS) || rng.bool() {
                set.retain(|(rtype, ..)| *rtype != Rtype::DS);
                set.insert((Rtype::DS, ttl, vec![0, 1, 13, 2, rng.u8(..4)]));
            } else {
                set.retain(|(rtype, ..)| *rtype != Rtype::DS);
            }
        }
        4 => {
            // Another TTL for what is there.
            *set = std::mem::take(set).into_iter().map(|(rtype, _, rdata)| (rtype, ttl, rdata)).collect();
        }
        _ if is_apex => _ = set.insert((Rtype::TXT, ttl, text)),
        _ if rng.u8(..10) < insecure => {
            set.insert((Rtype::NS, ttl, if rng.bool() { host() } else { b"\x02n2\0".to_vec() }));
        }
        _ => match rng.u8(..8) {
            0 => {
                set.retain(|(rtype, ..)| *rtype != Rtype::DNAME);
                set.insert((Rtype::DNAME, ttl, host()));
            }
            1..3 => {
                set.insert((Rtype::NS, ttl, host()));
                set.insert((Rtype::DS, ttl, vec![0, 1, 13, 2, 9]));
            }
            3..5 => _ = set.insert((Rtype::A, ttl, vec![192, 0, 2, rng.u8(..3)])),
            _ => _ = set.insert((Rtype::TXT, ttl, text)),
        },
    }
    model.retain(|_, set| !set.is_empty());
}

/// Everything but what signatures are made of: for them type, algorithm and tag.
fn shape(records: &Records) -> Vec<String> {
    let of = |rtype: Rtype, rdata: &[u8]| match rtype {
        Rtype::RRSIG => format!("{:?} {:?}", &rdata[..8], &rdata[16..18]),
        _ => format!("{rdata:?}"),
    };
    let mut lines: Vec<String> =
        records.iter().map(|r| format!("{} {} {} {}", r.owner.to_lowercase(), r.ttl, r.rtype, of(r.rtype, r.rdata))).collect();
    lines.sort();
    lines
}

type SetKey = (Name, Rtype, Vec<(u32, Vec<u8>)>);

/// The signatures of every set.
fn signatures(records: &Records) -> BTreeMap<SetKey, Vec<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for of_name in records.names() {
        for set in of_name.rrsets().filter(|set| set.rtype() != Rtype::RRSIG) {
            let Some(signatures) = of_name.signatures(set.rtype()) else { continue };
            let content = set.ttls().zip(set.rdata().map(<[u8]>::to_vec)).collect();
            all.insert((set.owner().to_lowercase(), set.rtype(), content), signatures.rdata().map(<[u8]>::to_vec).collect());
        }
    }
    all
}

fn without_soa(records: &Records) -> Records {
    let mut records = records.clone();
    records.retain(|record| record.rtype != Rtype::SOA);
    records
}

struct Signing<'a> {
    keys: &'a ZoneKeys,
    policy: Policy,
}

impl Signing<'_> {
    fn anew(&self, content: &Records, now: UnixTime) -> Records {
        sign(content.clone(), name(APEX).as_ref(), self.keys, &self.policy, now, 1).expect("signed")
    }

    fn change(&self, zone: &Zone, change: &Diff, serial: u32, now: UnixTime) -> Result<Diff, ChangeError> {
        sign_diff(zone, change, Serial(serial), self.keys, &self.policy, now, 1)
    }

    /// Signs the change from `old` to `new` and compares. Returns the zone after it.
    fn step(&self, zone: &Zone, old: &Records, new: &Records, serial: u32, context: &str) -> Zone {
        // Later than all before, so that no signature made now passes for one that was kept.
        let now = UnixTime(NOW.0 + u64::from(serial));
        let change = Diff::between(&without_soa(old), &without_soa(new));
        let diff = self.change(zone, &change, serial, now).unwrap_or_else(|error| panic!("{context}: {error}"));
        let next = zone.apply(&diff).unwrap_or_else(|error| panic!("{context}: {error}"));
        let (before, after) = (zone.records(), next.records());
        assert_eq!(shape(&after), shape(&self.anew(new, now)), "{context}");
        let (were, are) = (signatures(&before), signatures(&after));
        for (set, signatures) in &are {
            let kept = were.get(set);
            assert!(kept.is_none_or(|kept| kept == signatures), "{context}: {} {} was signed again", set.0, set.1);
        }
        let faults = verify(&after, name(APEX).as_ref(), &[], now, 1).err();
        assert_eq!(faults, None, "{context}");
        next
    }
}

fn run(seed: u64, algorithm: Algorithm, csk: bool, rounds: u32, steps: u32) {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let keys = keys(APEX, algorithm, csk, NOW);
    for round in 0..rounds {
        let insecure = [2, 5, 9][round as usize % 3];
        for denial in DENIALS {
            let signing = Signing { keys: &keys, policy: Policy { denial: denial.clone(), csk, ..Policy::default() } };
            let mut model = Model::new();
            for _ in 0..rng.usize(..40) {
                mutate(&mut model, &mut rng, insecure);
            }
            let mut content = records(&model, 1);
            let mut zone = Zone::build(name(APEX).as_ref(), signing.anew(&content, NOW)).expect("a zone");
            for serial in 2..2 + steps {
                for _ in 0..rng.usize(..5) {
                    mutate(&mut model, &mut rng, insecure);
                }
                let new = records(&model, serial);
                zone = signing.step(&zone, &content, &new, serial, &format!("seed {seed} round {round} {denial} serial {serial}"));
                content = new;
            }
        }
    }
}

#[test]
fn changes_are_signed_as_from_the_start() {
    run(5155, Algorithm::Ed25519, false, 60, 12);
}

#[test]
fn every_algorithm_signs_changes() {
    for algorithm in [Algorithm::RsaSha256, Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
        run(u64::from(algorithm.number()), algorithm, algorithm == Algorithm::EcdsaP256Sha256, 1, 3);
    }
}
