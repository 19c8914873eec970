//! Files that are whole or not there: written beside their place, synced, renamed; and the lock of a folder.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Puts a file at `path` in one step: after a crash there is the old one or the new one, never a part.
///
/// `write` fills it; `mode` is the file's mode from its first moment. The folder is synced as well, so the new name is as durable as
/// the bytes.
///
/// # Errors
/// Of the file system or of `write`; the old file stays then.
pub fn replace(path: &Path, mode: u32, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    replace_open(path, mode, write).map(drop)
}

/// As [`replace`]; the new file is given back, open for reading and writing.
///
/// # Errors
/// As [`replace`]; when only the folder could not be synced, the new file is there.
pub fn replace_open(path: &Path, mode: u32, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    put(path, mode, write, |file, new| {
        file.sync_all()?;
        std::fs::rename(new, path)?;
        sync_folder_of(path)
    })
}

/// Writes a file under a name beside `path`, and gives it its name by `finish`, which is handed the file and that other name.
fn put(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    finish: impl FnOnce(&File, &Path) -> io::Result<()>,
) -> io::Result<File> {
    let folder = folder_of(path);
    let mut name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?.to_owned();
    name.push(".new");
    let new = folder.join(name);
    // What a crash left behind may have another mode.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&new)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        finish(&file, &new)?;
        Ok(file)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Files of one folder that are written first and made durable together: what a disk does once for all of them it does once.
#[derive(Debug)]
pub struct Batch {
    folder: PathBuf,
    /// Open since before anything was written, so that it is told of whatever cannot be.
    opened: File,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    files: Vec<File>,
    /// More than are held open.
    is_many: bool,
}

/// Files that are held open and synced one by one; of more than that, the whole file system is. Our choice: at so many, that is the faster way.
const FEW: usize = 16;

impl Batch {
    /// Of a folder that is there.
    ///
    /// # Errors
    /// Of the file system.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: folder.to_owned(), opened: File::open(folder)?, written: Mutex::default() })
    }

    /// Puts a file there, as [`replace`]; where the name is new, it is durable only after [`Self::sync`].
    ///
    /// # Errors
    /// As [`replace`].
    pub fn put(&self, name: &str, mode: u32, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let path = self.folder.join(name);
        // Whoever relies on the file that has the name is to find that one or this one.
        if std::fs::symlink_metadata(&path).is_ok() {
            return replace(&path, mode, write);
        }
        let file = put(&path, mode, write, |_, new| std::fs::rename(new, &path))?;
        let mut written = self.written();
        if written.files.len() < FEW && !written.is_many {
            written.files.push(file);
        } else {
            *written = Written { files: Vec::new(), is_many: true };
        }
        Ok(())
    }

    /// Makes all that was put durable.
    ///
    /// # Errors
    /// Of the file system: nothing that was put since the last time may be relied upon then.
    pub fn sync(&self) -> io::Result<()> {
        // Whoever comes meanwhile waits: what it has put may be among what is synced here.
        let mut written = self.written();
        let Written { files, is_many } = std::mem::take(&mut *written);
        let synced = if is_many {
            rustix::fs::syncfs(&self.opened).map_err(io::Error::from)
        } else if files.is_empty() {
            Ok(())
        } else {
            files.iter().try_for_each(File::sync_all).and_then(|()| self.opened.sync_all())
        };
        written.is_many = synced.is_err();
        synced
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the names in the folder of `path` as durable as what they stand for.
///
/// # Errors
/// Of the file system.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder with those above it, closed to others; one that is there is left as it is.
///
/// # Errors
/// Of the file system.
pub fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path)
}

/// Holds a folder for this process alone, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder cannot be held.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
    Held(PathBuf),
    /// The file system says no.
    Io(PathBuf, io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(folder) => {
                write!(f, "'{}' is in use by another saolad, stop it or give this one its own server.state", folder.display())
            }
            Self::Io(path, error) => write!(f, "'{}' cannot be locked: {error}", path.display()),
        }
    }
}

impl std::error::Error for LockError {}

impl FolderLock {
    /// Takes the lock of `folder`, which must be there.
    ///
    /// # Errors
    /// [`LockError::Held`] without waiting when somebody has it, and [`LockError::Io`] when the place is taken by what is no file.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NONBLOCK).open(&path);
        let file = file.map_err(|error| LockError::Io(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(LockError::Io(path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x");
        replace(&path, 0o600, |out| out.write_all(b"one")).expect("written");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        let failed = replace(&path, 0o600, |out| {
            out.write_all(b"tw")?;
            Err(io::Error::other("disk on fire"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).expect("there"), b"one");
        std::fs::write(dir.path().join("x.new"), b"left by a crash").expect("written");
        replace(&path, 0o600, |out| out.write_all(b"two")).expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    /// That they outlive a power cut no test can see; that all of them are there, and are whole, it can.
    #[test]
    fn a_batch_is_there_whole() {
        let dir = tempfile::tempdir().expect("dir");
        let batch = Batch::new(dir.path()).expect("open");
        for n in [1, FEW, FEW + 1, 10 * FEW] {
            for i in 0..n {
                batch.put(&format!("{n}.{i}"), 0o600, |out| out.write_all(b"one")).expect("written");
            }
            assert!(batch.put("failed", 0o600, |_| Err(io::Error::other("disk on fire"))).is_err());
            batch.sync().expect("synced");
            assert!(batch.written().files.is_empty() && !batch.written().is_many);
        }
        batch.put("1.0", 0o600, |out| out.write_all(b"two")).expect("written");
        assert!(batch.written().files.is_empty(), "what has a name is durable at once");
        assert_eq!(std::fs::read(dir.path().join("1.0")).expect("there"), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1 + FEW + FEW + 1 + 10 * FEW);
    }

    #[test]
    fn a_folder_is_held_once() {
        let dir = tempfile::tempdir().expect("dir");
        let held = FolderLock::take(dir.path()).expect("free");
        assert!(matches!(FolderLock::take(dir.path()), Err(LockError::Held(_))));
        drop(held);
        FolderLock::take(dir.path()).expect("free again");
    }
}
