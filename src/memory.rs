//! Where memory lies: large pages for what is read all over, lines of it brought near before they are read, and what is freed given back.
//!
//! Knows addresses and lengths only. Changes where octets lie, never what they are.
#![allow(unsafe_code)]

/// Octets of a large page; shorter memory is left alone.
const LARGE: usize = 2 << 20;

/// Asks the system to move `octets` into large pages, where it can (Linux 6.1 and later, madvise(2) with MADV_COLLAPSE).
///
/// Cost: that of copying them once; what is not whole large pages stays where it is. What the system refuses is no error: the same
/// octets are then read a little slower.
pub fn enlarge<T>(octets: &[T]) {
    advise(octets, libc::MADV_COLLAPSE);
}

/// Asks the system to give large pages to memory that is about to be filled (MADV_HUGEPAGE): fewer faults, and nothing to move later.
///
/// Of use for memory that was not written to yet, as large zeroed memory is.
pub fn will_fill<T>(octets: &mut [T]) {
    advise(octets, libc::MADV_HUGEPAGE);
}

/// Tells the system about the whole large pages in `octets`.
fn advise<T>(octets: &[T], advice: libc::c_int) {
    let before = octets.as_ptr().addr().next_multiple_of(LARGE) - octets.as_ptr().addr();
    let size = size_of_val(octets).saturating_sub(before) / LARGE * LARGE;
    if size == 0 {
        return;
    }
    let from = octets.as_ptr().cast::<u8>().wrapping_add(before).cast_mut();
    // SAFETY: the range lies inside `octets`, which is borrowed for the call. Both pieces of advice that are given above leave what the
    // pages hold as it is, for every thread that reads meanwhile; a system that does not know them changes nothing.
    unsafe {
        libc::madvise(from.cast(), size, advice);
    }
}

/// Makes every large allocation a mapping of its own, which the system gets back when it is freed.
///
/// Otherwise the C library learns from the first large block that is freed to keep such blocks: what one reload needed for moments would
/// stay with the process.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes no pointer; a value that it does not take changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// Starts to bring the cache line of `octets[at]` near, and does not wait for it; does nothing where that is outside, or on processors
/// other than x86-64.
///
/// A load would do the same, but nothing that follows it in the program could end before it has ended: only a few of them are under
/// way at once then, and the processor has room for many more.
#[inline]
pub fn prefetch<T>(octets: &[T], at: usize) {
    let Some(item) = octets.get(at) else { return };
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing that the program can see and never faults; the pointer is that of a live item.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>((&raw const *item).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    std::hint::black_box(&raw const *item);
}
