//! Which zones a server has by what its catalogs say now, and by which it had them before.
//!
//! RFC 9432 §4.3.1 (change of ownership), §5.2 (name clash), §5.3 (removal), §5.4 (another label), §5.5 (migration).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Catalog, Entry, Member};
use crate::dns::Name;

/// A catalog that is followed here, and what was heard of it.
pub struct Heard<'a> {
    /// Its name, in lower case.
    pub apex: &'a Name,
    /// What it says; `None` where it is broken, expired, or not here yet: nothing is done by it then (§5.1).
    pub says: Option<&'a Catalog>,
    /// Its members have to be at or below one of these names; none = anywhere.
    pub scope: &'a [Name],
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// All zones that are had by a catalog, by name in lower case.
    pub members: BTreeMap<Name, Member>,
    /// What is different from before.
    pub changes: Vec<Change>,
    /// What catalogs say and is not done.
    pub clashes: BTreeSet<Clash>,
}

/// What is different of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The member.
    pub member: Name,
    /// What.
    pub kind: Kind,
}

/// What is different of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is had now by this catalog.
    Added(Name),
    /// This catalog no longer has it, or is no longer followed.
    Removed(Name),
    /// It went over from one catalog to another.
    Moved {
        /// Which had it.
        from: Name,
        /// Which has it.
        to: Name,
        /// Under the same label and by the will of the first: what is here of the zone stays.
        keeps_state: bool,
    },
    /// This catalog has it under another label: it is another zone of the same name.
    Reset(Name),
    /// It belongs to other groups of this catalog.
    Regrouped(Name),
    /// It is configured here now; no catalog has a say in it.
    Configured,
}

impl Kind {
    /// True if nothing of what is here of the zone is to be used any more.
    pub fn ends_state(&self) -> bool {
        match self {
            Self::Removed(_) | Self::Reset(_) | Self::Moved { keeps_state: false, .. } => true,
            Self::Added(_) | Self::Moved { keeps_state: true, .. } | Self::Regrouped(_) | Self::Configured => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.member)?;
        match &self.kind {
            Kind::Added(catalog) => write!(f, "added by the catalog {catalog}"),
            Kind::Removed(catalog) => write!(f, "removed by the catalog {catalog}"),
            Kind::Moved { from, to, keeps_state: true } => write!(f, "moved from the catalog {from} to {to}"),
            Kind::Moved { from, to, keeps_state: false } => write!(f, "moved from the catalog {from} to {to}, begins anew"),
            Kind::Reset(catalog) => write!(f, "reset by the catalog {catalog}: it has another label, and begins anew"),
            Kind::Regrouped(catalog) => write!(f, "in other groups of the catalog {catalog}"),
            Kind::Configured => f.write_str("is configured here now, no catalog has a say in it"),
        }
    }
}

/// A member that a catalog lists and that is not had by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clash {
    /// The member.
    pub member: Name,
    /// The catalog.
    pub catalog: Name,
    /// Why.
    pub why: WhyNot,
}

/// Why a member is not had by a catalog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNot {
    /// A zone of that name is configured here, or is the registry's.
    IsOurs,
    /// This catalog has it, and does not give it to that one.
    IsOf(Name),
    /// Catalogs give it to each other in a circle.
    Circle,
    /// The catalog may not have members there.
    OutOfScope,
    /// The root, a wildcard, or a name in a catalog: no zone of anybody.
    NoZone,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, catalog, why } = self;
        write!(f, "[{catalog}] its member '{member}' is left out: ")?;
        match why {
            WhyNot::IsOurs => f.write_str("a zone of that name is served here that is no catalog's"),
            WhyNot::IsOf(other) => write!(f, "the catalog {other} has it, and has no coo property that gives it to {catalog}"),
            WhyNot::Circle => f.write_str("the coo properties of catalogs go in a circle, it stays where it was"),
            WhyNot::NoZone => f.write_str("the root, wildcards and names in a catalog are never members"),
            WhyNot::OutOfScope => f.write_str("it is not below any name of 'catalog-scope'"),
        }
    }
}

/// Works out the members. `is_ours` knows the zones that are no catalog's, the catalogs themselves among them; `before` is what was settled last.
/// Of catalogs that list the same new member the first has it.
///
/// Cost: one pass over all members, with look-ups in ordered maps.
pub fn settle(is_ours: impl Fn(&Name) -> bool, heard: &[Heard<'_>], before: &BTreeMap<Name, Member>) -> Settled {
    let mut settled = Settled::default();
    for (member, was) in before {
        if is_ours(member) {
            settled.changes.push(Change { member: member.clone(), kind: Kind::Configured });
            continue;
        }
        let Some(owner) = heard.iter().find(|heard| *heard.apex == was.catalog) else { continue };
        let Some(says) = owner.says else {
            settled.members.insert(member.clone(), was.clone());
            continue;
        };
        let Some(entry) = says.entries.get(member).filter(|_| is_zone(heard, member) && owner.admits(member)) else { continue };
        let (to, entry) = match follow(heard, member, owner, entry) {
            Some(end) => end,
            None => {
                let (member, catalog) = (member.clone(), was.catalog.clone());
                settled.clashes.insert(Clash { member, catalog, why: WhyNot::Circle });
                (owner.apex, entry)
            }
        };
        settled.members.insert(member.clone(), member_of(to, entry));
    }
    for owner in heard {
        for (member, entry) in owner.says.iter().flat_map(|says| &says.entries) {
            let why = match settled.members.get(member) {
                _ if is_ours(member) => WhyNot::IsOurs,
                _ if !is_zone(heard, member) => WhyNot::NoZone,
                _ if !owner.admits(member) => WhyNot::OutOfScope,
                None => {
                    settled.members.insert(member.clone(), member_of(owner.apex, entry));
                    continue;
                }
                Some(had) if had.catalog == *owner.apex || entry.coo.as_ref() == Some(&had.catalog) => continue,
                // It is where it was given to, by others on the way.
                Some(had) if follow(heard, member, owner, entry).is_some_and(|(end, _)| *end == had.catalog) => continue,
                Some(had) => WhyNot::IsOf(had.catalog.clone()),
            };
            settled.clashes.insert(Clash { member: member.clone(), catalog: owner.apex.clone(), why });
        }
    }
    for (member, was) in before.iter().filter(|(member, _)| !is_ours(member)) {
        let from = was.catalog.clone();
        let kind = match settled.members.get(member) {
            None => Kind::Removed(from),
            Some(is) if is.catalog != from => {
                let (gives, to) = (gives(heard, member, &from), is.catalog.clone());
                Kind::Moved { from, to, keeps_state: gives && is.id == was.id }
            }
            Some(is) if is.id != was.id => Kind::Reset(from),
            Some(is) if is.groups != was.groups => Kind::Regrouped(from),
            Some(_) => continue,
        };
        settled.changes.push(Change { member: member.clone(), kind });
    }
    for (member, is) in settled.members.iter().filter(|(member, _)| !before.contains_key(member)) {
        settled.changes.push(Change { member: member.clone(), kind: Kind::Added(is.catalog.clone()) });
    }
    settled
}

impl Heard<'_> {
    fn admits(&self, member: &Name) -> bool {
        self.scope.is_empty() || self.scope.iter().any(|top| member.as_ref().is_at_or_below(top.as_ref()))
    }
}

/// True if somebody may be given a zone of this name: by the root and by wildcards a catalog would take in all that is nobody's.
fn is_zone(heard: &[Heard<'_>], member: &Name) -> bool {
    let member = member.as_ref();
    !member.is_root() && !member.is_wildcard() && !heard.iter().any(|heard| member.is_at_or_below(heard.apex.as_ref()))
}

fn member_of(catalog: &Name, entry: &Entry) -> Member {
    Member { catalog: catalog.clone(), id: entry.id.clone(), groups: entry.groups.clone() }
}

/// Where a member ends that each catalog gives to the next, and the next has (§4.3.1: both have to say so); `None` in a circle.
fn follow<'a>(heard: &'a [Heard<'a>], member: &Name, owner: &'a Heard<'a>, entry: &'a Entry) -> Option<(&'a Name, &'a Entry)> {
    let (mut apex, mut entry) = (owner.apex, entry);
    // One that was not left by then is met again.
    for _ in 0..heard.len() {
        let next = entry.coo.as_ref().filter(|to| *to != apex).and_then(|to| {
            let next = heard.iter().find(|heard| heard.apex == to && heard.admits(member))?;
            Some((next.apex, next.says?.entries.get(member)?))
        });
        let Some(next) = next else { return Some((apex, entry)) };
        (apex, entry) = next;
    }
    None
}

/// True if the catalog gives the member away.
fn gives(heard: &[Heard<'_>], member: &Name, from: &Name) -> bool {
    let says = heard.iter().find(|heard| heard.apex == from).and_then(|heard| heard.says);
    says.and_then(|says| says.entries.get(member)).is_some_and(|entry| entry.coo.is_some())
}
