//! Goes through all that a zone holds, set by set: for who hands a zone over and takes long about it.
//!
//! What stands beside the base is given in its place, so that the same version always comes in the same order.

use std::cmp::Ordering;

use super::Zone;
use super::base::{Base, Node};
use super::chain::{Chain, Labels};
use super::piece::Set;
use crate::dns::{Records, Rtype};

/// A place in a zone, from [`Zone::sets`] on to its end. Holds no zone: it is to be used with the one that it was made for, or a clone.
///
/// Names come in canonical order, each with all its sets, then the links of the NSEC3 chain.
/// Memory: a few words, and four octets for each name beside the base.
#[derive(Clone, Debug)]
pub struct SetCursor {
    at: At,
    /// Where the node after this one starts: in the base, and among those beside it.
    next: [u32; 2],
    /// Nodes of the base that are not to be given, and links; the next one last.
    gone: [Vec<u32>; 2],
}

/// A set with the name that it is of.
#[derive(Clone, Copy)]
pub struct OwnedSet<'z> {
    /// The labels of the owner below the apex, in lower case and without root label; empty at the apex.
    pub owner: &'z [u8],
    /// The type.
    pub rtype: Rtype,
    /// The records and their signatures.
    pub set: Set<'z>,
}

/// What sets stand in order by.
fn key<'z>(set: &OwnedSet<'z>) -> Labels<'z> {
    Labels::of(set.owner)
}

/// Which of two bases, the zone's or the one beside it.
type Side = usize;

const BASE: Side = 0;
const BESIDE: Side = 1;

#[derive(Clone, Copy, Debug)]
enum At {
    /// The `n`th set of a node, its type and place.
    Node {
        side: Side,
        node: u32,
        n: usize,
        rtype: Rtype,
        set: u32,
    },
    /// A link of the chain.
    Link {
        side: Side,
        link: u32,
    },
    End,
}

impl Zone {
    /// The first of all sets.
    ///
    /// Cost: that of the names that stand beside the base.
    pub fn sets(&self) -> SetCursor {
        let (mut nodes, mut links) = self.overlay.as_ref().map(|overlay| overlay.replaced(&self.base)).unwrap_or_default();
        nodes.reverse();
        links.reverse();
        let mut cursor = SetCursor { at: At::End, next: [0; 2], gone: [nodes, links] };
        [BASE, BESIDE].into_iter().for_each(|side| cursor.settle(self, side));
        cursor.seek_node(self);
        cursor
    }

    /// Gives the records of one name after the other in canonical order, sorted, links of the chain in their places; owners in lower case.
    ///
    /// Memory: the records of one name, and a few words for each link beside the base.
    pub fn each_name(&self, mut each: impl FnMut(&Records)) {
        let mut names = self.sets();
        let mut links = names.clone();
        links.at = At::End;
        links.seek_link(self, BASE, 0);
        // Links beside the base come behind all others.
        let mut beside = links.clone();
        beside.seek_link(self, BESIDE, 0);
        let mut rest: Vec<OwnedSet<'_>> = std::iter::from_fn(|| {
            let set = beside.get(self);
            beside.advance(self);
            set
        })
        .collect();
        rest.sort_by(|a, b| key(b).cmp(&key(a)));
        let mut records = Records::new();
        loop {
            let link = links.get(self).filter(|_| matches!(links.at, At::Link { side: BASE, .. }));
            let next = [names.get(self).filter(|_| matches!(names.at, At::Node { .. })), link, rest.last().copied()];
            let Some(first) = next.iter().flatten().min_by(|a, b| key(a).cmp(&key(b))) else { return };
            let owner = self.name_below(first.owner);
            let labels = first.owner;
            let is_of = |set: &OwnedSet<'_>| set.owner.eq_ignore_ascii_case(labels);
            records.clear();
            let mut gather = |set: &OwnedSet<'_>| {
                set.set.expand(owner.as_ref(), self.apex(), |owner, rtype, ttl, rdata| {
                    records.push(owner, rtype, ttl, rdata).expect("a zone was built from as much");
                });
            };
            while let Some(set) = names.get(self).filter(|set| matches!(names.at, At::Node { .. }) && is_of(set)) {
                gather(&set);
                names.advance(self);
            }
            if let Some(set) = link.filter(|set| is_of(set)) {
                gather(&set);
                links.advance(self);
            }
            if let Some(set) = rest.pop_if(|set| is_of(set)) {
                gather(&set);
            }
            records.sort();
            each(&records);
        }
    }

    fn side(&self, side: Side) -> Option<&Base> {
        match side {
            BASE => Some(&self.base),
            _ => self.overlay.as_ref().map(|overlay| &overlay.mini),
        }
    }
}

impl SetCursor {
    /// The set at this place; `None` at the end. Allocates nothing.
    #[inline]
    pub fn get<'z>(&self, zone: &'z Zone) -> Option<OwnedSet<'z>> {
        match self.at {
            At::Node { side, node, rtype, set, .. } => {
                let base = zone.side(side)?;
                Some(OwnedSet { owner: base.node_at(node).prefix(), rtype, set: base.set_at(set) })
            }
            At::Link { side, link } => {
                let set = zone.side(side)?.link_set(link)?;
                Some(OwnedSet { owner: set.records.own_owner(), rtype: Rtype::NSEC3, set })
            }
            At::End => None,
        }
    }

    /// Goes on to the next set.
    #[inline]
    pub fn advance(&mut self, zone: &Zone) {
        match self.at {
            At::Node { side, node, n, .. } => {
                let node = zone.side(side).map(|base| base.node_at(node));
                if !node.is_some_and(|node| self.stand(side, node, n + 1)) {
                    self.seek_node(zone);
                }
            }
            At::Link { side, link } => self.seek_link(zone, side, link + 1),
            At::End => {}
        }
    }

    /// Goes on to the next node that has a set, or the first link.
    fn seek_node(&mut self, zone: &Zone) {
        loop {
            let beside = if zone.is_overlaid() { self.next_node(zone, BESIDE) } else { None };
            let (side, node) = match (self.next_node(zone, BASE), beside) {
                (None, None) => return self.seek_link(zone, BASE, 0),
                (Some(node), None) => (BASE, node),
                (Some(node), Some(beside)) if Labels::of(node.prefix()).cmp(&Labels::of(beside.prefix())) == Ordering::Less => (BASE, node),
                (_, Some(beside)) => (BESIDE, beside),
            };
            self.next[side] += node.size() as u32;
            self.settle(zone, side);
            if self.stand(side, node, 0) {
                return;
            }
        }
    }

    /// Goes to the `n`th set of a node, if it has so many.
    #[inline]
    fn stand(&mut self, side: Side, node: Node<'_>, n: usize) -> bool {
        let Some((rtype, set)) = node.nth_place(n) else { return false };
        self.at = At::Node { side, node: node.id(), n, rtype, set };
        true
    }

    #[inline]
    fn next_node<'z>(&self, zone: &'z Zone, side: Side) -> Option<Node<'z>> {
        zone.side(side)?.node_from(self.next[side])
    }

    /// Leaves out the nodes of one side that are not to be given.
    fn settle(&mut self, zone: &Zone, side: Side) {
        let Some(overlay) = &zone.overlay else { return };
        while let Some(node) = self.next_node(zone, side) {
            let is_given = match side {
                BASE => self.gone[0].pop_if(|gone| *gone == node.id()).is_none(),
                _ => overlay.is_own(node),
            };
            if is_given {
                return;
            }
            self.next[side] += node.size() as u32;
        }
    }

    /// Goes to this link, or the next one that is to be given.
    fn seek_link(&mut self, zone: &Zone, side: Side, mut link: u32) {
        for side in side..=BESIDE {
            let n = match zone.side(side).map(|base| &base.chain) {
                Some(Chain::Nsec3(chain)) => chain.len() as u32,
                Some(Chain::None | Chain::Nsec(_)) | None => 0,
            };
            while side == BASE && self.gone[1].pop_if(|gone| *gone == link).is_some() {
                link += 1;
            }
            if link < n {
                self.at = At::Link { side, link };
                return;
            }
            link = 0;
        }
        self.at = At::End;
    }
}
