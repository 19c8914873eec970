//! Ready wire pieces: an RRset in the form in which a message carries it, but for its compression pointers.
//!
//! Each pointer is of one of three kinds: to the owner (wherever the message has it), to the apex
//! inside the question, to a place in the piece itself. The kinds and places are listed beside the
//! bytes, so one piece serves every owner and every message. RFC 1035 §4.1.4, RFC 3597 §4.

use std::collections::HashMap;

use crate::dns::rdata::{self, Part};
use crate::dns::{Class, NameRef, Rtype};

/// Octets in front of the pointer lists: length of the bytes, records, and how many pointers of each kind.
const HEADER: usize = 10;
/// The highest place that a compression pointer reaches.
pub const POINTER_MAX: usize = 0x3fff;
/// The highest place in a piece that its own pointers lead to: header and question stand in front of it in every message,
/// so that a set of any size is compressed where it comes first.
const SELF_MAX: usize = POINTER_MAX - 512;

/// A piece in an arena.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// How many records it has.
    pub records: u16,
    owners: &'a [u8],
    apexes: &'a [u8],
    selves: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Reads the piece that starts at `at`.
    #[inline]
    pub fn at(arena: &'a [u8], at: usize) -> Self {
        let piece = &arena[at..];
        let head = |i: usize| u16::from_le_bytes([piece[2 * i], piece[2 * i + 1]]) as usize;
        let (owners, apexes, selves) = (HEADER, HEADER + 2 * head(2), HEADER + 2 * head(2) + 2 * head(3));
        let bytes = selves + 2 * head(4);
        Self {
            records: head(1) as u16,
            owners: &piece[owners..apexes],
            apexes: &piece[apexes..selves],
            selves: &piece[selves..bytes],
            bytes: &piece[bytes..bytes + head(0)],
        }
    }

    /// Octets in the arena, header and lists included.
    pub fn size(&self) -> usize {
        HEADER + self.owners.len() + self.apexes.len() + self.selves.len() + self.bytes.len()
    }

    /// Octets in a message.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True without a record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// RDATA and TTL of the first record, for types whose RDATA is never compressed.
    pub fn first_plain(&self) -> (&'a [u8], u32) {
        let bytes = self.bytes;
        let len = u16::from_be_bytes([bytes[10], bytes[11]]) as usize;
        (&bytes[12..12 + len], u32::from_be_bytes([bytes[6], bytes[7], bytes[8], bytes[9]]))
    }

    /// True if the pointers of a copy at `base` all reach their targets.
    #[inline]
    pub fn fits_pointers(&self, base: usize) -> bool {
        self.selves.is_empty() || base + self.bytes.len().min(SELF_MAX) <= POINTER_MAX
    }

    /// Copies the piece to `base` in `message` and sets its pointers.
    ///
    /// `owner` and `apex` are places of these names in the message, at most [`POINTER_MAX`].
    /// The caller has checked the room and [`Self::fits_pointers`].
    #[inline]
    pub fn copy_to(&self, message: &mut [u8], base: usize, owner: usize, apex: usize) {
        let out = &mut message[base..base + self.bytes.len()];
        out.copy_from_slice(self.bytes);
        let mut set = |list: &[u8], target: usize| {
            let pointer = (0xc000 | target as u16).to_be_bytes();
            for place in list.chunks_exact(2) {
                let at = u16::from_le_bytes([place[0], place[1]]) as usize;
                out[at..at + 2].copy_from_slice(&pointer);
            }
        };
        set(self.owners, owner);
        set(self.apexes, apex);
        for place in self.selves.chunks_exact(2) {
            let at = u16::from_le_bytes([place[0], place[1]]) as usize;
            let target = base + u16::from_be_bytes([out[at], out[at + 1]]) as usize;
            out[at..at + 2].copy_from_slice(&(0xc000 | target as u16).to_be_bytes());
        }
    }

    /// Copies the piece to `base` with the owner written out in front of its first record, for an owner that
    /// stands nowhere in the message yet. `owner` is the name as the message shall carry it, a pointer at its end or not.
    /// Returns the octets written.
    ///
    /// The caller has checked the room (`len() - 2 + owner.len()`) and that pointers reach.
    pub fn copy_with_owner(&self, message: &mut [u8], base: usize, owner: &[u8], apex: usize) -> usize {
        let shift = owner.len() - 2;
        message[base..base + owner.len()].copy_from_slice(owner);
        let len = self.bytes.len() + shift;
        let out = &mut message[base..base + len];
        out[owner.len()..].copy_from_slice(&self.bytes[2..]);
        let mut set = |list: &[u8], target: usize| {
            let pointer = (0xc000 | target as u16).to_be_bytes();
            for place in list.chunks_exact(2) {
                let at = u16::from_le_bytes([place[0], place[1]]) as usize + shift;
                out[at..at + 2].copy_from_slice(&pointer);
            }
        };
        set(&self.owners[2..], base);
        set(self.apexes, apex);
        for place in self.selves.chunks_exact(2) {
            let at = u16::from_le_bytes([place[0], place[1]]) as usize + shift;
            let target = base + shift + u16::from_be_bytes([out[at], out[at + 1]]) as usize;
            out[at..at + 2].copy_from_slice(&(0xc000 | target as u16).to_be_bytes());
        }
        len
    }

    /// Gives every record uncompressed: owner, type, TTL, RDATA.
    ///
    /// For dumps, and for messages in which pointers no longer reach.
    pub fn expand(&self, owner: NameRef<'_>, apex: NameRef<'_>, mut each: impl FnMut(NameRef<'_>, Rtype, u32, &[u8])) {
        let mut at = 0;
        let mut rdata = Vec::new();
        for _ in 0..self.records {
            let mut name = Vec::with_capacity(64);
            at = self.expand_name(at, owner, apex, &mut name);
            let fixed = &self.bytes[at..at + 10];
            let rtype = Rtype(u16::from_be_bytes([fixed[0], fixed[1]]));
            let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            let end = at + 10 + u16::from_be_bytes([fixed[8], fixed[9]]) as usize;
            at += 10;
            rdata.clear();
            for part in rdata::layout(rtype) {
                match part {
                    Part::Name => at = self.expand_name(at, owner, apex, &mut rdata),
                    Part::Octets(n) => {
                        rdata.extend_from_slice(&self.bytes[at..at + n]);
                        at += n;
                    }
                    Part::Text => {
                        let n = 1 + self.bytes[at] as usize;
                        rdata.extend_from_slice(&self.bytes[at..at + n]);
                        at += n;
                    }
                    Part::Rest => break,
                }
            }
            rdata.extend_from_slice(&self.bytes[at..end]);
            at = end;
            each(NameRef::from_wire(&name).expect("pieces are made of whole names"), rtype, ttl, &rdata);
        }
    }

    /// Appends the name at `at`; returns where it ends.
    fn expand_name(&self, mut at: usize, owner: NameRef<'_>, apex: NameRef<'_>, out: &mut Vec<u8>) -> usize {
        let mut end = None;
        loop {
            // The lists come first: a pointer that is not set yet looks like a root label.
            if self.is_listed(self.owners, at) {
                out.extend_from_slice(owner.as_wire());
                return end.unwrap_or(at + 2);
            }
            if self.is_listed(self.apexes, at) {
                out.extend_from_slice(apex.as_wire());
                return end.unwrap_or(at + 2);
            }
            if self.is_listed(self.selves, at) {
                end.get_or_insert(at + 2);
                // Targets lie in front of their pointers, so this ends.
                at = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]) as usize;
                continue;
            }
            let n = self.bytes[at];
            if n == 0 {
                out.push(0);
                return end.unwrap_or(at + 1);
            }
            out.extend_from_slice(&self.bytes[at..=at + n as usize]);
            at += 1 + n as usize;
        }
    }

    fn is_listed(&self, list: &[u8], at: usize) -> bool {
        // Places ascend as the writer went.
        let place = |i: usize| u16::from_le_bytes([list[2 * i], list[2 * i + 1]]) as usize;
        let (mut low, mut high) = (0, list.len() / 2);
        while low < high {
            let middle = (low + high) / 2;
            match place(middle).cmp(&at) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }
}

/// Writes one piece; used again and again so that its buffers are.
#[derive(Default)]
pub struct PieceWriter {
    records: u16,
    owners: Vec<u16>,
    apexes: Vec<u16>,
    selves: Vec<u16>,
    bytes: Vec<u8>,
    /// Where each lower-cased suffix was written first.
    seen: HashMap<Box<[u8]>, u16>,
}

/// An RRset of more than 64 KiB: no message carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig;

/// The names that a piece's pointers can lean on.
#[derive(Clone, Copy)]
pub struct Anchors<'a> {
    /// The owner of the records; `None` where names must not be written relative to it.
    pub owner: Option<NameRef<'a>>,
    /// The apex of the zone.
    pub apex: NameRef<'a>,
}

impl PieceWriter {
    /// Starts a new piece.
    pub fn clear(&mut self) {
        self.records = 0;
        self.owners.clear();
        self.apexes.clear();
        self.selves.clear();
        self.bytes.clear();
        self.seen.clear();
    }

    /// Adds a record whose owner is the owner of the piece. Returns where its last RDATA name starts.
    ///
    /// # Errors
    /// [`TooBig`] past 64 KiB.
    pub fn push(&mut self, anchors: Anchors<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<u16, TooBig> {
        self.owners.push(self.here()?);
        self.bytes.extend_from_slice(&[0, 0]);
        self.push_after_owner(anchors, rtype, ttl, rdata)
    }

    /// Adds a record with an owner of its own, one label below the apex: the NSEC3 of a chain, then its signatures,
    /// which point back to the name.
    ///
    /// # Errors
    /// [`TooBig`] past 64 KiB.
    pub fn push_hashed(&mut self, label: &[u8], anchors: Anchors<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<(), TooBig> {
        if self.bytes.is_empty() {
            self.bytes.push(label.len() as u8);
            self.bytes.extend_from_slice(label);
            self.push_apex(anchors.apex)?;
        } else {
            self.selves.push(self.here()?);
            self.bytes.extend_from_slice(&[0, 0]);
        }
        self.push_after_owner(anchors, rtype, ttl, rdata).map(drop)
    }

    fn push_after_owner(&mut self, anchors: Anchors<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<u16, TooBig> {
        self.records = self.records.checked_add(1).ok_or(TooBig)?;
        self.bytes.extend_from_slice(&rtype.0.to_be_bytes());
        self.bytes.extend_from_slice(&Class::IN.0.to_be_bytes());
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        let len_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        let mut last_name = self.here()?;
        let mut copied = 0;
        if rdata::is_compressible(rtype) {
            for (at, name) in rdata::names(rtype, rdata) {
                self.bytes.extend_from_slice(&rdata[copied..at]);
                last_name = self.here()?;
                self.push_name(anchors, name)?;
                copied = at + name.as_wire().len();
            }
        } else if let Some((at, _)) = rdata::names(rtype, rdata).last() {
            last_name += at as u16;
        }
        self.bytes.extend_from_slice(&rdata[copied..]);
        let len = u16::try_from(self.bytes.len() - len_at - 2).map_err(|_| TooBig)?;
        self.bytes[len_at..len_at + 2].copy_from_slice(&len.to_be_bytes());
        self.here()?;
        Ok(last_name)
    }

    fn push_name(&mut self, anchors: Anchors<'_>, name: NameRef<'_>) -> Result<(), TooBig> {
        let mut rest = name;
        loop {
            if rest.is_root() {
                self.bytes.push(0);
                return Ok(());
            }
            if anchors.owner == Some(rest) {
                self.owners.push(self.here()?);
                self.bytes.extend_from_slice(&[0, 0]);
                return Ok(());
            }
            if anchors.apex == rest {
                return self.push_apex(anchors.apex);
            }
            let lower = rest.to_lowercase();
            if let Some(&target) = self.seen.get(lower.as_ref().as_wire()) {
                self.selves.push(self.here()?);
                self.bytes.extend_from_slice(&target.to_be_bytes());
                return Ok(());
            }
            let here = self.here()?;
            if (here as usize) <= SELF_MAX {
                self.seen.insert(lower.as_ref().as_wire().into(), here);
            }
            let n = 1 + rest.as_wire()[0] as usize;
            self.bytes.extend_from_slice(&rest.as_wire()[..n]);
            rest = rest.parent().expect("not the root");
        }
    }

    fn push_apex(&mut self, apex: NameRef<'_>) -> Result<(), TooBig> {
        if apex.is_root() {
            self.bytes.push(0);
        } else {
            self.apexes.push(self.here()?);
            self.bytes.extend_from_slice(&[0, 0]);
        }
        Ok(())
    }

    fn here(&self) -> Result<u16, TooBig> {
        u16::try_from(self.bytes.len()).map_err(|_| TooBig)
    }

    /// Appends the finished piece to `arena`.
    pub fn finish(&self, arena: &mut Vec<u8>) {
        for n in [self.bytes.len(), self.records as usize, self.owners.len(), self.apexes.len(), self.selves.len()] {
            arena.extend_from_slice(&(n as u16).to_le_bytes());
        }
        for list in [&self.owners, &self.apexes, &self.selves] {
            for place in list {
                arena.extend_from_slice(&place.to_le_bytes());
            }
        }
        arena.extend_from_slice(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("test name")
    }

    #[test]
    fn expands_to_what_was_pushed() {
        let (owner, apex) = (name("vidu.com.vn"), name("vn"));
        let anchors = Anchors { owner: Some(owner.as_ref()), apex: apex.as_ref() };
        let mut writer = PieceWriter::default();
        let hosts = ["ns1.vidu.com.vn", "vidu.com.vn", "a.dns.vn", "ns1.out.example", "ns2.out.example", "vn", "."];
        for host in hosts {
            writer.push(anchors, Rtype::NS, 3600, name(host).as_ref().as_wire()).expect("small");
        }
        let mut arena = vec![9; 3];
        writer.finish(&mut arena);
        let piece = Piece::at(&arena, 3);
        assert_eq!(piece.size(), arena.len() - 3);
        let mut got = vec![];
        piece.expand(owner.as_ref(), apex.as_ref(), |o, t, ttl, r| {
            assert_eq!((o, t, ttl), (owner.as_ref(), Rtype::NS, 3600));
            got.push(Name::from_wire(r).expect("name"));
        });
        assert_eq!(got, hosts.map(name));

        // In a message: question vidu.com.vn at 12, apex 9 further on.
        let mut message = vec![0; 12];
        message.extend_from_slice(owner.as_ref().as_wire());
        message.extend_from_slice(&[0, 2, 0, 1]);
        let base = message.len();
        message.resize(base + piece.len(), 0);
        piece.copy_to(&mut message, base, 12, 21);
        message[4..12].copy_from_slice(&[0, 1, 0, hosts.len() as u8, 0, 0, 0, 0]);
        let decoded = hickory_proto::op::Message::from_vec(&message).expect("decodes");
        let shown: Vec<_> = decoded.answers.iter().map(|r| r.data.to_string()).collect();
        let expected: Vec<_> = hosts.iter().map(|h| if *h == "." { h.to_string() } else { format!("{h}.") }).collect();
        assert_eq!(shown, expected);
    }
}
