//! Reads a request. What is wrong with it is a value; nothing here panics or allocates.
//!
//! RFC 1035 §4.1, RFC 6891 §6.1 (OPT), RFC 8945 §5.1 (TSIG), RFC 9619 (one question).

use crate::dns::message::RawRecord;
use crate::dns::{Class, NameRef, Rtype};

/// What stands in a well-formed request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The message, for what has to be copied back.
    pub message: &'a [u8],
    /// What it asks for.
    pub opcode: Opcode,
    /// The question.
    pub question: Question<'a>,
    /// The OPT record.
    pub edns: Option<Edns<'a>>,
    /// It ends with a TSIG record, of which nothing more is known here.
    pub is_signed: bool,
}

/// The operations that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// RFC 1035.
    Query,
    /// RFC 1996.
    Notify,
    /// RFC 2136.
    Update,
}

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name as asked, case kept.
    pub name: NameRef<'a>,
    /// The type.
    pub rtype: Rtype,
    /// The class.
    pub class: Class,
}

/// The OPT record and the options that are understood.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edns<'a> {
    /// The largest UDP message the client takes.
    pub udp_size: u16,
    /// The version; options are read only for version 0.
    pub version: u8,
    /// DNSSEC OK (RFC 3225).
    pub dnssec_ok: bool,
    /// NSID is asked for (RFC 5001).
    pub nsid: bool,
    /// A cookie of 8 octets, or of 16 to 40 (RFC 7873 §4).
    pub cookie: Option<&'a [u8]>,
    /// EXPIRE is asked for (RFC 7314).
    pub expire: bool,
    /// edns-tcp-keepalive is asked for (RFC 7828).
    pub keepalive: bool,
    /// ZONEVERSION is asked for (RFC 9660).
    pub zone_version: bool,
}

/// Why a request is not answered as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Shorter than a header, or a response: silence.
    Ignore,
    /// An opcode that nobody here carries out.
    NotImplemented,
    /// Not well formed.
    FormErr,
    /// No question, but a cookie: a client fetches its server cookie (RFC 7873 §5.4).
    CookieOnly,
}

/// EDNS option codes.
pub mod option {
    /// RFC 5001.
    pub const NSID: u16 = 3;
    /// RFC 7314.
    pub const EXPIRE: u16 = 9;
    /// RFC 7873.
    pub const COOKIE: u16 = 10;
    /// RFC 7828.
    pub const KEEPALIVE: u16 = 11;
    /// RFC 8914.
    pub const EDE: u16 = 15;
    /// RFC 9567.
    pub const REPORT_CHANNEL: u16 = 18;
    /// RFC 9660.
    pub const ZONEVERSION: u16 = 19;
}

impl<'a> Request<'a> {
    /// Reads `message`; the EDNS record found so far is given back even when the rest is refused.
    pub fn parse(message: &'a [u8]) -> Result<Self, (Reject, Option<Edns<'a>>)> {
        if message.len() < 12 || message[2] & 0x80 != 0 {
            return Err((Reject::Ignore, None));
        }
        let count = |i: usize| u16::from_be_bytes([message[4 + 2 * i], message[5 + 2 * i]]);
        let opcode = match message[2] >> 3 & 15 {
            0 => Opcode::Query,
            4 => Opcode::Notify,
            5 => Opcode::Update,
            _ => return Err((Reject::NotImplemented, None)),
        };
        let mut at = 12;
        let mut question = None;
        match count(0) {
            0 => {}
            1 => {
                let name = NameRef::from_wire(&message[at..]).map_err(|_| (Reject::FormErr, None))?;
                at += name.as_wire().len();
                let Some([t0, t1, c0, c1]) = message.get(at..at + 4) else { return Err((Reject::FormErr, None)) };
                question =
                    Some(Question { name, rtype: Rtype(u16::from_be_bytes([*t0, *t1])), class: Class(u16::from_be_bytes([*c0, *c1])) });
                at += 4;
            }
            _ => return Err((Reject::FormErr, None)),
        }
        let mut edns = None;
        let mut is_signed = false;
        for section in 1..4 {
            // Each record takes 11 octets or more, so this ends with the message.
            for _ in 0..count(section) {
                let record = RawRecord::read(message, at).ok_or((Reject::FormErr, edns))?;
                at = record.end;
                if is_signed {
                    // TSIG is the last record (RFC 8945 §5.1).
                    return Err((Reject::FormErr, edns));
                }
                match record.rtype {
                    Rtype::OPT if section == 3 && edns.is_none() && record.owner_is_root => {
                        edns = Some(Edns::read(&record).map_err(|e| (Reject::FormErr, Some(e)))?);
                    }
                    Rtype::OPT => return Err((Reject::FormErr, edns)),
                    Rtype::TSIG if section == 3 => is_signed = true,
                    _ => {}
                }
            }
        }
        if at != message.len() {
            return Err((Reject::FormErr, edns));
        }
        match question {
            Some(question) => Ok(Self { message, opcode, question, edns, is_signed }),
            None if opcode == Opcode::Query && edns.is_some_and(|edns| edns.version == 0 && edns.cookie.is_some()) => {
                Err((Reject::CookieOnly, edns))
            }
            None => Err((Reject::FormErr, edns)),
        }
    }
}

impl<'a> Edns<'a> {
    /// Reads an OPT record; a malformed option gives back what is known without it.
    fn read(record: &RawRecord<'a>) -> Result<Self, Self> {
        let mut edns =
            Self { udp_size: record.class, version: (record.ttl >> 16) as u8, dnssec_ok: record.ttl & 0x8000 != 0, ..Self::default() };
        if edns.version != 0 {
            return Ok(edns);
        }
        let mut rest = record.rdata;
        while !rest.is_empty() {
            let [c0, c1, l0, l1, data @ ..] = rest else { return Err(edns) };
            let len = u16::from_be_bytes([*l0, *l1]) as usize;
            let Some(value) = data.get(..len) else { return Err(edns) };
            rest = &data[len..];
            match u16::from_be_bytes([*c0, *c1]) {
                option::NSID => edns.nsid = true,
                option::COOKIE if matches!(len, 8 | 16..=40) => {
                    edns.cookie.get_or_insert(value);
                }
                option::COOKIE => return Err(edns),
                option::EXPIRE => edns.expire = true,
                // A client sends no timeout (RFC 7828 §3.2.1).
                option::KEEPALIVE if len != 0 => return Err(edns),
                option::KEEPALIVE => edns.keepalive = true,
                option::ZONEVERSION if len != 0 => return Err(edns),
                option::ZONEVERSION => edns.zone_version = true,
                _ => {}
            }
        }
        Ok(edns)
    }
}
