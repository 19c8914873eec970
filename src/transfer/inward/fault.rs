//! What is wrong with an answer, in the operator's words.

use std::fmt;

use crate::dns::{Name, Rtype, Serial};
use crate::telemetry::rcode_name;
use crate::transfer::tsig;

/// Why an answer is not taken. Nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message whose records are not whole, or that goes on behind them.
    NotWhole,
    /// An id that is not the question's.
    OtherId,
    /// A request, or the answer to something else than a query.
    NoAnswer,
    /// TC is set: by UDP it did not fit; by TCP there is no such thing (RFC 5936 §2.2).
    Truncated,
    /// The question is not repeated, or is another one.
    OtherQuestion,
    /// The signature, or what the primary says of ours.
    Tsig(tsig::Fault),
    /// The response code.
    Rcode(u8),
    /// The SOA comes from a server that does not serve the zone.
    NotAuthoritative,
    /// A message without a record.
    Empty,
    /// The owner is not at or below the apex.
    OutOfZone(Name, Rtype),
    /// A class that is not IN.
    Class(Name, u16),
    /// A type that no zone has.
    Meta(Name, Rtype),
    /// RDATA that does not fit its type, or a name in the record that is none.
    Rdata(Rtype),
    /// The first record is no SOA of the zone.
    NoSoa,
    /// A SOA record below the apex.
    OtherSoa(Name),
    /// The last SOA is not the first: the zone changed under the transfer, or is a mixture.
    SoaDiffers(Serial, Serial),
    /// The changes begin at another version than ours: theirs, ours.
    OtherStart(Serial, Serial),
    /// A change begins at another version than the one before it leads to: this, that.
    Gap(Serial, Serial),
    /// A change leads backwards, or beyond the version that the answer leads to: from, to.
    Backwards(Serial, Serial),
    /// A record goes twice in one change, or comes twice: from, to.
    Twice(Serial, Serial),
    /// Records behind the last SOA.
    BehindEnd,
    /// More octets, octets of records in memory, records or messages than are taken.
    TooMuch(&'static str, u64),
}

impl Fault {
    /// True if the whole zone may be had all the same, where this came of asking for the changes.
    pub fn may_whole_help(&self) -> bool {
        match self {
            // FORMERR, SERVFAIL, NOTIMP, REFUSED: servers that do not know IXFR, or have lost their journal, say one of these.
            Self::Rcode(rcode) => matches!(rcode, 1 | 2 | 4 | 5),
            Self::OtherId | Self::NoAnswer | Self::Tsig(_) | Self::NotAuthoritative => false,
            // The zone itself is at fault.
            Self::OutOfZone(..) | Self::Class(..) | Self::Meta(..) => false,
            Self::NotWhole
            | Self::Truncated
            | Self::OtherQuestion
            | Self::Empty
            | Self::Rdata(_)
            | Self::NoSoa
            | Self::OtherSoa(_)
            | Self::SoaDiffers(..)
            | Self::OtherStart(..)
            | Self::Gap(..)
            | Self::Backwards(..)
            | Self::Twice(..)
            | Self::BehindEnd
            | Self::TooMuch(..) => true,
        }
    }

    /// True if the server may only dislike EDNS (RFC 6891 §7).
    pub fn may_be_edns(&self) -> bool {
        matches!(self, Self::Rcode(1 | 4))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWhole => f.write_str("a message is malformed"),
            Self::OtherId => f.write_str("the answer has another id than the question"),
            Self::NoAnswer => f.write_str("a message is no answer to a query"),
            Self::Truncated => f.write_str("the answer is truncated"),
            Self::OtherQuestion => f.write_str("the answer is to another question"),
            Self::Tsig(fault) => fault.fmt(f),
            Self::Rcode(5) => f.write_str("the primary answers REFUSED: it has to allow transfers to this server, or wants another key"),
            Self::Rcode(9) => f.write_str("the primary answers NOTAUTH: it does not serve the zone, or does not take our key"),
            Self::Rcode(rcode) => write!(f, "the primary answers {} ({rcode})", rcode_name((*rcode).into())),
            Self::NotAuthoritative => f.write_str("the answer has no authority: the server does not serve the zone"),
            Self::Empty => f.write_str("a message has no record"),
            Self::OutOfZone(name, rtype) => write!(f, "the {rtype} record of '{name}' is not in the zone"),
            Self::Class(name, class) => write!(f, "a record of '{name}' has class {class}, not IN"),
            Self::Meta(name, rtype) => write!(f, "'{name}' has a record of type {rtype}, which no zone can have"),
            Self::Rdata(rtype) => write!(f, "the data of a {rtype} record is malformed"),
            Self::NoSoa => f.write_str("the answer does not begin with the SOA of the zone"),
            Self::OtherSoa(name) => write!(f, "'{name}' has a SOA record beside the one of the zone"),
            Self::SoaDiffers(first, last) => write!(f, "the answer begins with the SOA of serial {first} and ends with that of {last}"),
            Self::OtherStart(theirs, ours) => write!(f, "the changes begin at serial {theirs}, and ours is {ours}"),
            Self::Gap(this, before) => write!(f, "a change begins at serial {this}, and the one before it leads to {before}"),
            Self::Backwards(from, to) => write!(f, "a change leads from serial {from} to {to}, which is not forward"),
            Self::Twice(from, to) => write!(f, "the change from serial {from} to {to} has a record twice"),
            Self::BehindEnd => f.write_str("there are records behind the last SOA"),
            Self::TooMuch(what, most) => {
                write!(f, "the answer has more than {most} {what}: if the zone is as large as that, raise transfer-in-size")
            }
        }
    }
}

impl std::error::Error for Fault {}
