//! The chain that denies: NSEC3 links sorted by hash, or the names of an NSEC zone in canonical order.
//!
//! RFC 5155 §7, RFC 4034 §4, RFC 4035 §3.1.3.

use std::cmp::Ordering;

use sha1::{Digest, Sha1};

use super::base::{Base, Node};
use super::piece::Set;
use crate::dns::NameRef;
use crate::dns::name::MAX_LABELS;
use crate::memory;

/// A zone's chain.
#[derive(Clone, Default)]
pub enum Chain {
    /// Not signed, or without a complete chain.
    #[default]
    None,
    /// The nodes with NSEC in canonical order.
    Nsec(Vec<u32>),
    /// Hashed names.
    Nsec3(Nsec3Chain),
}

/// The parameters and links of an NSEC3 chain.
#[derive(Clone)]
pub struct Nsec3Chain {
    /// What every hash is made with.
    pub params: Nsec3Params,
    /// Hashes in ascending order.
    hashes: Vec<[u8; 20]>,
    /// The set of each link: the NSEC3 record and its signatures.
    sets: Vec<u32>,
    /// For each value of a hash's top bits, the first hash that is not below it.
    starts: Vec<u32>,
    shift: u32,
}

/// Iterations and salt of NSEC3; the hash is SHA-1 (RFC 5155 §11).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Nsec3Params {
    /// Extra rounds.
    pub iterations: u16,
    /// Salt, at most 255 octets.
    pub salt: Vec<u8>,
}

impl Nsec3Params {
    /// True without salt and further iterations, as RFC 9276 §3.1 wants it: the hash depends on the name alone.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.iterations == 0 && self.salt.is_empty()
    }

    /// Hashes a name in lower-case wire form (RFC 5155 §5).
    #[inline]
    pub fn hash(&self, lower: &[u8]) -> [u8; 20] {
        let mut hash: [u8; 20] = Sha1::new().chain_update(lower).chain_update(&self.salt).finalize().into();
        for _ in 0..self.iterations {
            hash = Sha1::new().chain_update(hash).chain_update(&self.salt).finalize().into();
        }
        hash
    }
}

impl Nsec3Chain {
    /// A chain of links, each a hash and the place of its set; they are sorted here.
    pub(super) fn new(params: Nsec3Params, mut links: Vec<([u8; 20], u32)>) -> Self {
        links.sort_unstable();
        links.dedup_by_key(|link| link.0);
        let bits = (links.len().max(2).ilog2()).min(24);
        let shift = 32 - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        let mut at = 0;
        for top in 0..1u64 << bits {
            while at < links.len() && u64::from(top_bits(&links[at].0)) < top << shift {
                at += 1;
            }
            starts.push(at as u32);
        }
        starts.push(links.len() as u32);
        let (hashes, sets) = links.into_iter().unzip();
        Self { params, hashes, sets, starts, shift }
    }

    /// A chain of what [`Self::arrays`] gave.
    pub(super) fn of_arrays(params: Nsec3Params, hashes: Vec<[u8; 20]>, sets: Vec<u32>, starts: Vec<u32>, shift: u32) -> Self {
        Self { params, hashes, sets, starts, shift }
    }

    /// Hashes, sets, the table of top bits, and by how much a hash's first 32 bits are shifted to be found there.
    pub(super) fn arrays(&self) -> (&[[u8; 20]], &[u32], &[u32], u32) {
        (&self.hashes, &self.sets, &self.starts, self.shift)
    }

    /// Hashes a name in lower-case wire form.
    #[inline]
    pub fn hash(&self, lower: &[u8]) -> [u8; 20] {
        self.params.hash(lower)
    }

    /// The link that matches `hash` (`Ok`) or the one that covers it (`Err`).
    #[inline]
    pub fn find(&self, hash: &[u8; 20]) -> Result<u32, u32> {
        let top = (top_bits(hash) >> self.shift) as usize;
        let (from, to) = (self.starts[top] as usize, self.starts[top + 1] as usize);
        match self.hashes[from..to].binary_search(hash) {
            Ok(i) => Ok((from + i) as u32),
            // In front of the first link stands the last: the chain is a circle.
            Err(i) => Err((from + i).checked_sub(1).unwrap_or(self.hashes.len() - 1) as u32),
        }
    }

    /// Starts to bring near what [`find`](Self::find) reads first for `hash`.
    #[inline]
    pub(super) fn prefetch_start(&self, hash: &[u8; 20]) {
        memory::prefetch(&self.starts, (top_bits(hash) >> self.shift) as usize);
    }

    /// As [`prefetch_start`](Self::prefetch_start), what it reads next.
    #[inline]
    pub(super) fn prefetch_link(&self, hash: &[u8; 20]) {
        let at = self.starts[(top_bits(hash) >> self.shift) as usize] as usize;
        memory::prefetch(&self.hashes, at);
        // The link before the first that may match is the one that covers, as often as not.
        memory::prefetch(&self.sets, at.saturating_sub(1));
    }

    /// How many links there are.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn hash_at(&self, link: u32) -> &[u8; 20] {
        &self.hashes[link as usize]
    }

    pub(super) fn sets(&self) -> &[u32] {
        &self.sets
    }
}

fn top_bits(hash: &[u8; 20]) -> u32 {
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

impl Chain {
    /// Moves the arrays into large pages.
    pub(super) fn enlarge_pages(&self) {
        match self {
            Self::None => {}
            Self::Nsec(order) => memory::enlarge(order),
            Self::Nsec3(chain) => {
                memory::enlarge(&chain.hashes);
                memory::enlarge(&chain.sets);
                memory::enlarge(&chain.starts);
            }
        }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Nsec(order) => order.len() * 4,
            Self::Nsec3(chain) => chain.hashes.len() * 24 + chain.starts.len() * 4,
        }
    }
}

impl Base {
    /// The NSEC3 record of a link.
    #[inline]
    pub(super) fn link_set(&self, link: u32) -> Option<Set<'_>> {
        match &self.chain {
            Chain::Nsec3(chain) => Some(Set::at(&self.arena.pieces, chain.sets[link as usize])),
            Chain::None | Chain::Nsec(_) => None,
        }
    }
}

/// The labels of a name below the apex, in lower case.
pub(super) struct Labels<'a> {
    prefix: &'a [u8],
    starts: [u8; MAX_LABELS],
    n: usize,
}

impl<'a> Labels<'a> {
    /// Those of a name in wire form without its root label.
    #[inline]
    pub fn of(prefix: &'a [u8]) -> Self {
        let mut labels = Self { prefix, starts: [0; MAX_LABELS], n: 0 };
        let mut at = 0;
        while at < prefix.len() {
            labels.starts[labels.n] = at as u8;
            labels.n += 1;
            at += 1 + prefix[at] as usize;
        }
        labels
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.n
    }

    /// What they were read from.
    #[inline]
    pub fn as_wire(&self) -> &'a [u8] {
        self.prefix
    }

    /// The last `n` of them.
    pub fn last(&self, n: usize) -> Labels<'a> {
        let from = self.starts[..self.n].get(self.n - n).map_or(self.prefix.len(), |&start| start as usize);
        Labels::of(&self.prefix[from..])
    }

    /// True if they end with the `n` labels `suffix`.
    #[inline]
    pub fn ends_with(&self, suffix: &[u8], n: usize) -> bool {
        n <= self.n && self.prefix.ends_with(suffix) && (n == 0 || self.starts[self.n - n] as usize == self.prefix.len() - suffix.len())
    }

    /// The canonical order (RFC 4034 §6.1): by labels from the right, octets as numbers, what is shorter first.
    #[inline]
    pub fn cmp(&self, other: &Labels<'_>) -> Ordering {
        let differ = self.backwards().zip(other.backwards()).map(|(a, b)| a.cmp(b)).find(|order| order.is_ne());
        differ.unwrap_or_else(|| self.n.cmp(&other.n))
    }

    fn backwards(&self) -> impl Iterator<Item = &'a [u8]> {
        self.starts[..self.n].iter().rev().map(|&start| {
            let (len, rest) = self.prefix[start as usize..].split_first().expect("labels have lengths");
            &rest[..*len as usize]
        })
    }
}

/// The NSEC set of a node.
pub fn nsec_set(node: Node<'_>) -> Option<Set<'_>> {
    if node.is_cut() { node.cut().nsec() } else { node.set(crate::dns::Rtype::NSEC) }
}

/// The owner label of a link: base32hex of the hash in lower case (RFC 5155 §3.3).
pub fn hash_of_owner(owner: NameRef<'_>, apex: NameRef<'_>) -> Option<[u8; 20]> {
    let prefix = owner.prefix_of(apex)?;
    let label = prefix.get(1..).filter(|label| label.len() == 32 && prefix[0] == 32)?;
    let mut upper = [0u8; 32];
    upper.copy_from_slice(label);
    upper.make_ascii_uppercase();
    let bytes = data_encoding::BASE32HEX_NOPAD.decode(&upper).ok()?;
    bytes.try_into().ok()
}
