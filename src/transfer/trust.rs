//! Who is at the other end of a TLS connection: a certificate whose key the peer was seen to hold, and what it is held against.
//!
//! Knows no socket and no clock. RFC 9103 §9.3, RFC 8310 §5 and §6.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::{self, CertificateDer, ServerName, TrustAnchor};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};

use crate::dns::UnixTime;

/// What a peer has to prove to be the one that is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Trust {
    /// That it holds one key. Nothing else of its certificate counts, neither names nor dates.
    Pin(Pin),
    /// That an authority vouches for its name.
    Authority(Arc<Authority>),
}

/// SHA-256 of a public key as certificates have it (SubjectPublicKeyInfo). RFC 7858 §4.2, RFC 8310 §5.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// Certificates that vouch for others, and the name to be vouched for.
#[derive(Debug, PartialEq)]
pub struct Authority {
    anchors: Vec<TrustAnchor<'static>>,
    name: ServerName<'static>,
}

/// Which side of the connection a certificate is of: it has to be good for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who was connected to.
    Server,
    /// Who connected.
    Client,
}

/// The certificates that a peer showed, its own first; it holds the key of that one.
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    pin: Pin,
    side: Side,
    /// What authorities were found to say of it: each is asked once, for to ask costs as much as a handshake.
    judged: RefCell<Vec<(Arc<Authority>, bool)>>,
}

/// Certificates that a peer may show beside its own; more would only be work. Our choice.
const MOST_SHOWN: usize = 8;
/// Verdicts kept of one certificate. Our choice: above the authorities of any configuration, and after some reloads the first of them.
const MOST_JUDGED: usize = 64;

impl Pin {
    /// Of a certificate's key; `None` when the octets are no certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        Some(Self(Sha256::digest(certificate.subject_public_key_info()).into()))
    }

    /// Reads `sha256:` and base64.
    pub fn parse(text: &str) -> Option<Self> {
        let octets = BASE64.decode(text.strip_prefix("sha256:")?.as_bytes()).ok()?;
        octets.try_into().ok().map(Self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl Authority {
    /// Trusts `certificates` to vouch for `name`: a domain name or an address. `None` when one of them is no certificate, or the name
    /// none.
    pub fn new(certificates: &[CertificateDer<'_>], name: &str) -> Option<Self> {
        let anchor = |certificate| webpki::anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned());
        let anchors = certificates.iter().map(anchor).collect::<Option<_>>()?;
        Some(Self { anchors, name: ServerName::try_from(name.to_owned()).ok()? })
    }

    /// The name to be vouched for.
    pub fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    fn vouches_for(&self, certificate: &Certificate, now: UnixTime) -> bool {
        let Some((own, others)) = certificate.chain.split_first() else { return false };
        let Ok(own) = EndEntityCert::try_from(own) else { return false };
        let usage = match certificate.side {
            Side::Server => KeyUsage::server_auth(),
            Side::Client => KeyUsage::client_auth(),
        };
        let now = pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.0));
        own.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &self.anchors, others, now, usage, None, None).is_ok()
            && own.verify_is_valid_for_subject_name(&self.name).is_ok()
    }
}

impl Trust {
    /// True if the certificate is of the one that is meant.
    ///
    /// Cost: of an authority, some verifications of signatures; once for each certificate and authority.
    pub fn is_proved_by(&self, certificate: &Certificate, now: UnixTime) -> bool {
        match self {
            Self::Pin(pin) => certificate.pin == *pin,
            Self::Authority(authority) => {
                let mut judged = certificate.judged.borrow_mut();
                if let Some((_, good)) = judged.iter().find(|(known, _)| Arc::ptr_eq(known, authority)) {
                    return *good;
                }
                if judged.len() == MOST_JUDGED {
                    judged.remove(0);
                }
                let good = authority.vouches_for(certificate, now);
                judged.push((Arc::clone(authority), good));
                good
            }
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(pin) => pin.fmt(f),
            Self::Authority(authority) => f.write_str(&authority.name.to_str()),
        }
    }
}

impl Certificate {
    /// Of a peer on `side`, its own first. `None` where there is none, where it cannot be read, and where there are too many.
    pub fn new(chain: Vec<CertificateDer<'static>>, side: Side) -> Option<Self> {
        let pin = Pin::of(chain.first()?)?;
        (chain.len() <= 1 + MOST_SHOWN).then(|| Self { chain, pin, side, judged: RefCell::default() })
    }
}

impl fmt::Display for Certificate {
    /// The names that were vouched for; where there are none, the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judged = self.judged.borrow();
        let mut names: Vec<_> = judged.iter().filter(|(_, good)| *good).map(|(authority, _)| authority.name.to_str()).collect();
        names.sort();
        names.dedup();
        if names.is_empty() { self.pin.fmt(f) } else { f.write_str(&names.join(", ")) }
    }
}
