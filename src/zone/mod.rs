//! The zone in memory: `Zone` is one serial and never changes, `ZoneSet` is what the server answers from.
//!
//! Knows no socket, no file and no key. Flat arrays instead of a tree of pointers: what differs per name is a node
//! of a few dozen bytes, what is shared is a ready wire piece.

mod around;
mod base;
mod build;
mod chain;
mod check;
mod diff;
mod finding;
mod hash;
mod image;
mod names;
mod overlay;
pub mod piece;
mod placeless;
mod proof;
mod set;
mod sets;
mod sorted;
mod step;
mod walk;
mod warm;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

pub use base::{Counts, Cut, CutLink, Host, Hosts, Node};
pub use build::check_name;
pub use chain::{Nsec3Params, nsec_set};
pub use check::check;
pub use diff::{Diff, DiffError};
pub use finding::{Fault, Finding, Severity};
pub use image::{Image, ImageError, ReadAt};
pub use names::NameMap;
pub use piece::Set;
pub use set::{Found, ZoneSet};
pub use sets::{OwnedSet, SetCursor};
pub use walk::{End, Provable, Sought, Walk};

use base::Base;
use build::{Build, Built, Start};
use chain::Chain;
use overlay::Overlay;

use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRef, Records, Rtype, Serial};

/// One version of one zone, ready to be answered from. Cheap to clone.
#[derive(Clone)]
pub struct Zone {
    apex: Name,
    apex_labels: usize,
    soa: Soa,
    /// SOA and signatures as negative answers carry them.
    negative_soa: Vec<u8>,
    base: Arc<Base>,
    overlay: Option<Arc<Overlay>>,
}

/// How a zone denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It cannot: it is not signed.
    None,
    /// By NSEC (RFC 4034).
    Nsec,
    /// By NSEC3 (RFC 5155).
    Nsec3,
}

/// Why records make no zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneError {
    /// No SOA at the apex, or more than one.
    Soa,
    /// A record whose owner is not at or below the apex.
    OutOfZone(Name),
    /// Several records of a type of which a name can have one, or a SOA below the apex.
    MoreThanOne(Name, Rtype),
    /// CNAME beside other data (RFC 2181 §10.1).
    CnameAndOther(Name),
    /// An NSEC3 record whose owner is no hash.
    Nsec3Owner(Name),
    /// More than 64 KiB: no message carries it.
    RrsetTooBig(Name, Rtype),
    /// More than 4 GiB.
    TooBig,
    /// A name that does not stand behind the one before it, or whose records came apart. Only of a [`Builder`].
    OutOfOrder(Name),
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soa => f.write_str("the apex must have exactly one SOA record"),
            Self::OutOfZone(name) => write!(f, "'{name}' is not in the zone"),
            Self::MoreThanOne(name, Rtype::SOA) => write!(f, "'{name}' has a SOA record beside the one of the zone"),
            Self::MoreThanOne(name, rtype) => write!(f, "'{name}' has more than one {rtype} record"),
            Self::CnameAndOther(name) => write!(f, "'{name}' has a CNAME record and other data"),
            Self::Nsec3Owner(name) => write!(f, "'{name}' has an NSEC3 record, but its first label is no hash"),
            Self::RrsetTooBig(name, rtype) => write!(f, "the {rtype} RRset of '{name}' is too big for a message"),
            Self::TooBig => f.write_str("the zone has more than 4 GiB"),
            Self::OutOfOrder(name) => write!(f, "'{name}' does not stand behind the names before it, with all its records in one place"),
        }
    }
}

impl std::error::Error for ZoneError {}

impl Zone {
    /// Builds the zone `apex` from all its records.
    ///
    /// # Errors
    /// See [`ZoneError`]; nothing is served then.
    pub fn build(apex: NameRef<'_>, mut records: Records) -> Result<Self, ZoneError> {
        records.sort();
        let at_apex = records.name(apex).ok_or(ZoneError::Soa)?;
        at_apex.rrset(Rtype::SOA).filter(|set| set.len() == 1).ok_or(ZoneError::Soa)?;
        let mut build = Build::new(apex, fresh_seed());
        build.records(&records)?;
        drop(records);
        Self::of(build.finish()?)
    }

    fn of(built: Built) -> Result<Self, ZoneError> {
        let Built { apex, base, start, .. } = built;
        let Start { soa, negative } = start.ok_or(ZoneError::Soa)?;
        base.enlarge_pages();
        Ok(Self { apex_labels: apex.as_ref().label_count(), apex, soa, negative_soa: negative, base: Arc::new(base), overlay: None })
    }

    /// The apex, in lower case.
    pub fn apex(&self) -> NameRef<'_> {
        self.apex.as_ref()
    }

    /// The name with these labels below the apex, wire form without root label, as nodes and [sets](OwnedSet) give them.
    ///
    /// # Panics
    /// When that is no name.
    pub fn name_below(&self, labels: &[u8]) -> Name {
        Name::from_wire(&[labels, self.apex().as_wire()].concat()).expect("names of the zone")
    }

    /// How many labels the apex has.
    #[inline]
    pub fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// True if both were built from the same records in the same order; false where a change stands beside the base of one.
    ///
    /// Cost: that of comparing the arrays.
    pub fn is_same(&self, other: &Zone) -> bool {
        let (a, b) = (&self.base.arena, &other.base.arena);
        !self.is_overlaid()
            && !other.is_overlaid()
            && self.apex == other.apex
            && self.base.counts == other.base.counts
            && a.nodes == b.nodes
            && a.pieces == b.pieces
    }

    /// The serial of the SOA.
    pub fn serial(&self) -> Serial {
        Serial(self.soa.serial)
    }

    /// The SOA's fields.
    pub fn soa(&self) -> &Soa {
        &self.soa
    }

    /// What the zone is made of.
    pub fn counts(&self) -> Counts {
        self.overlay.as_ref().map_or(self.base.counts, |overlay| overlay.counts)
    }

    /// Bytes held by the arrays.
    pub fn size(&self) -> usize {
        self.base.size()
    }

    /// How the zone denies.
    #[inline]
    pub fn denial(&self) -> Denial {
        match self.base.chain {
            Chain::None => Denial::None,
            Chain::Nsec(_) => Denial::Nsec,
            Chain::Nsec3(_) => Denial::Nsec3,
        }
    }

    /// The node of the apex.
    #[inline]
    pub fn apex_node(&self) -> Node<'_> {
        match &self.overlay {
            None => self.base.apex(),
            Some(overlay) => overlay.apex.apex(),
        }
    }

    /// The SOA as negative answers carry it (RFC 2308 §3).
    #[inline]
    pub fn negative_soa(&self) -> Set<'_> {
        Set::at(&self.negative_soa, 0)
    }

    /// The NSEC3 record of a link with its signatures.
    pub fn link_set(&self, link: u32) -> Option<Set<'_>> {
        self.set_of_link(link)
    }

    /// The node whose NSEC covers the missing name (or empty non-terminal) `lower`, in lower-case wire form below the apex.
    pub fn nsec_cover(&self, prefix: &[u8]) -> Option<Node<'_>> {
        self.nsec_node(prefix, Ordering::is_le)
    }

    /// Every record, sorted; owners in lower case.
    ///
    /// Cost: the whole zone once more in memory.
    pub fn records(&self) -> Records {
        // Only room to begin with: what a forged image counts is not asked of the system.
        let mut records = Records::with_capacity(self.base.counts.records.min(self.base.size()));
        let mut cursor = self.sets();
        while let Some(OwnedSet { owner, set, .. }) = cursor.get(self) {
            let owner = self.name_below(owner);
            set.expand(owner.as_ref(), self.apex(), |owner, rtype, ttl, rdata| {
                records.push(owner, rtype, ttl, rdata).expect("a zone was built from as much");
            });
            cursor.advance(self);
        }
        records.sort();
        records
    }
}

/// Builds a zone from names that come in canonical order, some at a time: nothing is held but the zone itself.
pub struct Builder(Build);

impl Builder {
    /// Begins the zone `apex`.
    pub fn new(apex: NameRef<'_>) -> Self {
        Self(Build::new(apex, fresh_seed()))
    }

    /// Adds names that stand behind those added before, each with all its records, sorted; the apex comes first.
    /// Names of NSEC3 records alone may come in any order.
    ///
    /// # Errors
    /// [`ZoneError`]; the zone is to be given up then.
    ///
    /// # Panics
    /// When `records` is not sorted.
    pub fn add(&mut self, records: &Records) -> Result<(), ZoneError> {
        self.0.records(records)
    }

    /// Ends the zone.
    ///
    /// # Errors
    /// [`ZoneError`]; nothing is served then.
    pub fn finish(self) -> Result<Zone, ZoneError> {
        let built = self.0.finish()?;
        match built.without_link {
            None => Zone::of(built),
            Some(name) => Err(ZoneError::OutOfOrder(name)),
        }
    }
}

/// Whoever chooses names must not be able to choose collisions.
fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({} {} {:?})", self.apex, self.serial(), self.base.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(lines: &[(&str, Rtype, &str)]) -> (Zone, Records) {
        let mut records = Records::new();
        let name = |text: &str| Name::parse(text).expect("test name");
        let soa = Soa { mname: name("a.vn"), rname: name("h.vn"), serial: 7, refresh: 1, retry: 1, expire: 1, minimum: 60 };
        records.push(name("vn").as_ref(), Rtype::SOA, 3600, &soa.to_rdata()).expect("room");
        for (owner, rtype, target) in lines {
            let rdata = match *rtype {
                Rtype::A => target.split('.').map(|n| n.parse().expect("octet")).collect(),
                _ => name(target).as_ref().as_wire().to_vec(),
            };
            records.push(name(owner).as_ref(), *rtype, 3600, &rdata).expect("room");
        }
        records.sort();
        (Zone::build(name("VN").as_ref(), records.clone()).expect("a zone"), records)
    }

    const LINES: &[(&str, Rtype, &str)] = &[
        ("vn", Rtype::NS, "a.dns.vn"),
        ("a.dns.vn", Rtype::A, "192.0.2.1"),
        ("b.com.vn", Rtype::NS, "ns1.b.com.vn"),
        ("b.com.vn", Rtype::NS, "ns.out.example"),
        ("b.com.vn", Rtype::NS, "a.dns.vn"),
        ("ns1.b.com.vn", Rtype::A, "192.0.2.2"),
        ("c.com.vn", Rtype::NS, "ns1.b.com.vn"),
        ("d.com.vn", Rtype::NS, "ns1.d.com.vn"),
        ("e.com.vn", Rtype::NS, "ns1.e.com.vn"),
        ("ns1.d.com.vn", Rtype::A, "192.0.2.3"),
        ("ns1.e.com.vn", Rtype::A, "192.0.2.4"),
        ("*.wild.vn", Rtype::A, "192.0.2.5"),
        ("x.*.star.vn", Rtype::A, "192.0.2.6"),
        ("dname.vn", Rtype::DNAME, "com.vn"),
        ("under.dname.vn", Rtype::A, "192.0.2.7"),
    ];

    #[test]
    fn gives_back_what_it_was_built_from() {
        let (zone, records) = zone(LINES);
        let list = |r: &Records| r.iter().map(|r| (r.owner.to_owned(), r.rtype, r.ttl, r.rdata.to_vec())).collect::<Vec<_>>();
        assert_eq!(list(&zone.records()), list(&records));
        let again = |records: &Records| Zone::build(zone.apex(), records.clone()).expect("a zone");
        assert!(again(&records).is_same(&zone), "whatever the seed is");
        let mut other = records.clone();
        other.retain(|record| record.rtype != Rtype::DNAME);
        assert!(!again(&other).is_same(&zone));
        assert_eq!(zone.counts().cuts, 4);
        assert_eq!(zone.counts().hidden, 4);
    }

    #[test]
    fn walks_end_where_they_should() {
        let (zone, _) = zone(LINES);
        let end = |text: &str| {
            let sought = Sought::new(Name::parse(text).expect("name").as_ref());
            let walk = zone.walk(&sought);
            match walk.end {
                End::Exact(_) => format!("exact {}", walk.depth),
                End::Cut(node) => format!("cut {}", node.name(&zone.apex)),
                End::Dname(node) => format!("dname {}", node.name(&zone.apex)),
                End::Missing(wildcard) => format!("missing {} {}", walk.depth, wildcard.is_some()),
            }
        };
        for (name, expected) in [
            ("vn", "exact 1"),
            ("COM.vn", "exact 2"),
            ("www.B.com.vn", "cut b.com.vn."),
            ("b.com.vn", "cut b.com.vn."),
            ("ns1.b.com.vn", "cut b.com.vn."),
            ("zz.com.vn", "missing 2 false"),
            ("a.b.wild.vn", "missing 2 true"),
            ("*.wild.vn", "exact 3"),
            ("*.star.vn", "exact 3"),
            ("q.star.vn", "missing 2 true"),
            ("under.dname.vn", "dname dname.vn."),
            ("dname.vn", "exact 2"),
        ] {
            assert_eq!(end(name), expected, "{name}");
        }
    }

    #[test]
    fn hosts_of_a_cut_have_their_addresses() {
        let (zone, _) = zone(LINES);
        let hosts = |text: &str| {
            let node = zone.node(Name::parse(text).expect("name").as_ref()).expect("there");
            let cut = node.cut();
            cut.hosts(&cut.ns()).map(|host| format!("{} {}", host.node.name(&zone.apex), host.in_domain)).collect::<Vec<_>>()
        };
        assert_eq!(hosts("b.com.vn"), ["a.dns.vn. false", "ns1.b.com.vn. true"]);
        assert_eq!(hosts("c.com.vn"), ["ns1.b.com.vn. false"]);
        assert_eq!(hosts("d.com.vn"), ["ns1.d.com.vn. true"]);
        assert_eq!(hosts("e.com.vn"), ["ns1.e.com.vn. true"]);
        let ns = |text: &str| zone.node(Name::parse(text).expect("name").as_ref()).expect("there").cut().ns().id;
        assert_eq!(ns("d.com.vn"), ns("e.com.vn"), "equal sets are one");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        let name = |text: &str| Name::parse(text).expect("test name");
        assert!(matches!(Zone::build(name("vn").as_ref(), Records::new()), Err(ZoneError::Soa)));
        let (_, mut records) = zone(LINES);
        records.push(name("a.dns.vn").as_ref(), Rtype::CNAME, 1, b"\0").expect("room");
        assert_eq!(Zone::build(name("vn").as_ref(), records).err(), Some(ZoneError::CnameAndOther(name("a.dns.vn"))));
        let (_, mut records) = zone(LINES);
        records.push(name("example").as_ref(), Rtype::A, 1, &[1, 2, 3, 4]).expect("room");
        assert_eq!(Zone::build(name("vn").as_ref(), records).err(), Some(ZoneError::OutOfZone(name("example"))));
    }
}
