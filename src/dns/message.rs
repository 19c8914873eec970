//! Messages, record by record (RFC 1035 §4.1). Of those from outside: nothing here panics, and compression pointers must lead backwards, so
//! that everything ends. Knows no section's meaning.

use super::name::Name;
use super::rdata::{self, Part};
use super::rtype::Rtype;

/// Octets in front of the question.
pub const HEADER: usize = 12;

/// A record as it stands in a message, in any section but the question.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    message: &'a [u8],
    /// Where its owner starts.
    pub start: usize,
    /// True for an owner that is the root, written out.
    pub owner_is_root: bool,
    /// The type.
    pub rtype: Rtype,
    /// The class; other things for OPT.
    pub class: u16,
    /// The TTL; other things for OPT.
    pub ttl: u32,
    /// RDATA, names in it as they stand.
    pub rdata: &'a [u8],
    rdata_at: usize,
    /// Where the next record starts.
    pub end: usize,
}

impl<'a> RawRecord<'a> {
    /// Reads the record at `start`; its owner is only gone over. `None` when it is not whole.
    pub fn read(message: &'a [u8], start: usize) -> Option<Self> {
        let at = skip_name(message, start)?;
        let [t0, t1, c0, c1, ttl @ .., l0, l1] = message.get(at..at + 10)? else { return None };
        let end = at + 10 + u16::from_be_bytes([*l0, *l1]) as usize;
        Some(Self {
            message,
            start,
            owner_is_root: at == start + 1,
            rtype: Rtype(u16::from_be_bytes([*t0, *t1])),
            class: u16::from_be_bytes([*c0, *c1]),
            ttl: u32::from_be_bytes(ttl.try_into().ok()?),
            rdata: message.get(at + 10..end)?,
            rdata_at: at + 10,
            end,
        })
    }

    /// The owner in full.
    pub fn owner(&self) -> Option<Name> {
        name_at(self.message, self.start)
    }

    /// Appends the RDATA with its names in full, as far as they may be compressed (RFC 3597 §4).
    ///
    /// `None` when it does not fit the type's layout or is longer than RDATA can be; what was appended then means nothing.
    pub fn append_rdata(&self, out: &mut Vec<u8>) -> Option<()> {
        let from = out.len();
        if rdata::is_compressible(self.rtype) {
            let mut at = self.rdata_at;
            let mut full = [0; 255];
            for part in rdata::layout(self.rtype) {
                match part {
                    Part::Name => {
                        let n = read_name(self.message, at, &mut full)?;
                        out.extend_from_slice(&full[..n]);
                        at = skip_name(self.message, at)?;
                    }
                    Part::Octets(n) => {
                        out.extend_from_slice(self.message.get(at..at + n)?);
                        at += n;
                    }
                    // No type with text or a rest may be compressed.
                    Part::Text | Part::Rest => return None,
                }
            }
            if at != self.end {
                return None;
            }
        } else {
            out.extend_from_slice(self.rdata);
        }
        let written = &out[from..];
        (written.len() <= usize::from(u16::MAX) && rdata::fits_layout(self.rtype, written)).then_some(())
    }
}

/// The name at `at` in full.
pub fn name_at(message: &[u8], at: usize) -> Option<Name> {
    let mut full = [0; 255];
    let n = read_name(message, at, &mut full)?;
    Name::from_wire(&full[..n]).ok()
}

/// Where the name at `at` ends; it is not followed.
pub fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            n @ 1..=63 => at += 1 + n as usize,
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// Writes the name at `at`, which may be compressed, to `out` in full; returns its length.
///
/// Pointers must lead backwards, so this ends; `None` where they do not or the name is too long.
pub fn read_name(message: &[u8], at: usize, out: &mut [u8; 255]) -> Option<usize> {
    let (mut at, mut len, mut limit) = (at, 0, at);
    loop {
        match *message.get(at)? {
            0 => {
                *out.get_mut(len)? = 0;
                return Some(len + 1);
            }
            n @ 1..=63 => {
                let label = message.get(at..=at + n as usize)?;
                // One octet stays for the root.
                out.get_mut(len..len + label.len()).filter(|_| len + label.len() < 255)?.copy_from_slice(label);
                len += label.len();
                at += label.len();
            }
            high @ 0xc0.. => {
                let target = (u16::from_be_bytes([high, *message.get(at + 1)?]) & 0x3fff) as usize;
                if target >= limit {
                    return None;
                }
                limit = target;
                at = target;
            }
            _ => return None,
        }
    }
}

/// How many records a section of a message says it has: 0 is the question, 1 to 3 are answer, authority and additional data.
///
/// # Panics
/// When there is no whole header.
pub fn count(message: &[u8], section: usize) -> u16 {
    u16::from_be_bytes([message[4 + 2 * section], message[5 + 2 * section]])
}

/// Where the records begin: behind the header and the questions. `None` when these are not whole.
pub fn records_at(message: &[u8]) -> Option<usize> {
    if message.len() < HEADER {
        return None;
    }
    // Each question takes five octets or more, so this ends with the message.
    (0..count(message, 0)).try_fold(HEADER, |at, _| skip_name(message, at).map(|at| at + 4)).filter(|&at| at <= message.len())
}

/// Writes a record at `at`, its owner as it is to stand there; gives where it ends. `None`, and nothing is written, where `message` ends before.
///
/// # Panics
/// When `rdata` has more than 65,535 octets.
pub fn put_record(message: &mut [u8], at: usize, owner: &[u8], rtype: Rtype, class: u16, ttl: u32, rdata: &[u8]) -> Option<usize> {
    let len = u16::try_from(rdata.len()).expect("RDATA of at most 65,535 octets");
    let end = at + owner.len() + 10 + rdata.len();
    let (start, rest) = message.get_mut(at..end)?.split_at_mut(owner.len());
    start.copy_from_slice(owner);
    rest[..2].copy_from_slice(&rtype.0.to_be_bytes());
    rest[2..4].copy_from_slice(&class.to_be_bytes());
    rest[4..8].copy_from_slice(&ttl.to_be_bytes());
    rest[8..10].copy_from_slice(&len.to_be_bytes());
    rest[10..].copy_from_slice(rdata);
    Some(end)
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Message;
    use hickory_proto::rr::rdata::{MX, SOA};
    use hickory_proto::rr::{Name as HickoryName, RData, Record};

    use super::*;

    fn hickory(text: &str) -> HickoryName {
        HickoryName::from_ascii(text).expect("a name")
    }

    /// What another implementation compressed, with what it stands for.
    fn compressed() -> Vec<u8> {
        let mut message = Message::response(7, hickory_proto::op::OpCode::Query);
        let soa = SOA::new(hickory("a.dns.vn."), hickory("mail.dns.vn."), 1, 2, 3, 4, 5);
        message.add_answer(Record::from_rdata(hickory("vn."), 60, RData::SOA(soa)));
        message.add_answer(Record::from_rdata(hickory("b.dns.vn."), 60, RData::MX(MX::new(10, hickory("a.dns.vn.")))));
        message.to_vec().expect("written")
    }

    #[test]
    fn names_come_out_in_full() {
        let message = compressed();
        assert!(message.windows(2).any(|two| two[0] >= 0xc0), "there are pointers");
        let mut at = records_at(&message).expect("a question");
        let mut found = Vec::new();
        for _ in 0..count(&message, 1) {
            let record = RawRecord::read(&message, at).expect("whole");
            let mut rdata = Vec::new();
            record.append_rdata(&mut rdata).expect("good");
            found.push((record.owner().expect("a name").to_string(), record.rtype, record.ttl, rdata));
            at = record.end;
        }
        assert_eq!(at, message.len());
        let wire = |text: &str| Name::parse(text).expect("name").as_ref().as_wire().to_vec();
        let soa = [wire("a.dns.vn"), wire("mail.dns.vn"), [1u32, 2, 3, 4, 5].map(u32::to_be_bytes).concat()].concat();
        let mx = [vec![0, 10], wire("a.dns.vn")].concat();
        assert_eq!(found, [("vn.".into(), Rtype::SOA, 60, soa), ("b.dns.vn.".to_string(), Rtype::MX, 60, mx)]);
    }

    #[test]
    fn damage_is_refused_and_ends() {
        let message = compressed();
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..20_000 {
            let mut damaged = message.clone();
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..damaged.len());
                damaged[at] = rng.u8(..);
            }
            damaged.truncate(rng.usize(..=damaged.len()));
            let Some(mut at) = records_at(&damaged) else { continue };
            while let Some(record) = RawRecord::read(&damaged, at) {
                let _ = record.owner();
                let mut rdata = Vec::new();
                if record.append_rdata(&mut rdata).is_some() {
                    assert!(rdata::fits_layout(record.rtype, &rdata));
                }
                assert!(record.end > at && record.end <= damaged.len());
                at = record.end;
            }
        }
        // Pointers to themselves, forwards, in a circle.
        for octets in [&[0xc0, 0][..], &[0xc0, 2, 0], &[1, b'a', 0xc0, 0]] {
            assert_eq!(name_at(octets, 0), None, "{octets:?}");
        }
    }
}
