//! All text of a deposit in one piece of memory, and places in it.

/// A piece of the deposit's text: 8 octets instead of a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    at: u32,
    len: u32,
}

impl Span {
    /// True for an empty field, which means null.
    pub fn is_empty(self) -> bool {
        self.len == 0
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

/// The text. Grows only while the deposit is read.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: Vec<u8>,
}

/// The most octets that places of 32 bits can tell apart.
pub(super) const MAX_ARENA: u64 = u32::MAX as u64;

impl Arena {
    pub fn new(bytes: Vec<u8>) -> Self {
        assert!(bytes.len() as u64 <= MAX_ARENA, "the caller bounds the deposit");
        Self { bytes }
    }

    pub fn get(&self, span: Span) -> &[u8] {
        &self.bytes[span.at as usize..span.at as usize + span.len as usize]
    }

    /// Where `len` octets from `at` stand.
    pub fn span(at: usize, len: usize) -> Span {
        Span { at: at as u32, len: len as u32 }
    }

    /// Adds text that stands in no file as it is: fields with doubled quotes.
    ///
    /// `None` when the arena is full.
    pub fn append(&mut self, text: &[u8]) -> Option<()> {
        if (self.bytes.len() + text.len()) as u64 > MAX_ARENA {
            return None;
        }
        self.bytes.extend_from_slice(text);
        Some(())
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn slice(&self, from: usize, len: usize) -> &[u8] {
        &self.bytes[from..from + len]
    }
}
