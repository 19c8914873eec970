//! Changes that clients ask for, between the workers that take them in and the builder that carries them out.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::builder::Work;
use crate::dns::NameRef;
use crate::transport::{Later, Updater};

/// What waits, the first that came first.
pub struct Updates {
    waiting: Mutex<VecDeque<Later>>,
    work: SyncSender<Work>,
}

/// Changes that may wait: our choice, some seconds of work. Who comes then gets SERVFAIL and tries again.
const MOST: usize = 1000;
/// Those of them that one key may have: however many it sends, there is room for others. Our choice.
const MOST_OF_KEY: usize = MOST / 2;

impl Updates {
    /// With nothing yet; `work` is where the builder is told that there is something.
    pub fn new(work: SyncSender<Work>) -> Self {
        Self { waiting: Mutex::default(), work }
    }

    /// The one that waits longest.
    pub fn next(&self) -> Option<Later> {
        self.waiting().pop_front()
    }

    /// Tells the builder, if there is anything to do.
    pub fn ring(&self) {
        if !self.waiting().is_empty() {
            // With a full queue it has work, and looks here behind it.
            let _ = self.work.try_send(Work::Updates);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Later>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Updater for Updates {
    fn take(&self, later: Later) {
        let mut waiting = self.waiting();
        if waiting.iter().any(|other| other.is_again(&later)) {
            return later.forget();
        }
        if !has_room(waiting.iter().map(|other| other.wish().key()), later.wish().key()) {
            drop(waiting);
            // It answers itself, and not while others wait for the lock.
            return drop(later);
        }
        waiting.push_back(later);
        drop(waiting);
        self.ring();
    }
}

/// True if one more of this key may wait; `waiting` are the keys of those that do.
fn has_room<'a>(waiting: impl ExactSizeIterator<Item = NameRef<'a>>, key: NameRef<'_>) -> bool {
    waiting.len() < MOST && waiting.filter(|other| *other == key).count() < MOST_OF_KEY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn one_key_leaves_room_for_others() {
        let [a, b, c] = ["a", "b", "c"].map(|text| Name::parse(text).expect("a name"));
        let with = |n_a: usize, n_b: usize, key: &Name| {
            let waiting: Vec<_> = std::iter::repeat_n(a.as_ref(), n_a).chain(std::iter::repeat_n(b.as_ref(), n_b)).collect();
            has_room(waiting.into_iter(), key.as_ref())
        };
        assert!(with(0, 0, &a) && with(499, 500, &a) && with(500, 499, &c));
        assert!(!with(500, 0, &a) && with(500, 0, &b));
        assert!(!with(500, 500, &a) && !with(500, 500, &c));
    }
}
