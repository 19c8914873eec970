//! All zones of the server, found by the suffix of a name.

use std::sync::Arc;

use super::walk::Sought;
use super::{NameMap, Zone};
use crate::dns::NameRef;

/// All zones of the server. Cloning and changing it costs next to nothing: zones are shared, and so is most of what leads to them.
#[derive(Clone, Default)]
pub struct ZoneSet(NameMap<Option<Arc<Zone>>>);

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

impl ZoneSet {
    /// No zones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `zone` in, in place of the one with the same apex.
    pub fn insert(&mut self, zone: Arc<Zone>) {
        self.0.insert(Arc::clone(&zone).apex(), Some(zone));
    }

    /// Makes the server answer SERVFAIL for the zone: it is ours, but there is nothing to answer from.
    pub fn insert_unavailable(&mut self, apex: NameRef<'_>) {
        self.0.insert(apex, None);
    }

    /// Takes a zone out.
    pub fn remove(&mut self, apex: NameRef<'_>) {
        self.0.remove(apex);
    }

    /// The zone with exactly this apex, where it is available.
    pub fn get(&self, apex: NameRef<'_>) -> Option<&Arc<Zone>> {
        self.0.get(apex)?.as_ref()
    }

    /// What there is of the zone with exactly this apex: `None` where it is none of ours, `Some(None)` where there is nothing to answer from.
    pub fn of(&self, apex: NameRef<'_>) -> Option<Option<&Arc<Zone>>> {
        self.0.get(apex).map(Option::as_ref)
    }

    /// Every apex with its zone, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, Option<&Arc<Zone>>)> {
        self.0.iter().map(|(name, zone)| (name, zone.as_ref()))
    }

    /// The zone that the last labels of `sought` name, the longest apex of at most `labels` labels.
    #[inline]
    pub fn find(&self, sought: &Sought, labels: usize) -> Found<'_> {
        match self.0.find(sought, labels) {
            Some(Some(zone)) => Found::Zone(zone),
            Some(None) => Found::Unavailable,
            None => Found::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn the_longest_apex_wins() {
        let mut set = ZoneSet::new();
        for apex in ["vn", "COM.vn", "a.b.vn"] {
            set.insert_unavailable(Name::parse(apex).expect("name").as_ref());
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
