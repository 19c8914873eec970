//! What can be wrong with the records of a zone, how bad it is, and how it is said.

use std::fmt;

use crate::dns::{Name, Rtype};

/// Something wrong at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub owner: Name,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    /// One line: `error: owner: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.fault.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.owner, self.fault)
    }
}

/// How bad a [`Fault`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The zone must not be served like this.
    Error,
    /// It can be served, but somebody should look at it.
    Warning,
}

/// What can be wrong with the records of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No SOA at the apex.
    NoSoa,
    /// More than one SOA at the apex.
    ManySoa,
    /// A SOA below the apex.
    LowerSoa,
    /// No NS at the apex.
    NoNs,
    /// The owner is not at or below the apex.
    OutOfZone,
    /// A CNAME beside other data.
    CnameAndOther(Rtype),
    /// More than one CNAME at a name.
    ManyCname,
    /// More than one DNAME at a name.
    ManyDname,
    /// NS and DNAME at one name below the apex.
    DnameAndNs,
    /// A name below a DNAME, which hides it.
    BelowDname(Name),
    /// Data below or at a zone cut that is no glue: it is hidden.
    Occluded(Rtype),
    /// A DS where nothing is delegated.
    DsWithoutNs,
    /// A DS at the apex: it belongs into the parent.
    ApexDs,
    /// NS at a wildcard.
    WildcardNs,
    /// DNAME at a wildcard.
    WildcardDname,
    /// A type that only the apex gives a meaning.
    OnlyAtApex(Rtype),
    /// NSEC3PARAM without NSEC3 records of the same parameters.
    ParametersOfNoChain,
    /// NSEC3 records without an NSEC3PARAM of the same parameters.
    ChainOfNoParameters,
    /// TTLs differ within an RRset.
    Ttls(Rtype),
    /// An RRset that with its signatures fits no message.
    TooLarge(Rtype),
    /// So many iterations of NSEC3 that resolvers take the zone for unsigned.
    Iterations(u16),
    /// A name server in its own delegation, or of the apex, without an address.
    NoAddress(Name),
    /// A target elsewhere in the zone without an address.
    TargetWithoutAddress(Rtype, Name),
    /// A target that reads like an IPv4 address.
    AddressAsName(Rtype, Name),
    /// A name server that is an alias.
    NsToCname(Name),
    /// A name server below a DNAME of the zone: an alias as well.
    NsBelowDname(Name),
    /// Another target that is an alias.
    TargetToCname(Rtype, Name),
}

impl Fault {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoSoa
            | Self::ManySoa
            | Self::LowerSoa
            | Self::NoNs
            | Self::OutOfZone
            | Self::CnameAndOther(_)
            | Self::ManyCname
            | Self::ManyDname
            | Self::DnameAndNs
            | Self::BelowDname(_)
            | Self::ApexDs
            | Self::WildcardNs
            | Self::NoAddress(_)
            | Self::TooLarge(_)
            | Self::NsToCname(_)
            | Self::NsBelowDname(_) => Severity::Error,
            Self::Occluded(_)
            | Self::DsWithoutNs
            | Self::WildcardDname
            | Self::OnlyAtApex(_)
            | Self::ParametersOfNoChain
            | Self::ChainOfNoParameters
            | Self::AddressAsName(..)
            | Self::Ttls(_)
            | Self::Iterations(_)
            | Self::TargetWithoutAddress(..)
            | Self::TargetToCname(..) => Severity::Warning,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSoa => f.write_str("the zone has no SOA at its apex"),
            Self::ManySoa => f.write_str("more than one SOA"),
            Self::LowerSoa => f.write_str("a SOA below the apex"),
            Self::NoNs => f.write_str("the zone has no NS at its apex"),
            Self::OutOfZone => f.write_str("not in the zone"),
            Self::CnameAndOther(rtype) => write!(f, "CNAME and {rtype} at the same name"),
            Self::ManyCname => f.write_str("more than one CNAME"),
            Self::ManyDname => f.write_str("more than one DNAME"),
            Self::DnameAndNs => f.write_str("DNAME and NS at the same name below the apex"),
            Self::BelowDname(dname) => write!(f, "hidden below the DNAME at {dname}"),
            Self::Occluded(rtype) => write!(f, "{rtype} is hidden by a delegation and is no glue"),
            Self::DsWithoutNs => f.write_str("DS without a delegation"),
            Self::ApexDs => f.write_str("DS at the apex, it belongs into the parent's zone"),
            Self::WildcardNs => f.write_str("NS at a wildcard has no defined meaning"),
            Self::WildcardDname => f.write_str("DNAME at a wildcard gives answers that differ between servers"),
            Self::OnlyAtApex(rtype) => write!(f, "{rtype} has a meaning at the apex alone"),
            Self::ParametersOfNoChain => f.write_str("NSEC3PARAM without NSEC3 records of the same parameters"),
            Self::ChainOfNoParameters => f.write_str("NSEC3 records without an NSEC3PARAM of the same parameters"),
            Self::Ttls(rtype) => write!(f, "the TTLs of the {rtype} records differ; the smallest is taken"),
            Self::TooLarge(rtype) => write!(f, "the {rtype} RRset fits no message of 65535 octets, no client can have it"),
            Self::Iterations(n) => write!(f, "NSEC3 with {n} iterations: resolvers take the zone for unsigned (RFC 9276), use 0"),
            Self::NoAddress(target) => write!(f, "name server {target} has no address in the zone"),
            Self::TargetWithoutAddress(rtype, target) => write!(f, "{rtype} target {target} has no address in the zone"),
            Self::AddressAsName(rtype, target) => write!(f, "{rtype} target {target} reads like an address, a name belongs there"),
            Self::NsBelowDname(target) => write!(f, "name server {target} is below a DNAME, so it is an alias"),
            Self::NsToCname(target) => write!(f, "name server {target} is an alias (CNAME)"),
            Self::TargetToCname(rtype, target) => write!(f, "{rtype} target {target} is an alias (CNAME)"),
        }
    }
}
