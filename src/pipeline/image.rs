//! Images of zones: which of them a start may serve, and which are to be written.
//!
//! An image stands for a snapshot with its checksum, or for master files that are to the nanosecond what was read. Whatever does not fit
//! is no image of the zone: the source is read then.

use std::io;
use std::sync::{Arc, Weak};

use data_encoding::HEXLOWER;

use super::make::Placeless;
use super::{FilePlan, Live};
use crate::disk::Stamp;
use crate::dns::master::MAX_FILE;
use crate::dns::{Name, UnixTime};
use crate::journal::{Account, Images, Journal, SavedZone};
use crate::zone::Zone;

/// What an image gave, and what is wrong with it if it is damaged.
type Found = (Option<Live>, Option<String>);

/// The image of a saved zone, if there is one of its snapshot.
pub fn of_snapshot(apex: &Name, saved: &SavedZone, journal: &Journal) -> Found {
    let (live, damage) = read(apex, journal, |account| account.snapshot.as_ref() == Some(&saved.checksum));
    let live = live.filter(|live| live.zone.serial().0 == saved.serial).map(|live| Live {
        content: saved.content.clone(),
        signing: saved.signing.clone(),
        refresh_at: saved.refresh_at.map(UnixTime),
        proven: saved.proven,
        placeless: Placeless::of(Some(saved)),
        saved: Some(saved.clone()),
        ..live
    });
    (live, damage.map(|what| format!("{what}; its snapshot is read instead")))
}

/// The image of a zone that is served as its file has it, if the file and all that it includes are as they were.
pub fn of_files(plan: &FilePlan, journal: &Journal) -> Found {
    let (live, damage) = read(&plan.apex, journal, |account| account.snapshot.is_none() && still_fit(&account.files, plan));
    (live, damage.map(|what| format!("{what}; its file is read instead")))
}

/// True if these are the files of the zone, and as they were.
pub fn still_fit(files: &[Stamp], plan: &FilePlan) -> bool {
    files.first().is_some_and(|first| first.path == plan.file) && files.iter().all(Stamp::still_fits)
}

fn read(apex: &Name, journal: &Journal, is_wanted: impl FnOnce(&Account) -> bool) -> Found {
    match journal.images().read(apex.as_ref(), is_wanted) {
        Ok(found) => (found.and_then(|(zone, account)| live(zone, account)), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

fn live(zone: Zone, account: Account) -> Option<Live> {
    let ds = account.ds.iter().map(|ds| HEXLOWER.decode(ds.as_bytes()).ok()).collect::<Option<Vec<_>>>()?;
    let Account { files, content, notes, proven, .. } = account;
    Some(Live {
        zone: Arc::new(zone),
        content,
        signing: String::new(),
        refresh_at: None,
        ds,
        saved: None,
        files,
        notes,
        proven,
        placeless: Placeless::of(None),
        imaged: true,
        upkeep: None,
    })
}

/// A zone whose image is to be written. Holds the zone only while it is served.
pub struct ImageJob {
    apex: Name,
    zone: Held,
    account: Account,
}

/// How a zone is held.
enum Held {
    /// While it is served.
    Served(Weak<Zone>),
    /// What is served stands on it.
    Base(Arc<Zone>),
}

/// What came of an [`ImageJob`].
pub enum Written {
    /// The image is there.
    Done,
    /// The zone is no longer served, or its files are no longer what it was made from.
    Obsolete,
    /// A file was changed so shortly before it was read that it cannot be told yet whether it has changed since.
    TooSoon(ImageJob),
    /// The image could not be written.
    Failed(Name, io::Error),
}

impl ImageJob {
    /// The job of a zone that has no image yet, if it can have one.
    pub(super) fn of(live: &mut Live) -> Option<Self> {
        let is_snapshot = |saved: &SavedZone| saved.serial == live.zone.serial().0;
        let can_be_told = live.saved.as_ref().map_or(!live.files.is_empty(), is_snapshot);
        if live.imaged || live.zone.is_overlaid() || !can_be_told {
            return None;
        }
        live.imaged = true;
        Some(Self { apex: live.zone.apex().to_owned(), zone: Held::Served(Arc::downgrade(&live.zone)), account: account(live) })
    }

    /// The job of the zone that was saved last, on which what is served stands.
    pub(super) fn of_snapshot(live: &Live, zone: Arc<Zone>) -> Self {
        Self { apex: zone.apex().to_owned(), zone: Held::Base(zone), account: account(live) }
    }

    /// The zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Writes the image. Takes as long as the disk does; nobody should wait for it.
    pub fn write(mut self, images: &Images) -> Written {
        let mut files = Vec::with_capacity(self.account.files.len());
        for file in &self.account.files {
            match file.proved(MAX_FILE) {
                Some(file) => files.push(file),
                None if file.still_fits() => return Written::TooSoon(self),
                // A snapshot has the records, whatever became of the file.
                None if self.account.snapshot.is_some() => {
                    files.clear();
                    break;
                }
                None => return Written::Obsolete,
            }
        }
        self.account.files = files;
        let zone = match self.zone {
            Held::Served(zone) => zone.upgrade(),
            Held::Base(zone) => Some(zone),
        };
        let Some(zone) = zone else { return Written::Obsolete };
        match images.write(&zone, &self.account) {
            Ok(()) => Written::Done,
            Err(error) => Written::Failed(self.apex, error),
        }
    }
}

fn account(live: &Live) -> Account {
    Account {
        program: Account::PROGRAM.into(),
        snapshot: live.saved.as_ref().map(|saved| saved.checksum.clone()),
        files: live.files.clone(),
        content: live.content.clone(),
        ds: live.ds.iter().map(|ds| HEXLOWER.encode(ds)).collect(),
        notes: live.notes.clone(),
        proven: live.proven,
    }
}
