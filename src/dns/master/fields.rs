//! What the text of each type is made of: one table, from which reader and writer both work.
//!
//! The sections are those of the RFCs that define the types.

use super::svcb;
use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;

/// One field of a type's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// One octet, decimal.
    U8,
    /// Two octets, decimal.
    U16,
    /// Four octets, decimal.
    U32,
    /// Four octets: seconds, units allowed.
    Period,
    /// A name.
    Name,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// One `<character-string>`.
    Text,
    /// One more `<character-string>` or none.
    TextOrNone,
    /// One or more `<character-string>`.
    Texts,
    /// One `<character-string>` of four or more digits (RFC 1183 §3.1).
    Digits,
    /// The rest of the RDATA as one string of any length.
    Value,
    /// The tag of CAA (RFC 8659 §4.1).
    Tag,
    /// The rest in hex, at least one octet.
    Hex,
    /// The rest in base64, at least one octet.
    Base64,
    /// The rest in base64, possibly nothing.
    Base64OrNone,
    /// The rest in base64, `-` for nothing.
    Base64OrDash,
    /// A length octet and so many octets in hex, `-` for none (RFC 5155 §3.3).
    Salt,
    /// A length octet and so many octets in base32hex (RFC 5155 §3.3).
    Hash,
    /// A type by its mnemonic.
    Type,
    /// A type bitmap of at least one type (RFC 4034 §4.1.2).
    Types,
    /// A type bitmap, possibly empty.
    TypesOrNone,
    /// A time as 14 digits (RFC 4034 §3.2).
    Time,
    /// A DNSSEC algorithm, number or mnemonic.
    Algorithm,
    /// A certificate type, number or mnemonic (RFC 4398 §2.1).
    CertType,
    /// Eight octets as four groups of hex (RFC 6742 §2.1.2).
    Locator,
    /// So many octets as hex pairs with `-` between (RFC 7043).
    Eui(usize),
    /// `0x` and hex, dots ignored (RFC 1706 §5).
    Nsap,
    /// Scheme of DSYNC, number or mnemonic (RFC 9859 §2.2).
    Scheme,
    /// All of LOC (RFC 1876 §3).
    Loc,
    /// All of APL (RFC 3123 §5).
    Apl,
    /// Parameters of SVCB (RFC 9460 §2.1).
    Params,
    /// All of IPSECKEY (RFC 4025 §3.1).
    Ipseckey,
    /// All of AMTRELAY (RFC 8777 §4.3).
    Amtrelay,
    /// All of HIP (RFC 8005 §6).
    Hip,
    /// All of WKS (RFC 1035 §3.4.2).
    Wks,
}

/// The fields of a type; `None` when only the form of RFC 3597 is known for it.
pub(super) fn fields(rtype: Rtype) -> Option<&'static [Field]> {
    use Field::*;
    Some(match rtype {
        Rtype::A => &[Ip4],
        Rtype::AAAA => &[Ip6],
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::DNAME
        | Rtype::NSAP_PTR => &[Name],
        Rtype::SOA => &[Name, Name, U32, Period, Period, Period, Period],
        Rtype::WKS => &[Wks],
        Rtype::HINFO => &[Text, Text],
        Rtype::MINFO | Rtype::RP | Rtype::TALINK => &[Name, Name],
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::LP => &[U16, Name],
        Rtype::TXT | Rtype::SPF | Rtype::AVC | Rtype::NINFO | Rtype::RESINFO | Rtype::WALLET => &[Texts],
        Rtype::X25 => &[Digits],
        Rtype::ISDN => &[Text, TextOrNone],
        Rtype::NSAP => &[Nsap],
        Rtype::SIG | Rtype::RRSIG => &[Type, Algorithm, U8, Period, Time, Time, U16, Name, Base64],
        Rtype::KEY => &[U16, U8, Algorithm, Base64OrNone],
        Rtype::DNSKEY | Rtype::CDNSKEY | Rtype::RKEY => &[U16, U8, Algorithm, Base64],
        Rtype::PX => &[U16, Name, Name],
        Rtype::GPOS => &[Text, Text, Text],
        Rtype::LOC => &[Loc],
        Rtype::SRV => &[U16, U16, U16, Name],
        Rtype::NAPTR => &[U16, U16, Text, Text, Text, Name],
        Rtype::CERT => &[CertType, U16, Algorithm, Base64],
        Rtype::APL => &[Apl],
        Rtype::DS | Rtype::CDS | Rtype::DLV | Rtype::TA => &[U16, Algorithm, U8, Hex],
        Rtype::SSHFP => &[U8, U8, Hex],
        Rtype::IPSECKEY => &[Ipseckey],
        Rtype::NSEC => &[Name, Types],
        Rtype::DHCID | Rtype::OPENPGPKEY => &[Base64],
        Rtype::NSEC3 => &[U8, U8, U16, Salt, Hash, TypesOrNone],
        Rtype::NSEC3PARAM => &[U8, U8, U16, Salt],
        Rtype::TLSA | Rtype::SMIMEA => &[U8, U8, U8, Hex],
        Rtype::HIP => &[Hip],
        Rtype::CSYNC => &[U32, U16, TypesOrNone],
        Rtype::ZONEMD => &[U32, U8, U8, Hex],
        Rtype::SVCB | Rtype::HTTPS => &[U16, Name, Params],
        Rtype::DSYNC => &[Type, Scheme, U16, Name],
        Rtype::NID | Rtype::L64 => &[U16, Locator],
        Rtype::L32 => &[U16, Ip4],
        Rtype::EUI48 => &[Eui(6)],
        Rtype::EUI64 => &[Eui(8)],
        Rtype::URI => &[U16, U16, Value],
        Rtype::CAA => &[U8, Tag, Value],
        Rtype::DOA => &[U32, U32, U8, Text, Base64OrDash],
        Rtype::AMTRELAY => &[Amtrelay],
        _ => return None,
    })
}

/// What the octets of one record have to agree on beyond their fields, for text and `\#` alike.
pub(super) fn contradiction(rtype: Rtype, rdata: &[u8]) -> Option<&'static str> {
    match (rtype, rdata) {
        // RFC 8078 §4: 0 0 0 00 and 0 3 0 AA== ask for deletion.
        (Rtype::CDS, [0, 0, 0, 0, 0]) => None,
        (Rtype::DS | Rtype::CDS | Rtype::DLV | Rtype::TA, [_, _, _, kind, digest @ ..]) => match (kind, digest.len()) {
            (1, 20) | (2 | 3 | 5, 32) | (4, 48) => None,
            (1, _) => Some("a SHA-1 digest has 20 octets"),
            (2, _) => Some("a SHA-256 digest has 32 octets"),
            (3 | 5, _) => Some("a GOST or SM3 digest has 32 octets"),
            (4, _) => Some("a SHA-384 digest has 48 octets"),
            _ => None,
        },
        (Rtype::ZONEMD, [_, _, _, _, scheme, hash, digest @ ..]) => match (scheme, hash, digest.len()) {
            (1, 1, 48) | (1, 2, 64) => None,
            (1, 1, _) => Some("a SHA-384 digest has 48 octets"),
            (1, 2, _) => Some("a SHA-512 digest has 64 octets"),
            // RFC 8976 §2.2.4; what another scheme makes of a hash is not known here, as in the zone of appendix A.3.
            (_, _, ..12) => Some("a digest of a zone has at least 12 octets"),
            _ => None,
        },
        (Rtype::SVCB | Rtype::HTTPS, [a, b, rest @ ..]) => {
            let target = NameRef::from_wire(rest).ok()?;
            svcb::problem(u16::from_be_bytes([*a, *b]), &rest[target.as_wire().len()..])
        }
        // RFC 7553 §4.5.
        (Rtype::URI, [_, _, _, _]) => Some("the target of a URI is not empty"),
        _ => None,
    }
}

/// DNSSEC algorithms by mnemonic (IANA DNS Security Algorithm Numbers).
pub(super) const ALGORITHMS: &[(u8, &str)] = &[
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (6, "NSEC3DSA"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (7, "NSEC3RSASHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (12, "ECCGOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

/// Certificate types by mnemonic (RFC 4398 §2.1).
pub(super) const CERT_TYPES: &[(u16, &str)] = &[
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];
