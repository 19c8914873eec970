//! What this server shows of itself: a certificate and its key, from PEM files.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// A certificate, those that vouch for it, and its key, which is never printed.
#[derive(Clone)]
pub struct Credentials(Arc<CertifiedKey>);

impl Credentials {
    /// Reads the text of both files: certificates, the server's own first; and one key.
    ///
    /// # Errors
    /// What is wrong, of the `certificate` or of the `key`, without the secret.
    pub fn read(certificate: &str, key: &str) -> Result<Self, CredentialsError> {
        let chain = read_certificates(certificate).map_err(CredentialsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| CredentialsError::Key(describe(&error, "PRIVATE KEY")))?;
        let certified = CertifiedKey::from_der(chain, key, &super::provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CredentialsError::Key("is not the key of the certificate".into()),
            rustls::Error::InvalidCertificate(_) => CredentialsError::Certificate("holds a certificate that cannot be read".into()),
            _ => CredentialsError::Key(
                "is no key that TLS can use, make one with 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256'".into(),
            ),
        })?;
        Ok(Self(Arc::new(certified)))
    }

    /// For one who is asked to show it.
    pub(super) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&self.0)))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl PartialEq for Credentials {
    /// The certificate names its key.
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

/// Which of the two texts is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// The certificates.
    Certificate(String),
    /// The key, or that both do not belong together.
    Key(String),
}

/// Reads certificates in PEM; at least one.
///
/// # Errors
/// What is wrong with the text.
pub fn read_certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| describe(&error, "CERTIFICATE"))?;
    if certificates.is_empty() { Err(describe(&pem::Error::NoItemsFound, "CERTIFICATE")) } else { Ok(certificates) }
}

/// Says it without what the text holds.
fn describe(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("holds no PEM text with '-----BEGIN {what}-----'"),
        pem::Error::MissingSectionEnd { .. } => "is cut: a section of the PEM text has no end".into(),
        _ => "is no PEM text".into(),
    }
}
