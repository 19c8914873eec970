//! What a zone holds at a name, below it and around it in the chain, read without going through the zone.
//!
//! For those who change a few names of many. Every answer is of the zone as it is now, overlay included.

use std::cmp::Ordering;

use super::Zone;
use super::base::Node;
use super::chain::nsec_set;
use super::piece::Set;
use crate::dns::{NameRef, Records};

impl Zone {
    /// The records of one name with their signatures, sorted; occluded ones and NSEC too, NSEC3 not. Empty where nothing stands.
    pub fn records_at(&self, name: NameRef<'_>) -> Records {
        let mut records = Records::new();
        if let Some(node) = self.node(name) {
            let lower = name.to_lowercase();
            node.all_sets().for_each(|(_, set)| self.expand(lower.as_ref(), set, &mut records));
        }
        records.sort();
        records
    }

    /// The nodes below a name that is itself not occluded, empty non-terminals and occluded ones too, in no order.
    ///
    /// Cost: that of the nodes that are taken, and of those below the name that an overlay has replaced.
    pub fn below(&self, name: NameRef<'_>) -> impl Iterator<Item = Node<'_>> + use<'_> {
        let lower = name.prefix_of(self.apex()).unwrap_or_default().to_ascii_lowercase();
        let over = self.overlay.as_ref().map(|overlay| overlay.below(&lower));
        self.base.below(&lower).filter(|node| !self.is_decided(*node)).chain(over.into_iter().flatten())
    }

    /// True if the overlay says what stands at the node's name.
    fn is_decided(&self, node: Node<'_>) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.decides_prefix(self.base.seed, node.prefix()).is_some())
    }

    /// The NSEC3 record with this hash and its signatures, sorted.
    pub fn link_at(&self, hash: &[u8; 20]) -> Option<Records> {
        self.link_records(self.find_link(hash)?.ok()?)
    }

    /// The NSEC3 record that stands before this hash in the chain, whether one with the hash stands there or not.
    pub fn link_before(&self, hash: &[u8; 20]) -> Option<Records> {
        // The one at or before the number before it; the chain is a circle, as numbers are here.
        let mut before = *hash;
        for octet in before.iter_mut().rev() {
            *octet = octet.wrapping_sub(1);
            if *octet != u8::MAX {
                break;
            }
        }
        let (Ok(link) | Err(link)) = self.find_link(&before)?;
        self.link_records(link)
    }

    /// The NSEC set before this name in the chain, whether the name exists or not, and its signatures, sorted.
    pub fn nsec_before(&self, name: NameRef<'_>) -> Option<Records> {
        let prefix = name.prefix_of(self.apex())?.to_ascii_lowercase();
        let node = self.nsec_node(&prefix, Ordering::is_lt)?;
        let mut records = Records::new();
        self.expand(node.name(&self.apex).as_ref(), nsec_set(node)?, &mut records);
        records.sort();
        Some(records)
    }

    fn link_records(&self, link: u32) -> Option<Records> {
        let mut records = Records::new();
        self.expand(self.apex(), self.link_set(link)?, &mut records);
        records.sort();
        Some(records)
    }

    fn expand(&self, owner: NameRef<'_>, set: Set<'_>, to: &mut Records) {
        set.expand(owner, self.apex(), |owner, rtype, ttl, rdata| {
            to.push(owner, rtype, ttl, rdata).expect("one name of a zone");
        });
    }
}
