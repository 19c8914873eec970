//! Places on earth: LOC (RFC 1876).

use super::Parse;
use super::cursor::Cursor;
use super::digits::{number, write_number};

/// Thousandths of an arc second on the equator and the prime meridian (RFC 1876 §2).
const MIDDLE: u32 = 1 << 31;
/// Centimetres from the lowest altitude to the ellipsoid: 100,000 m (RFC 1876 §2).
const BASE: i64 = 10_000_000;
/// Size 1 m, horizontal precision 10,000 m, vertical precision 10 m, as octets (RFC 1876 §3).
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// `d [m [s]] N|S d [m [s]] E|W altitude [size [horizontal [vertical]]]`.
pub(super) fn read(cur: &mut Cursor<'_>, out: &mut Vec<u8>) -> Parse<()> {
    let latitude = angle(cur, 90, b'N', b'S', "degrees, minutes, seconds of latitude, then N or S")?;
    let longitude = angle(cur, 180, b'E', b'W', "degrees, minutes, seconds of longitude, then E or W")?;
    const ALTITUDE: &str = "an altitude in metres from -100000.00 to 42849672.95";
    let raw = cur.plain(ALTITUDE)?;
    let (sign, digits) = match raw {
        [b'-', rest @ ..] => (-1, rest),
        _ => (1, raw),
    };
    let altitude = centimetres(digits).map(|n| BASE + sign * n as i64).and_then(|n| u32::try_from(n).ok());
    let Some(altitude) = altitude else { return cur.expected(ALTITUDE) };
    let mut sizes = DEFAULTS;
    for size in &mut sizes {
        if !cur.more()? {
            break;
        }
        const SIZE: &str = "a length in metres up to 90000000.00";
        let raw = cur.plain(SIZE)?;
        match centimetres(raw).and_then(to_exponent) {
            Some(octet) => *size = octet,
            None => return cur.expected(SIZE),
        }
    }
    out.push(0);
    out.extend_from_slice(&sizes);
    for word in [latitude, longitude, altitude] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

fn angle(cur: &mut Cursor<'_>, most: u64, plus: u8, minus: u8, what: &'static str) -> Parse<u32> {
    let mut thousandths = 0;
    for part in 0..4 {
        let raw = cur.plain(what)?;
        if let [letter] = raw
            && part > 0
        {
            let letter = letter.to_ascii_uppercase();
            if letter == plus || letter == minus {
                if thousandths > most * 3_600_000 {
                    return cur.rule("more degrees than there are");
                }
                let thousandths = thousandths as u32;
                return Ok(if letter == plus { MIDDLE + thousandths } else { MIDDLE - thousandths });
            }
        }
        let value = match part {
            0 => number(raw, most).map(|n| n * 3_600_000),
            1 => number(raw, 59).map(|n| n * 60_000),
            2 => decimal(raw, 3).filter(|&n| n < 60_000),
            _ => None,
        };
        match value {
            Some(value) => thousandths += value,
            None => return cur.expected(what),
        }
    }
    cur.expected(what)
}

/// A decimal number with up to `places` digits behind the point, times 10^places.
fn decimal(raw: &[u8], places: usize) -> Option<u64> {
    let point = raw.iter().position(|&b| b == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&raw[..at], &raw[at + 1..]),
        None => (raw, &b""[..]),
    };
    if fraction.len() > places || point.is_some() && fraction.is_empty() {
        return None;
    }
    let mut value = number(whole, 1 << 40)? * 10u64.pow(places as u32);
    if !fraction.is_empty() {
        value += number(fraction, 999)? * 10u64.pow((places - fraction.len()) as u32);
    }
    Some(value)
}

/// Metres with an optional `m`, as centimetres.
fn centimetres(raw: &[u8]) -> Option<u64> {
    let raw = match raw {
        [rest @ .., b'm' | b'M'] => rest,
        _ => raw,
    };
    decimal(raw, 2)
}

/// Centimetres as one digit and a power of ten; further digits are lost, as the form has no room (RFC 1876 §2).
fn to_exponent(mut centimetres: u64) -> Option<u8> {
    let mut exponent = 0u8;
    while centimetres > 9 {
        centimetres /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((centimetres as u8) << 4 | exponent)
}

/// Writes LOC; `None` when the octets are none, or of another version.
pub(super) fn write(rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let rdata: &[u8; 16] = rdata.try_into().ok()?;
    let word = |at: usize| u32::from_be_bytes([rdata[at], rdata[at + 1], rdata[at + 2], rdata[at + 3]]);
    if rdata[0] != 0 {
        return None;
    }
    write_angle(word(4), 90, b'N', b'S', out)?;
    out.push(b' ');
    write_angle(word(8), 180, b'E', b'W', out)?;
    out.push(b' ');
    let altitude = i64::from(word(12)) - BASE;
    if altitude < 0 {
        out.push(b'-');
    }
    write_metres(altitude.unsigned_abs(), out);
    for octet in &rdata[1..4] {
        let (digit, exponent) = (octet >> 4, octet & 15);
        // A zero has one form only, so that text gives the octets back.
        if digit > 9 || exponent > 9 || digit == 0 && exponent > 0 {
            return None;
        }
        out.push(b' ');
        write_metres(u64::from(digit) * 10u64.pow(u32::from(exponent)), out);
    }
    Some(())
}

fn write_angle(value: u32, most: u32, plus: u8, minus: u8, out: &mut Vec<u8>) -> Option<()> {
    let thousandths = value.abs_diff(MIDDLE);
    if thousandths > most * 3_600_000 {
        return None;
    }
    write_number(u64::from(thousandths / 3_600_000), out);
    out.push(b' ');
    write_number(u64::from(thousandths / 60_000 % 60), out);
    out.push(b' ');
    write_number(u64::from(thousandths / 1000 % 60), out);
    out.extend_from_slice(format!(".{:03} ", thousandths % 1000).as_bytes());
    out.push(if value >= MIDDLE { plus } else { minus });
    Some(())
}

fn write_metres(centimetres: u64, out: &mut Vec<u8>) {
    write_number(centimetres / 100, out);
    out.extend_from_slice(format!(".{:02}m", centimetres % 100).as_bytes());
}
