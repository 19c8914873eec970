//! What is known by name, found by the suffix of a name, in parts that versions share: a change of one entry copies one part.

use std::sync::Arc;

use super::hash::{Index, NameHash};
use super::walk::Sought;
use crate::dns::{Name, NameRef};

/// Values by name. Cloning costs next to nothing, and a change then a few dozen entries, however many there are.
#[derive(Clone)]
pub struct NameMap<V> {
    /// A power of two of them; the hash of a name says in which it stands.
    parts: Arc<[Arc<Part<V>>]>,
    root: Option<V>,
    /// How many names have so many labels; the last is not 0.
    depths: Vec<usize>,
}

/// Some of the entries. Names are in lower case.
#[derive(Clone)]
struct Part<V> {
    entries: Vec<(Name, V)>,
    index: Index,
}

impl<V> Default for Part<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: Index::with_capacity(0) }
    }
}

/// Entries of a part, on average, from which on there are twice as many parts. Our choice: below, a change costs microseconds; above, so would a clone.
const FULL: usize = 64;

/// The indices here never outlive the process, but names may be chosen by others.
const SEED: u64 = 0x5a01_a5a0_1a5a_01a5;

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self { parts: Arc::new([Arc::default()]), root: None, depths: Vec::new() }
    }
}

impl<V: Clone> NameMap<V> {
    /// Without an entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in, in place of the one with the same name.
    pub fn insert(&mut self, name: NameRef<'_>, value: V) {
        let sought = Sought::new(name);
        if self.value_of(&sought).is_none() {
            let labels = sought.labels();
            self.depths.resize(self.depths.len().max(labels + 1), 0);
            self.depths[labels] += 1;
        }
        if sought.labels() == 0 {
            self.root = Some(value);
            return;
        }
        let hash = hash_of(&sought);
        let at = self.part_of(hash);
        let part = Arc::make_mut(&mut Arc::make_mut(&mut self.parts)[at]);
        match part.find(hash, sought.wire()) {
            Some(i) => part.entries[i].1 = value,
            None => {
                part.entries.push((name.to_lowercase(), value));
                part.reindex();
            }
        }
        if self.len() > FULL * self.parts.len() {
            self.spread();
        }
    }

    /// Takes an entry out, if it is there.
    pub fn remove(&mut self, name: NameRef<'_>) {
        let sought = Sought::new(name);
        if self.value_of(&sought).is_none() {
            return;
        }
        self.depths[sought.labels()] -= 1;
        while self.depths.last() == Some(&0) {
            self.depths.pop();
        }
        if sought.labels() == 0 {
            self.root = None;
            return;
        }
        let hash = hash_of(&sought);
        let at = self.part_of(hash);
        let part = Arc::make_mut(&mut Arc::make_mut(&mut self.parts)[at]);
        if let Some(i) = part.find(hash, sought.wire()) {
            part.entries.swap_remove(i);
            part.reindex();
        }
    }

    /// Twice as many parts.
    fn spread(&mut self) {
        let mut parts: Vec<Part<V>> = Vec::new();
        parts.resize_with(2 * self.parts.len(), Part::default);
        for (name, value) in self.parts.iter().flat_map(|part| &part.entries) {
            let hash = hash_of(&Sought::new(name.as_ref()));
            parts[part_of(hash, 2 * self.parts.len())].entries.push((name.clone(), value.clone()));
        }
        parts.iter_mut().for_each(Part::reindex);
        self.parts = parts.into_iter().map(Arc::new).collect();
    }
}

impl<V> NameMap<V> {
    /// The value of exactly this name.
    pub fn get(&self, name: NameRef<'_>) -> Option<&V> {
        self.value_of(&Sought::new(name))
    }

    /// The value of the longest name of at most `labels` labels that the last labels of `sought` are.
    #[inline]
    pub fn find(&self, sought: &Sought, labels: usize) -> Option<&V> {
        let mut best = self.root.as_ref();
        let mut hash = NameHash::start(SEED);
        for n in 1..=labels.min(self.depths.len().saturating_sub(1)) {
            hash = hash.with(sought.label(n));
            let part = &*self.parts[self.part_of(hash)];
            if let Some(i) = part.find(hash, sought.suffix(n)) {
                best = Some(&part.entries[i].1);
            }
        }
        best
    }

    /// Every name with its value, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, &V)> {
        let root = self.root.iter().map(|value| (NameRef::ROOT, value));
        root.chain(self.parts.iter().flat_map(|part| &part.entries).map(|(name, value)| (name.as_ref(), value)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.depths.iter().sum()
    }

    /// True without an entry.
    pub fn is_empty(&self) -> bool {
        self.depths.is_empty()
    }

    fn value_of(&self, sought: &Sought) -> Option<&V> {
        if sought.labels() == 0 {
            return self.root.as_ref();
        }
        let hash = hash_of(sought);
        let part = &*self.parts[self.part_of(hash)];
        part.find(hash, sought.wire()).map(|i| &part.entries[i].1)
    }

    #[inline]
    fn part_of(&self, hash: NameHash) -> usize {
        part_of(hash, self.parts.len())
    }
}

impl<V> Part<V> {
    #[inline]
    fn find(&self, hash: NameHash, wire: &[u8]) -> Option<usize> {
        self.index.find(hash, |i| self.entries[i as usize].0.as_ref().as_wire() == wire).map(|i| i as usize)
    }

    fn reindex(&mut self) {
        self.index = Index::with_capacity(self.entries.len());
        for (i, (name, _)) in self.entries.iter().enumerate() {
            self.index.insert(hash_of(&Sought::new(name.as_ref())), i as u32);
        }
    }
}

/// By bits of the hash that the index of a part makes little of; `n` is a power of two.
#[inline]
fn part_of(hash: NameHash, n: usize) -> usize {
    (hash.number() >> 32) as usize & (n - 1)
}

fn hash_of(sought: &Sought) -> NameHash {
    (1..=sought.labels()).fold(NameHash::start(SEED), |hash, n| hash.with(sought.label(n)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Against a map that everybody knows, through many changes, and every version stays what it was.
    #[test]
    fn it_is_a_map_of_versions() {
        let mut random = fastrand::Rng::with_seed(9);
        let (mut map, mut expected) = (NameMap::new(), BTreeMap::new());
        let mut versions = Vec::new();
        let name = |n: u32| match n {
            0 => Name::parse(".").expect("name"),
            n if n % 3 == 0 => Name::parse(&format!("a{n}.B{}.vn", n % 50)).expect("name"),
            n => Name::parse(&format!("N{n}.vn")).expect("name"),
        };
        for step in 0..20_000u32 {
            // It grows first, and is emptied in the end.
            let (n, is_gone) = (random.u32(0..3000), random.u32(0..20_000) < step);
            let key = name(n).as_ref().to_lowercase();
            if is_gone {
                map.remove(name(n).as_ref());
                expected.remove(&key);
            } else {
                map.insert(name(n).as_ref(), step);
                expected.insert(key.clone(), step);
            }
            assert_eq!(map.get(key.as_ref()), expected.get(&key));
            assert_eq!(map.len(), expected.len());
            if step % 1000 == 0 {
                versions.push((map.clone(), expected.clone()));
            }
        }
        assert!(versions.iter().any(|(map, _)| map.parts.len() > 8), "it grew");
        for (map, expected) in versions {
            let all: BTreeMap<Name, u32> = map.iter().map(|(name, value)| (name.to_owned(), *value)).collect();
            assert_eq!(all, expected);
            for n in 0..3000 {
                assert_eq!(map.get(name(n).as_ref()), expected.get(&name(n).as_ref().to_lowercase()));
            }
            let deepest = expected.keys().map(|name| name.as_ref().label_count()).max();
            assert_eq!(map.depths.len().checked_sub(1), deepest);
        }
    }
}
