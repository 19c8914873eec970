//! The Ed25519 signature over `deposit.toml`: whom to believe, and whether an unsigned deposit is taken.
//!
//! The header holds the SHA-256 of every file, so that this one signature covers the whole deposit. RFC 8032.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::refusal::{DepositError, Reason};

/// An Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the 32 octets of a key.
    pub fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// Reads a key as base64 or 64 hex digits of the 32 octets, or as PEM (`BEGIN PUBLIC KEY`, RFC 8410 §4).
    pub fn parse(text: &str) -> Option<Self> {
        let body: String = text.lines().filter(|line| !line.starts_with("-----") && !line.starts_with('#')).map(str::trim).collect();
        let octets = match body.len() {
            64 => HEXLOWER_PERMISSIVE.decode(body.as_bytes()).ok()?,
            _ => BASE64.decode(body.as_bytes()).ok()?,
        };
        let key = octets.strip_prefix(&SPKI_PREFIX).unwrap_or(&octets);
        key.try_into().ok().map(Self)
    }
}

/// What RFC 8410 §4 puts in front of the 32 octets of an Ed25519 key in DER.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Whether deposits must be signed, and by whom.
///
/// With keys, a signature that is there must be good. With `required`, it must be there.
#[derive(Clone, Debug, Default)]
pub struct SignaturePolicy {
    /// Any of these may have signed.
    pub keys: Vec<PublicKey>,
    /// Refuse a deposit without a signature.
    pub required: bool,
}

impl SignaturePolicy {
    /// Judges `signature` (64 octets, or the same in base64 or hex) over `message`.
    pub(super) fn check(&self, message: &[u8], signature: Option<&[u8]>) -> Result<(), DepositError> {
        let refuse = |detail: &str| Err(DepositError::in_file(Reason::Signature, SIGNATURE_FILE, detail));
        let Some(signature) = signature else {
            return if self.required { refuse("there is no signature, and one is required") } else { Ok(()) };
        };
        if self.keys.is_empty() {
            return if self.required { refuse("a signature is required, but no public key is configured") } else { Ok(()) };
        }
        let Some(signature) = decode(signature) else { return refuse("want 64 octets, raw or as base64 or hex") };
        if self.keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, &key.0).verify(message, &signature).is_ok()) {
            Ok(())
        } else {
            refuse("the signature over deposit.toml is by none of the configured keys")
        }
    }
}

/// The name of the signature's file, beside `deposit.toml`.
pub(super) const SIGNATURE_FILE: &str = "deposit.toml.sig";

fn decode(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() == 64 {
        return Some(file.to_vec());
    }
    let text = file.trim_ascii();
    let octets = match text.len() {
        128 => HEXLOWER_PERMISSIVE.decode(text).ok()?,
        _ => BASE64.decode(text).ok()?,
    };
    (octets.len() == 64).then_some(octets)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn a_signature_is_judged_by_policy() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("seed of 32");
        let octets: [u8; 32] = pair.public_key().as_ref().try_into().expect("32");
        let key = PublicKey::parse(&BASE64.encode(&octets)).expect("base64");
        assert_eq!(PublicKey::parse(&HEXLOWER.encode(&octets)), Some(key.clone()));
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&[&SPKI_PREFIX[..], &octets].concat()));
        assert_eq!(PublicKey::parse(&pem), Some(key.clone()));
        assert_eq!(PublicKey::parse("short"), None);

        let raw = pair.sign(b"header").as_ref().to_vec();
        let open = SignaturePolicy::default();
        let strict = SignaturePolicy { keys: vec![PublicKey::new([9; 32]), key], required: true };
        assert!(open.check(b"header", None).is_ok() && open.check(b"header", Some(b"junk")).is_ok());
        for form in [raw.clone(), format!("{}\n", BASE64.encode(&raw)).into_bytes(), HEXLOWER.encode(&raw).into_bytes()] {
            assert!(strict.check(b"header", Some(&form)).is_ok());
            let code = |result: Result<(), DepositError>| result.map_err(|e| e.reason);
            assert_eq!(code(strict.check(b"Header", Some(&form))), Err(Reason::Signature));
            assert_eq!(code(strict.check(b"header", Some(&form[1..]))), Err(Reason::Signature));
        }
        assert!(strict.check(b"header", None).is_err());
        assert!(SignaturePolicy { keys: vec![], required: true }.check(b"header", Some(&raw)).is_err());
    }
}
