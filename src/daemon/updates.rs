//! Changes that clients ask for, between the workers that take them in and the builder that carries them out.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::builder::Work;
use crate::transport::{Later, Updater};

/// What waits, the first that came first.
pub struct Updates {
    waiting: Mutex<VecDeque<Later>>,
    work: SyncSender<Work>,
}

/// Changes that may wait: our choice, some seconds of work. Who comes then gets SERVFAIL and tries again.
const MOST: usize = 1000;

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
        if waiting.len() >= MOST {
            drop(waiting);
            // It answers itself, and not while others wait for the lock.
            return drop(later);
        }
        waiting.push_back(later);
        drop(waiting);
        self.ring();
    }
}
