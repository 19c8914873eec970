//! NOTIFY: a primary says that a zone has changed (RFC 1996). It is believed only so far that we ask.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use crate::answer::Question;
use crate::dns::message::{self, RawRecord};
use crate::dns::rdata::Soa;
use crate::dns::{Class, Name, Rtype, Serial};

/// What a NOTIFY says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The zone, in lower case.
    pub apex: Name,
    /// The serial that it has now, where the request tells it (RFC 1996 §3.7: a hint, not the truth).
    pub serial: Option<Serial>,
}

impl Notice {
    /// Reads a well-formed request with the opcode NOTIFY, and its question. AA should be set, and nobody insists.
    ///
    /// `None` when it asks about something else than a zone's SOA: nothing else is defined (RFC 1996 §3.6).
    pub fn read(request: &[u8], question: &Question<'_>) -> Option<Self> {
        if question.rtype != Rtype::SOA || question.class != Class::IN {
            return None;
        }
        let apex = question.name.to_lowercase();
        let serial = serial_in(request, 1, &apex);
        Some(Self { apex, serial })
    }
}

/// Notices that wait to be followed. However many come, one is kept of each zone.
#[derive(Debug, Default)]
pub struct Notices {
    waiting: Mutex<BTreeMap<Name, Noticed>>,
    follower: OnceLock<Thread>,
}

/// What was said of a zone since somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Who said it last.
    pub from: IpAddr,
    /// The serial, where all said the same.
    pub serial: Option<Serial>,
}

impl Notices {
    /// Keeps a notice and wakes who follows them.
    ///
    /// Who calls has seen that the zone is one that is had from others: their number bounds what is kept.
    pub fn tell(&self, notice: Notice, from: IpAddr) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = match waiting.get(&notice.apex) {
            // Two that differ: either may be the truth.
            Some(before) if before.serial != notice.serial => None,
            _ => notice.serial,
        };
        waiting.insert(notice.apex, Noticed { from, serial });
        drop(waiting);
        if let Some(thread) = self.follower.get() {
            thread.unpark();
        }
    }

    /// Says that this thread follows the notices: it is unparked when one comes. The first one who says so is it.
    pub fn follow(&self) {
        self.follower.get_or_init(std::thread::current);
    }

    /// All that wait.
    pub fn take(&self) -> BTreeMap<Name, Noticed> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The serial of the SOA of `apex`, where that is the one record of a section (1 to 3: answer, authority, additional data).
pub fn serial_in(octets: &[u8], section: usize, apex: &Name) -> Option<Serial> {
    let mut at = message::records_at(octets)?;
    for _ in 0..(1..section).map(|before| usize::from(message::count(octets, before))).sum() {
        at = RawRecord::read(octets, at)?.end;
    }
    if message::count(octets, section) != 1 {
        return None;
    }
    let record = RawRecord::read(octets, at)?;
    if record.rtype != Rtype::SOA || record.class != Class::IN.0 || record.owner()? != *apex {
        return None;
    }
    let mut rdata = Vec::new();
    record.append_rdata(&mut rdata)?;
    Soa::read(&rdata).map(|soa| Serial(soa.serial))
}
