//! The files of TLS: the server's certificate and key, and the certificates of authorities.

use std::path::Path;

use super::tsig::read_secret;
use crate::disk;
use crate::transfer::trust::Authority;
use crate::transport::tls::{Credentials, CredentialsError, read_certificates};

/// The most octets of certificates, and of a key. Our choice: a chain has some 10 KiB, all authorities of a browser some 250.
const MOST: u64 = 1 << 20;

/// How to make both files, for one who has none.
const MAKE: &str =
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=NAME -addext subjectAltName=DNS:NAME";

/// Reads the server's certificate and its key, which nobody but its owner (and group) may read.
///
/// # Errors
/// What is wrong with the first file, or with the second, and what to do.
pub(super) fn read_credentials(certificate: &Path, key: &Path) -> Result<Credentials, CredentialsError> {
    let hint = |path: &Path| if path.exists() { String::new() } else { format!(", make both with '{}'", make(certificate, key)) };
    let text = read_text(certificate).map_err(|what| CredentialsError::Certificate(what + &hint(certificate)))?;
    let secret = read_secret(key, MOST).map_err(|what| CredentialsError::Key(what + &hint(key)))?;
    Credentials::read(&text, &secret).map_err(|error| match error {
        CredentialsError::Certificate(what) => CredentialsError::Certificate(format!("'{}' {what}", certificate.display())),
        CredentialsError::Key(what) => CredentialsError::Key(format!("'{}' {what}", key.display())),
    })
}

/// The command that makes both files.
pub(super) fn make(certificate: &Path, key: &Path) -> String {
    format!("{MAKE} -out {} -keyout {}", certificate.display(), key.display())
}

/// Reads the authorities of `path` that are to vouch for `name`.
///
/// # Errors
/// What is wrong with the file or the name.
pub(super) fn read_authority(path: &Path, name: &str) -> Result<Authority, String> {
    let certificates = read_certificates(&read_text(path)?).map_err(|what| format!("'{}' {what}", path.display()))?;
    let what = || format!("'{name}' is no name of a server, or '{}' holds what is no certificate", path.display());
    Authority::new(&certificates, name).ok_or_else(what)
}

fn read_text(path: &Path) -> Result<String, String> {
    disk::read_text(path, MOST).map_err(|error| format!("'{}' cannot be read: {error}", path.display()))
}
