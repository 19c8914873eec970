//! What other servers send, and clients that change zones.

use std::net::SocketAddr;
use std::sync::Arc;

use saola::dns::{Name, Rtype, UnixTime};
use saola::transfer::notify::{Announced, Moment, Notifier, Secondary, State};
use saola::transfer::tsig::{Algorithm, Key};
use saola::transfer::update::{Rules, Update, update};
use saola::zone::Zone;

/// Two secondaries, with a key and without one, wait for answers with known ids, to NOTIFY or to queries for the SOA.
fn waiting(is_query: bool) -> (Notifier, Moment) {
    let ids = [1, 2].map(|n| n << 8 | u64::from(is_query));
    let mut n = 0;
    // Of what is drawn, the low octets are ids.
    let mut notifier = Notifier::new(Box::new(move || {
        n += 1;
        ids[n % 2]
    }));
    let name = Name::parse("key.").expect("a name");
    let key = Key::new(name.as_ref(), Algorithm::HmacSha256, &[7; 32]);
    let secondaries: Arc<[Secondary]> =
        [(1, None), (2, Some(key))].map(|(i, key)| Secondary { address: address(i), key }).into_iter().collect();
    let zone = super::zones()[0].iter().next().and_then(|(_, zone)| zone).expect("a zone");
    let now = Moment { ms: 1, unix: UnixTime(1_800_000_000) };
    notifier.serve(vec![Announced::new(zone, secondaries)], now);
    let mut buffer = Vec::new();
    while notifier.next_datagram(now, &mut buffer).is_some() {}
    if !is_query {
        return (notifier, now);
    }
    // Long after nobody has answered.
    let mut now = now;
    for ms in [200_000, 600_000] {
        now = Moment { ms, ..now };
        while notifier.next_datagram(now, &mut buffer).is_some() {}
    }
    (notifier, now)
}

fn address(i: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, i], 53))
}

/// A datagram comes from each secondary, whatever each was asked. Who has a key is believed nothing, since nobody has signed it.
pub fn answer(octets: &[u8]) {
    for is_query in [false, true] {
        let (mut notifier, now) = answered(is_query, octets);
        let status = notifier.status(None);
        let (plain, keyed) = (&status[0], &status[1]);
        assert!(!is_query || plain.acknowledged.is_none(), "an answer to a query acknowledges nothing");
        assert_eq!((keyed.acknowledged, keyed.seen), (None, None));
        let mut buffer = Vec::new();
        let mut n = 0;
        while notifier.next_datagram(Moment { ms: now.ms + 1_000_000, ..now }, &mut buffer).is_some() {
            n += 1;
        }
        assert!(n <= 2, "{n} datagrams to two secondaries");
        notifier.events(now);
    }
}

fn answered(is_query: bool, octets: &[u8]) -> (Notifier, Moment) {
    let (mut notifier, now) = waiting(is_query);
    for i in [1, 2] {
        // Whichever id it was asked with.
        for id in [1, 2].map(|n| n << 8 | u16::from(is_query)) {
            let mut octets = octets.to_vec();
            octets.iter_mut().zip(id.to_be_bytes()).for_each(|(octet, id)| *octet = id);
            notifier.receive(address(i), &octets, now);
        }
    }
    (notifier, now)
}

/// How the secondary without a key stands with the zone after this answer to a query or a NOTIFY.
pub fn state_after(is_query: bool, octets: &[u8]) -> State {
    answered(is_query, octets).0.status(None)[0].state
}

/// Good answers to both, and refusals.
pub fn answer_seeds() -> Vec<Vec<u8>> {
    let question = b"\x02vn\0\0\x06\0\x01";
    let soa = b"\xc0\x0c\0\x06\0\x01\0\0\x03\x84\0\x1c\x01a\xc0\x0c\x01b\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
    let head = |flags: [u8; 2], n: u8| [&[0, 0, flags[0], flags[1], 0, 1, 0, n, 0, 0, 0, 0], &question[..]].concat();
    vec![head([0xa4, 0], 0), head([0xa4, 9], 0), [head([0x84, 0], 1), soa.to_vec()].concat(), head([0x84, 5], 0), head([0x24, 0], 0)]
}

/// An UPDATE is read and carried out in each kind of zone: what comes out is a change of content that makes a zone, or a response code.
pub fn change(octets: &[u8]) {
    let Ok(parsed) = Update::parse(octets) else { return };
    for (i, set) in super::zones().iter().enumerate() {
        let zone = set.iter().next().and_then(|(_, zone)| zone).expect("a zone");
        let rules = Rules { is_signed_here: i > 0, ..Rules::default() };
        match update(zone, &parsed, &rules) {
            Err(refused) => assert!([1, 3, 5, 6, 7, 8, 9, 10].contains(&refused.rcode()), "{refused}"),
            Ok(diff) => {
                let is_made_here = |rtype: Rtype| matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::DNSKEY);
                assert!(i == 0 || !diff.removed.rtypes().chain(diff.added.rtypes()).any(is_made_here));
                let after = diff.apply_to(&zone.records()).expect("it fits the zone it was made for");
                if i == 0 {
                    let after = Zone::build(zone.apex(), after).expect("still a zone");
                    assert!(after.serial() == zone.serial() || after.serial().is_newer_than(zone.serial()));
                }
            }
        }
    }
}

/// True if the message changes the unsigned zone.
pub fn changes(octets: &[u8]) -> bool {
    let zone = super::zones()[0].iter().next().and_then(|(_, zone)| zone).expect("a zone");
    let diff = Update::parse(octets).and_then(|parsed| update(zone, &parsed, &Rules::default()));
    diff.is_ok_and(|diff| !diff.is_empty())
}

/// Good messages: each kind of prerequisite and of change.
pub fn change_seeds() -> Vec<Vec<u8>> {
    let record = |name: &str, rtype: u16, class: u16, ttl: u32, rdata: &[u8]| {
        let name = Name::parse(name).expect("a name");
        let fixed = [rtype, class].map(u16::to_be_bytes).concat();
        let len = (rdata.len() as u16).to_be_bytes();
        [name.as_ref().as_wire(), &fixed, &ttl.to_be_bytes(), &len, rdata].concat()
    };
    let message = |prerequisites: &[Vec<u8>], updates: &[Vec<u8>]| {
        let head = [0, 7, 5 << 3, 0, 0, 1, 0, prerequisites.len() as u8, 0, updates.len() as u8, 0, 0];
        [&head[..], b"\x02vn\0\0\x06\0\x01", &prerequisites.concat(), &updates.concat()].concat()
    };
    let soa = b"\x01a\x02vn\0\x01b\x02vn\0\0\0\0\x09\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
    vec![
        message(&[record("c1.vn", 255, 255, 0, b""), record("new.vn", 255, 254, 0, b"")], &[record("new.vn", 1, 1, 60, &[192, 0, 2, 1])]),
        message(&[record("mail.vn", 15, 255, 0, b""), record("mail.vn", 1, 254, 0, b"")], &[record("mail.vn", 15, 255, 0, b"")]),
        message(&[record("a.dns.vn", 1, 1, 0, &[192, 0, 2, 1])], &[record("mail.vn", 255, 255, 0, b"")]),
        message(&[], &[record("vn", 255, 255, 0, b""), record("vn", 2, 254, 0, b"\x01a\x03dns\x02vn\0"), record("vn", 6, 1, 60, soa)]),
        message(
            &[],
            &[record("c1.vn", 5, 1, 60, b"\x01x\xc0\x0c"), record("d.vn", 39, 1, 60, b"\x01x\x02vn\0"), record("x.vn", 16, 1, 1, b"\x01x")],
        ),
        message(
            &[],
            &[
                record("com.vn", 2, 1, 60, b"\x02ns\xc0\x0c"),
                record("*.vn", 65_280, 1, 60, b"x"),
                record("svc.vn", 64, 254, 0, b"\0\0\x01a\0"),
            ],
        ),
    ]
}
