//! A log as it was at one moment, for readers.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::records::Input;
use super::scan::{Chain, Entry, Span};
use super::steps::Steps;
use crate::disk::Octets;
use crate::dns::Serial;

/// The changes of one zone as they were at one moment. Neither appending nor trimming changes what is read here.
pub struct Log<F: Octets = File> {
    pub(super) path: PathBuf,
    pub(super) chain: Chain<F>,
}

impl<F: Octets> Clone for Log<F> {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), chain: self.chain.clone() }
    }
}

impl<F: Octets> Log<F> {
    /// The version to which the newest entry leads.
    pub fn last_serial(&self) -> Serial {
        self.chain.link.serial
    }

    /// Octets of the entries from version `from` to the newest; `None` when it is not in the log. Cost as [`Self::range`].
    pub fn octets_from(&self, from: Serial) -> Option<u64> {
        Some(self.chain.end - self.chain.find(from)?.1.at)
    }

    /// Entries from version `from` to the newest; `None` when it is not in the log.
    pub fn len_from(&self, from: Serial) -> Option<usize> {
        Some(self.chain.entries.len() - self.chain.find(from)?.0)
    }

    /// The changes from version `from` to the newest, none for the newest itself; `None` when the log does not know `from`.
    ///
    /// Cost: a search from the newest entry backwards, in memory.
    pub fn range(&self, from: Serial) -> Option<Steps<F>> {
        self.chain.find(from).map(|(_, entry)| self.steps(entry))
    }

    /// As [`Self::range`], from the oldest of several versions of this serial.
    pub fn range_of_oldest(&self, from: Serial) -> Option<Steps<F>> {
        self.chain.find_oldest(from).map(|(_, entry)| self.steps(entry))
    }

    fn steps(&self, Entry { at, link }: Entry) -> Steps<F> {
        let chain = &self.chain;
        let input = Input::new(Span { file: Arc::clone(&chain.file), at, end: chain.end });
        Steps { input, apex: chain.apex.clone(), id: chain.id, path: self.path.clone(), at, link, last: chain.link }
    }
}
