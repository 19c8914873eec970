//! How each secondary stands with each zone, and what of it an operator should hear.

use std::fmt;
use std::net::SocketAddr;

use crate::dns::{Name, Serial, UnixTime};
use crate::telemetry::{count, rcode_name};

/// One secondary of one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The zone.
    pub apex: Name,
    /// The secondary.
    pub address: SocketAddr,
    /// How it stands.
    pub state: State,
    /// The serial it was last told, and when.
    pub notified: Option<(Serial, UnixTime)>,
    /// The serial it last acknowledged, and when.
    pub acknowledged: Option<(Serial, UnixTime)>,
    /// The serial it served when it was last asked, and when.
    pub seen: Option<(Serial, UnixTime)>,
    /// What went wrong last, if nothing has gone right since.
    pub fault: Option<String>,
}

/// How a secondary stands with the version that is published here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being told.
    Telling,
    /// It knows, and does not serve it yet.
    Behind,
    /// It serves it, or a newer one.
    Current,
    /// It does not take the NOTIFY.
    Refused,
    /// It does not answer the NOTIFY.
    Silent,
}

impl State {
    /// As operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telling => "telling",
            Self::Behind => "behind",
            Self::Current => "current",
            Self::Refused => "refused",
            Self::Silent => "silent",
        }
    }
}

/// Something to act on, or the end of it. Given once when it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The zone, where it is about one.
    pub apex: Option<Name>,
    /// The secondary.
    pub address: SocketAddr,
    /// How many zones it is about, where something is wrong.
    pub n_zones: usize,
    /// What is so now; where it is about several, with the serials of one of them.
    pub news: News,
}

/// What an [`Event`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It answers nothing, or nothing that its key proves.
    Deaf,
    /// It answers again.
    Answers,
    /// It answers other questions, but no NOTIFY for the zone.
    Unanswered,
    /// It answers NOTIFY with this response code.
    Refused(u8),
    /// For so many seconds it has not shown this serial, but perhaps an older one.
    Behind(Serial, Option<Serial>, u64),
    /// It serves a newer serial, the first, than there is here, the second.
    Ahead(Serial, Serial),
    /// What was wrong is over.
    Good,
}

impl News {
    /// True if both are the same but for codes and serials.
    pub fn is_same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// True for the end of what was wrong.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Answers | Self::Good)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(apex) = &self.apex {
            write!(f, "[{apex}] ")?;
        }
        write!(f, "secondary {} ", self.address)?;
        let is_one = self.apex.is_some();
        let zones = count(self.n_zones, "zone");
        let (of, s) = if is_one { (String::new(), "") } else { (format!(" of {zones}"), "s") };
        match self.news {
            News::Deaf => write!(f, "gives no good answer, {zones} wait for it ('saola zone status' says why)"),
            News::Answers => f.write_str("answers again"),
            News::Unanswered => {
                write!(f, "does not answer NOTIFY{of}, though it answers queries: does it drop what it is not configured for?")
            }
            News::Refused(rcode) => {
                let rcode = rcode_name(rcode.into());
                write!(f, "answers NOTIFY{of} with {rcode}: has it the zone{s}, and does it let this address and key notify?")
            }
            News::Behind(serial, seen, secs) if is_one => {
                let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
                write!(f, "has not shown serial {serial} for {secs} s, last seen {seen}: may it transfer the zone?")
            }
            News::Behind(_, _, secs) => write!(f, "has not shown the serials{of} for {secs} s and more: may it transfer them?"),
            News::Ahead(seen, serial) if is_one => {
                write!(f, "serves serial {seen}, newer than {serial} here: it takes no change until the serial here is past it")
            }
            News::Ahead(..) => write!(f, "serves newer serials{of} than there are here: it takes no change until those here are past them"),
            News::Good => f.write_str("is well again"),
        }
    }
}
