//! NOTIFY: a primary says that a zone has changed (RFC 1996). It is believed only so far that we ask.

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
