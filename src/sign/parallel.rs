//! Work on numbered chunks by all threads, results taken in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::parallel::cores;

/// Cuts `0..n` in chunks, lets `threads` threads work on them, and hands the results to `take` in order.
///
/// A result that is early waits; what waits is bounded by how far the threads are apart. With one thread, or little
/// work, everything runs on the caller's. 0 threads means one per core.
///
/// # Errors
/// The first error that `work` or `take` returns, in order of the chunks; chunks not begun are left out then.
pub(super) fn in_order<T: Send, E: Send>(
    n: usize,
    threads: usize,
    work: impl Fn(Range<usize>) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    // Large enough that handing over costs nothing, small enough that no thread waits long for the last.
    const CHUNK: usize = 1024;
    let chunks = n.div_ceil(CHUNK);
    let range = |i: usize| i * CHUNK..n.min((i + 1) * CHUNK);
    let threads = match threads {
        0 => cores(),
        n => n,
    }
    .min(chunks);
    if threads <= 1 {
        return (0..chunks).try_for_each(|i| take(work(range(i))?));
    }
    let next = AtomicUsize::new(0);
    let (give, got) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (give, next, work) = (give.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= chunks || give.send((i, work(range(i)))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(give);
        let mut early = BTreeMap::new();
        let mut due = 0;
        let result = got.iter().try_for_each(|(i, result)| {
            early.insert(i, result);
            while let Some(result) = early.remove(&due) {
                due += 1;
                take(result?)?;
            }
            Ok(())
        });
        if result.is_err() {
            next.store(chunks, Ordering::Relaxed);
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
            let done: Result<(), ()> = in_order(10_000, threads, Ok, |range: Range<usize>| {
                seen.extend(range);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert!(seen.iter().copied().eq(0..10_000), "{threads} threads");
            let failed = in_order(10_000, threads, |range| if range.contains(&5000) { Err(range.start) } else { Ok(()) }, |()| Ok(()));
            assert_eq!(failed, Err(4096));
        }
        assert_eq!(in_order(0, 3, |_| Err(1), |()| Ok(())), Ok(()));
    }
}
