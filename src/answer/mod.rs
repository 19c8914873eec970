//! Answers queries: bytes in, bytes out. Knows no socket, no clock, no file, no key.
//!
//! RFC 1034 §4.3, RFC 4035 §3.1, RFC 5155 §7.2, RFC 6891, RFC 8906. One function serves every transport.

mod chaos;
pub mod cookie;
mod denial;
mod expiry;
mod reply;
mod request;
mod resolve;

use std::net::IpAddr;
use std::sync::Arc;

use reply::{Opt, Reply, opt_for};
use request::{Edns, Reject, Request};

use crate::dns::{Class, NameRef, Rtype, UnixTime};
use crate::zone::{Found, Sought, Zone, ZoneSet};

pub use expiry::Expiry;
pub use request::{Opcode, Question, option};
pub use resolve::MAX_HOPS;

/// What the server says of itself, and its limits; the same for every query until the next reload.
#[derive(Clone, Debug)]
pub struct Face {
    /// NSID (RFC 5001) and id.server (RFC 4892); empty = not told.
    pub identity: Vec<u8>,
    /// hostname.bind; empty = not told.
    pub hostname: Vec<u8>,
    /// version.server and version.bind; empty = not told.
    pub version: Vec<u8>,
    /// The largest UDP answer sent, in octets (1232: RFC 9715 §3.2); at least 512.
    pub udp_limit: u16,
    /// Secrets of server cookies (RFC 9018): the first signs, all are accepted; none = cookies are not given.
    pub cookie_secrets: Vec<[u8; 16]>,
    /// Idle time told to TCP clients in edns-tcp-keepalive (RFC 7828), in units of 100 ms.
    pub tcp_keepalive: u16,
    /// The agent domain to which resolvers may report errors (RFC 9567) in wire form; empty = none.
    pub report_channel: Vec<u8>,
    /// How long zones that are had from others are good.
    pub expiry: Arc<Expiry>,
}

impl Default for Face {
    /// Tells nothing; answers up to 1,232 octets by UDP.
    fn default() -> Self {
        Self {
            identity: Vec::new(),
            hostname: Vec::new(),
            version: Vec::new(),
            udp_limit: 1232,
            cookie_secrets: Vec::new(),
            tcp_keepalive: 100,
            report_channel: Vec::new(),
            expiry: Arc::default(),
        }
    }
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A message of a stream.
    Tcp,
    /// A message of a stream inside TLS.
    Tls,
}

/// What is known of a request beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// How it came.
    pub transport: Transport,
    /// Who asked (for cookies).
    pub client: IpAddr,
}

/// What became of a request; the caller counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is to be sent.
    Dropped,
    /// The first `len` octets of the buffer are the reply.
    Reply {
        /// Octets to send.
        len: usize,
        /// The extended RCODE.
        rcode: u16,
        /// The query type asked, 0 where none could be read.
        qtype: u16,
    },
}

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;

/// EDE: the zone is ours, but is not ready (RFC 8914 §4.15).
const NOT_READY: u16 = 14;
/// EDE: the client may not ask for this (RFC 8914 §4.19).
const PROHIBITED: u16 = 18;
/// EDE: not authoritative for the name (RFC 8914 §4.21).
const NOT_AUTHORITATIVE: u16 = 20;

/// EDE: the zone is ours, and what is here of it has expired (RFC 8914 §4.25).
const INVALID_DATA: u16 = 24;

/// The most octets of a message without EDNS over UDP (RFC 1035 §4.2.1).
const PLAIN_UDP: usize = 512;

/// A request that was read: what one answer needs before it looks at a zone.
///
/// A worker that has many requests reads them all, [warms](warm) what their answers will need, and then answers one after the other.
pub struct Prepared<'a> {
    message: &'a [u8],
    request: Result<Request<'a>, (Reject, Option<Edns<'a>>)>,
    sought: Sought,
}

impl<'a> Prepared<'a> {
    /// Nothing read yet; to be [read](Self::read) in its place, which is cheaper than to be moved there.
    pub const fn unread() -> Self {
        Self { message: &[], request: Err((Reject::Ignore, None)), sought: Sought::root() }
    }

    /// Reads `message`. What is wrong with it is told when it is answered.
    #[inline]
    pub fn read(&mut self, message: &'a [u8]) {
        self.message = message;
        self.request = Request::parse(message);
        self.sought.set(self.request.as_ref().map_or(NameRef::ROOT, |request| request.question.name));
    }

    /// The octets that were read.
    pub fn message(&self) -> &'a [u8] {
        self.message
    }

    /// What is asked for, and of whom: `None` of a request that is not well formed.
    pub fn asks(&self) -> Option<(Opcode, Question<'a>)> {
        self.request.as_ref().ok().map(|request| (request.opcode, request.question))
    }

    /// True if its EDNS is of a version that is known here, or there is none.
    pub fn is_edns_known(&self) -> bool {
        self.request.as_ref().is_ok_and(|request| request.edns.is_none_or(|edns| edns.version == 0))
    }

    /// True if more than the zones decides on the answer: the request is signed, or it is no query, or a query for a whole zone.
    #[inline]
    pub fn is_special(&self) -> bool {
        self.request.as_ref().is_ok_and(|request| {
            request.is_signed || request.opcode != Opcode::Query || matches!(request.question.rtype, Rtype::AXFR | Rtype::IXFR)
        })
    }
}

/// Brings near what the answers to `requests` will need of `zones`: their misses of the cache overlap, instead of being waited for one
/// after the other. Has no effect on any answer.
pub fn warm<'p, 'q: 'p>(zones: &ZoneSet, requests: impl Iterator<Item = &'p mut Prepared<'q>>) {
    zones.warm(requests.map(|Prepared { request, sought, .. }| {
        let wants_proof = request.as_ref().is_ok_and(|request| request.edns.is_some_and(|edns| edns.dnssec_ok));
        (sought, wants_proof)
    }));
}

/// Answers one request.
///
/// Nobody may transfer, notify or update; a TSIG record is passed over. Who knows keys looks for [special](Prepared::is_special)
/// requests first.
///
/// `buffer` must hold 65,535 octets; what is not part of the reply is left as it was. No allocation (but for messages past
/// 16 KiB, and EXPIRE where zones are had from others), no panic on any input.
pub fn respond(zones: &ZoneSet, face: &Face, now: UnixTime, meta: &Meta, request: &[u8], buffer: &mut [u8]) -> Outcome {
    let mut prepared = Prepared::unread();
    prepared.read(request);
    respond_to(zones, face, now, meta, &prepared, buffer)
}

/// As [`respond`], for a request that was read before.
pub fn respond_to(zones: &ZoneSet, face: &Face, now: UnixTime, meta: &Meta, prepared: &Prepared<'_>, buffer: &mut [u8]) -> Outcome {
    Exchange { face, now, meta, prepared, reserve: 0 }.respond(zones, buffer)
}

/// A request that was read, and what its answer depends on beside the zones.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// Identity and limits.
    pub face: &'a Face,
    /// The time, for cookies.
    pub now: UnixTime,
    /// How the request came.
    pub meta: &'a Meta,
    /// The request.
    pub prepared: &'a Prepared<'a>,
    /// Octets to be left free for a TSIG record: whose it is, the caller has judged.
    pub reserve: usize,
}

impl<'a> Exchange<'a> {
    /// Answers as [`respond`] does.
    pub fn respond(&self, zones: &ZoneSet, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |request, reply| match request.edns {
            Some(edns) if edns.version > 0 => BADVERS,
            _ => answer(zones, self, request, reply),
        })
    }

    /// Answers a well-formed request with a response code alone.
    pub fn decline(&self, rcode: u16, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |_, _| rcode)
    }

    /// Refuses what is well formed and not for this client to ask (RFC 8914 §4.19).
    pub fn prohibit(&self, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |_, reply| error(reply, REFUSED, PROHIBITED))
    }

    /// Answers with what is told of `zone` beside its records: the head of a transfer (RFC 7314 §3).
    pub fn announce(&self, zone: &Zone, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |request, reply| {
            describe(zone, self, request, reply);
            NOERROR
        })
    }

    /// Answers a NOTIFY that was understood (RFC 1996 §3.12).
    pub fn acknowledge(&self, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |_, reply| {
            reply.set_authoritative();
            NOERROR
        })
    }

    /// Answers a request for the changes of `zone` with its SOA alone: there are none, or the client is to ask again by TCP (RFC 1995 §2, §4).
    pub fn current(&self, zone: &Zone, buffer: &mut [u8]) -> Outcome {
        self.write(buffer, |request, reply| {
            describe(zone, self, request, reply);
            resolve::soa(zone, reply)
        })
    }

    /// The most octets of an answer: what the client and the server between them allow.
    pub fn most(&self) -> usize {
        limit(self.face, self.meta, self.prepared.request.as_ref().ok().and_then(|request| request.edns.as_ref()))
    }

    /// Writes the reply whose sections `fill` writes; it returns the response code.
    #[inline]
    fn write(&self, buffer: &mut [u8], fill: impl FnOnce(&Request<'a>, &mut Reply<'_>) -> u16) -> Outcome {
        let Self { face, now, meta, prepared, reserve } = *self;
        let request = match &prepared.request {
            Ok(request) => request,
            Err((reject, edns)) => return refuse(*reject, edns.as_ref(), face, now, meta, prepared.message, buffer),
        };
        let qtype = request.question.rtype.0;
        let limit = limit(face, meta, request.edns.as_ref()).min(buffer.len()).saturating_sub(reserve);
        let mut reply = Reply::new(buffer, request.message, request.question.name.as_wire().len() + 4, limit);
        if let Some(edns) = &request.edns {
            reply.set_opt(opt(edns, face, now, meta));
        }
        let rcode = fill(request, &mut reply);
        let len = reply.finish(rcode, face.udp_limit, &face.identity, &face.report_channel);
        Outcome::Reply { len, rcode, qtype }
    }
}

fn answer(zones: &ZoneSet, exchange: &Exchange<'_>, request: &Request<'_>, reply: &mut Reply<'_>) -> u16 {
    let (face, sought) = (exchange.face, &exchange.prepared.sought);
    let question = &request.question;
    if request.opcode != Opcode::Query {
        // Nobody may notify or update here; whose the zone is decides how it is refused (RFC 1996 §3.11, RFC 2136 §3.1.2).
        return if is_apex(zones, request, sought) { REFUSED } else { NOTAUTH };
    }
    match question.class {
        Class::IN => {}
        Class::CH => return chaos::answer(question, face, reply),
        _ => return REFUSED,
    }
    if matches!(question.rtype, Rtype::AXFR | Rtype::IXFR) {
        return if is_apex(zones, request, sought) { REFUSED } else { NOTAUTH };
    }
    let mut found = zones.find(sought, sought.labels());
    // DS at an apex is the parent's to answer, where the parent is ours too (RFC 4035 §3.1.4.1).
    if question.rtype == Rtype::DS && sought.labels() > 0 {
        match (found, zones.find(sought, sought.labels() - 1)) {
            (Found::Zone(zone), parent @ (Found::Zone(_) | Found::Unavailable)) if zone.apex() == question.name => found = parent,
            // Another zone encloses what is above the name: the one that is not ready is the child.
            (Found::Unavailable, parent @ Found::Zone(_)) => found = parent,
            _ => {}
        }
    }
    match found {
        Found::Zone(zone) => {
            describe(zone, exchange, request, reply);
            resolve::answer(zone, sought, question.rtype, request.edns.is_some_and(|edns| edns.dnssec_ok), reply)
        }
        Found::Unavailable if exchange.face.expiry.is_over(question.name, exchange.now) => error(reply, SERVFAIL, INVALID_DATA),
        Found::Unavailable => error(reply, SERVFAIL, NOT_READY),
        Found::None => error(reply, REFUSED, NOT_AUTHORITATIVE),
    }
}

/// Fills in the options that tell of the zone: EXPIRE and ZONEVERSION.
fn describe(zone: &Zone, exchange: &Exchange<'_>, request: &Request<'_>, reply: &mut Reply<'_>) {
    if let Some(opt) = reply.opt_mut() {
        let is_upkeep = matches!(request.question.rtype, Rtype::SOA | Rtype::AXFR | Rtype::IXFR);
        if opt.wants_expire && is_upkeep && request.question.name == zone.apex() {
            opt.expire = Some(exchange.face.expiry.left(zone, exchange.now));
        }
        if opt.wants_zone_version {
            opt.zone_version = Some((zone.apex().label_count() as u8, zone.serial().0));
        }
    }
}

fn is_apex(zones: &ZoneSet, request: &Request<'_>, sought: &Sought) -> bool {
    request.question.class == Class::IN
        && match zones.find(sought, sought.labels()) {
            Found::Zone(zone) => zone.apex() == request.question.name,
            Found::Unavailable => true,
            Found::None => false,
        }
}

fn error(reply: &mut Reply<'_>, rcode: u16, extended: u16) -> u16 {
    if let Some(opt) = reply.opt_mut() {
        opt.error = Some(extended);
    }
    rcode
}

/// What the client and the server between them allow.
fn limit(face: &Face, meta: &Meta, edns: Option<&Edns<'_>>) -> usize {
    match (meta.transport, edns) {
        (Transport::Tcp | Transport::Tls, _) => u16::MAX as usize,
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_size.min(face.udp_limit)).max(PLAIN_UDP),
    }
}

fn opt(edns: &Edns<'_>, face: &Face, now: UnixTime, meta: &Meta) -> Opt {
    if edns.version > 0 {
        // DO means the same in every version that we answer (RFC 8906 §8.2.9).
        return opt_for(edns);
    }
    Opt {
        nsid: if edns.nsid { face.identity.len() } else { 0 },
        cookie: edns.cookie.and_then(|cookie| cookie::reply(cookie, meta.client, &face.cookie_secrets, now)),
        keepalive: (edns.keepalive && meta.transport != Transport::Udp).then_some(face.tcp_keepalive),
        wants_expire: edns.expire,
        wants_zone_version: edns.zone_version,
        report_channel: face.report_channel.len(),
        ..opt_for(edns)
    }
}

fn refuse(reject: Reject, edns: Option<&Edns<'_>>, face: &Face, now: UnixTime, meta: &Meta, request: &[u8], buffer: &mut [u8]) -> Outcome {
    let rcode = match reject {
        Reject::Ignore => return Outcome::Dropped,
        Reject::NotImplemented => NOTIMP,
        Reject::FormErr => FORMERR,
        Reject::CookieOnly => NOERROR,
    };
    // Header only: what could not be read is not sent back.
    let mut reply = Reply::new(buffer, request, 0, limit(face, meta, edns));
    if let Some(edns) = edns {
        reply.set_opt(opt(edns, face, now, meta));
    }
    let len = reply.finish(rcode, face.udp_limit, &face.identity, &face.report_channel);
    Outcome::Reply { len, rcode, qtype: 0 }
}
