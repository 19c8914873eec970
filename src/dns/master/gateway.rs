//! Types with an address of several kinds or a list of servers: IPSECKEY (RFC 4025), AMTRELAY (RFC 8777), HIP (RFC 8005).

use super::cursor::Cursor;
use super::digits::{self, append_base64, append_hex, write_base64, write_hex, write_ip4, write_ip6, write_number};
use super::read::{Scratch, base64, number};
use super::{Parse, write::write_name};
use crate::dns::name::NameRef;

/// `precedence gateway-type algorithm gateway [key]`.
pub(super) fn read_ipseckey(cur: &mut Cursor<'_>, origin: NameRef<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Parse<()> {
    out.push(number(cur, 255, "a precedence from 0 to 255")? as u8);
    let kind = number(cur, 3, "a gateway type from 0 to 3")? as u8;
    out.push(kind);
    let algorithm = number(cur, 255, "an algorithm from 0 to 255")? as u8;
    out.push(algorithm);
    read_gateway(kind, cur, origin, out)?;
    // Algorithm 0 is no key (RFC 4025 §2.4).
    if algorithm != 0 || cur.more()? {
        base64(cur, scratch, out)?;
        if algorithm == 0 {
            return cur.rule("algorithm 0 means that there is no key");
        }
    }
    Ok(())
}

/// `precedence discovery relay-type relay`.
pub(super) fn read_amtrelay(cur: &mut Cursor<'_>, origin: NameRef<'_>, out: &mut Vec<u8>) -> Parse<()> {
    out.push(number(cur, 255, "a precedence from 0 to 255")? as u8);
    let discovery = number(cur, 1, "0 or 1")? as u8;
    let kind = number(cur, 3, "a relay type from 0 to 3")? as u8;
    out.push(discovery << 7 | kind);
    read_gateway(kind, cur, origin, out)
}

fn read_gateway(kind: u8, cur: &mut Cursor<'_>, origin: NameRef<'_>, out: &mut Vec<u8>) -> Parse<()> {
    match kind {
        0 => {
            if cur.plain("'.' for no gateway")? != b"." {
                return cur.expected("'.' for no gateway");
            }
        }
        1 => {
            let raw = cur.plain("an IPv4 address")?;
            let Some(ip) = digits::ip4(raw) else { return cur.expected("an IPv4 address") };
            out.extend_from_slice(&ip);
        }
        2 => {
            let raw = cur.plain("an IPv6 address")?;
            let Some(ip) = digits::ip6(raw) else { return cur.expected("an IPv6 address") };
            out.extend_from_slice(&ip);
        }
        _ => cur.name(origin, "a name", out)?,
    }
    Ok(())
}

/// Writes IPSECKEY; `None` when the octets are none.
pub(super) fn write_ipseckey(rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let ([precedence, kind, algorithm], rest) = rdata.split_first_chunk::<3>()?;
    for n in [precedence, kind, algorithm] {
        write_number(u64::from(*n), out);
        out.push(b' ');
    }
    let key = write_gateway(*kind, rest, out)?;
    if key.is_empty() != (*algorithm == 0) {
        return None;
    }
    if !key.is_empty() {
        out.push(b' ');
        write_base64(key, out);
    }
    Some(())
}

/// Writes AMTRELAY; `None` when the octets are none.
pub(super) fn write_amtrelay(rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let ([precedence, kind], rest) = rdata.split_first_chunk::<2>()?;
    for n in [*precedence, kind >> 7, kind & 0x7f] {
        write_number(u64::from(n), out);
        out.push(b' ');
    }
    write_gateway(kind & 0x7f, rest, out)?.is_empty().then_some(())
}

/// Writes the gateway and gives what follows it.
fn write_gateway<'a>(kind: u8, rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    match kind {
        0 => {
            out.push(b'.');
            Some(rest)
        }
        1 => {
            let (ip, rest) = rest.split_first_chunk::<4>()?;
            write_ip4(*ip, out);
            Some(rest)
        }
        2 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            write_ip6(*ip, out);
            Some(rest)
        }
        3 => {
            let name = NameRef::from_wire(rest).ok()?;
            write_name(name, out);
            Some(&rest[name.as_wire().len()..])
        }
        _ => None,
    }
}

/// `algorithm hit key [server ...]`.
pub(super) fn read_hip(cur: &mut Cursor<'_>, origin: NameRef<'_>, out: &mut Vec<u8>) -> Parse<()> {
    const HIT: &str = "a host identity tag of up to 255 octets in hex";
    const KEY: &str = "a public key of up to 65535 octets in base64";
    let from = out.len();
    let algorithm = number(cur, 255, "an algorithm from 0 to 255")? as u8;
    out.extend_from_slice(&[0, algorithm, 0, 0]);
    let raw = cur.plain(HIT)?;
    let at = out.len();
    if append_hex(raw, out).is_none() || out.len() - at > 255 {
        return cur.expected(HIT);
    }
    out[from] = (out.len() - at) as u8;
    let raw = cur.plain(KEY)?;
    let at = out.len();
    if append_base64(raw, out).is_none() {
        return cur.expected(KEY);
    }
    let Ok(length) = u16::try_from(out.len() - at) else { return cur.expected(KEY) };
    out[from + 2..from + 4].copy_from_slice(&length.to_be_bytes());
    while cur.more()? {
        cur.name(origin, "a name", out)?;
    }
    Ok(())
}

/// Writes HIP; `None` when the octets are none.
pub(super) fn write_hip(rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let ([hit_len, algorithm, hi, lo], rest) = rdata.split_first_chunk::<4>()?;
    let (hit, rest) = rest.split_at_checked(usize::from(*hit_len))?;
    let (key, mut rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*hi, *lo])))?;
    if hit.is_empty() || key.is_empty() {
        return None;
    }
    write_number(u64::from(*algorithm), out);
    out.push(b' ');
    write_hex(hit, out);
    out.push(b' ');
    write_base64(key, out);
    while !rest.is_empty() {
        let server = NameRef::from_wire(rest).ok()?;
        out.push(b' ');
        write_name(server, out);
        rest = &rest[server.as_wire().len()..];
    }
    Some(())
}
