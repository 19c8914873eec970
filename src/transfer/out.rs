//! A zone on its way out (stand-in).

use std::sync::Arc;

use super::tsig::Signer;
use crate::answer::Question;
use crate::dns::{Name, Records, Rtype, UnixTime};
use crate::zone::Zone;

/// One AXFR under way.
pub struct Outgoing {
    zone: Arc<Zone>,
    records: Records,
    id: [u8; 2],
    name: Name,
    rtype: Rtype,
    signer: Option<Signer>,
    at: usize,
}

impl Outgoing {
    /// Begins.
    pub fn new(zone: Arc<Zone>, id: [u8; 2], question: &Question<'_>, signer: Option<Signer>) -> Self {
        let records = zone.records();
        Self { zone, records, id, name: question.name.to_owned(), rtype: question.rtype, signer, at: 0 }
    }

    /// The next message.
    pub fn next(&mut self, now: UnixTime, buffer: &mut [u8]) -> Option<usize> {
        let total = self.records.len() + 1;
        if self.at >= total {
            return None;
        }
        let soa_at = self.records.rtypes().position(|rtype| rtype == Rtype::SOA)?;
        let mut message = vec![self.id[0], self.id[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(self.name.as_ref().as_wire());
        message.extend_from_slice(&self.rtype.0.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        let mut n = 0u16;
        while self.at < total && message.len() < 16_000 {
            // The SOA, all others, the SOA.
            let place = match self.at {
                0 => soa_at,
                at if at == total - 1 => soa_at,
                at if at <= soa_at => at - 1,
                at => at,
            };
            for record in self.records.part(place..place + 1) {
                message.extend_from_slice(record.owner.as_wire());
                message.extend_from_slice(&record.rtype.0.to_be_bytes());
                message.extend_from_slice(&[0, 1]);
                message.extend_from_slice(&record.ttl.to_be_bytes());
                message.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
                message.extend_from_slice(record.rdata);
            }
            n += 1;
            self.at += 1;
        }
        message[6..8].copy_from_slice(&n.to_be_bytes());
        if let Some(signer) = &mut self.signer {
            signer.sign(&mut message, now);
        }
        buffer[..message.len()].copy_from_slice(&message);
        Some(message.len())
    }

    /// AXFR or IXFR.
    pub fn rtype(&self) -> Rtype {
        self.rtype
    }

    /// The zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}

impl std::fmt::Display for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} serial {}, {} records", self.rtype, self.zone.serial(), self.at)
    }
}
