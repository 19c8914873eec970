//! How long zones that are had from others are still good, as servers further down are told (RFC 7314 §3.2).

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::dns::{Name, NameRef, UnixTime};
use crate::zone::Zone;

/// When zones expire, by apex in lower case. Whoever looks after them changes it while it is answered from.
#[derive(Debug, Default)]
pub struct Expiry(RwLock<BTreeMap<Name, UnixTime>>);

impl Expiry {
    /// The zone is good until then.
    pub fn set(&self, apex: &Name, until: UnixTime) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(apex.clone(), until);
    }

    /// All others are zones of our own.
    pub fn replace(&self, all: BTreeMap<Name, UnixTime>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Seconds for which the zone is good: what its SOA says where it is our own, what is left of that otherwise.
    pub(super) fn left(&self, zone: &Zone, now: UnixTime) -> u32 {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let most = zone.soa().expire;
        let until = if all.is_empty() { None } else { all.get(&zone.apex().to_lowercase()) };
        until.map_or(most, |until| u32::try_from(until.0.saturating_sub(now.0)).unwrap_or(most).min(most))
    }

    /// True if the zone that encloses `name` most closely, of those that were had from others, is good no more.
    pub(super) fn is_over(&self, name: NameRef<'_>, now: UnixTime) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return false;
        }
        let name = name.to_lowercase();
        let mut above = Some(name.as_ref());
        while let Some(name) = above {
            if let Some(until) = all.get(&name.to_owned()) {
                return *until <= now;
            }
            above = name.parent();
        }
        false
    }
}
