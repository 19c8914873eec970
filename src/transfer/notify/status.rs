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
    /// The zone; `None` = all of this secondary's.
    pub apex: Option<Name>,
    /// The secondary.
    pub address: SocketAddr,
    /// What is so now.
    pub news: News,
}

/// What an [`Event`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It answers nothing, or nothing that its key proves; so many zones wait for it.
    Deaf(usize),
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
        match self.news {
            News::Deaf(n) => write!(f, "gives no good answer, {} wait for it ('saola zone status' says why)", count(n, "zone")),
            News::Answers => f.write_str("answers again"),
            News::Unanswered => {
                f.write_str("does not answer NOTIFY, though it answers queries: does it drop what it is not configured for?")
            }
            News::Refused(rcode) => {
                let rcode = rcode_name(rcode.into());
                write!(f, "answers NOTIFY with {rcode}: has it the zone, and does it let this address and key notify?")
            }
            News::Behind(serial, seen, secs) => {
                let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
                write!(f, "has not shown serial {serial} for {secs} s, last seen {seen}: may it transfer the zone?")
            }
            News::Ahead(seen, serial) => {
                write!(f, "serves serial {seen}, newer than {serial} here: it takes no change until the serial here is past it")
            }
            News::Good => f.write_str("is well again"),
        }
    }
}
