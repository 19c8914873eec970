//! Packs records into the answer section of one message of a transfer, owners compressed against those before them.
//!
//! Where a name differs from the one before in its first labels, as in canonical order it mostly does, the rest is a pointer.

use crate::dns::message::{HEADER, put_record};
use crate::dns::name::MAX_NAME;
use crate::dns::{Class, NameRef, Rtype};
use crate::zone::piece::{POINTER_MAX, Piece};

/// A message under construction.
pub struct Packer<'m> {
    message: &'m mut [u8],
    at: usize,
    /// Where records end that stand with others: everything in front is in reach of pointers.
    reach: usize,
    /// Where a record ends that stands alone.
    room: usize,
    records: u16,
    apex: NameRef<'m>,
    /// Where the apex stands, spelled as in the zone: at first in the question, if the client spelled it so. Case is to be kept
    /// (RFC 5936 §3.4).
    apex_at: Option<usize>,
    /// The labels below the apex of the owner written last.
    last: [u8; MAX_NAME],
    last_len: usize,
    /// Where each of its suffixes stands, by its length.
    places: [u16; MAX_NAME + 1],
}

impl<'m> Packer<'m> {
    /// Starts a message with `head`, a header and a question with `apex`, in any case. `kept` octets of `message` are left for what comes behind the records.
    ///
    /// `None` without room.
    pub fn start(message: &'m mut [u8], head: &[u8], apex: NameRef<'m>, kept: usize) -> Option<Self> {
        let room = message.len().min(usize::from(u16::MAX)).checked_sub(kept).filter(|&room| room >= head.len())?;
        message[..head.len()].copy_from_slice(head);
        Some(Self {
            message,
            at: head.len(),
            reach: room.min(POINTER_MAX),
            room,
            records: 0,
            apex,
            apex_at: head[HEADER..].starts_with(apex.as_wire()).then_some(HEADER),
            last: [0; MAX_NAME],
            last_len: 0,
            places: [0; MAX_NAME + 1],
        })
    }

    /// How many records the message has.
    pub fn records(&self) -> u16 {
        self.records
    }

    /// Writes how many records there are; gives the length of the message.
    pub fn finish(self) -> usize {
        self.message[6..8].copy_from_slice(&self.records.to_be_bytes());
        self.at
    }

    /// Adds a piece whole if there is room, and the apex stands in the message. `owner` is its labels below the apex.
    #[inline]
    pub fn put_set(&mut self, owner: &[u8], piece: Piece<'_>) -> bool {
        let at = self.at;
        let Some(apex_at) = self.apex_at else { return false };
        if piece.has_own_owner() {
            if at + piece.len() > self.reach {
                return false;
            }
            piece.copy_to(self.message, at, at, apex_at);
            self.at += piece.len();
        } else {
            let shared = self.shared(owner);
            let labels = &owner[..owner.len() - shared];
            if at + labels.len() + piece.len() > self.reach {
                return false;
            }
            match self.place(shared, apex_at, labels) {
                Some(place) if labels.is_empty() => {
                    piece.copy_to(self.message, at, place, apex_at);
                    self.at += piece.len();
                }
                place => {
                    self.at += piece.copy_with_owner(self.message, at, labels, place, apex_at);
                    self.keep(owner, labels.len(), at);
                }
            }
        }
        self.records += piece.records;
        true
    }

    /// Adds one record if there is room; one that stands alone may have more of it.
    pub fn put_record(&mut self, owner: &[u8], rtype: Rtype, ttl: u32, rdata: &[u8]) -> bool {
        let at = self.at;
        let labels = &owner[..owner.len() - self.shared(owner)];
        let n = labels.len();
        let mut written = [0; MAX_NAME];
        written[..n].copy_from_slice(labels);
        let pointer;
        let rest = match self.apex_at.map(|apex_at| self.place(owner.len() - n, apex_at, labels)) {
            None => self.apex.as_wire(),
            Some(None) => &[0],
            Some(Some(place)) => {
                pointer = (0xc000 | place as u16).to_be_bytes();
                &pointer
            }
        };
        // What is written and what it points to make a name; where that is all, it has its root label.
        written[n..n + rest.len()].copy_from_slice(rest);
        let room = if self.records == 0 { self.room } else { self.reach };
        let written = &written[..n + rest.len()];
        let Some(end) = put_record(&mut self.message[..room], at, written, rtype, Class::IN.0, ttl, rdata) else { return false };
        self.at = end;
        self.records += 1;
        self.apex_at.get_or_insert(at + n);
        if n > 0 {
            self.keep(owner, n, at);
        }
        true
    }

    /// Octets of the labels that `owner` and the owner written last have in common at their ends.
    #[inline]
    fn shared(&self, owner: &[u8]) -> usize {
        let (mut a, mut b) = (owner, &self.last[..self.last_len]);
        while let ([n, ..], [m, ..]) = (a, b) {
            if a.len() == b.len() && a == b {
                break;
            }
            let (a_len, b_len) = (a.len(), b.len());
            if a_len >= b_len {
                a = &a[1 + *n as usize..];
            }
            if b_len >= a_len {
                b = &b[1 + *m as usize..];
            }
        }
        a.len().min(b.len())
    }

    /// Where the suffix of so many octets behind `labels` stands; `None` for the root, which is shorter than a pointer to it.
    #[inline]
    fn place(&self, shared: usize, apex_at: usize, labels: &[u8]) -> Option<usize> {
        match shared {
            0 if self.apex.is_root() && !labels.is_empty() => None,
            0 => Some(apex_at),
            n => Some(self.places[n].into()),
        }
    }

    /// Keeps `owner`, whose first `written` octets now stand at `at`.
    #[inline]
    fn keep(&mut self, owner: &[u8], written: usize, at: usize) {
        self.last[..owner.len()].copy_from_slice(owner);
        self.last_len = owner.len();
        let mut start = 0;
        while start < written {
            self.places[owner.len() - start] = (at + start) as u16;
            start += 1 + owner[start] as usize;
        }
    }
}
