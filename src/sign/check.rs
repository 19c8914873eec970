//! Checks one signature with the crypto library that did not make it: aws-lc for ECDSA and Ed25519, ring for RSA.

use aws_lc_rs::signature::{self as aws, ParsedPublicKey};
use ring::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents};

use super::{Algorithm, dnskey};

/// A public key ready to check signatures.
pub(super) enum Checker {
    Parsed(ParsedPublicKey),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Checker {
    /// Takes DNSKEY RDATA; `None` when the algorithm does not sign here or the key is broken or too small.
    pub(super) fn new(rdata: &[u8]) -> Option<Self> {
        let [_, _, 3, number, public @ ..] = rdata else { return None };
        let ecdsa = |algorithm, len| {
            let point = (public.len() == len).then(|| dnskey::ecdsa_point(public))?;
            ParsedPublicKey::new(algorithm, point).ok().map(Self::Parsed)
        };
        match Algorithm::from_number(*number)? {
            Algorithm::RsaSha256 => {
                let (n, e) = dnskey::rsa_parts(public)?;
                // Zones of others have keys of 1024 bits; less is nowhere taken for a signature any more.
                if dnskey::bits(n) < 1024 {
                    return None;
                }
                Some(Self::Rsa { n: n.to_vec(), e: e.to_vec() })
            }
            Algorithm::EcdsaP256Sha256 => ecdsa(&aws::ECDSA_P256_SHA256_FIXED, 64),
            Algorithm::EcdsaP384Sha384 => ecdsa(&aws::ECDSA_P384_SHA384_FIXED, 96),
            Algorithm::Ed25519 => ParsedPublicKey::new(&aws::ED25519, public).ok().map(Self::Parsed),
        }
    }

    /// True if `signature` is one over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Parsed(key) => key.verify_sig(message, signature).is_ok(),
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, message, signature).is_ok()
            }
        }
    }
}
