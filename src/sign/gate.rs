//! Verifies what a change of a signed zone touched, and reads no more of the zone than that.
//!
//! What stands at the touched names and above them, and the chain around them, is judged as in a whole zone; everything else was judged
//! when it came. RFC 4035 §2, RFC 5155 §7.1.

use std::collections::BTreeSet;

use super::append_types;
use super::nsec3::{self, Hash, Hasher, Nsec3};
use super::policy::Denial;
use super::verify::{Count, Faults, Head, Judge};
use super::walk::{self, Kind, LinkRule, Place};
use super::zonemd::check_zonemd_of;
use super::{Fault, What};
use crate::dns::{Name, NameRef, Record, Records, Rtype, UnixTime};
use crate::parallel;
use crate::zone::{Diff, Zone};

/// Verifies `zone` where `change`, which led to it, touched it: every signature that is new or over something new, whether each name and empty non-terminal
/// there has the link it should have, that the links lead to each other, and the DNSKEY set. The zone before the change is
/// taken for good.
///
/// Cost: that of the touched names, and of those below a zone cut or a DNAME that came or went. Where the apex has a ZONEMD, that of
/// the whole zone.
///
/// # Errors
/// As [`verify`](super::verify).
pub fn verify_change(zone: &Zone, change: &Diff, now: UnixTime, threads: usize) -> Result<(), Vec<Fault>> {
    let apex = zone.apex();
    let touched = Touched::find(zone, change);
    let mut part = Records::new();
    let names = touched.names.iter().map(|name| zone.records_at(name.as_ref()));
    for records in names.chain(touched.links.iter().filter_map(|hash| zone.link_at(hash))) {
        part.extend(&records).map_err(|_| vec![Fault::new(apex, Rtype::SOA, What::NoSoa)])?;
    }
    part.sort();
    let head = Head::read(&part, apex)?;
    let places = walk::walk(&part, apex);
    let mut faults = Faults::default();
    if head.top.rrset(Rtype::ZONEMD).is_some() {
        for what in check_zonemd_of(zone).err().unwrap_or_default() {
            faults.add(apex, Rtype::ZONEMD, What::Zonemd(what));
        }
    }
    let top = head.top;
    let judge = Judge { zone: &part, places: &places, apex, now: now.as_rrsig(), head, is_whole: false, fresh: fresh(change) };
    let names = |range| Ok::<(Faults, Count), ()>(judge.names(range));
    // An error here means that there are too many faults to go on.
    let _ = parallel::in_order(parallel::ranges(places.len()), threads, names, |(found, _)| faults.extend(found));
    judge.dnskey_set(&top, &[], &mut faults);
    judge.cds(&top, &mut faults);
    let chain = Chain { zone, part: &part, places: &places, touched: &touched, change, negative_ttl: judge.head.negative_ttl };
    match &judge.head.hasher {
        Some(hasher) => chain.nsec3(hasher, &mut faults),
        None => chain.nsec(&mut faults),
    }
    if faults.list.is_empty() { Ok(()) } else { Err(faults.list) }
}

/// The RRsets that a change has something of, with their signatures: what is not among them was verified when it came. All, where the keys change.
fn fresh(change: &Diff) -> Option<BTreeSet<(Name, Rtype)>> {
    let mut fresh = BTreeSet::new();
    for record in change.removed.iter().chain(change.added.iter()) {
        let covered = match (record.rtype, record.rdata) {
            (Rtype::RRSIG, [high, low, ..]) => Rtype(u16::from_be_bytes([*high, *low])),
            (rtype, _) => rtype,
        };
        if covered == Rtype::DNSKEY {
            return None;
        }
        fresh.insert((record.owner.to_lowercase(), covered));
    }
    Some(fresh)
}

/// What a change may have touched.
struct Touched {
    /// Names, those above them, and those below what hides or no longer hides them; in lower case.
    names: BTreeSet<Name>,
    /// Links of an NSEC3 chain.
    links: BTreeSet<Hash>,
}

impl Touched {
    fn find(zone: &Zone, change: &Diff) -> Self {
        let apex = zone.apex();
        let (mut names, mut links) = (BTreeSet::from([apex.to_lowercase()]), BTreeSet::new());
        for record in change.removed.iter().chain(change.added.iter()) {
            if is_of_link(&record) {
                links.extend(record.owner.labels().next().and_then(nsec3::parse_label));
                continue;
            }
            with_those_above(record.owner, apex, &mut names);
            if matches!(record.rtype, Rtype::NS | Rtype::DNAME) {
                let below = zone.below(record.owner).map(|node| node.name(&apex.to_owned()));
                below.for_each(|name| with_those_above(name.as_ref(), apex, &mut names));
            }
        }
        // What stands beside a wildcard may be guarded by it, or no longer; the wildcard may itself be an empty non-terminal.
        let wildcards: Vec<Name> = names.iter().filter(|name| name.as_ref().is_wildcard()).cloned().collect();
        for wildcard in wildcards {
            let Some(parent) = wildcard.as_ref().parent().filter(|parent| parent.is_at_or_below(apex)) else { continue };
            let depth = wildcard.as_ref().label_count();
            let beside = zone.below(parent).map(|node| node.name(&apex.to_owned())).filter(|name| name.as_ref().label_count() == depth);
            names.extend(beside.map(|name| name.as_ref().to_lowercase()));
        }
        Self { names, links }
    }
}

/// Adds a name and those above it, as far as they are not there.
fn with_those_above(name: NameRef<'_>, apex: NameRef<'_>, names: &mut BTreeSet<Name>) {
    let mut above = Some(name);
    while let Some(name) = above.filter(|name| name.is_at_or_below(apex) && names.insert(name.to_lowercase())) {
        above = name.parent();
    }
}

/// True for an NSEC3 record and its signatures.
fn is_of_link(record: &Record<'_>) -> bool {
    record.rtype == Rtype::NSEC3 || record.rtype == Rtype::RRSIG && record.rdata.starts_with(&Rtype::NSEC3.0.to_be_bytes())
}

/// The chain around what was touched.
struct Chain<'a> {
    zone: &'a Zone,
    part: &'a Records,
    places: &'a [Place],
    touched: &'a Touched,
    change: &'a Diff,
    negative_ttl: u32,
}

/// An NSEC3 record as the zone has it.
struct Link {
    hash: Hash,
    next: Hash,
    opt_out: bool,
    bitmap: Vec<u8>,
    /// Alone at its owner, with the zone's parameters and the right TTL.
    is_regular: bool,
}

impl Chain<'_> {
    fn nsec3(&self, hasher: &Hasher, faults: &mut Faults) {
        let apex = self.zone.apex();
        let (mut here, mut of_names) = (BTreeSet::new(), BTreeSet::new());
        for place in self.places.iter().filter(|place| !matches!(place.kind, Kind::Denial | Kind::Outside | Kind::Below)) {
            let name = place.name(self.part);
            here.insert(name.to_lowercase());
            let hash = hasher.hash(name);
            of_names.insert(hash);
            match self.at(&hash, hasher) {
                None => {
                    let may_lack = matches!(place.kind, Kind::InsecureCut | Kind::InsecureEmpty | Kind::GuardedEmpty);
                    if !may_lack || !self.before(&hash, hasher).is_some_and(|link| link.opt_out) {
                        faults.add(name, Rtype::NSEC3, What::NoLink);
                    }
                }
                Some(link) => {
                    let mut types = Vec::new();
                    if place.strip == 0 {
                        append_types(&self.part.name_at(place.entry as usize), place.kind, &Denial::NSEC3, &mut types);
                    }
                    if types != link.bitmap {
                        faults.add(name, Rtype::NSEC3, What::WrongTypes);
                    }
                }
            }
        }
        for name in self.touched.names.iter().filter(|name| !here.contains(*name)) {
            // An empty non-terminal above names that were not touched may have one, without types.
            let is_above = |link: &Link| link.bitmap.is_empty() && self.zone.below(name.as_ref()).next().is_some();
            let hash = hasher.hash(name.as_ref());
            of_names.insert(hash);
            if self.at(&hash, hasher).is_some_and(|link| !is_above(&link)) {
                faults.add(name.as_ref(), Rtype::NSEC3, What::ForNoName);
            }
        }
        for hash in &self.touched.links {
            let Some(before) = self.before(hash, hasher) else {
                faults.add_link(*hash, apex, What::NoLink);
                continue;
            };
            // Every link beside the place leads to the next one, and nothing stands between.
            let leads = |link: &Link| {
                self.at(&link.next, hasher).is_some() && self.before(&link.next, hasher).is_some_and(|other| other.hash == link.hash)
            };
            let here = self.at(hash, hasher);
            // A name that was not touched keeps its link and its types.
            if !of_names.contains(hash) {
                let (was, is) = (self.was(hash), here.as_ref());
                let is_same = was.as_ref() == is.map(|link| &link.bitmap);
                if !is_same {
                    faults.add_link(*hash, apex, What::WrongTypes);
                }
            }
            for link in [Some(&before), here.as_ref()].into_iter().flatten() {
                if !link.is_regular {
                    faults.add_link(link.hash, apex, What::OtherParameters);
                }
                if !leads(link) {
                    faults.add_link(link.hash, apex, What::WrongNext("another".into()));
                }
            }
        }
    }

    fn at(&self, hash: &Hash, hasher: &Hasher) -> Option<Link> {
        self.read(&self.zone.link_at(hash)?, hasher)
    }

    fn before(&self, hash: &Hash, hasher: &Hasher) -> Option<Link> {
        self.read(&self.zone.link_before(hash)?, hasher)
    }

    /// The types that a link which goes or is changed had.
    fn was(&self, hash: &Hash) -> Option<Vec<u8>> {
        let label = nsec3::label(hash);
        let is_it = |record: &Record<'_>| {
            record.rtype == Rtype::NSEC3 && record.owner.labels().next().is_some_and(|other| other.eq_ignore_ascii_case(&label))
        };
        let record = self.change.removed.iter().find(is_it)?;
        Some(Nsec3::read(record.rdata)?.bitmap.to_vec())
    }

    fn read(&self, records: &Records, hasher: &Hasher) -> Option<Link> {
        let mut links = records.iter().filter(|record| record.rtype == Rtype::NSEC3);
        let record = links.next()?;
        let hash = record.owner.labels().next().and_then(nsec3::parse_label)?;
        let link = Nsec3::read(record.rdata)?;
        let is_regular = links.next().is_none()
            && record.ttl == self.negative_ttl
            && link.flags <= 1
            && record.rdata.starts_with(&hasher.head(link.flags));
        Some(Link { hash, next: link.next, opt_out: link.flags & 1 != 0, bitmap: link.bitmap.to_vec(), is_regular })
    }

    fn nsec(&self, faults: &mut Faults) {
        let mut linked = BTreeSet::new();
        for place in self.places.iter().filter(|place| place.is_linked(LinkRule::Nsec)) {
            let of_name = self.part.name_at(place.entry as usize);
            let name = of_name.owner();
            linked.insert(name.to_lowercase());
            let Some(set) = of_name.rrset(Rtype::NSEC) else {
                faults.add(name, Rtype::NSEC, What::NoLink);
                continue;
            };
            let Some((next, rdata)) = set.rdata().next().and_then(|rdata| Some((NameRef::from_wire(rdata).ok()?, rdata))) else {
                faults.add(name, Rtype::NSEC, What::BrokenLink);
                continue;
            };
            let mut types = Vec::new();
            append_types(&of_name, place.kind, &Denial::Nsec, &mut types);
            for (is_wrong, what) in [
                (set.len() != 1, What::ManyLinks),
                (set.ttl() != self.negative_ttl, What::LinkTtl(self.negative_ttl)),
                (!self.leads(name, next), What::WrongNext("another".into())),
                (rdata[next.as_wire().len()..] != types[..], What::WrongTypes),
            ] {
                if is_wrong {
                    faults.add(name, Rtype::NSEC, what);
                }
            }
        }
        for name in &self.touched.names {
            let Some((before, next)) = self.nsec_before(name.as_ref()) else {
                faults.add(name.as_ref(), Rtype::NSEC, What::NoLink);
                continue;
            };
            let is_met = !linked.contains(name) || next == *name;
            if !is_met || !self.leads(before.as_ref(), next.as_ref()) {
                faults.add(before.as_ref(), Rtype::NSEC, What::WrongNext("another".into()));
            }
        }
    }

    /// True if `next` is in the chain, and `name` is the last before it.
    fn leads(&self, name: NameRef<'_>, next: NameRef<'_>) -> bool {
        let is_there = self.zone.records_at(next).rtypes().any(|rtype| rtype == Rtype::NSEC);
        is_there && self.nsec_before(next).is_some_and(|(before, _)| before.as_ref() == name)
    }

    /// The owner of the NSEC before a name, and where it leads.
    fn nsec_before(&self, name: NameRef<'_>) -> Option<(Name, Name)> {
        let records = self.zone.nsec_before(name)?;
        let record = records.iter().find(|record| record.rtype == Rtype::NSEC)?;
        Some((record.owner.to_owned(), NameRef::from_wire(record.rdata).ok()?.to_owned()))
    }
}
