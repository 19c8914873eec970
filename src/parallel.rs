//! Work done by all cores at once. Knows no work.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

/// How many threads run at once: one a core that the process may use, as it was when somebody first asked.
pub fn cores() -> usize {
    // To find it out reads files of the system, which takes longer than a signature.
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
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

/// Cuts `0..n` into ranges large enough that handing one over costs nothing, small enough that no thread waits long for the last.
pub fn ranges(n: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Send {
    const LEN: usize = 1024;
    (0..n.div_ceil(LEN)).map(move |i| i * LEN..n.min((i + 1) * LEN))
}

/// Lets `threads` threads work on the items (0: one per core), and hands the results to `take`, on the caller's thread and in the order
/// of the items. What `items` does itself, one thread does at a time.
///
/// A result that is early waits. How many wait is bounded by how far the threads are apart, however long `take` needs. With one thread,
/// or a single item, everything runs on the caller's.
///
/// # Errors
/// The first error that `work` or `take` returns, in order of the items; items not begun are left out then.
pub fn in_order<I: Send, T: Send, E: Send>(
    items: impl Iterator<Item = I> + Send,
    threads: usize,
    work: impl Fn(I) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut items = items.enumerate();
    let threads = if threads == 0 { cores() } else { threads }.min(items.size_hint().1.unwrap_or(usize::MAX));
    if threads <= 1 {
        return items.try_for_each(|(_, item)| take(work(item)?));
    }
    let items = Mutex::new(Some(items));
    let (give, got) = mpsc::sync_channel(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (give, items, work) = (give.clone(), &items, &work);
            scope.spawn(move || {
                loop {
                    let next = items.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Iterator::next);
                    let Some((i, item)) = next else { break };
                    if give.send((i, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(give);
        let mut early = BTreeMap::new();
        let mut due = 0;
        // Taken by value: threads that wait to give see at the end that nobody takes any more.
        let result = got.into_iter().try_for_each(|(i, result)| {
            early.insert(i, result);
            while let Some(result) = early.remove(&due) {
                due += 1;
                take(result?)?;
            }
            Ok(())
        });
        if result.is_err() {
            *items.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_errors_stop() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let done: Result<(), ()> = in_order(ranges(10_000), threads, Ok, |range: Range<usize>| {
                seen.extend(range);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert!(seen.iter().copied().eq(0..10_000), "{threads} threads");
            let fails = |range: Range<usize>| if range.contains(&5000) { Err(range.start) } else { Ok(()) };
            assert_eq!(in_order(ranges(10_000), threads, fails, |()| Ok(())), Err(4096));
            let mut n_taken = 0;
            let refused = in_order(ranges(1 << 20), threads, Ok, |range: Range<usize>| {
                n_taken += 1;
                if range.contains(&5000) { Err(range.start) } else { Ok(()) }
            });
            assert_eq!((refused, n_taken), (Err(4096), 5));
        }
        assert_eq!(in_order(ranges(0), 3, |_| Err(1), |()| Ok(())), Ok(()));
    }

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
