//! TLS 1.3 around TCP connections: those that are accepted (DNS over TLS, RFC 7858) and those that are made for transfers (RFC 9103).
//!
//! What a certificate is worth is not decided here: [`trust`](crate::transfer::trust) is asked. Early data is never taken: a request in
//! it could be replayed.

mod accept;
mod connect;
mod credentials;

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::CertificateDer;
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme, SupportedProtocolVersion};

pub use accept::{Accepted, Acceptor};
pub use connect::{TlsPeer, connect, explain};
pub use credentials::{Credentials, CredentialsError, read_certificates};

/// The protocol inside TLS (RFC 7858, RFC 9103 §7.1).
const ALPN: &[u8] = b"dot";
/// RFC 9103 §7.2.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Ciphers, key exchanges and signatures.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Sees to it that a peer holds the key of the certificate that it shows.
#[derive(Debug)]
struct Possession(Arc<CryptoProvider>);

impl Possession {
    fn verify(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What is said to a peer of an older version; it never comes to that, for only TLS 1.3 is offered.
fn too_old<T>() -> Result<T, Error> {
    Err(PeerIncompatible::Tls12NotOffered.into())
}
