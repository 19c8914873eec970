//! ZONEMD: the digests of RFC 8976's appendices, digests that do not hold, and digests made anew by the signer.

use saola::dns::{Records, Rtype, UnixTime, master};
use saola::sign::{Algorithm, DroppedZonemd, What, ZonemdFault, check_zonemd, dropped_zonemd, verify};

use super::{DENIALS, NOW, keys, name, scan, sign_with};

fn appendix(file: &str, origin: &str) -> Records {
    let path = format!("{}/tests/zones/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the zone");
    let origin = name(origin);
    let mut records = master::scan(text.as_bytes(), file, &master::Options::new(origin.as_ref()), &mut |_, _| Err("none".into()))
        .unwrap_or_else(|error| panic!("{error}"));
    records.sort();
    records
}

/// Without the records whose text holds `drop`, and with `lines`.
fn changed(zone: &Records, origin: &str, drop: &str, lines: &str) -> Records {
    let text = |record: &saola::dns::Record<'_>| {
        let mut line = Vec::new();
        master::write_record(record, &mut line);
        String::from_utf8_lossy(&line).into_owned()
    };
    let mut copy = zone.clone();
    copy.retain(|record| drop.is_empty() || !text(&record).contains(drop));
    assert!(drop.is_empty() || copy.len() < zone.len(), "{drop}");
    copy.extend(&scan(lines, origin)).expect("room");
    copy.sort();
    copy
}

#[test]
fn digests_of_rfc_8976_appendix_a() {
    for (file, origin, serial, n_good) in [
        ("rfc8976-a1.zone", "example.", 2018031900, 1),
        ("rfc8976-a2.zone", "example.", 2018031900, 1),
        ("rfc8976-a3.zone", "example.", 2018031900, 2),
        ("rfc8976-a4.zone", "uri.arpa.", 2018100702, 1),
        ("rfc8976-a5.zone", "root-servers.net.", 2018091100, 1),
    ] {
        let zone = appendix(file, origin);
        assert_eq!(check_zonemd(&zone, name(origin).as_ref(), serial), Ok(n_good), "{file}");
        // Any record counts, and any TTL.
        for victim in zone.iter().filter(|record| record.owner.is_at_or_below(name(origin).as_ref())) {
            let of_digest = victim.rtype == Rtype::ZONEMD || victim.rtype == Rtype::RRSIG && victim.rdata[..2] == [0, 63];
            if of_digest && victim.owner == name(origin).as_ref() {
                continue;
            }
            for drop in [true, false] {
                let mut other = Records::new();
                for record in zone.iter() {
                    let is_it = record.owner == victim.owner && record.rtype == victim.rtype && record.rdata == victim.rdata;
                    if !(is_it && drop) {
                        other.push(record.owner, record.rtype, record.ttl + u32::from(is_it), record.rdata).expect("room");
                    }
                }
                other.sort();
                let faults = check_zonemd(&other, name(origin).as_ref(), serial).expect_err("not noticed");
                assert!(faults.iter().all(|fault| *fault == ZonemdFault::Digest), "{file} {} {}: {faults:?}", victim.owner, victim.rtype);
            }
        }
    }
}

/// Appendix A.4 is signed, by a ZSK of 1024 bits: such a key signs nothing here, and what others signed with it is verified.
#[test]
fn the_signed_zone_of_rfc_8976_verifies() {
    let zone = appendix("rfc8976-a4.zone", "uri.arpa.");
    let at = UnixTime::parse_rfc3339("2021-01-25T00:00:00Z").expect("a time");
    let good = verify(&zone, name("uri.arpa.").as_ref(), &[], at, 1).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!((good.zonemd, good.keys, good.signatures, good.links), (1, 3, 15, 5));
    let other = changed(&zone, "uri.arpa.", "", "new 60 A 192.0.2.1");
    let faults = verify(&other, name("uri.arpa.").as_ref(), &[], at, 1).expect_err("not noticed");
    assert!(faults.iter().any(|fault| fault.what == What::Zonemd(ZonemdFault::Digest)), "{faults:?}");
}

#[test]
fn digests_that_do_not_hold() {
    let zone = appendix("rfc8976-a1.zone", "example.");
    let digest = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
    let check = |lines: &str, expected: &[ZonemdFault]| {
        let zone = changed(&zone, "example.", "ZONEMD", lines);
        assert_eq!(
            check_zonemd(&zone, name("example.").as_ref(), 2018031900),
            if expected.is_empty() { Ok(0) } else { Err(expected.to_vec()) },
            "{lines}"
        );
    };
    check("", &[]);
    check(&format!("@ ZONEMD 2018031901 1 1 {digest}"), &[ZonemdFault::Serial(2018031901)]);
    check(&format!("@ ZONEMD 2018031900 1 1 {}", digest.replace("c6", "c7")), &[ZonemdFault::Digest]);
    // The scanner of master files lets none of these through; another source may.
    for (len, head) in [(40, [0x78, 0x48, 0xb9, 0x1c, 1, 1]), (4, [0x78, 0x48, 0xb9, 0x1c, 0, 0]), (17, [0x78, 0x48, 0xb9, 0x1c, 241, 241])]
    {
        let mut zone = changed(&zone, "example.", "ZONEMD", "");
        let mut rdata = head.to_vec();
        rdata.resize(len, 7);
        zone.push(name("example.").as_ref(), Rtype::ZONEMD, 86400, &rdata).expect("room");
        zone.sort();
        assert_eq!(check_zonemd(&zone, name("example.").as_ref(), 2018031900), Err(vec![ZonemdFault::Broken]), "{len}");
    }
    // Not known here, so not judged, and not counted.
    check("@ ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee", &[]);
    check("@ ZONEMD 2018031900 241 1 e1846540e33a9e4189792d18d5d131f605fc283e", &[]);
    // Two of a kind hold for nothing, though one is right (§4, step 4).
    let twice = format!("@ ZONEMD 2018031900 1 1 {digest}\n@ ZONEMD 2018031900 1 1 {}", digest.replace("c6", "c7"));
    check(&twice, &[ZonemdFault::Twice, ZonemdFault::Digest]);
}

const ZONE: &str = "\
@ 7200 SOA ns.vn. admin.vn. 7 1800 600 1209600 900
@ NS ns.vn.
@ 60 ZONEMD 3 1 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
@ 60 ZONEMD 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
@ 60 ZONEMD 3 1 1 01112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
@ 60 ZONEMD 3 1 240 00112233445566778899aabb
@ 60 ZONEMD 3 241 1 00112233445566778899aabb
ns A 192.0.2.1
sub ZONEMD 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
*.w MX 10 Mail.VN.
cut NS ns.cut
ns.cut A 192.0.2.2
occluded.cut TXT hidden
";

#[test]
fn the_signer_makes_digests_anew() {
    let apex = name("vn.");
    let zone = scan(ZONE, "vn.");
    let dropped = dropped_zonemd(&zone, apex.as_ref());
    assert_eq!(dropped, [DroppedZonemd { scheme: 1, hash: 240 }, DroppedZonemd { scheme: 241, hash: 1 }]);
    for algorithm in Algorithm::ALL {
        let keys = keys("vn.", algorithm, algorithm == Algorithm::Ed25519, NOW);
        for denial in DENIALS {
            let signed = sign_with(zone.clone(), "vn.", &keys, &denial, NOW);
            let good = verify(&signed, apex.as_ref(), &[], NOW, 1).unwrap_or_else(|faults| panic!("{denial}: {}", faults[0]));
            assert_eq!(good.zonemd, 2, "{denial}");
            let at_apex: Vec<(u32, Vec<u8>)> = signed
                .iter()
                .filter(|record| record.rtype == Rtype::ZONEMD && record.owner == apex.as_ref())
                .map(|record| (record.ttl, record.rdata[..6].to_vec()))
                .collect();
            // The TTL is the SOA's (§3.1), the serial too.
            assert_eq!(at_apex, [(7200, vec![0, 0, 0, 7, 1, 1]), (7200, vec![0, 0, 0, 7, 1, 2])], "{denial}");
            assert_eq!(signed.iter().filter(|record| record.rtype == Rtype::ZONEMD).count(), 3, "the one below the apex stays");
            // Signed again at another time, the digest follows.
            let later = UnixTime(NOW.0 + 5);
            let again = sign_with(signed, "vn.", &keys, &denial, later);
            assert_eq!(verify(&again, apex.as_ref(), &[], later, 1).map(|good| good.zonemd), Ok(2), "{denial}");
            let stale = changed(&again, "vn.", "occluded.cut.vn.", "");
            let faults = verify(&stale, apex.as_ref(), &[], later, 1).expect_err("not noticed");
            assert!(faults.iter().all(|fault| fault.what == What::Zonemd(ZonemdFault::Digest)) && faults.len() == 2, "{faults:?}");
        }
    }
    let plain = changed(&zone, "vn.", " ZONEMD 3 ", "");
    let signed = sign_with(plain, "vn.", &keys("vn.", Algorithm::Ed25519, false, NOW), &DENIALS[0], NOW);
    assert!(signed.iter().all(|record| record.rtype != Rtype::ZONEMD), "nobody asked for a digest");
}
