//! What other servers send: zones on their way in, and notices of changes.

use saola::answer::{Opcode, Prepared};
use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, Serial};
use saola::transfer::inward::{Ask, Incoming, Limits, Notice, Received, SoaAnswer, Wanted, ask, ask_soa};
use saola::transfer::tsig::{Algorithm, Key};

use super::NOW;

/// The version that we have, and the id of the question.
const HAVE: u32 = 3;
const ID: u16 = 7;

fn vn() -> Name {
    Name::parse("vn.").expect("a name")
}

fn soa(serial: u32) -> Soa {
    Soa { mname: vn(), rname: vn(), serial, refresh: 1, retry: 1, expire: 1, minimum: 1 }
}

/// Messages, each behind its length, as the answer to each question there is; what is taken is what it claims to be.
pub fn inward(octets: &[u8]) {
    let apex = vn();
    let asked = Ask { apex: apex.as_ref(), id: ID, edns: true };
    let (have, limits) = (soa(HAVE), Limits { octets: 1 << 20, records: 1000, messages: 20 });
    let key = Key::new(apex.as_ref(), Algorithm::HmacSha256, &[7; 32]);
    let answer: Vec<&[u8]> = frames(octets).collect();
    for wanted in [Wanted::Changes(&have), Wanted::Whole] {
        if let Some(received) = take(ask(&asked, wanted, limits, None, NOW).1, &answer) {
            check(&received, matches!(wanted, Wanted::Changes(_)));
        }
        assert!(take(ask(&asked, wanted, limits, Some(&key), NOW).1, &answer).is_none(), "nobody here has signed it");
    }
    let one = |answer: SoaAnswer<'_>, message: &[u8]| answer.take(message, NOW);
    if let Some(message) = answer.first() {
        if let Ok((soa, _)) = one(ask_soa(&asked, None, NOW).1, message) {
            assert_eq!(Soa::read(&soa.to_rdata()), Some(soa));
        }
        assert!(one(ask_soa(&asked, Some(&key), NOW).1, message).is_err());
    }
}

fn take(mut incoming: Incoming<'_>, messages: &[&[u8]]) -> Option<Received> {
    messages.iter().find_map(|message| incoming.take(message, NOW).transpose())?.ok()
}

fn check(received: &Received, were_changes_asked_for: bool) {
    let soas = |records: &Records| {
        assert!(records.iter().all(|r| r.owner.is_at_or_below(vn().as_ref()) && !r.rtype.is_meta() && r.ttl >> 31 == 0));
        let serials = records.iter().filter(|r| r.rtype == Rtype::SOA).map(|r| Soa::read(r.rdata).expect("a SOA").serial);
        serials.collect::<Vec<_>>()
    };
    match received {
        Received::Current(serial) => assert!(were_changes_asked_for && !serial.is_newer_than(Serial(HAVE))),
        Received::Whole(records) => assert!(soas(records).len() == 1 && records.is_sorted()),
        Received::Changes(diffs) => {
            let mut at = HAVE;
            for diff in diffs {
                assert_eq!(soas(&diff.removed), [at]);
                let [to] = soas(&diff.added)[..] else { panic!("one SOA comes") };
                assert!(Serial(to).is_newer_than(Serial(at)));
                at = to;
            }
            assert!(were_changes_asked_for && at != HAVE);
        }
    }
}

fn frames(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = octets.split_first_chunk()?;
        let (message, behind) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        octets = behind;
        Some(message)
    })
}

/// A zone, changes in one message and in many, and single SOA records.
pub fn inward_seeds() -> Vec<Vec<u8>> {
    let record = |letter: char, number: u8| {
        let (name, rtype, rdata) = match letter {
            'S' => (&b"\xc0\x0c"[..], 6, soa(number.into()).to_rdata()),
            letter if letter.is_ascii_uppercase() => (&b"\x01n\xc0\x0c"[..], 2, b"\x02ns\xc0\x0c".to_vec()),
            _ => (&b"\x01a\xc0\x0c"[..], 1, vec![192, 0, 2, number]),
        };
        [name, &[0, rtype, 0, 1, 0, 0, 0, 60, 0, rdata.len() as u8], &rdata].concat()
    };
    let texts = ["S3", "S5", "S5 S3 a1 S5 a2 S5", "S5 N1 a1 S5", "S5 S3 a1 S4 N1 S4 N1 S5 a2 S5", "S5|S3 a1|S5 a2|S5"];
    let answer = |(text, rtype): (&str, u8)| {
        let message = |(i, part): (usize, &str)| {
            let records: Vec<Vec<u8>> = part.split(' ').map(|r| record(r.as_bytes()[0].into(), r.as_bytes()[1] - b'0')).collect();
            let is_first = u8::from(i == 0);
            // A TSIG or OPT may stand behind it: the first has an OPT with EXPIRE.
            let head = [0, 7, 0x84, 0, 0, 1, 0, records.len() as u8, 0, 0, 0, is_first, 2, b'v', b'n', 0, 0, rtype, 0, 1];
            let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 9, 0, 4, 0, 0, 1, 0];
            let octets = [&head[..], &records.concat(), if i == 0 { &opt } else { &[] }].concat();
            [&(octets.len() as u16).to_be_bytes(), &octets[..]].concat()
        };
        text.split('|').enumerate().flat_map(message).collect()
    };
    texts.iter().flat_map(|text| [251, 252, 6].map(|rtype| answer((text, rtype)))).collect()
}

/// A request that may be a NOTIFY.
pub fn notice(octets: &[u8]) {
    let mut prepared = Prepared::unread();
    prepared.read(octets);
    let Some((Opcode::Notify, question)) = prepared.asks() else { return };
    if let Some(Notice { apex, serial }) = Notice::read(octets, &question) {
        assert!(apex.as_ref() == question.name && question.rtype == Rtype::SOA);
        assert!(serial.is_none() || octets.len() > 12 + 5 + 11 + 22, "there is a SOA");
    }
}

/// Notices with a serial and without.
pub fn notice_seeds() -> Vec<Vec<u8>> {
    let with = |n: u8, records: &[u8]| [&[0, 7, 0x24, 0, 0, 1, 0, n, 0, 0, 0, 0, 2, b'v', b'n', 0, 0, 6, 0, 1], records].concat();
    let rdata = soa(5).to_rdata();
    let record = [&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, rdata.len() as u8][..], &rdata].concat();
    vec![with(0, &[]), with(1, &record)]
}
