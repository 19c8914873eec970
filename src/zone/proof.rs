//! Links of the NSEC3 chain for the names of a walk: known beforehand in a base, hashed where an overlay has changed the chain.
//!
//! RFC 5155 §7.2.

use super::base::{CutLink, Node};
use super::walk::{Sought, Walk};
use super::{Denial, Zone};
use crate::dns::name::MAX_NAME;

/// A closest provable encloser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encloser {
    /// Its link.
    pub link: u32,
    /// How many labels it has.
    pub labels: usize,
}

impl Zone {
    /// The link that matches the name `lower` (wire form, lower case), where `node` stands.
    pub fn link_of(&self, node: Node<'_>, lower: &[u8]) -> Option<u32> {
        match self.keeps_chain().then(|| node.link()).flatten() {
            Some(link) => Some(link),
            None if self.overlay.is_none() => None,
            None => self.hashed(lower)?.ok(),
        }
    }

    /// The link that covers, or matches, the name made of the last `labels` labels of `sought`. One short search, and one SHA-1 if
    /// [warming](super::ZoneSet::warm) did not foresee it.
    pub fn cover_link(&self, sought: &Sought, labels: usize) -> Option<u32> {
        let super::Chain::Nsec3(chain) = &self.base.chain else { return None };
        let hash = sought.kept_closer(labels, &chain.params).unwrap_or_else(|| chain.hash(sought.suffix(labels)));
        self.find_link(&hash).map(either)
    }

    /// The closest encloser of a walk's end that the chain knows; the end itself counts unless it is a cut.
    pub fn provable(&self, sought: &Sought, walk: &Walk<'_>) -> Option<Encloser> {
        if self.keeps_chain() {
            return walk.provable.map(|provable| Encloser { link: provable.link, labels: provable.labels });
        }
        let deepest = walk.depth - usize::from(matches!(walk.end, super::End::Cut(_)));
        (self.apex_labels..=deepest).rev().find_map(|labels| Some(Encloser { link: self.hashed(sought.suffix(labels))?.ok()?, labels }))
    }

    /// The link that covers, or matches, the wildcard below the closest provable encloser of a walk.
    pub fn wildcard_link(&self, sought: &Sought, walk: &Walk<'_>) -> Option<u32> {
        if self.keeps_chain() {
            return walk.provable?.node.wildcard_link();
        }
        let encloser = sought.suffix(self.provable(sought, walk)?.labels);
        let mut wildcard = [0u8; MAX_NAME + 2];
        wildcard[..2].copy_from_slice(b"\x01*");
        wildcard[2..2 + encloser.len()].copy_from_slice(encloser);
        self.hashed(&wildcard[..2 + encloser.len()]).map(either)
    }

    /// The proof that a cut has no DS.
    pub fn cut_link(&self, sought: &Sought, walk: &Walk<'_>, cut: Node<'_>) -> CutLink {
        let known = cut.cut().link();
        // A cut that came beside the base is known to no link of it.
        if self.overlay.is_none() || self.keeps_chain() && known != CutLink::None || self.denial() != Denial::Nsec3 {
            return known;
        }
        match self.hashed(sought.suffix(walk.depth)) {
            None => CutLink::None,
            Some(Ok(link)) => CutLink::Matches(link),
            Some(Err(_)) => {
                let next_closer = self.provable(sought, walk).map_or(walk.depth, |encloser| encloser.labels + 1);
                self.cover_link(sought, next_closer).map_or(CutLink::None, CutLink::Covers)
            }
        }
    }

    /// True while the links that stand in nodes are those of the chain.
    #[inline]
    fn keeps_chain(&self) -> bool {
        self.overlay.as_ref().is_none_or(|overlay| overlay.keeps_chain())
    }

    fn hashed(&self, lower: &[u8]) -> Option<Result<u32, u32>> {
        match &self.base.chain {
            super::Chain::Nsec3(chain) => self.find_link(&chain.hash(lower)),
            super::Chain::None | super::Chain::Nsec(_) => None,
        }
    }
}

/// The link, whether it matches or covers.
fn either(found: Result<u32, u32>) -> u32 {
    found.unwrap_or_else(|cover| cover)
}
