//! Comma-separated values, strictly: UTF-8, no NUL, LF at the end of a row, quotes as in RFC 4180 §2,
//! a header line with exactly the columns wanted, and as many fields in every row.
//!
//! Knows no column's meaning. Fields are places in the text, so that a million rows cost no allocation; a text can be cut where rows end
//! and read in parts.

use std::fmt;
use std::ops::Range;

use crate::telemetry::count;

/// What is wrong with a text, and in which line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvError {
    /// The line.
    pub line: u64,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.detail)
    }
}

impl std::error::Error for CsvError {}

/// One row of a text. Its fields are places in the text, so that whoever keeps a field keeps no copy.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The line that the row starts in.
    pub line: u64,
    text: &'a [u8],
    places: &'a [Range<usize>],
}

impl<'a> Row<'a> {
    /// The text that the row stands in.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The value of a field; the caller knows how many there are.
    pub fn value(&self, i: usize) -> &'a [u8] {
        &self.text[self.place(i)]
    }

    /// Where in the text the value stands.
    pub fn place(&self, i: usize) -> Range<usize> {
        self.places[i].clone()
    }
}

/// Calls `row` with each row after the header line; returns the number of rows.
///
/// A field with doubled quotes is undoubled where it stands, so that every value lies in `text` as one piece.
/// Cost: two passes over the text. The last row may lack its LF.
///
/// # Errors
/// The first thing that is wrong; `row` has then seen the rows before it.
pub fn scan(text: &mut [u8], columns: &[&str], row: impl FnMut(Row<'_>)) -> Result<u64, CsvError> {
    check(text)?;
    let header = header(text, columns)?;
    rows(&mut text[header..], 2, columns.len(), row).map(|read| read.rows)
}

/// Proves that a text is UTF-8 and has no NUL.
///
/// # Errors
/// The first octet that is neither.
pub(super) fn check(text: &[u8]) -> Result<(), CsvError> {
    let error = |at: usize, detail: &str| {
        let line = 1 + text[..at].iter().filter(|&&octet| octet == b'\n').count() as u64;
        Err(CsvError { line, detail: detail.into() })
    };
    let valid = match std::str::from_utf8(text) {
        Ok(_) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    if text[..valid].contains(&0) {
        return error(text.iter().position(|&octet| octet == 0).unwrap_or(0), "a NUL octet");
    }
    if valid < text.len() {
        return error(valid, "not UTF-8");
    }
    Ok(())
}

/// Reads the header line, which must name the columns; returns where the rows start.
///
/// # Errors
/// When it is missing, or another one.
pub(super) fn header(text: &mut [u8], columns: &[&str]) -> Result<usize, CsvError> {
    let wanted = columns.join(",");
    if text.is_empty() {
        return Err(CsvError { line: 1, detail: format!("the header line is missing, want '{wanted}'") });
    }
    let mut scanner = Scanner { text, at: 0, line: 1 };
    let mut places = vec![0..0; columns.len()];
    scanner.row(&mut places)?;
    let end = scanner.at;
    if !places.into_iter().map(|place| &text[place]).eq(columns.iter().map(|column| column.as_bytes())) {
        return Err(CsvError { line: 1, detail: format!("the header line must be '{wanted}'") });
    }
    Ok(end)
}

/// What was read of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub rows: u64,
    pub lines: u64,
}

/// Calls `row` with each row of a checked text without header line, or of one of its [`parts`]; its first line has the number `line`.
///
/// # Errors
/// The first thing that is wrong; `row` has then seen the rows before it.
pub(super) fn rows(text: &mut [u8], line: u64, width: usize, mut row: impl FnMut(Row<'_>)) -> Result<Read, CsvError> {
    let mut scanner = Scanner { text, at: 0, line };
    let mut places = vec![0..0; width];
    let mut rows = 0;
    while scanner.at < scanner.text.len() {
        let line = scanner.line;
        scanner.row(&mut places)?;
        row(Row { line, text: scanner.text, places: &places });
        rows += 1;
    }
    Ok(Read { rows, lines: scanner.line - line })
}

/// Cuts rows into parts of `size` octets and a little more, each of which ends where a row does; returns how long each part is.
///
/// Read one after the other, parts give what the whole gives, up to the first error and with that error: as long as nothing is wrong, an
/// LF ends a row if the number of quotes before it is even.
pub(super) fn parts(text: &[u8], size: usize) -> Vec<usize> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > size {
        let (head, tail) = rest.split_at(size);
        let mut is_quoted = head.iter().fold(false, |odd, &octet| odd ^ (octet == b'"'));
        let is_end = |&octet: &u8| {
            is_quoted ^= octet == b'"';
            octet == b'\n' && !is_quoted
        };
        let n = size + tail.iter().position(is_end).map_or(tail.len(), |at| at + 1);
        parts.push(n);
        rest = &rest[n..];
    }
    if !rest.is_empty() {
        parts.push(rest.len());
    }
    parts
}

/// Appends a row of values, in quotes where they could not be read otherwise.
pub fn write_row(values: &[&str], out: &mut Vec<u8>) {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let low = before_low(value.as_bytes());
        if value[low..].bytes().any(|octet| matches!(octet, b',' | b'"' | b'\n' | b'\r')) {
            out.push(b'"');
            out.extend_from_slice(value.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'\n');
}

struct Scanner<'a> {
    text: &'a mut [u8],
    at: usize,
    line: u64,
}

impl Scanner<'_> {
    /// Reads one row with its LF, which must have a field for every place.
    fn row(&mut self, places: &mut [Range<usize>]) -> Result<(), CsvError> {
        let (line, want) = (self.line, places.len());
        let mut n = 0;
        loop {
            let place = if self.text.get(self.at) == Some(&b'"') { self.quoted()? } else { self.bare()? };
            let Some(next) = places.get_mut(n) else {
                return Err(CsvError { line, detail: format!("more than {want} fields") });
            };
            *next = place;
            n += 1;
            match self.text.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    break;
                }
                None => break,
                Some(_) => return Err(self.error("text after a closing quote")),
            }
        }
        if n < want {
            return Err(CsvError { line, detail: format!("{}, want {want}", count(n, "field")) });
        }
        Ok(())
    }

    fn bare(&mut self) -> Result<Range<usize>, CsvError> {
        let start = self.at;
        loop {
            self.at += before_low(&self.text[self.at..]);
            match self.text.get(self.at) {
                None | Some(b',' | b'\n') => return Ok(start..self.at),
                Some(b'"') => return Err(self.error("a quote inside a field that does not start with one")),
                Some(b'\r') => return Err(self.error("a carriage return, rows end with LF alone")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Reads a field in quotes, and moves what stands behind a doubled quote one octet to the front.
    fn quoted(&mut self) -> Result<Range<usize>, CsvError> {
        let opened = self.line;
        self.at += 1;
        let start = self.at;
        let mut end = start;
        loop {
            let Some(&octet) = self.text.get(self.at) else {
                return Err(CsvError { line: opened, detail: "a quote is not closed".into() });
            };
            self.at += 1;
            if octet == b'"' {
                if self.text.get(self.at) != Some(&b'"') {
                    return Ok(start..end);
                }
                self.at += 1;
            }
            self.line += u64::from(octet == b'\n');
            self.text[end] = octet;
            end += 1;
        }
    }

    fn error(&self, detail: &str) -> CsvError {
        CsvError { line: self.line, detail: detail.into() }
    }
}

/// How many octets stand before the first one below `-`: all that end a field are, and hardly any other.
fn before_low(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        // Eight octets at once: the high bit of the lowest octet that is below is set, whatever stands behind it.
        let word = u64::from_le_bytes(*word);
        let low = word.wrapping_sub(ONES * u64::from(b'-')) & !word & ONES << 7;
        if low != 0 {
            return i * 8 + low.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|&octet| octet < b'-').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<(u64, Vec<String>)>, CsvError> {
        let mut out = Vec::new();
        let n = scan(&mut text.to_vec(), &["a", "b"], |row| out.push(shown(&row)))?;
        assert_eq!(n, out.len() as u64);
        Ok(out)
    }

    fn shown(row: &Row<'_>) -> (u64, Vec<String>) {
        let text = |i| String::from_utf8(row.value(i).to_vec()).expect("checked");
        (row.line, [text(0), text(1)].to_vec())
    }

    #[track_caller]
    fn good(text: &str, expected: &[(u64, [&str; 2])]) {
        let rows = rows(text.as_bytes()).expect(text);
        let expected: Vec<(u64, Vec<String>)> = expected.iter().map(|(n, row)| (*n, row.map(str::to_owned).to_vec())).collect();
        assert_eq!(rows, expected, "{text}");
    }

    #[track_caller]
    fn bad(text: &[u8], line: u64, detail: &str) {
        let error = rows(text).expect_err("refused");
        assert_eq!(error.line, line, "{error}");
        assert!(error.detail.contains(detail), "{error}");
    }

    #[test]
    fn rows_are_read_as_rfc_4180_says() {
        good("a,b\n", &[]);
        good("a,b", &[]);
        good("a,b\n1,2\n,\n", &[(2, ["1", "2"]), (3, ["", ""])]);
        good("a,b\n1,2", &[(2, ["1", "2"])]);
        good("\"a\",b\n\"x,y\",\"1\n2\"\nz,\"say \"\"so\"\"\"\n", &[(2, ["x,y", "1\n2"]), (4, ["z", "say \"so\""])]);
        good("a,b\n\"\"\"\",\"\"\n", &[(2, ["\"", ""])]);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut text = b"a,b\n".to_vec();
        let written = [["x", ""], ["1,2", "say \"so\""], ["two\nlines", "\r"], ["việt nam.vn", "*+ !"]];
        written.iter().for_each(|row| write_row(row, &mut text));
        let plain = "a,b\nx,\n\"1,2\",\"say \"\"so\"\"\"\n\"two\nlines\",\"\r\"\nviệt nam.vn,*+ !\n";
        assert_eq!(String::from_utf8_lossy(&text), plain);
        let read: Vec<Vec<String>> = rows(&text).expect("good").into_iter().map(|(_, row)| row).collect();
        assert_eq!(read, written);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        bad(b"", 1, "header");
        bad(b"a,c\n", 1, "header");
        bad(b"a\n", 1, "1 field, want 2");
        bad(b"\xef\xbb\xbfa,b\n", 1, "header");
        bad(b"a,b\n1,2\n1\n", 3, "1 field, want 2");
        bad(b"a,b\n1,2\n\n", 3, "1 field, want 2");
        bad(b"a,b\n1,2,3\n", 2, "more than 2");
        bad(b"a,b\n\"1\n2\",2\n1,2,3\n", 4, "more than 2");
        bad(b"a,b\n1,2\n1,\0\n", 3, "NUL");
        bad(b"a,b\n1,\xff\n", 2, "UTF-8");
        bad(b"a,b\n1,\xff\n\0", 2, "UTF-8");
        bad(b"a,b\n1,2\r\n", 2, "carriage return");
        bad(b"a,b\n1,2\"\n", 2, "quote inside");
        bad(b"a,b\n1,\"2\n", 2, "not closed");
        bad(b"a,b\n1,\"2\"x\n", 2, "after a closing quote");
    }

    #[test]
    fn no_bytes_panic_and_parts_give_what_the_whole_gives() {
        let mut rng = fastrand::Rng::with_seed(4180);
        let (mut n_good, mut n_cut) = (0, 0);
        for _ in 0..40_000 {
            let mut text = b"a,b\n".to_vec();
            for _ in 0..rng.usize(..6) {
                match rng.u8(..8) {
                    0 => text.extend((0..rng.usize(..12)).map(|_| *rng.choice(b"a,\"\n\r\0\xff\xc3\xa0").expect("some"))),
                    _ => text.extend(*rng.choice([&b"1,2\n"[..], b"\"x\ny\",\n", b"\"\"\"\n\",\"\"\n"].iter()).expect("some")),
                }
            }
            let whole = rows(&text);
            n_good += u32::from(whole.as_ref().is_ok_and(|rows| rows.len() > 2));
            let size = rng.usize(1..20);
            n_cut += u32::from(parts(&text[4..], size).len() > 2);
            assert_eq!(in_parts(&text, size), whole, "{}, parts of {size}", text.escape_ascii());
        }
        assert!(n_good > 1000 && n_cut > 1000, "{n_good} of many rows, {n_cut} of many parts");
    }

    fn in_parts(text: &[u8], size: usize) -> Result<Vec<(u64, Vec<String>)>, CsvError> {
        check(text)?;
        let mut text = text.to_vec();
        let header = header(&mut text, &["a", "b"])?;
        let mut rest = &mut text[header..];
        let (mut out, mut line) = (Vec::new(), 2);
        for n in parts(rest, size) {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(n);
            line += super::rows(part, line, 2, |row| out.push(shown(&row)))?.lines;
            rest = behind;
        }
        assert!(rest.is_empty());
        Ok(out)
    }
}
