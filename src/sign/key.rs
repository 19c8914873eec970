//! One key of one zone: made, identified, and signing.
//!
//! Knows no file; `key_text` reads and writes the text of BIND's key files. ECDSA and Ed25519 are signed by ring;
//! RSA by aws-lc, which takes the key sizes that ring refuses and is twice as fast. `check` verifies each with the other one.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self as ring_signature, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::Algorithm;
use super::der;
use super::dnskey;
use crate::dns::{Name, NameRef, UnixTime};

/// A private key with its DNSKEY.
pub struct Key {
    flags: u16,
    algorithm: Algorithm,
    zone: Name,
    dnskey: Vec<u8>,
    tag: u16,
    secret: Secret,
    /// What the private part is written as, with BIND's field names.
    fields: Vec<(&'static str, Vec<u8>)>,
    /// When the key is to be used.
    pub timing: Timing,
    /// TTL given in the `.key` text, if any; kept, not used.
    pub(super) ttl: Option<u32>,
}

/// The part that signs.
enum Secret {
    Rsa(Box<rsa::KeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Timing metadata of BIND's key files (all of it in `.private`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// When the key was made.
    pub created: Option<UnixTime>,
    /// From when its DNSKEY is in the zone; absent: at once.
    pub publish: Option<UnixTime>,
    /// From when it signs; absent: at once.
    pub activate: Option<UnixTime>,
    /// From when it no longer signs; absent: never.
    pub inactive: Option<UnixTime>,
    /// From when its DNSKEY is no longer in the zone; absent: never.
    pub delete: Option<UnixTime>,
    /// From when CDS and CDNSKEY name it; absent: as long as it signs.
    pub sync_publish: Option<UnixTime>,
    /// From when CDS and CDNSKEY no longer name it; absent: never.
    pub sync_delete: Option<UnixTime>,
    /// Further lines of the private text (`Predecessor`, `Lifetime`, ...), kept as they are.
    pub other: Vec<(String, String)>,
}

impl Timing {
    /// The moments at which a key begins or ceases to do something, in no order.
    pub fn turns(&self) -> impl Iterator<Item = UnixTime> {
        [self.publish, self.activate, self.inactive, self.delete, self.sync_publish, self.sync_delete].into_iter().flatten()
    }
}

/// Flags of a DNSKEY that signs a zone (RFC 4034 §2.1.1).
pub const ZONE: u16 = 0x0100;
/// The secure entry point flag: a KSK or CSK.
pub const SEP: u16 = 0x0001;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The crypto library could not make one.
    NotMade(Algorithm),
    /// An RSA size other than 2048, 3072 or 4096 was asked for.
    Bits(u32),
    /// The size is a matter of RSA alone.
    BitsNotRsa(Algorithm),
    /// The private part is not one of the algorithm, or does not belong to the public part.
    Mismatch(Algorithm),
    /// RSA signs with 2048 to 4096 bits: less is too weak and refused by both crypto libraries, more is not allowed (RFC 5702 §2.1).
    RsaSize(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMade(algorithm) => write!(f, "no {algorithm} key could be made"),
            Self::Bits(bits) => write!(f, "RSA keys are made with 2048, 3072 or 4096 bits, not {bits}"),
            Self::BitsNotRsa(algorithm) => write!(f, "{algorithm} keys have one size, leave the bits away"),
            Self::Mismatch(algorithm) => write!(f, "the private part is no {algorithm} key or does not belong to the public part"),
            Self::RsaSize(bits) => write!(
                f,
                "an RSA key of {bits} bits does not sign here, only 2048 to 4096: make a key of another size or algorithm with \
                 `saola key generate`, and let the server that has this key sign until the new one has replaced it"
            ),
        }
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Makes a new key for `zone`. `flags` is 256 for a ZSK, 257 for a KSK or CSK; `bits` counts for RSA alone (2048 unless given).
    ///
    /// The randomness is the operating system's.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn generate(zone: NameRef<'_>, algorithm: Algorithm, flags: u16, bits: Option<u32>) -> Result<Self, KeyError> {
        let not_made = || KeyError::NotMade(algorithm);
        if algorithm != Algorithm::RsaSha256 && bits.is_some() {
            return Err(KeyError::BitsNotRsa(algorithm));
        }
        let (public, fields) = match algorithm {
            Algorithm::RsaSha256 => {
                let size = match bits.unwrap_or(2048) {
                    2048 => rsa::KeySize::Rsa2048,
                    3072 => rsa::KeySize::Rsa3072,
                    4096 => rsa::KeySize::Rsa4096,
                    other => return Err(KeyError::Bits(other)),
                };
                let pair = rsa::KeyPair::generate(size).map_err(|_| not_made())?;
                let text: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| not_made())?;
                let parts = der::rsa_parts(text.as_ref()).ok_or_else(not_made)?;
                let fields: Vec<_> = RSA_FIELDS.into_iter().zip(parts).collect();
                (dnskey::rsa_public(&fields[0].1, &fields[1].1), fields)
            }
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
                let curve = match algorithm {
                    Algorithm::EcdsaP256Sha256 => &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                    _ => &aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                };
                let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(curve).map_err(|_| not_made())?;
                let scalar = pair.private_key().as_be_bytes().map_err(|_| not_made())?;
                let point = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref().get(1..).ok_or_else(not_made)?.to_vec();
                (point, vec![(PRIVATE_FIELD, scalar.as_ref().to_vec())])
            }
            Algorithm::Ed25519 => {
                let mut seed = [0; 32];
                SystemRandom::new().fill(&mut seed).map_err(|_| not_made())?;
                let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| not_made())?;
                (pair.public_key().as_ref().to_vec(), vec![(PRIVATE_FIELD, seed.to_vec())])
            }
        };
        Self::from_parts(zone, flags, algorithm, &public, fields)
    }

    /// Puts a key together; `public` is the public key field of the DNSKEY.
    pub(super) fn from_parts(
        zone: NameRef<'_>,
        flags: u16,
        algorithm: Algorithm,
        public: &[u8],
        fields: Vec<(&'static str, Vec<u8>)>,
    ) -> Result<Self, KeyError> {
        let secret = Secret::new(algorithm, public, &fields)?;
        let mut dnskey = Vec::with_capacity(4 + public.len());
        dnskey.extend_from_slice(&flags.to_be_bytes());
        dnskey.extend_from_slice(&[3, algorithm.number()]);
        dnskey.extend_from_slice(public);
        let tag = dnskey::key_tag(&dnskey);
        Ok(Self { flags, algorithm, zone: zone.to_lowercase(), dnskey, tag, secret, fields, timing: Timing::default(), ttl: None })
    }

    /// The DNSKEY's flags.
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// True for a KSK or CSK: the parent's DS refers to it.
    pub fn is_sep(&self) -> bool {
        self.flags & SEP != 0
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The zone that it signs, in lower case.
    pub fn zone(&self) -> NameRef<'_> {
        self.zone.as_ref()
    }

    /// The DNSKEY's RDATA; it alone identifies a key.
    pub fn dnskey(&self) -> &[u8] {
        &self.dnskey
    }

    /// The key tag: a hint, not an identity (RFC 4034 appendix B).
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// RDATA of the DS for this key; digest types 1, 2 and 4.
    pub fn ds(&self, digest: u8) -> Option<Vec<u8>> {
        dnskey::ds(self.zone(), &self.dnskey, digest)
    }

    /// The size of the key: of the modulus in bits for RSA, of the curve for the others.
    pub fn bits(&self) -> usize {
        match &self.secret {
            Secret::Rsa(pair) => pair.public_modulus_len() * 8,
            Secret::Ecdsa(_) | Secret::Ed25519(_) => match self.algorithm {
                Algorithm::EcdsaP384Sha384 => 384,
                _ => 256,
            },
        }
    }

    pub(super) fn fields(&self) -> &[(&'static str, Vec<u8>)] {
        &self.fields
    }

    /// Appends the signature over `message`; ECDSA draws from `rng`.
    pub(super) fn sign(&self, message: &[u8], rng: &SystemRandom, out: &mut Vec<u8>) -> Result<(), SigningFailed> {
        let failed = SigningFailed { tag: self.tag, algorithm: self.algorithm };
        match &self.secret {
            Secret::Rsa(pair) => {
                let start = out.len();
                out.resize(start + pair.public_modulus_len(), 0);
                let rng = aws_lc_rs::rand::SystemRandom::new();
                pair.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &rng, message, &mut out[start..]).map_err(|_| failed)
            }
            Secret::Ecdsa(pair) => {
                out.extend_from_slice(pair.sign(rng, message).map_err(|_| failed)?.as_ref());
                Ok(())
            }
            Secret::Ed25519(pair) => {
                out.extend_from_slice(pair.sign(message).as_ref());
                Ok(())
            }
        }
    }
}

/// A key did not sign: the crypto library failed, which it never does with a key it has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningFailed {
    /// The tag of the key.
    pub tag: u16,
    /// Its algorithm.
    pub algorithm: Algorithm,
}

impl fmt::Debug for Key {
    /// Never shows the private part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.zone, self.flags, self.algorithm, self.tag)
    }
}

impl Secret {
    fn new(algorithm: Algorithm, public: &[u8], fields: &[(&str, Vec<u8>)]) -> Result<Self, KeyError> {
        let mismatch = || KeyError::Mismatch(algorithm);
        let field = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| &value[..]).ok_or_else(mismatch);
        match algorithm {
            Algorithm::RsaSha256 => {
                let (n, e) = dnskey::rsa_parts(public).ok_or_else(mismatch)?;
                if n != der::trim(field(RSA_FIELDS[0])?) || e != der::trim(field(RSA_FIELDS[1])?) {
                    return Err(mismatch());
                }
                match dnskey::bits(n) {
                    2048..=4096 => {}
                    bits => return Err(KeyError::RsaSize(bits)),
                }
                let private = |i: usize| field(RSA_FIELDS[i]);
                let components = rsa::KeyPairComponents {
                    public_key: rsa::PublicKeyComponents { n, e },
                    d: private(2)?,
                    p: private(3)?,
                    q: private(4)?,
                    dP: private(5)?,
                    dQ: private(6)?,
                    qInv: private(7)?,
                };
                let pair = rsa::KeyPair::from_components(&components).map_err(|_| mismatch())?;
                Ok(Self::Rsa(Box::new(pair)))
            }
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
                let (curve, len) = match algorithm {
                    Algorithm::EcdsaP256Sha256 => (&ring_signature::ECDSA_P256_SHA256_FIXED_SIGNING, 32),
                    _ => (&ring_signature::ECDSA_P384_SHA384_FIXED_SIGNING, 48),
                };
                let scalar = der::trim(field(PRIVATE_FIELD)?);
                if public.len() != 2 * len || scalar.len() > len {
                    return Err(mismatch());
                }
                // Some writers cut leading zeros off.
                let mut whole = vec![0; len - scalar.len()];
                whole.extend_from_slice(scalar);
                let point = dnskey::ecdsa_point(public);
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &whole, &point, &SystemRandom::new());
                Ok(Self::Ecdsa(Box::new(pair.map_err(|_| mismatch())?)))
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(field(PRIVATE_FIELD)?, public).map_err(|_| mismatch())?;
                Ok(Self::Ed25519(Box::new(pair)))
            }
        }
    }
}

/// BIND's names of the RSA parts, in the order of RFC 8017's RSAPrivateKey.
pub(super) const RSA_FIELDS: [&str; 8] =
    ["Modulus", "PublicExponent", "PrivateExponent", "Prime1", "Prime2", "Exponent1", "Exponent2", "Coefficient"];
/// BIND's name of the private part of the others.
pub(super) const PRIVATE_FIELD: &str = "PrivateKey";
