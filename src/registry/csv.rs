//! Comma-separated values, strictly: UTF-8, no NUL, LF at the end of a row, quotes as in RFC 4180 §2,
//! a header line with exactly the columns wanted, and as many fields in every row.
//!
//! Fields are places in the text, so that a million rows cost no allocation. Knows no column's meaning.

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

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// It stands in the text as it is, quotes around it left out.
    Plain(Range<usize>),
    /// It stands in the text with its quotes doubled.
    Doubled(Range<usize>),
}

impl Field {
    /// The value, given the text that was scanned.
    pub fn value(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain(range) => text[range.clone()].to_vec(),
            Self::Doubled(range) => {
                let mut out = Vec::with_capacity(range.len());
                let mut octets = text[range.clone()].iter();
                while let Some(&octet) = octets.next() {
                    out.push(octet);
                    if octet == b'"' {
                        octets.next();
                    }
                }
                out
            }
        }
    }
}

/// Calls `row` with the line number and the fields of each row after the header line; returns the number of rows.
///
/// Cost: two passes over the text. The last row may lack its LF.
///
/// # Errors
/// The first thing that is wrong; `row` has then seen the rows before it.
pub fn scan(text: &[u8], columns: &[&str], mut row: impl FnMut(u64, &[Field])) -> Result<u64, CsvError> {
    let line_at = |at: usize| 1 + text[..at].iter().filter(|&&octet| octet == b'\n').count() as u64;
    let valid = match std::str::from_utf8(text) {
        Ok(_) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    if text[..valid].contains(&0) {
        let at = text.iter().position(|&octet| octet == 0).unwrap_or(0);
        return Err(CsvError { line: line_at(at), detail: "a NUL octet".into() });
    }
    if valid < text.len() {
        return Err(CsvError { line: line_at(valid), detail: "not UTF-8".into() });
    }
    let mut scanner = Scanner { text, at: 0, line: 1 };
    let mut fields = Vec::with_capacity(columns.len() + 1);
    if text.is_empty() {
        return Err(CsvError { line: 1, detail: format!("the header line is missing, want '{}'", columns.join(",")) });
    }
    scanner.row(columns.len(), &mut fields)?;
    if !fields.iter().map(|field| field.value(text)).eq(columns.iter().map(|column| column.as_bytes().to_vec())) {
        return Err(CsvError { line: 1, detail: format!("the header line must be '{}'", columns.join(",")) });
    }
    let mut rows = 0;
    while scanner.at < text.len() {
        let line = scanner.line;
        scanner.row(columns.len(), &mut fields)?;
        row(line, &fields);
        rows += 1;
    }
    Ok(rows)
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Scanner<'_> {
    /// Reads one row with its LF; on success there are exactly `want` fields.
    fn row(&mut self, want: usize, fields: &mut Vec<Field>) -> Result<(), CsvError> {
        fields.clear();
        let line = self.line;
        loop {
            let field = if self.text.get(self.at) == Some(&b'"') { self.quoted()? } else { self.bare()? };
            // Counted while reading, so that one endless row does not fill the memory.
            if fields.len() == want {
                return Err(CsvError { line, detail: format!("more than {want} fields") });
            }
            fields.push(field);
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
        if fields.len() < want {
            return Err(CsvError { line, detail: format!("{}, want {want}", count(fields.len(), "field")) });
        }
        Ok(())
    }

    fn bare(&mut self) -> Result<Field, CsvError> {
        let start = self.at;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b',' | b'\n' => break,
                b'"' => return Err(self.error("a quote inside a field that does not start with one")),
                b'\r' => return Err(self.error("a carriage return, rows end with LF alone")),
                _ => self.at += 1,
            }
        }
        Ok(Field::Plain(start..self.at))
    }

    fn quoted(&mut self) -> Result<Field, CsvError> {
        let opened = self.line;
        self.at += 1;
        let start = self.at;
        let mut doubled = false;
        loop {
            match (self.text.get(self.at), self.text.get(self.at + 1)) {
                (None, _) => return Err(CsvError { line: opened, detail: "a quote is not closed".into() }),
                (Some(b'"'), Some(b'"')) => {
                    doubled = true;
                    self.at += 2;
                }
                (Some(b'"'), _) => break,
                (Some(&octet), _) => {
                    self.line += u64::from(octet == b'\n');
                    self.at += 1;
                }
            }
        }
        let range = start..self.at;
        self.at += 1;
        Ok(if doubled { Field::Doubled(range) } else { Field::Plain(range) })
    }

    fn error(&self, detail: &str) -> CsvError {
        CsvError { line: self.line, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<(u64, Vec<String>)>, CsvError> {
        let mut out = Vec::new();
        let n = scan(text, &["a", "b"], |line, fields| {
            let text = |field: &Field| String::from_utf8(field.value(text)).expect("checked");
            out.push((line, fields.iter().map(text).collect()));
        })?;
        assert_eq!(n, out.len() as u64);
        Ok(out)
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
    fn no_bytes_panic() {
        let mut rng = fastrand::Rng::with_seed(4180);
        for _ in 0..20_000 {
            let mut text = b"a,b\n".to_vec();
            text.extend((0..rng.usize(..12)).map(|_| *rng.choice(b"a,\"\n\r\0\xff\xc3\xa0").expect("some")));
            let _ = rows(&text);
        }
    }
}
