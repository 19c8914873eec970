//! One thing that goes wrong with many zones is said of a few, and then counted.
//!
//! Knows neither clock nor log.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::dns::UnixTime;

/// Zones of which the same is said, each in a line of its own. Our choice: enough to see what they have in common.
const SHOWN: usize = 10;

/// Seconds for which more of them are counted, for one line about them. Our choice.
const GATHER: u64 = 60;

/// What was said of late of primaries.
#[derive(Default)]
pub struct Hush {
    said: BTreeMap<(SocketAddr, String), Said>,
    /// When the first of them has been counted for long enough.
    next: Option<UnixTime>,
}

struct Said {
    until: UnixTime,
    n: usize,
}

impl Hush {
    /// True if it is to be said now that this is wrong with one more zone of this primary; otherwise it is counted.
    pub fn is_said(&mut self, address: SocketAddr, what: &str, now: UnixTime) -> bool {
        let until = UnixTime(now.0 + GATHER);
        self.next.get_or_insert(until);
        let said = self.said.entry((address, what.to_owned())).or_insert(Said { until, n: 0 });
        said.n += 1;
        said.n <= SHOWN
    }

    /// What was counted for long enough: the primary, what is wrong, of how many zones it was not said.
    pub fn counted(&mut self, now: UnixTime) -> Vec<(SocketAddr, String, usize)> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let over = self.said.extract_if(.., |_, said| said.until <= now);
        let counted = over.filter(|(_, said)| said.n > SHOWN).map(|((address, what), said)| (address, what, said.n - SHOWN)).collect();
        self.next = self.said.values().map(|said| said.until).min();
        counted
    }

    /// When [`Self::counted`] may have something.
    pub fn next(&self) -> Option<UnixTime> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_counted() {
        let mut hush = Hush::default();
        let (a, b) = (SocketAddr::from(([127, 0, 0, 1], 53)), SocketAddr::from(([127, 0, 0, 2], 53)));
        let say =
            |hush: &mut Hush, address, what: &str, n: u64| (0..n).filter(|i| hush.is_said(address, what, UnixTime(100 + i / 100))).count();
        assert_eq!(say(&mut hush, a, "REFUSED", 1500), 10);
        assert_eq!(say(&mut hush, b, "REFUSED", 3), 3);
        assert_eq!(say(&mut hush, a, "NOTAUTH", 10), 10);
        assert_eq!(hush.next(), Some(UnixTime(160)));
        assert_eq!(hush.counted(UnixTime(159)), []);
        assert_eq!(hush.counted(UnixTime(160)), [(a, "REFUSED".to_owned(), 1490)]);
        assert_eq!((hush.next(), hush.counted(UnixTime(1000))), (None, vec![]));
        // Later it is news again.
        assert_eq!(say(&mut hush, a, "REFUSED", 11), 10);
    }
}
