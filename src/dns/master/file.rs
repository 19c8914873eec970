//! Master files from disk: the one place of this room that opens files.

use std::path::Path;

use super::{MasterError, Options, Reason, beside, scan};
use crate::disk;
use crate::dns::name::NameRef;
use crate::dns::records::Records;

/// The most octets of one file: ten million delegations take less than 2 GiB of text.
pub const MAX_FILE: u64 = 4 << 30;

/// Reads the master file at `path` and what it includes, each path relative to the folder of the file that names it.
///
/// # Errors
/// When a file cannot be read, or the first thing that is wrong in one.
pub fn read_file(path: &Path, origin: NameRef<'_>) -> Result<Records, MasterError> {
    let file = path.to_string_lossy();
    let text = disk::read(path, MAX_FILE).map_err(|error| MasterError {
        file: file.to_string(),
        line: 0,
        column: 0,
        owner: None,
        rtype: None,
        reason: Reason::Unreadable(error.to_string()),
    })?;
    read_text(&text, &file, origin)
}

/// Reads the text of a master file that is called `file`, and what it includes from disk.
///
/// # Errors
/// As [`read_file`].
pub fn read_text(text: &[u8], file: &str, origin: NameRef<'_>) -> Result<Records, MasterError> {
    let mut include = |path: &str, from: &str| disk::read(Path::new(&beside(path, from)), MAX_FILE).map_err(|error| error.to_string());
    scan(text, file, &Options::new(origin), &mut include)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn what_has_no_end_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = folder.path().join("zone");
        std::fs::write(&zone, "$TTL 1\n@ SOA ns1 host 2 3600 600 86400 300\n$INCLUDE /dev/zero\n").expect("written");
        let error = read_file(&zone, Name::parse("example.").expect("name").as_ref()).map(drop).expect_err("an endless include");
        assert!(error.to_string().contains(":3:") && error.to_string().contains("not a regular file"), "{error}");
    }
}
