//! Zones on their way in: what is asked of a primary, and what its messages say. Every answer is distrusted until its last record.
//!
//! Pure: knows no socket, and time is an argument. RFC 5936 (AXFR), RFC 1995 (IXFR), RFC 1996 (NOTIFY), RFC 7314 (EXPIRE).

mod answer;
mod envelope;
mod fault;
mod notice;
mod stream;

use std::fmt;

pub use answer::{Incoming, SoaAnswer};
pub use fault::Fault;
pub use notice::{Notice, Noticed, Notices, serial_in};

use super::tsig::{Key, Verifier};
use crate::answer::option;
use crate::dns::rdata::Soa;
use crate::dns::{Class, NameRef, Records, Rtype, Serial, UnixTime, message};
use crate::telemetry::count;
use crate::zone::Diff;
use envelope::Envelope;

/// What a primary has for us.
pub enum Received {
    /// Nothing newer than what we have; its serial.
    Current(Serial),
    /// All records of the zone, sorted; the SOA once.
    Whole(Records),
    /// The changes from the version that we have, one after the other: each leads from where the one before it ended.
    Changes(Vec<Diff>),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// What has changed since the version with this SOA (IXFR).
    Changes(&'a Soa),
    /// The whole zone (AXFR).
    Whole,
}

/// A question to a primary.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The zone.
    pub apex: NameRef<'a>,
    /// The id of the message; by UDP it has to be one that cannot be guessed.
    pub id: u16,
    /// With EDNS, and the question how long the zone stays good (RFC 7314). Servers that do not know EDNS may answer FORMERR.
    pub edns: bool,
}

/// How much of one answer is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of all messages; and once more, octets that the records of them take in memory, where a pointer of two octets becomes a name
    /// of 255: the worst there is takes fifty times what it has on its way.
    pub octets: u64,
    /// Records in all answer sections.
    pub records: u64,
    /// Messages.
    pub messages: u64,
}

impl Default for Limits {
    /// As much as a zone can be: 4 GiB. In a record are eleven octets at least; a message of one record is the least that makes sense.
    fn default() -> Self {
        Self { octets: 1 << 32, records: 1 << 28, messages: 1 << 28 }
    }
}

/// What came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages.
    pub messages: u64,
    /// Records in their answer sections.
    pub records: u64,
    /// Octets, without the two in front of each message.
    pub octets: u64,
}

impl fmt::Display for Counted {
    /// As a log has it: `3 records in 1 message, 120 octets`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [records, messages, octets] = [self.records, self.messages, self.octets].map(|n| n as usize);
        write!(f, "{} in {}, {}", count(records, "record"), count(messages, "message"), count(octets, "octet"))
    }
}

/// Asks for a zone: the request, signed where there is a key, and what takes the messages of the answer.
pub fn ask<'k>(ask: &Ask<'_>, wanted: Wanted<'_>, limits: Limits, key: Option<&'k Key>, now: UnixTime) -> (Vec<u8>, Incoming<'k>) {
    let (rtype, have) = match wanted {
        Wanted::Changes(soa) => (Rtype::IXFR, Some(soa)),
        Wanted::Whole => (Rtype::AXFR, None),
    };
    let (request, verifier) = request(ask, rtype, have, key, now);
    let incoming = Incoming::new(Envelope::new(ask, rtype, verifier), have.map(|soa| Serial(soa.serial)), limits);
    (request, incoming)
}

/// Asks for the SOA alone: the request, and what takes the answer.
pub fn ask_soa<'k>(ask: &Ask<'_>, key: Option<&'k Key>, now: UnixTime) -> (Vec<u8>, SoaAnswer<'k>) {
    let (request, verifier) = request(ask, Rtype::SOA, None, key, now);
    (request, SoaAnswer::new(Envelope::new(ask, Rtype::SOA, verifier)))
}

/// An OPT record that asks for EXPIRE: the root, the type, 1232 octets by UDP (RFC 9715), no flags, one option without data.
const OPT: [u8; 15] = [0, 0, Rtype::OPT.0 as u8, 0x04, 0xd0, 0, 0, 0, 0, 0, 4, 0, option::EXPIRE as u8, 0, 0];

fn request<'k>(ask: &Ask<'_>, rtype: Rtype, have: Option<&Soa>, key: Option<&'k Key>, now: UnixTime) -> (Vec<u8>, Option<Verifier<'k>>) {
    let counts = [1, 0, u16::from(have.is_some()), u16::from(ask.edns)];
    let apex = ask.apex.as_wire();
    let question = [rtype.0, Class::IN.0].map(u16::to_be_bytes);
    let mut octets =
        [[ask.id, 0].map(u16::to_be_bytes).as_flattened(), counts.map(u16::to_be_bytes).as_flattened(), apex, question.as_flattened()]
            .concat();
    if let Some(soa) = have {
        // The version that we have stands in the authority section (RFC 1995 §3).
        let (at, rdata) = (octets.len(), soa.to_rdata());
        octets.resize(at + apex.len() + 10 + rdata.len(), 0);
        message::put_record(&mut octets, at, apex, Rtype::SOA, Class::IN.0, 0, &rdata).expect("room was made");
    }
    if ask.edns {
        octets.extend(OPT);
    }
    let verifier = key.map(|key| key.sign_request(&mut octets, now));
    (octets, verifier)
}
