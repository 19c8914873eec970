//! What each name of a zone is to DNSSEC: signed, a zone cut, below one, or empty; in canonical order.
//!
//! RFC 4035 §2.2 and §2.3 (what is signed, what is in the chain), RFC 5155 §7.1 (empty non-terminals), RFC 6672 §2.4 (below a DNAME).

use std::collections::HashSet;

use super::Denial;
use crate::dns::name::MAX_LABELS;
use crate::dns::{Name, NameRecords, NameRef, Records, Rtype};

/// One name of the zone, or one empty non-terminal. 8 bytes, so that a million of them stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first record of the name; for an empty non-terminal that of the first name below it.
    pub entry: u32,
    /// How many labels to take off that name: not 0 for empty non-terminals alone.
    pub strip: u8,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The apex, and any name with authoritative data.
    Signed,
    /// A delegation with DS.
    SecureCut,
    /// A delegation without DS.
    InsecureCut,
    /// An empty non-terminal above something other than insecure delegations.
    Empty,
    /// An empty non-terminal above insecure delegations alone: not needed with opt-out.
    InsecureEmpty,
    /// The same, beside a wildcard: given a link by us, not missed where another signer left it out.
    GuardedEmpty,
    /// Below a zone cut or a DNAME: glue and what is occluded; never signed, not in the chain.
    Below,
    /// Holds only RRSIG, NSEC or NSEC3: no name of the unsigned zone.
    Denial,
    /// Not at or below the apex.
    Outside,
}

impl Place {
    pub(super) fn name<'a>(&self, records: &'a Records) -> NameRef<'a> {
        let mut name = records.name_at(self.entry as usize).owner();
        for _ in 0..self.strip {
            name = name.parent().expect("an empty non-terminal is below the apex");
        }
        name
    }

    /// True if the place has a link in the chain.
    pub(super) fn is_linked(&self, rule: LinkRule) -> bool {
        self.kind.is_linked(rule)
    }
}

impl Kind {
    /// True if a name of this kind has a link in the chain.
    pub(super) fn is_linked(self, rule: LinkRule) -> bool {
        match self {
            Kind::Signed | Kind::SecureCut => true,
            Kind::InsecureCut => rule != LinkRule::OptOut,
            Kind::Empty | Kind::GuardedEmpty => rule != LinkRule::Nsec,
            Kind::InsecureEmpty => rule == LinkRule::Nsec3,
            Kind::Below | Kind::Denial | Kind::Outside => false,
        }
    }

    /// True for a name whose link none but itself needs: what stands above it is needed for its sake, what stands beside a wildcard of
    /// such a kind is guarded.
    pub(super) fn is_needed(self) -> bool {
        matches!(self, Self::Signed | Self::SecureCut | Self::Empty)
    }

    /// True if the set of this type at a name of this kind is signed (RFC 4035 §2.2).
    pub(super) fn signs(self, rtype: Rtype) -> bool {
        self == Self::Signed || self == Self::SecureCut && rtype == Rtype::DS
    }
}

/// Which names have links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkRule {
    /// Every name with data; empty non-terminals have none.
    Nsec,
    /// Every name and every empty non-terminal.
    Nsec3,
    /// As NSEC3, but for insecure delegations and what only leads to them, unless it stands beside a wildcard.
    OptOut,
}

impl LinkRule {
    pub(super) fn of(denial: &Denial) -> Self {
        match denial {
            Denial::Nsec => Self::Nsec,
            Denial::Nsec3 { opt_out: false, .. } => Self::Nsec3,
            Denial::Nsec3 { opt_out: true, .. } => Self::OptOut,
        }
    }
}

/// Walks the sorted `records` of the zone `apex`.
///
/// An ancestor of a name that is not there itself is an empty non-terminal. It is new exactly when the name before
/// is not below it too, since in canonical order all names of a subtree stand together.
pub(super) fn walk(records: &Records, apex: NameRef<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(records.len() / 2);
    let apex_depth = apex.label_count();
    let mut entry = 0u32;
    let mut below: Option<NameRef<'_>> = None;
    // The last name in the tree, and the last that is no insecure delegation.
    let (mut last, mut last_needed) = (apex, apex);
    // Where the insecure empty non-terminal of each depth stands, as long as it may turn out to be needed.
    let mut insecure = [u32::MAX; MAX_LABELS + 1];
    for name in records.names() {
        let owner = name.owner();
        let mut place = Place { entry, strip: 0, kind: Kind::Below };
        entry += name.len() as u32;
        if below.is_some_and(|top| owner.is_at_or_below(top)) {
            // With a DNAME at the apex the NSEC3 records stand below it all the same.
            if name.rrsets().all(|set| matches!(set.rtype(), Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3)) {
                place.kind = Kind::Denial;
            }
            places.push(place);
            continue;
        }
        below = None;
        place.kind = kind(&name, apex, &mut below);
        if matches!(place.kind, Kind::Denial | Kind::Outside) {
            places.push(place);
            continue;
        }
        let depth = owner.label_count();
        let known = shared_labels(owner, last);
        if place.kind == Kind::InsecureCut {
            let first = known.max(apex_depth) + 1;
            for (level, slot) in insecure.iter_mut().enumerate().take(depth).skip(first) {
                *slot = places.len() as u32;
                places.push(Place { strip: (depth - level) as u8, kind: Kind::InsecureEmpty, ..place });
            }
        } else {
            for level in shared_labels(owner, last_needed).max(apex_depth) + 1..depth {
                if level <= known {
                    // Met before, above insecure delegations; no name stands there, or it would be the last needed one or below.
                    places[insecure[level] as usize].kind = Kind::Empty;
                } else {
                    places.push(Place { strip: (depth - level) as u8, kind: Kind::Empty, ..place });
                }
            }
            last_needed = owner;
        }
        last = owner;
        places.push(place);
    }
    guard(&mut places, records);
    places
}

/// Finds the empty non-terminals above insecure delegations whose closest provable encloser has a wildcard.
///
/// Left out of the chain, as RFC 5155 §7.1 lets a signer do, such a name makes the names below it unprovable: their closest encloser
/// would seem to be the wildcard's parent, and the wildcard there exists, so that no name error can be shown (§7.2.2), and an
/// answer made up from the wildcard could be (§7.2.6). With a link of its own it is itself the closest provable encloser.
///
/// Only a direct child of the wildcard's parent can be one: above anything deeper stands either such a child, or a parent
/// without a link or without a wildcard. A wildcard without a link, which is insecure itself, does no harm.
fn guard(places: &mut [Place], records: &Records) {
    let linked = places.iter().filter(|place| place.kind.is_needed());
    let parents: HashSet<Name> = linked
        .map(|place| place.name(records))
        .filter(|name| name.is_wildcard())
        .filter_map(|name| Some(name.parent()?.to_owned()))
        .collect();
    if parents.is_empty() {
        return;
    }
    for place in places.iter_mut().filter(|place| place.kind == Kind::InsecureEmpty) {
        if place.name(records).parent().is_some_and(|parent| parents.contains(&parent.to_owned())) {
            place.kind = Kind::GuardedEmpty;
        }
    }
}

/// What the name is; `below` is set where it hides what is below it.
pub(super) fn kind<'a>(name: &NameRecords<'a>, apex: NameRef<'_>, below: &mut Option<NameRef<'a>>) -> Kind {
    let owner = name.owner();
    let (mut ns, mut ds, mut any) = (false, false, false);
    for set in name.rrsets() {
        match set.rtype() {
            Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 => continue,
            Rtype::NS => ns = true,
            Rtype::DS => ds = true,
            Rtype::DNAME => *below = Some(owner),
            _ => {}
        }
        any = true;
    }
    if !owner.is_at_or_below(apex) {
        return Kind::Outside;
    }
    if !any {
        return Kind::Denial;
    }
    if ns && owner != apex {
        *below = Some(owner);
        return if ds { Kind::SecureCut } else { Kind::InsecureCut };
    }
    Kind::Signed
}

/// How many labels two names share, counted from the right.
fn shared_labels(a: NameRef<'_>, b: NameRef<'_>) -> usize {
    let (mut x, mut y) = (a, b);
    let (mut n, m) = (a.label_count(), b.label_count());
    for _ in m..n {
        x = x.parent().expect("longer than the other");
    }
    for _ in n..m {
        y = y.parent().expect("longer than the other");
    }
    n = n.min(m);
    // Names of equal label counts: take labels off until the rest is equal.
    while x != y {
        x = x.parent().expect("the roots are equal");
        y = y.parent().expect("the roots are equal");
        n -= 1;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_kind() {
        let mut records = Records::new();
        for line in [
            "vn SOA",
            "vn NS",
            "vn DNSKEY",
            "www.vn A",
            "a.b.c.vn A",
            "x.b.c.vn NS",
            "i.only.vn NS",
            "j.only.vn NS",
            "k.later.vn NS",
            "z.later.vn A",
            "p.q.later.vn NS",
            "s.vn NS",
            "s.vn DS",
            "ns.s.vn A",
            "t.ns.s.vn NS",
            "d.vn DNAME",
            "x.d.vn A",
            "y.x.d.vn NS",
            "ghost.vn NSEC",
            "com A",
            "*.w.vn TXT",
            "deep.er.s2.vn NS",
            "er.s2.vn A",
            "i.E.W.vn NS",
            "i.j.f.w.vn NS",
            "i.*.wi.vn NS",
            "a.wi.vn A",
            "i.e.wi.vn NS",
        ] {
            let (owner, rtype) = line.split_once(' ').expect("two words");
            let owner = Name::parse(owner).expect("name");
            records.push(owner.as_ref(), rtype.parse().expect("type"), 1, b"\0").expect("room");
        }
        records.sort();
        let apex = Name::parse("vn").expect("name");
        let found: Vec<String> =
            walk(&records, apex.as_ref()).iter().map(|place| format!("{} {:?}", place.name(&records), place.kind)).collect();
        let expected = [
            "com. Outside",
            "vn. Signed",
            "c.vn. Empty",
            "b.c.vn. Empty",
            "a.b.c.vn. Signed",
            "x.b.c.vn. InsecureCut",
            "d.vn. Signed",
            "x.d.vn. Below",
            "y.x.d.vn. Below",
            "ghost.vn. Denial",
            "later.vn. Empty",
            "k.later.vn. InsecureCut",
            "q.later.vn. InsecureEmpty",
            "p.q.later.vn. InsecureCut",
            "z.later.vn. Signed",
            "only.vn. InsecureEmpty",
            "i.only.vn. InsecureCut",
            "j.only.vn. InsecureCut",
            "s.vn. SecureCut",
            "ns.s.vn. Below",
            "t.ns.s.vn. Below",
            "s2.vn. Empty",
            "er.s2.vn. Signed",
            "deep.er.s2.vn. InsecureCut",
            "w.vn. Empty",
            "*.w.vn. Signed",
            "E.W.vn. GuardedEmpty",
            "i.E.W.vn. InsecureCut",
            "f.w.vn. GuardedEmpty",
            "j.f.w.vn. InsecureEmpty",
            "i.j.f.w.vn. InsecureCut",
            "wi.vn. Empty",
            "*.wi.vn. InsecureEmpty",
            "i.*.wi.vn. InsecureCut",
            "a.wi.vn. Signed",
            "e.wi.vn. InsecureEmpty",
            "i.e.wi.vn. InsecureCut",
            "www.vn. Signed",
        ];
        assert_eq!(found, expected);
    }
}
