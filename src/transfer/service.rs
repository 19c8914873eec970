//! What is special: requests that are signed, and those for whole zones. Says what is answered; who speaks with the peer sends it.
//!
//! RFC 8945 (TSIG), RFC 5936 (AXFR), RFC 1995 (IXFR), RFC 1996 (NOTIFY), RFC 2136 (UPDATE). Everything else is answered as if nobody had asked in a special way.

use std::sync::Arc;

use super::access::{Access, Channel, Client};
use super::inward::{Notice, Notices, serial_in};
use super::out::{Asked, Outgoing};
use super::tsig::{Judged, Refusal, Signer};
use super::update::{Update, Wish};
use crate::answer::{Exchange, Face, Meta, Opcode, Outcome, Prepared, Question, Transport};
use crate::dns::{Class, Rtype, Serial, UnixTime, message};
use crate::journal::Log;
use crate::zone::{NameMap, Zone, ZoneSet};

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const REFUSED: u16 = 5;
const NOTAUTH: u16 = 9;

/// What is answered from.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The zones.
    pub zones: &'a ZoneSet,
    /// Identity and limits of answers.
    pub face: &'a Face,
    /// Keys, and who may have zones.
    pub access: &'a Access,
    /// The changes that lead to the zones, by apex in lower case.
    pub logs: &'a NameMap<Log>,
    /// Where notices of changes go.
    pub notices: &'a Notices,
}

/// What is to be sent.
pub enum Answered {
    /// One message, or none.
    Once(Outcome),
    /// A zone, message by message.
    Zone(Box<Outgoing>),
    /// One message, which [`Wish::answer`] makes once somebody has carried this out.
    Later(Box<Wish>),
}

/// One request on its way.
struct Special<'a> {
    site: Site<'a>,
    channel: Channel<'a>,
    exchange: Exchange<'a>,
    signer: Option<Signer>,
}

/// Answers a request of any kind that came over `channel`, as [`answer::respond_to`](crate::answer::respond_to) does.
///
/// Cost of a special one: an allocation or two, and where it is signed, two MACs.
pub fn respond(site: Site<'_>, channel: Channel<'_>, now: UnixTime, meta: &Meta, prepared: &Prepared<'_>, buffer: &mut [u8]) -> Answered {
    let unsigned = Exchange { face: site.face, now, meta, prepared, reserve: 0 };
    if !prepared.is_special() && !asks_catalog(site.access, prepared) {
        return Answered::Once(unsigned.respond(site.zones, buffer));
    }
    let signer = match site.access.keys.judge(prepared.message(), now) {
        Judged::Unsigned => None,
        Judged::Good(signer) => Some(signer),
        Judged::Malformed => return Answered::Once(unsigned.decline(FORMERR, buffer)),
        Judged::Refused(refusal) => {
            let outcome = unsigned.decline(NOTAUTH, buffer);
            return Answered::Once(tell(refusal, outcome, unsigned.most(), buffer));
        }
    };
    let exchange = Exchange { reserve: signer.as_ref().map_or(0, Signer::size), ..unsigned };
    Special { site, channel, exchange, signer }.respond(buffer)
}

impl Special<'_> {
    fn respond(mut self, buffer: &mut [u8]) -> Answered {
        let prepared = self.exchange.prepared;
        let outcome = match prepared.asks() {
            Some((Opcode::Query, question))
                if question.class == Class::IN && matches!(question.rtype, Rtype::AXFR | Rtype::IXFR) && prepared.is_edns_known() =>
            {
                match self.zone_for(&question) {
                    Ok((zone, wanted)) => match self.transfer(zone, wanted, &question, buffer) {
                        Ok(outgoing) => return Answered::Zone(outgoing),
                        Err(outcome) => outcome,
                    },
                    Err(rcode) => self.exchange.decline(rcode, buffer),
                }
            }
            Some((Opcode::Notify, question)) if prepared.is_edns_known() => match self.notified(&question) {
                Ok(()) => self.exchange.acknowledge(buffer),
                Err(rcode) => self.exchange.decline(rcode, buffer),
            },
            Some((Opcode::Update, question)) if prepared.is_edns_known() => match self.updated(&question, buffer) {
                Ok(wish) => return Answered::Later(wish),
                Err(outcome) => outcome,
            },
            Some((_, question)) if self.is_withheld(&question) => self.exchange.decline(REFUSED, buffer),
            _ => self.exchange.respond(self.site.zones, buffer),
        };
        Answered::Once(self.sign(outcome, buffer))
    }

    /// The zone on its way, or the one message that is the answer.
    fn transfer(&mut self, zone: Arc<Zone>, wanted: Wanted, question: &Question<'_>, buffer: &mut [u8]) -> Result<Box<Outgoing>, Outcome> {
        let is_udp = self.exchange.meta.transport == Transport::Udp;
        let Wanted::Changes(has) = wanted else { return Ok(self.whole(zone, question, buffer)) };
        let current = |special: &Self, buffer: &mut [u8]| Err(special.exchange.current(&zone, buffer));
        // RFC 1995 §2: no news.
        if !zone.serial().is_newer_than(has) {
            return current(self, buffer);
        }
        let opt = self.opt(&zone, question, buffer);
        let asked = self.asked(question, &opt);
        let log = self.site.logs.get(question.name);
        if is_udp {
            // RFC 1995 §4: more than a datagram takes is asked for again by TCP. The signature comes behind, as in every answer.
            let most = self.exchange.most().saturating_sub(self.exchange.reserve).min(buffer.len());
            let changes = log.and_then(|log| Outgoing::changes(&zone, log, has, &asked, &mut None).ok().flatten());
            let Some(mut changes) = changes else { return current(self, buffer) };
            return match changes.next(self.exchange.now, &mut buffer[..most]) {
                Some(Ok(len)) if changes.is_done() => Err(Outcome::Reply { len, rcode: NOERROR, qtype: question.rtype.0 }),
                _ => current(self, buffer),
            };
        }
        let changes = log.map(|log| Outgoing::changes(&zone, log, has, &asked, &mut self.signer));
        match changes {
            Some(Ok(Some(changes))) => Ok(Box::new(changes)),
            // The whole zone is always right.
            Some(Ok(None)) | None => Ok(self.whole(zone, question, buffer)),
            Some(Err(error)) => {
                log::warn!("[{}] its changes cannot be given, the whole zone goes out in their place: {error}", zone.apex());
                Ok(self.whole(zone, question, buffer))
            }
        }
    }

    fn whole(&mut self, zone: Arc<Zone>, question: &Question<'_>, buffer: &mut [u8]) -> Box<Outgoing> {
        let opt = self.opt(&zone, question, buffer);
        let asked = self.asked(question, &opt);
        Box::new(Outgoing::zone(zone, &asked, self.signer.take()))
    }

    /// The OPT record of an answer; empty where the client sent none.
    fn opt(&self, zone: &Zone, question: &Question<'_>, buffer: &mut [u8]) -> Vec<u8> {
        // An answer without records ends with it.
        let behind_question = message::HEADER + question.name.as_wire().len() + 4;
        match self.exchange.announce(zone, buffer) {
            Outcome::Reply { len, .. } => buffer.get(behind_question..len).unwrap_or_default().to_vec(),
            Outcome::Dropped => Vec::new(),
        }
    }

    fn asked<'q>(&self, question: &Question<'q>, opt: &'q [u8]) -> Asked<'q> {
        let message = self.exchange.prepared.message();
        Asked {
            id: u16::from_be_bytes([message[0], message[1]]),
            recursion_desired: message[2] & 1 != 0,
            name: question.name,
            rtype: question.rtype,
            opt,
        }
    }

    /// The zone that is asked for, where the client may have it, and what of it; otherwise the response code.
    fn zone_for(&self, question: &Question<'_>) -> Result<(Arc<Zone>, Wanted), u16> {
        let apex = question.name.to_lowercase();
        let zone = self.site.zones.of(apex.as_ref()).ok_or(NOTAUTH)?;
        let key = self.signer.as_ref().map(Signer::key);
        let client = Client { address: self.exchange.meta.client, key, channel: self.channel };
        if !self.site.access.may_transfer(&apex, &client, self.exchange.now) {
            // Strangers are only counted; who holds a key may wonder.
            if let Some(key) = key {
                let why = self.site.access.why_no_transfer(&apex, &client);
                log::warn!("[{apex}] transfer refused, to {}, key {key}: {why}", client.address);
            }
            return Err(REFUSED);
        }
        let zone = Arc::clone(zone.ok_or(SERVFAIL)?);
        if question.rtype == Rtype::IXFR {
            let has = serial_in(self.exchange.prepared.message(), 2, &apex).ok_or(FORMERR)?;
            return Ok((zone, Wanted::Changes(has)));
        }
        // RFC 5936 §4.2: AXFR by UDP is not defined.
        if self.exchange.meta.transport == Transport::Udp { Err(FORMERR) } else { Ok((zone, Wanted::Whole)) }
    }

    /// True if what is asked for is in a catalog and the client has nothing to do with it.
    fn is_withheld(&self, question: &Question<'_>) -> bool {
        let client = Client { address: self.exchange.meta.client, key: self.signer.as_ref().map(Signer::key), channel: self.channel };
        let access = self.site.access;
        access.catalog_of(question.name).is_some_and(|apex| !access.may_ask_catalog(apex, &client, self.exchange.now))
    }

    /// Keeps a notice of who may give one; otherwise the response code.
    fn notified(&self, question: &Question<'_>) -> Result<(), u16> {
        let notice = Notice::read(self.exchange.prepared.message(), question).ok_or(FORMERR)?;
        let address = self.exchange.meta.client;
        let client = Client { address, key: self.signer.as_ref().map(Signer::key), channel: self.channel };
        match self.site.access.may_notify(&notice.apex, &client, self.exchange.now) {
            Some(true) => self.site.notices.tell(notice, address),
            Some(false) => return Err(REFUSED),
            // A zone of our own needs no notice; of one that is not here we know nothing.
            None => return Err(if self.site.zones.of(notice.apex.as_ref()).is_some() { REFUSED } else { NOTAUTH }),
        }
        Ok(())
    }

    /// The change that is asked for by who may; otherwise the answer.
    fn updated(&mut self, question: &Question<'_>, buffer: &mut [u8]) -> Result<Box<Wish>, Outcome> {
        let Self { site, channel, exchange, .. } = *self;
        let apex = question.name.to_lowercase();
        // RFC 2136 §3.1: the message, then the zone; who asks before anything that costs more.
        if question.rtype != Rtype::SOA {
            return Err(exchange.decline(FORMERR, buffer));
        }
        if question.class != Class::IN || site.zones.of(apex.as_ref()).is_none() {
            return Err(exchange.decline(NOTAUTH, buffer));
        }
        let address = exchange.meta.client;
        let may = site.access.may_update(&apex, &Client { address, key: self.signer.as_ref().map(Signer::key), channel }, exchange.now);
        let signer = match (may, self.signer.take()) {
            (Ok(()), Some(signer)) => signer,
            (may, signer) => {
                // Machines that know no better send updates to whoever serves a zone: only who holds a key is told of in the log.
                if let Some((key, closed)) = signer.as_ref().map(Signer::key).zip(may.err()) {
                    log::warn!("[{apex}] update refused, of {address}, key {key}: {closed}");
                }
                self.signer = signer;
                return Err(exchange.prohibit(buffer));
            }
        };
        match (Update::parse(exchange.prepared.message()), exchange.decline(NOERROR, buffer)) {
            (Ok(update), Outcome::Reply { len, .. }) => Ok(Box::new(Wish::new(update, address, signer, buffer[..len].to_vec()))),
            (refused, _) => {
                if let Err(refused) = refused {
                    log::warn!("[{apex}] update refused, of {address}, key {}: {refused}", signer.key());
                }
                self.signer = Some(signer);
                Err(exchange.decline(FORMERR, buffer))
            }
        }
    }

    /// Puts the signature behind the answer.
    fn sign(&mut self, outcome: Outcome, buffer: &mut [u8]) -> Outcome {
        match (&mut self.signer, outcome) {
            (Some(signer), Outcome::Reply { len, rcode, qtype }) => {
                Outcome::Reply { len: signer.sign_in(buffer, len, self.exchange.now), rcode, qtype }
            }
            (_, outcome) => outcome,
        }
    }
}

/// True if the request is for something in a catalog: who asks decides on the answer.
#[inline]
fn asks_catalog(access: &Access, prepared: &Prepared<'_>) -> bool {
    !access.catalogs.is_empty() && prepared.asks().is_some_and(|(_, question)| access.catalog_of(question.name).is_some())
}

/// What a client wants of a zone.
enum Wanted {
    /// All of it.
    Whole,
    /// What has changed since a version.
    Changes(Serial),
}

/// Tells what is wrong with the signature, where it fits.
fn tell(refusal: Refusal, outcome: Outcome, most: usize, buffer: &mut [u8]) -> Outcome {
    let Outcome::Reply { len, rcode, qtype } = outcome else { return outcome };
    let mut message = buffer[..len].to_vec();
    refusal.append(&mut message);
    let len = if message.len() <= most.min(buffer.len()) { put(&message, buffer) } else { len };
    Outcome::Reply { len, rcode, qtype }
}

fn put(message: &[u8], buffer: &mut [u8]) -> usize {
    buffer[..message.len()].copy_from_slice(message);
    message.len()
}
