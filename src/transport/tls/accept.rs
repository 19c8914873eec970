//! The server's side: a connection inside TLS that reads and writes as a socket does, without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme};

use super::super::request;
use super::{ALPN, Credentials, Possession, VERSIONS, provider, too_old};
use crate::telemetry::Counters;
use crate::transfer::access::Channel;
use crate::transfer::trust::{Certificate, Side};

/// What connections are accepted with: the server's certificate, and sessions that may be taken up again.
#[derive(Clone, Debug)]
pub struct Acceptor(Arc<ServerConfig>);

/// A connection that was accepted.
///
/// Memory: some 5 KiB while nothing goes on; beside that at most one flight of the handshake (64 KiB) or one write.
pub struct Accepted {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Octets of the caller that were encrypted and did not leave whole yet.
    in_flight: usize,
    is_greeting: bool,
    /// The client broke the rules; nothing is read any more but to be thrown away.
    has_failed: bool,
    client: Option<Certificate>,
}

/// Reads of the socket in one call. Our choice: as much as a plain connection is given in one turn.
const READS: usize = 16;

impl Acceptor {
    /// Shows `credentials`. Every client is asked for a certificate and may have none.
    pub fn new(credentials: &Credentials) -> Self {
        let provider = provider();
        let verifier = Arc::new(Anybody(Possession(Arc::clone(&provider))));
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(VERSIONS);
        let builder = builder.expect("the provider has ciphers for TLS 1.3");
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(credentials.resolver());
        config.alpn_protocols = vec![ALPN.to_vec()];
        Self(Arc::new(config))
    }

    /// Begins the handshake on a connection that does not block.
    ///
    /// # Errors
    /// None that is known; TLS could refuse its configuration.
    pub fn accept(&self, tcp: TcpStream) -> io::Result<Accepted> {
        let tls = ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)?;
        Ok(Accepted { tcp, tls, in_flight: 0, is_greeting: true, has_failed: false, client: None })
    }
}

impl Accepted {
    /// The socket.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// True until the handshake is done.
    pub fn is_greeting(&self) -> bool {
        self.is_greeting
    }

    /// What the handshake proved.
    pub fn channel(&self) -> Channel<'_> {
        if self.tls.alpn_protocol() == Some(ALPN) { Channel::Tls(self.client.as_ref()) } else { Channel::Plain }
    }

    /// True if octets wait for the socket.
    pub fn owes(&self) -> bool {
        self.tls.wants_write()
    }

    /// Reads what the client said, until `room` is full or the socket is empty; gives how much, and whether there may be more at once.
    ///
    /// # Errors
    /// As [`Read::read`]; `InvalidData` when what came is no TLS that is spoken here: the client is told why, and the connection is to be
    /// shut down. `Interrupted` when others should have their turn.
    pub fn receive(&mut self, room: &mut [u8], counters: &Counters) -> io::Result<(usize, bool)> {
        let mut n = 0;
        for _ in 0..READS {
            match self.tls.reader().read(&mut room[n..]) {
                Ok(len) => {
                    n += len;
                    // Nothing at all is the end that the client announced; it is told once all before it was taken.
                    if len == 0 || n == room.len() {
                        return Ok((n, true));
                    }
                }
                // The end without announcement. A request that was cut is no whole one, so nothing is lost by taking it for the end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok((n, true)),
                Err(_) => {}
            }
            match self.tls.read_tls(&mut self.tcp) {
                Ok(_) => self.digest(counters)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && n > 0 => return Ok((n, false)),
                Err(error) => return Err(error),
            }
            // A client is not read from while it does not take what TLS has to say.
            if !self.flush()? {
                break;
            }
        }
        if n > 0 { Ok((n, true)) } else { Err(ErrorKind::Interrupted.into()) }
    }

    /// Deciphers what was read.
    fn digest(&mut self, counters: &Counters) -> io::Result<()> {
        let result = request::caught(counters, || self.tls.process_new_packets().map(drop));
        if !matches!(result, Some(Ok(()))) {
            self.has_failed = true;
            // The alert; where it does not fit, the client sees the end alone.
            let _ = self.flush();
            return Err(ErrorKind::InvalidData.into());
        }
        if self.is_greeting && !self.tls.is_handshaking() {
            self.is_greeting = false;
            let shown = self.tls.peer_certificates().unwrap_or_default();
            self.client = Certificate::new(shown.iter().map(|certificate| certificate.clone().into_owned()).collect(), Side::Client);
        }
        Ok(())
    }

    /// Sends what TLS has to say; false where the socket takes no more.
    ///
    /// # Errors
    /// As [`Write::write`], but for `WouldBlock`.
    pub fn flush(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Writes some of `octets`.
    ///
    /// They are counted when they have left: after `WouldBlock` the next call gets the same octets again, and perhaps more behind them. So
    /// who waits for a client keeps its octets, and here is never more than one write of them.
    ///
    /// # Errors
    /// As [`Write::write`].
    pub fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.in_flight == 0 {
            self.in_flight = self.tls.writer().write(octets)?;
        }
        if self.flush()? { Ok(std::mem::take(&mut self.in_flight)) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    /// Says that nothing more comes, and closes our side.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.take_leave();
        self.tcp.shutdown(Shutdown::Write)
    }

    /// Says that nothing more comes, as far as the socket takes it.
    pub fn take_leave(&mut self) {
        if !self.has_failed {
            self.tls.send_close_notify();
        }
        let _ = self.flush();
    }

    /// Reads octets to throw them away.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub fn discard(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(room)
    }
}

/// Takes every certificate whose key the client holds: what it is worth is decided where it is needed.
#[derive(Debug)]
struct Anybody(Possession);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let shown = [own].into_iter().chain(others).map(|certificate| certificate.clone().into_owned()).collect();
        let readable = Certificate::new(shown, Side::Client).is_some();
        if readable { Ok(ClientCertVerified::assertion()) } else { Err(CertificateError::BadEncoding.into()) }
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
        self.0.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes()
    }
}
