//! `[policy.NAME]`: how a zone is signed, as the file says it.

use std::time::Duration;

/// A signing policy (RFC 6781 on choosing the numbers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The algorithm of every key.
    pub algorithm: Algorithm,
    /// How absence is proved.
    pub denial: Denial,
    /// Which keys a zone has.
    pub keys: KeyLayout,
    /// The size of RSA keys; no meaning for the others.
    pub rsa_bits: u32,
    /// How long a signature is valid from now.
    pub validity: Duration,
    /// Signatures are renewed when so much of their validity is left, at the latest.
    pub refresh: Duration,
    /// How far before now a signature's validity starts, for resolvers whose clock is late.
    pub inception_offset: Duration,
    /// TTL of DNSKEY, CDS and CDNSKEY records, in seconds.
    pub dnskey_ttl: u32,
    /// The age at which a KSK (or CSK) is to be replaced; `None` = by hand.
    pub ksk_lifetime: Option<Duration>,
    /// The age at which a ZSK is to be replaced; `None` = by hand.
    pub zsk_lifetime: Option<Duration>,
    /// CDS and CDNSKEY are published (RFC 7344, RFC 8078).
    pub cds: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            // RFC 8624 §3.1: the algorithm every validator has, with small signatures.
            algorithm: Algorithm::EcdsaP256Sha256,
            // RFC 5155 §6: delegations without DS cost no chain link.
            denial: Denial::Nsec3OptOut,
            keys: KeyLayout::KskZsk,
            rsa_bits: 2048,
            // Three weeks, renewed at half: a dead signer is noticed long before a signature ends. Our choice.
            validity: 21 * day,
            refresh: 21 * day / 2,
            // One hour, as signers have long done for late clocks. Our choice.
            inception_offset: Duration::from_secs(3600),
            dnskey_ttl: 3600,
            ksk_lifetime: None,
            zsk_lifetime: None,
            cds: true,
        }
    }
}

/// Signing algorithms (IANA, DNS Security Algorithm Numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 8, RFC 5702.
    RsaSha256,
    /// 13, RFC 6605.
    EcdsaP256Sha256,
    /// 14, RFC 6605.
    EcdsaP384Sha384,
    /// 15, RFC 8080.
    Ed25519,
}

impl Algorithm {
    /// Every algorithm with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("rsasha256", Self::RsaSha256),
        ("ecdsap256sha256", Self::EcdsaP256Sha256),
        ("ecdsap384sha384", Self::EcdsaP384Sha384),
        ("ed25519", Self::Ed25519),
    ];

    /// The number of the registry.
    pub fn number(self) -> u8 {
        match self {
            Self::RsaSha256 => 8,
            Self::EcdsaP256Sha256 => 13,
            Self::EcdsaP384Sha384 => 14,
            Self::Ed25519 => 15,
        }
    }
}

/// How absence is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// RFC 4034 §4.
    Nsec,
    /// RFC 5155, `1 0 0 -` (RFC 9276 §3.1).
    Nsec3,
    /// The same with opt-out (RFC 5155 §6).
    Nsec3OptOut,
}

impl Denial {
    /// Every kind with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 3] = [("nsec", Self::Nsec), ("nsec3", Self::Nsec3), ("nsec3-opt-out", Self::Nsec3OptOut)];
}

/// Which keys a zone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLayout {
    /// One key signs the DNSKEY set, another everything else.
    KskZsk,
    /// One key signs everything.
    Csk,
}

impl KeyLayout {
    /// Every layout with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("ksk-zsk", Self::KskZsk), ("csk", Self::Csk)];
}
