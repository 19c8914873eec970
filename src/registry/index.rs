//! An index of names, without regard to ASCII case, that keeps no names.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::span::Span;
use crate::memory;

/// An open-addressing index: 11 to 24 octets an entry. Entries are numbers; whoever asks says which name an entry has.
#[derive(Debug)]
pub(super) struct NameIndex {
    /// The name's hash, and the entry and 1; 0 for an empty place.
    slots: Vec<u64>,
    used: usize,
    /// Random: registrants choose names, and must not choose their places.
    hasher: RandomState,
}

/// The hash of a name; of use only with the index that gave it, or one with the same hasher.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameHash(u32);

impl NameIndex {
    /// An empty index; names have the same hash in all indexes with clones of one hasher.
    pub fn new(hasher: RandomState) -> Self {
        Self { slots: Vec::new(), used: 0, hasher }
    }

    /// An empty index with the hasher of this one.
    pub fn empty_like(&self) -> Self {
        Self::new(self.hasher.clone())
    }

    /// Makes room for `n` more entries.
    pub fn reserve(&mut self, n: usize) {
        let size = ((self.used + n) * 4 / 3 + 8).next_power_of_two();
        if size <= self.slots.len() {
            return;
        }
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        memory::will_fill(&mut self.slots);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let mut at = self.place(NameHash((slot >> 32) as u32));
            while self.slots[at] != 0 {
                at = self.behind(at);
            }
            self.slots[at] = slot;
        }
    }

    pub fn hash(&self, name: &[u8]) -> NameHash {
        let mut hasher = self.hasher.build_hasher();
        let mut folded = [0u8; 64];
        for chunk in name.chunks(64) {
            let folded = &mut folded[..chunk.len()];
            folded.copy_from_slice(chunk);
            folded.make_ascii_lowercase();
            hasher.write(folded);
        }
        NameHash((hasher.finish() >> 32) as u32)
    }

    /// Puts `entry` in; returns the entry of the same name that is there already, and changes nothing then.
    pub fn insert<'a>(&mut self, hash: NameHash, entry: u32, name: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.reserve(self.used + 8);
        }
        let at = self.find(hash, name(entry), &name);
        match self.slots[at] {
            0 => {
                self.slots[at] = u64::from(hash.0) << 32 | u64::from(entry + 1);
                self.used += 1;
                None
            }
            slot => Some(slot as u32 - 1),
        }
    }

    /// The entry of the name `wanted`, whose hash the caller has.
    pub fn get<'a>(&self, hash: NameHash, wanted: &[u8], name: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        match self.slots[self.find(hash, wanted, name)] {
            0 => None,
            slot => Some(slot as u32 - 1),
        }
    }

    /// Brings the place of a name near that will be asked for soon.
    pub fn prefetch(&self, hash: NameHash) {
        memory::prefetch(&self.slots, self.place(hash));
    }

    /// The place of the name with this hash, or the empty place where it belongs. There must be an empty place.
    fn find<'a>(&self, hash: NameHash, wanted: &[u8], name: impl Fn(u32) -> &'a [u8]) -> usize {
        let mut at = self.place(hash);
        loop {
            let slot = self.slots[at];
            // The hash tells nearly all others apart without a look at their names.
            let is_it = (slot >> 32) as u32 == hash.0 && slot != 0 && name(slot as u32 - 1).eq_ignore_ascii_case(wanted);
            if is_it || slot == 0 {
                return at;
            }
            at = self.behind(at);
        }
    }

    fn place(&self, hash: NameHash) -> usize {
        hash.0 as usize & self.slots.len().wrapping_sub(1)
    }

    fn behind(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

/// Different names, numbered in the order in which they came first.
#[derive(Debug)]
pub(super) struct Names {
    spans: Vec<Span>,
    index: NameIndex,
}

impl Names {
    /// No names yet, to be found with `index`, which must be empty.
    pub fn new(index: NameIndex) -> Self {
        Self { spans: Vec::new(), index }
    }

    /// No names, with the hashes of these.
    pub fn empty_like(&self) -> Self {
        Self::new(self.index.empty_like())
    }

    /// Where each name stands as it came first.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    pub fn hash(&self, name: &[u8]) -> NameHash {
        self.index.hash(name)
    }

    /// The number of a name; `text` is what the names stand in.
    pub fn find(&self, text: &[u8], hash: NameHash, name: &[u8]) -> Option<u32> {
        self.index.get(hash, name, |i| self.spans[i as usize].of(text))
    }

    /// The number of a name that stands in `text`, from now on if not before.
    pub fn add(&mut self, text: &[u8], hash: NameHash, name: Span) -> u32 {
        let next = self.spans.len() as u32;
        self.spans.push(name);
        let known = self.index.insert(hash, next, |i| self.spans[i as usize].of(text));
        if known.is_some() {
            self.spans.pop();
        }
        known.unwrap_or(next)
    }

    /// Makes room for `n` more names.
    pub fn reserve(&mut self, n: usize) {
        self.spans.reserve(n);
        self.index.reserve(n);
    }
}
