//! Entries of a log, read one at a time.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::records::{Ahead, Input, InputError};
use super::frame::{self, Front, Id, Link, Sum};
use super::scan::Span;
use super::{DiffsError, Fault};
use crate::disk::Octets;
use crate::dns::{Name, Records, Serial, UnixTime};
use crate::zone::Diff;

/// One published change of a zone.
#[derive(Clone, Debug)]
pub struct Step {
    /// The version it starts from.
    pub from: Serial,
    /// The version it leads to.
    pub to: Serial,
    /// When it was published.
    pub published: UnixTime,
    /// What goes and what comes, SOA records included.
    pub diff: Diff,
}

/// The changes from one version to the newest that there was when this was made; read from disk as they are asked for.
///
/// Memory: 64 KiB and one change. Nothing that happens to the log later changes what is read here.
pub struct Steps<F: Octets> {
    pub(super) input: Input<Span<Arc<F>>>,
    pub(super) apex: Name,
    pub(super) id: Id,
    pub(super) path: PathBuf,
    pub(super) at: u64,
    pub(super) link: Link,
    pub(super) last: Link,
}

impl<F: Octets> Steps<F> {
    /// The version to which they lead.
    pub fn last_serial(&self) -> Serial {
        self.last.serial
    }

    /// The same, record by record.
    pub fn records(self) -> StepRecords<F> {
        StepRecords { steps: self, entry: None }
    }

    fn read(&mut self) -> Result<Step, Fault> {
        let place = self.place();
        let (front, sum, diff) = frame::read(&mut self.input, &self.id).map_err(|error| place.fault(error))?;
        let (from, to) = (front.continues.serial, front.to);
        if diff.serials(self.apex.as_ref()) != Some((from, to)) {
            return Err(place.damaged());
        }
        self.pass(&front, sum)?;
        Ok(Step { from, to, published: front.published, diff })
    }

    /// Goes on behind an entry.
    fn pass(&mut self, front: &Front, sum: Sum) -> Result<(), Fault> {
        self.link = self.link.after(front, sum).ok_or_else(|| self.place().damaged())?;
        self.at += front.len;
        Ok(())
    }

    /// The entry that is read.
    fn place(&self) -> At {
        At { at: self.at, last: self.link.serial }
    }

    /// Nothing comes after a fault.
    fn end(&mut self, fault: Fault) -> DiffsError {
        self.link = self.last;
        DiffsError { path: self.path.clone(), fault }
    }
}

impl<F: Octets> Iterator for Steps<F> {
    type Item = Result<Step, DiffsError>;

    /// # Errors
    /// When the file cannot be read or is damaged; nothing comes after that.
    fn next(&mut self) -> Option<Self::Item> {
        if self.link == self.last {
            return None;
        }
        Some(self.read().map_err(|fault| self.end(fault)))
    }
}

/// The changes of [`Steps`] record by record, in the order of an IXFR (RFC 1995 §4): of each change the old SOA, what goes, the new SOA,
/// what comes.
///
/// Memory: 64 KiB and what is asked for at once, however large a change is. So an entry's checksum is known only when its last record has
/// been given; whoever has given it on already takes the fault for the end of everything.
pub struct StepRecords<F: Octets> {
    steps: Steps<F>,
    /// The entry that is read, the records ahead of its side, and whether it is the side of those that come.
    entry: Option<(Front, Ahead, bool)>,
}

impl<F: Octets> StepRecords<F> {
    /// Puts at most `most` records in the place of those in `records`; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged; nothing comes after that.
    pub fn next(&mut self, most: usize, records: &mut Records) -> Result<(), DiffsError> {
        records.clear();
        while records.is_empty() && self.steps.link != self.steps.last {
            if let Err(fault) = self.read(most, records) {
                records.clear();
                return Err(self.steps.end(fault));
            }
        }
        Ok(())
    }

    fn read(&mut self, most: usize, records: &mut Records) -> Result<(), Fault> {
        let Self { steps, entry } = self;
        let place = steps.place();
        let (front, mut ahead, mut is_coming) = match entry.take() {
            Some(entry) => entry,
            None => {
                let front = Front::read(&mut steps.input, &steps.id).map_err(|error| place.fault(error))?;
                (front, steps.input.ahead().map_err(|error| place.fault(error))?, false)
            }
        };
        steps.input.some_records(&mut ahead, most, records).map_err(|error| place.fault(error))?;
        if ahead.left == 0 {
            if is_coming {
                let sum = steps.input.sealed().map_err(|error| place.fault(error))?.ok_or(place.damaged())?;
                return steps.pass(&front, sum);
            }
            ahead = steps.input.ahead().map_err(|error| place.fault(error))?;
            is_coming = true;
        }
        *entry = Some((front, ahead, is_coming));
        Ok(())
    }
}

/// An entry, for what is wrong with it.
#[derive(Clone, Copy)]
struct At {
    at: u64,
    last: Serial,
}

impl At {
    fn damaged(self) -> Fault {
        Fault::Damaged { at: self.at, last: self.last }
    }

    fn fault(self, error: InputError) -> Fault {
        match error {
            InputError::Io(error) => Fault::Io(error),
            InputError::Short | InputError::Malformed => self.damaged(),
        }
    }
}
