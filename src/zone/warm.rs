//! Brings near what many answers will need, so that their cache misses overlap.
//!
//! An answer from a large zone meets some lines of memory that no cache holds: buckets of the index, a node, places in the chain, the
//! set that proves. One answer alone waits for each in turn. Here the steps are taken for all requests of a batch together: each step
//! reads what the step before has asked for, and asks for the next. Nothing here decides anything; a guess that is wrong costs a line or
//! a hash.

use super::base::{CutLink, Node};
use super::chain::{Chain, Nsec3Chain};
use super::{Found, Sought, Zone, ZoneSet};
use crate::memory;

/// Names of a batch that are looked at; those past it come without help.
const MOST: usize = 16;
/// Octets of a cache line.
const LINE: usize = 64;
/// Lines of a set that proves: a signed NSEC3 record, or a signed DS set.
const PROOF_LINES: usize = 4;
/// Lines of an NS set of a few names.
const NS_LINES: usize = 2;

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
        for (way, (sought, wants_proof)) in ways.iter_mut().zip(names) {
            let Found::Zone(zone) = self.find(sought, sought.labels()) else { continue };
            sought.look_ahead(zone).iter().for_each(|&hash| zone.base.index.prefetch(hash));
            *way = Some(Way { sought, wants_proof, zone, node: None, missing: None, closer: None });
        }
        ways.iter_mut().flatten().for_each(Way::reach_node);
        ways.iter_mut().flatten().filter(|way| way.wants_proof).for_each(Way::reach_link);
        ways.iter().flatten().filter_map(|way| way.closer).for_each(|(chain, hash)| chain.prefetch_link(&hash));
        ways.iter().flatten().for_each(Way::reach_sets);
    }
}

impl Way<'_, '_> {
    fn reach_node(&mut self) {
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
        if let Some(node) = self.node {
            node.prefetch();
        }
    }

    /// The cut's own link, or the hash of what is not there.
    fn reach_link(&mut self) {
        let Chain::Nsec3(chain) = &self.zone.base.chain else { return };
        if let Some(node) = self.node.filter(|node| node.is_cut()) {
            if let CutLink::Matches(link) | CutLink::Covers(link) = node.cut().link() {
                memory::prefetch(chain.sets(), link as usize);
            }
        } else if let Some(labels) = self.missing
            && chain.params.is_plain()
        {
            let hash = chain.hash(self.sought.suffix(labels));
            self.sought.keep_closer(labels, hash);
            self.closer = Some((chain, hash));
            chain.prefetch_start(&hash);
        }
    }

    fn reach_sets(&self) {
        let base = &self.zone.base;
        let link_set = |link: u32| match &base.chain {
            Chain::Nsec3(chain) => chain.sets().get(link as usize).copied(),
            Chain::None | Chain::Nsec(_) => None,
        };
        let proof = match (self.closer, self.node.filter(|node| node.is_cut()).map(Node::cut)) {
            (Some((chain, hash)), _) => {
                let (Ok(link) | Err(link)) = chain.find(&hash);
                link_set(link)
            }
            (None, Some(cut)) => {
                self.prefetch(cut.ns_place(), NS_LINES);
                match (cut.ds_place(), cut.link()) {
                    (Some(ds), _) => Some(ds),
                    (None, CutLink::Matches(link) | CutLink::Covers(link)) => link_set(link),
                    (None, CutLink::None) => None,
                }
            }
            (None, None) => None,
        };
        if let Some(at) = proof.filter(|_| self.wants_proof) {
            self.prefetch(at, PROOF_LINES);
        }
    }

    fn prefetch(&self, set: u32, lines: usize) {
        (0..lines).for_each(|line| memory::prefetch(&self.zone.base.arena.pieces, set as usize + line * LINE));
    }
}
