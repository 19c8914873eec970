//! Reads files that somebody else wrote: regular ones only, and no more of them than expected. Knows no format.
//!
//! A pipe without a writer never opens, a device never ends, and a folder is no text. Neither may hold up or fill a process.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// True if two paths lead to one file.
pub fn is_one_file(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    place(a).is_some_and(|of_a| place(b) == Some(of_a))
}

/// Reads a regular file of at most `most` octets.
///
/// # Errors
/// When it is something else, longer, or cannot be read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    to_end(open(path)?, most)
}

/// Reads a regular file of at most `most` octets of UTF-8.
///
/// # Errors
/// As [`read`], and `InvalidData` when it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// Reads a regular file of at most `most` octets, and its mode: both of what was opened, whatever has the name by then.
///
/// # Errors
/// As [`read`].
fn read_with_mode(path: &Path, most: u64) -> io::Result<(Vec<u8>, u32)> {
    let file = open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((to_end(file, most)?, mode))
}

/// A file as it was when it was read: enough to tell later, without reading it, that it still is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The path.
    pub path: PathBuf,
    /// Octets.
    len: u64,
    inode: u64,
    /// Seconds and nanoseconds of the last change of content, and of content or inode.
    mtime: (i64, i64),
    ctime: (i64, i64),
    /// SHA-256, where the file had been changed shortly before: a change soon after may leave times and length as they were.
    fresh: Option<[u8; 32]>,
}

/// Files and folders as they were at one moment, without their content: enough to tell later that nothing in them has changed.
#[derive(Clone, Debug)]
pub struct Unchanged(Vec<Stamp>);

impl Unchanged {
    /// Of these paths. `None` where one is not there, or was changed after `begin` or so shortly before that another change may not show: what was read
    /// from `begin` on is then no proof.
    pub fn since(begin: SystemTime, paths: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        let begin = begin.duration_since(UNIX_EPOCH).ok()?.as_secs() as i64;
        let stamp = |path: PathBuf| {
            let stamp = Stamp::new(&path, &std::fs::metadata(&path).ok()?);
            (begin - stamp.ctime.0.max(stamp.mtime.0) > STEP_SECS).then_some(stamp)
        };
        paths.into_iter().map(stamp).collect::<Option<_>>().map(Self)
    }

    /// True if they still are as they were. Cost: a system call each.
    pub fn holds(&self) -> bool {
        self.0.iter().all(|stamp| std::fs::metadata(&stamp.path).is_ok_and(|found| Stamp::new(&stamp.path, &found) == *stamp))
    }
}

/// How long after a change a file system may give another change the same time: FAT counts in steps of two seconds, others in far
/// smaller ones.
const STEP_SECS: i64 = 2;

impl Stamp {
    fn new(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            len: metadata.len(),
            inode: metadata.ino(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            fresh: None,
        }
    }

    /// True if every change from now on will show in the times.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        now - self.ctime.0.max(self.mtime.0) > STEP_SECS
    }

    /// True if what has the path now is the file as it was read. Cost: one system call, no read.
    pub fn still_fits(&self) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|found| found.is_file() && Self::new(&self.path, &found) == Self { fresh: None, ..self.clone() })
    }

    /// The stamp on which [`Self::still_fits`] can be relied upon from now on: the same one, or for a file that was read too soon after
    /// a change, what a second reading proves. `None` when it is still too soon, or the file is not what it was.
    pub fn proved(&self, most: u64) -> Option<Self> {
        let Some(expected) = self.fresh else { return Some(self.clone()) };
        if !self.is_settled() || !self.still_fits() {
            return None;
        }
        // A piece at a time: a zone's text may be larger than the zone.
        let mut digest = Sha256::new();
        io::copy(&mut open(&self.path).ok()?.take(most), &mut digest).ok()?;
        (digest.finalize()[..] == expected && self.still_fits()).then(|| Self { fresh: None, ..self.clone() })
    }
}

/// Reads a regular file of at most `most` octets, its mode, and what it can be known again by.
///
/// # Errors
/// As [`read`].
pub fn read_stamped(path: &Path, most: u64) -> io::Result<(Vec<u8>, u32, Stamp)> {
    let mut input = Stamped::open(path, most)?;
    // One more, so that the end is seen without growing. The file may still grow while it is read.
    let mut octets = Vec::with_capacity(input.stamp.len as usize + 1);
    input.read_to_end(&mut octets)?;
    let (mode, stamp) = (input.mode, input.finish()?);
    Ok((octets, mode, stamp))
}

/// A regular file that is read once, from its begin to its end, and what it can be known again by.
pub struct Stamped {
    file: File,
    mode: u32,
    stamp: Stamp,
    most: u64,
    n_read: u64,
    /// Of what was read, where the file had been changed shortly before.
    fresh: Option<Sha256>,
}

impl Stamped {
    /// Opens a regular file of at most `most` octets.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(path: &Path, most: u64) -> io::Result<Self> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        // From before the read: a change during it shows.
        let stamp = Stamp::new(path, &metadata);
        if stamp.len > most {
            return Err(too_large(most));
        }
        let fresh = (!stamp.is_settled()).then(Sha256::new);
        Ok(Self { file, mode: metadata.permissions().mode() & 0o7777, stamp, most, n_read: 0, fresh })
    }

    /// What the file can be known again by, when it was read to its end.
    ///
    /// # Errors
    /// When somebody wrote to it meanwhile: what was read may be neither the old file nor the new.
    pub fn finish(self) -> io::Result<Stamp> {
        let now = self.file.metadata()?;
        // Not the time of a change of the inode: who moved another file into its place left this one as it was.
        if now.len() != self.n_read || (now.mtime(), now.mtime_nsec()) != self.stamp.mtime {
            return Err(io::Error::other("it changed while it was read: write a new file beside it and move that into its place"));
        }
        Ok(Stamp { fresh: self.fresh.map(|hasher| hasher.finalize().into()), ..self.stamp })
    }
}

impl Read for Stamped {
    /// Fails with `FileTooLarge` when there is more than expected.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(out)?;
        self.n_read += n as u64;
        if self.n_read > self.most {
            return Err(too_large(self.most));
        }
        if let Some(hasher) = &mut self.fresh {
            hasher.update(&out[..n]);
        }
        Ok(n)
    }
}

/// Reads a secret of at most `most` octets of UTF-8, and its mode, which the caller judges before the secret is used.
///
/// # Errors
/// As [`read_text`].
pub fn read_secret(path: &Path, most: u64) -> io::Result<(String, u32)> {
    let (octets, mode) = read_with_mode(path, most)?;
    Ok((text(octets)?, mode))
}

/// Opens a regular file to read; it never waits.
///
/// # Errors
/// When it is something else, or cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe would wait for its writer. What was opened is judged, not what had the name a moment before.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

/// Reads `input` to its end, which comes within `most` octets.
///
/// # Errors
/// `FileTooLarge` when it does not, and those of `input`.
pub fn read_stream(input: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut octets)?;
    bounded(octets, most)
}

fn to_end(file: File, most: u64) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    if len > most {
        return Err(too_large(most));
    }
    // One more, so that the end is seen without growing. The file may still grow while it is read.
    let mut octets = Vec::with_capacity(len as usize + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut octets)?;
    bounded(octets, most)
}

fn bounded(octets: Vec<u8>, most: u64) -> io::Result<Vec<u8>> {
    if octets.len() as u64 > most { Err(too_large(most)) } else { Ok(octets) }
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} octets"))
}

fn text(octets: Vec<u8>) -> io::Result<String> {
    String::from_utf8(octets).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(path: &Path, what: &str) {
        for error in [read(path, 10).map(drop), read_text(path, 10).map(drop), read_secret(path, 10).map(drop)] {
            let error = error.expect_err("refused").to_string();
            assert!(error.contains(what), "{}: {error}", path.display());
        }
    }

    #[test]
    fn what_has_no_end_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        refuses(Path::new("/dev/zero"), "not a regular file");
        refuses(folder.path(), "not a regular file");
        refuses(&folder.path().join("none"), "No such file");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        refuses(&pipe, "not a regular file");
    }

    #[test]
    fn what_changes_while_it_is_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let read = |meanwhile: &dyn Fn(&mut File)| {
            std::fs::write(&path, "0123456789").expect("written");
            let mut writer = File::options().append(true).open(&path).expect("opened");
            let mut input = Stamped::open(&path, 100).expect("a file");
            input.read_exact(&mut [0; 5]).expect("half");
            meanwhile(&mut writer);
            input.read_to_end(&mut Vec::new()).expect("the rest");
            input.finish()
        };
        assert!(read(&|_| {}).is_ok());
        let later = SystemTime::now() + std::time::Duration::from_secs(1);
        assert!(read(&|file| file.set_modified(later).expect("set")).is_err());
        assert!(read(&|file| file.set_len(7).expect("cut")).is_err());
        // Somebody moved another file into its place: this one was read whole.
        assert!(
            read(&|_| std::fs::write(folder.path().join("new"), "x")
                .and_then(|()| std::fs::rename(folder.path().join("new"), &path))
                .expect("moved"))
            .is_ok()
        );
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").expect("written");
        assert_eq!(read(&path, 10).expect("fits"), b"0123456789");
        assert_eq!(read(&path, 9).expect_err("too long").kind(), io::ErrorKind::FileTooLarge);
        // A file of four terabytes with holes takes neither time nor memory.
        File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 42)).expect("sparse");
        refuses(&path, "more than 10 octets");
        assert_eq!(read_stream(io::repeat(0), 9).expect_err("no end").kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_stream(&b"012"[..], 3).expect("fits"), b"012");
    }

    #[test]
    fn a_stamp_tells_a_changed_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let put = |text: &str| std::fs::write(&path, text).expect("written");
        put("one");
        let (_, _, stamp) = read_stamped(&path, 10).expect("read");
        assert!(stamp.still_fits());
        assert_eq!(stamp.proved(10), None, "too soon after the change");
        // As if all had happened an hour ago; the content of the second is another one under the same times.
        let old = |stamp: &Stamp| Stamp { ctime: (stamp.ctime.0 - 3600, 0), mtime: (stamp.mtime.0 - 3600, 0), ..stamp.clone() };
        assert!(!old(&stamp).still_fits());
        assert_eq!(Stamp { fresh: None, ..stamp.clone() }.proved(10).map(|stamp| stamp.fresh), Some(None));
        for (i, change) in ["two", "four", "one"].into_iter().enumerate() {
            std::fs::rename(&path, folder.path().join(format!("kept{i}"))).expect("moved");
            assert!(!stamp.still_fits(), "gone");
            put(change);
            assert!(!stamp.still_fits(), "another file with {change}");
        }
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("made");
        assert!(!stamp.still_fits());
    }

    #[test]
    fn text_is_utf_8_and_a_secret_has_a_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"\xff").expect("written");
        assert_eq!(read_text(&path, 10).expect_err("no text").kind(), io::ErrorKind::InvalidData);
        std::fs::write(&path, "s").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
        assert_eq!(read_secret(&path, 10).expect("read"), ("s".into(), 0o640));
    }
}
