//! Service parameters of SVCB and HTTPS (RFC 9460), with dohpath (RFC 9461), ech (RFC 9848) and ohttp (RFC 9540).

use super::cursor::{Cursor, append_unescaped};
use super::digits::{self, write_ip4, write_ip6, write_number};
use super::write::write_quoted;
use super::{Parse, Reason, fault};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;

/// Keys by name, in order of number.
const KEYS: [&str; 9] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

/// `key[=value]`, in any order; the octets come out in order of key.
pub(super) fn read(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    let mut params: Vec<(u16, Vec<u8>)> = Vec::new();
    while cur.more()? {
        let raw = cur.plain("a service parameter like alpn=h2")?;
        let equals = raw.iter().position(|&b| b == b'=');
        let (name, value) = equals.map_or((raw, None), |at| (&raw[..at], Some(&raw[at + 1..])));
        let Some((key, generic)) = key(name) else { return cur.expected("a service parameter: a known key or keyNNNNN") };
        let mut text = Vec::new();
        if let Some(value) = value {
            let Some(bare) = unquoted(value) else { return fault(cur.start(), Reason::QuoteInWord) };
            append_unescaped(bare, &mut text);
        }
        let wire = if generic { text } else { read_value(key, &text, cur)? };
        if wire.len() > usize::from(u16::MAX) {
            return fault(cur.start(), Reason::RdataTooLong);
        }
        let Err(place) = params.binary_search_by_key(&key, |(other, _)| *other) else {
            return cur.rule("a service parameter stands there twice");
        };
        if let Some(text) = value_problem(key, &wire) {
            return cur.rule(text);
        }
        params.insert(place, (key, wire));
    }
    for (key, value) in params {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// The key of a name and whether it is `keyNNNNN`, whose value is plain octets.
fn key(name: &[u8]) -> Option<(u16, bool)> {
    if let Some(known) = KEYS.iter().position(|key| key.as_bytes() == name) {
        return Some((known as u16, false));
    }
    let digits = name.strip_prefix(b"key")?;
    // No leading zeros (RFC 9460 §2.1); 65535 is the key that is never valid (§14.3.2).
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    Some((digits::number(digits, 65534)? as u16, true))
}

/// What stands in the quotes, or the value itself; `None` when a quote stands inside.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let (bare, quoted) = match value {
        [b'"', rest @ ..] => (rest, true),
        _ => (value, false),
    };
    let mut i = 0;
    while i < bare.len() {
        match bare[i] {
            b'\\' => i += 2,
            b'"' => return (quoted && i + 1 == bare.len()).then(|| &bare[..i]),
            _ => i += 1,
        }
    }
    (!quoted).then_some(bare)
}

fn read_value(key: u16, text: &[u8], cur: &Cursor<'_>) -> Parse<Vec<u8>> {
    let mut wire = Vec::new();
    match key {
        MANDATORY => {
            let mut keys = Vec::new();
            for name in text.split(|&b| b == b',') {
                match self::key(name) {
                    Some((key, _)) => keys.push(key),
                    None => return cur.expected("a list of keys like mandatory=alpn,port"),
                }
            }
            keys.sort_unstable();
            for key in keys {
                wire.extend_from_slice(&key.to_be_bytes());
            }
        }
        ALPN => {
            let Some(items) = list(text) else { return cur.expected("a list of protocols like alpn=h2,h3") };
            for item in items {
                if item.is_empty() || item.len() > 255 {
                    return cur.rule("a protocol in alpn has from 1 to 255 octets");
                }
                wire.push(item.len() as u8);
                wire.extend_from_slice(&item);
            }
        }
        NO_DEFAULT_ALPN | OHTTP => wire.extend_from_slice(text),
        PORT => match digits::number(text, 65535) {
            Some(port) => wire.extend_from_slice(&(port as u16).to_be_bytes()),
            None => return cur.expected("a port from 0 to 65535"),
        },
        IPV4HINT => {
            for item in text.split(|&b| b == b',') {
                let Some(ip) = digits::ip4(item) else { return cur.expected("a list of IPv4 addresses") };
                wire.extend_from_slice(&ip);
            }
        }
        IPV6HINT => {
            for item in text.split(|&b| b == b',') {
                let Some(ip) = digits::ip6(item) else { return cur.expected("a list of IPv6 addresses") };
                wire.extend_from_slice(&ip);
            }
        }
        ECH => {
            if digits::append_base64(text, &mut wire).is_none() {
                return cur.expected("ech and a value in base64");
            }
        }
        _ => wire.extend_from_slice(text),
    }
    Ok(wire)
}

/// Splits at commas; `\,` and `\\` are the octets themselves (RFC 9460 appendix A.1).
fn list(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b',' => items.push(Vec::new()),
            b'\\' => match octets.next() {
                Some(&escaped @ (b',' | b'\\')) => items.last_mut()?.push(escaped),
                _ => return None,
            },
            _ => items.last_mut()?.push(octet),
        }
    }
    Some(items)
}

/// The parameters of wire form; stops where the octets are none.
fn params(mut wire: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([a, b, c, d], rest) = wire.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        wire = rest;
        Some((u16::from_be_bytes([*a, *b]), value))
    })
}

/// What is wrong with the parameters of a record as a whole.
pub(super) fn problem(priority: u16, wire: &[u8]) -> Option<&'static str> {
    if priority == 0 && !wire.is_empty() {
        return Some("priority 0 is an alias and takes no parameters (RFC 9460 section 2.4.2)");
    }
    let mut length = 0;
    let mut last = None;
    for (key, value) in params(wire) {
        if last.is_some_and(|last| last >= key) || key == u16::MAX {
            return Some("service parameters must ascend without repetition");
        }
        last = Some(key);
        length += 4 + value.len();
        if let Some(text) = value_problem(key, value) {
            return Some(text);
        }
    }
    if length != wire.len() {
        return Some("the service parameters end too early");
    }
    let has = |wanted: u16| params(wire).any(|(key, _)| key == wanted);
    if has(NO_DEFAULT_ALPN) && !has(ALPN) {
        return Some("no-default-alpn needs alpn beside it");
    }
    let (_, mandatory) = params(wire).find(|(key, _)| *key == MANDATORY)?;
    // Both ascend, so one walk over the parameters finds every key.
    let mut keys = params(wire).map(|(key, _)| key);
    let all = mandatory.as_chunks::<2>().0.iter().all(|wanted| keys.any(|key| key == u16::from_be_bytes(*wanted)));
    (!all).then_some("a key listed in mandatory is not there")
}

/// What is wrong with the octets of one value.
fn value_problem(key: u16, value: &[u8]) -> Option<&'static str> {
    let wrong = match key {
        MANDATORY => {
            let (keys, rest) = value.as_chunks::<2>();
            let ascend = keys.windows(2).all(|pair| pair[0] < pair[1]);
            (keys.is_empty() || !rest.is_empty() || !ascend || keys[0] == [0, 0], "mandatory lists other keys, each once")
        }
        ALPN => {
            let mut rest = value;
            while let [length, more @ ..] = rest {
                match more.get(usize::from(*length)..) {
                    Some(after) if *length > 0 => rest = after,
                    _ => return Some("alpn is not a list of protocols"),
                }
            }
            (value.is_empty(), "alpn lists at least one protocol")
        }
        NO_DEFAULT_ALPN | OHTTP => (!value.is_empty(), "no-default-alpn and ohttp take no value"),
        PORT => (value.len() != 2, "a port has two octets"),
        IPV4HINT => (value.is_empty() || !value.len().is_multiple_of(4), "ipv4hint lists at least one address"),
        IPV6HINT => (value.is_empty() || !value.len().is_multiple_of(16), "ipv6hint lists at least one address"),
        ECH => (value.is_empty(), "ech is not empty"),
        DOHPATH => {
            let fits = std::str::from_utf8(value).is_ok_and(|text| text.starts_with('/') && has_dns_variable(text));
            (!fits, "dohpath is a relative URI template with the variable dns, like /dns-query{?dns}")
        }
        _ => (false, ""),
    };
    wrong.0.then_some(wrong.1)
}

/// True if a URI template has the variable `dns` (RFC 6570 §2.2, RFC 9461 §5).
fn has_dns_variable(template: &str) -> bool {
    template.split('{').skip(1).filter_map(|part| part.split_once('}')).any(|(expression, _)| {
        let names = expression.trim_start_matches(['?', '&', '+', '#', '.', '/', ';']);
        names.split(',').any(|name| name == "dns")
    })
}

/// Writes the parameters, a blank in front of each; [`problem`] has found nothing in them.
pub(super) fn write(wire: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for (key, value) in params(wire) {
        out.push(b' ');
        write_key(key, out);
        match key {
            MANDATORY => {
                out.push(b'=');
                for (i, key) in value.as_chunks::<2>().0.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_key(u16::from_be_bytes(*key), out);
                }
            }
            ALPN => {
                out.push(b'=');
                let mut text = Vec::with_capacity(value.len());
                let mut rest = value;
                while let [length, more @ ..] = rest {
                    let (item, after) = more.split_at_checked(usize::from(*length))?;
                    if !text.is_empty() {
                        text.push(b',');
                    }
                    for &octet in item {
                        if matches!(octet, b',' | b'\\') {
                            text.push(b'\\');
                        }
                        text.push(octet);
                    }
                    rest = after;
                }
                write_quoted(&text, out);
            }
            NO_DEFAULT_ALPN => {}
            PORT => {
                out.push(b'=');
                let [a, b] = value else { return None };
                write_number(u64::from(u16::from_be_bytes([*a, *b])), out);
            }
            IPV4HINT => {
                out.push(b'=');
                for (i, ip) in value.as_chunks::<4>().0.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_ip4(*ip, out);
                }
            }
            ECH => {
                out.push(b'=');
                digits::write_base64(value, out);
            }
            IPV6HINT => {
                out.push(b'=');
                for (i, ip) in value.as_chunks::<16>().0.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_ip6(*ip, out);
                }
            }
            _ if value.is_empty() => {}
            _ => {
                out.push(b'=');
                write_quoted(value, out);
            }
        }
    }
    Some(())
}

/// Keys above ipv6hint go out as numbers: Debian's BIND, Knot and ldns do not know their names yet, and all read the number.
fn write_key(key: u16, out: &mut Vec<u8>) {
    match KEYS.get(usize::from(key)) {
        Some(name) if key <= IPV6HINT => out.extend_from_slice(name.as_bytes()),
        _ => {
            out.extend_from_slice(b"key");
            write_number(u64::from(key), out);
        }
    }
}
