//! Reads files that somebody else wrote: regular ones only, and no more of them than expected. Knows no format.
//!
//! A pipe without a writer never opens, a device never ends, and a folder is no text. Neither may hold up or fill a process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

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
pub fn read_with_mode(path: &Path, most: u64) -> io::Result<(Vec<u8>, u32)> {
    let file = open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((to_end(file, most)?, mode))
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
