//! Address lists: APL (RFC 3123) and WKS (RFC 1035 §3.4.2).

use super::Parse;
use super::cursor::Cursor;
use super::digits::{self, write_ip4, write_ip6, write_number};

/// Items `[!]family:address/prefix`, possibly none.
pub(super) fn read(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    const WHAT: &str = "an item like 1:192.0.2.0/24 or !2:2001:db8::/32";
    while cur.more()? {
        let raw = cur.plain(WHAT)?;
        if read_item(raw, out).is_none() {
            return cur.expected(WHAT);
        }
    }
    Ok(())
}

fn read_item(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negated, raw) = match raw {
        [b'!', rest @ ..] => (0x80, rest),
        _ => (0, raw),
    };
    let (family, rest) = raw.split_at(raw.iter().position(|&b| b == b':')?);
    let rest = &rest[1..];
    let (address, prefix) = rest.split_at(rest.iter().position(|&b| b == b'/')?);
    let mut octets = [0u8; 16];
    let (family, most) = match family {
        b"1" => {
            octets[..4].copy_from_slice(&digits::ip4(address)?);
            (1u16, 32)
        }
        b"2" => {
            octets = digits::ip6(address)?;
            (2, 128)
        }
        _ => return None,
    };
    let prefix = digits::number(&prefix[1..], most)? as u8;
    // Trailing zero octets are left out (RFC 3123 §4).
    let length = octets.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
    out.extend_from_slice(&family.to_be_bytes());
    out.extend_from_slice(&[prefix, negated | length as u8]);
    out.extend_from_slice(&octets[..length]);
    Some(())
}

/// Writes the items; `None` when the octets are none.
pub(super) fn write(mut rest: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut first = true;
    while let [hi, lo, prefix, length, more @ ..] = rest {
        let (address, after) = more.split_at_checked(usize::from(length & 0x7f))?;
        if address.last() == Some(&0) {
            return None;
        }
        if !first {
            out.push(b' ');
        }
        first = false;
        if length & 0x80 != 0 {
            out.push(b'!');
        }
        let mut octets = [0u8; 16];
        octets.get_mut(..address.len())?.copy_from_slice(address);
        match (hi, lo) {
            (0, 1) if address.len() <= 4 && *prefix <= 32 => {
                out.extend_from_slice(b"1:");
                write_ip4(*octets.first_chunk()?, out);
            }
            (0, 2) if *prefix <= 128 => {
                out.extend_from_slice(b"2:");
                write_ip6(octets, out);
            }
            _ => return None,
        }
        out.push(b'/');
        write_number(u64::from(*prefix), out);
        rest = after;
    }
    rest.is_empty().then_some(())
}

/// Services that old zones name (RFC 1010's assigned ports); others are written as numbers.
const SERVICES: &[(&str, u16)] = &[
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("pop3", 110),
    ("sunrpc", 111),
    ("nntp", 119),
    ("ntp", 123),
    ("imap2", 143),
    ("snmp", 161),
    ("https", 443),
];

/// Address, protocol, and ports as a bitmap.
pub(super) fn read_wks(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    let raw = cur.plain("an IPv4 address")?;
    let Some(ip) = digits::ip4(raw) else { return cur.expected("an IPv4 address") };
    out.extend_from_slice(&ip);
    let raw = cur.plain("a protocol")?;
    let protocol = match () {
        () if raw.eq_ignore_ascii_case(b"tcp") => 6,
        () if raw.eq_ignore_ascii_case(b"udp") => 17,
        () => match digits::number(raw, 255) {
            Some(n) => n as u8,
            None => return cur.expected("TCP, UDP or a protocol number"),
        },
    };
    out.push(protocol);
    let from = out.len();
    while cur.more()? {
        let raw = cur.plain("a port")?;
        let named = || SERVICES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(raw)).map(|&(_, port)| port);
        let Some(port) = digits::number(raw, 65535).map(|n| n as u16).or_else(named) else {
            return cur.expected("a port number or a well-known service");
        };
        let at = from + usize::from(port / 8);
        if out.len() <= at {
            out.resize(at + 1, 0);
        }
        out[at] |= 0x80 >> (port % 8);
    }
    Ok(())
}

/// Writes WKS, all by number; `None` when the octets are none.
pub(super) fn write_wks(rest: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (ip, rest) = rest.split_first_chunk::<4>()?;
    let (protocol, bitmap) = rest.split_first()?;
    if bitmap.len() > 8192 || bitmap.last() == Some(&0) {
        return None;
    }
    write_ip4(*ip, out);
    out.push(b' ');
    write_number(u64::from(*protocol), out);
    for (i, octet) in bitmap.iter().enumerate() {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            out.push(b' ');
            write_number(i as u64 * 8 + bit, out);
        }
    }
    Some(())
}
