//! Work done by all cores at once. Knows no work.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many threads run at once: one a core that the process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` with every item on all cores, the first items first; the results stand in the order of the items.
///
/// Cost: a thread for each core but the caller's own, and a lock an item. A panic in `work` goes on in the caller.
pub fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let n_threads = cores().min(items.len());
    let items = Mutex::new(items.into_iter().enumerate());
    let run = || {
        let mut done = Vec::new();
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((i, item)) = next else { return done };
            done.push((i, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        others.into_iter().for_each(|other| done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))));
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        for n in [0, 1, 2, 1000] {
            assert!(map((0..n).collect(), |i: u64| i * i).into_iter().eq((0..n).map(|i| i * i)));
        }
    }

    #[test]
    fn a_panic_is_not_lost() {
        let result = std::panic::catch_unwind(|| map(vec![1, 2, 3], |i| assert_ne!(i, 2, "on purpose")));
        assert!(result.is_err());
    }
}
