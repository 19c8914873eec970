//! Master files from disk: the one place of this room that opens files.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{MasterError, Options, Reason, beside, scan};
use crate::dns::name::NameRef;
use crate::dns::records::Records;

/// The most octets of one file: ten million delegations take less than 2 GiB of text.
pub const MAX_FILE: u64 = 4 << 30;

/// Reads the master file at `path` and what it includes, each path relative to the folder of the file that names it.
///
/// # Errors
/// When a file cannot be read, or the first thing that is wrong in one.
pub fn read_file(path: &Path, origin: NameRef<'_>) -> Result<Records, MasterError> {
    let file = path.to_string_lossy().into_owned();
    let text = read_regular(path, MAX_FILE).map_err(|error| MasterError {
        file: file.clone(),
        line: 0,
        column: 0,
        owner: None,
        rtype: None,
        reason: Reason::Unreadable(error.to_string()),
    })?;
    let mut include = |path: &str, from: &str| read_regular(Path::new(&beside(path, from)), MAX_FILE).map_err(|error| error.to_string());
    scan(&text, &file, &Options::new(origin), &mut include)
}

/// Reads a regular file of at most `most` octets: a device or a pipe has no end, and must not hold up or fill the daemon.
///
/// # Errors
/// When it is something else, too long, or cannot be read.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Opening a pipe without a writer would wait for one.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Vec::with_capacity(about.len().min(most) as usize);
    file.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} octets")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn what_has_no_end_is_refused() {
        assert!(read_regular(Path::new("/dev/zero"), 10).is_err());
        let folder = tempfile::tempdir().expect("a folder");
        let zone = folder.path().join("zone");
        std::fs::write(&zone, "$TTL 1\n@ SOA ns1 host 2 3600 600 86400 300\n$INCLUDE /dev/zero\n").expect("written");
        let error = read_file(&zone, Name::parse("example.").expect("name").as_ref()).map(drop).expect_err("an endless include");
        assert!(error.to_string().contains(":3:") && error.to_string().contains("not a regular file"), "{error}");
        assert!(read_regular(&zone, 10).is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge));
    }
}
