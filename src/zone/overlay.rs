//! What has changed since the base was built: a patch for each name that is not as it was, in maps that versions share.
//!
//! A change of one name costs that name and the few that stand with it, never the zone and never what changed before it. What no
//! patch can carry (a DNAME, a wildcard that comes or goes, occluded names that come to light, another chain) is built anew
//! from all records: slower, never wrong.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::base::{Base, Counts, Node, is_below};
use super::build::hash_prefix;
use super::chain::{Chain, Labels, nsec_set};
use super::hash::NameHash;
use super::piece::Set;
use super::sorted::{Place, Sorted};
use super::{Zone, ZoneError};

/// Marks links that stand in the overlay.
const OVER: u32 = 1 << 31;

/// The changed names of a zone.
#[derive(Clone)]
pub(super) struct Overlay {
    /// The apex alone.
    pub(super) apex: Arc<Base>,
    /// The patches by the hashes of their names.
    by_hash: Sorted<(NameHash, Arc<Patch>)>,
    /// The same in canonical order.
    in_order: Sorted<Arc<Patch>>,
    /// Links of the NSEC3 chain that came, changed or went.
    links: Sorted<Link>,
    /// Name servers inside the zone that patches name and that had no node then, each with the patch's name, in the order of octets.
    absent_hosts: Sorted<Arc<Absent>>,
    /// Of base and overlay together; but for names that are no delegations, which are counted at the next merge.
    pub(super) counts: Counts,
}

/// A name below the apex as it is now.
pub(super) struct Patch {
    /// The name below the apex, in lower case.
    pub(super) prefix: Box<[u8]>,
    /// Its node, which may share arrays with those of names that go with it; none where nothing stands any more.
    pub(super) node: Option<(Arc<Base>, u32)>,
}

impl Patch {
    fn node(&self) -> Option<Node<'_>> {
        self.node.as_ref().map(|(base, at)| base.node_at(*at))
    }

    /// The name servers that a cut names, inside the zone and without a node.
    fn absent_hosts(&self) -> impl Iterator<Item = Absent> {
        let cut = self.node.as_ref().filter(|(base, at)| base.node_at(*at).is_cut());
        cut.into_iter().flat_map(|(base, _)| &base.absent_hosts).map(|host| Absent { host: host.clone(), cut: self.prefix.clone() })
    }
}

/// A host without a node, and the cut that names it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Absent {
    host: Box<[u8]>,
    cut: Box<[u8]>,
}

/// A link as it is now.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) hash: [u8; 20],
    /// The NSEC3 record and its signatures; none where there is no link any more.
    pub(super) set: Option<Arc<[u8]>>,
}

impl Overlay {
    /// The one after `before`, as yet with another apex alone.
    pub(super) fn after(before: Option<&Self>, apex: Arc<Base>, counts: Counts) -> Self {
        match before {
            Some(before) => Self { apex, counts, ..before.clone() },
            None => Self {
                apex,
                by_hash: Sorted::default(),
                in_order: Sorted::default(),
                links: Sorted::default(),
                absent_hosts: Sorted::default(),
                counts,
            },
        }
    }

    /// How many names and links are decided here.
    pub(super) fn len(&self) -> usize {
        self.in_order.len() + self.links.len()
    }

    /// Puts a patch in, in place of the one with its name.
    pub(super) fn put(&mut self, patch: Patch, seed: u64) {
        let hash = hash_prefix(seed, &patch.prefix);
        let patch = Arc::new(patch);
        let labels = Labels::of(&patch.prefix);
        self.in_order.put(Arc::clone(&patch), |other| Labels::of(&other.prefix).cmp(&labels));
        let before = self.by_hash.find(|entry| order(entry, hash, &patch.prefix)).map(|(_, before)| Arc::clone(before));
        self.by_hash.put((hash, Arc::clone(&patch)), |entry| order(entry, hash, &patch.prefix));
        for absent in before.iter().flat_map(|before| before.absent_hosts()) {
            self.absent_hosts.remove(|other| (**other).cmp(&absent));
        }
        for absent in patch.absent_hosts().map(Arc::new) {
            self.absent_hosts.put(Arc::clone(&absent), |other| other.cmp(&absent));
        }
    }

    /// Puts a link in, in place of the one with its hash.
    pub(super) fn put_link(&mut self, link: Link) {
        let hash = link.hash;
        self.links.put(link, |other| other.hash.cmp(&hash));
    }

    /// The cuts of which a patch named this host when it had no node.
    pub(super) fn cuts_without(&self, host: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (Ok(place) | Err(place)) = self.absent_hosts.search(|absent| (*absent.host).cmp(host).then(Ordering::Greater));
        self.absent_hosts.from(place).take_while(move |(_, absent)| *absent.host == *host).map(|(_, absent)| &*absent.cut)
    }

    /// What the overlay says of a name: the node, none, or nothing.
    #[inline]
    pub(super) fn decides(&self, hash: NameHash, prefix: &[u8]) -> Option<Option<Node<'_>>> {
        self.by_hash.find(|entry| order(entry, hash, prefix)).map(|(_, patch)| patch.node())
    }

    pub(super) fn decides_prefix(&self, seed: u64, prefix: &[u8]) -> Option<Option<Node<'_>>> {
        self.decides(hash_prefix(seed, prefix), prefix)
    }

    /// True while the NSEC3 chain is the base's: then its links stand in nodes, those of patches too.
    pub(super) fn keeps_chain(&self) -> bool {
        self.links.is_empty()
    }

    /// True for a link that is not what it was, or not there.
    #[inline]
    pub(super) fn decides_link(&self, hash: &[u8; 20]) -> bool {
        self.links.find(|link| link.hash.cmp(hash)).is_some()
    }

    /// The nodes of `base`, and the links of its chain, that the overlay is in the place of or that are gone: places and numbers, ascending.
    pub(super) fn replaced(&self, base: &Base) -> (Vec<u32>, Vec<u32>) {
        let place = |patch: &Arc<Patch>| Some(base.find(hash_prefix(base.seed, &patch.prefix), &patch.prefix)?.id());
        // Nodes of a base stand in canonical order.
        let nodes = std::iter::once(base.apex().id()).chain(self.in_order.iter().filter_map(place)).collect();
        let links = match &base.chain {
            Chain::Nsec3(chain) => self.links.iter().filter_map(|link| chain.find(&link.hash).ok()).collect(),
            Chain::None | Chain::Nsec(_) => Vec::new(),
        };
        (nodes, links)
    }

    /// The first node of the overlay at number `n` or behind it, in canonical order from the apex on (0), with its number.
    ///
    /// Cost: that of the names on the way where nothing stands.
    #[inline]
    pub(super) fn node_from(&self, n: u32) -> Option<(u32, Node<'_>)> {
        let Some(place) = n.checked_sub(1).map(Place::from_number) else { return Some((0, self.apex.apex())) };
        self.in_order.from(place).find_map(|(place, patch)| Some((place.number() + 1, patch.node()?)))
    }

    /// The first link of the overlay at number `n` or behind it that is there, ascending by hash.
    pub(super) fn link_from(&self, n: u32) -> Option<u32> {
        self.links.from(Place::from_number(n)).find(|(_, link)| link.set.is_some()).map(|(place, _)| place.number())
    }

    /// The set of a link that [`Self::link_from`] gave.
    pub(super) fn link_at(&self, n: u32) -> Option<Set<'_>> {
        self.links.at(Place::from_number(n))?.set.as_ref().map(|set| Set::at(set, 0))
    }

    /// The nodes below a name, in canonical order.
    pub(super) fn below<'a>(&'a self, prefix: &[u8]) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let top: Box<[u8]> = prefix.into();
        let labels = Labels::of(&top);
        let place = match self.in_order.search(|patch| Labels::of(&patch.prefix).cmp(&labels)) {
            Ok(place) => self.in_order.after(place),
            Err(place) => place,
        };
        self.in_order.from(place).take_while(move |(_, patch)| is_below(&patch.prefix, &top)).filter_map(|(_, patch)| patch.node())
    }

    /// The last node with NSEC in front of a name, or also at it.
    fn nsec_before(&self, sought: &Labels<'_>, is_before: fn(Ordering) -> bool) -> Option<Node<'_>> {
        let order = |patch: &Arc<Patch>| if is_before(Labels::of(&patch.prefix).cmp(sought)) { Ordering::Less } else { Ordering::Greater };
        let (Ok(place) | Err(place)) = self.in_order.search(order);
        self.in_order.before(place).find_map(|(_, patch)| with_nsec(patch))
    }

    /// The last node with NSEC but for the apex.
    fn last_nsec(&self) -> Option<Node<'_>> {
        self.in_order.backwards().find_map(|(_, patch)| with_nsec(patch))
    }
}

fn with_nsec(patch: &Patch) -> Option<Node<'_>> {
    patch.node().filter(|node| nsec_set(*node).is_some())
}

/// How an entry stands to a name with this hash.
#[inline]
fn order((other, patch): &(NameHash, Arc<Patch>), hash: NameHash, prefix: &[u8]) -> Ordering {
    other.number().cmp(&hash.number()).then_with(|| (*patch.prefix).cmp(prefix))
}

impl Zone {
    /// True while changes stand beside the base: see [`Self::merged`].
    pub fn is_overlaid(&self) -> bool {
        self.overlay.is_some()
    }

    /// How many names and links of the chain are decided beside the base: each is a little memory, and from some number on the whole
    /// zone is built anew.
    pub fn n_overlaid(&self) -> usize {
        self.overlay.as_ref().map_or(0, |overlay| overlay.len())
    }

    /// The same zone with everything in the base. Cost: that of building it.
    ///
    /// # Errors
    /// None that a zone which was built before can give.
    pub fn merged(&self) -> Result<Zone, ZoneError> {
        Zone::build(self.apex(), self.records())
    }

    /// The node with this name below the apex, in lower case and not empty.
    pub(super) fn node_below(&self, prefix: &[u8]) -> Option<Node<'_>> {
        self.find(hash_prefix(self.base.seed, prefix), prefix)
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
        let Some(overlay) = self.overlay.as_ref().filter(|overlay| !overlay.keeps_chain()) else { return Some(base.find(hash)) };
        let links = &overlay.links;
        let place = match links.search(|link| link.hash.cmp(hash)) {
            Ok(place) => links.after(place),
            Err(place) => place,
        };
        let is_there = |(place, link): (Place, &Link)| link.set.as_ref().map(|_| (link.hash, place.number() | OVER));
        let over = links.before(place).find_map(is_there).or_else(|| links.backwards().find_map(is_there));
        // On the circle the link at or before a hash is the one with the smallest way forward to it.
        let way = |from: &[u8; 20]| (from > hash, Reverse(*from));
        // The base's link at or before the hash that still stands, if it is nearer: it may be that hardly any does.
        let (Ok(i) | Err(i)) = base.find(hash);
        let n = base.len() as u32;
        let is_decided = |i: u32| overlay.decides_link(base.hash_at(i));
        let is_nearer = |i: &u32| over.is_none_or(|(from, _)| way(base.hash_at(*i)) < way(&from));
        let standing = (0..n).map(|back| (i + n - back) % n).take_while(is_nearer).find(|&i| !is_decided(i));
        let (found, link) = standing.map(|i| (*base.hash_at(i), i)).or(over)?;
        Some(if found == *hash { Ok(link) } else { Err(link) })
    }

    pub(super) fn set_of_link(&self, link: u32) -> Option<Set<'_>> {
        match &self.overlay {
            Some(overlay) if link & OVER != 0 => overlay.link_at(link & !OVER),
            _ => self.base.link_set(link),
        }
    }

    /// The node with NSEC in front of a name (`Ordering::is_lt`) or at it (`Ordering::is_le`), overlay included; in front of the apex stands the last.
    pub(super) fn nsec_node<'z>(&'z self, prefix: &[u8], is_before: fn(Ordering) -> bool) -> Option<Node<'z>> {
        let Chain::Nsec(order) = &self.base.chain else { return None };
        let sought = Labels::of(prefix);
        let node = |i: usize| self.base.node_at(order[i]);
        let at = order.partition_point(|&at| is_before(Labels::of(self.base.node_at(at).prefix()).cmp(&sought)));
        let Some(overlay) = &self.overlay else { return at.checked_sub(1).or(order.len().checked_sub(1)).map(node) };
        let stands = |node: &Node<'_>| overlay.decides_prefix(self.base.seed, node.prefix()).is_none();
        let is_behind = |node: &Node<'_>, over: Node<'_>| Labels::of(node.prefix()).cmp(&Labels::of(over.prefix())).is_gt();
        // The first of the chain is the apex, which stands in the overlay always. Of the base's others those count that are behind the
        // overlay's: it may be that hardly any still stands.
        let nearest = |end: usize, over: Option<Node<'z>>| {
            let mut behind = (1..end).rev().map(node).take_while(|node| over.is_none_or(|over| is_behind(node, over)));
            behind.find(stands).or(over)
        };
        let apex = overlay.apex.apex();
        let found = nearest(at, overlay.nsec_before(&sought, is_before));
        if found.is_some() || is_before(Labels::of(&[]).cmp(&sought)) {
            return found.or(Some(apex));
        }
        nearest(order.len(), overlay.last_nsec()).or(Some(apex))
    }
}
