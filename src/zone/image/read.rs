//! Reads an image: sizes against the file's true length first, then the arrays on all cores, then what they say of each other.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::check::{self, Tally};
use super::head::{ChainHead, Head};
use super::{FORMAT, ImageError, Item, LAYOUT, MAGIC, PRELUDE, SUM, per_chunk, stored, sum};
use crate::dns::NameRef;
use crate::memory;
use crate::parallel::cores;
use crate::zone::Zone;
use crate::zone::base::{Arena, Base};
use crate::zone::chain::{Chain, Nsec3Chain};
use crate::zone::hash::{Bucket, Index, empty_buckets};

/// Fills the octets with those of the file from a place on; exactly so many, or it is an error. Several threads call it at once.
pub type ReadAt<'a> = dyn Fn(&mut [u8], u64) -> io::Result<()> + Sync + 'a;

/// The most threads that read one image: more only wait for memory.
const MOST_THREADS: usize = 8;

/// An image whose head is read and proved; the arrays follow with [`Self::zone`].
pub struct Image<'a> {
    head: Head,
    /// Where the arrays start.
    start: u64,
    read_at: &'a ReadAt<'a>,
}

/// Octets of the longest head: it names the files that the zone was made from, and is read as a whole.
const MOST_HEAD: u64 = 64 << 20;

impl<'a> Image<'a> {
    /// Reads the head of an image of `len` octets, which must be of the zone `apex`. Cost: that of a small read.
    ///
    /// # Errors
    /// [`ImageError`] for whatever is not what [`Zone::write_image`] wrote, of this layout.
    pub fn open(apex: NameRef<'_>, len: u64, read_at: &'a ReadAt<'a>) -> Result<Self, ImageError> {
        let mut prelude = [0; PRELUDE];
        read_at(&mut prelude, 0)?;
        let (magic, rest) = prelude.split_at(MAGIC.len());
        let number = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        if magic != MAGIC || number(0) != FORMAT || number(4) != LAYOUT {
            return Err(ImageError::Version);
        }
        let in_head = u64::from(number(8)) | u64::from(number(12)) << 32;
        if in_head > len.min(MOST_HEAD) {
            return Err(ImageError::Length);
        }
        let start = PRELUDE + in_head as usize + SUM;
        let mut octets = vec![0; start];
        read_at(&mut octets, 0)?;
        let head = Head::decode(&octets, apex)?;
        let in_chain = match &head.chain {
            ChainHead::None => 0,
            ChainHead::Nsec { n } => stored::<u32>(*n),
            ChainHead::Nsec3 { shift, n, .. } => stored::<[u8; 20]>(*n) + stored::<u32>(*n) + stored::<u32>(ChainHead::starts(*shift)),
        };
        let arrays = stored::<u8>(head.n_pieces) + stored::<u8>(head.n_nodes) + stored::<Bucket>(head.n_buckets) + in_chain;
        // From here on nothing is allocated that the file does not hold.
        if (start + arrays) as u64 != len {
            return Err(ImageError::Length);
        }
        Ok(Self { head, start: start as u64, read_at })
    }

    /// What the writer gave to be kept with the zone.
    pub fn account(&self) -> &[u8] {
        &self.head.account
    }

    /// Reads the arrays and checks them, on all cores. Memory: that of the zone.
    ///
    /// # Errors
    /// [`ImageError`]; nothing of the image is to be used then.
    pub fn zone(self) -> Result<Zone, ImageError> {
        let head = self.head;
        let mut pieces = vec![0u8; head.n_pieces];
        let mut nodes = vec![0u8; head.n_nodes];
        let mut buckets = empty_buckets(head.n_buckets);
        let (n_hashes, n_starts, n_order) = match &head.chain {
            ChainHead::None => (0, 0, 0),
            ChainHead::Nsec { n } => (0, 0, *n),
            ChainHead::Nsec3 { shift, n, .. } => (*n, ChainHead::starts(*shift), 0),
        };
        let (mut hashes, mut sets, mut starts) = (vec![[0u8; 20]; n_hashes], vec![0u32; n_hashes], vec![0u32; n_starts]);
        let mut order = vec![0u32; n_order];
        let mut arrays = Arrays { seed: head.seed, place: self.start, reads: Vec::new() };
        arrays.add(&mut pieces);
        arrays.add(&mut nodes);
        arrays.add(&mut buckets);
        arrays.add(&mut hashes);
        arrays.add(&mut sets);
        arrays.add(&mut starts);
        arrays.add(&mut order);
        arrays.read(self.read_at)?;

        let chain = match head.chain {
            ChainHead::None => Chain::None,
            ChainHead::Nsec { .. } => Chain::Nsec(order),
            ChainHead::Nsec3 { params, shift, .. } => Chain::Nsec3(Nsec3Chain::of_arrays(params, hashes, sets, starts, shift)),
        };
        let base = Base {
            seed: head.seed,
            index: Index::of_buckets(buckets, head.used),
            arena: Arena { nodes, pieces },
            chain,
            counts: head.counts,
            absent_hosts: head.absent_hosts,
        };
        let tally = Mutex::new(Tally::default());
        let apex_len = head.apex.as_ref().as_wire().len();
        on_all_cores(check::steps(&base, &head.stretches)?, |step, _| {
            let found = check::check(&base, apex_len, step)?;
            tally.lock().unwrap_or_else(PoisonError::into_inner).add(found);
            Ok(())
        })?;
        tally.into_inner().unwrap_or_else(PoisonError::into_inner).is_of(&base)?;
        check::negative_soa(&head.negative_soa)?;
        Ok(Zone {
            apex_labels: head.apex.as_ref().label_count(),
            apex: head.apex,
            soa: head.soa,
            negative_soa: head.negative_soa,
            base: Arc::new(base),
            overlay: None,
        })
    }
}

/// Reads one chunk to where it belongs.
type Read<'m> = Box<dyn FnOnce(&mut Vec<u8>, &ReadAt<'_>) -> Result<(), ImageError> + Send + 'm>;

/// The chunks of all arrays, in the order of the file.
struct Arrays<'m> {
    seed: u64,
    place: u64,
    reads: Vec<Read<'m>>,
}

impl<'m> Arrays<'m> {
    fn read(self, read_at: &ReadAt<'_>) -> Result<(), ImageError> {
        on_all_cores(self.reads, |read, spare| read(spare, read_at))
    }

    fn add<T: Item + 'm>(&mut self, items: &'m mut [T]) {
        memory::will_fill(items);
        for items in items.chunks_mut(per_chunk::<T>()) {
            let (seed, place) = (self.seed, self.place);
            let len = items.len() * T::SIZE;
            self.place += (len + SUM) as u64;
            self.reads.push(Box::new(move |spare, read_at| {
                let mut expected = [0; SUM];
                read_at(&mut expected, place + len as u64)?;
                T::take(items, spare, |octets| {
                    read_at(octets, place)?;
                    if sum(seed, place, octets).to_le_bytes() == expected { Ok(()) } else { Err(ImageError::Checksum) }
                })
            }));
        }
    }
}

/// Does `work` with each item, in order as far as one thread goes; the first error ends it. Each thread has spare memory of its own.
fn on_all_cores<T: Send>(items: Vec<T>, work: impl Fn(T, &mut Vec<u8>) -> Result<(), ImageError> + Sync) -> Result<(), ImageError> {
    // A thread costs as much as reading a chunk or two.
    let n_threads = cores().min(items.len() / 4).min(MOST_THREADS);
    let items = Mutex::new(items.into_iter());
    let (failed, result) = (AtomicBool::new(false), Mutex::new(Ok(())));
    let run = || {
        let mut spare = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let Some(item) = items.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
            if let Err(error) = work(item, &mut spare) {
                failed.store(true, Ordering::Relaxed);
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..n_threads {
            scope.spawn(run);
        }
        run();
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}
