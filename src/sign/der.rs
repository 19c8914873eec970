//! The little DER that RSA keys need: from PKCS #8 (RFC 5208) to the numbers of RSAPrivateKey (RFC 8017 appendix A.1.2).

/// The eight numbers n, e, d, p, q, dP, dQ, qInv, without leading zeros.
pub(super) fn rsa_parts(pkcs8: &[u8]) -> Option<[Vec<u8>; 8]> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const OCTETS: u8 = 0x04;
    let (outer, _) = element(pkcs8, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTETS)?;
    let (key, _) = element(key, SEQUENCE)?;
    let (_version, mut rest) = element(key, INTEGER)?;
    let mut parts: [Vec<u8>; 8] = Default::default();
    for part in &mut parts {
        let (number, after) = element(rest, INTEGER)?;
        *part = trim(number).to_vec();
        rest = after;
    }
    Some(parts)
}

/// A number without leading zeros.
pub(super) fn trim(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&octet| octet == 0).count()..]
}

/// The content of the element at the start of `input`, which must have `tag`, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = input else { return None };
    if *found != tag {
        return None;
    }
    let (len, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(len)
}
