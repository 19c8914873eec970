//! `$GENERATE range owner [ttl] [class] type data`: a pattern and the numbers put into it (BIND's directive, no RFC).
//!
//! `$` stands for the number, `${offset,width,base}` for another form of it, `\$` and `$$` for a dollar sign.
//! Data in quotes is taken out of them, as BIND does: `1-9 $ MX "10 mail$"`.

use std::io::Write;

use super::Parse;
use super::cursor::{Cursor, Word};
use super::digits;

/// The longest line a pattern may give: a width cannot blow it up.
const MAX_LINE: usize = 1 << 16;

/// One directive.
pub(super) struct Pattern {
    start: i64,
    stop: i64,
    step: i64,
    owner: Vec<u8>,
    rest: Vec<u8>,
}

impl Pattern {
    /// Reads what stands behind `$GENERATE`, up to the end of the entry.
    pub(super) fn read(cur: &mut Cursor<'_>) -> Parse<Self> {
        const RANGE: &str = "a range like 1-9 or 0-254/2";
        let raw = cur.plain(RANGE)?;
        let Some((start, stop, step)) = range(raw) else { return cur.expected(RANGE) };
        let owner = cur.plain("an owner name with $ in it")?.to_vec();
        let mut rest = Vec::new();
        let mut n_words = 0;
        while cur.more()? {
            match cur.word("a record type")? {
                Word::Plain(raw) => rest.extend_from_slice(raw),
                Word::Quoted(raw) => {
                    let quoted = cur.last();
                    // The only and last word of the data: its quotes are the pattern's, not the record's.
                    if n_words > 0 && !cur.more()? && is_type(&rest) {
                        unquote(raw, &mut rest);
                    } else {
                        rest.extend_from_slice(quoted);
                    }
                }
            }
            rest.push(b' ');
            n_words += 1;
        }
        Ok(Self { start, stop, step, owner, rest })
    }

    /// The numbers in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = i64> + use<> {
        let (step, stop) = (self.step, self.stop);
        std::iter::successors(Some(self.start), move |number| Some(number + step)).take_while(move |&number| number <= stop)
    }

    /// Appends the record's text for one number.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub(super) fn line(&self, number: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
        put(&self.owner, number, out)?;
        out.push(b' ');
        put(&self.rest, number, out)
    }
}

/// True if the last word so far is a type: what follows is the data.
fn is_type(rest: &[u8]) -> bool {
    let word = rest.trim_ascii_end().rsplit(|&b| b == b' ').next().unwrap_or_default();
    std::str::from_utf8(word).is_ok_and(|text| text.parse::<crate::dns::Rtype>().is_ok())
}

/// Only an escaped quote loses its backslash: other escapes are the record's.
fn unquote(raw: &[u8], out: &mut Vec<u8>) {
    let mut i = 0;
    while i < raw.len() {
        if raw[i] == b'\\' && i + 1 < raw.len() {
            if raw[i + 1] != b'"' {
                out.push(b'\\');
            }
            out.push(raw[i + 1]);
            i += 2;
        } else {
            out.push(raw[i]);
            i += 1;
        }
    }
}

/// `start-stop[/step]`, each below 2^31, start not above stop, step not 0.
fn range(raw: &[u8]) -> Option<(i64, i64, i64)> {
    let number = |raw: &[u8]| digits::number(raw, i32::MAX as u64).map(|n| n as i64);
    let (bounds, step) = match raw.iter().position(|&b| b == b'/') {
        Some(at) => (&raw[..at], number(&raw[at + 1..])?),
        None => (raw, 1),
    };
    let dash = bounds.iter().position(|&b| b == b'-')?;
    let (start, stop) = (number(&bounds[..dash])?, number(&bounds[dash + 1..])?);
    (start <= stop && step > 0).then_some((start, stop, step))
}

fn put(pattern: &[u8], number: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = pattern;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'\\', [escaped, after @ ..]) => {
                out.extend_from_slice(&[b'\\', *escaped]);
                rest = after;
            }
            (b'$', [b'$', after @ ..]) => {
                out.extend_from_slice(b"\\$");
                rest = after;
            }
            (b'$', [b'{', after @ ..]) => {
                let end = after.iter().position(|&b| b == b'}').ok_or("'${' without '}'")?;
                put_form(&after[..end], number, out)?;
                rest = &after[end + 1..];
            }
            (b'$', _) => digits::write_number(number as u64, out),
            _ => out.push(octet),
        }
        if out.len() > MAX_LINE {
            return Err("the record grows beyond 65536 octets of text");
        }
    }
    Ok(())
}

/// `offset[,width[,base]]` with base d, o, x, X, n or N.
fn put_form(form: &[u8], number: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const WRONG: &str = "not of the form ${offset,width,base} with base d, o, x, X, n or N";
    let mut parts = form.split(|&b| b == b',');
    let (sign, offset) = match parts.next().unwrap_or_default() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let offset = sign * digits::number(offset, i32::MAX as u64).ok_or(WRONG)? as i64;
    let width = parts.next().map_or(Some(0), |raw| digits::number(raw, 255)).ok_or(WRONG)? as usize;
    let base = match parts.next() {
        None => b'd',
        Some([base]) => *base,
        Some(_) => return Err(WRONG),
    };
    if parts.next().is_some() {
        return Err(WRONG);
    }
    let value = number + offset;
    if value < 0 {
        return Err("the offset makes the number negative");
    }
    // A Vec takes whatever is written.
    let _ = match base {
        b'd' => write!(out, "{value:0width$}"),
        b'o' => write!(out, "{value:0width$o}"),
        b'x' => write!(out, "{value:0width$x}"),
        b'X' => write!(out, "{value:0width$X}"),
        b'n' | b'N' => {
            put_nibbles(value, width, base == b'N', out);
            Ok(())
        }
        _ => return Err(WRONG),
    };
    Ok(())
}

/// Hex digits from the lowest up with dots between, as reverse names have them; the width counts the dots.
fn put_nibbles(mut value: i64, mut width: usize, upper: bool, out: &mut Vec<u8>) {
    loop {
        let digit = char::from_digit((value & 15) as u32, 16).unwrap_or('0');
        out.push(if upper { digit.to_ascii_uppercase() } else { digit } as u8);
        value >>= 4;
        width = width.saturating_sub(1);
        if width > 0 || value != 0 {
            out.push(b'.');
            width = width.saturating_sub(1);
        }
        if value == 0 && width == 0 {
            break;
        }
    }
}
