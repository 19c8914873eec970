//! The images of zones: `images/NAME.image` in the state folder. A start that finds a good one of what is to be served neither reads text
//! nor builds anything.
//!
//! An image can always be made again from what the zone was made from, so nothing depends on one: it may be missing, old, damaged or
//! removed at any time.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stem;
use crate::disk::{self, Stamp};
use crate::dns::NameRef;
use crate::zone::{Image, ImageError, Zone};

/// What an image is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The program's version: another one may make another zone of the same source.
    pub program: String,
    /// Checksum of the snapshot with the same records, hexadecimal; `None` = the zone is served as its files have it.
    pub snapshot: Option<String>,
    /// The master files that were read for it; none where the content comes from elsewhere.
    pub files: Vec<Stamp>,
    /// Digest of the content, hexadecimal.
    pub content: String,
    /// DS records for the parent, hexadecimal.
    pub ds: Vec<String>,
    /// What an operator should know of the content.
    pub notes: Vec<String>,
    /// A ZONEMD of the files was found right.
    #[serde(default)]
    pub proven: bool,
}

impl Account {
    /// The version of this program.
    pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");
}

/// The folder of images.
#[derive(Clone, Debug)]
pub struct Images {
    folder: PathBuf,
}

impl Images {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Reads the image of the zone `apex`, if there is one and `is_wanted` says so of its account; others cost a small read.
    ///
    /// # Errors
    /// When there is an image and it is damaged.
    pub fn read(&self, apex: NameRef<'_>, is_wanted: impl FnOnce(&Account) -> bool) -> Result<Option<(Zone, Account)>, ImageError> {
        let file = match disk::open(&self.path(apex)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ImageError::Io(error)),
        };
        let len = file.metadata()?.len();
        let read_at = |octets: &mut [u8], at: u64| file.read_exact_at(octets, at);
        let image = match Image::open(apex, len, &read_at) {
            // Of another version of the program: that is no damage.
            Err(ImageError::Version) => return Ok(None),
            other => other?,
        };
        match serde_json::from_slice::<Account>(image.account()) {
            Ok(account) if account.program == Account::PROGRAM && is_wanted(&account) => Ok(Some((image.zone()?, account))),
            _ => Ok(None),
        }
    }

    /// Writes the image of a zone, at a pace that leaves the processor to others.
    ///
    /// # Errors
    /// Of the file system; an old image stays then, and is not wanted any more.
    pub fn write(&self, zone: &Zone, account: &Account) -> io::Result<()> {
        disk::make_folder(&self.folder)?;
        let account = serde_json::to_vec(account).map_err(io::Error::other)?;
        disk::replace(&self.path(zone.apex()), 0o600, |out| zone.write_image(&account, &mut Gentle(out)))
    }

    /// Removes every image but those of the zones with these [stems](stem).
    pub fn keep(&self, stems: &BTreeSet<String>) {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for file in files.filter_map(|entry| entry.file_name().into_string().ok()) {
            // `.image.new` is what a crash left behind; what has another name is not ours.
            let is_image = file.ends_with(".image") || file.ends_with(".image.new");
            if is_image && !file.strip_suffix(".image").is_some_and(|stem| stems.contains(stem)) {
                // Left behind, it costs room on the disk and nothing else.
                let _ = std::fs::remove_file(self.folder.join(file));
            }
        }
    }

    fn path(&self, apex: NameRef<'_>) -> PathBuf {
        self.folder.join(format!("{}.image", stem(apex)))
    }
}

/// Rests after each chunk, several times as long as it took: nobody waits for an image, and every core may have a worker that answers.
struct Gentle<'a>(&'a mut dyn io::Write);

impl io::Write for Gentle<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(1));
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
