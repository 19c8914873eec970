//! Where a log lies: what it asks of a disk, and the disk itself.
//!
//! The log is written against these traits, so that tests can put a disk below it that loses power at any moment.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::durable;

/// A place that holds one file, or none.
pub trait Store {
    /// The file.
    type File: Octets;

    /// Its path, for messages.
    fn path(&self) -> &Path;

    /// Opens what is there; that it is what is there is durable when this returns.
    ///
    /// # Errors
    /// Of the file system; `NotFound` where there is none.
    fn open(&self) -> io::Result<Self::File>;

    /// Puts another file there in one step, filled by `write`: after a crash there is the old one or the new one. It is durable when
    /// this returns.
    ///
    /// # Errors
    /// Of the file system or of `write`; which file is there can be told by opening it then.
    fn replace(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Self::File>;

    /// True if an open file is still the one that is there: nobody has taken it away, or put another in its place.
    fn has(&self, _file: &Self::File) -> bool {
        true
    }
}

/// An open file that is read and written by place.
pub trait Octets {
    /// How long it is.
    ///
    /// # Errors
    /// Of the file system.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to `out.len()` octets from `at` on; 0 at the end.
    ///
    /// # Errors
    /// Of the file system.
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes some of `octets` at `at`; the file grows where needed.
    ///
    /// # Errors
    /// Of the file system; some octets may have been written all the same.
    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<usize>;

    /// Makes it this long.
    ///
    /// # Errors
    /// Of the file system.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Waits until octets and length outlive a power cut.
    ///
    /// # Errors
    /// Of the file system; what was written since the last time may or may not be there after a crash.
    fn sync(&self) -> io::Result<()>;
}

/// A place on disk.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// The place at `path`, whose folder is there.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes away what is there, if anything is; durable when this returns.
    ///
    /// # Errors
    /// Of the file system.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => durable::sync_folder_of(&self.path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Store for Place {
    type File = File;

    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> io::Result<File> {
        // Opening a pipe would wait for its other end.
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        // A process that ended between renaming and syncing the folder left a name that a power cut takes away.
        durable::sync_folder_of(&self.path)?;
        Ok(file)
    }

    fn replace(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
        durable::replace_open(&self.path, 0o640, write)
    }

    fn has(&self, file: &File) -> bool {
        let is_same = |there: Metadata, open: Metadata| (there.dev(), there.ino()) == (open.dev(), open.ino());
        std::fs::metadata(&self.path).and_then(|there| Ok(is_same(there, file.metadata()?))).unwrap_or(false)
    }
}

impl Octets for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, out, at)
    }

    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, octets, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
