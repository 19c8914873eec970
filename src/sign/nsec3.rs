//! Hashed names of NSEC3 (RFC 5155 §5 and §3.3). SHA-1 alone is defined.

use data_encoding::{BASE32HEX_NOPAD, Encoding};
use sha1::{Digest, Sha1};

use crate::dns::{Name, NameRef};

/// A hashed name.
pub type Hash = [u8; 20];

/// The most additional iterations that are signed or verified here; resolvers take more for insecure (RFC 9276 §3.2).
pub const MAX_ITERATIONS: u16 = 150;

/// Hashes names with one zone's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hasher {
    /// Appended to what is hashed, at each iteration.
    pub salt: Vec<u8>,
    /// How often the hash is hashed again.
    pub iterations: u16,
}

impl Hasher {
    /// The hash of `name`, whose case does not matter (RFC 5155 §5).
    pub fn hash(&self, name: NameRef<'_>) -> Hash {
        let wire = name.as_wire();
        let mut lower = [0; crate::dns::name::MAX_NAME];
        let lower = &mut lower[..wire.len()];
        lower.copy_from_slice(wire);
        lower.make_ascii_lowercase();
        let mut digest: Hash = Sha1::new().chain_update(&*lower).chain_update(&self.salt).finalize().into();
        for _ in 0..self.iterations {
            digest = Sha1::new().chain_update(digest).chain_update(&self.salt).finalize().into();
        }
        digest
    }

    /// RDATA of the NSEC3PARAM (RFC 5155 §4.2); flags are 0 also with opt-out (§4.1.2).
    pub fn param(&self) -> Vec<u8> {
        self.head(0)
    }

    /// The RDATA up to the salt, which NSEC3 and NSEC3PARAM share.
    pub(super) fn head(&self, flags: u8) -> Vec<u8> {
        let mut head = vec![1, flags];
        head.extend_from_slice(&self.iterations.to_be_bytes());
        head.push(self.salt.len() as u8);
        head.extend_from_slice(&self.salt);
        head
    }
}

/// The label of a hash: base32hex, lower case.
pub fn label(hash: &Hash) -> [u8; 32] {
    let mut label = [0; 32];
    BASE32HEX_NOPAD.encode_mut(hash, &mut label);
    label.make_ascii_lowercase();
    label
}

/// The owner of the NSEC3 for a hash, or `None` where the apex leaves no room for it.
pub fn owner(hash: &Hash, apex: NameRef<'_>) -> Option<Name> {
    Name::prepend(&label(hash), apex).ok()
}

/// The hash that a label of an NSEC3 owner stands for.
pub fn parse_label(label: &[u8]) -> Option<Hash> {
    let label: [u8; 32] = label.try_into().ok()?;
    let decoder: Encoding = BASE32HEX_NOPAD;
    let mut hash = [0; 20];
    decoder.decode_mut(&label.to_ascii_uppercase(), &mut hash).ok()?;
    Some(hash)
}

/// NSEC3 RDATA taken apart (RFC 5155 §3.2).
pub(super) struct Nsec3<'a> {
    pub algorithm: u8,
    pub flags: u8,
    pub iterations: u16,
    pub salt: &'a [u8],
    pub next: Hash,
    pub bitmap: &'a [u8],
}

impl<'a> Nsec3<'a> {
    pub(super) fn read(rdata: &'a [u8]) -> Option<Self> {
        let [algorithm, flags, i, j, salt_len, rest @ ..] = rdata else { return None };
        let (salt, rest) = rest.split_at_checked(*salt_len as usize)?;
        let (hash_len, rest) = rest.split_first()?;
        let (next, bitmap) = rest.split_at_checked(*hash_len as usize)?;
        let iterations = u16::from_be_bytes([*i, *j]);
        Some(Self { algorithm: *algorithm, flags: *flags, iterations, salt, next: next.try_into().ok()?, bitmap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_rfc_5155_appendix_a() {
        let hasher = Hasher { salt: vec![0xaa, 0xbb, 0xcc, 0xdd], iterations: 12 };
        for (name, expected) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"),
            ("ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
            ("ns2.example", "q04jkcevqvmu85r014c7dkba38o0ji5r"),
            ("w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("x.w.example", "b4um86eghhds6nea196smvmlo4ors995"),
            ("y.w.example", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"),
            ("X.Y.W.example", "2vptu5timamqttgl4luu9kg21e0aor3s"),
            ("xx.example", "t644ebqk9bibcna874givr6joj62mlhv"),
        ] {
            let hash = hasher.hash(Name::parse(name).expect("name").as_ref());
            assert_eq!(std::str::from_utf8(&label(&hash)), Ok(expected), "{name}");
            assert_eq!(parse_label(expected.to_uppercase().as_bytes()), Some(hash));
        }
    }
}
