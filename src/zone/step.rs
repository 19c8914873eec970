//! A change on its way into an overlay: which names it makes other ones, and the patches of those.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::base::{Counts, Node};
use super::build;
use super::chain::{Chain, hash_of_owner};
use super::diff::{Diff, DiffError};
use super::overlay::{Link, Overlay, Patch};
use super::{Zone, ZoneError};
use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRef, Record, Records, Rtype};

/// The most names an overlay decides before all is built anew: our choice, some hundred megabytes.
const MOST_NAMES: usize = 100_000;

impl Zone {
    /// The zone after `diff`, which must fit exactly.
    ///
    /// Cost: that of the names that change, and of what stands with them (a cut with its name servers, the names above), where patches
    /// can carry the change; otherwise that of building the zone.
    ///
    /// # Errors
    /// [`DiffError`]; the zone is as it was.
    pub fn apply(&self, diff: &Diff) -> Result<Zone, DiffError> {
        match self.apply_over(diff)? {
            Some(zone) => Ok(zone),
            None => Ok(Zone::build(self.apex(), diff.apply_to(&self.records())?)?),
        }
    }

    /// `None`: the change is not for an overlay.
    fn apply_over(&self, diff: &Diff) -> Result<Option<Zone>, DiffError> {
        let apex = self.apex();
        let changes = diff.by_name()?;
        if let Some(outside) = changes.iter().map(|(owner, _)| owner).find(|owner| !owner.as_ref().is_at_or_below(apex)) {
            return Err(ZoneError::OutOfZone(outside.clone()).into());
        }
        // Below a DNAME at the apex nothing is the zone's own.
        if self.n_overlaid() + changes.len() > MOST_NAMES || self.base.apex().has_dname() {
            return Ok(None);
        }
        let mut step = Step { zone: self, now: BTreeMap::new(), links: Vec::new(), counts: self.counts() };
        for (owner, change) in changes {
            let old = self.records_of(owner.as_ref());
            let new = change.apply_to(&old)?;
            if !step.take(owner, &old, new)? {
                return Ok(None);
            }
        }
        step.finish()
    }

    /// Every record of one name as the zone has it now, sorted; for the hash of an NSEC3 link its record too.
    pub(super) fn records_of(&self, name: NameRef<'_>) -> Records {
        let mut records = self.records_at(name);
        if let Some(link) = hash_of_owner(name, self.apex()).and_then(|hash| self.link_at(&hash)) {
            records.merge(link).expect("one name of a zone");
        }
        records
    }
}

struct Step<'z> {
    zone: &'z Zone,
    /// The names that change, links aside, with their records as they will be.
    now: BTreeMap<Name, Records>,
    links: Vec<Link>,
    counts: Counts,
}

/// Names below the apex by depth, the deepest last, each with the children that it wins or loses.
type Levels = BTreeMap<(usize, Box<[u8]>), i64>;

impl Step<'_> {
    /// Takes in what becomes of a name; false if no patch can carry it.
    fn take(&mut self, owner: Name, old: &Records, new: Records) -> Result<bool, DiffError> {
        let zone = self.zone;
        let name = owner.as_ref();
        let (was, is) = (count(old, name == zone.apex()), count(&new, name == zone.apex()));
        for (sum, was, is) in [
            (&mut self.counts.records, was.records, is.records),
            (&mut self.counts.signatures, was.signatures, is.signatures),
            (&mut self.counts.cuts, was.cuts, is.cuts),
            (&mut self.counts.secure_cuts, was.secure_cuts, is.secure_cuts),
        ] {
            *sum = (*sum + is).saturating_sub(was);
        }
        let (old_links, new_links) = (old.iter().filter(is_link).count(), new.iter().filter(is_link).count());
        if old_links + new_links > 0 {
            // Somebody may have registered the very label that a hash gives.
            let is_apart = old_links == old.len() && new_links == new.len();
            let (Chain::Nsec3(chain), Some(hash), true) = (&zone.base.chain, hash_of_owner(name, zone.apex()), is_apart) else {
                return Ok(false);
            };
            let set = build::link(zone.apex(), &chain.params, &new)?;
            self.links.push(Link { hash, set: set.map(Arc::from) });
            return Ok(true);
        }
        let fits = self.fits(name, old, &new);
        self.now.insert(owner, new);
        Ok(fits)
    }

    /// True if a change of this name can stand in an overlay, as far as the name alone tells.
    fn fits(&self, name: NameRef<'_>, old: &Records, new: &Records) -> bool {
        let zone = self.zone;
        let Some(prefix) = name.prefix_of(zone.apex()) else { return false };
        if has(old, Rtype::DNAME) || has(new, Rtype::DNAME) {
            return false;
        }
        let is_nsec = matches!(zone.base.chain, Chain::Nsec(_));
        if prefix.is_empty() {
            // A chain with other parameters is another zone.
            let params =
                |records: &Records| records.iter().filter(|r| r.rtype == Rtype::NSEC3PARAM).map(|r| r.rdata.to_vec()).collect::<Vec<_>>();
            return params(old) == params(new) && has(new, Rtype::NSEC) == is_nsec;
        }
        let lower = prefix.to_ascii_lowercase();
        let is_new_host = has_address(new) && zone.base.absent_hosts.contains(&lower[..]);
        let has_place = is_nsec || !has(new, Rtype::NSEC);
        !is_new_host && has_place && !zone.node_below(&lower).is_some_and(Node::hides_others)
    }

    /// Builds the patches; `None` where one cannot carry the change.
    fn finish(mut self) -> Result<Option<Zone>, DiffError> {
        let zone = self.zone;
        let at_apex = self.records_now(zone.apex());
        let mut patches = Vec::new();
        if !self.patch_all(&mut patches)? {
            return Ok(None);
        }
        let mut base = build::build(zone.apex(), &at_apex, zone.base.seed)?;
        base.keep(0, 0, Some(zone.apex_node()));
        let names = at_apex.name(zone.apex()).ok_or(ZoneError::Soa)?;
        let soa = names.rrset(Rtype::SOA).filter(|set| set.len() == 1).ok_or(ZoneError::Soa)?;
        let soa = soa.rdata().next().and_then(Soa::read).ok_or(ZoneError::Soa)?;
        let negative_soa = build::negative_soa(zone.apex(), &names, soa.minimum)?;
        let mut overlay = Overlay::after(zone.overlay.as_deref(), Arc::new(base), self.counts);
        patches.into_iter().for_each(|patch| overlay.put(patch, zone.base.seed));
        std::mem::take(&mut self.links).into_iter().for_each(|link| overlay.put_link(link));
        Ok(Some(Zone {
            apex: zone.apex.clone(),
            apex_labels: zone.apex_labels,
            soa,
            negative_soa,
            base: Arc::clone(&zone.base),
            overlay: Some(Arc::new(overlay)),
        }))
    }

    fn patch_all(&self, patches: &mut Vec<Patch>) -> Result<bool, ZoneError> {
        let zone = self.zone;
        let mut cuts = BTreeSet::new();
        let mut levels = Levels::new();
        for (owner, records) in self.now.iter().filter(|(owner, _)| owner.as_ref() != zone.apex()) {
            let name = owner.as_ref();
            let prefix = name.prefix_of(zone.apex()).unwrap_or_default().to_ascii_lowercase();
            if let Some(overlay) = zone.overlay.as_ref().filter(|_| has_address(records)) {
                cuts.extend(overlay.cuts_without(&prefix).map(|cut| zone.name_below(cut)).filter(|cut| self.is_cut_now(cut.as_ref())));
            }
            if let Some(cut) = self.cut_above(name) {
                cuts.insert(cut);
                continue;
            }
            if is_cut(records) {
                cuts.insert(owner.clone());
            }
            if zone.node_below(&prefix).is_some_and(Node::is_hidden) {
                // The cut above it goes. It has to go too: what comes to light would be another name.
                if !records.is_empty() {
                    return Ok(false);
                }
                continue;
            }
            levels.entry((name.label_count(), prefix.into())).or_default();
        }
        // From the deepest up: an empty non-terminal comes with the first name below it and goes with the last.
        while let Some(((depth, prefix), children)) = levels.pop_last() {
            if !self.patch_name(depth, &prefix, children, &mut levels, patches)? {
                return Ok(false);
            }
        }
        for cut in cuts {
            if !self.patch_cut(&cut, patches)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The patch of a name that is no cut, and what its coming or going means for those above and below it.
    fn patch_name(&self, depth: usize, prefix: &[u8], won: i64, levels: &mut Levels, patches: &mut Vec<Patch>) -> Result<bool, ZoneError> {
        let zone = self.zone;
        let before = zone.node_below(prefix);
        if before.is_some_and(|node| node.is_hidden() || node.has_dname()) {
            return Ok(false);
        }
        let records = self.records_now(zone.name_below(prefix).as_ref());
        let children = before.map_or(0, |node| i64::from(node.children())) + won;
        let is_cut = is_cut(&records);
        if is_cut && children != 0 {
            // Names of the zone would be hidden.
            return Ok(false);
        }
        if let Some(cut) = before.filter(|node| node.is_cut() && !is_cut) {
            for host in own_hosts(cut) {
                if !self.records_now(zone.name_below(host.prefix()).as_ref()).is_empty() {
                    return Ok(false);
                }
                patches.push(Patch { prefix: host.prefix().into(), node: None });
            }
        }
        let is_there = is_cut || children > 0 || !records.is_empty();
        if is_there && !is_cut {
            let (mut base, at) = build::one(zone.apex(), prefix, &records, zone.base.seed)?;
            base.keep(at, children as u32, before);
            patches.push(Patch { prefix: prefix.into(), node: Some((Arc::new(base), at)) });
        } else if !is_there && before.is_some() {
            patches.push(Patch { prefix: prefix.into(), node: None });
        }
        let parent = &prefix[1 + prefix[0] as usize..];
        let comes_or_goes = is_there != before.is_some();
        if comes_or_goes && prefix.starts_with(b"\x01*") {
            // The node above a wildcard knows of it.
            return Ok(false);
        }
        if comes_or_goes && !parent.is_empty() {
            *levels.entry((depth - 1, parent.into())).or_default() += if is_there { 1 } else { -1 };
        }
        Ok(true)
    }

    /// The patches of a cut and its own name servers.
    fn patch_cut(&self, cut: &Name, patches: &mut Vec<Patch>) -> Result<bool, ZoneError> {
        let zone = self.zone;
        let prefix = |name: NameRef<'_>| name.prefix_of(zone.apex()).unwrap_or_default().to_ascii_lowercase();
        let lower = prefix(cut.as_ref());
        let before = zone.node_below(&lower);
        if before.is_some_and(Node::hides_others) {
            return Ok(false);
        }
        let mut all = self.records_now(cut.as_ref());
        let servers: BTreeSet<Name> =
            all.iter().filter(|r| r.rtype == Rtype::NS).filter_map(|r| Some(NameRef::from_wire(r.rdata).ok()?.to_lowercase())).collect();
        let is_own = |host: &Name| host != cut && host.as_ref().is_at_or_below(cut.as_ref());
        let mut hidden: BTreeSet<Name> = servers.iter().filter(|host| is_own(host)).cloned().collect();
        // In canonical order names stand behind the one that they are below.
        let behind = self.now.range((Bound::Excluded(cut), Bound::Unbounded)).map(|(name, _)| name);
        hidden.extend(behind.take_while(|name| is_own(name)).cloned());
        hidden
            .extend(before.iter().filter(|node| node.is_cut()).flat_map(|cut| own_hosts(*cut)).map(|host| zone.name_below(host.prefix())));
        for name in &hidden {
            let records = self.records_now(name.as_ref());
            if !records.is_empty() && !servers.contains(name) {
                // It is hidden, and no name server of the cut.
                return Ok(false);
            }
            all.extend(&records).map_err(|_| ZoneError::TooBig)?;
        }
        // Addresses of name servers elsewhere in the zone are copied beside, so that referrals are whole.
        for host in servers.iter().filter(|host| !is_own(host) && *host != cut && host.as_ref().is_at_or_below(zone.apex())) {
            let mut addresses = self.records_now(host.as_ref());
            addresses.retain(|r| is_address(r.rtype) || covers_address(&r));
            all.extend(&addresses).map_err(|_| ZoneError::TooBig)?;
        }
        all.sort();
        let mut base = build::names(zone.apex(), &all, zone.base.seed)?;
        let Some(at) = base.find(build::hash_prefix(base.seed, &lower), &lower).filter(|node| !node.hides_others()).map(Node::id) else {
            return Ok(false);
        };
        base.keep(at, 0, before);
        let base = Arc::new(base);
        for name in &hidden {
            let prefix = prefix(name.as_ref());
            let node = base.find(build::hash_prefix(base.seed, &prefix), &prefix).map(|node| (Arc::clone(&base), node.id()));
            if node.is_some() || zone.node_below(&prefix).is_some() {
                patches.push(Patch { prefix: prefix.into(), node });
            }
        }
        patches.push(Patch { prefix: lower.into(), node: Some((base, at)) });
        Ok(true)
    }

    /// The records of a name after the change, links aside.
    fn records_now(&self, name: NameRef<'_>) -> Records {
        self.now.get(&name.to_lowercase()).cloned().unwrap_or_else(|| self.zone.records_at(name))
    }

    /// The uppermost cut above a name, after the change.
    fn cut_above(&self, name: NameRef<'_>) -> Option<Name> {
        let apex = self.zone.apex();
        let above =
            std::iter::successors(name.parent(), |name| name.parent()).take_while(|name| name.is_at_or_below(apex) && *name != apex);
        above.filter(|name| self.is_cut_now(*name)).last().map(NameRef::to_lowercase)
    }

    fn is_cut_now(&self, name: NameRef<'_>) -> bool {
        match self.now.get(&name.to_lowercase()) {
            Some(records) => is_cut(records),
            None => self.zone.node(name).is_some_and(Node::is_cut),
        }
    }
}

/// The nodes below a cut that are its name servers.
fn own_hosts(cut: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let hosts = cut.cut();
    hosts.hosts(&hosts.ns()).filter(move |host| host.in_domain && host.node != cut).map(|host| host.node)
}

fn has(records: &Records, rtype: Rtype) -> bool {
    records.rtypes().any(|other| other == rtype)
}

fn is_cut(records: &Records) -> bool {
    has(records, Rtype::NS)
}

fn is_address(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::A | Rtype::AAAA)
}

fn has_address(records: &Records) -> bool {
    records.rtypes().any(is_address)
}

fn covers_address(r: &Record<'_>) -> bool {
    r.rtype == Rtype::RRSIG && matches!(r.rdata, [0, 1, ..] | [0, 28, ..])
}

fn is_link(r: &Record<'_>) -> bool {
    r.rtype == Rtype::NSEC3 || r.rtype == Rtype::RRSIG && r.rdata.get(..2) == Some(&Rtype::NSEC3.0.to_be_bytes())
}

/// What one name adds to the counts of its zone, as far as its records tell.
fn count(records: &Records, is_apex: bool) -> Counts {
    let n = |rtype| records.rtypes().filter(|other| *other == rtype).count();
    let is_cut = !is_apex && n(Rtype::NS) > 0;
    let (cuts, secure_cuts) = (usize::from(is_cut), usize::from(is_cut && n(Rtype::DS) > 0));
    Counts { records: records.len(), signatures: n(Rtype::RRSIG), cuts, secure_cuts, ..Counts::default() }
}
