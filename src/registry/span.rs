//! Places in the text of a deposit, all files of which lie in one piece of memory.

use std::ops::Range;

/// A piece of the deposit's text: 8 octets instead of a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    at: u32,
    len: u32,
}

/// The most octets that places of 32 bits can tell apart.
pub(super) const MAX_TEXT: u64 = u32::MAX as u64;

impl Span {
    /// True for an empty field, which means null.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// A place in a text of at most [`MAX_TEXT`] octets.
    pub(super) fn new(place: Range<usize>) -> Self {
        Self { at: place.start as u32, len: place.len() as u32 }
    }

    /// What stands here in `text`.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.at as usize..self.at as usize + self.len as usize]
    }

    /// The place so many octets further on.
    pub(super) fn shifted(self, by: usize) -> Self {
        Self { at: self.at + by as u32, ..self }
    }

    /// Without the last octet; an empty place stays empty.
    pub(super) fn without_last(self) -> Self {
        Self { len: self.len.saturating_sub(1), ..self }
    }
}
