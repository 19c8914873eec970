//! Questions to primaries that wait for their turn.
//!
//! Knows neither clock nor thread. Nobody waits for ever: not behind one primary's many, nor behind what has changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How soon a question has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Something has changed.
    Changed,
    /// There is nothing to answer from, and the primary has not failed before.
    New,
    /// Anything else: most often nothing comes of it.
    LookedAfter,
}

/// Questions that wait, by primary.
pub struct Queue<T> {
    /// No primary is here without a question.
    lines: BTreeMap<SocketAddr, Line<T>>,
    n_ever: u64,
}

/// Those that wait for one primary; the number tells which came first.
struct Line<T> {
    jobs: BTreeMap<(Class, u64), T>,
    /// How many have had their turn since one had to wait.
    n_taken: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), n_ever: 0 }
    }
}

impl<T> Line<T> {
    /// The first of the soonest class, and every other time the one that has waited longest: whoever can make changes without end, or hints of them, keeps
    /// nobody waiting for ever.
    fn next(&self) -> Option<(Class, u64)> {
        if self.n_taken.is_multiple_of(2) {
            return self.jobs.first_key_value().map(|(key, _)| *key);
        }
        let first = |class| self.jobs.range((class, 0)..=(class, u64::MAX)).next().map(|(key, _)| *key);
        [Class::Changed, Class::New, Class::LookedAfter].into_iter().filter_map(first).min_by_key(|(_, number)| *number)
    }
}

impl<T> Queue<T> {
    /// Adds a question to the primary at this address.
    pub fn push(&mut self, address: SocketAddr, class: Class, job: T) {
        self.n_ever += 1;
        let line = self.lines.entry(address).or_insert_with(|| Line { jobs: BTreeMap::new(), n_taken: 0 });
        line.jobs.insert((class, self.n_ever), job);
    }

    /// How many were ever added.
    pub fn n_ever(&self) -> u64 {
        self.n_ever
    }

    /// Takes out the one whose turn it is, of the primary that is asked least now. `busy` says how often each is, `None` where it may not be asked more.
    ///
    /// Cost: one step a primary for which questions wait.
    pub fn pop(&mut self, busy: impl Fn(&SocketAddr) -> Option<usize>) -> Option<T> {
        let lines = self.lines.iter();
        let (_, key, address) = lines.filter_map(|(address, line)| Some((busy(address)?, line.next()?, *address))).min()?;
        let line = self.lines.get_mut(&address)?;
        let job = line.jobs.remove(&key)?;
        line.n_taken += 1;
        if line.jobs.is_empty() {
            self.lines.remove(&address);
        }
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Something changes whenever somebody has had a turn, and all the same the others have theirs.
    #[test]
    fn what_changes_all_the_time_keeps_nobody_waiting() {
        let mut queue = Queue::default();
        for i in 0..100 {
            queue.push(at(1), Class::Changed, format!("changed {i}"));
        }
        queue.push(at(1), Class::LookedAfter, "looked after".to_owned());
        queue.push(at(1), Class::New, "new".to_owned());
        let mut taken = Vec::new();
        for i in 100..400 {
            taken.extend(queue.pop(|_| Some(0)));
            queue.push(at(1), Class::Changed, format!("changed {i}"));
        }
        let turn = |what: &str| taken.iter().position(|job| job == what).expect("it had its turn");
        assert!(turn("looked after") < turn("new"), "it waits longer");
        assert!(turn("new") <= 205, "{}", turn("new"));
        assert_eq!(taken[0], "changed 0");
    }

    #[test]
    fn classes_go_before_each_other_and_none_is_lost() {
        let mut queue = Queue::default();
        for (class, job) in [(Class::LookedAfter, 1), (Class::New, 2), (Class::Changed, 3), (Class::Changed, 4), (Class::New, 5)] {
            queue.push(at(1), class, job);
        }
        let taken: Vec<i32> = std::iter::from_fn(|| queue.pop(|_| Some(0))).collect();
        assert_eq!(taken, [3, 1, 4, 2, 5]);
        assert!(queue.lines.is_empty());
    }

    #[test]
    fn a_primary_with_room_is_asked_and_the_least_asked_first() {
        let mut queue = Queue::default();
        for port in [1, 2, 3] {
            queue.push(at(port), Class::LookedAfter, port);
        }
        queue.push(at(3), Class::Changed, 30);
        assert_eq!(queue.pop(|address| (address.port() == 2).then_some(4)), Some(2));
        assert_eq!(queue.pop(|address| Some(usize::from(4 - address.port()))), Some(30));
        assert_eq!(queue.pop(|_| None), None);
        assert_eq!(queue.pop(|_| Some(0)), Some(1));
    }
}
