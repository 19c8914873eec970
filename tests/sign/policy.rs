//! What the policy decides: times, CDS, what is kept of the input, several algorithms at once, input that cannot be signed.

use saola::dns::{Records, Rtype, UnixTime};
use saola::sign::{Algorithm, Denial, Key, Policy, SignError, ZoneKeys, key, sign, verify};

use super::{NOW, keys, name, scan, sign_with};

const ZONE: &str = "@ 7200 SOA ns.vn. admin.vn. 1 1800 600 1209600 900\n@ NS ns.uk.\nwww A 192.0.2.1\n";

fn count(zone: &Records, rtype: Rtype) -> usize {
    zone.iter().filter(|record| record.rtype == rtype).count()
}

fn try_sign(text: &str, keys: &ZoneKeys, policy: &Policy) -> Result<Records, SignError> {
    sign(scan(text, "vn."), name("vn.").as_ref(), keys, policy, NOW, 1)
}

#[test]
fn expirations_are_spread_and_the_same_each_time() {
    let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
    let text: String = (0..2000).map(|i| format!("n{i} A 192.0.2.1\n")).collect();
    let text = format!("{ZONE}{text}");
    let policy = Policy::default();
    let [first, second] =
        [1, 2].map(|threads| sign(scan(&text, "vn."), name("vn.").as_ref(), &keys, &policy, NOW, threads).expect("signed"));
    let list = |zone: &Records| zone.iter().map(|r| (r.owner.to_owned(), r.rtype, r.ttl, r.rdata.to_vec())).collect::<Vec<_>>();
    assert_eq!(list(&first), list(&second), "Ed25519 is deterministic, and so must be the rest, on any number of threads");
    let number = |r: &[u8], at: usize| u64::from(u32::from_be_bytes([r[at], r[at + 1], r[at + 2], r[at + 3]]));
    let mut days = [0; 4];
    for record in first.iter().filter(|record| record.rtype == Rtype::RRSIG) {
        assert_eq!(number(record.rdata, 12), NOW.0 - 3600);
        let left = number(record.rdata, 8) - NOW.0;
        assert!((18 * 86400..=21 * 86400).contains(&left), "{left}");
        days[((left - 18 * 86400) / 86400) as usize] += 1;
    }
    let all = count(&first, Rtype::RRSIG);
    assert!(days[..3].iter().all(|&n| n > all / 5), "{days:?} of {all}");
}

#[test]
fn old_signatures_and_chains_are_made_anew() {
    let first = keys("vn.", Algorithm::Ed25519, false, NOW);
    let second = keys("vn.", Algorithm::Ed25519, false, NOW);
    let once = sign_with(scan(ZONE, "vn."), "vn.", &first, &Denial::Nsec, NOW);
    let again = sign_with(once.clone(), "vn.", &first, &Denial::NSEC3_OPT_OUT, UnixTime(NOW.0 + 86400));
    let fresh = sign_with(scan(ZONE, "vn."), "vn.", &first, &Denial::NSEC3_OPT_OUT, UnixTime(NOW.0 + 86400));
    let list = |zone: &Records| zone.iter().map(|r| (r.owner.to_owned(), r.rtype, r.ttl, r.rdata.to_vec())).collect::<Vec<_>>();
    assert_eq!(list(&again), list(&fresh), "signing a signed zone is signing the zone");
    // Keys of another signer stay published (RFC 8901), as long as their algorithm signs here.
    let both = sign_with(once.clone(), "vn.", &second, &Denial::Nsec, NOW);
    assert_eq!(count(&both, Rtype::DNSKEY), 4);
    assert_eq!(verify(&both, name("vn.").as_ref(), &[], NOW, 1).err(), None);
    let other = keys("vn.", Algorithm::EcdsaP256Sha256, false, NOW);
    let error = sign(once, name("vn.").as_ref(), &other, &Policy::default(), NOW, 1).expect_err("two algorithms");
    assert!(matches!(error, SignError::ForeignKey { algorithm: 15, .. }), "{error}");
}

#[test]
fn two_algorithms_sign_everything() {
    let apex = name("vn.");
    let mut list = Vec::new();
    for algorithm in [Algorithm::RsaSha256, Algorithm::EcdsaP256Sha256] {
        for flags in [key::ZONE | key::SEP, key::ZONE] {
            list.push(Key::generate(apex.as_ref(), algorithm, flags, None).expect("a key"));
        }
    }
    // The first step of an algorithm rollover: the new one signs, its keys are not published yet (RFC 6781 §4.1.4).
    let later = Some(UnixTime(NOW.0 + 1));
    list[2].timing.publish = later;
    list[3].timing.publish = later;
    let early = ZoneKeys::new(list, false, NOW).expect("keys");
    let signed = try_sign(ZONE, &early, &Policy::default()).expect("signed");
    assert_eq!(count(&signed, Rtype::DNSKEY), 2);
    let sets = signed.rrsets().filter(|set| set.covered().is_some());
    assert!(sets.into_iter().all(|set| set.len() == 2));
    assert_eq!(verify(&signed, apex.as_ref(), &[], NOW, 1).err(), None);

    let texts: Vec<_> = early.iter().map(|(key, _)| (key.public_text(), key.private_text())).collect();
    let list = texts.iter().map(|(public, private)| Key::from_text(public, private).expect("a key")).collect();
    let late = UnixTime(NOW.0 + 1);
    let both = ZoneKeys::new(list, false, late).expect("keys");
    let signed = sign(scan(ZONE, "vn."), apex.as_ref(), &both, &Policy::default(), late, 1).expect("signed");
    assert_eq!(count(&signed, Rtype::DNSKEY), 4);
    assert_eq!(verify(&signed, apex.as_ref(), &[], late, 1).err(), None);
    // Without one algorithm's signature the set is no longer whole (RFC 4035 §2.2).
    let mut lacking = signed.clone();
    lacking.retain(|record| !(record.rtype == Rtype::RRSIG && record.owner == name("www.vn.").as_ref() && record.rdata[2] == 13));
    assert!(verify(&lacking, apex.as_ref(), &[], late, 1).is_err());
}

#[test]
fn cds_and_ttls_follow_the_policy() {
    let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
    let policy = Policy { dnskey_ttl: 1234, ..Policy::default() };
    let signed = try_sign(ZONE, &keys, &policy).expect("signed");
    let ttl = |zone: &Records, rtype: Rtype| zone.iter().find(|record| record.rtype == rtype).map(|record| record.ttl);
    for (rtype, expected) in [(Rtype::DNSKEY, 1234), (Rtype::CDS, 1234), (Rtype::CDNSKEY, 1234), (Rtype::NSEC3, 900), (Rtype::SOA, 7200)] {
        assert_eq!(ttl(&signed, rtype), Some(expected), "{rtype}");
    }
    // RFC 9077 §3: the SOA's own TTL where that is smaller.
    let short = try_sign(&ZONE.replace("7200", "60"), &keys, &policy).expect("signed");
    assert_eq!(ttl(&short, Rtype::NSEC3), Some(60));
    let none = Policy { cds: false, ..Policy::default() };
    assert_eq!(count(&try_sign(ZONE, &keys, &none).expect("signed"), Rtype::CDS), 0);
    // An operator's own CDS, such as the request to delete (RFC 8078 §4), stays where the policy makes none.
    let own = format!("{ZONE}@ CDS 0 0 0 00\n");
    let kept = try_sign(&own, &keys, &none).expect("signed");
    assert_eq!(kept.iter().find(|r| r.rtype == Rtype::CDS).map(|r| r.rdata.to_vec()), Some(vec![0, 0, 0, 0, 0]));
    assert_eq!(verify(&kept, name("vn.").as_ref(), &[], NOW, 1).err(), None);
    let dropped = try_sign(&own, &keys, &Policy::default()).expect("signed");
    assert!(dropped.iter().filter(|r| r.rtype == Rtype::CDS).all(|r| r.rdata.len() == 36));
    // TTLs that differ in a set are mended downwards (RFC 2181 §5.2).
    let mixed = try_sign(&format!("{ZONE}www 60 A 192.0.2.2\n"), &keys, &Policy::default()).expect("signed");
    assert!(mixed.iter().filter(|r| r.owner == name("www.vn.").as_ref()).all(|r| r.ttl == 60));
    assert_eq!(verify(&mixed, name("vn.").as_ref(), &[], NOW, 1).err(), None);
}

#[test]
fn salts_and_iterations_are_carried_out() {
    let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
    let denial = |iterations| Denial::Nsec3 { opt_out: false, salt: vec![0xaa, 0xbb], iterations };
    let signed = sign_with(scan(ZONE, "vn."), "vn.", &keys, &denial(7), NOW);
    assert_eq!(verify(&signed, name("vn.").as_ref(), &[], NOW, 1).map(|good| good.denial), Ok(denial(7)));
    let slow = Policy { denial: denial(151), ..Policy::default() };
    assert_eq!(try_sign(ZONE, &keys, &slow).map(|_| ()), Err(SignError::Nsec3Parameters));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let keys = keys("vn.", Algorithm::Ed25519, false, NOW);
    let error = |text: &str| try_sign(text, &keys, &Policy::default()).map(|_| ()).expect_err("refused");
    assert_eq!(error("@ NS ns.uk.\n"), SignError::NoSoa);
    assert_eq!(error(&format!("{ZONE}@ SOA ns.vn. admin.vn. 2 1800 600 1209600 900\n")), SignError::ManySoa);
    assert_eq!(error(&format!("{ZONE}www.uk. A 192.0.2.1\n")), SignError::OutOfZone(name("www.uk.")));
    let other = sign(scan(ZONE, "uk."), name("uk.").as_ref(), &keys, &Policy::default(), NOW, 1);
    assert!(matches!(other, Err(SignError::OtherZone { .. })));
}

#[test]
fn the_root_and_a_zone_of_one_name_are_signed() {
    for origin in [".", "a.very.deep.zone.vn."] {
        let keys = keys(origin, Algorithm::Ed25519, true, NOW);
        for denial in super::DENIALS {
            let text = "@ SOA ns.uk. admin.uk. 1 1800 600 1209600 900\n@ NS ns.uk.\n";
            for text in [text.to_owned(), format!("{text}www A 192.0.2.1\nx NS ns.uk.\n* TXT wild\n")] {
                let signed = sign_with(scan(&text, origin), origin, &keys, &denial, NOW);
                assert_eq!(verify(&signed, name(origin).as_ref(), &[], NOW, 1).err(), None, "{origin} {denial}");
            }
        }
    }
}
