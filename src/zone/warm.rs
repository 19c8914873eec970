//! Brings near what many answers will need, so that their cache misses overlap.
//!
//! A referral in a large zone meets four lines of memory that no cache holds: a bucket of the index, a node, the set or the link that
//! proves, its next line. One answer alone waits for each in turn. Here the steps are taken for all requests of a batch together, each
//! step a short loop whose loads do not depend on each other. Plain loads do it: the processor runs ahead over them. Nothing here decides
//! anything; a guess that is wrong costs one line.

use std::hint::black_box;

use super::base::{CutLink, Node};
use super::chain::Chain;
use super::hash::NameHash;
use super::{Found, Sought, Zone, ZoneSet};

/// Names of a batch that are looked at; those past it come without help.
const MOST: usize = 16;
/// Labels below the apex at which delegations are expected.
const DEPTHS: usize = 2;
/// Octets of a cache line.
const LINE: usize = 64;

/// Where the way to one answer has come to.
#[derive(Clone, Copy, Default)]
struct Way<'z> {
    zone: Option<&'z Zone>,
    hashes: [Option<NameHash>; DEPTHS],
    node: Option<Node<'z>>,
    set: Option<u32>,
}

impl ZoneSet {
    /// Touches what looking up each of `names` will read. Cost: about that of a look-up each, without the waiting.
    pub fn warm<'s>(&self, names: impl Iterator<Item = &'s Sought>) {
        let mut ways = [Way::default(); MOST];
        let mut n = 0;
        for (way, sought) in ways.iter_mut().zip(names) {
            n += 1;
            let Found::Zone(zone) = self.find(sought, sought.labels()) else { continue };
            way.zone = Some(zone);
            let mut hash = NameHash::start(zone.base.seed);
            for (i, labels) in (zone.apex_labels + 1..=sought.labels()).take(DEPTHS).enumerate() {
                hash = hash.with(sought.label(labels));
                way.hashes[i] = Some(hash);
            }
        }
        let ways = &mut ways[..n];
        let mut touched = 0;
        for way in &*ways {
            let Some(zone) = way.zone else { continue };
            for hash in way.hashes.into_iter().flatten() {
                touched ^= zone.base.index.touch(hash);
            }
        }
        for way in &mut *ways {
            let Some(zone) = way.zone else { continue };
            // The deepest one that is there: what is above it (com.vn) is near anyway.
            way.node = way.hashes.into_iter().rev().flatten().find_map(|hash| zone.base.index.guess(hash)).map(|at| zone.base.node_at(at));
            touched ^= way.node.map_or(0, Node::touch);
        }
        for way in &mut *ways {
            let (Some(zone), Some(node)) = (way.zone, way.node.filter(|node| node.is_cut())) else { continue };
            let cut = node.cut();
            way.set = match (cut.ds_place(), cut.link(), &zone.base.chain) {
                (Some(ds), _, _) => Some(ds),
                (None, CutLink::Matches(link) | CutLink::Covers(link), Chain::Nsec3(chain)) => chain.sets().get(link as usize).copied(),
                _ => None,
            };
        }
        for way in &*ways {
            let (Some(zone), Some(set)) = (way.zone, way.set) else { continue };
            let pieces = &zone.base.arena.pieces;
            for line in 0..4 {
                touched ^= pieces.get(set as usize + line * LINE).copied().unwrap_or(0);
            }
        }
        black_box(touched);
    }
}
