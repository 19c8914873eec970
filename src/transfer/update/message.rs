//! An UPDATE message as it was written (RFC 2136 §2): the zone, what must be so, and what is to be done.

use super::Refused;
use crate::dns::message::{self, HEADER, RawRecord};
use crate::dns::{Class, Name, NameRef, Rtype, rdata};

/// What a client asks for, in the order of the message. Well formed; what it means for a zone is another's to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The zone that is to change.
    zone: Name,
    /// Its class.
    pub(super) class: Class,
    pub(super) prerequisites: Vec<Item>,
    pub(super) updates: Vec<Item>,
}

/// One record of a section. Its class says what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// In lower case.
    pub owner: Name,
    pub rtype: Rtype,
    pub class: Class,
    pub ttl: u32,
    /// Its names in full; empty where there is none, whatever the type needs.
    pub rdata: Vec<u8>,
}

impl Item {
    /// True if the RDATA may be that of a record.
    pub fn fits(&self) -> bool {
        !self.rdata.is_empty() || rdata::fits_layout(self.rtype, &[])
    }
}

impl Update {
    /// Reads a message. Its header is that of a request with the opcode UPDATE: whoever calls has looked; additional data are gone over,
    /// and a TSIG among them has been judged.
    ///
    /// Cost: that of the records, of which a message has some thousands at most.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn parse(octets: &[u8]) -> Result<Self, Refused> {
        let malformed = Refused::Malformed;
        if octets.len() < HEADER {
            return Err(malformed("the header is not whole"));
        }
        if message::count(octets, 0) != 1 {
            return Err(malformed("the zone section has not exactly one record"));
        }
        let mut at = message::records_at(octets).ok_or(malformed("the zone section is not whole"))?;
        let zone = message::name_at(octets, HEADER).ok_or(malformed("the name of the zone is no name"))?;
        let number = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        if Rtype(number(at - 4)) != Rtype::SOA {
            return Err(malformed("the type of the zone section is not SOA"));
        }
        let class = Class(number(at - 2));
        let mut section = |which: usize| {
            let mut items = Vec::new();
            for _ in 0..message::count(octets, which) {
                let record = RawRecord::read(octets, at).ok_or(malformed("a record is not whole"))?;
                at = record.end;
                // Not of interest here (RFC 2136 §7.3, §7.4).
                if which < 3 {
                    items.push(item(&record).ok_or(malformed("a record's name or data are not those of its type"))?);
                }
            }
            Ok(items)
        };
        let (prerequisites, updates, _) = (section(1)?, section(2)?, section(3)?);
        if at != octets.len() {
            return Err(malformed("something stands behind the message"));
        }
        Ok(Self { zone: zone.as_ref().to_lowercase(), class, prerequisites, updates })
    }

    /// The zone that is to change, in lower case.
    pub fn zone(&self) -> NameRef<'_> {
        self.zone.as_ref()
    }

    /// How many records there are in both sections.
    pub fn len(&self) -> usize {
        self.prerequisites.len() + self.updates.len()
    }

    /// True if nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn item(record: &RawRecord<'_>) -> Option<Item> {
    let mut rdata = Vec::new();
    if !record.rdata.is_empty() {
        record.append_rdata(&mut rdata)?;
    }
    // A TTL with the highest bit set stands for none (RFC 2181 §8).
    let ttl = if record.ttl > i32::MAX as u32 { 0 } else { record.ttl };
    Some(Item { owner: record.owner()?.as_ref().to_lowercase(), rtype: record.rtype, class: Class(record.class), ttl, rdata })
}
