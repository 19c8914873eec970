//! Links of the NSEC3 chain for the names of a walk: known beforehand in a base, hashed where an overlay has changed those.
//!
//! RFC 5155 §7.2.

use super::base::{CutLink, Node};
use super::walk::{Provable, Sought, Walk};
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
        match node.link().filter(|link| self.stands(*link)) {
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
        if let Some(provable) = self.known_provable(walk) {
            return Some(Encloser { link: provable.link, labels: provable.labels });
        }
        if self.keeps_chain() {
            return None;
        }
        (self.apex_labels..=deepest(walk))
            .rev()
            .find_map(|labels| Some(Encloser { link: self.hashed(sought.suffix(labels))?.ok()?, labels }))
    }

    /// The link that covers, or matches, the wildcard below the closest provable encloser of a walk.
    pub fn wildcard_link(&self, sought: &Sought, walk: &Walk<'_>) -> Option<u32> {
        let known = self.known_provable(walk).and_then(|provable| provable.node.wildcard_link());
        if let Some(link) = known.filter(|link| self.stands(*link)) {
            return Some(link);
        }
        if self.keeps_chain() {
            return None;
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
        let stands = match known {
            CutLink::Matches(link) => self.stands(link),
            // It covers the name below an encloser, which has to be the same.
            CutLink::Covers(link) => self.stands(link) && (self.keeps_chain() || self.known_provable(walk).is_some()),
            // A cut that came beside the base is known to no link of it.
            CutLink::None => self.overlay.is_none() || self.denial() != Denial::Nsec3,
        };
        if stands {
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

    /// What the walk has found, if it is so today: a name on the way that had no link may have one now.
    fn known_provable<'z>(&self, walk: &Walk<'z>) -> Option<Provable<'z>> {
        walk.provable.filter(|provable| self.keeps_chain() || provable.labels == deepest(walk) && self.stands(provable.link))
    }

    /// True while the links that stand in nodes are those of the chain.
    #[inline]
    fn keeps_chain(&self) -> bool {
        self.overlay.as_ref().is_none_or(|overlay| overlay.keeps_chain())
    }

    /// True if a link of the base is what it was. Then nothing has come between it and the next, so that it covers what it covered.
    #[inline]
    fn stands(&self, link: u32) -> bool {
        let Some(overlay) = self.overlay.as_ref().filter(|overlay| !overlay.keeps_chain()) else { return true };
        match &self.base.chain {
            super::Chain::Nsec3(chain) => !overlay.decides_link(chain.hash_at(link)),
            super::Chain::None | super::Chain::Nsec(_) => true,
        }
    }

    fn hashed(&self, lower: &[u8]) -> Option<Result<u32, u32>> {
        match &self.base.chain {
            super::Chain::Nsec3(chain) => self.find_link(&chain.hash(lower)),
            super::Chain::None | super::Chain::Nsec(_) => None,
        }
    }
}

/// How many labels the deepest name of a walk has that may be a closest encloser.
fn deepest(walk: &Walk<'_>) -> usize {
    walk.depth - usize::from(matches!(walk.end, super::End::Cut(_)))
}

/// The link, whether it matches or covers.
fn either(found: Result<u32, u32>) -> u32 {
    found.unwrap_or_else(|cover| cover)
}
