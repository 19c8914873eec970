//! A zone that was changed again and again answers like one that was built anew, and like the image of one.

mod delegations;

use std::sync::Arc;

use delegations::{Chain, Delegation, Model, change, name, records};

use saola::answer::{Face, Meta, Outcome, Transport, respond};
use saola::dns::{Records, Rtype, UnixTime};
use saola::zone::{Diff, Image, Zone, ZoneSet};

fn ask(zones: &ZoneSet, owner: &str, rtype: Rtype) -> Vec<String> {
    let mut request = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    request.extend_from_slice(name(owner).as_ref().as_wire());
    request.extend_from_slice(&rtype.0.to_be_bytes());
    request.extend_from_slice(&[0, 1, 0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    let mut buffer = vec![0; 65535];
    let meta = Meta { transport: Transport::Tcp, client: "192.0.2.9".parse().expect("address") };
    let Outcome::Reply { len, .. } = respond(zones, &Face::default(), UnixTime(0), &meta, &request, &mut buffer) else {
        panic!("no reply")
    };
    let message = hickory_proto::op::Message::from_vec(&buffer[..len]).unwrap_or_else(|error| panic!("{owner} {rtype}: {error}"));
    let mut lines = vec![format!("{:?} aa {}", message.metadata.response_code, message.metadata.authoritative)];
    for (section, records) in [("an", &message.answers), ("au", &message.authorities), ("ad", &message.additionals)] {
        let mut of_section: Vec<String> = records.iter().map(|r| format!("{section} {r}").to_lowercase()).collect();
        of_section.sort();
        lines.extend(of_section);
    }
    lines
}

fn list(records: &Records) -> Vec<String> {
    records.iter().map(|r| format!("{} {} {} {:?}", r.owner, r.ttl, r.rtype, r.rdata)).collect()
}

/// The zone, written as an image and read back: it answers and is changed like the one it was.
fn imaged(zone: &Zone) -> Zone {
    let mut image = Vec::new();
    zone.write_image(b"", &mut image).expect("memory takes it");
    let read_at = |out: &mut [u8], at: u64| {
        out.copy_from_slice(&image[at as usize..][..out.len()]);
        Ok(())
    };
    let image = Image::open(zone.apex(), image.len() as u64, &read_at).expect("whole");
    image.zone().expect("whole")
}

/// Empty non-terminals that came with an earlier change stay with the next, and one that went does not ask for building anew.
#[test]
fn empty_non_terminals_outlive_further_changes() {
    for kind in [Chain::OptOut, Chain::Nsec] {
        empty_non_terminals_outlive(kind);
    }
}

fn empty_non_terminals_outlive(kind: Chain) {
    let mut model = Model::new();
    let delegation = |server: &str| Delegation { servers: [server.into()].into(), ..Delegation::default() };
    model.insert("l.gov.vn".into(), delegation("ns.out.example"));
    let mut zone = Zone::build(name("vn").as_ref(), records(&model, 1, kind)).expect("a zone");
    for (serial, owner) in
        [(2, "a.b.new.vn"), (3, "other.vn"), (4, "-l.gov.vn"), (5, "third.vn"), (6, "a.b.c.gov.vn"), (7, "-a.b.new.vn"), (8, "x.vn")]
    {
        match owner.strip_prefix('-') {
            Some(owner) => _ = model.remove(owner),
            None => _ = model.insert(owner.into(), delegation("ns.out.example")),
        }
        let new = records(&model, serial, kind);
        zone = zone.apply(&Diff::between(&zone.records(), &new)).expect("the diff fits");
        assert!(zone.is_overlaid(), "serial {serial}");
        assert_eq!(list(&zone.records()), list(&new), "serial {serial}");
        let set = |zone: Zone| {
            let mut set = ZoneSet::new();
            set.insert(Arc::new(zone));
            set
        };
        let fresh = set(Zone::build(name("vn").as_ref(), new).expect("a zone"));
        let changed = set(zone.clone());
        for asked in ["a.b.new.vn", "b.new.vn", "new.vn", "z.new.vn", "gov.vn", "l.gov.vn", "b.c.gov.vn", "c.gov.vn", "other.vn", "x.vn"] {
            assert_eq!(ask(&changed, asked, Rtype::A), ask(&fresh, asked, Rtype::A), "serial {serial}: {asked}");
        }
    }
}

#[test]
fn changed_zones_answer_like_new_ones() {
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut overlaid, mut steps) = (0, 0);
    for round in 0..std::env::var("SAOLA_ROUNDS").map_or(16, |rounds| rounds.parse().expect("a number")) {
        let kind = [Chain::OptOut, Chain::Nsec, Chain::Nsec3, Chain::None][round % 4];
        // With opt-out such changes leave the chain alone.
        let is_calm = round % 8 > 3;
        let mut stood = 0;
        let mut model = Model::new();
        for _ in 0..20 {
            change(&mut model, &mut rng);
        }
        let mut zone = imaged(&Zone::build(name("vn").as_ref(), records(&model, 1, kind)).expect("a zone"));
        for serial in 2..40 {
            for _ in 0..rng.usize(1..4) {
                change(&mut model, &mut rng);
            }
            if is_calm {
                model.retain(|_, delegation| !delegation.servers.is_empty());
                model.values_mut().for_each(|delegation| delegation.secure = false);
            }
            let new = records(&model, serial, kind);
            let diff = Diff::between(&zone.records(), &new);
            zone = zone.apply(&diff).expect("the diff fits");
            assert!(zone.apply(&diff).is_err(), "a diff fits once");
            steps += 1;
            stood += usize::from(zone.is_overlaid());
            assert_eq!(list(&zone.records()), list(&new), "round {round} serial {serial}");
            let set = |zone: Zone| {
                let mut set = ZoneSet::new();
                set.insert(Arc::new(zone));
                set
            };
            let fresh = Zone::build(name("vn").as_ref(), new).expect("a zone");
            let [are, should_be] = [&zone, &fresh].map(|zone| {
                let counts = zone.counts();
                (counts.records, counts.signatures, counts.cuts, counts.secure_cuts)
            });
            assert_eq!(are, should_be, "round {round} serial {serial}");
            let fresh = set(imaged(&fresh));
            let changed = set(zone.clone());
            for parent in ["", ".com", ".deep.com", ".gov", ".a.b", ".wild", ".nosuch", ".dns"] {
                for label in ["k", "l", "m", "n", "o", "p", "www.k", "ns0.k", "ns1.l", "m.k", "m.l.com", "zz", "*"] {
                    let owner = format!("{label}{parent}.vn");
                    for rtype in [Rtype::A, Rtype::DS, Rtype::NS] {
                        assert_eq!(
                            ask(&changed, &owner, rtype),
                            ask(&fresh, &owner, rtype),
                            "{kind:?} round {round} serial {serial}: {owner} {rtype}"
                        );
                    }
                }
            }
            for owner in ["vn", "com.vn", "deep.com.vn", "b.vn", "a.b.vn", "gov.vn"] {
                for rtype in [Rtype::SOA, Rtype::NS, Rtype::A, Rtype::DS, Rtype::ANY] {
                    assert_eq!(
                        ask(&changed, owner, rtype),
                        ask(&fresh, owner, rtype),
                        "{kind:?} round {round} serial {serial}: {owner} {rtype}"
                    );
                }
            }
        }
        println!("round {round}, {kind:?}: {stood} of 38 steps stood in an overlay");
        overlaid += stood;
    }
    println!("{overlaid} of {steps} steps stood in an overlay");
    assert!(overlaid * 2 > steps, "most changes of delegations need no rebuilding: {overlaid} of {steps}");
}
