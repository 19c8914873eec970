//! `[[key]]`: TSIG keys (RFC 8945) and the files that hold their secrets.

use std::fmt;
use std::path::Path;

use data_encoding::BASE64;

use crate::disk;
use crate::dns::Name;
use crate::transfer::tsig::{Algorithm, Key};

/// A key shared with another server.
#[derive(Clone, Debug, PartialEq)]
pub struct TsigKey {
    /// Its name, the same at both ends.
    pub name: Name,
    /// The MAC.
    pub algorithm: Algorithm,
    /// The shared secret.
    pub secret: Secret,
}

impl TsigKey {
    /// The key itself.
    pub fn key(&self) -> Key {
        Key::new(self.name.as_ref(), self.algorithm, &self.secret.0)
    }
}

/// Octets that are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Reads base64 text; white space around it is no part of it.
    ///
    /// # Errors
    /// What is wrong and what to do, without the secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let octets =
            BASE64.decode(text.trim().as_bytes()).map_err(|_| "the secret is no base64, make one with 'openssl rand -base64 32'")?;
        if octets.is_empty() {
            return Err("the secret is empty, make one with 'openssl rand -base64 32'".into());
        }
        Ok(Self(octets))
    }

    /// Reads a file of base64 text that nobody but its owner (and group) may read.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the file cannot be read or is open to others.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        // Far above the longest secret that makes sense (RFC 8945 §8).
        let text = read_secret(path, 4096)?;
        Self::parse(&text).map_err(|what| format!("'{}': {what}", path.display()))
    }
}

/// Reads a file of at most `most` octets that nobody but its owner (and group) may read.
///
/// # Errors
/// When it cannot be read or is open to others.
pub(super) fn read_secret(path: &Path, most: u64) -> Result<String, String> {
    let show = path.display();
    let (text, mode) = disk::read_secret(path, most).map_err(|error| format!("'{show}' cannot be read: {error}"))?;
    if mode & 0o007 != 0 {
        return Err(format!("'{show}' is open to others (mode {mode:04o}), do 'chmod o-rwx {show}'"));
    }
    Ok(text)
}
