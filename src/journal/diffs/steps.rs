//! Entries of a log, read one at a time.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::records::{Input, InputError};
use super::frame::{self, Id, Link};
use super::place::Octets;
use super::scan::Span;
use super::{DiffsError, Fault};
use crate::dns::{Name, Serial, UnixTime};
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

    fn read(&mut self) -> Result<Step, Fault> {
        let damaged = Fault::Damaged { at: self.at, last: self.link.serial };
        let (front, sum, diff) = match frame::read(&mut self.input, &self.id) {
            Ok(entry) => entry,
            Err(InputError::Io(error)) => return Err(Fault::Io(error)),
            Err(InputError::Short | InputError::Malformed) => return Err(damaged),
        };
        let (from, to) = (front.continues.serial, front.to);
        match self.link.after(&front, sum) {
            Some(next) if diff.serials(self.apex.as_ref()) == Some((from, to)) => self.link = next,
            _ => return Err(damaged),
        }
        self.at += front.len;
        Ok(Step { from, to, published: front.published, diff })
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
        Some(self.read().map_err(|fault| {
            self.link = self.last;
            DiffsError { path: self.path.clone(), fault }
        }))
    }
}
