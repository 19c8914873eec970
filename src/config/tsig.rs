//! `[[key]]`: TSIG keys (RFC 8945) and the files that hold their secrets.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use data_encoding::BASE64;

use crate::dns::Name;
use crate::dns::master::open_regular;

/// A key shared with another server.
#[derive(Clone, Debug, PartialEq)]
pub struct TsigKey {
    /// Its name, the same at both ends.
    pub name: Name,
    /// The MAC.
    pub algorithm: TsigAlgorithm,
    /// The shared secret.
    pub secret: Secret,
}

/// Octets that are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// MAC algorithms (RFC 8945 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TsigAlgorithm {
    /// hmac-sha1
    HmacSha1,
    /// hmac-sha224
    HmacSha224,
    /// hmac-sha256
    HmacSha256,
    /// hmac-sha384
    HmacSha384,
    /// hmac-sha512
    HmacSha512,
}

impl TsigAlgorithm {
    /// Every algorithm with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha512", Self::HmacSha512),
        ("hmac-sha384", Self::HmacSha384),
        ("hmac-sha224", Self::HmacSha224),
        ("hmac-sha1", Self::HmacSha1),
    ];
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
        let show = path.display();
        let file = open_regular(path).map_err(|error| format!("'{show}' cannot be read: {error}"))?;
        let mode = file.metadata().map_err(|error| format!("'{show}' cannot be read: {error}"))?.mode();
        if mode & 0o007 != 0 {
            return Err(format!("'{show}' is open to others (mode {:04o}), do 'chmod o-rwx {show}'", mode & 0o7777));
        }
        let mut text = String::new();
        file.take(4096).read_to_string(&mut text).map_err(|error| format!("'{show}' cannot be read: {error}"))?;
        Self::parse(&text).map_err(|what| format!("'{show}': {what}"))
    }
}
