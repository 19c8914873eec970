//! Server cookies: interoperable, stateless, keyed by SipHash-2-4. RFC 7873, RFC 9018 §4.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::dns::UnixTime;

/// Seconds for which a server cookie is taken (RFC 9018 §4.3).
const LIFETIME_SECS: u32 = 3600;
/// Age from which a new one is given in place of the old (RFC 9018 §4.3).
const RENEWED_AFTER_SECS: u32 = 1800;
/// Seconds that a cookie may come from the future (RFC 9018 §4.3).
const AHEAD_SECS: u32 = 300;

/// The cookie option of the reply: the client's 8 octets and 16 of ours.
///
/// A server cookie that still stands for a while is given back as it is. The clock is compared by RFC 1982.
pub fn reply(cookie: &[u8], client: IpAddr, secrets: &[[u8; 16]], now: UnixTime) -> Option<[u8; 24]> {
    let secret = secrets.first()?;
    let mut out = [0u8; 24];
    out[..8].copy_from_slice(cookie.get(..8)?);
    if let Some(server) = cookie.get(8..24).filter(|_| cookie.len() == 24)
        && is_valid(&out, server, client, secret, now, RENEWED_AFTER_SECS)
    {
        out[8..].copy_from_slice(server);
        return Some(out);
    }
    out[8] = 1;
    out[12..16].copy_from_slice(&now.as_rrsig().to_be_bytes());
    let hash = hash(&out, client, secret);
    out[16..].copy_from_slice(&hash);
    Some(out)
}

/// True if the client has shown a server cookie of ours that is not too old: it is no spoofed address.
pub fn is_proven(cookie: &[u8], client: IpAddr, secrets: &[[u8; 16]], now: UnixTime) -> bool {
    let Some(server) = cookie.get(8..24).filter(|_| cookie.len() == 24) else { return false };
    let mut out = [0u8; 24];
    out[..8].copy_from_slice(&cookie[..8]);
    secrets.iter().any(|secret| is_valid(&out, server, client, secret, now, LIFETIME_SECS))
}

fn is_valid(with_client: &[u8; 24], server: &[u8], client: IpAddr, secret: &[u8; 16], now: UnixTime, max_age: u32) -> bool {
    let mut expected = *with_client;
    expected[8..16].copy_from_slice(&server[..8]);
    let made = u32::from_be_bytes([server[4], server[5], server[6], server[7]]);
    let age = now.as_rrsig().wrapping_sub(made);
    let in_time = age <= max_age || age.wrapping_neg() <= AHEAD_SECS;
    let hash = hash(&expected, client, secret);
    // Every octet is looked at, whatever the first ones say.
    let differs = hash.iter().zip(&server[8..]).fold(0, |differs, (a, b)| differs | (a ^ b));
    // The reserved octets are hashed as they came (RFC 9018 §4.2).
    server[0] == 1 && in_time && differs == 0
}

fn hash(cookie: &[u8; 24], client: IpAddr, secret: &[u8; 16]) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&cookie[..16]);
    match client {
        IpAddr::V4(address) => hasher.write(&address.octets()),
        IpAddr::V6(address) => hasher.write(&address.octets()),
    }
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex")
    }

    /// The test vectors of RFC 9018 appendix A.
    #[test]
    fn vectors_of_rfc_9018() {
        let secret: [u8; 16] = hex("e5e973e5a6b2a43f48e7dc849e37bfcf").try_into().expect("16");
        let client = "198.51.100.100".parse().expect("address");
        let new = reply(&hex("2464c4abcf10c957"), client, &[secret], UnixTime(1_559_731_985));
        assert_eq!(new.expect("a cookie").to_vec(), hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
        let client = "203.0.113.203".parse().expect("address");
        let old = hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        assert!(is_proven(&old, client, &[secret], UnixTime(1_559_728_000)), "reserved octets are taken as they came");
        let v6 = "2001:db8:220:1:59de:d0f4:8769:82b8".parse().expect("address");
        let old: [u8; 16] = hex("dd3bdf9344b678b185a6f5cb60fca715").try_into().expect("16");
        let secret: [u8; 16] = hex("445536bcd2513298075a5d379663c962").try_into().expect("16");
        let known = hex("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
        assert!(is_proven(&known, v6, &[secret, old], UnixTime(1_559_741_961)));
        assert!(!is_proven(&known, v6, &[secret], UnixTime(1_559_741_961)));
        let new = reply(&hex("22681ab97d52c298"), v6, &[secret], UnixTime(1_559_741_961));
        assert_eq!(new.expect("a cookie").to_vec(), hex("22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
    }

    #[test]
    fn ages() {
        let secrets = [[7; 16], [9; 16]];
        let client = "192.0.2.1".parse().expect("address");
        let made = reply(&[1; 8], client, &secrets[1..], UnixTime(10_000)).expect("a cookie");
        for (now, proven) in [(10_000, true), (13_600, true), (13_601, false), (9_701, true), (9_699, false)] {
            assert_eq!(is_proven(&made, client, &secrets, UnixTime(now)), proven, "{now}");
        }
        let young = reply(&made, client, &secrets[1..], UnixTime(11_000)).expect("a cookie");
        assert_eq!(young, made);
        assert_ne!(reply(&made, client, &secrets[1..], UnixTime(12_000)).expect("a cookie"), made);
        assert!(!is_proven(&made, "192.0.2.2".parse().expect("address"), &secrets, UnixTime(10_000)));
        assert_eq!(reply(&[1; 8], client, &[], UnixTime(0)), None);
    }
}
