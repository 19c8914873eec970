//! What can be wrong with a signed zone.

use std::fmt;

use super::zonemd::ZonemdFault;
use crate::dns::{Name, NameRef, Rtype, UnixTime};
use crate::telemetry::count;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name it is about; for an NSEC3 that belongs to no name its own owner.
    pub name: Name,
    /// The type it is about; for a signature the type covered.
    pub rtype: Rtype,
    /// What is wrong.
    pub what: What,
}

impl Fault {
    pub(super) fn new(name: NameRef<'_>, rtype: Rtype, what: What) -> Self {
        Self { name: name.to_owned(), rtype, what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {}: {}", self.name, self.rtype, self.what)
    }
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Not exactly one whole SOA at the apex.
    NoSoa,
    /// No DNSKEY set with a zone key.
    NoDnskey,
    /// A DNSKEY that is broken, too small or of an algorithm that is not known here.
    BadKey(u16),
    /// The DNSKEY set is not signed by a key with the SEP flag.
    NoSep,
    /// The DNSKEY set is not signed by a key that a given anchor names.
    NoAnchor,
    /// More than one NSEC3PARAM, or one with unknown parameters or more than 150 iterations.
    Nsec3Param,
    /// Not at or below the apex.
    OutOfZone,
    /// An authoritative RRset without a signature.
    NotSigned,
    /// No signature of an algorithm that is in the DNSKEY set.
    AlgorithmMissing(u8),
    /// Signed though it is not authoritative here: glue, NS at a cut, or occluded.
    NotAuthoritative,
    /// A signature over a type that the name does not have.
    SignatureOfNothing,
    /// RRSIG RDATA that cannot be read.
    BrokenSignature,
    /// The signer is not the zone.
    WrongSigner(Name),
    /// The labels field does not fit the owner.
    WrongLabels(u8),
    /// The original TTL is not the RRset's.
    OriginalTtl(u32),
    /// The TTL of the signature is not the RRset's.
    SignatureTtl,
    /// The records of the set have different TTLs.
    TtlsDiffer,
    /// Past its expiration.
    Expired(u32),
    /// Before its inception.
    NotYetValid(u32),
    /// By a key that is not in the DNSKEY set.
    UnknownKey(u16),
    /// Does not verify under the key of that tag.
    Bogus(u16),
    /// Something beside a CNAME, or two of them.
    BesideCname,
    /// The name lacks its NSEC or NSEC3, and no opt-out covers it.
    NoLink,
    /// An NSEC or NSEC3 where none belongs.
    ForNoName,
    /// RDATA of NSEC or NSEC3 that cannot be read.
    BrokenLink,
    /// More than one NSEC or NSEC3 at an owner.
    ManyLinks,
    /// The TTL is not the smaller of SOA TTL and minimum.
    LinkTtl(u32),
    /// The next name or hash is another.
    WrongNext(String),
    /// The type bitmap is not what the name has.
    WrongTypes,
    /// NSEC3 parameters other than those of the NSEC3PARAM.
    OtherParameters,
    /// CDS or CDNSKEY for a key that is not in the DNSKEY set.
    CdsOfNoKey,
    /// A ZONEMD at the apex that does not hold.
    Zonemd(ZonemdFault),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSoa => f.write_str("the apex must have exactly one SOA"),
            Self::NoDnskey => f.write_str("there is no zone key"),
            Self::BadKey(tag) => write!(f, "key {tag} is broken, of an algorithm that is not known here, or RSA of less than 1024 bits"),
            Self::NoSep => f.write_str("no key with the SEP flag signs the keys"),
            Self::NoAnchor => f.write_str("no key that the anchor names signs the keys"),
            Self::Nsec3Param => {
                write!(f, "there must be one, with algorithm 1, flags 0 and at most {} iterations", super::nsec3::MAX_ITERATIONS)
            }
            Self::OutOfZone => f.write_str("not in the zone"),
            Self::NotSigned => f.write_str("not signed"),
            Self::AlgorithmMissing(number) => write!(f, "not signed with algorithm {number}"),
            Self::NotAuthoritative => f.write_str("signed, but not authoritative here"),
            Self::SignatureOfNothing => f.write_str("a signature, but no such records"),
            Self::BrokenSignature => f.write_str("the RRSIG cannot be read"),
            Self::WrongSigner(name) => write!(f, "signed by '{name}', not by the zone"),
            Self::WrongLabels(n) => write!(f, "the signature counts {}", count(*n, "label")),
            Self::OriginalTtl(ttl) => write!(f, "the signature is for TTL {ttl}"),
            Self::SignatureTtl => f.write_str("the signature has another TTL"),
            Self::TtlsDiffer => f.write_str("the records have different TTLs"),
            Self::Expired(time) => write!(f, "the signature expired at {}", UnixTime(u64::from(*time))),
            Self::NotYetValid(time) => write!(f, "the signature is not valid before {}", UnixTime(u64::from(*time))),
            Self::UnknownKey(tag) => write!(f, "signed by key {tag}, which is not in the zone"),
            Self::Bogus(tag) => write!(f, "the signature by key {tag} does not verify"),
            Self::BesideCname => f.write_str("beside a CNAME nothing else may stand"),
            Self::NoLink => f.write_str("missing"),
            Self::ForNoName => f.write_str("belongs to no name of the zone"),
            Self::BrokenLink => f.write_str("cannot be read"),
            Self::ManyLinks => f.write_str("more than one"),
            Self::LinkTtl(ttl) => write!(f, "the TTL must be {ttl}, the smaller of the SOA's TTL and minimum"),
            Self::WrongNext(next) => write!(f, "the next one must be '{next}'"),
            Self::WrongTypes => f.write_str("the type bitmap does not fit the name"),
            Self::OtherParameters => f.write_str("other parameters than those of the NSEC3PARAM"),
            Self::CdsOfNoKey => f.write_str("for a key that is not in the zone"),
            Self::Zonemd(fault) => fault.fmt(f),
        }
    }
}
