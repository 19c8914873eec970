//! Answers, message by message: a zone on its way in, and a SOA.

use super::envelope::Envelope;
use super::stream::Stream;
use super::{Counted, Fault, Limits, Received};
use crate::dns::message::{self, RawRecord};
use crate::dns::rdata::Soa;
use crate::dns::{Class, NameRef, Rtype, Serial, UnixTime};
use crate::transfer::tsig;

/// A zone on its way in.
///
/// Memory grows with what came and not with what is announced. What came is used when the last message is in, and is proved.
pub struct Incoming<'k> {
    envelope: Envelope<'k>,
    stream: Stream,
    limits: Limits,
    counted: Counted,
    expire: Option<u32>,
    rdata: Vec<u8>,
}

impl<'k> Incoming<'k> {
    pub(super) fn new(envelope: Envelope<'k>, have: Option<Serial>, limits: Limits) -> Self {
        let stream = Stream::new(envelope.apex().clone(), have);
        Self { envelope, stream, limits, counted: Counted::default(), expire: None, rdata: Vec::new() }
    }

    /// Takes the next message; what was received, when it is the last.
    ///
    /// # Errors
    /// The first thing that is wrong; the answer is to be given up then.
    pub fn take(&mut self, octets: &[u8], now: UnixTime) -> Result<Option<Received>, Fault> {
        self.counted.messages += 1;
        self.counted.octets += octets.len() as u64;
        check(self.counted.messages, self.limits.messages, "messages")?;
        check(self.counted.octets, self.limits.octets, "octets")?;
        let mut opened = self.envelope.open(octets, now)?;
        let mut is_empty = true;
        while let Some(record) = opened.next()? {
            is_empty = false;
            self.counted.records += 1;
            check(self.counted.records, self.limits.records, "records")?;
            self.record(octets, &record)?;
            check(self.stream.size() as u64, self.limits.octets, "octets of records")?;
        }
        if is_empty {
            return Err(Fault::Empty);
        }
        self.expire = opened.end()?.or(self.expire);
        if !self.stream.is_done() {
            return Ok(None);
        }
        if !self.envelope.is_proved() {
            // The last message of an answer has to be signed (RFC 8945 §5.3.1).
            return Err(Fault::Tsig(tsig::Fault::Unsigned));
        }
        Ok(self.stream.received())
    }

    fn record(&mut self, octets: &[u8], record: &RawRecord<'_>) -> Result<(), Fault> {
        let mut full = [0; 255];
        let owner = owner(octets, record, &mut full)?;
        if !owner.is_at_or_below(self.envelope.apex().as_ref()) {
            return Err(Fault::OutOfZone(owner.to_owned(), record.rtype));
        }
        if record.class != Class::IN.0 {
            return Err(Fault::Class(owner.to_owned(), record.class));
        }
        if record.rtype.is_meta() {
            return Err(Fault::Meta(owner.to_owned(), record.rtype));
        }
        self.rdata.clear();
        record.append_rdata(&mut self.rdata).ok_or(Fault::Rdata(record.rtype))?;
        // The highest bit is no part of a TTL (RFC 2181 §8).
        let ttl = if record.ttl >> 31 == 0 { record.ttl } else { 0 };
        self.stream.push(owner, record.rtype, ttl, &self.rdata)
    }

    /// What came so far.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// The SOA that the answer begins with: of the version that it leads to.
    pub fn soa(&self) -> Option<&Soa> {
        self.stream.soa()
    }

    /// How long the primary says that the zone stays good, in seconds (RFC 7314).
    pub fn expire(&self) -> Option<u32> {
        self.expire
    }
}

/// The answer to a question for the SOA.
pub struct SoaAnswer<'k>(Envelope<'k>);

impl<'k> SoaAnswer<'k> {
    pub(super) fn new(envelope: Envelope<'k>) -> Self {
        Self(envelope)
    }

    /// Takes the one message of it: the SOA, and how long the primary says that the zone stays good, in seconds (RFC 7314).
    ///
    /// # Errors
    /// What is wrong with it, [`Fault::Truncated`] where it has to be asked for by TCP.
    pub fn take(mut self, octets: &[u8], now: UnixTime) -> Result<(Soa, Option<u32>), Fault> {
        let mut opened = self.0.open(octets, now)?;
        if !self.0.is_proved() {
            return Err(Fault::Tsig(tsig::Fault::Unsigned));
        }
        if !opened.is_authoritative {
            return Err(Fault::NotAuthoritative);
        }
        let mut soa = None;
        while let Some(record) = opened.next()? {
            let mut full = [0; 255];
            let is_ours = owner(octets, &record, &mut full)? == self.0.apex().as_ref() && record.class == Class::IN.0;
            // Its signatures may stand beside it.
            if is_ours && record.rtype == Rtype::SOA && soa.is_none() {
                let mut rdata = Vec::new();
                record.append_rdata(&mut rdata).ok_or(Fault::Rdata(Rtype::SOA))?;
                soa = Soa::read(&rdata);
            }
        }
        let expire = opened.end()?;
        soa.map(|soa| (soa, expire)).ok_or(Fault::NoSoa)
    }
}

fn owner<'f>(octets: &[u8], record: &RawRecord<'_>, full: &'f mut [u8; 255]) -> Result<NameRef<'f>, Fault> {
    let len = message::read_name(octets, record.start, full).ok_or(Fault::NotWhole)?;
    NameRef::from_wire(&full[..len]).map_err(|_| Fault::NotWhole)
}

fn check(n: u64, most: u64, what: &'static str) -> Result<(), Fault> {
    if n > most { Err(Fault::TooMuch(what, most)) } else { Ok(()) }
}
