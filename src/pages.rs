//! Large pages for memory that is read all over: the way to an octet of a zone is then found in the processor, not in page tables.
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
    let size = size_of_val(octets);
    if size < LARGE {
        return;
    }
    let start = octets.as_ptr().addr().next_multiple_of(LARGE);
    let end = (octets.as_ptr().addr() + size) / LARGE * LARGE;
    if start >= end {
        return;
    }
    let from = octets.as_ptr().cast::<u8>().wrapping_add(start - octets.as_ptr().addr()).cast_mut();
    // SAFETY: the range lies inside `octets`, which is borrowed for the call. MADV_COLLAPSE moves pages and keeps what they hold, for
    // every thread that reads meanwhile; on a system that does not know it the call changes nothing.
    unsafe {
        libc::madvise(from.cast(), end - start, libc::MADV_COLLAPSE);
    }
}
