//! What has changed since the base was built: a small base of the changed names, and which names it decides.
//!
//! A one-name change costs the overlay, never the zone. What the overlay cannot carry (authoritative data below the
//! apex, wildcards, NSEC chains, occluded names that come to light) is built anew from all records: slower, never wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::base::{Base, Counts, Node};
use super::build::{self, hash_prefix};
use super::chain::{Chain, hash_of_owner};
use super::diff::{Diff, DiffError};
use super::hash::{Index, NameHash};
use super::piece::Set;
use super::{Zone, ZoneError};
use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRef, Record, Records, Rtype};

/// The most names an overlay decides before all is built anew: our choice, from the cost of copying it.
const MOST_NAMES: usize = 2000;
/// Marks links that stand in the overlay.
const OVER: u32 = 1 << 31;

/// The changed names of a zone.
pub(super) struct Overlay {
    pub(super) mini: Base,
    decided: Vec<Decided>,
    index: Index,
    /// Every record of the decided names and of the apex, sorted.
    records: Records,
    /// Links of the base that are no more.
    gone_links: BTreeSet<[u8; 20]>,
    /// Of base and overlay together; but for names that are no delegations, which are counted at the next merge.
    pub(super) counts: Counts,
}

struct Decided {
    prefix: Box<[u8]>,
    present: bool,
}

impl Overlay {
    /// What the overlay says of a name: the node, none, or nothing.
    #[inline]
    pub(super) fn decides(&self, hash: NameHash, prefix: &[u8]) -> Option<Option<Node<'_>>> {
        let i = self.index.find(hash, |i| *self.decided[i as usize].prefix == *prefix)?;
        Some(if self.decided[i as usize].present { self.mini.find(hash, prefix) } else { None })
    }

    /// The nodes of `base`, and the links of its chain, that the overlay is in the place of or that are gone: places and numbers, ascending.
    pub(super) fn replaced(&self, base: &Base) -> (Vec<u32>, Vec<u32>) {
        let place = |prefix: &[u8]| Some(base.find(hash_prefix(base.seed, prefix), prefix)?.id());
        let decided = self.decided.iter().filter_map(|decided| place(&decided.prefix));
        let mut nodes: Vec<u32> = std::iter::once(base.apex().id()).chain(decided).collect();
        nodes.sort_unstable();
        let links = match &base.chain {
            Chain::Nsec3(chain) => self.gone_links.iter().filter_map(|hash| chain.find(hash).ok()).collect(),
            Chain::None | Chain::Nsec(_) => Vec::new(),
        };
        (nodes, links)
    }

    /// True if a node of the small base is the zone's: others are copies of what the base has.
    pub(super) fn is_own(&self, node: Node<'_>) -> bool {
        node.prefix().is_empty() || self.decides_prefix(self.mini.seed, node.prefix()).is_some()
    }

    pub(super) fn decides_prefix(&self, seed: u64, prefix: &[u8]) -> Option<Option<Node<'_>>> {
        self.decides(hash_prefix(seed, prefix), prefix)
    }
}

impl Zone {
    /// The zone after `diff`, which must fit exactly.
    ///
    /// Cost: that of the names changed since the base was built, if all of them are delegations, their glue, the apex and NSEC3
    /// links; otherwise that of building the zone.
    ///
    /// # Errors
    /// [`DiffError`]; the zone is as it was.
    pub fn apply(&self, diff: &Diff) -> Result<Zone, DiffError> {
        match self.apply_over(diff)? {
            Some(zone) => Ok(zone),
            None => Ok(Zone::build(self.apex(), diff.apply_to(&self.records())?)?),
        }
    }

    /// True while changes stand beside the base: see [`Self::merged`].
    pub fn is_overlaid(&self) -> bool {
        self.overlay.is_some()
    }

    /// How many names are decided beside the base. Each change costs as much as they do, and from some number on the whole zone is built anew.
    pub fn n_overlaid(&self) -> usize {
        self.overlay.as_ref().map_or(0, |overlay| overlay.decided.len())
    }

    /// The same zone with everything in the base. Cost: that of building it.
    ///
    /// # Errors
    /// None that a zone which was built before can give.
    pub fn merged(&self) -> Result<Zone, ZoneError> {
        Zone::build(self.apex(), self.records())
    }

    /// `None`: the change is not for an overlay.
    fn apply_over(&self, diff: &Diff) -> Result<Option<Zone>, DiffError> {
        if matches!(self.base.chain, Chain::Nsec(_)) {
            return Ok(None);
        }
        let apex = self.apex();
        let changes = diff.by_name()?;
        if let Some(outside) = changes.iter().map(|(owner, _)| owner).find(|owner| !owner.as_ref().is_at_or_below(apex)) {
            return Err(ZoneError::OutOfZone(outside.clone()).into());
        }
        let known = self.overlay.as_ref().map_or(0, |overlay| overlay.decided.len());
        if known + changes.len() > MOST_NAMES {
            return Ok(None);
        }
        // The names decided from now on, with their records as they will be.
        let mut known: Vec<(Name, Records)> = Vec::new();
        let mut gone_links = BTreeSet::new();
        if let Some(overlay) = &self.overlay {
            gone_links.clone_from(&overlay.gone_links);
            // Names that went. Empty non-terminals are found anew each time, from what stands below them.
            let gone = overlay.decided.iter().filter(|decided| !decided.present);
            let gone = gone.filter(|gone| self.in_base(&gone.prefix).is_some_and(|node| node.is_cut() || node.is_hidden()));
            known.extend(gone.map(|gone| (self.name_below(&gone.prefix), Records::new())));
            known.extend(overlay.records.names().map(|name| (name.owner().to_lowercase(), name.to_records())));
        }
        // From a list, most of which is in order: cheaper than one by one.
        let mut owners: BTreeMap<Name, Records> = known.into_iter().collect();
        owners.entry(apex.to_owned()).or_insert_with(|| self.records_of(apex));
        let mut counts = self.counts();
        for (owner, change) in changes {
            let old = match owners.get(&owner) {
                Some(records) => {
                    let mut records = records.clone();
                    records.sort();
                    records
                }
                None => self.records_of(owner.as_ref()),
            };
            let new = change.apply_to(&old)?;
            if !self.fits_overlay(&owner, &old, &new) {
                return Ok(None);
            }
            if let Some(hash) = hash_of_owner(owner.as_ref(), apex).filter(|_| old.iter().chain(new.iter()).all(|r| is_link(&r))) {
                gone_links.insert(hash);
            }
            let (was, is) = (count(&old, owner.as_ref() == apex), count(&new, owner.as_ref() == apex));
            for (sum, was, is) in [
                (&mut counts.records, was.records, is.records),
                (&mut counts.signatures, was.signatures, is.signatures),
                (&mut counts.cuts, was.cuts, is.cuts),
                (&mut counts.secure_cuts, was.secure_cuts, is.secure_cuts),
            ] {
                *sum = (*sum + is).saturating_sub(was);
            }
            owners.insert(owner, new);
        }
        self.overlaid(owners, gone_links, counts)
    }

    /// True if a change of this name can stand in an overlay, as far as the name alone tells.
    fn fits_overlay(&self, owner: &Name, old: &Records, new: &Records) -> bool {
        let name = owner.as_ref();
        let Some(prefix) = name.prefix_of(self.apex()) else { return false };
        let has = |records: &Records, rtype| records.iter().any(|r| r.rtype == rtype);
        if prefix.is_empty() {
            // A chain with other parameters, or a DNAME, is another zone.
            let params =
                |records: &Records| records.iter().filter(|r| r.rtype == Rtype::NSEC3PARAM).map(|r| r.rdata.to_vec()).collect::<Vec<_>>();
            return params(old) == params(new) && !has(new, Rtype::DNAME) && !has(old, Rtype::DNAME) && !has(new, Rtype::NSEC);
        }
        let lower = prefix.to_ascii_lowercase();
        let (old_links, new_links) = (old.iter().filter(is_link).count(), new.iter().filter(is_link).count());
        if old_links + new_links > 0 {
            // Somebody may have registered the very label that a hash gives.
            let is_apart = self.in_base(&lower).is_none();
            return is_apart && old_links == old.len() && new_links == new.len() && hash_of_owner(name, self.apex()).is_some();
        }
        let is_new_host = (has(new, Rtype::A) || has(new, Rtype::AAAA)) && self.base.absent_hosts.contains(&lower[..]);
        if name.is_wildcard() || is_new_host {
            return false;
        }
        match self.node(name) {
            Some(node) if node.is_cut() => !node.hides_others(),
            Some(node) => node.is_hidden(),
            None => true,
        }
    }

    /// Builds the overlay of the names `owners`; `None` where a name is not what an overlay can carry.
    fn overlaid(
        &self,
        mut owners: BTreeMap<Name, Records>,
        gone_links: BTreeSet<[u8; 20]>,
        counts: Counts,
    ) -> Result<Option<Zone>, DiffError> {
        let apex = self.apex();
        // A hidden name needs the cut above it in the overlay.
        let mut cuts = Vec::new();
        for (owner, records) in &owners {
            let is_cut = |records: &Records| records.iter().any(|r| r.rtype == Rtype::NS);
            if owner.as_ref() == apex || records.is_empty() || is_cut(records) || records.iter().all(|r| is_link(&r)) {
                continue;
            }
            let mut above = owner.as_ref();
            while let Some(parent) = above.parent().filter(|parent| parent.is_at_or_below(apex) && *parent != apex) {
                above = parent;
                if !owners.contains_key(&above.to_owned()) && self.node(above).is_some_and(|node| node.is_cut()) {
                    cuts.push(above.to_lowercase());
                }
            }
        }
        for cut in cuts {
            if self.node(cut.as_ref()).is_some_and(|node| node.hides_others()) {
                return Ok(None);
            }
            let records = self.records_of(cut.as_ref());
            owners.entry(cut).or_insert(records);
        }
        let mut own = Records::new();
        for records in owners.values() {
            own.extend(records).map_err(|_| ZoneError::TooBig)?;
        }
        own.sort();
        // Addresses of name servers that are not decided are copied beside, so that referrals are whole.
        let mut all = own.clone();
        let mut helpers = BTreeSet::new();
        for record in own.iter().filter(|r| r.rtype == Rtype::NS && r.owner != apex) {
            let Ok(host) = NameRef::from_wire(record.rdata) else { continue };
            if host.is_at_or_below(apex) && !owners.contains_key(&host.to_lowercase()) && helpers.insert(host.to_lowercase()) {
                let addresses = self.records_of(host);
                for r in addresses.iter().filter(|r| matches!(r.rtype, Rtype::A | Rtype::AAAA) || covers_address(r)) {
                    push(&mut all, r)?;
                }
            }
        }
        all.sort();
        let mini = build::build(apex, &all, self.base.seed)?;
        let Some(decided) = self.decide(&mini, &owners) else { return Ok(None) };
        let mut index = Index::with_capacity(decided.len());
        for (i, decided) in decided.iter().enumerate() {
            index.insert(hash_prefix(self.base.seed, &decided.prefix), i as u32);
        }
        let at_apex = own.name(apex).ok_or(ZoneError::Soa)?;
        let soa = at_apex.rrset(Rtype::SOA).filter(|set| set.len() == 1).ok_or(ZoneError::Soa)?;
        let soa = soa.rdata().next().and_then(Soa::read).ok_or(ZoneError::Soa)?;
        let negative_soa = build::negative_soa(apex, &at_apex, soa.minimum)?;
        Ok(Some(Zone {
            apex: self.apex.clone(),
            apex_labels: self.apex_labels,
            soa,
            negative_soa,
            base: Arc::clone(&self.base),
            overlay: Some(Arc::new(Overlay { mini, decided, index, records: own, gone_links, counts })),
        }))
    }

    /// The decided names: the owners, and the empty non-terminals that come and go with them.
    fn decide(&self, mini: &Base, owners: &BTreeMap<Name, Records>) -> Option<Vec<Decided>> {
        let seed = self.base.seed;
        let in_base = |prefix: &[u8]| self.in_base(prefix);
        let in_mini = |prefix: &[u8]| mini.find(hash_prefix(seed, prefix), prefix);
        let mut decided: HashMap<Box<[u8]>, bool> = HashMap::new();
        // How many children each name below the apex wins or loses against the base.
        let mut children: BTreeMap<(usize, Box<[u8]>), i64> = BTreeMap::new();
        let mut lose_or_win = |prefix: &[u8], n: i64| {
            let parent = &prefix[1 + prefix[0] as usize..];
            if !parent.is_empty() {
                *children.entry((labels(parent), parent.into())).or_default() += n;
            }
        };
        for (owner, records) in owners {
            let prefix = owner.as_ref().prefix_of(self.apex())?.to_ascii_lowercase();
            if prefix.is_empty() || !records.is_empty() && records.iter().all(|r| is_link(&r)) {
                continue;
            }
            let node = in_mini(&prefix).filter(|_| !records.is_empty());
            let is_cut = node.is_some_and(|node| node.is_cut());
            if node.is_some_and(|node| !node.is_cut() && !node.is_hidden()) {
                // Authoritative data below the apex.
                return None;
            }
            let was = in_base(&prefix).filter(|node| !node.is_hidden());
            if was.is_some_and(|node| !node.is_cut()) {
                return None;
            }
            if was.is_some() && !is_cut {
                // What stood below the cut must have gone with it.
                let cut = was?.cut();
                let left = cut
                    .hosts(&cut.ns())
                    .any(|host| host.in_domain && !owners.get(&host.node.name(&self.apex)).is_some_and(Records::is_empty));
                if left {
                    return None;
                }
                lose_or_win(&prefix, -1);
            }
            if was.is_none() && is_cut {
                let mut above = &prefix[..];
                loop {
                    lose_or_win(above, 1);
                    above = &above[1 + above[0] as usize..];
                    if above.is_empty() {
                        break;
                    }
                    match in_base(above) {
                        // Not a place for a delegation: below another cut or a DNAME.
                        Some(node) if node.is_cut() || node.is_hidden() || node.has_dname() => return None,
                        Some(_) => break,
                        None if decided.insert(above.into(), true).is_some() => break,
                        None => {}
                    }
                }
            }
            decided.insert(prefix.into(), node.is_some());
        }
        // Empty non-terminals without children go, from the deepest up.
        while let Some(((_, prefix), n)) = children.pop_last() {
            let Some(node) = in_base(&prefix) else { continue };
            if i64::from(node.children()) + n <= 0 && node.sets().next().is_none() {
                let parent = &prefix[1 + prefix[0] as usize..];
                if !parent.is_empty() {
                    *children.entry((labels(parent), parent.into())).or_default() -= 1;
                }
                decided.insert(prefix, false);
            }
        }
        Some(decided.into_iter().map(|(prefix, present)| Decided { prefix, present }).collect())
    }

    /// Every record of one name as the zone has it now, sorted; for the hash of an NSEC3 link its record too.
    pub(super) fn records_of(&self, name: NameRef<'_>) -> Records {
        let mut records = self.records_at(name);
        if let Some(link) = hash_of_owner(name, self.apex()).and_then(|hash| self.link_at(&hash)) {
            records.merge(link).expect("one name of a zone");
        }
        records
    }

    fn in_base(&self, prefix: &[u8]) -> Option<Node<'_>> {
        self.base.find(hash_prefix(self.base.seed, prefix), prefix)
    }

    /// The node that stands for a host of the base today.
    pub fn today<'z>(&'z self, node: Node<'z>) -> Option<Node<'z>> {
        match &self.overlay {
            None => Some(node),
            Some(overlay) => overlay.decides_prefix(self.base.seed, node.prefix()).unwrap_or(Some(node)),
        }
    }

    /// The link that matches a hash (`Ok`) or covers it (`Err`), overlay included.
    pub(super) fn find_link(&self, hash: &[u8; 20]) -> Option<Result<u32, u32>> {
        let Chain::Nsec3(base) = &self.base.chain else { return None };
        let Some(overlay) = &self.overlay else { return Some(base.find(hash)) };
        let (Ok(i) | Err(i)) = base.find(hash);
        // The base's link at or before the hash that still stands.
        let n = base.len() as u32;
        let standing = (0..n).map(|back| (i + n - back) % n).find(|&i| !overlay.gone_links.contains(base.hash_at(i)));
        let over = match &overlay.mini.chain {
            Chain::Nsec3(chain) => {
                let (Ok(i) | Err(i)) = chain.find(hash);
                Some((*chain.hash_at(i), i | OVER))
            }
            Chain::None | Chain::Nsec(_) => None,
        };
        let standing = standing.map(|i| (*base.hash_at(i), i));
        // On the circle the link at or before a hash is the one with the smallest way forward to it.
        let way = |from: &[u8; 20]| (from > hash, std::cmp::Reverse(*from));
        let (found, link) = standing.into_iter().chain(over).min_by_key(|(from, _)| way(from))?;
        Some(if found == *hash { Ok(link) } else { Err(link) })
    }

    pub(super) fn set_of_link(&self, link: u32) -> Option<Set<'_>> {
        match &self.overlay {
            Some(overlay) if link & OVER != 0 => overlay.mini.link_set(link & !OVER),
            _ => self.base.link_set(link),
        }
    }
}

fn push(to: &mut Records, r: Record<'_>) -> Result<(), DiffError> {
    to.push(r.owner, r.rtype, r.ttl, r.rdata).map_err(|_| DiffError::Zone(ZoneError::TooBig))
}

fn labels(mut prefix: &[u8]) -> usize {
    let mut n = 0;
    while let [len, rest @ ..] = prefix {
        prefix = rest.get(*len as usize..).unwrap_or_default();
        n += 1;
    }
    n
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

fn covers_address(r: &Record<'_>) -> bool {
    r.rtype == Rtype::RRSIG && matches!(r.rdata, [0, 1, ..] | [0, 28, ..])
}
