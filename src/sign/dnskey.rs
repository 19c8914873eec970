//! DNSKEY and DS RDATA: public keys in their DNSSEC form, key tags, digests (RFC 3110, 4034 §5 and appendix B, 4509, 6605).

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384};

use crate::dns::NameRef;

/// The key tag of DNSKEY RDATA (RFC 4034 appendix B): a hint, not an identity.
pub fn key_tag(dnskey: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in dnskey.chunks(2) {
        sum = sum.wrapping_add(u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)));
    }
    (sum.wrapping_add(sum >> 16) & 0xffff) as u16
}

/// RDATA of the DS that refers to `dnskey` at `zone`; `None` for digest types other than 1, 2 and 4.
pub fn ds(zone: NameRef<'_>, dnskey: &[u8], digest: u8) -> Option<Vec<u8>> {
    let owner = zone.to_lowercase();
    let input = [owner.as_ref().as_wire(), dnskey];
    let algorithm = *dnskey.get(3)?;
    let mut rdata = key_tag(dnskey).to_be_bytes().to_vec();
    rdata.extend_from_slice(&[algorithm, digest]);
    match digest {
        1 => rdata.extend_from_slice(&hash::<Sha1>(input)),
        2 => rdata.extend_from_slice(&hash::<Sha256>(input)),
        4 => rdata.extend_from_slice(&hash::<Sha384>(input)),
        _ => return None,
    }
    Some(rdata)
}

fn hash<D: Digest>(input: [&[u8]; 2]) -> sha1::digest::Output<D> {
    D::new().chain_update(input[0]).chain_update(input[1]).finalize()
}

/// RFC 3110 §2: length of the exponent, exponent, modulus; both numbers without leading zeros.
pub(super) fn rsa_public(n: &[u8], e: &[u8]) -> Vec<u8> {
    let mut public = Vec::with_capacity(3 + e.len() + n.len());
    match u8::try_from(e.len()) {
        Ok(len) if len > 0 => public.push(len),
        _ => {
            public.push(0);
            public.extend_from_slice(&(e.len() as u16).to_be_bytes());
        }
    }
    public.extend_from_slice(e);
    public.extend_from_slice(n);
    public
}

/// Modulus and exponent from an RSA public key field.
pub(super) fn rsa_parts(public: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = match public {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [len, rest @ ..] => (usize::from(*len), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(len)?;
    let (e, n) = (super::der::trim(e), super::der::trim(n));
    (!e.is_empty() && !n.is_empty()).then_some((n, e))
}

/// How many bits a number without leading zeros has.
pub(super) fn bits(n: &[u8]) -> usize {
    8 * n.len() - n.first().map_or(0, |octet| octet.leading_zeros() as usize)
}

/// The uncompressed point of SEC 1 from the two coordinates that a DNSKEY holds (RFC 6605 §4).
pub(super) fn ecdsa_point(public: &[u8]) -> Vec<u8> {
    let mut point = Vec::with_capacity(1 + public.len());
    point.push(4);
    point.extend_from_slice(public);
    point
}
