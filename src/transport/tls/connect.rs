//! The client's side: a connection to a primary that proves who it is before a question is asked. RFC 9103 §9.3.2 (strict).

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    StreamOwned,
};

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
        let left = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), LEFT),
            _ => explain(error),
        };
        if tls.complete_io(&mut stream).map_err(left)? == (0, 0) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, LEFT));
        }
    }
    if tls.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, NO_DOT));
    }
    Ok(StreamOwned::new(tls, stream))
}

const LEFT: &str = "the server closed the connection in the middle of the TLS handshake and does not say why, does it speak TLS 1.3 there?";
const NO_DOT: &str = "the server does not say that it speaks DNS over TLS (ALPN 'dot')";

/// True for what a server says of a certificate that it does not take; some say that they could not decrypt.
fn is_of_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
    )
}

/// Says in the words of an operator why TLS failed, where TLS is why; other errors stay as they are.
pub fn explain(error: io::Error) -> io::Error {
    let Some(failed) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error };
    let text = match failed {
        Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => format!("the certificate of the server is refused: {why}"),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => "the server does not speak TLS 1.3".into(),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => NO_DOT.into(),
        Error::AlertReceived(AlertDescription::CertificateRequired) => "the server wants a certificate of this one, [tls] has it".into(),
        Error::AlertReceived(alert) if is_of_certificate(*alert) => {
            format!("the server does not take the certificate of this one, that of [tls] ({alert:?})")
        }
        Error::AlertReceived(alert) => format!("the server ends TLS ({alert:?})"),
        Error::PeerIncompatible(what) => format!("the server does not speak TLS 1.3 as this one does ({what:?})"),
        Error::InvalidMessage(what) => format!("the server does not speak TLS ({what:?})"),
        other => other.to_string(),
    };
    io::Error::new(error.kind(), text)
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
        let judged = self.trust.check(&shown, dns::UnixTime(now.as_secs()));
        judged.map(|()| ServerCertVerified::assertion()).map_err(|why| CertificateError::Other(OtherError(Arc::new(why))).into())
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
