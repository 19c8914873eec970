//! Goes through all that a zone holds, set by set: for who hands a zone over and takes long about it.
//!
//! What stands beside the base is given in its place, so that the same version always comes in the same order.

use super::Zone;
use super::base::Node;
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
    /// Where the node after this one starts in the base, and its number among those beside it.
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
        cursor.settle(self);
        cursor.settle_beside(self, 0);
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
}

/// The node that a cursor stands at.
#[inline]
fn node_of(zone: &Zone, side: Side, node: u32) -> Option<Node<'_>> {
    match side {
        BASE => Some(zone.base.node_at(node)),
        _ => Some(zone.overlay.as_ref()?.node_from(node)?.1),
    }
}

impl SetCursor {
    /// The set at this place; `None` at the end. Allocates nothing.
    #[inline]
    pub fn get<'z>(&self, zone: &'z Zone) -> Option<OwnedSet<'z>> {
        match self.at {
            At::Node { side, node, rtype, set, .. } => {
                let node = node_of(zone, side, node)?;
                Some(OwnedSet { owner: node.prefix(), rtype, set: node.set_at(set) })
            }
            At::Link { side, link } => {
                let set = if side == BASE { zone.base.link_set(link)? } else { zone.overlay.as_ref()?.link_at(link)? };
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
                if !node_of(zone, side, node).is_some_and(|is| self.stand(side, node, is, n + 1)) {
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
            let base = zone.base.node_from(self.next[BASE]);
            let beside = zone.overlay.as_ref().and_then(|overlay| overlay.node_from(self.next[BESIDE]));
            let (side, at, node) = match (base, beside) {
                (None, None) => return self.seek_link(zone, BASE, 0),
                (Some(base), None) => (BASE, base.id(), base),
                (Some(base), Some((_, beside))) if Labels::of(base.prefix()).cmp(&Labels::of(beside.prefix())).is_lt() => {
                    (BASE, base.id(), base)
                }
                (_, Some((at, beside))) => (BESIDE, at, beside),
            };
            if side == BASE {
                self.next[BASE] += node.size() as u32;
                self.settle(zone);
            } else {
                self.settle_beside(zone, at + 1);
            }
            if self.stand(side, at, node, 0) {
                return;
            }
        }
    }

    /// Goes to the `n`th set of a node, if it has so many.
    #[inline]
    fn stand(&mut self, side: Side, at: u32, node: Node<'_>, n: usize) -> bool {
        let Some((rtype, set)) = node.nth_place(n) else { return false };
        self.at = At::Node { side, node: at, n, rtype, set };
        true
    }

    /// Leaves out the nodes of the base that are not to be given.
    fn settle(&mut self, zone: &Zone) {
        while let Some(node) = zone.base.node_from(self.next[BASE]).filter(|node| self.gone[0].last() == Some(&node.id())) {
            self.gone[0].pop();
            self.next[BASE] += node.size() as u32;
        }
    }

    /// Leaves out names beside the base where nothing stands any more, from number `n` on.
    fn settle_beside(&mut self, zone: &Zone, n: u32) {
        let next = zone.overlay.as_ref().and_then(|overlay| overlay.node_from(n));
        self.next[BESIDE] = next.map_or(u32::MAX, |(n, _)| n);
    }

    /// Goes to this link, or the next one that is to be given.
    fn seek_link(&mut self, zone: &Zone, side: Side, mut link: u32) {
        if side == BASE {
            while self.gone[1].pop_if(|gone| *gone == link).is_some() {
                link += 1;
            }
            let n = match &zone.base.chain {
                Chain::Nsec3(chain) => chain.len() as u32,
                Chain::None | Chain::Nsec(_) => 0,
            };
            if link < n {
                self.at = At::Link { side, link };
                return;
            }
            link = 0;
        }
        let beside = zone.overlay.as_ref().and_then(|overlay| overlay.link_from(link));
        self.at = beside.map_or(At::End, |link| At::Link { side: BESIDE, link });
    }
}
