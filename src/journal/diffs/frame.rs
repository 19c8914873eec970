//! The octets of a log: its head, its entries, and how one entry continues the other. Knows no file.

use std::io::{self, Read, Write};

use super::super::records::{Input, InputError, Output, encoded_len};
use super::Fault;
use crate::dns::name::MAX_NAME;
use crate::dns::{Name, NameRef, Record, Records, Rtype, Serial, UnixTime};
use crate::zone::Diff;

const MAGIC: &[u8; 8] = b"SAOLALOG";
const VERSION: u32 = 1;
/// Octets of an entry in front of its records.
const FRONT_LEN: u64 = 16 + 8 + 8 + 4 + 4 + 8 + 16;
const SUM_LEN: u64 = 16;
/// Octets of an entry without a record.
pub(super) const MIN_LEN: u64 = FRONT_LEN + 4 + 4 + SUM_LEN;

/// What all entries of a chain bear: random, so that no record in a zone can look like one.
pub(super) type Id = [u8; 16];

/// The first half of a SHA-256.
pub(super) type Sum = [u8; 16];

/// How far a chain has come: what its next entry must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The next entry's number; the first of a chain has 0.
    pub number: u64,
    /// The serial it starts from.
    pub serial: Serial,
    /// The checksum of the entry before it; zeros where a chain begins.
    pub sum: Sum,
}

impl Link {
    /// How far the chain has come after this entry; `None` when it does not continue the chain.
    pub(super) fn after(&self, front: &Front, sum: Sum) -> Option<Self> {
        let is_next = *self == front.continues && front.to.is_newer_than(front.continues.serial);
        is_next.then_some(Self { number: self.number.checked_add(1)?, serial: front.to, sum })
    }
}

/// What stands in front of an entry's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub continues: Link,
    pub to: Serial,
    pub published: UnixTime,
    /// Octets of the whole entry.
    pub len: u64,
}

impl Front {
    pub(super) fn new(continues: Link, to: Serial, published: UnixTime, diff: &Diff) -> Self {
        let len = FRONT_LEN + encoded_len(soa_first(&diff.removed)) + encoded_len(soa_first(&diff.added)) + SUM_LEN;
        Self { continues, to, published, len }
    }

    fn put(&self, id: &Id, out: &mut Output<'_>) {
        out.put(id);
        out.put(&self.continues.number.to_be_bytes());
        out.put(&self.len.to_be_bytes());
        out.put(&self.continues.serial.0.to_be_bytes());
        out.put(&self.to.0.to_be_bytes());
        out.put(&self.published.0.to_be_bytes());
        out.put(&self.continues.sum);
    }

    pub(super) fn read<R: Read>(input: &mut Input<R>, id: &Id) -> Result<Self, InputError> {
        if input.array()? != *id {
            return Err(InputError::Malformed);
        }
        let number = u64::from_be_bytes(input.array()?);
        let len = u64::from_be_bytes(input.array()?);
        let serial = Serial(u32::from_be_bytes(input.array()?));
        let to = Serial(u32::from_be_bytes(input.array()?));
        let published = UnixTime(u64::from_be_bytes(input.array()?));
        let continues = Link { number, serial, sum: input.array()? };
        Ok(Self { continues, to, published, len })
    }
}

/// Writes an entry and returns its checksum.
pub(super) fn write(id: &Id, front: &Front, diff: &Diff, out: &mut dyn Write) -> io::Result<Sum> {
    let mut output = Output::new(out);
    front.put(id, &mut output);
    for side in [&diff.removed, &diff.added] {
        output.records(side.len(), soa_first(side))?;
    }
    output.seal()
}

/// The records of one side of a change as they stand in an entry: the SOA first, which is the order of an IXFR (RFC 1995 §4).
pub(super) fn soa_first(side: &Records) -> impl Iterator<Item = Record<'_>> {
    let is_soa = |record: &Record<'_>| record.rtype == Rtype::SOA;
    side.iter().filter(is_soa).chain(side.iter().filter(move |record| !is_soa(record)))
}

/// Reads past a whole entry of at most `room` octets. Cost: it is hashed, not understood.
pub(super) fn pass<R: Read>(input: &mut Input<R>, id: &Id, room: u64) -> Result<(Front, Sum), InputError> {
    let front = Front::read(input, id)?;
    if !(MIN_LEN..=room).contains(&front.len) {
        return Err(InputError::Malformed);
    }
    input.skip(front.len - FRONT_LEN - SUM_LEN)?;
    Ok((front, input.sealed()?.ok_or(InputError::Malformed)?))
}

/// Reads an entry with its records.
pub(super) fn read<R: Read>(input: &mut Input<R>, id: &Id) -> Result<(Front, Sum, Diff), InputError> {
    let front = Front::read(input, id)?;
    let mut diff = Diff { removed: input.records()?, added: input.records()? };
    diff.removed.sort();
    diff.added.sort();
    let sum = input.sealed()?.ok_or(InputError::Malformed)?;
    Ok((front, sum, diff))
}

/// Writes the head of a log whose first entry continues `link`.
pub(super) fn write_head(apex: NameRef<'_>, id: &Id, link: &Link, out: &mut dyn Write) -> io::Result<()> {
    let mut output = Output::new(out);
    output.put(MAGIC);
    output.put(&VERSION.to_be_bytes());
    output.put(id);
    output.put(&link.number.to_be_bytes());
    output.put(&link.serial.0.to_be_bytes());
    output.put(&link.sum);
    output.put(apex.as_wire());
    output.seal::<{ SUM_LEN as usize }>().map(drop)
}

/// Octets of a head.
pub(super) fn head_len(apex: NameRef<'_>) -> u64 {
    8 + 4 + 16 + 8 + 4 + 16 + apex.as_wire().len() as u64 + SUM_LEN
}

/// Reads the head of the log of the zone `apex`: the name as it stands there, the chain, and what the first entry continues.
pub(super) fn read_head<R: Read>(input: &mut Input<R>, apex: NameRef<'_>) -> Result<(Name, Id, Link), Fault> {
    if input.array::<8>()? != *MAGIC || u32::from_be_bytes(input.array()?) != VERSION {
        return Err(Fault::Version);
    }
    let id = input.array()?;
    let number = u64::from_be_bytes(input.array()?);
    let serial = Serial(u32::from_be_bytes(input.array()?));
    let link = Link { number, serial, sum: input.array()? };
    let mut name = Vec::with_capacity(MAX_NAME);
    input.name(&mut name)?;
    input.sealed::<{ SUM_LEN as usize }>()?.ok_or(Fault::Head)?;
    let name = Name::from_wire(&name).map_err(|_| Fault::Head)?;
    if name.as_ref() == apex { Ok((name, id, link)) } else { Err(Fault::Apex(name)) }
}
