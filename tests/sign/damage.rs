//! Zones damaged on purpose: the verifier must notice each damage, and say the right thing.

use saola::dns::{Record, Records, Rtype, UnixTime};
use saola::sign::{Algorithm, Anchor, Denial, Policy, What, ZoneKeys, sign, verify};

use super::{NOW, keys, name, scan, sign_with};

const ZONE: &str = "\
@ SOA ns.vn. admin.vn. 1 1800 600 1209600 900
@ NS ns.vn.
ns A 192.0.2.1
www A 192.0.2.80
www TXT t
*.wild A 192.0.2.81
a.b.ent A 192.0.2.82
c CNAME www
cut NS ns.cut
ns.cut A 192.0.2.83
secure NS ns.elsewhere.example.
secure DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
only.insecure NS ns.elsewhere.example.
";

/// A good zone, and what to damage it with.
struct Bench {
    denial: Denial,
    keys: ZoneKeys,
    good: Records,
}

impl Bench {
    fn new(denial: Denial) -> Self {
        let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
        let good = sign_with(scan(ZONE, "vn."), "vn.", &keys, &denial, NOW);
        Self { denial, keys, good }
    }

    /// The zone with `lines` more, or without those that contain `without`, signed with the same keys.
    fn other(&self, without: &str, lines: &str) -> Records {
        let mut text: String =
            ZONE.lines().filter(|line| without.is_empty() || !line.contains(without)).map(|line| format!("{line}\n")).collect();
        text.push_str(lines);
        sign_with(scan(&text, "vn."), "vn.", &self.keys, &self.denial, NOW)
    }

    fn link(&self) -> Rtype {
        if self.denial == Denial::Nsec { Rtype::NSEC } else { Rtype::NSEC3 }
    }

    /// The damaged zone gives a fault at `owner` (where that is given) for which `expected` is true.
    #[track_caller]
    fn check(&self, damage: &str, zone: Records, expected: impl Fn(&What) -> bool) {
        self.check_at(damage, zone, &[], NOW, expected);
    }

    #[track_caller]
    fn check_at(&self, damage: &str, mut zone: Records, anchors: &[Anchor], now: UnixTime, expected: impl Fn(&What) -> bool) {
        zone.sort();
        match verify(&zone, name("vn.").as_ref(), anchors, now, 2) {
            Ok(_) => panic!("{}: {damage}: not noticed", self.denial),
            Err(faults) => assert!(faults.iter().any(|fault| expected(&fault.what)), "{}: {damage}: {faults:?}", self.denial),
        }
    }
}

fn covers(record: &Record<'_>, rtype: Rtype) -> bool {
    record.rtype == Rtype::RRSIG && record.rdata[..2] == rtype.0.to_be_bytes()
}

fn is(record: &Record<'_>, owner: &str, rtype: Rtype) -> bool {
    record.owner == name(owner).as_ref() && record.rtype == rtype
}

/// A copy where `change` may edit TTL and RDATA of each record, or drop it.
fn edit(zone: &Records, change: impl Fn(&Record<'_>, &mut u32, &mut Vec<u8>) -> bool) -> Records {
    let mut copy = Records::new();
    for record in zone.iter() {
        let (mut ttl, mut rdata) = (record.ttl, record.rdata.to_vec());
        if change(&record, &mut ttl, &mut rdata) {
            copy.push(record.owner, record.rtype, ttl, &rdata).expect("room");
        }
    }
    copy
}

/// `zone` without what is `picked`, and with what is picked in `from`.
fn splice(zone: &Records, from: &Records, picked: impl Fn(&Record<'_>) -> bool) -> Records {
    let mut copy = edit(zone, |record, _, _| !picked(record));
    for record in from.iter().filter(picked) {
        copy.push(record.owner, record.rtype, record.ttl, record.rdata).expect("room");
    }
    copy
}

fn add(zone: &Records, lines: &str) -> Records {
    let mut copy = zone.clone();
    copy.extend(&scan(lines, "vn.")).expect("room");
    copy
}

/// Changes the RDATA of the signature over the A of `www.vn.`.
fn edit_signature(zone: &Records, change: impl Fn(&mut Vec<u8>)) -> Records {
    edit(zone, |record, _, rdata| {
        if is(record, "www.vn.", Rtype::RRSIG) && covers(record, Rtype::A) {
            change(rdata);
        }
        true
    })
}

#[test]
fn nsec_zones() {
    everything(&Bench::new(Denial::Nsec));
}

#[test]
fn nsec3_zones() {
    everything(&Bench::new(Denial::NSEC3));
}

#[test]
fn nsec3_opt_out_zones() {
    everything(&Bench::new(Denial::NSEC3_OPT_OUT));
}

fn everything(bench: &Bench) {
    let good = &bench.good;
    assert_eq!(verify(good, name("vn.").as_ref(), &[], NOW, 2).err(), None, "undamaged");
    signatures(bench, good);
    placement(bench, good);
    chain(bench, good);
    keys_and_anchors(bench, good);
}

fn signatures(bench: &Bench, good: &Records) {
    let last = |rdata: &mut Vec<u8>| *rdata.last_mut().expect("a signature") ^= 1;
    bench.check("a bit of a signature flipped", edit_signature(good, last), |what| matches!(what, What::Bogus(_)));
    bench.check("a signature cut short", edit_signature(good, |rdata| rdata.truncate(24)), |what| matches!(what, What::Bogus(_)));
    bench.check("a signature cut to pieces", edit_signature(good, |rdata| rdata.truncate(9)), |what| *what == What::BrokenSignature);
    bench.check("labels", edit_signature(good, |rdata| rdata[3] = 1), |what| *what == What::WrongLabels(1));
    bench.check("original TTL", edit_signature(good, |rdata| rdata[7] ^= 1), |what| matches!(what, What::OriginalTtl(_)));
    bench.check("key tag", edit_signature(good, |rdata| rdata[17] ^= 1), |what| matches!(what, What::UnknownKey(_)));
    let other_signer = |rdata: &mut Vec<u8>| {
        rdata.splice(18..22, *b"\x02uk\0");
    };
    bench.check("signer", edit_signature(good, other_signer), |what| *what == What::WrongSigner(name("uk.")));
    bench.check("algorithm", edit_signature(good, |rdata| rdata[2] = 13), |what| *what == What::AlgorithmMissing(15));
    let changed = edit(good, |record, _, rdata| {
        if is(record, "www.vn.", Rtype::A) {
            rdata[3] ^= 1;
        }
        true
    });
    bench.check("a record changed", changed, |what| matches!(what, What::Bogus(_)));
    let ds = edit(good, |record, _, rdata| {
        if record.rtype == Rtype::DS {
            rdata[9] ^= 1;
        }
        true
    });
    bench.check("a DS changed", ds, |what| matches!(what, What::Bogus(_)));
    bench.check("a record added to a set", add(good, "www A 192.0.2.200"), |what| matches!(what, What::Bogus(_)));
    let ttl = |of: fn(&Record<'_>) -> bool| {
        edit(good, move |record, ttl, _| {
            *ttl += u32::from(of(record));
            true
        })
    };
    bench.check("TTL of the signature", ttl(|r| is(r, "www.vn.", Rtype::RRSIG) && covers(r, Rtype::A)), |what| *what == What::SignatureTtl);
    bench.check("TTL of the records", ttl(|r| is(r, "www.vn.", Rtype::A)), |what| matches!(what, What::OriginalTtl(_)));
    let later = UnixTime(NOW.0 + 22 * 86400);
    bench.check_at("expired", good.clone(), &[], later, |what| matches!(what, What::Expired(_)));
    let before = UnixTime(NOW.0 - 2 * 86400);
    bench.check_at("not yet valid", good.clone(), &[], before, |what| matches!(what, What::NotYetValid(_)));
}

fn placement(bench: &Bench, good: &Records) {
    let without = |rtype: Rtype| edit(good, move |record, _, _| !covers(record, rtype));
    for rtype in [Rtype::A, Rtype::SOA, Rtype::DS, Rtype::CNAME, Rtype::DNSKEY, Rtype::CDS, bench.link()] {
        bench.check(&format!("no signature over {rtype}"), without(rtype), |what| *what == What::NotSigned);
    }
    bench.check("an unsigned name added", add(good, "new A 192.0.2.9"), |what| *what == What::NotSigned);
    bench.check("an unsigned type added", add(good, "www AAAA 2001:db8::1"), |what| *what == What::NotSigned);
    bench.check("out of zone", add(good, "www.uk. A 192.0.2.9"), |what| *what == What::OutOfZone);
    bench.check("a second SOA", add(good, "@ SOA ns.vn. admin.vn. 2 1800 600 1209600 900"), |what| *what == What::NoSoa);
    bench.check("something beside a CNAME", bench.other("", "c TXT beside\n"), |what| *what == What::BesideCname);
    // The same keys sign glue and NS where the names are no cut.
    let open = bench.other("cut NS", "");
    let glue = splice(good, &open, |record| is(record, "ns.cut.vn.", Rtype::RRSIG) && covers(record, Rtype::A));
    bench.check("glue signed", glue, |what| *what == What::NotAuthoritative);
    let sig = good.iter().find(|record| is(record, "www.vn.", Rtype::RRSIG)).map(|record| record.rdata.to_vec()).expect("signed");
    for (owner, rtype) in [("cut.vn.", Rtype::NS), ("www.vn.", Rtype::MX)] {
        let mut rdata = sig.clone();
        rdata[..2].copy_from_slice(&rtype.0.to_be_bytes());
        let mut zone = good.clone();
        zone.push(name(owner).as_ref(), Rtype::RRSIG, 3600, &rdata).expect("room");
        bench.check(&format!("a signature over {owner} {rtype}"), zone, |what| {
            matches!(what, What::NotAuthoritative | What::SignatureOfNothing)
        });
    }
}

fn chain(bench: &Bench, good: &Records) {
    let link = bench.link();
    let is_link = move |record: &Record<'_>| record.rtype == link || covers(record, link);
    for victim in good.iter().filter(|record| record.rtype == link) {
        let gone = edit(good, |record, _, _| !(is_link(record) && record.owner == victim.owner));
        bench.check(&format!("link {} dropped", victim.owner), gone, |what| matches!(what, What::NoLink | What::WrongNext(_)));
    }
    // A chain that is closed and rightly signed, but of another zone.
    let more = bench.other("", "more A 192.0.2.90\n");
    bench.check("a link too many", splice(good, &more, is_link), |what| *what == What::ForNoName || matches!(what, What::WrongNext(_)));
    let fewer = bench.other("www", "");
    bench.check("a link too few", splice(good, &fewer, is_link), |what| *what == What::NoLink);
    let types = bench.other("www TXT", "");
    bench.check("a type too few in a bitmap", splice(good, &types, is_link), |what| *what == What::WrongTypes);
    let types = bench.other("", "www MX 0 .\n");
    bench.check("a type too many in a bitmap", splice(good, &types, is_link), |what| *what == What::WrongTypes);
    let insecure = bench.other("secure DS", "");
    bench.check("DS left out of the chain", splice(good, &insecure, is_link), |what| matches!(what, What::WrongTypes | What::NoLink));
    let slow = Policy { denial: bench.denial.clone(), ..Policy::default() };
    let text = ZONE.replace(" 900\n", " 901\n");
    let other = sign(scan(&text, "vn."), name("vn.").as_ref(), &bench.keys, &slow, NOW, 1).expect("signed");
    bench.check("TTL of the chain", splice(good, &other, is_link), |what| *what == What::LinkTtl(900));
    let broken = edit(good, |record, _, rdata| {
        if record.rtype == link {
            rdata.truncate(2);
        }
        true
    });
    bench.check("links cut to pieces", broken, |what| *what == What::BrokenLink);
    match bench.denial {
        Denial::Nsec => {
            let both = sign_with(scan(ZONE, "vn."), "vn.", &bench.keys, &Denial::NSEC3, NOW);
            let nsec3 = |record: &Record<'_>| record.rtype == Rtype::NSEC3 || covers(record, Rtype::NSEC3);
            bench.check("NSEC3 in a zone with NSEC", splice(good, &both, nsec3), |what| *what == What::ForNoName);
        }
        Denial::Nsec3 { opt_out, .. } => {
            let salted = Denial::Nsec3 { opt_out, salt: vec![1], iterations: 0 };
            let other = sign_with(scan(ZONE, "vn."), "vn.", &bench.keys, &salted, NOW);
            bench.check("a chain of other parameters", splice(good, &other, is_link), |what| *what == What::OtherParameters);
            let param = edit(good, |record, _, _| record.rtype != Rtype::NSEC3PARAM && !covers(record, Rtype::NSEC3PARAM));
            bench.check("no NSEC3PARAM", param, |what| *what == What::NoLink);
            let params = add(good, "@ 0 NSEC3PARAM 1 0 5 AB");
            bench.check("two NSEC3PARAM", params, |what| *what == What::Nsec3Param);
            // All names but the insecure ones: complete with opt-out, not without.
            let plain = bench.other("only.insecure", "");
            let lacking = splice(good, &plain, is_link);
            if opt_out {
                assert_eq!(verify(&lacking_sorted(lacking), name("vn.").as_ref(), &[], NOW, 1).err(), None);
            } else {
                bench.check("an insecure delegation without link or opt-out", lacking, |what| *what == What::NoLink);
            }
        }
    }
}

fn lacking_sorted(mut zone: Records) -> Records {
    zone.sort();
    zone
}

fn keys_and_anchors(bench: &Bench, good: &Records) {
    let without = |flags: u8| edit(good, move |record, _, rdata| record.rtype != Rtype::DNSKEY || rdata[1] != flags);
    bench.check("no ZSK", without(0), |what| matches!(what, What::UnknownKey(_)));
    bench.check("no KSK", without(1), |what| *what == What::NoSep);
    bench.check("no DNSKEY", edit(good, |record, _, _| record.rtype != Rtype::DNSKEY), |what| *what == What::NoDnskey);
    let broken = edit(good, |record, _, rdata| {
        if record.rtype == Rtype::DNSKEY {
            rdata.truncate(20);
        }
        true
    });
    bench.check("a broken DNSKEY", broken, |what| matches!(what, What::BadKey(_)));
    let strange = keys("vn.", Algorithm::Ed25519, false, NOW);
    let ksk = strange.iter().find(|(key, _)| key.is_sep()).map(|(key, _)| key).expect("a KSK");
    let mut zone = good.clone();
    zone.push(name("vn.").as_ref(), Rtype::CDNSKEY, 3600, ksk.dnskey()).expect("room");
    bench.check("CDNSKEY of a key that is not there", zone, |what| *what == What::CdsOfNoKey);
    let foreign = sign_with(scan(ZONE, "vn."), "vn.", &strange, &bench.denial, NOW);
    bench.check("signed with other keys", splice(good, &foreign, |r| r.rtype == Rtype::RRSIG), |what| matches!(what, What::UnknownKey(_)));

    let own = bench.keys.iter().find(|(key, _)| key.is_sep()).map(|(key, _)| key).expect("a KSK");
    for anchor in [Anchor::Dnskey(own.dnskey().to_vec()), Anchor::Ds(own.ds(2).expect("SHA-256")), Anchor::Ds(own.ds(4).expect("SHA-384"))]
    {
        assert_eq!(verify(good, name("vn.").as_ref(), &[anchor], NOW, 1).err(), None);
    }
    for anchor in [Anchor::Dnskey(ksk.dnskey().to_vec()), Anchor::Ds(ksk.ds(2).expect("SHA-256")), Anchor::Ds(vec![])] {
        bench.check_at("another anchor", good.clone(), &[anchor], NOW, |what| *what == What::NoAnchor);
    }
}

#[test]
fn faults_are_bounded_and_any_bytes_are_survived() {
    let bench = Bench::new(Denial::NSEC3);
    let unsigned: String = (0..5000).map(|i| format!("n{i} A 192.0.2.1\n")).collect();
    let faults = verify(&lacking_sorted(add(&bench.good, &unsigned)), name("vn.").as_ref(), &[], NOW, 2).expect_err("unsigned names");
    assert_eq!(faults.len(), saola::sign::MAX_FAULTS);
    let mut rng = fastrand::Rng::with_seed(4034);
    for _ in 0..2000 {
        let victim = rng.usize(..bench.good.len());
        let mut zone = Records::new();
        for (i, record) in bench.good.iter().enumerate() {
            let mut rdata = record.rdata.to_vec();
            if i == victim {
                match rng.u8(..3) {
                    0 => rdata.truncate(rng.usize(..=rdata.len())),
                    1 if !rdata.is_empty() => {
                        let at = rng.usize(..rdata.len());
                        rdata[at] ^= 1 << rng.u8(..8);
                    }
                    _ => rdata.push(rng.u8(..)),
                }
            }
            zone.push(record.owner, record.rtype, record.ttl, &rdata).expect("room");
        }
        zone.sort();
        let changed = zone.iter().map(|r| r.rdata.to_vec()).ne(bench.good.iter().map(|r| r.rdata.to_vec()));
        let glue = bench
            .good
            .iter()
            .nth(victim)
            .is_some_and(|r| r.owner == name("ns.cut.vn.").as_ref() || r.rtype == Rtype::NS && r.owner.label_count() > 1);
        // Names of signed RDATA may differ in case alone; the rest of what is signed may not differ at all.
        let result = verify(&zone, name("vn.").as_ref(), &[], NOW, 1);
        if changed && !glue && result.is_ok() {
            let lower = |zone: &Records| zone.iter().map(|r| r.rdata.to_ascii_lowercase()).collect::<Vec<_>>();
            assert_eq!(lower(&zone), lower(&bench.good), "a change was not noticed");
        }
    }
}

/// Opt-out leaves out empty non-terminals above insecure delegations. Beside a wildcard we give them a link; another signer may not
/// (RFC 5155 §7.1), and both are right.
#[test]
fn a_hollow_name_beside_a_wildcard_with_and_without_its_link() {
    let bench = Bench::new(Denial::NSEC3_OPT_OUT);
    let links = |zone: &Records| zone.iter().filter(|record| record.rtype == Rtype::NSEC3).count();
    let with = bench.other("", "i.hollow.wild NS ns.elsewhere.example.\n");
    assert_eq!(links(&with), links(&bench.good) + 1);
    assert_eq!(verify(&with, name("vn.").as_ref(), &[], NOW, 1).err(), None);
    let mut without = bench.good.clone();
    without.extend(&scan("i.hollow.wild NS ns.elsewhere.example.", "vn.")).expect("room");
    assert_eq!(verify(&without, name("vn.").as_ref(), &[], NOW, 1).err(), None);
    // Without opt-out the link must be there.
    let strict = Bench::new(Denial::NSEC3);
    let mut without = strict.good.clone();
    without.extend(&scan("i.hollow.wild NS ns.elsewhere.example.", "vn.")).expect("room");
    strict.check("a hollow name left out", without, |what| *what == What::NoLink);
}
