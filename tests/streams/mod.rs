//! Answers of primaries made by hand: records in a few letters, messages as octets.
//!
//! Used by several test programs, each of which needs a part of it.
#![allow(dead_code)]

use saola::dns::rdata::Soa;
use saola::dns::{Class, Name, Records, Rtype, message};
use saola::transfer::inward::Received;
use saola::zone::Diff;

pub fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// The SOA of a version.
pub fn soa(serial: u32) -> Soa {
    let (mname, rname) = (name("ns.vn"), name("h.vn"));
    Soa { mname, rname, serial, refresh: 1800, retry: 600, expire: 86_400, minimum: 60 }
}

/// A record of an answer.
#[derive(Clone, Debug)]
pub struct Piece {
    pub owner: Name,
    pub rtype: Rtype,
    pub class: u16,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

/// `S5` is the SOA of serial 5, `a1` the address 192.0.2.1 of `a.vn`. With an odd sign in front: `!a1` is out of the zone, `#a1` is of class CH,
/// `*a1` of type ANY, `~a1` an NS record of two octets, `^a1` has a TTL of 2^31, `%S5` is a SOA below the apex, `&S5` one with another minimum.
pub fn piece(text: &str) -> Piece {
    let (sign, text) = match text.split_at(1) {
        (sign, rest) if "!#*~^%&".contains(sign) => (sign, rest),
        _ => ("", text),
    };
    let (letter, number) = text.split_at(1);
    let mut piece = Piece { owner: name("vn"), rtype: Rtype::SOA, class: 1, ttl: 60, rdata: Vec::new() };
    if letter == "S" {
        let mut soa = soa(number.parse().expect("a serial"));
        soa.minimum += u32::from(sign == "&");
        piece.rdata = soa.to_rdata();
    } else {
        piece.owner = name(&format!("{letter}.vn"));
        piece.rtype = Rtype::A;
        piece.rdata = vec![192, 0, 2, number.parse().expect("an octet")];
    }
    match sign {
        "!" => piece.owner = name("a.example"),
        "#" => piece.class = Class::CH.0,
        "*" => piece.rtype = Rtype::ANY,
        "~" => (piece.rtype, piece.rdata) = (Rtype::NS, vec![1, b'a']),
        "^" => piece.ttl = 1 << 31,
        "%" => piece.owner = name("sub.vn"),
        _ => {}
    }
    piece
}

/// A message of an answer about `vn.`, id 7; without a question where `rtype` is `None`.
pub fn message(rtype: Option<Rtype>, pieces: &[Piece]) -> Vec<u8> {
    let counts = [u16::from(rtype.is_some()), u16::try_from(pieces.len()).expect("few"), 0, 0];
    let mut octets = [&[0, 7, 0x84, 0], counts.map(u16::to_be_bytes).as_flattened()].concat();
    if let Some(rtype) = rtype {
        octets.extend_from_slice(name("vn").as_ref().as_wire());
        octets.extend_from_slice([rtype.0, 1].map(u16::to_be_bytes).as_flattened());
    }
    for Piece { owner, rtype, class, ttl, rdata } in pieces {
        let (at, owner) = (octets.len(), owner.as_ref().as_wire());
        octets.resize(at + owner.len() + 10 + rdata.len(), 0);
        message::put_record(&mut octets, at, owner, *rtype, *class, *ttl, rdata).expect("room was made");
    }
    octets
}

/// Messages from a text of records, `|` between messages; the question stands in the first.
pub fn messages(rtype: Rtype, text: &str) -> Vec<Vec<u8>> {
    let pieces = |part: &str| part.split_whitespace().map(piece).collect::<Vec<_>>();
    text.split('|').enumerate().map(|(i, part)| message((i == 0).then_some(rtype), &pieces(part))).collect()
}

/// What was received, in the same letters.
pub fn show(received: &Received) -> String {
    match received {
        Received::Current(serial) => format!("current {serial}"),
        Received::Whole(records) => format!("whole {}", letters(records)),
        Received::Changes(diffs) => diffs.iter().map(show_diff).collect::<Vec<_>>().join("; "),
    }
}

fn show_diff(diff: &Diff) -> String {
    format!("- {} + {}", letters(&diff.removed), letters(&diff.added))
}

/// Records in letters.
pub fn letters(records: &Records) -> String {
    let letter = |r: saola::dns::Record<'_>| match r.rtype {
        Rtype::SOA => format!("S{}", Soa::read(r.rdata).expect("a SOA").serial),
        _ => format!("{}{}{}", if r.ttl == 0 { "^" } else { "" }, r.owner.to_string().trim_end_matches(".vn."), r.rdata[3]),
    };
    records.iter().map(letter).collect::<Vec<_>>().join(" ")
}
