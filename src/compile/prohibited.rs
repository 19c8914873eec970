//! Phrases that no name may hold (92/2003 art. 9.2), found in one walk over a label however many there are.

use std::collections::{HashMap, HashSet};

use crate::dns::idn::{self, Repertoire};
use crate::registry::csv;

/// The phrases, ready to be looked for.
#[derive(Clone, Debug, Default)]
pub struct Prohibited {
    /// Whole labels.
    exact: HashSet<Vec<u8>>,
    /// Phrases of two octets and more, by their first two.
    within: HashMap<[u8; 2], Vec<Vec<u8>>>,
    /// A bit for every two octets that are a key of `within`; empty without any. Nearly all of a label is passed with a look at it.
    starts: Vec<u64>,
    /// Phrases of one octet.
    single: HashSet<u8>,
}

impl Prohibited {
    /// Nothing is forbidden.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads `token,match,note,article`; match is `exact` (the whole label), `contains` (part of it, also once tone marks
    /// are taken away), or `fold` (as `contains`, the token's own marks taken away too).
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &[u8], idn: &Repertoire) -> Result<Self, String> {
        let mut phrases = Self::none();
        let mut fault = None;
        csv::scan(&mut text.to_vec(), &["token", "match", "note", "article"], |row| {
            let line = row.line;
            let value = |i: usize| std::str::from_utf8(row.value(i)).expect("the scanner checks UTF-8");
            // U-labels are in normalization form C; a phrase in another form would never be found.
            let token = idn::fold_case(value(0));
            match value(1) {
                _ if token.is_empty() => fault = fault.take().or(Some(format!("line {line}: the token is empty"))),
                "exact" => drop(phrases.exact.insert(token.into_bytes())),
                "contains" => phrases.add_within(token),
                "fold" => {
                    phrases.add_within(idn.ascii_fold(&token));
                    phrases.add_within(token);
                }
                other => fault = fault.take().or(Some(format!("line {line}: match '{other}' is none of exact, contains, fold"))),
            }
        })
        .map_err(|error| error.to_string())?;
        fault.map_or(Ok(phrases), Err)
    }

    /// True if the U-label holds a forbidden phrase, as it is or in its ASCII form.
    ///
    /// Cost: one look-up an octet of the label.
    pub fn forbids(&self, u_label: &str, idn: &Repertoire) -> bool {
        if self.exact.contains(u_label.as_bytes()) || self.is_within(u_label.as_bytes()) {
            return true;
        }
        !u_label.is_ascii() && self.is_within(idn.ascii_fold(u_label).as_bytes())
    }

    fn add_within(&mut self, token: String) {
        match *token.as_bytes() {
            [only] => drop(self.single.insert(only)),
            [a, b, ..] => {
                self.within.entry([a, b]).or_default().push(token.into_bytes());
                self.starts.resize(1 << 10, 0);
                let pair = u16::from_be_bytes([a, b]);
                self.starts[usize::from(pair >> 6)] |= 1 << (pair & 63);
            }
            [] => {}
        }
    }

    fn is_within(&self, label: &[u8]) -> bool {
        if !self.single.is_empty() && label.iter().any(|octet| self.single.contains(octet)) {
            return true;
        }
        if self.starts.is_empty() {
            return false;
        }
        label.array_windows().enumerate().any(|(i, &[a, b])| {
            let pair = u16::from_be_bytes([a, b]);
            self.starts[usize::from(pair >> 6)] >> (pair & 63) & 1 == 1
                && self.within[&[a, b]].iter().any(|phrase| label[i..].starts_with(phrase))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_where_they_count() {
        let idn = Repertoire::parse(include_str!("../../zones/idn-vi.txt")).expect("committed");
        let text = "token,match,note,article\ncam,exact,,\ncumtucam,contains,\"a, b\",9.2\nbậy,fold,,\nxa\u{302}\u{301}u,exact,,\nCấm,contains,,\n9,contains,,\n";
        let prohibited = Prohibited::parse(text.as_bytes(), &idn).expect("good");
        for forbidden in ["cam", "cumtucam", "shop-cumtucam", "cụmtừcấm", "xcụmtừcấmx", "bay", "baybong", "bậy", "x9", "cấmđỗ", "xấu"]
        {
            assert!(prohibited.forbids(forbidden, &idn), "{forbidden}");
        }
        for allowed in ["cama", "cám", "cumtuca", "cumtu-cam", "ba", "b", "", "camdo"] {
            assert!(!prohibited.forbids(allowed, &idn), "{allowed}");
        }
        assert!(!Prohibited::none().forbids("cam", &idn));
        assert!(Prohibited::parse(b"token,match,note,article\na,b,,\n", &idn).expect_err("match").contains("line 2"));
        assert!(Prohibited::parse(b"token,match,note,article\n,exact,,\n", &idn).expect_err("empty").contains("line 2"));
        assert!(Prohibited::parse(b"token,match\n", &idn).is_err());
    }
}
