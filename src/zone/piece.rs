//! Ready wire pieces: an RRset and its signatures in the form in which a message carries them, but for compression pointers.
//!
//! Each pointer is of one of three kinds: to the owner (wherever the message has it), to the apex inside the question, to a place in
//! the piece itself. Owners of records are found by walking the records; the pointers in RDATA are listed in front of the bytes. So one
//! piece serves every owner and every message. RFC 1035 §4.1.4, RFC 3597 §4.

use std::collections::HashMap;

use crate::dns::name::MAX_NAME;
use crate::dns::rdata::{self, Part};
use crate::dns::{Class, Name, NameRef, Rtype};

/// Octets in front of a set: length of the records and of the signatures, how many of each, pointers in RDATA, length of the first
/// owner.
pub(super) const HEADER: usize = 11;
/// The highest place that a compression pointer reaches.
pub const POINTER_MAX: usize = 0x3fff;
/// The highest place in a piece that its own pointers lead to: header and question stand in front of it in every message,
/// so that a set of any size is compressed where it comes first.
const SELF_MAX: usize = POINTER_MAX - 512;
/// Octets of an owner that is a pointer.
pub(super) const POINTER: usize = 2;

/// What a pointer in RDATA leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Owner = 0,
    Apex = 1,
    Itself = 2,
}

/// Octets of a pointer's entry in the list: its place in the piece, and its kind.
pub(super) const ENTRY: usize = 3;
/// In the octet for the length of the first owner: pointers lead into the piece.
pub(super) const LEANS_ON_ITSELF: u8 = 0x80;

/// An RRset and its signatures.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    /// Where the set stands: tells sets of one zone apart.
    pub id: u32,
    /// The records.
    pub records: Piece<'a>,
    signatures: u16,
    /// Records, then signatures.
    bytes: &'a [u8],
}

impl<'a> Set<'a> {
    /// Reads the set that starts at `at`.
    #[inline]
    pub fn at(arena: &'a [u8], at: u32) -> Self {
        let set = &arena[at as usize..];
        let (head, set) = set.split_first_chunk::<HEADER>().expect("sets have heads");
        let number = |i: usize| u16::from_le_bytes([head[2 * i], head[2 * i + 1]]);
        let (pointers, set) = set.split_at(ENTRY * number(4) as usize);
        let records = number(0) as usize;
        let bytes = &set[..records + number(1) as usize];
        Self {
            id: at,
            records: Piece {
                records: number(2),
                lead: head[10] & !LEANS_ON_ITSELF,
                leans_on_itself: head[10] & LEANS_ON_ITSELF != 0,
                pointers,
                bytes: &bytes[..records],
            },
            signatures: number(3),
            bytes,
        }
    }

    /// True if it has signatures.
    #[inline]
    pub fn is_signed(&self) -> bool {
        self.signatures > 0
    }

    /// The signatures alone, for an owner that stands in the message.
    pub fn signatures(&self) -> Piece<'a> {
        Piece {
            records: self.signatures,
            lead: POINTER as u8,
            leans_on_itself: false,
            pointers: &[],
            bytes: &self.bytes[self.records.bytes.len()..],
        }
    }

    /// The records and their signatures.
    #[inline]
    pub fn whole(&self) -> Piece<'a> {
        // More than 65,535 records and signatures do not fit into 65,535 octets.
        Piece { records: self.records.records.saturating_add(self.signatures), bytes: self.bytes, ..self.records }
    }

    /// Gives every record uncompressed: owner, type, TTL, RDATA; signatures last.
    pub fn expand(&self, owner: NameRef<'_>, apex: NameRef<'_>, each: impl FnMut(NameRef<'_>, Rtype, u32, &[u8])) {
        self.whole().expand(owner, apex, each);
    }

    /// Octets in the arena.
    pub fn size(&self) -> usize {
        HEADER + self.records.pointers.len() + self.bytes.len()
    }
}

/// Records of one owner and type.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// How many records it has.
    pub records: u16,
    /// Octets of the first owner: two where it is a pointer to be set.
    lead: u8,
    leans_on_itself: bool,
    pointers: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
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

    /// True if the owner of the first record is written in the piece: those of NSEC3 are.
    #[inline]
    pub fn has_own_owner(&self) -> bool {
        self.lead as usize != POINTER
    }

    /// The labels of that owner below the apex; none without one.
    pub(super) fn own_owner(&self) -> &'a [u8] {
        if self.has_own_owner() { &self.bytes[..1 + self.bytes[0] as usize] } else { &[] }
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
        !self.leans_on_itself || base + self.bytes.len().min(SELF_MAX) <= POINTER_MAX
    }

    /// Copies the piece to `base` in `message` and sets its pointers.
    ///
    /// `owner` and `apex` are places of these names in the message, at most [`POINTER_MAX`].
    /// The caller has checked the room and [`Self::fits_pointers`].
    #[inline]
    pub fn copy_to(&self, message: &mut [u8], base: usize, owner: usize, apex: usize) {
        let out = &mut message[base..base + self.bytes.len()];
        out.copy_from_slice(self.bytes);
        if self.has_own_owner() {
            // The first owner is written out; the others point to it.
            self.set_owners(out, 0, self.second(), base);
        } else {
            self.set_owners(out, 0, 0, owner);
        }
        self.set_pointers(out, 0, [owner, apex, base]);
    }

    /// Copies the piece to `base` with the owner written out in front of its first record, for an owner that
    /// stands nowhere in the message yet: `labels`, and a pointer to what is behind them or the root label. Returns the octets written.
    ///
    /// There is at least one label, or a pointer. The caller has checked the room (`len()`, `labels` and at most two octets)
    /// and that pointers reach.
    #[inline]
    pub fn copy_with_owner(&self, message: &mut [u8], base: usize, labels: &[u8], behind: Option<usize>, apex: usize) -> usize {
        let owner_len = labels.len() + if behind.is_some() { POINTER } else { 1 };
        let shift = owner_len - POINTER;
        let out = &mut message[base..base + self.bytes.len() + shift];
        out[..labels.len()].copy_from_slice(labels);
        match behind {
            Some(at) => out[labels.len()..owner_len].copy_from_slice(&(0xc000 | at as u16).to_be_bytes()),
            None => out[labels.len()] = 0,
        }
        out[owner_len..].copy_from_slice(&self.bytes[POINTER..]);
        self.set_owners(out, shift, self.second(), base);
        self.set_pointers(out, shift, [base, apex, base + shift]);
        out.len()
    }

    /// Where the second record starts.
    fn second(&self) -> usize {
        let lead = self.lead as usize;
        lead + 10 + u16::from_be_bytes([self.bytes[lead + 8], self.bytes[lead + 9]]) as usize
    }

    /// Sets the owners of the records from `at` in the piece on, which stand `shift` octets further on in `out`.
    ///
    /// What is read is read from the piece: octets that were just written would have to be waited for.
    #[inline]
    fn set_owners(&self, out: &mut [u8], shift: usize, mut at: usize, owner: usize) {
        let pointer = (0xc000 | owner as u16).to_be_bytes();
        while let Some(fixed) = self.bytes.get(at..at + POINTER + 10) {
            out[at + shift..at + shift + POINTER].copy_from_slice(&pointer);
            at += POINTER + 10 + u16::from_be_bytes([fixed[10], fixed[11]]) as usize;
        }
    }

    /// Sets the pointers in RDATA, which stand `shift` octets further on than listed; `targets` are those of owner, apex and piece.
    #[inline]
    fn set_pointers(&self, out: &mut [u8], shift: usize, targets: [usize; 3]) {
        for entry in self.pointers.chunks_exact(ENTRY) {
            let (at, kind) = read_pointer(entry);
            // Pointers to owner and apex have a zero here, those into the piece their place in it.
            let inside = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
            let target = targets[kind as usize] as u16 + inside;
            out[at + shift..at + shift + 2].copy_from_slice(&(0xc000 | target).to_be_bytes());
        }
    }

    /// Gives every record uncompressed: owner, type, TTL, RDATA.
    ///
    /// For dumps, and for messages in which pointers no longer reach.
    pub fn expand(&self, owner: NameRef<'_>, apex: NameRef<'_>, mut each: impl FnMut(NameRef<'_>, Rtype, u32, &[u8])) {
        let mut at = 0;
        let mut rdata = Vec::new();
        let mut written = Vec::new();
        if self.has_own_owner() {
            self.expand_name(0, owner, apex, &mut written);
        }
        let owner = NameRef::from_wire(&written).unwrap_or(owner);
        for i in 0..self.records {
            at += if i == 0 { self.lead as usize } else { POINTER };
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
            each(owner, rtype, ttl, &rdata);
        }
    }

    /// The name at `at`, which leans on no owner.
    pub(super) fn name_at(&self, at: u16, apex: NameRef<'_>) -> Option<Name> {
        let mut wire = Vec::with_capacity(MAX_NAME);
        self.expand_name(at.into(), apex, apex, &mut wire);
        Name::from_wire(&wire).ok()
    }

    /// Appends the name at `at`; returns where it ends.
    fn expand_name(&self, mut at: usize, owner: NameRef<'_>, apex: NameRef<'_>, out: &mut Vec<u8>) -> usize {
        let mut end = None;
        let most = out.len() + MAX_NAME;
        loop {
            // In a forged image a name may go in a circle; the caller sees that it is none.
            if out.len() > most {
                return end.unwrap_or(at);
            }
            // The list comes first: a pointer that is not set yet looks like a root label.
            if let Some(kind) = self.pointer(at) {
                let end = *end.get_or_insert(at + 2);
                if kind == Kind::Itself as u8 {
                    // Targets lie in front of their pointers, so this ends.
                    at = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]) as usize;
                    continue;
                }
                out.extend_from_slice(if kind == Kind::Owner as u8 { owner } else { apex }.as_wire());
                return end;
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

    /// The kind of the pointer at `at`, if one stands there.
    fn pointer(&self, at: usize) -> Option<u8> {
        let entry = |i: usize| read_pointer(&self.pointers[ENTRY * i..]);
        // Places ascend as the writer went.
        let (mut low, mut high) = (0, self.pointers.len() / ENTRY);
        while low < high {
            let middle = (low + high) / 2;
            match entry(middle).0.cmp(&at) {
                std::cmp::Ordering::Equal => return Some(entry(middle).1),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Place and kind in an entry of the list.
#[inline]
fn read_pointer(entry: &[u8]) -> (usize, u8) {
    (u16::from_le_bytes([entry[0], entry[1]]) as usize, entry[2])
}

/// Writes one set; used again and again so that its buffers are.
#[derive(Default)]
pub struct SetWriter {
    records: u16,
    signatures: u16,
    lead: u8,
    pointers: Vec<(u16, Kind)>,
    bytes: Vec<u8>,
    signature_bytes: Vec<u8>,
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

impl SetWriter {
    /// Starts a new set.
    pub fn clear(&mut self) {
        (self.records, self.signatures, self.lead) = (0, 0, POINTER as u8);
        self.pointers.clear();
        self.bytes.clear();
        self.signature_bytes.clear();
        self.seen.clear();
    }

    /// Starts the set of an NSEC3 record, whose owner is written out: `label` below the apex.
    pub fn start_hashed(&mut self, label: &[u8; 32], apex: NameRef<'_>) {
        self.clear();
        self.bytes.push(label.len() as u8);
        self.bytes.extend_from_slice(label);
        if apex.is_root() {
            self.bytes.push(0);
        } else {
            self.push_pointer(Kind::Apex, 0);
        }
        self.lead = self.bytes.len() as u8;
    }

    /// Adds a record. Returns where its last RDATA name starts.
    ///
    /// # Errors
    /// [`TooBig`] past 64 KiB.
    pub fn push(&mut self, anchors: Anchors<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<u16, TooBig> {
        if self.records > 0 || self.lead as usize == POINTER {
            self.bytes.extend_from_slice(&[0, 0]);
        }
        self.records = self.records.checked_add(1).ok_or(TooBig)?;
        push_fixed(&mut self.bytes, rtype, ttl);
        let start = self.bytes.len();
        let mut last_name = start;
        let mut copied = 0;
        if rdata::is_compressible(rtype) {
            for (at, name) in rdata::names(rtype, rdata) {
                self.bytes.extend_from_slice(&rdata[copied..at]);
                last_name = self.bytes.len();
                self.push_name(anchors, name);
                copied = at + name.as_wire().len();
            }
        } else if let Some((at, _)) = rdata::names(rtype, rdata).last() {
            last_name += at;
        }
        self.bytes.extend_from_slice(&rdata[copied..]);
        set_length(&mut self.bytes, start)?;
        Ok(last_name as u16)
    }

    /// Adds a signature of the set.
    ///
    /// # Errors
    /// [`TooBig`] past 64 KiB.
    pub fn push_signature(&mut self, ttl: u32, rdata: &[u8]) -> Result<(), TooBig> {
        self.signatures = self.signatures.checked_add(1).ok_or(TooBig)?;
        self.signature_bytes.extend_from_slice(&[0, 0]);
        push_fixed(&mut self.signature_bytes, Rtype::RRSIG, ttl);
        let start = self.signature_bytes.len();
        // The signer's name is not compressed (RFC 4034 §3.1.7).
        self.signature_bytes.extend_from_slice(rdata);
        set_length(&mut self.signature_bytes, start)
    }

    fn push_name(&mut self, anchors: Anchors<'_>, name: NameRef<'_>) {
        let mut rest = name;
        loop {
            if rest.is_root() {
                return self.bytes.push(0);
            }
            if self.bytes.len() <= usize::from(u16::MAX) {
                if anchors.owner == Some(rest) {
                    return self.push_pointer(Kind::Owner, 0);
                }
                if anchors.apex == rest {
                    return self.push_pointer(Kind::Apex, 0);
                }
                let lower = rest.to_lowercase();
                if let Some(&target) = self.seen.get(lower.as_ref().as_wire()) {
                    return self.push_pointer(Kind::Itself, target);
                }
                if self.bytes.len() <= SELF_MAX {
                    self.seen.insert(lower.as_ref().as_wire().into(), self.bytes.len() as u16);
                }
            }
            let n = 1 + rest.as_wire()[0] as usize;
            self.bytes.extend_from_slice(&rest.as_wire()[..n]);
            rest = rest.parent().expect("not the root");
        }
    }

    fn push_pointer(&mut self, kind: Kind, target: u16) {
        self.pointers.push((self.bytes.len() as u16, kind));
        self.bytes.extend_from_slice(&target.to_be_bytes());
    }

    /// Appends the finished set to `arena`.
    pub fn finish(&self, arena: &mut Vec<u8>) {
        let lengths = [self.bytes.len() as u16, self.signature_bytes.len() as u16];
        for n in lengths.into_iter().chain([self.records, self.signatures, self.pointers.len() as u16]) {
            arena.extend_from_slice(&n.to_le_bytes());
        }
        let leans_on_itself = self.pointers.iter().any(|&(_, kind)| kind == Kind::Itself);
        arena.push(self.lead | if leans_on_itself { LEANS_ON_ITSELF } else { 0 });
        for &(at, kind) in &self.pointers {
            arena.extend_from_slice(&at.to_le_bytes());
            arena.push(kind as u8);
        }
        arena.extend_from_slice(&self.bytes);
        arena.extend_from_slice(&self.signature_bytes);
    }
}

/// Type, class, TTL, and room for the length of RDATA.
fn push_fixed(bytes: &mut Vec<u8>, rtype: Rtype, ttl: u32) {
    bytes.extend_from_slice(&rtype.0.to_be_bytes());
    bytes.extend_from_slice(&Class::IN.0.to_be_bytes());
    bytes.extend_from_slice(&ttl.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
}

/// Fills in the length of the RDATA that starts at `start` and ends here.
fn set_length(bytes: &mut [u8], start: usize) -> Result<(), TooBig> {
    if bytes.len() > usize::from(u16::MAX) {
        return Err(TooBig);
    }
    let len = (bytes.len() - start) as u16;
    bytes[start - 2..start].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("test name")
    }

    #[test]
    fn expands_to_what_was_pushed() {
        let (owner, apex) = (name("vidu.com.vn"), name("vn"));
        let anchors = Anchors { owner: Some(owner.as_ref()), apex: apex.as_ref() };
        let mut writer = SetWriter::default();
        writer.clear();
        let hosts = ["ns1.vidu.com.vn", "vidu.com.vn", "a.dns.vn", "ns1.out.example", "ns2.out.example", "vn", "."];
        for host in hosts {
            writer.push(anchors, Rtype::NS, 3600, name(host).as_ref().as_wire()).expect("small");
        }
        let mut arena = vec![9; 3];
        writer.finish(&mut arena);
        let set = Set::at(&arena, 3);
        assert_eq!(set.size(), arena.len() - 3);
        let piece = set.records;
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
