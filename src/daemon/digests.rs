//! When the digests that zones lack are made: soon after a zone's last change, and no more of the time than half.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::dns::{Name, Serial};

/// How long a zone has to be as it is before its digest is made: who changes it name by name is not through yet. Our choice.
const QUIET: Duration = Duration::from_millis(200);

/// How long nothing is tried again after a digest could not be made. Our choice: keys or a disk are not mended sooner.
const RETRY: Duration = Duration::from_secs(60);

/// Knows since when each zone lacks its digest, and when one may be made. Reads no clock.
#[derive(Debug, Default)]
pub struct Pace {
    /// The version that lacks its digest, and when its turn comes.
    lacking: BTreeMap<Name, (Serial, Instant)>,
    /// Digests that are being made, since when.
    began: Option<Instant>,
    /// None is begun before.
    rest_until: Option<Instant>,
}

impl Pace {
    /// The zones whose digest is to be made now, of those that `lack` theirs. Where that is any, none is given out before [`Self::done`].
    pub fn due(&mut self, lack: Vec<(Name, Serial)>, now: Instant) -> Vec<Name> {
        let mut before = std::mem::take(&mut self.lacking);
        for (apex, serial) in lack {
            let since = before.remove(&apex).filter(|(seen, _)| *seen == serial).map_or(now + QUIET, |(_, at)| at);
            self.lacking.insert(apex, (serial, since));
        }
        if self.began.is_some() || self.rest_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let due: Vec<Name> = self.lacking.iter().filter(|(_, (_, at))| *at <= now).map(|(apex, _)| apex.clone()).collect();
        self.began = (!due.is_empty()).then_some(now);
        due
    }

    /// When to ask again, if nothing happens before.
    pub fn next(&self) -> Option<Instant> {
        let first = self.lacking.values().map(|(_, at)| *at).min().filter(|_| self.began.is_none())?;
        Some(first.max(self.rest_until.unwrap_or(first)))
    }

    /// The digest of a zone could not be made.
    pub fn failed(&mut self, apex: &Name, now: Instant) {
        if let Some((_, at)) = self.lacking.get_mut(apex) {
            *at = now + RETRY;
        }
    }

    /// All that was given out is done: what it took is rested.
    pub fn done(&mut self, now: Instant) {
        if let Some(began) = self.began.take() {
            self.rest_until = Some(now + (now - began));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_follow_the_last_change_and_take_half_of_the_time() {
        let (com, vn) = (Name::parse("com.vn").expect("name"), Name::parse("vn").expect("name"));
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        let lack = |com_serial: u32| vec![(com.clone(), Serial(com_serial)), (vn.clone(), Serial(7))];
        assert_eq!((pace.due(lack(1), at(0)), pace.next()), (vec![], Some(at(200))));
        // One goes on changing, which keeps the other from nothing.
        assert_eq!((pace.due(lack(2), at(150)), pace.next()), (vec![], Some(at(200))));
        assert_eq!((pace.due(lack(2), at(200)), pace.next()), (vec![vn.clone()], None));
        assert_eq!(pace.due(lack(2), at(400)), [], "one is being made");
        pace.done(at(500));
        assert_eq!((pace.due(vec![(com.clone(), Serial(2))], at(500)), pace.next()), (vec![], Some(at(800))));
        assert_eq!(pace.due(vec![(com.clone(), Serial(2))], at(800)), vec![com.clone()]);
        // What fails is not tried at once; another version is.
        pace.failed(&com, at(810));
        pace.done(at(820));
        assert_eq!((pace.due(vec![(com.clone(), Serial(2))], at(60_809)), pace.next()), (vec![], Some(at(60_810))));
        assert_eq!(pace.due(vec![(com.clone(), Serial(3))], at(60_809)), []);
        assert_eq!(pace.next(), Some(at(61_009)));
        assert_eq!((pace.due(vec![], at(61_009)), pace.next()), (vec![], None));
    }
}
