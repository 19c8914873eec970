//! RDATA from its text, field by field.
//!
//! Knows no owner and no TTL. RFC 1035 §5.1, RFC 3597 §5.

use super::cursor::{Cursor, Word, append_unescaped};
use super::digits;
use super::fields::{ALGORITHMS, CERT_TYPES, Field, contradiction, fields};
use super::{Parse, Reason, apl, fault, gateway, loc, svcb, write};
use crate::dns::name::NameRef;
use crate::dns::rdata;
use crate::dns::rtype::Rtype;

/// Buffers that live as long as a scan, so that records cost no allocation.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) joined: Vec<u8>,
    types: Vec<Rtype>,
}

/// Reads the RDATA of one record into `out`, up to the end of the entry but not over it.
pub(super) fn rdata(rtype: Rtype, cur: &mut Cursor<'_>, origin: NameRef<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Parse<()> {
    out.clear();
    let from = cur.offset();
    if cur.more()? && cur.peek() == Some(b'\\') && cur.is_at_unknown_form() {
        unknown_form(rtype, cur, scratch, out)?;
    } else {
        let Some(fields) = fields(rtype) else {
            let _ = cur.word(r"\# length hex")?;
            return fault(cur.start(), Reason::OnlyUnknownForm(rtype));
        };
        for &field in fields {
            read_field(field, cur, origin, scratch, out)?;
        }
        if let Some(text) = contradiction(rtype, out) {
            return cur.rule(text);
        }
    }
    if out.len() > usize::from(u16::MAX) {
        return fault(from, Reason::RdataTooLong);
    }
    Ok(())
}

/// `\# length hex` (RFC 3597 §5); for a type whose text we know the octets must fit it.
fn unknown_form(rtype: Rtype, cur: &mut Cursor<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Parse<()> {
    cur.word(r"\#")?;
    let form_at = cur.start();
    let length = number(cur, 65535, "a length of up to 65535")? as usize;
    let length_at = cur.start();
    if cur.more()? {
        join(cur, "hex digits", scratch)?;
        if digits::append_hex(&scratch.joined, out).is_none() {
            return cur.expected("an even number of hex digits");
        }
    }
    if out.len() != length {
        return fault(length_at, Reason::Rule("the length and the hex digits behind it differ"));
    }
    if !write::fits(rtype, out) {
        return fault(form_at, Reason::Rule("these octets are not valid data of the type"));
    }
    Ok(())
}

fn read_field(field: Field, cur: &mut Cursor<'_>, origin: NameRef<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Parse<()> {
    match field {
        Field::U8 => out.push(number(cur, 255, "a number from 0 to 255")? as u8),
        Field::U16 => out.extend_from_slice(&(number(cur, 65535, "a number from 0 to 65535")? as u16).to_be_bytes()),
        Field::U32 => {
            let n = number(cur, u64::from(u32::MAX), "a number from 0 to 4294967295")? as u32;
            out.extend_from_slice(&n.to_be_bytes());
        }
        Field::Period => {
            const WHAT: &str = "a number of seconds, or one with units like 1d12h";
            let raw = cur.plain(WHAT)?;
            let Some(seconds) = digits::period(raw) else { return cur.expected(WHAT) };
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Field::Name => cur.name(origin, "a name", out)?,
        Field::Ip4 => {
            let raw = cur.plain("an IPv4 address")?;
            let Some(ip) = digits::ip4(raw) else { return cur.expected("an IPv4 address") };
            out.extend_from_slice(&ip);
        }
        Field::Ip6 => {
            let raw = cur.plain("an IPv6 address")?;
            let Some(ip) = digits::ip6(raw) else { return cur.expected("an IPv6 address") };
            out.extend_from_slice(&ip);
        }
        Field::Text => text(cur, out)?,
        Field::TextOrNone => {
            if cur.more()? {
                text(cur, out)?;
            }
        }
        Field::Texts => {
            text(cur, out)?;
            while cur.more()? {
                text(cur, out)?;
            }
        }
        Field::Digits => {
            let from = out.len();
            text(cur, out)?;
            if out.len() - from < 5 || !out[from + 1..].iter().all(u8::is_ascii_digit) {
                return cur.expected("an address of four or more digits");
            }
        }
        Field::Value => value(cur, out)?,
        Field::Tag => {
            const WHAT: &str = "a property tag of letters and digits";
            let raw = cur.plain(WHAT)?;
            if raw.len() > 255 || !raw.iter().all(u8::is_ascii_alphanumeric) {
                return cur.expected(WHAT);
            }
            out.push(raw.len() as u8);
            out.extend_from_slice(raw);
        }
        Field::Hex => {
            join(cur, "hex digits", scratch)?;
            if digits::append_hex(&scratch.joined, out).is_none() {
                return cur.expected("an even number of hex digits");
            }
        }
        Field::Base64 => base64(cur, scratch, out)?,
        Field::Base64OrNone => {
            if cur.more()? {
                base64(cur, scratch, out)?;
            }
        }
        Field::Base64OrDash => {
            join(cur, "base64, or - for nothing", scratch)?;
            if scratch.joined != b"-" && digits::append_base64(&scratch.joined, out).is_none() {
                return cur.expected("base64, or - for nothing");
            }
        }
        Field::Salt => {
            const WHAT: &str = "a salt of up to 255 octets in hex, or -";
            let raw = cur.plain(WHAT)?;
            let from = out.len();
            out.push(0);
            if raw != b"-" && (raw.is_empty() || digits::append_hex(raw, out).is_none()) || out.len() - from > 256 {
                return cur.expected(WHAT);
            }
            out[from] = (out.len() - from - 1) as u8;
        }
        Field::Hash => {
            const WHAT: &str = "a hash in base32hex";
            let raw = cur.plain(WHAT)?;
            let from = out.len();
            out.push(0);
            if digits::append_base32hex(raw, out).is_none() || out.len() - from < 2 || out.len() - from > 256 {
                return cur.expected(WHAT);
            }
            out[from] = (out.len() - from - 1) as u8;
        }
        Field::Type => out.extend_from_slice(&rtype(cur)?.0.to_be_bytes()),
        Field::Types | Field::TypesOrNone => {
            scratch.types.clear();
            if field == Field::Types {
                scratch.types.push(rtype(cur)?);
            }
            while cur.more()? {
                scratch.types.push(rtype(cur)?);
            }
            if !scratch.types.is_sorted() {
                scratch.types.sort_unstable();
            }
            scratch.types.dedup();
            rdata::append_bitmap(scratch.types.iter().copied(), out);
        }
        Field::Time => {
            const WHAT: &str = "a time as YYYYMMDDHHmmSS";
            let raw = cur.plain(WHAT)?;
            let Some(seconds) = digits::time(raw) else { return cur.expected(WHAT) };
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Field::Algorithm => {
            let raw = cur.plain("an algorithm")?;
            let known = || ALGORITHMS.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(raw)).map(|&(value, _)| value);
            match digits::number(raw, 255).map(|n| n as u8).or_else(known) {
                Some(algorithm) => out.push(algorithm),
                None => return cur.expected("an algorithm, by number or mnemonic"),
            }
        }
        Field::CertType => {
            let raw = cur.plain("a certificate type")?;
            let known = || CERT_TYPES.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(raw)).map(|&(value, _)| value);
            match digits::number(raw, 65535).map(|n| n as u16).or_else(known) {
                Some(kind) => out.extend_from_slice(&kind.to_be_bytes()),
                None => return cur.expected("a certificate type, by number or mnemonic"),
            }
        }
        Field::Locator => {
            const WHAT: &str = "four groups of up to four hex digits with ':' between";
            let raw = cur.plain(WHAT)?;
            let from = out.len();
            for group in raw.split(|&b| b == b':') {
                let value = group.iter().try_fold(0u16, |n, &b| Some(n << 4 | u16::from(digits::nibble(b)?)));
                match value {
                    Some(value) if (1..=4).contains(&group.len()) => out.extend_from_slice(&value.to_be_bytes()),
                    _ => return cur.expected(WHAT),
                }
            }
            if out.len() - from != 8 {
                return cur.expected(WHAT);
            }
        }
        Field::Eui(n) => {
            const WHAT: &str = "pairs of hex digits with '-' between";
            let raw = cur.plain(WHAT)?;
            let from = out.len();
            for pair in raw.split(|&b| b == b'-') {
                if pair.len() != 2 || digits::append_hex(pair, out).is_none() {
                    return cur.expected(WHAT);
                }
            }
            if out.len() - from != n {
                return cur.expected(if n == 6 { "six pairs of hex digits" } else { "eight pairs of hex digits" });
            }
        }
        Field::Nsap => {
            const WHAT: &str = "0x and an even number of hex digits";
            let raw = cur.plain(WHAT)?;
            let Some((b"0x" | b"0X", digits)) = raw.split_at_checked(2) else { return cur.expected(WHAT) };
            scratch.joined.clear();
            scratch.joined.extend(digits.iter().copied().filter(|&b| b != b'.'));
            if scratch.joined.is_empty() || digits::append_hex(&scratch.joined, out).is_none() {
                return cur.expected(WHAT);
            }
        }
        Field::Scheme => {
            let raw = cur.plain("a scheme")?;
            if raw.eq_ignore_ascii_case(b"NOTIFY") {
                out.push(1);
            } else {
                match digits::number(raw, 255) {
                    Some(n) => out.push(n as u8),
                    None => return cur.expected("NOTIFY or a number from 0 to 255"),
                }
            }
        }
        Field::Loc => loc::read(cur, out)?,
        Field::Apl => apl::read(cur, out)?,
        Field::Params => svcb::read(cur, out)?,
        Field::Ipseckey => gateway::read_ipseckey(cur, origin, scratch, out)?,
        Field::Amtrelay => gateway::read_amtrelay(cur, origin, out)?,
        Field::Hip => gateway::read_hip(cur, origin, out)?,
        Field::Wks => apl::read_wks(cur, out)?,
    }
    Ok(())
}

/// A decimal number of up to `max`.
pub(super) fn number(cur: &mut Cursor<'_>, max: u64, what: &'static str) -> Parse<u64> {
    let raw = cur.plain(what)?;
    match digits::number(raw, max) {
        Some(n) => Ok(n),
        None => cur.expected(what),
    }
}

/// One `<character-string>`: length octet and octets.
fn text(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    let from = out.len();
    out.push(0);
    value(cur, out)?;
    let length = out.len() - from - 1;
    if length > 255 {
        return fault(cur.start(), Reason::StringTooLong);
    }
    out[from] = length as u8;
    Ok(())
}

/// One word or quoted string as octets.
fn value(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    match cur.word("a string")? {
        Word::Quoted(raw) => append_unescaped(raw, out),
        Word::Plain(raw) if has_quote(raw) => return fault(cur.start(), Reason::QuoteInWord),
        Word::Plain(raw) => append_unescaped(raw, out),
    }
    Ok(())
}

/// True if a bare quote stands in a word: only service parameters may have one.
fn has_quote(raw: &[u8]) -> bool {
    let mut escaped = false;
    raw.iter().any(|&b| {
        let bare = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        bare
    })
}

/// Joins all words that are left of the entry, at least one.
fn join(cur: &mut Cursor<'_>, what: &'static str, scratch: &mut Scratch) -> Parse<()> {
    scratch.joined.clear();
    scratch.joined.extend_from_slice(cur.plain(what)?);
    while cur.more()? {
        scratch.joined.extend_from_slice(cur.plain(what)?);
    }
    Ok(())
}

/// All words that are left as base64.
pub(super) fn base64(cur: &mut Cursor<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Parse<()> {
    join(cur, "base64", scratch)?;
    match digits::append_base64(&scratch.joined, out) {
        Some(()) => Ok(()),
        None => cur.expected("base64"),
    }
}

/// A type by its mnemonic; the frequent ones are found without a search.
pub(super) fn rtype(cur: &mut Cursor<'_>) -> Parse<Rtype> {
    let raw = cur.plain("a record type")?;
    Ok(match raw {
        b"NS" => Rtype::NS,
        b"A" => Rtype::A,
        b"AAAA" => Rtype::AAAA,
        b"DS" => Rtype::DS,
        b"RRSIG" => Rtype::RRSIG,
        b"NSEC3" => Rtype::NSEC3,
        b"NSEC" => Rtype::NSEC,
        b"SOA" => Rtype::SOA,
        b"TXT" => Rtype::TXT,
        b"MX" => Rtype::MX,
        b"CNAME" => Rtype::CNAME,
        _ => match std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()) {
            Some(rtype) => rtype,
            None => return fault(cur.start(), Reason::UnknownType(super::shown(raw))),
        },
    })
}
