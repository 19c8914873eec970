//! Why an UPDATE changes nothing, for the client as a response code and for the log in words.

use std::fmt;

use crate::dns::{Name, Rtype};
use crate::zone::Finding;

/// Why an UPDATE is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// FORMERR: not as a message should be, or a record that its section cannot have.
    Malformed(&'static str),
    /// NOTAUTH: it is for this zone and class, which is another.
    OtherZone(Name),
    /// NOTZONE: a name that is not in the zone.
    NotInZone(Name),
    /// NXDOMAIN: this name should be in use.
    NameMissing(Name),
    /// YXDOMAIN: this name should not be in use.
    NameThere(Name),
    /// NXRRSET: this set should be there, or have just these records.
    SetMissing(Name, Rtype),
    /// YXRRSET: this set should not be there.
    SetThere(Name, Rtype),
    /// REFUSED: what the signer makes is not for others to change.
    Maintained(Name, Rtype),
    /// REFUSED: a signer's record, in a zone that nobody signs.
    OfSigner(Name, Rtype),
    /// REFUSED: the zone was signed elsewhere, and its signatures would not fit any more.
    SignedElsewhere,
    /// REFUSED: more records than are taken.
    TooMany(usize),
    /// REFUSED: a set would have more records than it may.
    SetTooLarge(Name, Rtype),
    /// REFUSED: the zone would have this error.
    Unsound(Finding),
}

impl Refused {
    /// The response code (RFC 2136 §2.2).
    pub fn rcode(&self) -> u16 {
        match self {
            Self::Malformed(_) => 1,
            Self::NameMissing(_) => 3,
            Self::Maintained(..)
            | Self::OfSigner(..)
            | Self::SignedElsewhere
            | Self::TooMany(_)
            | Self::SetTooLarge(..)
            | Self::Unsound(_) => 5,
            Self::NameThere(_) => 6,
            Self::SetThere(..) => 7,
            Self::SetMissing(..) => 8,
            Self::OtherZone(_) => 9,
            Self::NotInZone(_) => 10,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::OtherZone(name) => write!(f, "it is for '{name}', which is not this zone or not of class IN"),
            Self::NotInZone(name) => write!(f, "'{name}' is not in the zone"),
            Self::NameMissing(name) => write!(f, "prerequisite not met: '{name}' is not in use"),
            Self::NameThere(name) => write!(f, "prerequisite not met: '{name}' is in use"),
            Self::SetMissing(name, rtype) => write!(f, "prerequisite not met: '{name}' has no {rtype} set, or another one"),
            Self::SetThere(name, rtype) => write!(f, "prerequisite not met: '{name}' has a {rtype} set"),
            Self::Maintained(name, rtype) => write!(f, "{rtype} of '{name}' is made by the signer here and not changed by others"),
            Self::OfSigner(name, rtype) => {
                write!(f, "{rtype} of '{name}' is for a signer to make: give the zone a `policy` to have it signed here")
            }
            Self::SignedElsewhere => f.write_str("the zone is signed elsewhere, and a change would leave its signatures wrong"),
            Self::TooMany(n) => write!(f, "it has {n} records, more than are taken at once"),
            Self::Unsound(Finding { owner, fault }) => write!(f, "the zone would have an error at '{owner}': {fault}"),
            Self::SetTooLarge(name, rtype) => write!(f, "the {rtype} set of '{name}' would have more records than a set may"),
        }
    }
}

impl std::error::Error for Refused {}
