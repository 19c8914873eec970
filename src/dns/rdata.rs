//! What the machine has to know about RDATA: where its names stand, which of them may be
//! compressed and which are lowered in the canonical form.
//!
//! Knows no presentation format (that is `master`'s). RFC 3597 §4 and §5, RFC 4034 §6.2, RFC 6840 §5.1.

use super::name::{Name, NameRef};
use super::rtype::Rtype;

/// One part of an RDATA layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A domain name, never compressed in stored RDATA.
    Name,
    /// So many octets.
    Octets(usize),
    /// A `<character-string>`: length octet and text.
    Text,
    /// Whatever is left, possibly nothing.
    Rest,
}

/// The parts of a type's RDATA up to and including its last name; what follows is [`Part::Rest`].
///
/// Types without names, and types we do not know, are one [`Part::Rest`].
pub fn layout(rtype: Rtype) -> &'static [Part] {
    use Part::{Name, Octets, Rest, Text};
    match rtype {
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::DNAME
        | Rtype::NSAP_PTR => &[Name],
        Rtype::SOA => &[Name, Name, Octets(20)],
        Rtype::MINFO | Rtype::RP | Rtype::TALINK => &[Name, Name],
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::LP => &[Octets(2), Name],
        Rtype::PX => &[Octets(2), Name, Name],
        Rtype::SRV => &[Octets(6), Name],
        Rtype::NAPTR => &[Octets(4), Text, Text, Text, Name],
        Rtype::RRSIG | Rtype::SIG => &[Octets(18), Name, Rest],
        Rtype::NSEC | Rtype::NXT => &[Name, Rest],
        Rtype::SVCB | Rtype::HTTPS => &[Octets(2), Name, Rest],
        _ => &[Rest],
    }
}

/// True if names in the RDATA may be compressed in messages: the types of RFC 1035 alone (RFC 3597 §4).
pub fn is_compressible(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::NS
            | Rtype::MD
            | Rtype::MF
            | Rtype::CNAME
            | Rtype::SOA
            | Rtype::MB
            | Rtype::MG
            | Rtype::MR
            | Rtype::PTR
            | Rtype::MINFO
            | Rtype::MX
    )
}

/// True if names in the RDATA are lowered in the canonical form (RFC 4034 §6.2 as amended by RFC 6840 §5.1: not NSEC).
pub fn is_lowered(rtype: Rtype) -> bool {
    is_compressible(rtype)
        || matches!(
            rtype,
            Rtype::RP
                | Rtype::AFSDB
                | Rtype::RT
                | Rtype::SIG
                | Rtype::PX
                | Rtype::NXT
                | Rtype::NAPTR
                | Rtype::KX
                | Rtype::SRV
                | Rtype::DNAME
                | Rtype::RRSIG
        )
}

/// The names in `rdata`, with where each starts.
///
/// Stops at the first part that the bytes are too short for.
pub fn names(rtype: Rtype, rdata: &[u8]) -> impl Iterator<Item = (usize, NameRef<'_>)> {
    let mut at = 0;
    layout(rtype).iter().filter_map(move |part| {
        let start = at;
        match part {
            Part::Name => {
                let name = NameRef::from_wire(rdata.get(at..)?).ok()?;
                at += name.as_wire().len();
                return Some((start, name));
            }
            Part::Octets(n) => at += n,
            Part::Text => at += 1 + *rdata.get(at)? as usize,
            Part::Rest => {}
        }
        None
    })
}

/// True if `rdata` has all the parts of its type's layout and nothing over.
///
/// Says nothing about what the octets mean.
pub fn fits_layout(rtype: Rtype, rdata: &[u8]) -> bool {
    if !fits_length(rtype, rdata) {
        return false;
    }
    let mut at = 0;
    for part in layout(rtype) {
        let Some(rest) = rdata.get(at..) else { return false };
        match part {
            Part::Name => match NameRef::from_wire(rest) {
                Ok(name) => at += name.as_wire().len(),
                Err(_) => return false,
            },
            Part::Octets(n) => at += n,
            Part::Text => match rest.first() {
                Some(n) => at += 1 + *n as usize,
                None => return false,
            },
            Part::Rest => return true,
        }
    }
    at == rdata.len()
}

/// What is known of the lengths of types without names, where other servers refuse a zone for them.
fn fits_length(rtype: Rtype, rdata: &[u8]) -> bool {
    match rtype {
        Rtype::A => rdata.len() == 4,
        Rtype::AAAA => rdata.len() == 16,
        Rtype::DS | Rtype::CDS | Rtype::DNSKEY | Rtype::CDNSKEY => rdata.len() > 4,
        // One character-string or more (RFC 1035 §3.3.14).
        Rtype::TXT => {
            let mut rest = rdata;
            while let Some(behind) = rest.split_first().and_then(|(n, rest)| rest.get(usize::from(*n)..)) {
                rest = behind;
            }
            rest.is_empty() && !rdata.is_empty()
        }
        _ => true,
    }
}

/// Appends the canonical form of `rdata` (RFC 4034 §6.2).
pub fn append_canonical(rtype: Rtype, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(rdata);
    if is_lowered(rtype) {
        for (at, name) in names(rtype, rdata) {
            out[start + at..start + at + name.as_wire().len()].make_ascii_lowercase();
        }
    }
}

/// The one name of NS, CNAME, DNAME or PTR RDATA, and the last one of MX, SRV or any other layout.
pub fn target(rtype: Rtype, rdata: &[u8]) -> Option<NameRef<'_>> {
    names(rtype, rdata).last().map(|(_, name)| name)
}

/// The fields of a SOA (RFC 1035 §3.3.13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The primary name server.
    pub mname: Name,
    /// The mailbox of who is responsible.
    pub rname: Name,
    /// The version of the zone.
    pub serial: u32,
    /// Seconds between a secondary's refreshes.
    pub refresh: u32,
    /// Seconds before a failed refresh is tried again.
    pub retry: u32,
    /// Seconds after which a secondary stops answering.
    pub expire: u32,
    /// Seconds for which a negative answer may be kept (RFC 2308 §4).
    pub minimum: u32,
}

impl Soa {
    /// Reads RDATA; `None` when it is no SOA.
    pub fn read(rdata: &[u8]) -> Option<Self> {
        if !fits_layout(Rtype::SOA, rdata) {
            return None;
        }
        let mut names = names(Rtype::SOA, rdata).map(|(_, name)| name.to_owned());
        let numbers = &rdata[rdata.len() - 20..];
        let number = |i: usize| u32::from_be_bytes([numbers[4 * i], numbers[4 * i + 1], numbers[4 * i + 2], numbers[4 * i + 3]]);
        Some(Self {
            mname: names.next()?,
            rname: names.next()?,
            serial: number(0),
            refresh: number(1),
            retry: number(2),
            expire: number(3),
            minimum: number(4),
        })
    }

    /// The RDATA.
    pub fn to_rdata(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(self.mname.as_ref().as_wire());
        out.extend_from_slice(self.rname.as_ref().as_wire());
        for number in [self.serial, self.refresh, self.retry, self.expire, self.minimum] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }
}

/// Reads the type bitmap of NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2) in ascending order.
///
/// Stops at the first window that is not well formed.
pub fn bitmap_types(mut bitmap: &[u8]) -> impl Iterator<Item = Rtype> + '_ {
    std::iter::from_fn(move || {
        let [window, len, rest @ ..] = bitmap else { return None };
        let octets = rest.get(..*len as usize)?;
        bitmap = &rest[*len as usize..];
        Some((*window, octets))
    })
    .flat_map(|(window, octets)| {
        octets.iter().enumerate().flat_map(move |(i, &octet)| {
            (0..8).filter(move |bit| octet & (0x80 >> bit) != 0).map(move |bit| Rtype(u16::from(window) << 8 | (i as u16) << 3 | bit))
        })
    })
}

/// Appends the type bitmap of `types`, which must ascend (RFC 4034 §4.1.2).
pub fn append_bitmap(types: impl IntoIterator<Item = Rtype>, out: &mut Vec<u8>) {
    let mut window: Option<(u8, usize)> = None;
    for rtype in types {
        let (number, low) = ((rtype.0 >> 8) as u8, (rtype.0 & 0xff) as usize);
        let at = match window {
            Some((open, at)) if open == number => at,
            _ => {
                out.extend_from_slice(&[number, 0]);
                window = Some((number, out.len() - 1));
                out.len() - 1
            }
        };
        let need = low / 8 + 1;
        if (out[at] as usize) < need {
            out.resize(at + 1 + need, 0);
            out[at] = need as u8;
        }
        out[at + 1 + low / 8] |= 0x80 >> (low % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_read_back() {
        let types = [1, 2, 6, 15, 46, 47, 48, 50, 256, 257, 1234, 65280].map(Rtype);
        let mut bitmap = vec![];
        append_bitmap(types, &mut bitmap);
        assert!(bitmap_types(&bitmap).eq(types));
        // RFC 4034 §4.3: A MX RRSIG NSEC TYPE1234
        let mut example = vec![];
        append_bitmap([1, 15, 46, 47, 1234].map(Rtype), &mut example);
        let mut expected = vec![0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27];
        expected.extend([0; 26]);
        expected.push(0x20);
        assert_eq!(example, expected);
    }

    #[test]
    fn canonical_form_lowers_names_only() {
        let mut out = vec![];
        append_canonical(Rtype::MX, b"\x00\x41\x01A\x00", &mut out);
        assert_eq!(out, b"\x00\x41\x01a\x00");
        out.clear();
        append_canonical(Rtype::NSEC, b"\x01A\x00", &mut out);
        assert_eq!(out, b"\x01A\x00");
    }

    #[test]
    fn layouts_are_checked() {
        assert!(fits_layout(Rtype::NS, b"\x01a\0"));
        assert!(!fits_layout(Rtype::NS, b"\x01a\0x"));
        assert!(!fits_layout(Rtype::MX, b"\x00"));
        assert!(!fits_layout(Rtype::NAPTR, b"\0\0\0\0\x05u"));
        assert!(fits_layout(Rtype(65280), b""));
        for (rtype, good, bad) in [
            (Rtype::A, &[1, 2, 3, 4][..], &[&[1, 2, 3][..], &[1, 2, 3, 4, 5], &[]][..]),
            (Rtype::AAAA, &[0; 16], &[&[0; 3], &[0; 15], &[0; 17]]),
            (Rtype::DS, &[0, 1, 13, 2, 9], &[&[0, 1, 13], &[0, 1, 13, 2]]),
            (Rtype::CDNSKEY, &[0, 0, 3, 0, 0], &[&[0, 0, 3, 0]]),
            (Rtype::TXT, b"\x01a\x00\x02bc", &[b"", b"\x02a", b"\x01a\x01"]),
        ] {
            assert!(fits_layout(rtype, good), "{rtype}");
            bad.iter().for_each(|bad| assert!(!fits_layout(rtype, bad), "{rtype} {bad:?}"));
        }
    }
}
