//! Records as they stand in files of this room, and the SHA-256 that goes along with writing and reading.
//!
//! Layout, numbers big-endian: `u32` count of records; then each record: `u8` 1 when an owner in wire form follows, 0 when it is the
//! owner of the record before; `u16` type, `u32` TTL, `u16` length, RDATA. Records stand in the order given.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use crate::dns::name::MAX_NAME;
use crate::dns::{NameRef, Record, Records, Rtype};

/// Octets that are written or read at once.
const AT_ONCE: usize = 64 << 10;

/// Octets in front of each RDATA: whether an owner follows, type, TTL, length.
const FIELDS: u64 = 1 + 2 + 4 + 2;

/// How many octets [`Output::records`] writes. Cost: one pass.
pub(super) fn encoded_len<'a>(records: impl Iterator<Item = Record<'a>>) -> u64 {
    let one = |(named, record): (bool, Record<'_>)| {
        let owner = if named { record.owner.as_wire().len() } else { 0 };
        FIELDS + (owner + record.rdata.len()) as u64
    };
    4 + with_owners(records).map(one).sum::<u64>()
}

/// Every record, and whether its owner is written out.
fn with_owners<'a>(records: impl Iterator<Item = Record<'a>>) -> impl Iterator<Item = (bool, Record<'a>)> {
    let mut last: &[u8] = &[];
    records.map(move |record| {
        let owner = record.owner.as_wire();
        (std::mem::replace(&mut last, owner) != owner, record)
    })
}

/// Buffered output that hashes what goes through it.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    hasher: Sha256,
    buffer: Vec<u8>,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, hasher: Sha256::new(), buffer: Vec::with_capacity(1024) }
    }

    pub(super) fn put(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Writes `n` records.
    pub(super) fn records<'r>(&mut self, n: usize, records: impl Iterator<Item = Record<'r>>) -> io::Result<()> {
        let n = u32::try_from(n).map_err(|_| io::Error::other("more than 2^32 records"))?;
        self.put(&n.to_be_bytes());
        for (named, record) in with_owners(records) {
            self.put(&[u8::from(named)]);
            self.put(if named { record.owner.as_wire() } else { &[] });
            self.put(&record.rtype.0.to_be_bytes());
            self.put(&record.ttl.to_be_bytes());
            self.put(&(record.rdata.len() as u16).to_be_bytes());
            self.put(record.rdata);
            if self.buffer.len() > AT_ONCE {
                self.hasher.update(&self.buffer);
                self.out.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        Ok(())
    }

    /// Writes the first `N` octets of the SHA-256 of all that was put, and gives them back.
    pub(super) fn seal<const N: usize>(mut self) -> io::Result<[u8; N]> {
        self.hasher.update(&self.buffer);
        let sum = first(&self.hasher);
        self.put(&sum);
        self.out.write_all(&self.buffer)?;
        Ok(sum)
    }
}

/// The first `N` octets of a digest.
fn first<const N: usize>(hasher: &Sha256) -> [u8; N] {
    hasher.clone().finalize()[..N].try_into().expect("a SHA-256 has 32 octets")
}

/// Why octets cannot be read.
#[derive(Debug)]
pub(super) enum InputError {
    /// The file system says no.
    Io(io::Error),
    /// They end too early.
    Short,
    /// A name, a flag or a length in them makes no sense.
    Malformed,
}

/// Records that are still to be read.
pub(super) struct Ahead {
    pub(super) left: u32,
    owner: Vec<u8>,
    rdata: Vec<u8>,
}

/// Buffered input that hashes what is taken from it. Memory grows with what is read, never with what is promised.
pub(super) struct Input<R> {
    file: R,
    hasher: Sha256,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
}

impl<R: Read> Input<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, hasher: Sha256::new(), buffer: vec![0; AT_ONCE], at: 0, end: 0 }
    }

    /// The next octets, at least one and at most `most`; the caller takes them.
    fn peek(&mut self, most: usize) -> Result<&[u8], InputError> {
        if self.at == self.end {
            self.at = 0;
            self.end = loop {
                match self.file.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(InputError::Io)?,
                }
            };
            if self.end == 0 {
                return Err(InputError::Short);
            }
        }
        Ok(&self.buffer[self.at..self.end.min(self.at + most)])
    }

    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), InputError> {
        while !out.is_empty() {
            let octets = self.peek(out.len())?;
            let (head, rest) = out.split_at_mut(octets.len());
            head.copy_from_slice(octets);
            self.hasher.update(&*head);
            self.at += head.len();
            out = rest;
        }
        Ok(())
    }

    /// Takes `n` octets that only the checksum looks at.
    pub(super) fn skip(&mut self, mut n: u64) -> Result<(), InputError> {
        while n > 0 {
            let len = self.peek(usize::try_from(n).unwrap_or(usize::MAX))?.len();
            self.hasher.update(&self.buffer[self.at..self.at + len]);
            self.at += len;
            n -= len as u64;
        }
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], InputError> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    /// Reads a name in wire form into `name`, label by label.
    pub(super) fn name(&mut self, name: &mut Vec<u8>) -> Result<(), InputError> {
        name.clear();
        loop {
            let [len] = self.array()?;
            name.push(len);
            if len == 0 {
                return Ok(());
            }
            let start = name.len();
            // Lengths above 63 are no labels, and a name ends within 255 octets (RFC 1035 §3.1).
            if len > 63 || start + usize::from(len) >= MAX_NAME {
                return Err(InputError::Malformed);
            }
            name.resize(start + usize::from(len), 0);
            self.fill(&mut name[start..])?;
        }
    }

    pub(super) fn records(&mut self) -> Result<Records, InputError> {
        let mut ahead = self.ahead()?;
        let mut records = Records::with_capacity((ahead.left as usize).min(1 << 10));
        self.some_records(&mut ahead, usize::MAX, &mut records)?;
        Ok(records)
    }

    /// Begins with records that are read some at a time.
    pub(super) fn ahead(&mut self) -> Result<Ahead, InputError> {
        Ok(Ahead { left: u32::from_be_bytes(self.array()?), owner: Vec::with_capacity(MAX_NAME), rdata: Vec::new() })
    }

    /// Reads at most `most` of the records ahead, behind those in `records`.
    pub(super) fn some_records(&mut self, ahead: &mut Ahead, most: usize, records: &mut Records) -> Result<(), InputError> {
        let Ahead { left, owner, rdata } = ahead;
        let n = most.min(*left as usize) as u32;
        for _ in 0..n {
            match self.array()? {
                [1] => self.name(owner)?,
                [0] if !owner.is_empty() => {}
                _ => return Err(InputError::Malformed),
            }
            let rtype = Rtype(u16::from_be_bytes(self.array()?));
            let ttl = u32::from_be_bytes(self.array()?);
            rdata.resize(usize::from(u16::from_be_bytes(self.array()?)), 0);
            self.fill(rdata)?;
            let owner = NameRef::from_wire(owner).map_err(|_| InputError::Malformed)?;
            records.push(owner, rtype, ttl, rdata).map_err(|_| InputError::Malformed)?;
        }
        *left -= n;
        Ok(())
    }

    /// Takes a checksum as [`Output::seal`] writes it; `None` when it is not that of all that was taken since the last one.
    pub(super) fn sealed<const N: usize>(&mut self) -> Result<Option<[u8; N]>, InputError> {
        let sum = first(&self.hasher);
        let is_right = self.array()? == sum;
        self.hasher = Sha256::new();
        Ok(is_right.then_some(sum))
    }
}
