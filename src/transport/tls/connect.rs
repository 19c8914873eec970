//! The client's side: a connection to a primary that proves who it is before a question is asked. RFC 9103 §9.3.2 (strict).

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

use super::{ALPN, Credentials, Possession, VERSIONS, provider, too_old};
use crate::dns;
use crate::transfer::trust::{Certificate, Side, Trust};

/// Who is to be at the other end, and what it is shown of us. Cheap to clone; clones share sessions that may be taken up again.
#[derive(Clone, Debug)]
pub struct TlsPeer {
    config: Arc<ClientConfig>,
    trust: Trust,
}

impl TlsPeer {
    /// A server that proves to be the one that `trust` means; `credentials` are shown to it where it asks.
    pub fn new(trust: Trust, credentials: Option<&Credentials>) -> Self {
        let provider = provider();
        let verifier = Arc::new(Meant { trust: trust.clone(), possession: Possession(Arc::clone(&provider)) });
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(VERSIONS);
        let builder = builder.expect("the provider has ciphers for TLS 1.3").dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match credentials {
            Some(credentials) => builder.with_client_cert_resolver(credentials.resolver()),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Self { config: Arc::new(config), trust }
    }

    /// The name that the server is asked for; none goes out where only its key counts, for an address is never told (RFC 6066 §3).
    fn name(&self) -> ServerName<'static> {
        match &self.trust {
            Trust::Authority(authority) => authority.name().clone(),
            Trust::Pin(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED).into(),
        }
    }
}

impl fmt::Display for TlsPeer {
    /// As a log of transfers has it: the name or the key that is proved.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trust.fmt(f)
    }
}

impl PartialEq for TlsPeer {
    fn eq(&self, other: &Self) -> bool {
        self.trust == other.trust
    }
}

/// Carries the handshake out on `stream`, which blocks; gives the connection inside TLS.
///
/// How long it may take is a matter of `stream`: every octet goes through its reads and writes. An end that the server did not announce is an error when it is read
/// (`UnexpectedEof`), so that nothing can be cut off unseen.
///
/// # Errors
/// Those of `stream`; `InvalidData` when the server does not speak TLS 1.3 with ALPN `dot`, or is not the one that is meant.
pub fn connect<S: Read + Write>(mut stream: S, peer: &TlsPeer) -> io::Result<StreamOwned<ClientConnection, S>> {
    let mut tls = ClientConnection::new(Arc::clone(&peer.config), peer.name()).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        if tls.complete_io(&mut stream)? == (0, 0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    if tls.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the server does not say that it speaks DNS over TLS (ALPN 'dot')"));
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Takes the certificates of one server alone.
#[derive(Debug)]
struct Meant {
    trust: Trust,
    possession: Possession,
}

impl ServerCertVerifier for Meant {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = [own].into_iter().chain(others).map(|certificate| certificate.clone().into_owned()).collect();
        let shown = Certificate::new(shown, Side::Server).ok_or(CertificateError::BadEncoding)?;
        let is_meant = self.trust.is_proved_by(&shown, dns::UnixTime(now.as_secs()));
        if is_meant { Ok(ServerCertVerified::assertion()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.possession.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.possession.schemes()
    }
}
