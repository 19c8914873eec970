//! The table of legal grounds: which kinds of order each permits.

use std::collections::BTreeMap;
use std::path::Path;

use super::order::OrderKind;
use crate::disk;

/// The most octets of a table. Our choice: thousands of grounds.
const MOST: u64 = 1 << 20;

/// Legal grounds by code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds(BTreeMap<String, Option<OrderKind>>);

impl Grounds {
    /// The table that is built in.
    pub fn built_in() -> Self {
        Self::parse(include_str!("../../zones/legal-grounds.csv")).expect("the committed table is whole")
    }

    /// The table in a file, or the one that is built in where none is given.
    ///
    /// # Errors
    /// What is wrong, with the file.
    pub fn read(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::built_in()) };
        let text = disk::read_text(path, MOST).map_err(|error| error.to_string());
        text.and_then(|text| Self::parse(&text)).map_err(|what| format!("'{}': {what}", path.display()))
    }

    /// Reads the first two columns of a table in CSV: the code and the kind of order. A kind that is none of an order is kept as such.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, head)| !head.starts_with("code,order_type,")) {
            return Err("line 1: the columns must begin with code,order_type".into());
        }
        let mut grounds = BTreeMap::new();
        for (i, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let mut fields = line.split(',');
            let (code, kind) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
            if code.is_empty() || !code.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'_') {
                return Err(format!("line {}: '{}' is no code: capital letters, digits and underscores", i + 1, code.escape_debug()));
            }
            let kind = match kind {
                "suspend" => Some(OrderKind::Suspend),
                "cancel" => Some(OrderKind::Cancel),
                "restore" => Some(OrderKind::Restore),
                "record" => None,
                other => return Err(format!("line {}: '{}' is no kind of order", i + 1, other.escape_debug())),
            };
            if grounds.insert(code.to_owned(), kind).is_some() {
                return Err(format!("line {}: '{code}' stands twice", i + 1));
            }
        }
        Ok(Self(grounds))
    }

    /// The kind of order that a ground permits, `Some(None)` where it permits none; `None` where it is not in the table.
    pub fn kind(&self, code: &str) -> Option<Option<OrderKind>> {
        self.0.get(code).copied()
    }

    /// The grounds of a kind of order.
    pub fn of_kind(&self, kind: OrderKind) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, of)| **of == Some(kind)).map(|(code, _)| &code[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_each_ground_is_for() {
        let grounds = Grounds::built_in();
        assert_eq!(grounds.kind("VOLUNTARY"), Some(Some(OrderKind::Cancel)));
        assert_eq!(grounds.kind("DISPUTE_HOLD"), Some(None));
        assert_eq!(grounds.kind("voluntary"), None);
        assert_eq!(grounds.of_kind(OrderKind::Restore).collect::<Vec<_>>(), ["RESTORE_13_4"]);
        for (text, why) in [
            ("", "line 1"),
            ("code,order_type,x\nA,suspend,\nA,cancel,\n", "line 3: 'A' stands twice"),
            ("code,order_type,x\na,suspend,\n", "no code"),
            ("code,order_type,x\nA,delete,\n", "no kind"),
        ] {
            assert!(Grounds::parse(text).expect_err(why).contains(why));
        }
    }
}
