//! What a catalog zone says, or what is broken in it.
//!
//! RFC 9432 §4: properties that are not known, or whose records are of another type, are nobody's business; one that is known and wrong makes
//! the whole catalog broken, and nothing is done by it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Catalog, Entry, Group, Id, MOST_MEMBERS};
use crate::dns::{Name, NameRef, Record, Records, Rtype};
use crate::zone::Zone;

/// Why a zone is no catalog, or not one that anything may be done by (§5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No TXT record at `version`.
    NoVersion(Name),
    /// More than one.
    Versions(Name, usize),
    /// Another version than "2"; what it says, as far as it can be shown.
    Version(Name, String),
    /// More than one PTR record at this name, which may have one.
    Several(Name),
    /// The same member at two nodes.
    Twice(Name, [Id; 2]),
    /// More than [`MOST_MEMBERS`].
    TooMany,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVersion(at) => write!(f, "it has no TXT record at '{at}', so it is no catalog"),
            Self::Versions(at, n) => write!(f, "there are {n} TXT records at '{at}', and there may be one"),
            Self::Version(at, version) => write!(f, "the version at '{at}' is \"{version}\", and only \"2\" is known"),
            Self::Several(at) => write!(f, "there is more than one PTR record at '{at}'"),
            Self::Twice(member, [a, b]) => write!(f, "the member '{member}' is there twice, at the labels '{a}' and '{b}'"),
            Self::TooMany => write!(f, "it has more than {MOST_MEMBERS} members"),
        }
    }
}

/// What stands at the node of a member and right below it.
#[derive(Default)]
struct Node {
    member: Option<Name>,
    coo: Option<Name>,
    groups: Vec<Group>,
}

impl Catalog {
    /// Reads the catalog in `zone`. Cost: one pass over its records.
    ///
    /// # Errors
    /// The first thing that is broken.
    pub fn read(zone: &Zone) -> Result<Self, Broken> {
        Self::of(zone.apex(), &zone.records())
    }

    /// Reads the catalog in the records of the zone at `apex`.
    ///
    /// # Errors
    /// The first thing that is broken.
    pub fn of(apex: NameRef<'_>, records: &Records) -> Result<Self, Broken> {
        let mut versions: Vec<&[u8]> = Vec::new();
        let mut nodes: BTreeMap<Id, Node> = BTreeMap::new();
        let n_apex = apex.label_count();
        for record in records.iter().filter(|record| matches!(record.rtype, Rtype::TXT | Rtype::PTR) && record.owner.is_at_or_below(apex)) {
            let labels: Vec<Id> = record.owner.labels().take(record.owner.label_count() - n_apex).map(Id::new).collect();
            let labels: Vec<&[u8]> = labels.iter().map(|label| &*label.0).collect();
            match (&labels[..], record.rtype) {
                ([b"version"], Rtype::TXT) => versions.push(record.rdata),
                ([id, b"zones"], Rtype::PTR) => set(&mut nodes.entry(Id::new(id)).or_default().member, record)?,
                ([b"coo", id, b"zones"], Rtype::PTR) => set(&mut nodes.entry(Id::new(id)).or_default().coo, record)?,
                ([b"group", id, b"zones"], Rtype::TXT) => nodes.entry(Id::new(id)).or_default().groups.push(Group(record.rdata.into())),
                _ => {}
            }
            if nodes.len() > MOST_MEMBERS {
                return Err(Broken::TooMany);
            }
        }
        check_version(apex, &versions)?;
        let mut entries: BTreeMap<Name, Entry> = BTreeMap::new();
        for (id, Node { member, coo, mut groups }) in nodes {
            // Properties of nobody.
            let Some(member) = member else { continue };
            groups.sort();
            if let Some(other) = entries.insert(member.clone(), Entry { id: id.clone(), coo, groups }) {
                return Err(Broken::Twice(member, [other.id, id]));
            }
        }
        Ok(Self { entries })
    }
}

/// §4.2.1: exactly one, and exactly "2".
fn check_version(apex: NameRef<'_>, versions: &[&[u8]]) -> Result<(), Broken> {
    // An apex that leaves no room for the label has no such record either.
    let at = || Name::prepend(b"version", apex).unwrap_or_else(|_| apex.to_owned());
    match versions {
        [] => Err(Broken::NoVersion(at())),
        [b"\x012"] => Ok(()),
        [other] => Err(Broken::Version(at(), Group((*other).into()).to_string())),
        all => Err(Broken::Versions(at(), all.len())),
    }
}

/// Takes the name that a PTR record gives, where it is the only one.
fn set(place: &mut Option<Name>, record: Record<'_>) -> Result<(), Broken> {
    // RDATA was checked at the door; what is no name says nothing.
    let Ok(name) = NameRef::from_wire(record.rdata) else { return Ok(()) };
    match place.replace(name.to_lowercase()) {
        None => Ok(()),
        Some(_) => Err(Broken::Several(record.owner.to_owned())),
    }
}
