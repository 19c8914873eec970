//! Master files from disk: the one place of this room that opens files.

use std::collections::HashSet;
use std::path::Path;

use super::{MasterError, Options, Reason, beside, scan, stream};
use crate::disk::{self, Stamp, Stamped};
use crate::dns::name::NameRef;
use crate::dns::records::Records;

/// The most octets of one file: ten million delegations take less than 2 GiB of text.
pub const MAX_FILE: u64 = 4 << 30;

/// The mode bit of a file that everybody may read.
const READ_BY_ALL: u32 = 0o004;

/// Reads the master file at `path` and what it includes, each path relative to the folder of the file that names it.
///
/// Who may write a zone, or read the log, may not read all that the process can: of an included file that not everybody may read,
/// an error gives the place and no text.
///
/// Cost: one pass, on all cores where the file has few directives; two where it has an `$INCLUDE` or something is wrong.
///
/// # Errors
/// When a file cannot be read, or the first thing that is wrong in one.
pub fn read_file(path: &Path, origin: NameRef<'_>) -> Result<Records, MasterError> {
    let mut records = Records::new();
    match stream_file(path, origin, 0, &mut |part| records.extend(part).is_ok()) {
        Some(_) => Ok(records),
        None => {
            // Its room is needed.
            drop(records);
            read_file_stamped(path, origin).map(|(records, _)| records)
        }
    }
}

/// As [`read_file`], on one core, with what each file that was read can be known again by, the one at `path` first.
///
/// # Errors
/// As [`read_file`].
pub fn read_file_stamped(path: &Path, origin: NameRef<'_>) -> Result<(Records, Vec<Stamp>), MasterError> {
    let file = path.to_string_lossy();
    let (text, _, stamp) = disk::read_stamped(path, MAX_FILE).map_err(|error| MasterError {
        file: file.to_string(),
        line: 0,
        column: 0,
        owner: None,
        rtype: None,
        reason: Reason::Unreadable(error.to_string()),
    })?;
    let mut stamps = vec![stamp];
    let records = read_text_stamped(&text, &file, origin, &mut stamps)?;
    Ok((records, stamps))
}

/// Reads the master file at `path` a piece at a time, see [`stream`]; gives what it can be known again by.
///
/// `None` where it is to be read as a whole, with [`read_file_stamped`].
pub fn stream_file(path: &Path, origin: NameRef<'_>, threads: usize, each: &mut dyn FnMut(&mut Records) -> bool) -> Option<Stamp> {
    let mut file = Stamped::open(path, MAX_FILE).ok()?;
    stream(&mut file, &Options::new(origin), threads, each)?;
    file.finish().ok()
}

/// Reads the text of a master file that is called `file`, and what it includes from disk.
///
/// # Errors
/// As [`read_file`].
pub fn read_text(text: &[u8], file: &str, origin: NameRef<'_>) -> Result<Records, MasterError> {
    read_text_stamped(text, file, origin, &mut Vec::new())
}

fn read_text_stamped(text: &[u8], file: &str, origin: NameRef<'_>, stamps: &mut Vec<Stamp>) -> Result<Records, MasterError> {
    let mut closed = HashSet::new();
    let mut include = |path: &str, from: &str| {
        let path = beside(path, from);
        let (text, mode, stamp) = disk::read_stamped(Path::new(&path), MAX_FILE).map_err(|error| error.to_string())?;
        stamps.push(stamp);
        if mode & READ_BY_ALL == 0 {
            closed.insert(path);
        }
        Ok(text)
    };
    let scanned = scan(text, file, &Options::new(origin), &mut include);
    scanned.map_err(|error| if closed.contains(&error.file) { error.without_text() } else { error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn what_is_not_for_all_is_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let (zone, included) = (folder.path().join("zone"), folder.path().join("included"));
        std::fs::write(&zone, "$TTL 1\n$INCLUDE included\n").expect("written");
        let origin = Name::parse("example.").expect("name");
        for text in ["root:pass:1\n", "www A pass\n", "www MX 10 pass pass\n", "www TYPE1 pass\n", "$pass\n", "$INCLUDE pass\n", "pass\\\n"]
        {
            std::fs::write(&included, text).expect("written");
            for (mode, is_quoted) in [(0o644, text != "pass\\\n"), (0o640, false), (0o600, false)] {
                std::fs::set_permissions(&included, std::fs::Permissions::from_mode(mode)).expect("mode set");
                let error = read_file(&zone, origin.as_ref()).map(drop).expect_err(text).to_string();
                assert!(error.contains("included:1:"), "{error}");
                assert_eq!(error.contains("pass"), is_quoted, "{mode:o} {error}");
            }
        }
    }
}
