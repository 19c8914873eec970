//! The hash of names below an apex, label by label from the right, and the index over it.
//!
//! Seeded: who chooses names must not be able to choose collisions.

use crate::memory;

/// Hash state after some labels; the next label to the left is mixed in with [`NameHash::with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash(u64);

impl NameHash {
    /// Of no name.
    pub const NONE: Self = Self(0);

    /// The state before any label.
    pub fn start(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Mixes in one label, which must be in lower case.
    #[inline]
    pub fn with(self, label: &[u8]) -> Self {
        let mut h = self.0 ^ (label.len() as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mut rest = label;
        while let Some((eight, after)) = rest.split_first_chunk::<8>()
            && !after.is_empty()
        {
            h = fold(h ^ u64::from_le_bytes(*eight));
            rest = after;
        }
        // The last octets may have been mixed in before: so nothing is copied only to be padded.
        let last = match (label.last_chunk::<8>(), label.first_chunk::<4>(), label.last_chunk::<4>()) {
            (Some(last), ..) => u64::from_le_bytes(*last),
            (None, Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32,
            _ => label.iter().fold(0, |all, &octet| all << 8 | u64::from(octet)),
        };
        Self(fold(fold(h ^ last)))
    }

    /// All of it.
    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The bucket of an index with `n` buckets.
    #[inline]
    fn bucket(self, n: usize) -> usize {
        (self.0 & 0xffff_ffff).wrapping_mul(n as u64) as usize >> 32
    }

    /// What tells the entries of a bucket apart before their names are read; never 0.
    #[inline]
    fn tag(self) -> u8 {
        ((self.0 >> 56) as u8).max(1)
    }
}

/// Multiplies to 128 bits and folds the halves together.
#[inline]
fn fold(h: u64) -> u64 {
    let wide = u128::from(h) * 0xd6e8_feb8_6659_fd93_u128;
    (wide as u64) ^ (wide >> 64) as u64
}

/// Entries of a bucket.
const BUCKET: usize = 12;
/// Of a hundred places, how many are used: most names stand in the bucket where they belong, and most buckets send nobody on.
const FILL: usize = 80;

/// One cache line of an index.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Bucket {
    /// The tags of the entries, 0 for free places; the 13th tells whether the bucket [sends on](Self::sends_on).
    tags: [u8; 16],
    offsets: [u32; BUCKET],
}

const EMPTY: Bucket = Bucket { tags: [0; 16], offsets: [0; BUCKET] };

impl Bucket {
    /// True if entries that belong here stand in the next bucket.
    #[inline]
    fn sends_on(&self) -> bool {
        self.tags[BUCKET] != 0
    }

    /// The places that may have this tag: each that has it, seldom one behind it that has not.
    #[inline]
    fn matches(&self, tag: u8) -> Places {
        const ONES: u128 = u128::from_le_bytes([1; 16]);
        const HIGHS: u128 = (ONES << 7) >> (8 * (16 - BUCKET));
        // An octet is zero where the tag is the same; a subtraction borrows from the octet above only where one was zero.
        let differ = u128::from_le_bytes(self.tags) ^ (ONES * u128::from(tag));
        Places(differ.wrapping_sub(ONES) & !differ & HIGHS)
    }

    /// The places of its entries.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u32> {
        self.tags[..BUCKET].iter().zip(self.offsets).filter(|(tag, _)| **tag != 0).map(|(_, offset)| offset)
    }

    /// As it stands in an image: tags, then places, little-endian.
    pub(super) fn to_octets(self) -> [u8; 64] {
        let mut octets = [0; 64];
        octets[..16].copy_from_slice(&self.tags);
        for (to, from) in octets[16..].chunks_exact_mut(4).zip(self.offsets) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        octets
    }

    /// From what [`Self::to_octets`] gave.
    pub(super) fn from_octets(octets: &[u8; 64]) -> Self {
        let mut bucket = EMPTY;
        bucket.tags.copy_from_slice(&octets[..16]);
        for (to, from) in bucket.offsets.iter_mut().zip(octets[16..].chunks_exact(4)) {
            *to = u32::from_le_bytes([from[0], from[1], from[2], from[3]]);
        }
        bucket
    }
}

/// So many buckets without an entry, in large pages where they fill some.
pub(super) fn empty_buckets(n: usize) -> Vec<Bucket> {
    let mut buckets = Vec::with_capacity(n);
    memory::will_fill(buckets.spare_capacity_mut());
    buckets.resize(n, EMPTY);
    buckets
}

/// Places of a bucket, the highest bit of an octet each.
struct Places(u128);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 8)?;
        self.0 &= self.0 - 1;
        Some(place)
    }
}

/// Maps a hash to offsets of nodes: buckets of one cache line, so that a look-up is one miss; a full bucket sends on to the next.
#[derive(Clone, Debug, Default)]
pub struct Index {
    buckets: Vec<Bucket>,
    used: usize,
}

impl Index {
    /// An index with room for `n` entries.
    pub fn with_capacity(n: usize) -> Self {
        Self { buckets: empty_buckets(n * 100 / (FILL * BUCKET) + 1), used: 0 }
    }

    /// Adds an entry; the caller knows that its name is not in yet.
    ///
    /// # Panics
    /// When more entries are added than there was room for.
    pub fn insert(&mut self, hash: NameHash, offset: u32) {
        assert!(self.used < self.buckets.len() * BUCKET, "an index never grows");
        let n = self.buckets.len();
        let mut at = hash.bucket(n);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(place) = bucket.tags[..BUCKET].iter().position(|&tag| tag == 0) {
                bucket.tags[place] = hash.tag();
                bucket.offsets[place] = offset;
                self.used += 1;
                return;
            }
            bucket.tags[BUCKET] = 1;
            at = if at + 1 == n { 0 } else { at + 1 };
        }
    }

    /// The offset for which `is_it` is true, among those whose hash is like `hash`.
    #[inline]
    pub fn find(&self, hash: NameHash, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let n = self.buckets.len();
        let mut at = hash.bucket(n);
        // Not more often than there are buckets, though all may be full.
        for _ in 0..n {
            let bucket = &self.buckets[at];
            if let Some(offset) = bucket.matches(hash.tag()).map(|place| bucket.offsets[place]).find(|&offset| is_it(offset)) {
                return Some(offset);
            }
            if !bucket.sends_on() {
                return None;
            }
            at = if at + 1 == n { 0 } else { at + 1 };
        }
        None
    }

    /// Starts to bring the bucket of `hash` near.
    #[inline]
    pub fn prefetch(&self, hash: NameHash) {
        memory::prefetch(&self.buckets, hash.bucket(self.buckets.len()));
    }

    /// The first offset that may be the one of `hash`, the next bucket aside.
    #[inline]
    pub fn guess(&self, hash: NameHash) -> Option<u32> {
        let bucket = self.buckets.get(hash.bucket(self.buckets.len()))?;
        bucket.matches(hash.tag()).next().map(|place| bucket.offsets[place])
    }

    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// The index with these buckets and so many entries.
    pub(super) fn of_buckets(buckets: Vec<Bucket>, used: usize) -> Self {
        Self { buckets, used }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>()
    }

    /// Moves the buckets into large pages.
    pub(super) fn enlarge_pages(&self) {
        memory::enlarge(&self.buckets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in() {
        let mut index = Index::with_capacity(1000);
        let hash = |i: u32| NameHash::start(5).with(format!("label-number-{i}").as_bytes()).with(b"com");
        for i in 0..1000 {
            index.insert(hash(i), i);
        }
        for i in 0..1000 {
            assert_eq!(index.find(hash(i), |at| at == i), Some(i));
        }
        assert_eq!(index.find(hash(1000), |_| true), None);
        assert_ne!(NameHash::start(1).with(b"ab").with(b"c"), NameHash::start(1).with(b"a").with(b"bc"));
        assert_ne!(NameHash::start(1).with(b"a\0"), NameHash::start(1).with(b"a"));
    }
}
