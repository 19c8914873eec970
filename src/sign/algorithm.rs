//! The algorithms that sign here (RFC 5702 RSA, RFC 6605 ECDSA, RFC 8080 Ed25519) and their names.

use std::fmt;
use std::str::FromStr;

/// A DNSSEC signing algorithm; exactly those that RFC 8624 §3.1 lets sign, but for Ed448 and RSA/SHA-512.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 8, RSASHA256 (RFC 5702).
    RsaSha256,
    /// 13, ECDSAP256SHA256 (RFC 6605).
    EcdsaP256Sha256,
    /// 14, ECDSAP384SHA384 (RFC 6605).
    EcdsaP384Sha384,
    /// 15, ED25519 (RFC 8080).
    Ed25519,
}

impl Algorithm {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::RsaSha256, Self::EcdsaP256Sha256, Self::EcdsaP384Sha384, Self::Ed25519];

    /// The number in DNSKEY, RRSIG and DS.
    pub fn number(self) -> u8 {
        match self {
            Self::RsaSha256 => 8,
            Self::EcdsaP256Sha256 => 13,
            Self::EcdsaP384Sha384 => 14,
            Self::Ed25519 => 15,
        }
    }

    /// The algorithm of that number, if it signs here.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    fn mnemonic(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSASHA256",
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Self::EcdsaP384Sha384 => "ECDSAP384SHA384",
            Self::Ed25519 => "ED25519",
        }
    }
}

impl fmt::Display for Algorithm {
    /// The mnemonic of the IANA registry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

/// The text names no algorithm that signs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAlgorithm(pub String);

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no algorithm that signs here: use ecdsap256sha256, ecdsap384sha384, ed25519 or rsasha256", self.0)
    }
}

impl std::error::Error for UnknownAlgorithm {}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a mnemonic in any case, or the number.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.mnemonic().eq_ignore_ascii_case(text) || text == algorithm.number().to_string())
            .ok_or_else(|| UnknownAlgorithm(text.to_owned()))
    }
}
