//! Record types and classes with their mnemonics (IANA DNS parameters, RFC 3597 §5 for the unknown).

use std::fmt;
use std::str::FromStr;

/// A record or query type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

macro_rules! types {
    ($($konst:ident = $value:literal $text:literal),* $(,)?) => {
        #[allow(missing_docs)]
        impl Rtype {
            $(pub const $konst: Rtype = Rtype($value);)*
        }

        const NAMES: &[(u16, &str)] = &[$(($value, $text)),*];
    };
}

types! {
    A = 1 "A", NS = 2 "NS", MD = 3 "MD", MF = 4 "MF", CNAME = 5 "CNAME", SOA = 6 "SOA", MB = 7 "MB", MG = 8 "MG",
    MR = 9 "MR", NULL = 10 "NULL", WKS = 11 "WKS", PTR = 12 "PTR", HINFO = 13 "HINFO", MINFO = 14 "MINFO", MX = 15 "MX",
    TXT = 16 "TXT", RP = 17 "RP", AFSDB = 18 "AFSDB", X25 = 19 "X25", ISDN = 20 "ISDN", RT = 21 "RT", NSAP = 22 "NSAP",
    NSAP_PTR = 23 "NSAP-PTR", SIG = 24 "SIG", KEY = 25 "KEY", PX = 26 "PX", GPOS = 27 "GPOS", AAAA = 28 "AAAA", LOC = 29 "LOC",
    NXT = 30 "NXT", EID = 31 "EID", NIMLOC = 32 "NIMLOC", SRV = 33 "SRV", ATMA = 34 "ATMA", NAPTR = 35 "NAPTR", KX = 36 "KX", CERT = 37 "CERT", A6 = 38 "A6",
    DNAME = 39 "DNAME", SINK = 40 "SINK", OPT = 41 "OPT", APL = 42 "APL", DS = 43 "DS", SSHFP = 44 "SSHFP", IPSECKEY = 45 "IPSECKEY", RRSIG = 46 "RRSIG",
    NSEC = 47 "NSEC", DNSKEY = 48 "DNSKEY", DHCID = 49 "DHCID", NSEC3 = 50 "NSEC3", NSEC3PARAM = 51 "NSEC3PARAM",
    TLSA = 52 "TLSA", SMIMEA = 53 "SMIMEA", HIP = 55 "HIP", NINFO = 56 "NINFO", RKEY = 57 "RKEY", TALINK = 58 "TALINK", CDS = 59 "CDS", CDNSKEY = 60 "CDNSKEY", OPENPGPKEY = 61 "OPENPGPKEY",
    CSYNC = 62 "CSYNC", ZONEMD = 63 "ZONEMD", SVCB = 64 "SVCB", HTTPS = 65 "HTTPS", DSYNC = 66 "DSYNC", SPF = 99 "SPF",
    NID = 104 "NID", L32 = 105 "L32", L64 = 106 "L64", LP = 107 "LP", EUI48 = 108 "EUI48", EUI64 = 109 "EUI64",
    TKEY = 249 "TKEY", TSIG = 250 "TSIG", IXFR = 251 "IXFR", AXFR = 252 "AXFR", MAILB = 253 "MAILB", MAILA = 254 "MAILA",
    ANY = 255 "ANY", URI = 256 "URI", CAA = 257 "CAA", AVC = 258 "AVC", DOA = 259 "DOA", AMTRELAY = 260 "AMTRELAY", RESINFO = 261 "RESINFO", WALLET = 262 "WALLET",
    TA = 32768 "TA", DLV = 32769 "DLV",
}

impl Rtype {
    /// True for types that only a query or a message's own machinery may carry: OPT, and 128-255 (RFC 6895 §3.1).
    pub fn is_meta(self) -> bool {
        self.0 == 0 || self == Self::OPT || (128..=255).contains(&self.0)
    }
}

impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.binary_search_by_key(&self.0, |&(value, _)| value) {
            Ok(i) => f.write_str(NAMES[i].1),
            Err(_) => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Rtype {
    type Err = UnknownMnemonic;

    /// Reads a mnemonic or `TYPEnnn`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownMnemonic> {
        if let Some(&(value, _)) = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(Self(value));
        }
        numbered(text, "TYPE").map(Self)
    }
}

/// A class; only IN holds zones here, CH the server's own names.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class(pub u16);

#[allow(missing_docs)]
impl Class {
    pub const IN: Class = Class(1);
    pub const CH: Class = Class(3);
    pub const HS: Class = Class(4);
    pub const NONE: Class = Class(254);
    pub const ANY: Class = Class(255);
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("IN"),
            3 => f.write_str("CH"),
            4 => f.write_str("HS"),
            254 => f.write_str("NONE"),
            255 => f.write_str("ANY"),
            n => write!(f, "CLASS{n}"),
        }
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Class {
    type Err = UnknownMnemonic;

    /// Reads a mnemonic or `CLASSnnn`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownMnemonic> {
        for (value, name) in [(1, "IN"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")] {
            if name.eq_ignore_ascii_case(text) {
                return Ok(Self(value));
            }
        }
        numbered(text, "CLASS").map(Self)
    }
}

/// The text names no type or class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMnemonic;

fn numbered(text: &str, word: &str) -> Result<u16, UnknownMnemonic> {
    let (head, digits) = text.split_at_checked(word.len()).ok_or(UnknownMnemonic)?;
    if !head.eq_ignore_ascii_case(word) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UnknownMnemonic);
    }
    digits.parse().map_err(|_| UnknownMnemonic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_are_sorted_and_read_back() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for &(value, name) in NAMES {
            assert_eq!(name.to_lowercase().parse(), Ok(Rtype(value)));
        }
        assert_eq!(Rtype(65280).to_string(), "TYPE65280");
        assert_eq!("type65280".parse(), Ok(Rtype(65280)));
        assert_eq!("TYPE65536".parse::<Rtype>(), Err(UnknownMnemonic));
        assert_eq!("TYPE+1".parse::<Rtype>(), Err(UnknownMnemonic));
    }
}
