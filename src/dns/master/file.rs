//! Master files from disk: the one place of this room that opens files.

use std::fs;
use std::path::Path;

use super::{MasterError, Options, Reason, beside, scan};
use crate::dns::name::NameRef;
use crate::dns::records::Records;

/// Reads the master file at `path` and what it includes, each path relative to the folder of the file that names it.
///
/// # Errors
/// When a file cannot be read, or the first thing that is wrong in one.
pub fn read_file(path: &Path, origin: NameRef<'_>) -> Result<Records, MasterError> {
    let file = path.to_string_lossy().into_owned();
    let text = fs::read(path).map_err(|error| MasterError {
        file: file.clone(),
        line: 0,
        column: 0,
        owner: None,
        rtype: None,
        reason: Reason::Unreadable(error.to_string()),
    })?;
    scan(&text, &file, &Options::new(origin), &mut |path, from| fs::read(beside(path, from)).map_err(|error| error.to_string()))
}
