//! Brings near what many answers will need, so that their cache misses overlap.
//!
//! An answer from a large zone meets some lines of memory that no cache holds: buckets of the index, a node, places in the chain, the
//! set that proves. One answer alone waits for each in turn. Here the steps are taken for all requests of a batch together, each step a
//! short loop whose loads do not depend on each other. Plain loads do it: the processor runs ahead over them. Nothing here decides
//! anything; a guess that is wrong costs a line or a hash.

use std::hint::black_box;

use super::base::{CutLink, Node};
use super::chain::{Chain, Nsec3Chain};
use super::{Found, Sought, Zone, ZoneSet};

/// Names of a batch that are looked at; those past it come without help.
const MOST: usize = 16;
/// Octets of a cache line.
const LINE: usize = 64;
/// Lines of a set that are brought near: a signed NSEC3 record, or a DS set.
const LINES: usize = 4;

/// The way to one answer, as far as it has come.
struct Way<'z, 's> {
    sought: &'s mut Sought,
    wants_proof: bool,
    zone: &'z Zone,
    /// The deepest node that is there, as far as a tag can tell.
    node: Option<Node<'z>>,
    /// How many labels the first name has that is not there.
    missing: Option<usize>,
    /// The hash that the proof of its absence looks for.
    closer: Option<(&'z Nsec3Chain, [u8; 20])>,
}

impl ZoneSet {
    /// Touches what answering for each of `names` will read, and works out hashes that it will take; of those asked with DO (`true`)
    /// the proofs too. Cost: about that of a look-up each, without the waiting.
    pub fn warm<'s>(&self, names: impl Iterator<Item = (&'s mut Sought, bool)>) {
        let mut ways = [const { None::<Way<'_, '_>> }; MOST];
        let mut touched = 0;
        for (way, (sought, wants_proof)) in ways.iter_mut().zip(names) {
            let Found::Zone(zone) = self.find(sought, sought.labels()) else { continue };
            for &hash in sought.look_ahead(zone) {
                touched ^= zone.base.index.touch(hash);
            }
            *way = Some(Way { sought, wants_proof, zone, node: None, missing: None, closer: None });
        }
        for way in ways.iter_mut().flatten() {
            touched ^= way.reach_node();
        }
        for way in ways.iter_mut().flatten().filter(|way| way.wants_proof) {
            touched ^= way.reach_closer();
        }
        for way in ways.iter().flatten() {
            touched ^= way.closer.map_or(0, |(chain, hash)| chain.touch_link(&hash));
        }
        for way in ways.iter().flatten().filter(|way| way.wants_proof) {
            touched ^= way.reach_set();
        }
        black_box(touched);
    }
}

// Each step returns what it read, which means nothing but that it was read.
impl Way<'_, '_> {
    fn reach_node(&mut self) -> u8 {
        let Self { sought, zone, .. } = self;
        for (i, &hash) in sought.hashes_ahead().iter().enumerate() {
            match zone.base.index.guess(hash) {
                // What is above it (com.vn) is near anyway.
                Some(at) => self.node = Some(zone.base.node_at(at)),
                None => {
                    self.missing = Some(zone.apex_labels + 1 + i);
                    break;
                }
            }
        }
        self.node.map_or(0, Node::touch)
    }

    fn reach_closer(&mut self) -> u8 {
        let (Chain::Nsec3(chain), Some(labels)) = (&self.zone.base.chain, self.missing) else { return 0 };
        if !chain.params.is_plain() || self.node.is_some_and(Node::is_cut) {
            return 0;
        }
        let hash = chain.hash(self.sought.suffix(labels));
        self.sought.keep_closer(labels, hash);
        self.closer = Some((chain, hash));
        chain.touch_start(&hash)
    }

    fn reach_set(&self) -> u8 {
        let Chain::Nsec3(chain) = &self.zone.base.chain else { return 0 };
        let link_set = |link: u32| chain.sets().get(link as usize).copied();
        let set = match (self.closer, self.node.filter(|node| node.is_cut()).map(Node::cut)) {
            (Some((chain, hash)), _) => {
                let (Ok(link) | Err(link)) = chain.find(&hash);
                link_set(link)
            }
            (None, Some(cut)) => match (cut.ds_place(), cut.link()) {
                (Some(ds), _) => Some(ds),
                (None, CutLink::Matches(link) | CutLink::Covers(link)) => link_set(link),
                (None, CutLink::None) => None,
            },
            (None, None) => None,
        };
        let pieces = &self.zone.base.arena.pieces;
        set.map_or(0, |at| (0..LINES).fold(0, |read, line| read ^ pieces.get(at as usize + line * LINE).copied().unwrap_or(0)))
    }
}
