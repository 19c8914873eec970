//! Signing a change against signing from the start: random zones, changed again and again.

use std::collections::{BTreeMap, BTreeSet};

use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, Serial, UnixTime};
use saola::sign::nsec3::{Hasher, label};
use saola::sign::{Algorithm, Anew, ChangeError, Denial, Key, Policy, SignError, ZoneKeys, key, sign, sign_diff, verify, verify_change};
use saola::zone::{Diff, DiffError, Zone};

use super::{DENIALS, NOW, keys, name, scan};

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

/// Changes a name; `insecure` of ten names that get data become insecure delegations, and with ten there is nothing but delegations.
fn mutate(model: &mut Model, rng: &mut fastrand::Rng, insecure: u8) {
    const LABELS: [&str; 6] = ["a", "b", "C", "*", "z", "\\000"];
    let depth = rng.usize(0..100);
    let depth = if depth < 3 { 0 } else { 1 + depth % 4 };
    let labels = if insecure == 10 { &LABELS[..3] } else { &LABELS[..] };
    let labels: Vec<&str> = (0..depth).map(|_| labels[rng.usize(..labels.len())]).collect();
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
    let is_cut = |set: &BTreeSet<(Rtype, u32, Vec<u8>)>| set.iter().any(|(rtype, ..)| *rtype == Rtype::NS);
    model.retain(|owner, set| !set.is_empty() && (insecure < 10 || is_cut(set) || *owner == name(APEX)));
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
        // Without the zone too, which levels TTLs by itself: so secondaries will have it.
        let applied = diff.apply_to(&before).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(shape(&applied), shape(&after), "{context}");
        assert_eq!(shape(&after), shape(&self.anew(new, now)), "{context}");
        let (were, are) = (signatures(&before), signatures(&after));
        for (set, signatures) in &are {
            let kept = were.get(set);
            assert!(kept.is_none_or(|kept| kept == signatures), "{context}: {} {} was signed again", set.0, set.1);
        }
        let faults = verify(&after, name(APEX).as_ref(), &[], now, 1).err();
        assert_eq!(faults, None, "{context}");
        assert_eq!(verify_change(&next, &diff, now, 1), Ok(()), "{context}");
        self.spoil(zone, &diff, now, u64::from(serial), context);
        next
    }

    /// Spoils one record of the signed change: what a look at the whole zone finds, a look at the change finds.
    fn spoil(&self, zone: &Zone, diff: &Diff, now: UnixTime, seed: u64, context: &str) {
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..4 {
            let mut spoilt = diff.clone();
            let victim = rng.usize(..diff.added.len().max(1));
            let (is_signer, drop) = (rng.bool(), rng.bool());
            spoilt.added = Records::new();
            for (i, record) in diff.added.iter().enumerate() {
                let made = matches!(record.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3);
                let is_victim = i == victim && (made || !is_signer) && record.rtype != Rtype::SOA;
                let mut rdata = record.rdata.to_vec();
                match rdata.last_mut() {
                    Some(_) if is_victim && drop => continue,
                    // Names in RDATA are always whole: what others send is read before.
                    Some(last) if is_victim && made => *last ^= 1,
                    _ => {}
                }
                spoilt.added.push(record.owner, record.rtype, record.ttl, &rdata).expect("room");
            }
            spoilt.added.sort();
            let Ok(next) = zone.apply(&spoilt) else { continue };
            let mut whole = next.records();
            whole.sort();
            let found = verify(&whole, name(APEX).as_ref(), &[], now, 1).err();
            let found_here = verify_change(&next, &spoilt, now, 1).err();
            assert_eq!(found_here.is_some(), found.is_some(), "{context}: {found:?} in the zone, {found_here:?} of the change");
        }
    }
}

/// Returns how many zones stood in an overlay.
fn run(seed: u64, algorithm: Algorithm, csk: bool, rounds: u32, steps: u32) -> usize {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let keys = keys(APEX, algorithm, csk, NOW);
    let mut overlaid = 0;
    for round in 0..rounds {
        let insecure = [2, 5, 9, 10][round as usize % 4];
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
                overlaid += usize::from(zone.is_overlaid());
            }
        }
    }
    overlaid
}

#[test]
fn changes_are_signed_as_from_the_start() {
    let overlaid = run(5155, Algorithm::Ed25519, false, 60, 12);
    println!("{overlaid} zones stood in an overlay");
    assert!(overlaid > 100, "changes are read from overlays too, not {overlaid} times");
}

#[test]
fn every_algorithm_signs_changes() {
    for algorithm in [Algorithm::RsaSha256, Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
        run(u64::from(algorithm.number()), algorithm, algorithm == Algorithm::EcdsaP256Sha256, 1, 3);
    }
}

const ZONE: &str = "@ 3600 SOA a. b. 1 1 1 1 60\n@ NS ns.\nwww A 192.0.2.1\nx.ent NS ns.\ns NS ns.s\ns DS 1 13 200 00\nns.s A 192.0.2.2\n";

impl<'a> Signing<'a> {
    fn new(keys: &'a ZoneKeys, denial: Denial) -> Self {
        Self { keys, policy: Policy { denial, ..Policy::default() } }
    }

    fn zone(&self, text: &str) -> (Records, Zone) {
        let mut content = scan(text, APEX);
        content.level_ttls();
        (content.clone(), Zone::build(name(APEX).as_ref(), self.anew(&content, NOW)).expect("a zone"))
    }
}

fn lines(removed: &str, added: &str) -> Diff {
    Diff { removed: scan(removed, APEX), added: scan(added, APEX) }
}

#[test]
fn insecure_delegations_cost_the_signature_of_the_soa() {
    let keys = keys(APEX, Algorithm::Ed25519, false, NOW);
    let signing = Signing::new(&keys, Denial::NSEC3_OPT_OUT);
    let (_, zone) = signing.zone(&format!("{ZONE}y NS ns.y\nns.y A 192.0.2.3\n"));
    for (removed, added, expected) in [
        ("", "new NS ns.\n", ["SOA"].as_slice()),
        ("y NS ns.y\nns.y A 192.0.2.3\n", "", &["SOA"]),
        ("y NS ns.y\n", "y NS ns2.y\nns2.y A 192.0.2.4\n", &["SOA"]),
        ("x.ent NS ns.\n", "very.deep.x NS ns.\n", &["SOA"]),
        ("", "@ TXT t\n", &["NSEC3", "SOA", "TXT"]),
        ("", "@ NS ns2.\n", &["NS", "SOA"]),
        // The link and the one before it.
        ("", "y DS 1 13 200 00\n", &["DS", "NSEC3", "NSEC3", "SOA"]),
        ("s DS 1 13 200 00\n", "s DS 1 13 200 01\n", &["DS", "SOA"]),
        ("s DS 1 13 200 00\n", "", &["NSEC3", "SOA"]),
    ] {
        let diff = signing.change(&zone, &lines(removed, added), 2, NOW).unwrap_or_else(|error| panic!("{removed}{added}: {error}"));
        let mut signed: Vec<String> = diff.added.rrsets().filter_map(|set| set.covered()).map(|rtype| rtype.to_string()).collect();
        signed.sort();
        assert_eq!(signed, expected, "{removed}{added}");
    }
}

#[test]
fn sets_get_the_smallest_ttl() {
    let keys = keys(APEX, Algorithm::Ed25519, false, NOW);
    for denial in DENIALS {
        let signing = Signing::new(&keys, denial.clone());
        let (mut content, zone) = signing.zone(ZONE);
        let diff = signing.change(&zone, &lines("", "www 60 A 192.0.2.9\nx.ent 7200 NS ns2.\n"), 2, NOW).expect("signed");
        content.retain(|record| record.rtype != Rtype::SOA);
        content.extend(&scan("www 60 A 192.0.2.9\nx.ent 7200 NS ns2.\n@ 3600 SOA a. b. 2 1 1 1 60\n", APEX)).expect("room");
        assert_eq!(shape(&diff.apply_to(&zone.records()).expect("fits")), shape(&signing.anew(&content, NOW)));
    }
}

#[test]
fn empty_non_terminals_go_with_the_last_name_below_them() {
    let keys = keys(APEX, Algorithm::Ed25519, false, NOW);
    for denial in [Denial::NSEC3, Denial::NSEC3_OPT_OUT] {
        let signing = Signing::new(&keys, denial.clone());
        let names = "a.hollow NS ns.\nb.hollow NS ns.\nb.hollow DS 1 13 200 00\nb.deep.hollow NS ns.\n";
        let (mut old, mut zone) = signing.zone(&format!("{ZONE}{names}"));
        let left = [
            "a.hollow NS ns.\nb.deep.hollow NS ns.\n",
            "b.deep.hollow NS ns.\n",
            "",
            "c.deep.hollow NS ns.\n",
            names,
            "b.hollow NS ns.\n",
            "",
        ];
        for (i, left) in left.into_iter().enumerate() {
            let serial = i as u32 + 2;
            let mut new = scan(&format!("{ZONE}{left}").replace("b. 1 1", &format!("b. {serial} 1")), APEX);
            new.level_ttls();
            zone = signing.step(&zone, &old, &new, serial, left);
            assert!(zone.is_overlaid(), "{denial} {serial}: the second name below goes from a zone whose base has the first still");
            old = new;
        }
    }
}

/// Somebody may register the very label that a hash gives: then an NSEC3 record and a delegation have one owner.
#[test]
fn delegations_named_like_a_hash_are_apart_from_the_link() {
    let keys = keys(APEX, Algorithm::Ed25519, false, NOW);
    let label_of =
        |of: &str| String::from_utf8(label(&Hasher { salt: vec![], iterations: 0 }.hash(name(of).as_ref())).into()).expect("base32");
    let label = label_of("www.vn.");
    for denial in [Denial::NSEC3, Denial::NSEC3_OPT_OUT] {
        let signing = Signing::new(&keys, denial.clone());
        let (mut old, mut zone) = signing.zone(ZONE);
        for (i, text) in [
            format!("{ZONE}{label} NS ns.\n"),
            format!("{ZONE}{label} NS ns2.\n"),
            format!("{ZONE}{label} NS ns2.\n{label} DS 1 13 200 00\nwww TXT t\n"),
            format!("{ZONE}{label} NS ns2.\n").replace("www A 192.0.2.1\n", ""),
            format!("{ZONE}{label} NS ns2.\n"),
            ZONE.into(),
        ]
        .into_iter()
        .enumerate()
        {
            let serial = i as u32 + 2;
            let mut new = scan(&text.replace("b. 1 1", &format!("b. {serial} 1")), APEX);
            new.level_ttls();
            zone = signing.step(&zone, &old, &new, serial, &text);
            old = new;
        }
        // One that has gone stays away when the link comes.
        let late = label_of("late.vn.");
        let (mut old, mut zone) = signing.zone(&format!("{ZONE}{late} NS ns.\n"));
        for (serial, text) in [(2, ZONE.to_owned()), (3, format!("{ZONE}late NS ns.\nlate DS 1 13 200 00\n"))] {
            let mut new = scan(&text.replace("b. 1 1", &format!("b. {serial} 1")), APEX);
            new.level_ttls();
            zone = signing.step(&zone, &old, &new, serial, &text);
            old = new;
        }
    }
}

#[test]
fn digests_follow_the_zone_or_go() {
    let keys = keys(APEX, Algorithm::Ed25519, false, NOW);
    let zonemd = format!("@ ZONEMD 1 1 1 {}\n", "00".repeat(48));
    for denial in DENIALS {
        let signing = Signing::new(&keys, denial.clone());
        let (_, mut zone) = signing.zone(&format!("{ZONE}{zonemd}"));
        let stands = |zone: &Zone| {
            let mut records = zone.records();
            records.retain(|record| record.rtype == Rtype::ZONEMD);
            records
        };
        let mut check = |change: Diff, n_good: usize| {
            let diff = signing.change(&zone, &change, zone.serial().next().0, NOW).expect("signed");
            zone = zone.apply(&diff).expect("fits");
            let good = verify(&zone.records(), name(APEX).as_ref(), &[], NOW, 1).expect("good");
            assert_eq!(good.zonemd, n_good, "{zone:?}");
            zone.clone()
        };
        check(lines("", "new NS ns.\n"), 1);
        let with = check(lines("www A 192.0.2.1\n", ""), 1);
        check(Diff { removed: stands(&with), added: Records::new() }, 0);
        check(lines("", "two NS ns.\n"), 0);
        check(lines("", &zonemd), 1);
    }
}

#[test]
fn what_cannot_be_signed_by_itself_is_refused() {
    let first = keys(APEX, Algorithm::Ed25519, false, NOW);
    for denial in DENIALS {
        let signing = Signing::new(&first, denial.clone());
        let (_, zone) = signing.zone(ZONE);
        let refused = |change: &Diff, serial| signing.change(&zone, change, serial, NOW).map(|_| ()).expect_err("refused");
        let nothing = Diff::default();
        assert_eq!(refused(&nothing, 1), ChangeError::Serial { from: Serial(1), to: Serial(1) });
        assert_eq!(refused(&lines("", "www RRSIG A 15 2 60 1 1 1 @ AQID\n"), 2), ChangeError::Made(name("www.vn."), Rtype::RRSIG));
        let absent = DiffError::Absent(name("w.vn."), Rtype::A);
        assert_eq!(refused(&lines("w A 192.0.2.1\n", ""), 2), ChangeError::Unfit(absent));
        let present = DiffError::Present(name("www.vn."), Rtype::A);
        assert_eq!(refused(&lines("", "www A 192.0.2.1\n"), 2), ChangeError::Unfit(present));
        assert_eq!(refused(&lines("", "x.uk. A 192.0.2.1\n"), 2), SignError::OutOfZone(name("x.uk.")).into());
        assert_eq!(refused(&lines("@ 3600 SOA a. b. 1 1 1 1 60\n", ""), 2), SignError::NoSoa.into());
        // Every link would get another TTL.
        let soa = |minimum: u32| lines("@ 3600 SOA a. b. 1 1 1 1 60\n", &format!("@ 3600 SOA a. b. 1 1 1 9 {minimum}\n"));
        assert_eq!(refused(&soa(61), 2), ChangeError::Anew(Anew::Chain));
        assert!(signing.change(&zone, &soa(60), 2, NOW).is_ok());

        let with = |keys, policy: Policy| Signing { keys, policy }.change(&zone, &nothing, 2, NOW).map(|_| ()).expect_err("refused");
        let second = keys(APEX, Algorithm::Ed25519, false, NOW);
        assert_eq!(with(&second, signing.policy.clone()), ChangeError::Anew(Anew::Keys));
        assert_eq!(with(&first, Policy { dnskey_ttl: 60, ..signing.policy.clone() }), ChangeError::Anew(Anew::Keys));
        for other in DENIALS.into_iter().filter(|other| *other != denial) {
            let error = with(&first, Policy { denial: other.clone(), ..signing.policy.clone() });
            assert!(matches!(error, ChangeError::Anew(_)), "{denial} {other} {error}");
        }
        let unsigned = Zone::build(name(APEX).as_ref(), scan(ZONE, APEX)).expect("a zone");
        assert!(matches!(signing.change(&unsigned, &nothing, 2, NOW), Err(ChangeError::Anew(_))));
        let other = keys("uk.", Algorithm::Ed25519, false, NOW);
        assert!(matches!(with(&other, signing.policy.clone()), ChangeError::Sign(SignError::OtherZone { .. })));
    }
}

#[test]
fn a_zone_that_another_key_has_signed_is_signed_anew() {
    let list: Vec<Key> = [key::ZONE | key::SEP, key::ZONE, key::ZONE]
        .map(|flags| Key::generate(name(APEX).as_ref(), Algorithm::Ed25519, flags, None).expect("a key"))
        .into();
    let texts: Vec<_> = list.iter().map(|key| (key.public_text(), key.private_text())).collect();
    let keys = |active: usize| {
        let mut list: Vec<Key> = texts.iter().map(|(public, private)| Key::from_text(public, private).expect("a key")).collect();
        list[3 - active].timing.activate = Some(UnixTime(NOW.0 + 1));
        ZoneKeys::new(list, false, NOW).expect("keys")
    };
    let (before, after) = (keys(1), keys(2));
    let (_, zone) = Signing::new(&before, Denial::NSEC3).zone(ZONE);
    assert!(Signing::new(&before, Denial::NSEC3).change(&zone, &Diff::default(), 2, NOW).is_ok());
    let error = Signing::new(&after, Denial::NSEC3).change(&zone, &Diff::default(), 2, NOW).expect_err("refused");
    assert_eq!(error, ChangeError::Anew(Anew::Signers));
}
