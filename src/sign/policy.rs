//! How a zone is signed: an operator's wishes as values. Defaults are those of the registry's zones.

use std::fmt;
use std::str::FromStr;

use super::Algorithm;

/// One signing policy. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The algorithm of keys that are made; keys that exist sign with their own.
    pub algorithm: Algorithm,
    /// The denial of existence.
    pub denial: Denial,
    /// From now to the latest expiration of a signature.
    pub validity: u32,
    /// A signature that expires within so many seconds is made anew.
    pub refresh: u32,
    /// Signatures start so long before now, for resolvers whose clock is late.
    pub inception_offset: u32,
    /// Expirations are spread over so many seconds before the end of `validity`, by a hash of the owner,
    /// so that not all of a zone is due at once. Smaller than `validity - refresh`.
    pub jitter: u32,
    /// TTL of DNSKEY, CDS and CDNSKEY.
    pub dnskey_ttl: u32,
    /// One key that signs everything, in place of KSK and ZSK.
    pub csk: bool,
    /// Publish CDS and CDNSKEY for the keys that the parent should refer to (RFC 7344).
    pub cds: bool,
    /// Make one ZONEMD, with SHA-384, whatever the content has (RFC 8976). [`sign_diff`](super::sign_diff) makes those that the content has.
    pub zonemd: bool,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: u32 = 86400;
        Self {
            algorithm: Algorithm::EcdsaP256Sha256,
            denial: Denial::NSEC3_OPT_OUT,
            validity: 21 * DAY,
            refresh: 21 * DAY / 2,
            inception_offset: 3600,
            // A seventh of the validity; our choice, no RFC.
            jitter: 3 * DAY,
            dnskey_ttl: 3600,
            csk: false,
            cds: true,
            // RFC 8976 §2.1: a zone may have one; it costs a pass over the zone for each version.
            zonemd: false,
        }
    }
}

/// The kind of chain that proves what does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// NSEC (RFC 4034 §4).
    Nsec,
    /// NSEC3 with SHA-1 (RFC 5155).
    Nsec3 {
        /// Insecure delegations have no link of their own (RFC 5155 §6).
        opt_out: bool,
        /// Up to 255 octets; empty is what RFC 9276 §3.1 asks for.
        salt: Vec<u8>,
        /// Additional iterations; 0 is what RFC 9276 §3.1 asks for.
        iterations: u16,
    },
}

impl Denial {
    /// NSEC3 `1 0 0 -`.
    pub const NSEC3: Self = Self::Nsec3 { opt_out: false, salt: Vec::new(), iterations: 0 };
    /// NSEC3 `1 0 0 -` with opt-out.
    pub const NSEC3_OPT_OUT: Self = Self::Nsec3 { opt_out: true, salt: Vec::new(), iterations: 0 };

    /// True for NSEC3 with opt-out.
    pub fn is_opt_out(&self) -> bool {
        matches!(self, Self::Nsec3 { opt_out: true, .. })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nsec => "nsec",
            Self::Nsec3 { opt_out: false, .. } => "nsec3",
            Self::Nsec3 { opt_out: true, .. } => "nsec3-opt-out",
        })
    }
}

/// The text names no kind of denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDenial(pub String);

impl fmt::Display for UnknownDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no denial of existence: use nsec3-opt-out, nsec3 or nsec", self.0)
    }
}

impl std::error::Error for UnknownDenial {}

impl FromStr for Denial {
    type Err = UnknownDenial;

    fn from_str(text: &str) -> Result<Self, UnknownDenial> {
        match text {
            "nsec" => Ok(Self::Nsec),
            "nsec3" => Ok(Self::NSEC3),
            "nsec3-opt-out" => Ok(Self::NSEC3_OPT_OUT),
            _ => Err(UnknownDenial(text.to_owned())),
        }
    }
}
