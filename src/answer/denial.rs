//! Proofs of absence: which NSEC or NSEC3 records a negative answer, a referral or a wildcard answer needs.
//!
//! RFC 4035 §3.1.3, RFC 5155 §7.2; below an empty non-terminal that opt-out leaves out of the chain, the closest
//! *provable* encloser (RFC 5155 §1.3 and §7.2.4).

use super::reply::{Full, Owner, Reply, Truncated};
use crate::zone::{CutLink, Denial, Node, Sought, Walk, Zone, nsec_set};

/// One proof.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'z> {
    /// A link of the NSEC3 chain.
    Link(u32),
    /// The NSEC set of a node.
    Nsec(Node<'z>),
}

/// The proof that a name which a wildcard answers for does not itself exist (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
pub fn of_expansion<'z>(zone: &'z Zone, sought: &Sought, walk: &Walk<'_>) -> Option<Proof<'z>> {
    match zone.denial() {
        Denial::None => None,
        Denial::Nsec => zone.nsec_cover(zone.below_apex(sought)).map(Proof::Nsec),
        Denial::Nsec3 => zone.cover_link(sought, walk.depth + 1).map(Proof::Link),
    }
}

/// The proofs that one reply has so far: no record twice.
#[derive(Default)]
pub struct Proofs {
    given: [usize; 16],
    n: usize,
}

/// Writes proofs for one name into the authority section.
pub struct Prover<'p, 'r, 'b> {
    /// The zone that denies.
    pub zone: &'p Zone,
    /// The name in question.
    pub sought: &'p Sought,
    /// Where the proofs go.
    pub reply: &'r mut Reply<'b>,
    /// What is there already.
    pub proofs: &'r mut Proofs,
}

impl Prover<'_, '_, '_> {
    /// The name exists (`node`, reached by `walk`), the type does not.
    pub fn no_data(mut self, walk: &Walk<'_>, node: Node<'_>) -> Result<(), Truncated> {
        match self.zone.denial() {
            Denial::None => Ok(()),
            Denial::Nsec => match nsec_set(node) {
                Some(_) => self.nsec(node),
                // An empty non-terminal has no NSEC: the one that covers it says so.
                None => self.nsec_covering(node.prefix()),
            },
            Denial::Nsec3 => match self.zone.link_of(node, self.sought.wire()) {
                Some(link) => self.link(link),
                None => self.closest_provable(walk),
            },
        }
    }

    /// A cut without DS: in a referral, and for a question for DS.
    pub fn no_ds(mut self, walk: &Walk<'_>, cut: Node<'_>) -> Result<(), Truncated> {
        match self.zone.denial() {
            Denial::None => Ok(()),
            Denial::Nsec => self.nsec(cut),
            Denial::Nsec3 => match self.zone.cut_link(self.sought, walk, cut) {
                CutLink::Matches(link) => self.link(link),
                CutLink::Covers(link) => {
                    if let Some(encloser) = self.zone.provable(self.sought, walk) {
                        self.link(encloser.link)?;
                    }
                    self.link(link)
                }
                CutLink::None => Ok(()),
            },
        }
    }

    /// Neither the name nor a wildcard for it exists.
    pub fn name_error(mut self, walk: &Walk<'_>) -> Result<(), Truncated> {
        match self.zone.denial() {
            Denial::None => Ok(()),
            Denial::Nsec => {
                self.nsec_covering(self.zone.below_apex(self.sought))?;
                let mut wildcard = [0u8; 256];
                let encloser = walk.encloser.prefix();
                wildcard[..2].copy_from_slice(b"\x01*");
                wildcard[2..2 + encloser.len()].copy_from_slice(encloser);
                self.nsec_covering(&wildcard[..2 + encloser.len()])
            }
            Denial::Nsec3 => {
                self.closest_provable(walk)?;
                match self.zone.wildcard_link(self.sought, walk) {
                    Some(link) => self.link(link),
                    None => Ok(()),
                }
            }
        }
    }

    /// A wildcard exists for the name, but not with the type.
    pub fn expanded_no_data(mut self, walk: &Walk<'_>, wildcard: Node<'_>) -> Result<(), Truncated> {
        match self.zone.denial() {
            Denial::None => Ok(()),
            Denial::Nsec => {
                self.nsec_covering(self.zone.below_apex(self.sought))?;
                match nsec_set(wildcard) {
                    Some(_) => self.nsec(wildcard),
                    None => self.nsec_covering(wildcard.prefix()),
                }
            }
            Denial::Nsec3 => {
                self.closest_provable(walk)?;
                match self.zone.wildcard_link(self.sought, walk) {
                    Some(link) => self.link(link),
                    None => Ok(()),
                }
            }
        }
    }

    /// The closest encloser that the chain knows, and the link that covers the next closer name.
    fn closest_provable(&mut self, walk: &Walk<'_>) -> Result<(), Truncated> {
        let Some(encloser) = self.zone.provable(self.sought, walk) else { return Ok(()) };
        self.link(encloser.link)?;
        self.covering(encloser.labels + 1)
    }

    /// The link that covers the name made of the last `labels` labels.
    fn covering(&mut self, labels: usize) -> Result<(), Truncated> {
        match self.zone.cover_link(self.sought, labels) {
            Some(link) => self.link(link),
            None => Ok(()),
        }
    }

    fn link(&mut self, link: u32) -> Result<(), Truncated> {
        self.proofs.give(self.zone, self.reply, Proof::Link(link))
    }

    fn nsec_covering(&mut self, prefix: &[u8]) -> Result<(), Truncated> {
        match self.zone.nsec_cover(prefix) {
            Some(node) => self.nsec(node),
            None => Ok(()),
        }
    }

    fn nsec(&mut self, node: Node<'_>) -> Result<(), Truncated> {
        self.proofs.give(self.zone, self.reply, Proof::Nsec(node))
    }
}

impl Proofs {
    /// Writes one proof, unless it is there already.
    pub fn give(&mut self, zone: &Zone, reply: &mut Reply<'_>, proof: Proof<'_>) -> Result<(), Truncated> {
        let apex = zone.apex();
        match proof {
            Proof::Link(link) => {
                if self.is_new(link as usize)
                    && let Some(set) = zone.link_set(link)
                {
                    reply.require(set.whole(), Owner::At(0), Full { below: &[], apex })?;
                }
                Ok(())
            }
            Proof::Nsec(node) => {
                let Some(set) = nsec_set(node) else { return Ok(()) };
                if !self.is_new(node.address()) {
                    return Ok(());
                }
                let prefix = node.prefix();
                let full = Full { below: prefix, apex };
                let owner = if prefix.is_empty() { Owner::At(reply.apex_at) } else { Owner::Labels(prefix) };
                reply.require(set.whole(), owner, full).map(drop)
            }
        }
    }

    fn is_new(&mut self, id: usize) -> bool {
        if self.given[..self.n].contains(&id) {
            return false;
        }
        // More proofs than that are no fault, a record may then come twice.
        if self.n < self.given.len() {
            self.given[self.n] = id;
            self.n += 1;
        }
        true
    }
}
