//! Catalog zones (RFC 9432): zones that list zones. What one says, how one is written, and which zones a server has by what its catalogs say.
//!
//! Knows no socket, file or configuration, and not where members come from.

mod read;
mod settle;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use crate::dns::Name;
use crate::dns::name::write_label;

pub use read::Broken;
pub use settle::{Change, Clash, Heard, Kind, Settled, WhyNot, settle};
pub use write::{CannotWrite, Properties, label, write};

/// The most members a catalog may have: our choice, well above what one server has zones.
pub const MOST_MEMBERS: usize = 100_000;

/// What a catalog says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Its members, by name in lower case.
    pub entries: BTreeMap<Name, Entry>,
}

/// What a catalog says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The label of the member's node, in lower case: another label is another zone of the same name (§5.4).
    pub id: Id,
    /// The catalog that may take the member over, in lower case (§4.3.1).
    pub coo: Option<Name>,
    /// The groups it belongs to, sorted (§4.3.2).
    pub groups: Vec<Group>,
}

/// The label of a member's node, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub Box<[u8]>);

impl Id {
    /// Of a label in any case.
    pub fn new(label: &[u8]) -> Self {
        Self(label.to_ascii_lowercase().into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_label(&self.0, f)
    }
}

/// The value of a group property: the whole RDATA of a TXT record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub Box<[u8]>);

impl Group {
    /// The group that one character-string names; longer text is cut off at its 255 octets.
    pub fn new(text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(255)];
        Self([&[text.len() as u8], text].concat().into())
    }

    /// True if the group is named by one character-string, and this is it, case included.
    pub fn is(&self, text: &str) -> bool {
        self.0.split_first().is_some_and(|(len, rest)| usize::from(*len) == rest.len() && rest == text.as_bytes())
    }
}

impl fmt::Display for Group {
    /// Its character-strings with a space between, what is not printable escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.0[..];
        while let Some((len, tail)) = rest.split_first() {
            let (text, tail) = tail.split_at(tail.len().min((*len).into()));
            write!(f, "{}", text.escape_ascii())?;
            f.write_str(if tail.is_empty() { "" } else { " " })?;
            rest = tail;
        }
        Ok(())
    }
}

/// A zone that is had by what a catalog says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The catalog that owns it, in lower case.
    pub catalog: Name,
    /// The label of its node there.
    pub id: Id,
    /// Its groups, sorted.
    pub groups: Vec<Group>,
}

#[cfg(test)]
mod tests;
