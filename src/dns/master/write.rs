//! Records as text, one a line, everything absolute and explicit, so that any reader takes it.
//!
//! What does not fit its type is written in the form of RFC 3597 §5, never dropped.

use std::io::{self, Write};
use std::ops::Range;

use super::digits::{write_base32hex, write_base64, write_hex, write_ip4, write_ip6, write_number, write_time};
use super::fields::{CERT_TYPES, Field, contradiction, fields};
use super::{apl, gateway, loc, svcb};
use crate::dns::name::NameRef;
use crate::dns::rdata;
use crate::dns::records::{Record, Records};
use crate::dns::rtype::Rtype;
use crate::parallel;

/// Writes the SOA, which every reader expects first (RFC 5936 §2.2 sends it so), then all other records in their order, some thousand
/// at a time, with `threads` threads (0: one per core).
///
/// Cost: one pass; where the first name has no SOA, one more to find it.
///
/// # Errors
/// What `out` gives.
pub fn write(records: &Records, threads: usize, out: &mut impl io::Write) -> io::Result<()> {
    let first = records.rtypes().position(|rtype| rtype == Rtype::SOA);
    if let Some(at) = first {
        let mut line = Vec::new();
        records.part(at..at + 1).for_each(|soa| write_record(&soa, &mut line));
        out.write_all(&line)?;
    }
    let lines = |range: Range<usize>| {
        let mut lines = Vec::with_capacity(1 << 17);
        for (at, record) in range.clone().zip(records.part(range)) {
            if Some(at) != first {
                write_record(&record, &mut lines);
            }
        }
        Ok(lines)
    };
    parallel::in_order(parallel::ranges(records.len()), threads, lines, |lines| out.write_all(&lines))
}

/// Appends one line: absolute owner, TTL, class, type and data.
pub fn write_record(record: &Record<'_>, out: &mut Vec<u8>) {
    write_name(record.owner, out);
    out.push(b' ');
    write_number(u64::from(record.ttl), out);
    out.extend_from_slice(b" IN ");
    write_type(record.rtype, out);
    out.push(b' ');
    write_rdata(record.rtype, record.rdata, out);
    out.push(b'\n');
}

/// Appends the data of a record; `\# length hex` when the type's text is unknown or the octets do not fit it.
pub fn write_rdata(rtype: Rtype, rdata: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    if write_known(rtype, rdata, out).is_none() {
        out.truncate(from);
        out.extend_from_slice(b"\\# ");
        write_number(rdata.len() as u64, out);
        if !rdata.is_empty() {
            out.push(b' ');
            write_hex(rdata, out);
        }
    }
}

/// Appends an absolute name; what has a meaning in master files is escaped.
pub fn write_name(name: NameRef<'_>, out: &mut Vec<u8>) {
    if name.is_root() {
        out.push(b'.');
        return;
    }
    // Text is wire form one octet on, with dots for lengths, unless something has to be escaped.
    let (from, wire) = (out.len(), name.as_wire());
    out.extend_from_slice(&wire[1..]);
    let mut at = 0;
    while wire[at] != 0 {
        let next = at + 1 + wire[at] as usize;
        if !wire[at + 1..next].iter().all(|&octet| LABEL_PLAIN[octet as usize]) {
            out.truncate(from);
            return write_escaped_name(name, out);
        }
        at = next;
        out[from + at - 1] = b'.';
    }
}

fn write_escaped_name(name: NameRef<'_>, out: &mut Vec<u8>) {
    for label in name.labels() {
        for &octet in label {
            match octet {
                _ if LABEL_PLAIN[octet as usize] => out.push(octet),
                0x21..=0x7e => out.extend_from_slice(&[b'\\', octet]),
                _ => write_octet(octet, out),
            }
        }
        out.push(b'.');
    }
}

/// Octets that stand for themselves in a label.
static LABEL_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = 0x21;
    while octet <= 0x7e {
        plain[octet] = !matches!(octet as u8, b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$');
        octet += 1;
    }
    plain
};

/// Appends a string in quotes.
pub(super) fn write_quoted(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', octet]),
            0x20..=0x7e => out.push(octet),
            _ => write_octet(octet, out),
        }
    }
    out.push(b'"');
}

fn write_octet(octet: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10]);
}

/// Appends a mnemonic; the frequent ones without formatting.
fn write_type(rtype: Rtype, out: &mut Vec<u8>) {
    let text: &[u8] = match rtype {
        Rtype::NS => b"NS",
        Rtype::A => b"A",
        Rtype::AAAA => b"AAAA",
        Rtype::DS => b"DS",
        Rtype::RRSIG => b"RRSIG",
        Rtype::NSEC3 => b"NSEC3",
        Rtype::NSEC => b"NSEC",
        _ => {
            // A Vec takes whatever is written.
            let _ = write!(out, "{rtype}");
            return;
        }
    };
    out.extend_from_slice(text);
}

/// True if `rdata` can be data of the type: its text gives the same octets back.
///
/// For a type whose text we do not know: if its names are whole.
pub(super) fn fits(rtype: Rtype, rdata: &[u8]) -> bool {
    match fields(rtype) {
        Some(_) => write_known(rtype, rdata, &mut Vec::new()).is_some(),
        None => rdata::fits_layout(rtype, rdata),
    }
}

fn write_known(rtype: Rtype, rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let fields = fields(rtype)?;
    let mut rest = Octets(rdata);
    for (i, &field) in fields.iter().enumerate() {
        if i > 0 && !matches!(field, Field::Params | Field::TextOrNone | Field::Base64OrNone | Field::Types | Field::TypesOrNone) {
            out.push(b' ');
        }
        write_field(field, &mut rest, out)?;
    }
    (rest.0.is_empty() && contradiction(rtype, rdata).is_none()).then_some(())
}

/// What is left of the RDATA.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let [length] = self.chunk()?;
        self.take(usize::from(length))
    }

    fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

fn write_field(field: Field, rest: &mut Octets<'_>, out: &mut Vec<u8>) -> Option<()> {
    match field {
        Field::U8 | Field::Algorithm => write_number(u64::from(rest.chunk::<1>()?[0]), out),
        Field::U16 => write_number(u64::from(u16::from_be_bytes(rest.chunk()?)), out),
        Field::U32 | Field::Period => write_number(u64::from(u32::from_be_bytes(rest.chunk()?)), out),
        Field::Name => {
            let name = NameRef::from_wire(rest.0).ok()?;
            write_name(name, out);
            rest.take(name.as_wire().len())?;
        }
        Field::Ip4 => write_ip4(rest.chunk()?, out),
        Field::Ip6 => write_ip6(rest.chunk()?, out),
        Field::Text => write_quoted(rest.text()?, out),
        Field::TextOrNone => {
            if !rest.0.is_empty() {
                out.push(b' ');
                write_quoted(rest.text()?, out);
            }
        }
        Field::Texts => {
            write_quoted(rest.text()?, out);
            while !rest.0.is_empty() {
                out.push(b' ');
                write_quoted(rest.text()?, out);
            }
        }
        Field::Digits => {
            let digits = rest.text()?;
            if digits.len() < 4 || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            write_quoted(digits, out);
        }
        Field::Value => write_quoted(rest.all(), out),
        Field::Tag => {
            let tag = rest.text()?;
            if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                return None;
            }
            out.extend_from_slice(tag);
        }
        Field::Hex => {
            let octets = rest.all();
            if octets.is_empty() {
                return None;
            }
            write_hex(octets, out);
        }
        Field::Base64 => {
            let octets = rest.all();
            if octets.is_empty() {
                return None;
            }
            write_base64(octets, out);
        }
        Field::Base64OrNone => {
            if !rest.0.is_empty() {
                out.push(b' ');
                write_base64(rest.all(), out);
            }
        }
        Field::Base64OrDash => match rest.all() {
            [] => out.push(b'-'),
            octets => write_base64(octets, out),
        },
        Field::Salt => match rest.text()? {
            [] => out.push(b'-'),
            salt => write_hex(salt, out),
        },
        Field::Hash => match rest.text()? {
            [] => return None,
            hash => write_base32hex(hash, out),
        },
        Field::Type => write_type(Rtype(u16::from_be_bytes(rest.chunk()?)), out),
        Field::Types | Field::TypesOrNone => {
            let bitmap = rest.all();
            if field == Field::Types && bitmap.is_empty() || !is_strict_bitmap(bitmap) {
                return None;
            }
            for rtype in rdata::bitmap_types(bitmap) {
                out.push(b' ');
                write_type(rtype, out);
            }
        }
        Field::Time => {
            write_time(u32::from_be_bytes(rest.chunk()?), out);
        }
        Field::CertType => {
            let kind = u16::from_be_bytes(rest.chunk()?);
            match CERT_TYPES.iter().find(|(value, _)| *value == kind) {
                Some((_, name)) => out.extend_from_slice(name.as_bytes()),
                None => write_number(u64::from(kind), out),
            }
        }
        Field::Locator => {
            let octets = rest.chunk::<8>()?;
            for (i, group) in octets.as_chunks::<2>().0.iter().enumerate() {
                let _ = write!(out, "{}{:04x}", if i > 0 { ":" } else { "" }, u16::from_be_bytes(*group));
            }
        }
        Field::Eui(n) => {
            for (i, octet) in rest.take(n)?.iter().enumerate() {
                let _ = write!(out, "{}{octet:02x}", if i > 0 { "-" } else { "" });
            }
        }
        Field::Nsap => {
            let octets = rest.all();
            if octets.is_empty() {
                return None;
            }
            out.extend_from_slice(b"0x");
            write_hex(octets, out);
        }
        Field::Scheme => match rest.chunk()? {
            [1] => out.extend_from_slice(b"NOTIFY"),
            [n] => write_number(u64::from(n), out),
        },
        Field::Loc => loc::write(rest.all(), out)?,
        Field::Apl => apl::write(rest.all(), out)?,
        Field::Params => svcb::write(rest.all(), out)?,
        Field::Ipseckey => gateway::write_ipseckey(rest.all(), out)?,
        Field::Amtrelay => gateway::write_amtrelay(rest.all(), out)?,
        Field::Hip => gateway::write_hip(rest.all(), out)?,
        Field::Wks => apl::write_wks(rest.all(), out)?,
    }
    Some(())
}

/// True if a type bitmap has the one form that text gives: windows ascend, none is empty or ends in a zero octet (RFC 4034 §4.1.2).
fn is_strict_bitmap(mut bitmap: &[u8]) -> bool {
    let mut last = None;
    while let [window, length, rest @ ..] = bitmap {
        let Some((octets, after)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if octets.len() > 32 || octets.last().is_none_or(|&octet| octet == 0) || last.is_some_and(|last| last >= *window) {
            return false;
        }
        last = Some(*window);
        bitmap = after;
    }
    bitmap.is_empty()
}
