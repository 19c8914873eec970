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

/// Why a certificate is not of the one that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has this key, and another is pinned.
    OtherKey(Pin),
    /// The authority vouches for it, but not for the name that is meant.
    OtherName {
        /// The name that is meant.
        wanted: String,
        /// Names that it is for: the first few domain names.
        shown: Vec<String>,
    },
    /// It, or one that vouches for it, was good until then.
    Expired(UnixTime),
    /// It, or one that vouches for it, is good from then on.
    NotYet(UnixTime),
    /// The authority does not vouch for it.
    Stranger,
    /// It is no certificate.
    Unreadable,
    /// It may not be used for this, or breaks another rule of certificates: what the library calls that.
    Unfit(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey(shown) => write!(f, "its key is {shown}, and another is pinned"),
            Self::OtherName { wanted, shown } if shown.is_empty() => write!(f, "it is for no domain name, and '{wanted}' is wanted"),
            Self::OtherName { wanted, shown } => write!(f, "it is for '{}', and '{wanted}' is wanted", shown.join("', '")),
            Self::Expired(until) => write!(f, "it, or one that vouches for it, expired at {until}"),
            Self::NotYet(from) => write!(f, "it, or one that vouches for it, is good only from {from} on"),
            Self::Stranger => f.write_str("no authority that is configured for it vouches for it"),
            Self::Unreadable => f.write_str("it cannot be read"),
            Self::Unfit(what) => write!(f, "it breaks a rule of certificates ({what})"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Certificates that a peer may show beside its own; more would only be work. Our choice.
const MOST_SHOWN: usize = 8;
/// Names of a certificate that an operator is told. Our choice.
const MOST_NAMED: usize = 4;
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

    fn check(&self, certificate: &Certificate, now: UnixTime) -> Result<(), Refusal> {
        let (own, others) = certificate.chain.split_first().ok_or(Refusal::Unreadable)?;
        let own = EndEntityCert::try_from(own).map_err(|_| Refusal::Unreadable)?;
        let usage = match certificate.side {
            Side::Server => KeyUsage::server_auth(),
            Side::Client => KeyUsage::client_auth(),
        };
        let now = pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.0));
        own.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &self.anchors, others, now, usage, None, None).map_err(
            |error| match error {
                webpki::Error::CertExpired { not_after, .. } => Refusal::Expired(UnixTime(not_after.as_secs())),
                webpki::Error::CertNotValidYet { not_before, .. } => Refusal::NotYet(UnixTime(not_before.as_secs())),
                webpki::Error::UnknownIssuer => Refusal::Stranger,
                other => Refusal::Unfit(format!("{other:?}")),
            },
        )?;
        own.verify_is_valid_for_subject_name(&self.name).map_err(|_| {
            // Text of a certificate that an authority vouches for; still it goes into a log.
            let shown = own.valid_dns_names().take(MOST_NAMED).map(|name| name.escape_default().to_string()).collect();
            Refusal::OtherName { wanted: self.name.to_str().into_owned(), shown }
        })
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
                let good = authority.check(certificate, now).is_ok();
                judged.push((Arc::clone(authority), good));
                good
            }
        }
    }

    /// As [`Self::is_proved_by`], and says what is wrong; nothing is kept of it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, certificate: &Certificate, now: UnixTime) -> Result<(), Refusal> {
        match self {
            Self::Pin(pin) if certificate.pin == *pin => Ok(()),
            Self::Pin(_) => Err(Refusal::OtherKey(certificate.pin)),
            Self::Authority(authority) => authority.check(certificate, now),
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
