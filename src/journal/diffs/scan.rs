//! Reads a log from its begin to its end, checks that it is one whole chain, and tells a torn tail from damage.
//!
//! An entry is begun only when the one before it is durable. So where an entry is not whole, what a crash can have left is that entry's own
//! octets; octets that begin a later entry prove that the damaged one was acknowledged once, and then nothing may be cut off. The random
//! id of the chain stands in front of each entry, followed by its number: no other octets look like that.

use std::io::{self, Read};
use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use memchr::memmem;

use super::super::records::{Input, InputError};
use super::Fault;
use super::frame::{self, Id, Link};
use crate::disk::Octets;
use crate::dns::{Name, NameRef, Serial};

/// A log as it was read: its file and what is known of it.
pub(super) struct Chain<F> {
    pub file: Arc<F>,
    pub apex: Name,
    pub id: Id,
    /// The entries, oldest first.
    pub entries: Arc<Vec<Entry>>,
    /// What the next entry continues.
    pub link: Link,
    /// Octets of head and entries; what stands behind them is nothing.
    pub end: u64,
}

impl<F> Clone for Chain<F> {
    fn clone(&self) -> Self {
        let Self { file, apex, id, entries, link, end } = self;
        Self { file: Arc::clone(file), apex: apex.clone(), id: *id, entries: Arc::clone(entries), link: *link, end: *end }
    }
}

impl<F> Chain<F> {
    /// Where version `from` is: its number in the index, and where the entry is that starts from it; behind the last for the newest.
    pub fn find(&self, from: Serial) -> Option<(usize, Entry)> {
        let Self { entries, link, end, .. } = self;
        if from == link.serial {
            return Some((entries.len(), Entry { at: *end, link: *link }));
        }
        // A zone may come by the same serial again after a full turn: the newest counts.
        entries.iter().copied().enumerate().rfind(|(_, entry)| entry.link.serial == from)
    }

    /// As [`Self::find`], but the oldest counts: what is kept of a snapshot begins with it.
    pub fn find_oldest(&self, from: Serial) -> Option<(usize, Entry)> {
        let is_it = |(_, entry): &(usize, Entry)| entry.link.serial == from;
        self.entries.iter().copied().enumerate().find(is_it).or_else(|| self.find(from))
    }
}

/// Where an entry is and what it continues.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub at: u64,
    pub link: Link,
}

/// Reads a log up to the first entry that is not whole, or to entry number `until`. Memory: 64 KiB and the index.
pub(super) fn scan<F: Octets>(file: Arc<F>, apex: NameRef<'_>, until: u64) -> Result<Chain<F>, Fault> {
    let len = file.size()?;
    let mut input = Input::new(Span { file: file.as_ref(), at: 0, end: len });
    let (apex, id, mut link) = frame::read_head(&mut input, apex)?;
    let mut end = frame::head_len(apex.as_ref());
    let mut entries = Vec::new();
    while end < len && link.number < until {
        let found = match frame::pass(&mut input, &id, len - end) {
            Ok((front, sum)) => match link.after(&front, sum) {
                Some(next) => Some((front.len, next)),
                // Whole and yet not what comes next: no crash does that.
                None if front.continues.number >= link.number => return Err(Fault::Damaged { at: end, last: link.serial }),
                None => None,
            },
            Err(InputError::Io(error)) => return Err(Fault::Io(error)),
            Err(InputError::Short | InputError::Malformed) => None,
        };
        let Some((entry_len, next)) = found else {
            // No more entries than there is room for can have followed.
            let later = link.number.saturating_add(1)..=link.number.saturating_add((len - end) / frame::MIN_LEN + 1);
            if has_any(Span { file: file.as_ref(), at: end + 1, end: len }, &id, later)? {
                return Err(Fault::Damaged { at: end, last: link.serial });
            }
            break;
        };
        entries.push(Entry { at: end, link });
        link = next;
        end += entry_len;
    }
    Ok(Chain { file, apex, id, entries: Arc::new(entries), link, end })
}

/// True if an entry of the chain `id` with one of these numbers begins in `span`, whole or not.
fn has_any<R: Read>(mut span: R, id: &Id, numbers: RangeInclusive<u64>) -> io::Result<bool> {
    let finder = memmem::Finder::new(id);
    let mut buffer = Vec::with_capacity(64 << 10);
    loop {
        let n = span.by_ref().take((buffer.capacity() - buffer.len()) as u64).read_to_end(&mut buffer)?;
        let is_one = |at: usize| {
            let number_at = at + id.len();
            let octets = buffer.get(number_at..number_at + 8).and_then(|octets| octets.try_into().ok());
            octets.is_some_and(|octets| numbers.contains(&u64::from_be_bytes(octets)))
        };
        if finder.find_iter(&buffer).any(is_one) {
            return Ok(true);
        }
        if n == 0 {
            return Ok(false);
        }
        // What may begin in this piece and end in the next one.
        let kept = buffer.len().min(id.len() + 8 - 1);
        buffer.drain(..buffer.len() - kept);
    }
}

/// A stretch of a file, read from its begin to its end, whatever is appended meanwhile.
pub(super) struct Span<F> {
    pub file: F,
    pub at: u64,
    pub end: u64,
}

impl<F: Deref<Target: Octets>> Read for Span<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(out.len());
        let n = self.file.read_at(&mut out[..most], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
