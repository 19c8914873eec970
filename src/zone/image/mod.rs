//! The image: a zone's flat arrays as a file, so that a restart neither reads text nor builds anything.
//!
//! Layout, numbers little-endian. The prelude: magic `SAOLAIMG`, `u32` format, `u32` [`LAYOUT`], `u64` length of the head. The head:
//! apex, SOA, everything of [`Base`] that is no array, how many items each array has, where the nodes can be cut for checking, what the
//! caller wants to know again, and last the CRC-32 of prelude and head. Then the arrays, each in chunks of [`CHUNK`] octets, and behind each
//! chunk the CRC-32 of the zone's seed, the chunk's place in the file and its octets: a chunk of another image, or of another place, is
//! not taken for this one's. Every damage of up to 32 bits in a row is seen, any other but for one in 2^32.
//!
//! An image is read into memory of our own, not mapped: a file that is cut or changed under a map would end the process. Reading takes
//! nothing for granted ([`read`]): damage is found by the checksums, and what an image with good checksums claims is checked
//! ([`check`]), so that a forged one cannot make answering run on or leave its arrays.
//!
//! Knows no file: the caller gives and takes octets.

mod check;
mod head;
mod read;

use std::fmt;
use std::io::{self, Write};

use head::Head;

pub use read::{Image, ReadAt};

use super::chain::Chain;
use super::hash::Bucket;
use super::{Zone, base::Base};
use crate::dns::Name;

const MAGIC: &[u8; 8] = b"SAOLAIMG";
/// How the file is laid out.
const FORMAT: u32 = 1;
/// What the arrays mean: the layout of nodes and pieces, the hash of names, the buckets of the index. Whoever changes one of them raises
/// this number, so that images of another meaning are not read; a test below sees when that was forgotten.
const LAYOUT: u32 = 1;
/// Octets of the prelude.
const PRELUDE: usize = 24;
/// Octets of a chunk: read and summed while it is in the processor's cache.
const CHUNK: usize = 256 << 10;
/// Octets of a CRC-32.
const SUM: usize = 4;
/// About how many octets of nodes one step of checking takes.
const STRETCH: usize = 1 << 20;

/// Why an image is refused; the zone is to be made from its source.
#[derive(Debug)]
pub enum ImageError {
    /// It cannot be read.
    Io(io::Error),
    /// It is no image, or of a version that is not known here.
    Version,
    /// It is of another zone.
    Apex(Name),
    /// It ends too early, or too late.
    Length,
    /// A checksum is wrong.
    Checksum,
    /// What it says contradicts itself.
    Malformed(&'static str),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the image cannot be read: {error}"),
            Self::Version => f.write_str("the image has a format that is not known here"),
            Self::Apex(name) => write!(f, "the image is of zone '{name}'"),
            Self::Length => f.write_str("the image is cut off, or longer than it says"),
            Self::Checksum => f.write_str("the image is damaged, a checksum is wrong"),
            Self::Malformed(what) => write!(f, "the image is damaged, {what}"),
        }
    }
}

impl std::error::Error for ImageError {}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Length } else { Self::Io(error) }
    }
}

/// An item of an array, as it stands in the file.
trait Item: Copy + Send {
    /// Octets in the file.
    const SIZE: usize;
    /// Appends items to a chunk.
    fn put(items: &[Self], chunk: &mut Vec<u8>);
    /// Fills `items` with octets that `fill` gives; `spare` is memory for those that are not stored as they are.
    fn take(items: &mut [Self], spare: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>) -> Result<(), ImageError>;
}

/// Fills `items` one by one from octets.
fn take_each<T: Item>(
    items: &mut [T],
    spare: &mut Vec<u8>,
    fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>,
    read: impl Fn(&[u8]) -> T,
) -> Result<(), ImageError> {
    spare.resize(items.len() * T::SIZE, 0);
    fill(spare)?;
    for (item, octets) in items.iter_mut().zip(spare.chunks_exact(T::SIZE)) {
        *item = read(octets);
    }
    Ok(())
}

impl Item for u8 {
    const SIZE: usize = 1;

    fn put(items: &[Self], chunk: &mut Vec<u8>) {
        chunk.extend_from_slice(items);
    }

    fn take(items: &mut [Self], _: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>) -> Result<(), ImageError> {
        fill(items)
    }
}

impl Item for u32 {
    const SIZE: usize = 4;

    fn put(items: &[Self], chunk: &mut Vec<u8>) {
        items.iter().for_each(|n| chunk.extend_from_slice(&n.to_le_bytes()));
    }

    fn take(items: &mut [Self], spare: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>) -> Result<(), ImageError> {
        take_each(items, spare, fill, |octets| Self::from_le_bytes(octets.try_into().expect("four octets")))
    }
}

impl Item for [u8; 20] {
    const SIZE: usize = 20;

    fn put(items: &[Self], chunk: &mut Vec<u8>) {
        chunk.extend_from_slice(items.as_flattened());
    }

    fn take(items: &mut [Self], _: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>) -> Result<(), ImageError> {
        fill(items.as_flattened_mut())
    }
}

impl Item for Bucket {
    const SIZE: usize = 64;

    fn put(items: &[Self], chunk: &mut Vec<u8>) {
        items.iter().for_each(|bucket| chunk.extend_from_slice(&bucket.to_octets()));
    }

    fn take(items: &mut [Self], spare: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> Result<(), ImageError>) -> Result<(), ImageError> {
        take_each(items, spare, fill, |octets| Self::from_octets(octets.try_into().expect("64 octets")))
    }
}

/// Octets of `n` items in the file.
fn stored<T: Item>(n: usize) -> usize {
    n * T::SIZE + (n * T::SIZE).div_ceil(per_chunk::<T>() * T::SIZE) * SUM
}

/// Items in one chunk.
const fn per_chunk<T: Item>() -> usize {
    CHUNK / T::SIZE
}

/// The checksum of a chunk that stands at `place` in the image of the zone with `seed`.
fn sum(seed: u64, place: u64, octets: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&place.to_le_bytes());
    hasher.update(octets);
    hasher.finalize()
}

impl Zone {
    /// Writes the zone's image, with an `account` that [`Image::account`] gives back. Memory: one chunk.
    ///
    /// # Errors
    /// Of `out`; and `InvalidInput` while changes stand beside the base ([`Zone::is_overlaid`]).
    pub fn write_image(&self, account: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.is_overlaid() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a zone with changes beside its base has no image"));
        }
        write(&Head::of(self, account), &self.base, out)
    }
}

fn write(head: &Head, base: &Base, out: &mut dyn Write) -> io::Result<()> {
    let head = head.encode();
    out.write_all(&head)?;
    let mut writer = Writer { seed: base.seed, place: head.len() as u64, chunk: Vec::with_capacity(CHUNK + SUM), out };
    writer.array(&base.arena.pieces)?;
    writer.array(&base.arena.nodes)?;
    writer.array(base.index.buckets())?;
    match &base.chain {
        Chain::None => Ok(()),
        Chain::Nsec(order) => writer.array(order),
        Chain::Nsec3(chain) => {
            let (hashes, sets, starts, _) = chain.arrays();
            writer.array(hashes)?;
            writer.array(sets)?;
            writer.array(starts)
        }
    }
}

struct Writer<'a> {
    seed: u64,
    place: u64,
    chunk: Vec<u8>,
    out: &'a mut dyn Write,
}

impl Writer<'_> {
    fn array<T: Item>(&mut self, items: &[T]) -> io::Result<()> {
        for items in items.chunks(per_chunk::<T>()) {
            self.chunk.clear();
            T::put(items, &mut self.chunk);
            let sum = sum(self.seed, self.place, &self.chunk);
            self.chunk.extend_from_slice(&sum.to_le_bytes());
            self.out.write_all(&self.chunk)?;
            self.place += self.chunk.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
