//! The published changes of one zone, by serial: a log that entries are appended to, one file a zone.
//!
//! Layout, numbers big-endian. The head: magic `SAOLALOG`, `u32` version 1, the chain's id (16 random octets), what the first entry
//! continues (`u64` its number, `u32` serial, 16 octets of the checksum before it), the apex in wire form, checksum. Then the entries: the id,
//! `u64` number, `u64` octets of the entry, `u32` serial from which and `u32` to which it leads, `u64` Unix time of publication, the checksum
//! of the entry before; the records that go and those that come (`journal/records.rs`), checksum. A checksum is the first half of the
//! SHA-256 of all of its head or entry before it. So an entry that is old, of another file or in another place is not taken for the next one.
//!
//! An entry is durable when [`Diffs::append`] returns, and none is begun before. A crash leaves the entries that were
//! acknowledged, then nothing, the last entry whole, or some of its octets, which [`Diffs::open`] cuts off. One assumption about disks: writing
//! behind octets that are durable does not harm these.
//!
//! Knows neither snapshot nor transfer: a restart is a snapshot and [`Diffs::after_snapshot`], an IXFR (RFC 1995) is [`Diffs::range`].

mod frame;
mod log;
mod scan;
mod steps;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use super::records::InputError;
use crate::disk::{Octets, Place, Store};
use crate::dns::{Name, NameRef, Serial, UnixTime};
use crate::zone::Diff;
use frame::{Front, Link};
use scan::{Chain, Entry, Span};

pub use log::Log;

pub use steps::{Step, StepRecords, Steps};

/// The log of one zone, open for one writer and any number of readers. In memory: 40 octets an entry.
pub struct Diffs<S: Store = Place> {
    store: S,
    chain: Chain<S::File>,
    cut: u64,
    /// What is behind the last entry could not be taken away, or which file has the name is not known; put right before the next entry.
    is_torn: bool,
}

/// How large a log may grow before its oldest entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Octets of the file.
    pub octets: u64,
    /// Entries in it.
    pub entries: usize,
}

/// What [`Diffs::trim`] took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Octets.
    pub octets: u64,
    /// Entries, the oldest ones.
    pub entries: usize,
}

impl<S: Store> Diffs<S> {
    /// Opens the log of the zone `apex`; `None` where there is none. A torn last entry is cut off: see [`Self::n_cut`].
    ///
    /// Cost: the file is read and hashed once. Memory: the index.
    ///
    /// # Errors
    /// [`DiffsError`] for a file of another zone or version, and for damage that no crash explains; the file is left as it is.
    pub fn open(store: S, apex: NameRef<'_>) -> Result<Option<Self>, DiffsError> {
        match load(&store, apex, u64::MAX) {
            Ok((chain, cut)) => Ok(Some(Self { store, chain, cut, is_torn: false })),
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(DiffsError { path: store.path().to_owned(), fault }),
        }
    }

    /// Begins a new chain at `serial`, in place of any log that is there.
    ///
    /// # Errors
    /// Of the file system; see [`Store::replace`].
    pub fn start(store: S, apex: NameRef<'_>, serial: Serial) -> Result<Self, DiffsError> {
        let started = || {
            let mut id = [0; 16];
            SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("the system gives no random octets"))?;
            let link = Link { number: 0, serial, sum: [0; 16] };
            let file = store.replace(&mut |out| frame::write_head(apex, &id, &link, out))?;
            Ok(Chain { file: Arc::new(file), apex: apex.to_owned(), id, entries: Arc::default(), link, end: frame::head_len(apex) })
        };
        match started() {
            Ok(chain) => Ok(Self { store, chain, cut: 0, is_torn: false }),
            Err(error) => Err(DiffsError { path: store.path().to_owned(), fault: Fault::Io(error) }),
        }
    }

    /// What no other log has, in hexadecimal: of all that were ever begun.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&self.chain.id)
    }

    /// Octets of a torn entry that were cut off when the log was opened. It had not been acknowledged, unless the disk damaged it later.
    pub fn n_cut(&self) -> u64 {
        self.cut
    }

    /// The oldest version that [`Self::range`] can start from.
    pub fn first_serial(&self) -> Serial {
        self.chain.entries.first().map_or(self.chain.link, |entry| entry.link).serial
    }

    /// The version to which the newest entry leads.
    pub fn last_serial(&self) -> Serial {
        self.chain.link.serial
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.chain.entries.len()
    }

    /// True without an entry.
    pub fn is_empty(&self) -> bool {
        self.chain.entries.is_empty()
    }

    /// Octets of the file.
    pub fn octets(&self) -> u64 {
        self.chain.end
    }

    /// The log as it is now, for those who read it while it goes on. Costs next to nothing; the next [`Self::append`] copies the index then.
    pub fn log(&self) -> Log<S::File> {
        Log { path: self.store.path().into(), chain: self.chain.clone() }
    }

    /// As [`Log::range`].
    pub fn range(&self, from: Serial) -> Option<Steps<S::File>> {
        self.log().range(from)
    }

    /// The changes that lead from a snapshot at version `serial` to the newest version.
    ///
    /// # Errors
    /// When the log does not know that version.
    pub fn after_snapshot(&self, serial: Serial) -> Result<Steps<S::File>, DiffsError> {
        self.log().range_of_oldest(serial).ok_or_else(|| self.absent(serial))
    }

    /// Writes a change and waits until it is durable. It starts from [`Self::last_serial`] and leads to a newer version (RFC 1982), as
    /// its two SOA records say.
    ///
    /// Memory: 64 KiB and the largest record, whatever the change.
    ///
    /// # Errors
    /// [`DiffsError`] when the change does not fit or cannot be written. The log is as before then.
    pub fn append(&mut self, diff: &Diff, published: UnixTime) -> Result<(), DiffsError> {
        self.try_append(diff, published).map_err(|fault| self.error(fault))
    }

    fn try_append(&mut self, diff: &Diff, published: UnixTime) -> Result<(), Fault> {
        let link = self.chain.link;
        let (from, to) = diff.serials(self.chain.apex.as_ref()).ok_or(Fault::Soa)?;
        if from != link.serial {
            return Err(Fault::Gap { from, last: link.serial });
        }
        if !to.is_newer_than(from) {
            return Err(Fault::Backwards { from, to });
        }
        if self.is_torn {
            self.mend()?;
        }
        let front = Front::new(link, to, published, diff);
        // Only now: mending may have opened another file.
        let (file, end) = (&*self.chain.file, self.chain.end);
        let written = frame::write(&self.chain.id, &front, diff, &mut Behind { file, at: end }).and_then(|sum| {
            file.sync()?;
            link.after(&front, sum).ok_or_else(|| io::Error::other("its numbers are used up"))
        });
        match written {
            Ok(next) => {
                Arc::make_mut(&mut self.chain.entries).push(Entry { at: end, link });
                self.chain.link = next;
                self.chain.end += front.len;
                Ok(())
            }
            Err(error) => {
                self.is_torn = file.set_len(end).and_then(|()| file.sync()).is_err();
                Err(Fault::Unwritten { error, last: link.serial, is_torn: self.is_torn })
            }
        }
    }

    /// Lets the oldest entries go when the log is larger than `bounds`, as far as a restart from the snapshot at version `snapshot` does
    /// not need them: what is left is at most half the bounds, or the newest entry. Where the snapshot is older than that, the log grows
    /// until a third of it can go. Readers are not disturbed.
    ///
    /// Cost: mostly none; what is left is written anew when something goes, so an octet is written a few times in the long run.
    ///
    /// # Errors
    /// [`DiffsError`] when the log does not know `snapshot`, or cannot be written anew; it goes on as it was then, and grows.
    pub fn trim(&mut self, bounds: Bounds, snapshot: Serial) -> Result<Option<Trimmed>, DiffsError> {
        let (needed, _) = self.chain.find(snapshot).ok_or_else(|| self.absent(snapshot))?;
        let (n, end) = (self.len(), self.chain.end);
        let head = frame::head_len(self.chain.apex.as_ref());
        let fits = |first: usize, bounds: Bounds| head + end - self.at(first) <= bounds.octets && n - first <= bounds.entries;
        if fits(0, bounds) {
            return Ok(None);
        }
        let half = Bounds { octets: bounds.octets / 2, entries: bounds.entries / 2 };
        let is_enough = |first: &usize| fits(*first, half) || (first + 1 == n && fits(*first, bounds));
        let first = (0..needed).find(is_enough).unwrap_or(needed);
        let (gone, kept) = (self.at(first) - head, end - self.at(first));
        if first == 0 || (!is_enough(&first) && gone < kept / 2) {
            return Ok(None);
        }
        let trimmed = Trimmed { octets: gone, entries: first };
        self.try_trim(first).map_err(|error| self.error(Fault::Untrimmed { error, is_torn: self.is_torn }))?;
        Ok(Some(trimmed))
    }

    /// Puts a file with the entries from number `first` of the index on in the place of this one.
    fn try_trim(&mut self, first: usize) -> io::Result<()> {
        let (from, chain) = (self.at(first), &mut self.chain);
        let link = chain.entries.get(first).map_or(chain.link, |entry| entry.link);
        let replaced = self.store.replace(&mut |out| {
            frame::write_head(chain.apex.as_ref(), &chain.id, &link, out)?;
            let kept = chain.end - from;
            let copied = io::copy(&mut Span { file: &*chain.file, at: from, end: chain.end }, out)?;
            if copied == kept { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        });
        match replaced {
            Ok(file) => {
                let head = frame::head_len(chain.apex.as_ref());
                chain.file = Arc::new(file);
                let moved = |entry: &Entry| Entry { at: entry.at - from + head, ..*entry };
                chain.entries = Arc::new(chain.entries[first..].iter().map(moved).collect());
                chain.end = chain.end - from + head;
                Ok(())
            }
            Err(error) => {
                // The other file may have the name already: whichever is there is the log.
                self.is_torn = true;
                let _ = self.mend();
                Err(error)
            }
        }
    }

    /// Opens the file anew and takes away what is behind the last entry.
    fn mend(&mut self) -> Result<(), Fault> {
        let last = self.chain.link;
        let torn = |error| Fault::Torn { error, last: last.serial };
        let (chain, _) = load(&self.store, self.chain.apex.as_ref(), last.number).map_err(|fault| match fault {
            Fault::Io(error) => torn(error),
            fault => fault,
        })?;
        if chain.link != last || chain.id != self.chain.id {
            return Err(Fault::Damaged { at: chain.end, last: chain.link.serial });
        }
        self.chain = chain;
        self.is_torn = false;
        Ok(())
    }

    /// Where entry `n` of the index begins, or the end.
    fn at(&self, n: usize) -> u64 {
        self.chain.entries.get(n).map_or(self.chain.end, |entry| entry.at)
    }

    fn absent(&self, serial: Serial) -> DiffsError {
        self.error(Fault::Absent { serial, first: self.first_serial(), last: self.last_serial() })
    }

    fn error(&self, fault: Fault) -> DiffsError {
        DiffsError { path: self.store.path().to_owned(), fault }
    }
}

impl<S: Store> fmt::Debug for Diffs<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, first, last) = (self.store.path(), self.first_serial(), self.last_serial());
        write!(f, "Diffs({}, {first} to {last}, {} entries)", path.display(), self.len())
    }
}

/// Opens and reads a log, and cuts off what is behind its last entry, or behind the one before number `until`.
fn load<S: Store>(store: &S, apex: NameRef<'_>, until: u64) -> Result<(Chain<S::File>, u64), Fault> {
    let chain = scan::scan(Arc::new(store.open()?), apex, until)?;
    let cut = chain.file.size()?.saturating_sub(chain.end);
    if cut > 0 {
        chain.file.set_len(chain.end)?;
    }
    // A process that ended between writing and syncing left an entry that a power cut takes away.
    chain.file.sync()?;
    Ok((chain, cut))
}

/// Writes behind what is there.
struct Behind<'a, F> {
    file: &'a F,
    at: u64,
}

impl<F: Octets> Write for Behind<'_, F> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let n = self.file.write_at(octets, self.at)?;
        self.at += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a log cannot be used, or not for this.
#[derive(Debug)]
pub struct DiffsError {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a log, or with what is asked of it.
#[derive(Debug)]
pub enum Fault {
    /// The file system says no.
    Io(io::Error),
    /// It is no log, or of a version not known here.
    Version,
    /// Its head is damaged.
    Head,
    /// It is of another zone.
    Apex(Name),
    /// An entry is damaged.
    Damaged {
        /// The octet at which it begins.
        at: u64,
        /// The version before it.
        last: Serial,
    },
    /// A change does not have one SOA of the zone on each side.
    Soa,
    /// A change does not start from the newest version.
    Gap {
        /// The version it starts from.
        from: Serial,
        /// The newest version.
        last: Serial,
    },
    /// A change leads to a version that is not newer.
    Backwards {
        /// The version it starts from.
        from: Serial,
        /// The version it leads to.
        to: Serial,
    },
    /// A change could not be written.
    Unwritten {
        /// Why.
        error: io::Error,
        /// The newest version that is in the log.
        last: Serial,
        /// What was written of it could not be taken away yet.
        is_torn: bool,
    },
    /// What a failed write left could not be taken away, and so nothing can be appended.
    Torn {
        /// Why.
        error: io::Error,
        /// The newest version that is in the log.
        last: Serial,
    },
    /// The oldest entries could not go.
    Untrimmed {
        /// Why.
        error: io::Error,
        /// Which file has the log's name could not be told.
        is_torn: bool,
    },
    /// A version is not in the log.
    Absent {
        /// The version.
        serial: Serial,
        /// The oldest version in the log.
        first: Serial,
        /// The newest one.
        last: Serial,
    },
}

/// What an operator does with a log that cannot be used.
const WAY_OUT: &str = "move the file away: the zone begins a new one, and secondaries transfer the zone whole once";

impl fmt::Display for DiffsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' ", self.path.display())?;
        let torn = |is_torn: &bool| {
            if *is_torn { ", nor be brought back to its last whole entry, which is tried again with the next change" } else { "" }
        };
        match &self.fault {
            Fault::Io(error) => write!(f, "cannot be used: {error}"),
            Fault::Version => write!(f, "is no log of changes, or has a format that is not known here; {WAY_OUT}"),
            Fault::Head => write!(f, "is damaged in its head; {WAY_OUT}"),
            Fault::Apex(name) => write!(f, "is the log of zone '{name}'; {WAY_OUT}"),
            Fault::Damaged { at, last } => {
                write!(f, "is damaged from octet {at} on, behind serial {last}, and no crash explains it; {WAY_OUT}")
            }
            Fault::Soa => f.write_str("cannot take a change without one SOA of the zone on each side"),
            Fault::Gap { from, last } => write!(f, "ends at serial {last} and cannot take a change from serial {from}"),
            Fault::Backwards { from, to } => write!(f, "cannot take a change from serial {from} to {to}, which is not newer"),
            Fault::Unwritten { error, last, is_torn } => {
                write!(
                    f,
                    "could not be written, the zone stays at serial {last}: {error}{}; see to the disk and publish again",
                    torn(is_torn)
                )
            }
            Fault::Torn { error, last } => {
                write!(
                    f,
                    "could not be brought back to its last whole entry, the zone stays at serial {last}: {error}; see to the disk and publish again"
                )
            }
            Fault::Untrimmed { error, is_torn } => {
                write!(f, "could not be made shorter and grows: {error}{}; make room on the disk", torn(is_torn))
            }
            Fault::Absent { serial, first, last } => {
                write!(f, "goes from serial {first} to {last} and does not know the snapshot's {serial}; {WAY_OUT}")
            }
        }
    }
}

impl std::error::Error for DiffsError {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<InputError> for Fault {
    /// Of the head: what is wrong elsewhere is told by its place.
    fn from(error: InputError) -> Self {
        match error {
            InputError::Io(error) => Self::Io(error),
            InputError::Short | InputError::Malformed => Self::Head,
        }
    }
}
