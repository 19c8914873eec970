//! Orders on their way from who files them to the builder, and the answers on their way back.

use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::builder::Work;
use crate::orders::Filing;
use crate::transport;

/// What is asked of the ledger.
pub enum Ask {
    /// To take these in; the answer has a line for each, in their order.
    File(Vec<Filing>),
    /// What else breaks when the name goes.
    Impact(String),
    /// Which orders there are: of one name, or all; those that are in force, or any.
    List {
        /// The name.
        domain: Option<String>,
        /// Ended ones too.
        all: bool,
        /// Behind this line of the ledger.
        after: u64,
    },
    /// One order.
    Show(String),
    /// What persons should do.
    Report,
}

/// The answer to an [`Ask`].
pub type Answer = Result<Reply, String>;

/// What is answered.
pub enum Reply {
    /// This.
    Done(Value),
    /// What this gives, which takes long and needs nothing of the builder: it is found out by who asked.
    Later(Box<dyn FnOnce() -> Value + Send>),
}

/// What waits, the first that came first.
pub struct Desk {
    waiting: Mutex<Vec<(Ask, Sender<Answer>)>>,
    changed: Condvar,
    work: SyncSender<Work>,
}

/// Questions that may wait: our choice; the control socket has fewer clients.
const MOST: usize = 100;

impl Desk {
    /// With nothing yet; `work` is where the builder is told that there is something.
    pub fn new(work: SyncSender<Work>) -> Self {
        Self { waiting: Mutex::default(), changed: Condvar::new(), work }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// What the builder says, or that there is none.
    pub fn ask(&self, ask: Ask) -> Result<Value, String> {
        let (reply, answer) = mpsc::channel();
        {
            let mut waiting = self.waiting();
            if waiting.len() >= MOST {
                return Err("too much waits already, try again".into());
            }
            waiting.push((ask, reply));
        }
        self.changed.notify_all();
        // With a full queue the builder has work, and looks here behind each piece of it.
        let _ = self.work.try_send(Work::Orders);
        match answer.recv().map_err(|_| "the daemon is ending".to_owned())?? {
            Reply::Done(value) => Ok(value),
            Reply::Later(find_out) => std::thread::scope(|scope| {
                let aside = scope.spawn(|| {
                    // Where it is not permitted, the builder has said so.
                    let _ = transport::give_way();
                    find_out()
                });
                aside.join().map_err(|_| "it could not be found out, see the log".to_owned())
            }),
        }
    }

    /// Waits until something does here, it is rung, or the time is over; not at all where `is_done`.
    pub fn wait(&self, most: Duration, is_done: impl Fn() -> bool) {
        let waiting = self.waiting();
        if waiting.is_empty() && !is_done() {
            // What it was that ended the waiting is looked at by who waits.
            drop(self.changed.wait_timeout(waiting, most));
        }
    }

    /// Ends [`Self::wait`].
    pub fn ring(&self) {
        // Whoever is about to wait has looked before, under this lock.
        drop(self.waiting());
        self.changed.notify_all();
    }

    /// Everything that waits.
    pub fn take(&self) -> Vec<(Ask, Sender<Answer>)> {
        std::mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Ask, Sender<Answer>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
