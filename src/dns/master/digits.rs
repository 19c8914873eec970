//! Numbers, times, addresses and the base encodings, from text and to text.
//!
//! Knows no record. What cannot be read is `None`; the caller knows what was expected.

use std::net::Ipv6Addr;

use crate::dns::time::UnixTime;

/// A decimal number of up to `max`; no sign.
pub(super) fn number(raw: &[u8], max: u64) -> Option<u64> {
    if raw.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for octet in raw {
        if !octet.is_ascii_digit() {
            return None;
        }
        // What is past 64 bits is past `max` too, which no caller has at the very end.
        value = value.saturating_mul(10).saturating_add(u64::from(octet - b'0'));
    }
    (value <= max).then_some(value)
}

/// Seconds: a number, or numbers with the units w, d, h, m, s as in `1w2d`.
pub(super) fn period(raw: &[u8]) -> Option<u32> {
    if raw.last()?.is_ascii_digit() {
        return number(raw, u64::from(u32::MAX)).map(|n| n as u32);
    }
    let mut total: u64 = 0;
    let mut from = 0;
    for (i, octet) in raw.iter().enumerate() {
        let unit = match octet.to_ascii_lowercase() {
            b'0'..=b'9' => continue,
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number(&raw[from..i], u64::from(u32::MAX))? * unit)?;
        from = i + 1;
    }
    u32::try_from(total).ok()
}

/// Four decimal parts, none with a sign or longer than three digits.
pub(super) fn ip4(raw: &[u8]) -> Option<[u8; 4]> {
    let mut parts = [0u8; 4];
    let mut n = 0;
    for part in raw.split(|&b| b == b'.') {
        // A leading zero would be octal to some readers.
        if n == 4 || part.len() > 3 || part.len() > 1 && part[0] == b'0' {
            return None;
        }
        parts[n] = number(part, 255)? as u8;
        n += 1;
    }
    (n == 4).then_some(parts)
}

/// Any text form of RFC 4291 §2.2.
pub(super) fn ip6(raw: &[u8]) -> Option<[u8; 16]> {
    std::str::from_utf8(raw).ok()?.parse::<Ipv6Addr>().ok().map(|a| a.octets())
}

/// Appends hex pairs as octets.
pub(super) fn append_hex(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !raw.len().is_multiple_of(2) {
        return None;
    }
    for pair in raw.chunks_exact(2) {
        out.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
    }
    Some(())
}

/// The value of one hex digit.
pub(super) fn nibble(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Base64 with its padding, strict (RFC 4648 §4).
pub(super) fn append_base64(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    decode(&data_encoding::BASE64, raw, out)
}

/// Base32 with the extended hex alphabet, either case, no padding (RFC 4648 §7).
pub(super) fn append_base32hex(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    decode(&data_encoding::BASE32_DNSSEC, raw, out)
}

fn decode(encoding: &data_encoding::Encoding, raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let from = out.len();
    out.resize(from + encoding.decode_len(raw.len()).ok()?, 0);
    let used = encoding.decode_mut(raw, &mut out[from..]).ok()?;
    out.truncate(from + used);
    Some(())
}

/// A time as `YYYYMMDDHHmmSS` or in seconds, within 32 bits (RFC 4034 §3.2).
pub(super) fn time(raw: &[u8]) -> Option<u32> {
    u32::try_from(UnixTime::parse_rrsig(raw)?.0).ok()
}

/// Appends a decimal number.
pub(super) fn write_number(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a time as `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
pub(super) fn write_time(seconds: u32, out: &mut Vec<u8>) {
    let (year, month, day, hour, minute, second) = UnixTime(seconds.into()).civil();
    // 32 bits end in the year 2106, so that every part has two digits.
    let parts = [year / 100, year % 100, month, day].map(|part| part as u64).into_iter().chain([hour, minute, second]);
    out.extend(parts.flat_map(|part| [b'0' + (part / 10) as u8, b'0' + (part % 10) as u8]));
}

/// Appends an IPv4 address.
pub(super) fn write_ip4(ip: [u8; 4], out: &mut Vec<u8>) {
    for (i, part) in ip.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        write_number(u64::from(*part), out);
    }
}

/// Appends an IPv6 address (RFC 5952).
pub(super) fn write_ip6(ip: [u8; 16], out: &mut Vec<u8>) {
    out.extend_from_slice(Ipv6Addr::from(ip).to_string().as_bytes());
}

/// Appends hex in upper case.
pub(super) fn write_hex(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for octet in octets {
        out.extend_from_slice(&[DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
    }
}

/// Appends base64.
pub(super) fn write_base64(octets: &[u8], out: &mut Vec<u8>) {
    encode(&data_encoding::BASE64, octets, out);
}

/// Appends base32hex in lower case.
pub(super) fn write_base32hex(octets: &[u8], out: &mut Vec<u8>) {
    encode(&data_encoding::BASE32_DNSSEC, octets, out);
}

fn encode(encoding: &data_encoding::Encoding, octets: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + encoding.encode_len(octets.len()), 0);
    encoding.encode_mut(octets, &mut out[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        for (text, seconds) in [("0", Some(0)), ("1w2d3h4m5s", Some(788_645)), ("1H", Some(3600)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(period(text.as_bytes()), seconds, "{text}");
        }
        for bad in ["", "h", "1h30", "4294967296", "7102w", "1x", "-1", "1hh", "99999999999999999999s"] {
            assert_eq!(period(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("20040509183619", Some(1_084_127_779)),
            ("20040509000000", Some(1_084_060_800)),
            ("20260229000000", None),
            ("20260228235959", Some(1_772_323_199)),
            ("20260228240000", None),
            ("20261301000000", None),
            ("21060207062815", Some(u32::MAX)),
            ("21060207062816", None),
        ] {
            assert_eq!(time(text.as_bytes()), seconds, "{text}");
            if let Some(seconds) = seconds {
                let mut out = Vec::new();
                write_time(seconds, &mut out);
                assert_eq!(out, text.as_bytes());
            }
        }
        assert_eq!(time(b"1084127779"), Some(1_084_127_779));
        for bad in [&b"10841277790"[..], b"4294967296", b"", b"-1", b"2004050918361"] {
            assert_eq!(time(bad), None);
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(ip4(b"192.0.2.255"), Some([192, 0, 2, 255]));
        for bad in ["192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1.", "192.0.2.1.1", "", "192.0..1", "+1.0.0.0"] {
            assert_eq!(ip4(bad.as_bytes()), None, "{bad}");
        }
        let mut out = vec![];
        write_ip6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets(), &mut out);
        write_ip4([10, 0, 0, 255], &mut out);
        assert_eq!(out, b"2001:db8::110.0.0.255");
    }
}
