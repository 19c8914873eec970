//! All zones of the server, found by the suffix of a name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Zone;
use super::hash::{Index, NameHash};
use super::walk::Sought;
use crate::dns::{Name, NameRef};

/// All zones of the server. Cheap to clone and change: zones are shared.
#[derive(Clone, Default)]
pub struct ZoneSet {
    zones: Vec<(Name, Option<Arc<Zone>>)>,
    index: Index,
    /// Labels of the deepest apex.
    deepest: usize,
    has_root: bool,
}

/// What the set has for a name.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// The zone with the longest apex that encloses the name.
    Zone(&'a Zone),
    /// That zone is ours, but there is nothing to answer from.
    Unavailable,
    /// No zone of ours encloses the name.
    None,
}

/// The indices here never outlive the process, but apexes may be chosen by others.
const SEED: u64 = 0x5a01_a5a0_1a5a_01a5;

impl ZoneSet {
    /// No zones.
    pub fn new() -> Self {
        Self::default()
    }

    /// These zones, no two of one apex; what is `None` of is ours and answered with SERVFAIL. Faster than one by one.
    pub fn of(zones: impl IntoIterator<Item = (Name, Option<Arc<Zone>>)>) -> Self {
        let mut seen = BTreeSet::new();
        let zones = zones.into_iter().map(|(apex, zone)| (apex.as_ref().to_lowercase(), zone));
        let mut set = Self { zones: zones.filter(|(apex, _)| seen.insert(apex.clone())).collect(), ..Self::default() };
        set.reindex();
        set
    }

    /// Puts `zone` in, in place of the one with the same apex.
    pub fn insert(&mut self, zone: Arc<Zone>) {
        self.set(zone.apex().to_owned(), Some(zone));
    }

    /// Makes the server answer SERVFAIL for the zone: it is ours, but there is nothing to answer from.
    pub fn insert_unavailable(&mut self, apex: Name) {
        self.set(apex, None);
    }

    /// Takes a zone out.
    pub fn remove(&mut self, apex: NameRef<'_>) {
        self.zones.retain(|(name, _)| name.as_ref() != apex);
        self.reindex();
    }

    /// The zone with exactly this apex, where it is available.
    pub fn get(&self, apex: NameRef<'_>) -> Option<&Arc<Zone>> {
        self.zones.iter().find(|(name, _)| name.as_ref() == apex)?.1.as_ref()
    }

    /// Every apex with its zone.
    pub fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, Option<&Arc<Zone>>)> {
        self.zones.iter().map(|(name, zone)| (name.as_ref(), zone.as_ref()))
    }

    /// The zone that the last labels of `sought` name, the longest apex of at most `labels` labels.
    #[inline]
    pub fn find(&self, sought: &Sought, labels: usize) -> Found<'_> {
        let mut best = self.has_root.then(|| self.zones.iter().position(|(name, _)| name.as_ref().is_root())).flatten();
        let mut hash = NameHash::start(SEED);
        for n in 1..=labels.min(self.deepest) {
            hash = hash.with(sought.label(n));
            let suffix = sought.suffix(n);
            if let Some(i) = self.index.find(hash, |i| self.zones[i as usize].0.as_ref().as_wire() == suffix) {
                best = Some(i as usize);
            }
        }
        match best.map(|i| &self.zones[i].1) {
            Some(Some(zone)) => Found::Zone(zone),
            Some(None) => Found::Unavailable,
            None => Found::None,
        }
    }

    fn set(&mut self, apex: Name, zone: Option<Arc<Zone>>) {
        match self.zones.iter_mut().find(|(name, _)| *name == apex) {
            Some(slot) => slot.1 = zone,
            None => {
                self.zones.push((apex.as_ref().to_lowercase(), zone));
                self.reindex();
            }
        }
    }

    fn reindex(&mut self) {
        self.index = Index::with_capacity(self.zones.len());
        self.deepest = 0;
        self.has_root = false;
        for (i, (name, _)) in self.zones.iter().enumerate() {
            let sought = Sought::new(name.as_ref());
            let hash = (1..=sought.labels()).fold(NameHash::start(SEED), |hash, n| hash.with(sought.label(n)));
            self.deepest = self.deepest.max(sought.labels());
            if sought.labels() == 0 {
                self.has_root = true;
            } else {
                self.index.insert(hash, i as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_apex_wins() {
        let mut set = ZoneSet::new();
        for apex in ["vn", "COM.vn", "a.b.vn"] {
            set.insert_unavailable(Name::parse(apex).expect("name"));
        }
        let find = |text: &str, less: usize| {
            let sought = Sought::new(Name::parse(text).expect("name").as_ref());
            matches!(set.find(&sought, sought.labels() - less), Found::Unavailable)
        };
        assert!(find("www.com.vn", 0));
        assert!(find("vn", 0));
        assert!(!find("vnx", 0));
        assert!(!find("vn", 1));
        set.remove(Name::parse("vn").expect("name").as_ref());
        let sought = Sought::new(Name::parse("b.vn").expect("name").as_ref());
        assert!(matches!(set.find(&sought, 2), Found::None));
        let sought = Sought::new(Name::parse("x.a.b.vn").expect("name").as_ref());
        assert!(matches!(set.find(&sought, 4), Found::Unavailable));
    }
}
