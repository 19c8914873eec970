//! What goes out by AXFR is the zone: every record once, between its SOA and its SOA, in messages that stand alone (RFC 5936 §2.2). What goes
//! out by IXFR leads from one version to the other, change by change or at once (RFC 1995 §4).

mod delegations;

use std::path::Path;
use std::sync::Arc;

use delegations::{Chain, Model, change, name};
use saola::dns::message::{self, RawRecord};
use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, Serial, UnixTime, master};
use saola::journal::{Diffs, Journal, Log};
use saola::sign::{self, Denial, Key, Policy, ZoneKeys};
use saola::transfer::out::{Asked, Broken, Outgoing, Sent};
use saola::transfer::tsig::{self, Algorithm, Judged, Keys};
use saola::zone::{Diff, Zone};

const NOW: UnixTime = UnixTime(1_795_305_600);

/// The zones of `tests/zones/`.
const ZONES: [(&str, &str); 9] = [
    ("apex.zone", "apex.example."),
    ("com.vn.zone", "com.vn."),
    ("everything.zone", "everything.example."),
    ("rfc4592.zone", "example."),
    ("rfc5155.zone", "example."),
    ("root.zone", "."),
    ("sign.zone", "example.vn."),
    ("vn.zone", "vn."),
    ("wildapex.zone", "wild.example."),
];

fn read(file: &str, apex: &Name) -> Records {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones").join(file);
    master::read_file(&path, apex.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

fn asked(name: &Name) -> Asked<'_> {
    Asked { id: 0xbeef, recursion_desired: false, name: name.as_ref(), rtype: Rtype::AXFR, opt: &[] }
}

/// All messages, written to a buffer of this size, and what was counted.
fn messages(mut outgoing: Outgoing, buffer: usize) -> Result<(Vec<Vec<u8>>, Sent), Broken> {
    // What stands in it from before must not be sent.
    let mut buffer = vec![0xaa; buffer];
    let mut messages = Vec::new();
    while let Some(len) = outgoing.next(NOW, &mut buffer) {
        messages.push(buffer[..len?].to_vec());
        buffer.fill(0xaa);
    }
    assert!(outgoing.next(NOW, &mut buffer).is_none(), "the end stays");
    Ok((messages, outgoing.sent()))
}

/// The records of an answer, in their order; every message is looked at alone, here and by another implementation.
#[track_caller]
fn records_of(messages: &[Vec<u8>], apex: &Name, sent: Sent) -> Records {
    let mut records = Records::new();
    for octets in messages {
        assert_eq!(octets[..6], [0xbe, 0xef, 0x84, 0, 0, 1], "id, QR, AA, NOERROR, one question");
        assert_eq!((message::count(octets, 2), message::count(octets, 1) > 0), (0, true));
        assert!(octets[12..].starts_with(apex.as_ref().as_wire()), "the question as it was asked");
        let mut at = message::records_at(octets).expect("a question");
        let mut is_odd = false;
        for _ in 0..message::count(octets, 1) {
            let record = RawRecord::read(octets, at).expect("whole");
            let mut rdata = Vec::new();
            record.append_rdata(&mut rdata).expect("good");
            is_odd |= rdata.is_empty() || record.rtype == Rtype(24);
            records.push(record.owner().expect("a name").as_ref(), record.rtype, record.ttl, &rdata).expect("room");
            at = record.end;
        }
        // hickory-proto takes a record without data for one of an UPDATE, and SIG for SIG(0).
        if !is_odd {
            let decoded = hickory_proto::op::Message::from_vec(octets).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(decoded.answers.len(), usize::from(message::count(octets, 1)));
        }
        if octets.len() > 16_500 {
            assert_eq!(message::count(octets, 1), 1, "only what needs it has a long message");
        }
    }
    let octets = messages.iter().map(|message| message.len() as u64).sum();
    assert_eq!(sent, Sent { messages: messages.len() as u64, records: records.len() as u64, octets });
    records
}

/// Lines of records, owners in lower case, in canonical order.
fn lines(mut records: Records) -> Vec<String> {
    let n = records.len();
    records.sort();
    assert_eq!(records.len(), n, "each record once");
    records.iter().map(|r| format!("{} {} {} {:?}", r.owner, r.ttl, r.rtype, r.rdata).to_lowercase()).collect()
}

/// The zone comes out as it is, whatever the buffer has room for.
#[track_caller]
fn check(zone: &Zone, what: &str) {
    let zone = Arc::new(zone.clone());
    let expected = lines(zone.records());
    let apex = Name::parse(&zone.apex().to_string().to_uppercase()).expect("a name");
    for buffer in [65_535, 2_000] {
        let (messages, sent) = messages(Outgoing::zone(Arc::clone(&zone), &asked(&apex), None), buffer).expect("room");
        let mut records = records_of(&messages, &apex, sent);
        let (first, last) = (records.part(0..1).next().expect("one"), records.iter().last().expect("one"));
        assert_eq!((first.rtype, first.rdata), (Rtype::SOA, last.rdata), "{what}");
        assert_eq!(last.rtype, Rtype::SOA, "{what}");
        let owners: Vec<_> = records.iter().take_while(|r| r.rtype != Rtype::NSEC3).map(|r| r.owner.to_owned()).collect();
        let is_signature_of_chain = |r: &Name| r.as_ref().labels().next().is_some_and(|label| label.len() == 32);
        for two in owners[..owners.len() - 1].windows(2).filter(|two| !two.iter().any(is_signature_of_chain)) {
            let is_last = two[1].as_ref() == zone.apex();
            assert!(is_last || two[0].as_ref().canonical_cmp(two[1].as_ref()).is_le(), "{what}: {} {}", two[0], two[1]);
        }
        let mut n_soa = 0;
        records.retain(|r| {
            n_soa += usize::from(r.rtype == Rtype::SOA);
            r.rtype != Rtype::SOA || n_soa == 1
        });
        assert_eq!(n_soa, 2, "{what}");
        assert_eq!(lines(records), expected, "{what}, {buffer} octets");
    }
}

#[test]
fn zones_come_out_as_they_are() {
    for (file, apex) in ZONES {
        let apex = name(apex);
        let records = read(file, &apex);
        check(&Zone::build(apex.as_ref(), records.clone()).expect("a zone"), file);
        for denial in [Denial::Nsec, Denial::NSEC3, Denial::NSEC3_OPT_OUT] {
            let what = format!("{file} {denial:?}");
            let policy = Policy { denial, ..Policy::default() };
            let keys = [257, 256].map(|flags| Key::generate(apex.as_ref(), policy.algorithm, flags, None).expect("a key"));
            let keys = ZoneKeys::new(keys.into(), false, NOW).expect("keys");
            let mut unsigned = records.clone();
            unsigned.retain(|r| !matches!(r.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM | Rtype::DNSKEY));
            let signed = sign::sign(unsigned, apex.as_ref(), &keys, &policy, NOW, 1).unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&Zone::build(apex.as_ref(), signed).expect("a zone"), &what);
        }
    }
}

/// What stands beside the base is given once, what it replaces is not.
#[test]
fn changed_zones_come_out_as_they_are() {
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut overlaid = 0;
    for round in 0..8 {
        let kind = [Chain::None, Chain::OptOut, Chain::Nsec3, Chain::Nsec][round % 4];
        let mut model = Model::new();
        for _ in 0..20 {
            change(&mut model, &mut rng);
        }
        let records = |model: &Model, serial| delegations::records(model, serial, kind);
        let mut zone = Zone::build(name("vn").as_ref(), records(&model, 1)).expect("a zone");
        for serial in 2..20 {
            for _ in 0..rng.usize(1..4) {
                change(&mut model, &mut rng);
            }
            let new = records(&model, serial);
            zone = zone.apply(&Diff::between(&zone.records(), &new)).expect("the diff fits");
            overlaid += usize::from(zone.is_overlaid());
            let what = format!("round {round} serial {serial}");
            assert_eq!(lines(zone.records()), lines(new), "{what}");
            check(&zone, &what);
        }
    }
    assert!(overlaid > 60, "{overlaid}");
}

/// The changes in an IXFR, each of them read back strictly: old SOA, what goes, new SOA, what comes.
#[track_caller]
fn changes_of(records: &Records) -> Vec<Diff> {
    let all: Vec<_> = records.iter().collect();
    let (first, last) = (all[0], all[all.len() - 1]);
    assert_eq!((first.rtype, first.rdata), (Rtype::SOA, last.rdata));
    let mut diffs: Vec<Diff> = Vec::new();
    let mut n_soa = 0;
    for record in &all[1..all.len() - 1] {
        n_soa += usize::from(record.rtype == Rtype::SOA);
        if record.rtype == Rtype::SOA && n_soa % 2 == 1 {
            diffs.push(Diff::default());
        }
        let diff = diffs.last_mut().expect("a SOA begins");
        let side = if n_soa % 2 == 1 { &mut diff.removed } else { &mut diff.added };
        side.push(record.owner, record.rtype, record.ttl, record.rdata).expect("room");
    }
    assert_eq!(n_soa % 2, 0, "each change has both SOA records");
    for diff in &mut diffs {
        diff.removed.sort();
        diff.added.sort();
    }
    diffs
}

/// The messages of an IXFR from this version; `None` where the whole zone is shorter, or the log does not know it.
fn changes_from(zone: &Arc<Zone>, log: &Log, from: u32, apex: &Name) -> Option<Records> {
    let asked = Asked { rtype: Rtype::IXFR, ..asked(apex) };
    let outgoing = Outgoing::changes(zone, log, Serial(from), &asked, &mut None).expect("readable")?;
    let (messages, sent) = messages(outgoing, 65_535).expect("room");
    Some(records_of(&messages, apex, sent))
}

#[test]
fn changes_lead_from_any_version_to_the_newest() {
    let seed = 20_261_123;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("free");
    let apex = name("vn");
    for kind in [Chain::None, Chain::OptOut, Chain::Nsec] {
        let mut model = Model::new();
        let mut zones = vec![Arc::new(Zone::build(apex.as_ref(), delegations::records(&model, 1, kind)).expect("a zone"))];
        let mut log = Diffs::start(journal.diffs(apex.as_ref()), apex.as_ref(), Serial(1)).expect("a log");
        for serial in 2..40 {
            for _ in 0..rng.usize(1..6) {
                change(&mut model, &mut rng);
            }
            let before = zones.last().expect("one");
            let diff = Diff::between(&before.records(), &delegations::records(&model, serial, kind));
            log.append(&diff, NOW).expect("appended");
            zones.push(Arc::new(before.apply(&diff).expect("fits")));
        }
        let newest = zones.last().expect("one");
        let all = log.log();
        let (mut n_joined, mut n_steps) = (0, 0);
        for (from, zone) in (1..).zip(&zones[..zones.len() - 1]) {
            let records = changes_from(newest, &all, from, &apex).expect("known");
            let diffs = changes_of(&records);
            let steps = all.range(Serial(from)).expect("known").map(|step| step.expect("whole").diff);
            let n: usize = steps.map(|diff| diff.removed.len() + diff.added.len()).sum();
            assert!(records.len() <= n + 2, "never longer than step by step");
            (n_joined, n_steps) = (n_joined + usize::from(diffs.len() == 1), n_steps + usize::from(diffs.len() > 1));
            let mut old = zone.records();
            for diff in &diffs {
                old = diff.apply_to(&old).unwrap_or_else(|error| panic!("from {from}: {error}"));
            }
            assert_eq!(lines(old), lines(newest.records()), "from {from}");
        }
        assert!(n_joined > 10, "{n_joined} joined, {n_steps} step by step");
        // Neither a version that was never there, nor a log that is not at the zone's version.
        assert!(changes_from(newest, &all, 77, &apex).is_none());
        assert!(changes_from(&zones[5], &all, 2, &apex).is_none());
    }
}

/// What is too much to be joined is read as it goes, change by change; what is more than the zone is not sent at all.
#[test]
fn large_changes_are_read_as_they_go() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("free");
    let apex = name("vn");
    // Some 60 octets of names and RDATA a record, in the log; the zone is as large as two versions of what changes.
    let version = |serial: u32| {
        let mut zone = zone_with(&apex, |records| {
            for i in 0..40_000u32 {
                let changed = if i < 6_000 { serial } else { 0 };
                let owner = name(&format!("name-{i:08}-of-thirty-two-octets.vn"));
                records.push(owner.as_ref(), Rtype::TXT, 60, &[&[8][..], &i.to_be_bytes(), &changed.to_be_bytes()].concat()).expect("room");
            }
        })
        .records();
        zone.retain(|record| record.rtype != Rtype::SOA);
        let soa = Soa { mname: name("ns.example"), rname: name("h.example"), serial, refresh: 1, retry: 1, expire: 1, minimum: 60 };
        zone.push(apex.as_ref(), Rtype::SOA, 60, &soa.to_rdata()).expect("room");
        zone.sort();
        zone
    };
    let versions: Vec<Records> = (1..8).map(version).collect();
    let mut log = Diffs::start(journal.diffs(apex.as_ref()), apex.as_ref(), Serial(1)).expect("a log");
    for two in versions.windows(2) {
        log.append(&Diff::between(&two[0], &two[1]), NOW).expect("appended");
    }
    let newest = Arc::new(Zone::build(apex.as_ref(), versions[6].clone()).expect("a zone"));
    let log = log.log();
    assert!(changes_from(&newest, &log, 1, &apex).is_none(), "the zone is {} octets", newest.size());
    let diffs = changes_of(&changes_from(&newest, &log, 5, &apex).expect("known"));
    assert_eq!(diffs.len(), 2);
    let old = diffs.iter().fold(versions[4].clone(), |old, diff| diff.apply_to(&old).expect("fits"));
    assert_eq!(lines(old), lines(versions[6].clone()));
}

/// A zone with an apex, and records added to it.
fn zone_with(apex: &Name, add: impl FnOnce(&mut Records)) -> Zone {
    let mut records = Records::new();
    let (mname, rname) = (name("ns.example"), name("h.example"));
    let soa = Soa { mname, rname, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
    records.push(apex.as_ref(), Rtype::SOA, 60, &soa.to_rdata()).expect("room");
    records.push(apex.as_ref(), Rtype::NS, 60, name("ns.example").as_ref().as_wire()).expect("room");
    add(&mut records);
    Zone::build(apex.as_ref(), records).expect("a zone")
}

#[test]
fn what_is_large_comes_in_parts() {
    let apex = name("vn");
    let owner = name("big.com.vn");
    let set = |n: u32, len: usize| (0..n).map(move |i| [&i.to_be_bytes()[..], &vec![7; len - 4]].concat());
    let add = |records: &mut Records, owner: &str, rtype, rdata: &[u8]| records.push(name(owner).as_ref(), rtype, 60, rdata).expect("room");
    for (what, rtype, n, len) in [
        ("nearly 64 KiB of addresses", Rtype::A, 4000, 4),
        ("records of 1 KiB", Rtype(65_280), 60, 1024),
        ("three of 20 KiB", Rtype(65_280), 3, 20_000),
        ("one of 63 KiB", Rtype(65_280), 1, 64_512),
    ] {
        let zone = zone_with(&apex, |records| {
            add(records, "a.vn", Rtype::A, &[192, 0, 2, 1]);
            set(n, len).for_each(|rdata| records.push(owner.as_ref(), rtype, 60, &rdata).expect("room"));
            add(records, "z.vn", Rtype::A, &[192, 0, 2, 1]);
        });
        let (messages, sent) = messages(Outgoing::zone(Arc::new(zone), &asked(&apex), None), 65_535).expect("room");
        let records = records_of(&messages, &apex, sent);
        assert_eq!(records.len(), 5 + n as usize, "{what}");
    }
    // Names in RDATA that are compressed in sets as a whole; a record that needs a long message behind those that do not.
    check_large(&zone_with(&apex, |records| {
        for i in 0..2500 {
            let exchange = name(&format!("host{i}.big.com.vn"));
            let rdata = [&[0, 1], exchange.as_ref().as_wire()].concat();
            records.push(owner.as_ref(), Rtype::MX, 60, &rdata).expect("room");
        }
        for i in 0..200u16 {
            records.push(owner.as_ref(), Rtype(65_000 + i), 60, &vec![i as u8; 700]).expect("room");
        }
        records.push(owner.as_ref(), Rtype(65_300), 60, &vec![1; 30_000]).expect("room");
        records.push(owner.as_ref(), Rtype(65_301), 60, &[1]).expect("room");
    }));
}

#[track_caller]
fn check_large(zone: &Zone) {
    let apex = zone.apex().to_owned();
    let (messages, sent) = messages(Outgoing::zone(Arc::new(zone.clone()), &asked(&apex), None), 65_535).expect("room");
    let mut records = records_of(&messages, &apex, sent);
    let n = records.len();
    records.sort();
    // The SOA is there twice.
    assert_eq!(records.len(), n - 1);
    assert_eq!(lines(records), lines(zone.records()));
}

#[test]
fn what_no_message_carries_ends_the_transfer() {
    let apex = name("vn");
    let zone = |len: usize| {
        let owner = name("a.vn");
        let zone = zone_with(&apex, |records| records.push(owner.as_ref(), Rtype(65_280), 60, &vec![1; len]).expect("room"));
        Outgoing::zone(Arc::new(zone), &asked(&apex), None)
    };
    // Header, question, owner and what stands in front of RDATA take 12 + 8 + 4 + 10 octets.
    let most = 65_535 - 34;
    assert!(messages(zone(most), 65_535).is_ok());
    assert!(matches!(messages(zone(most + 1), 65_535), Err(Broken::NoRoom)));
    for buffer in [0, 11, 12, 20, 50] {
        assert!(matches!(messages(zone(1), buffer), Err(Broken::NoRoom)), "{buffer}");
    }
}

/// The longest names, the longest apex among them: nothing is longer than pointers and buffers think.
#[test]
fn the_longest_names_have_room() {
    let label = "l".repeat(63);
    let longest = name(&format!("{label}.{label}.{label}.{}", "m".repeat(61)));
    assert_eq!(longest.as_ref().as_wire().len(), 255);
    check_large(&zone_with(&longest, |records| {
        (0..300).for_each(|i| records.push(longest.as_ref(), Rtype(65_000 + i), 60, &[7; 200]).expect("room"));
    }));
    let apex = name("vn");
    check_large(&zone_with(&apex, |records| {
        for i in 0..200 {
            let deep = name(&format!("{label}.{label}.{label}.{i:058}.vn"));
            assert_eq!(deep.as_ref().as_wire().len(), 255);
            records.push(deep.as_ref(), Rtype::NS, 60, deep.as_ref().as_wire()).expect("room");
        }
        let many = name(&format!("{}vn", "a.".repeat(125)));
        records.push(many.as_ref(), Rtype::A, 60, &[192, 0, 2, 1]).expect("room");
    }));
}

/// RFC 8945 §5.3.1: every message is signed, and the sequence proves itself as a whole; an OPT stands in front of the TSIG, once.
#[test]
fn every_message_is_signed() {
    let apex = name("example.");
    let mut records = read("rfc4592.zone", &apex);
    (0..3000u32).for_each(|i| records.push(name("x.example.").as_ref(), Rtype::A, 60, &i.to_be_bytes()).expect("room"));
    let zone = Arc::new(Zone::build(apex.as_ref(), records).expect("a zone"));
    let key = tsig::Key::new(name("xfr.example.").as_ref(), Algorithm::HmacSha512, b"secret");
    let keys: Keys = [key.clone()].into_iter().collect();
    let mut request = [&[0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], apex.as_ref().as_wire(), &[0, 252, 0, 1]].concat();
    let mut verifier = key.sign_request(&mut request, NOW);
    let Judged::Good(signer) = keys.judge(&request, NOW) else { panic!("good") };
    drop(keys);
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let asked = Asked { recursion_desired: true, opt: &opt, ..asked(&apex) };
    let (messages, sent) = messages(Outgoing::zone(Arc::clone(&zone), &asked, Some(signer)), 20_000).expect("room");
    assert!(messages.len() > 3);
    let mut n = 0;
    for (i, message) in messages.iter().enumerate() {
        assert_eq!(verifier.take(message, NOW), Ok(()), "message {i}");
        assert!(verifier.is_proved());
        assert_eq!(message::count(message, 3), if i == 0 { 2 } else { 1 });
        assert_eq!(message[2], 0x85);
        n += u64::from(message::count(message, 1));
    }
    assert_eq!((n, n), (sent.records, zone.records().len() as u64 + 1));
    let hickory = hickory_proto::op::Message::from_vec(&messages[0]).expect("decodes");
    assert!(hickory.edns.is_some());
}
