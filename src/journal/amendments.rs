//! What has changed of the state since it was written as a whole: a zone a line, so that one of many zones costs one line.
//!
//! Each line is the length of its rest and the first 16 octets of the SHA-256 of it, both hexadecimal, and the rest: in the first line `saola-amendments 1`
//! and the SHA-256 of the state that is amended, in the others JSON. A line counts once it is synced. Amendments of another state are none.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SavedZone;
use crate::disk;

const HEADER: &str = "saola-amendments 1 ";

/// The octets that may stand beside any state. Our choice: little to read.
const ANY: u64 = 1 << 16;

#[derive(Serialize)]
struct Line<'a> {
    zone: &'a str,
    saved: &'a SavedZone,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnedLine {
    zone: String,
    saved: SavedZone,
}

/// The open file.
#[derive(Debug)]
pub struct Amendments {
    file: File,
    octets: u64,
    most: u64,
}

impl Amendments {
    /// Begins the amendments of the state with this checksum, of so many octets.
    ///
    /// # Errors
    /// Of the file system.
    pub fn begin(path: &Path, base: &str, state_octets: u64) -> io::Result<Self> {
        let head = line(&format!("{HEADER}{base}"));
        let mut file = disk::replace_open(path, 0o640, |out| out.write_all(head.as_bytes()))?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Self { file, octets: head.len() as u64, most: state_octets.max(ANY) })
    }

    /// True when the state is to be written as a whole again: what is amended costs as much as that, over and over.
    pub fn is_full(&self) -> bool {
        self.octets > self.most
    }

    /// Adds what is in force of zones from now on; it is durable when this returns. After a crash before that, the first of them may be.
    ///
    /// # Errors
    /// Of the file system; the state is to be written as a whole then.
    pub fn add<'a>(&mut self, zones: impl IntoIterator<Item = (&'a str, &'a SavedZone)>) -> io::Result<()> {
        let mut lines = String::new();
        for (zone, saved) in zones {
            lines += &line(&serde_json::to_string(&Line { zone, saved }).map_err(io::Error::other)?);
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()?;
        self.octets += lines.len() as u64;
        Ok(())
    }
}

fn line(rest: &str) -> String {
    format!("{:08x} {} {rest}\n", rest.len(), sum(rest))
}

/// The rest of a line that is whole.
fn rest(line: &str) -> Option<&str> {
    let (length, line) = line.strip_suffix('\n')?.split_once(' ')?;
    let (checksum, rest) = line.split_once(' ')?;
    (length == format!("{:08x}", rest.len()) && checksum == sum(rest)).then_some(rest)
}

/// True if behind a line that is not whole there may be another, whose beginning is not seen.
fn hides_another(line: &str) -> bool {
    let length = line.get(..8).and_then(|length| usize::from_str_radix(length, 16).ok());
    length.is_some_and(|length| line.len() > 8 + 1 + 32 + 1 + length + 1)
}

fn sum(rest: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(rest.as_bytes())[..16])
}

/// The amendments of the state with this checksum, first to last. What a crash left of a last line had not been in force.
///
/// # Errors
/// `InvalidData` when they are damaged; of the file system.
pub fn read(path: &Path, base: &str, most: u64) -> io::Result<Vec<(String, SavedZone)>> {
    let text = match disk::read_text(path, most) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let mut lines = text.split_inclusive('\n').peekable();
    // The first line is there from the first moment.
    let head = lines.next().and_then(rest).and_then(|head| head.strip_prefix(HEADER)).ok_or_else(damaged)?;
    let mut all = Vec::new();
    while let Some(line) = lines.next().filter(|_| head == base) {
        match rest(line).and_then(|json| serde_json::from_str(json).ok()) {
            Some(OwnedLine { zone, saved }) => all.push((zone, saved)),
            None if lines.peek().is_none() && !hides_another(line) => break,
            None => return Err(damaged()),
        }
    }
    Ok(all)
}
