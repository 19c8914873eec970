//! Walks down from the apex to a name: two or three probes, and the first cut or the first miss ends it.
//!
//! RFC 1034 §4.3.2 step 3, RFC 4592 §3.3.1 (closest encloser), RFC 5155 §1.3 (closest provable encloser).

use super::Zone;
use super::base::Node;
use super::chain::Nsec3Params;
use super::hash::NameHash;
use crate::dns::NameRef;
use crate::dns::name::{MAX_LABELS, MAX_NAME};

/// A name in lower case with the places of its labels, made once a query; and hashes of it that were worked out beforehand.
#[derive(Clone)]
pub struct Sought {
    /// A name and octets of no meaning: of this size it is lowered in whole vectors.
    wire: [u8; MAX_NAME + 1],
    len: usize,
    starts: [u8; MAX_LABELS + 1],
    labels: usize,
    ahead: Ahead,
    closer: Option<(usize, [u8; 20])>,
}

/// Labels below the apex whose hashes are worked out beforehand: delegations are expected there.
const AHEAD: usize = 2;
/// Octets that are lowered at once.
const LOWERED: usize = 32;

/// Hashes of the first labels below an apex.
#[derive(Clone, Copy)]
struct Ahead {
    seed: u64,
    apex_labels: usize,
    n: usize,
    hashes: [NameHash; AHEAD],
}

impl Sought {
    /// The root: to be [set](Self::set).
    pub const fn root() -> Self {
        let ahead = Ahead { seed: 0, apex_labels: 0, n: 0, hashes: [NameHash::NONE; AHEAD] };
        Self { wire: [0; MAX_NAME + 1], len: 1, starts: [0; MAX_LABELS + 1], labels: 0, ahead, closer: None }
    }

    /// Lowers `name` and finds its labels.
    #[inline]
    pub fn new(name: NameRef<'_>) -> Self {
        let mut sought = Self::root();
        sought.set(name);
        sought
    }

    /// As [`new`](Self::new), in the place of another name.
    #[inline]
    pub fn set(&mut self, name: NameRef<'_>) {
        self.len = name.as_wire().len();
        self.wire[..self.len].copy_from_slice(name.as_wire());
        for octets in self.wire[..self.len.next_multiple_of(LOWERED)].as_chunks_mut::<LOWERED>().0 {
            // Length octets are below 'A'.
            octets.make_ascii_lowercase();
        }
        (self.labels, self.ahead.n, self.closer) = (0, 0, None);
        let mut at = 0;
        while self.wire[at] != 0 {
            self.starts[self.labels] = at as u8;
            self.labels += 1;
            at += 1 + self.wire[at] as usize;
        }
    }

    /// Works out the hashes of the first labels below the apex of `zone`, which encloses the name. Returns them.
    #[inline]
    pub(super) fn look_ahead(&mut self, zone: &Zone) -> &[NameHash] {
        let (seed, apex_labels) = (zone.base.seed, zone.apex_labels);
        let n = (self.labels - apex_labels).min(AHEAD);
        let mut hash = NameHash::start(seed);
        for i in 0..n {
            hash = hash.with(self.label(apex_labels + 1 + i));
            self.ahead.hashes[i] = hash;
        }
        (self.ahead.seed, self.ahead.apex_labels, self.ahead.n) = (seed, apex_labels, n);
        &self.ahead.hashes[..n]
    }

    /// The hashes that were worked out last.
    #[inline]
    pub(super) fn hashes_ahead(&self) -> &[NameHash] {
        &self.ahead.hashes[..self.ahead.n]
    }

    /// The hash of the name made of the last `labels` labels, less those of the apex, where it was worked out.
    #[inline]
    fn hash_ahead(&self, zone: &Zone, labels: usize) -> Option<NameHash> {
        let ahead = &self.ahead;
        let is_same = ahead.seed == zone.base.seed && ahead.apex_labels == zone.apex_labels;
        (is_same && labels - zone.apex_labels <= ahead.n).then(|| ahead.hashes[labels - zone.apex_labels - 1])
    }

    /// Keeps the NSEC3 hash, without salt and further iterations, of the name made of the last `labels` labels.
    pub(super) fn keep_closer(&mut self, labels: usize, hash: [u8; 20]) {
        self.closer = Some((labels, hash));
    }

    /// The NSEC3 hash of the name made of the last `labels` labels, if it is the one that was kept and `params` would make the same.
    #[inline]
    pub(super) fn kept_closer(&self, labels: usize, params: &Nsec3Params) -> Option<[u8; 20]> {
        self.closer.filter(|(kept, _)| *kept == labels && params.is_plain()).map(|(_, hash)| hash)
    }

    /// How many labels the name has.
    #[inline]
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The wire form in lower case.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        &self.wire[..self.len]
    }

    /// Where the name made of the last `n` labels starts in the wire form.
    #[inline]
    pub fn start_of(&self, n: usize) -> usize {
        if n == 0 { self.len - 1 } else { self.starts[self.labels - n] as usize }
    }

    /// The wire form of the name made of the last `n` labels.
    #[inline]
    pub fn suffix(&self, n: usize) -> &[u8] {
        &self.wire[self.start_of(n)..self.len]
    }

    /// The labels of the name made of the last `n` labels, less the last `apex` labels.
    #[inline]
    pub fn between(&self, n: usize, apex: usize) -> &[u8] {
        &self.wire[self.start_of(n)..self.start_of(apex)]
    }

    /// The label at place `n` from the right, 1 being the last one.
    #[inline]
    pub(super) fn label(&self, n: usize) -> &[u8] {
        let start = self.starts[self.labels - n] as usize;
        &self.wire[start + 1..start + 1 + self.wire[start] as usize]
    }
}

/// Where the walk ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End<'z> {
    /// The name exists and is the zone's own, apex and empty non-terminals included.
    Exact(Node<'z>),
    /// A zone cut at or above the name.
    Cut(Node<'z>),
    /// A DNAME above the name.
    Dname(Node<'z>),
    /// The name does not exist; the wildcard below its closest encloser, where there is one.
    Missing(Option<Node<'z>>),
}

/// What the walk found on its way.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'z> {
    /// Where it ended.
    pub end: End<'z>,
    /// Labels of the node where it ended, or of the closest encloser for a missing name.
    pub depth: usize,
    /// The closest encloser of a missing name; the node above a cut; else the end itself.
    pub encloser: Node<'z>,
    /// The deepest name on the way, the end itself not counted when it is a cut, that has a link in the NSEC3 chain.
    pub provable: Option<Provable<'z>>,
}

/// A closest provable encloser.
#[derive(Clone, Copy, Debug)]
pub struct Provable<'z> {
    /// The name.
    pub node: Node<'z>,
    /// Its link.
    pub link: u32,
    /// How many labels it has.
    pub labels: usize,
}

impl Zone {
    /// Walks to `sought`, which is at or below the apex.
    #[inline]
    pub fn walk(&self, sought: &Sought) -> Walk<'_> {
        let apex_labels = self.apex_labels;
        let end_of_prefix = sought.start_of(apex_labels);
        let mut node = self.base.apex();
        let mut hash = NameHash::start(self.base.seed);
        let provable_at = |node: Node<'_>, labels| node.link().map(|link| (link, labels));
        let mut provable = provable_at(node, apex_labels).map(|(link, labels)| Provable { node, link, labels });
        for labels in apex_labels + 1..=sought.labels() {
            if node.has_dname() {
                return Walk { end: End::Dname(node), depth: labels - 1, encloser: node, provable };
            }
            let above = hash;
            hash = sought.hash_ahead(self, labels).unwrap_or_else(|| above.with(sought.label(labels)));
            match self.find(hash, &sought.wire()[sought.start_of(labels)..end_of_prefix]) {
                Some(found) if found.is_cut() => return Walk { end: End::Cut(found), depth: labels, encloser: node, provable },
                // A node that hides below nothing hidden cannot be met from above; treat it as missing.
                Some(found) if !found.is_hidden() => {
                    node = found;
                    if let Some((link, labels)) = provable_at(node, labels) {
                        provable = Some(Provable { node, link, labels });
                    }
                }
                _ => {
                    let wildcard = if node.has_wildcard() { self.wildcard_below(above, node) } else { None };
                    return Walk { end: End::Missing(wildcard), depth: labels - 1, encloser: node, provable };
                }
            }
        }
        if sought.labels() == apex_labels {
            node = self.apex_node();
        }
        Walk { end: End::Exact(node), depth: sought.labels(), encloser: node, provable }
    }

    /// The labels of `sought` in front of the apex, in lower case.
    pub fn below_apex<'s>(&self, sought: &'s Sought) -> &'s [u8] {
        &sought.wire()[..sought.start_of(self.apex_labels)]
    }

    /// The node `*` directly below `encloser`, whose hash is `hash`.
    fn wildcard_below(&self, hash: NameHash, encloser: Node<'_>) -> Option<Node<'_>> {
        let mut prefix = [0u8; MAX_NAME];
        let below = encloser.prefix();
        let len = 2 + below.len();
        prefix[..2].copy_from_slice(b"\x01*");
        prefix.get_mut(2..len)?.copy_from_slice(below);
        self.find(hash.with(b"*"), &prefix[..len])
    }

    /// The node with exactly this name, hidden ones (glue) included.
    pub fn node(&self, name: NameRef<'_>) -> Option<Node<'_>> {
        let sought = Sought::new(name);
        if !name.is_at_or_below(self.apex()) {
            return None;
        }
        let end_of_prefix = sought.start_of(self.apex_labels);
        let mut hash = NameHash::start(self.base.seed);
        for labels in self.apex_labels + 1..=sought.labels() {
            hash = hash.with(sought.label(labels));
        }
        if end_of_prefix == 0 {
            return Some(self.apex_node());
        }
        self.find(hash, &sought.wire()[..end_of_prefix])
    }

    /// The node with this name below the apex, the overlay first.
    #[inline]
    pub(super) fn find(&self, hash: NameHash, prefix: &[u8]) -> Option<Node<'_>> {
        if let Some(overlay) = &self.overlay
            && let Some(decision) = overlay.decides(hash, prefix)
        {
            return decision;
        }
        self.base.find(hash, prefix)
    }
}
