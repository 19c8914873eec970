//! What a secondary is asked, and what its answers say: NOTIFY (RFC 1996 §3.7), and the query for the SOA it serves.

use crate::dns::message::{self, HEADER, RawRecord};
use crate::dns::rdata::Soa;
use crate::dns::{Class, NameRef, Rtype, Serial};

/// One of the two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is news.
    Notify,
    /// Which version is served?
    Soa,
}

impl Kind {
    /// The opcode in its place in the third octet of the header.
    fn opcode(self) -> u8 {
        match self {
            Self::Notify => 4 << 3,
            Self::Soa => 0,
        }
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The NOTIFY has arrived and is taken.
    Taken,
    /// The version that is served.
    Serves(Serial),
    /// Another response code than NOERROR.
    Rcode(u8),
    /// No authoritative SOA, though nothing is said to be wrong.
    NoSoa,
}

/// Writes a request in place of what is in `buffer`. A NOTIFY bears the SOA, with its TTL, as a hint (RFC 1996 §3.7).
pub fn write(buffer: &mut Vec<u8>, kind: Kind, id: u16, apex: NameRef<'_>, soa: &Soa, ttl: u32) {
    const AA: u8 = 4;
    let (flags, n_answers) = match kind {
        Kind::Notify => (kind.opcode() | AA, 1),
        Kind::Soa => (kind.opcode(), 0),
    };
    let [high, low] = id.to_be_bytes();
    buffer.clear();
    buffer.extend_from_slice(&[high, low, flags, 0, 0, 1, 0, n_answers, 0, 0, 0, 0]);
    buffer.extend_from_slice(apex.as_wire());
    buffer.extend_from_slice([Rtype::SOA.0, Class::IN.0].map(u16::to_be_bytes).as_flattened());
    if kind == Kind::Notify {
        // Its owner is the name of the question.
        let (owner, rdata) = ([0xc0, HEADER as u8], soa.to_rdata());
        let at = buffer.len();
        buffer.resize(at + owner.len() + 10 + rdata.len(), 0);
        message::put_record(buffer, at, &owner, Rtype::SOA, Class::IN.0, ttl, &rdata).expect("room was made");
    }
}

/// Reads an answer to such a request; `None` where it is none. Whose it is, its id and its TSIG are judged by others.
pub fn read(octets: &[u8], kind: Kind, apex: NameRef<'_>) -> Option<Said> {
    const QR: u8 = 0x80;
    const OPCODE: u8 = 0x78;
    let flags = *octets.get(2..HEADER)?.first()?;
    if flags & (QR | OPCODE) != QR | kind.opcode() {
        return None;
    }
    let rcode = octets[3] & 15;
    match message::count(octets, 0) {
        // Who makes nothing of a request need not repeat the question.
        0 if rcode != 0 => return Some(Said::Rcode(rcode)),
        1 => {}
        _ => return None,
    }
    let at = message::records_at(octets)?;
    let fixed = [Rtype::SOA.0, Class::IN.0].map(u16::to_be_bytes);
    if message::name_at(octets, HEADER)?.as_ref() != apex || octets[at - 4..at] != *fixed.as_flattened() {
        return None;
    }
    Some(match kind {
        _ if rcode != 0 => Said::Rcode(rcode),
        Kind::Notify => Said::Taken,
        Kind::Soa => serial(octets, at, apex).map_or(Said::NoSoa, Said::Serves),
    })
}

/// The serial of the SOA in an authoritative answer whose records begin at `at`.
fn serial(octets: &[u8], mut at: usize, apex: NameRef<'_>) -> Option<Serial> {
    const AA: u8 = 4;
    for _ in 0..message::count(octets, 1) {
        let record = RawRecord::read(octets, at)?;
        if record.rtype == Rtype::SOA && record.class == Class::IN.0 && record.owner()?.as_ref() == apex {
            let mut rdata = Vec::new();
            record.append_rdata(&mut rdata)?;
            return Soa::read(&rdata).map(|soa| Serial(soa.serial)).filter(|_| octets[2] & AA != 0);
        }
        at = record.end;
    }
    None
}
