//! The hash of names below an apex, label by label from the right, and the open-addressing index over it.
//!
//! Seeded: who chooses names must not be able to choose collisions.

/// Hash state after some labels; the next label to the left is mixed in with [`NameHash::with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash(u64);

impl NameHash {
    /// The state before any label.
    pub fn start(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Mixes in one label, which must be in lower case.
    #[inline]
    pub fn with(self, label: &[u8]) -> Self {
        let mut h = self.0 ^ (label.len() as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mut chunks = label.chunks_exact(8);
        for chunk in &mut chunks {
            h = fold(h ^ u64::from_le_bytes(chunk.try_into().expect("eight octets")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0u8; 8];
            last[..rest.len()].copy_from_slice(rest);
            h = fold(h ^ u64::from_le_bytes(last));
        }
        Self(fold(h))
    }

    fn slot(self, mask: usize) -> usize {
        self.0 as usize & mask
    }

    fn fingerprint(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Multiplies to 128 bits and folds the halves together.
#[inline]
fn fold(h: u64) -> u64 {
    let wide = u128::from(h) * 0xd6e8_feb8_6659_fd93_u128;
    (wide as u64) ^ (wide >> 64) as u64
}

/// Maps a hash to offsets of nodes: 8-byte slots of fingerprint and offset, linear probing, at most three quarters full.
#[derive(Clone, Debug, Default)]
pub struct Index {
    slots: Vec<u64>,
    used: usize,
}

/// No slot holds this offset.
const EMPTY: u64 = u64::MAX;

impl Index {
    /// An index with room for `n` entries.
    pub fn with_capacity(n: usize) -> Self {
        Self { slots: vec![EMPTY; (n * 4 / 3 + 2).next_power_of_two()], used: 0 }
    }

    /// Adds an entry; the caller knows that its name is not in yet.
    ///
    /// # Panics
    /// When more entries are added than there was room for.
    pub fn insert(&mut self, hash: NameHash, offset: u32) {
        assert!((self.used + 1) * 4 <= self.slots.len() * 3, "an index never grows");
        let mask = self.slots.len() - 1;
        let mut i = hash.slot(mask);
        while self.slots[i] != EMPTY {
            i = (i + 1) & mask;
        }
        self.slots[i] = u64::from(hash.fingerprint()) << 32 | u64::from(offset);
        self.used += 1;
    }

    /// The offset for which `is_it` is true, among those whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: NameHash, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut i = hash.slot(mask);
        // Ends: at least a quarter of the slots is empty.
        loop {
            let slot = self.slots[i];
            if slot == EMPTY {
                return None;
            }
            if (slot >> 32) as u32 == hash.fingerprint() && is_it(slot as u32) {
                return Some(slot as u32);
            }
            i = (i + 1) & mask;
        }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.slots.len() * 8
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
