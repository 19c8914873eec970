//! Writes a reply: sections of whole RRsets within a limit, pointers set, OPT kept whatever happens.
//!
//! RFC 1035 §4.1, RFC 2181 §9 (truncation), RFC 6891 §7.

use super::request::{Edns, option};
use crate::dns::message::put_record;
use crate::dns::name::MAX_NAME;
use crate::dns::{Class, NameRef, Rtype};
use crate::zone::piece::{POINTER_MAX, Piece};

/// A reply under construction.
pub struct Reply<'b> {
    message: &'b mut [u8],
    at: usize,
    /// Octets that sections may fill: the limit of the transport less what OPT needs.
    room: usize,
    limit: usize,
    counts: [u16; 3],
    section: Section,
    truncated: bool,
    opt: Option<Opt>,
    /// Where the apex stands in the message.
    pub apex_at: usize,
}

/// The sections after the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Referrals and proofs.
    Authority,
    /// Addresses.
    Additional,
}

/// What the OPT record of the reply will carry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opt {
    /// The DO bit, as asked.
    pub dnssec_ok: bool,
    /// Octets of NSID.
    pub nsid: usize,
    /// Client and server cookie.
    pub cookie: Option<[u8; 24]>,
    /// Idle time in units of 100 ms.
    pub keepalive: Option<u16>,
    /// Seconds until the zone expires.
    pub expire: Option<u32>,
    /// Room is kept for EXPIRE.
    pub wants_expire: bool,
    /// Labels of the zone and its serial.
    pub zone_version: Option<(u8, u32)>,
    /// Room is kept for ZONEVERSION.
    pub wants_zone_version: bool,
    /// Extended error (RFC 8914).
    pub error: Option<u16>,
    /// Octets of the agent domain (RFC 9567).
    pub report_channel: usize,
}

impl Opt {
    fn size(&self) -> usize {
        let option = |len: usize| if len > 0 { 4 + len } else { 0 };
        11 + option(self.nsid)
            + self.cookie.map_or(0, |cookie| 4 + cookie.len())
            + self.keepalive.map_or(0, |_| 6)
            + if self.wants_expire { 8 } else { 0 }
            + if self.wants_zone_version { 10 } else { 0 }
            + 6
            + option(self.report_channel)
    }
}

/// Where an owner name stands.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'n> {
    /// In the message.
    At(usize),
    /// Nowhere yet: to be written out as these labels below the apex.
    Labels(&'n [u8]),
}

/// An owner in full, in two parts.
#[derive(Clone, Copy)]
pub struct Full<'n> {
    /// Its labels below the apex, at most a name's worth.
    pub below: &'n [u8],
    /// The apex of the zone.
    pub apex: NameRef<'n>,
}

/// A set that has to be in the reply did not fit; the reply is marked truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

impl<'b> Reply<'b> {
    /// Starts a reply to `request`, whose header and question, if it has one of `question_len` octets, are copied.
    ///
    /// `limit` is what the transport carries.
    pub fn new(message: &'b mut [u8], request: &[u8], question_len: usize, limit: usize) -> Self {
        let limit = limit.min(message.len());
        let end = 12 + question_len;
        message[..2].copy_from_slice(&request[..2]);
        // QR, the opcode and RD as asked; CD is not copied (RFC 4035 §3.1.6).
        message[2] = 0x80 | request[2] & 0x79;
        message[3] = 0;
        message[4..12].copy_from_slice(&[0, u8::from(question_len > 0), 0, 0, 0, 0, 0, 0]);
        message[12..end].copy_from_slice(&request[12..end]);
        Self {
            message,
            at: end,
            room: limit,
            limit,
            counts: [0; 3],
            section: Section::Answer,
            truncated: false,
            opt: None,
            apex_at: end.saturating_sub(5),
        }
    }

    /// Promises an OPT record and keeps room for it; options that leave no room for anything are left out.
    pub fn set_opt(&mut self, mut opt: Opt) {
        if self.at + opt.size() > self.limit {
            opt.report_channel = 0;
        }
        if self.at + opt.size() > self.limit {
            opt.nsid = 0;
        }
        self.room = self.limit.saturating_sub(opt.size());
        self.opt = Some(opt);
    }

    /// The OPT record to be written.
    pub fn opt_mut(&mut self) -> Option<&mut Opt> {
        self.opt.as_mut()
    }

    /// Sets AA.
    pub fn set_authoritative(&mut self) {
        self.message[2] |= 0x04;
    }

    /// The section that the next records go to; sections come in their order.
    pub fn set_section(&mut self, section: Section) {
        self.section = section;
    }

    /// True once something that was needed did not fit.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// How many records the answer section has.
    pub fn answers(&self) -> u16 {
        self.counts[0]
    }

    /// The message so far.
    pub fn message(&self) -> &[u8] {
        &self.message[..self.at]
    }

    /// Adds a piece whole, or marks the reply truncated. Returns where it starts.
    ///
    /// `full` is the owner in full, for the case that pointers do not reach any more.
    #[inline]
    pub fn require(&mut self, piece: Piece<'_>, owner: Owner<'_>, full: Full<'_>) -> Result<usize, Truncated> {
        if self.truncated {
            return Err(Truncated);
        }
        let at = self.at;
        if self.offer(piece, owner, full) {
            Ok(at)
        } else {
            self.truncated = true;
            Err(Truncated)
        }
    }

    /// Adds a piece whole if there is room. Returns whether it was added.
    #[inline]
    pub fn offer(&mut self, piece: Piece<'_>, owner: Owner<'_>, full: Full<'_>) -> bool {
        let base = self.at;
        match owner {
            Owner::At(owner_at) if owner_at <= POINTER_MAX && piece.fits_pointers(base) => {
                if base + piece.len() > self.room {
                    return false;
                }
                piece.copy_to(self.message, base, owner_at, self.apex_at);
                self.at += piece.len();
            }
            Owner::Labels(labels) if base + piece.len() + MAX_NAME <= POINTER_MAX => {
                // A root apex is one octet, every other a pointer into the question.
                let behind = (!full.apex.is_root()).then_some(self.apex_at);
                let len = labels.len() + if behind.is_some() { 2 } else { 1 };
                if len < 2 || base + piece.len() - 2 + len > self.room {
                    return len < 2 && self.offer_expanded(piece, full);
                }
                self.at += piece.copy_with_owner(self.message, base, labels, behind, self.apex_at);
            }
            Owner::At(_) | Owner::Labels(_) => return self.offer_expanded(piece, full),
        }
        self.counts[self.section as usize] += piece.records;
        true
    }

    /// Adds a piece without compression: past 16 KiB, where pointers do not reach.
    #[cold]
    fn offer_expanded(&mut self, piece: Piece<'_>, full: Full<'_>) -> bool {
        let start = self.at;
        let mut fits = true;
        let apex = full.apex.as_wire();
        let mut wire = [0u8; 2 * MAX_NAME];
        wire[..full.below.len()].copy_from_slice(full.below);
        wire[full.below.len()..full.below.len() + apex.len()].copy_from_slice(apex);
        let Ok(name) = NameRef::from_wire(&wire) else { return false };
        piece.expand(name, full.apex, |owner, rtype, ttl, rdata| {
            let end = put_record(&mut self.message[..self.room], self.at, owner.as_wire(), rtype, Class::IN.0, ttl, rdata);
            fits &= end.is_some();
            self.at = end.unwrap_or(self.at);
        });
        if !fits {
            self.at = start;
            return false;
        }
        self.counts[self.section as usize] += piece.records;
        true
    }

    /// Adds one record that no zone holds: a synthesized CNAME, a TXT of class CH. Returns where its RDATA starts.
    pub fn require_record(&mut self, owner: &[u8], rtype: Rtype, class: u16, ttl: u32, rdata: &[u8]) -> Result<usize, Truncated> {
        let room = if self.truncated { 0 } else { self.room };
        let Some(end) = put_record(&mut self.message[..room], self.at, owner, rtype, class, ttl, rdata) else {
            self.truncated = true;
            return Err(Truncated);
        };
        self.at = end;
        self.counts[self.section as usize] += 1;
        Ok(end - rdata.len())
    }

    /// Writes counts, RCODE, TC and OPT. `nsid` and `report_channel` are the octets that [`Opt`] promised.
    pub fn finish(&mut self, rcode: u16, udp_limit: u16, nsid: &[u8], report_channel: &[u8]) -> usize {
        if self.truncated {
            self.message[2] |= 0x02;
        }
        self.message[3] = rcode as u8 & 15;
        let mut counts = self.counts;
        if let Some(opt) = self.opt {
            counts[2] += 1;
            self.write_opt(opt, rcode, udp_limit, nsid, report_channel);
        }
        for (i, count) in counts.iter().enumerate() {
            self.message[6 + 2 * i..8 + 2 * i].copy_from_slice(&count.to_be_bytes());
        }
        self.at
    }

    fn write_opt(&mut self, opt: Opt, rcode: u16, udp_limit: u16, nsid: &[u8], report_channel: &[u8]) {
        let start = self.at;
        let [s0, s1] = udp_limit.to_be_bytes();
        self.put(&[0, 0, 41, s0, s1, (rcode >> 4) as u8, 0, if opt.dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
        if opt.nsid > 0 {
            self.put_option(option::NSID, &nsid[..opt.nsid]);
        }
        if let Some(cookie) = opt.cookie {
            self.put_option(option::COOKIE, &cookie);
        }
        if let Some(units) = opt.keepalive {
            self.put_option(option::KEEPALIVE, &units.to_be_bytes());
        }
        if let Some(seconds) = opt.expire {
            self.put_option(option::EXPIRE, &seconds.to_be_bytes());
        }
        if let Some((labels, serial)) = opt.zone_version {
            let [a, b, c, d] = serial.to_be_bytes();
            self.put_option(option::ZONEVERSION, &[labels, 0, a, b, c, d]);
        }
        if let Some(code) = opt.error {
            self.put_option(option::EDE, &code.to_be_bytes());
        }
        if opt.report_channel > 0 {
            self.put_option(option::REPORT_CHANNEL, &report_channel[..opt.report_channel]);
        }
        let len = (self.at - start - 11) as u16;
        self.message[start + 9..start + 11].copy_from_slice(&len.to_be_bytes());
    }

    fn put_option(&mut self, code: u16, value: &[u8]) {
        if self.at + 4 + value.len() > self.limit {
            return;
        }
        self.put(&code.to_be_bytes());
        self.put(&(value.len() as u16).to_be_bytes());
        self.put(value);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.message[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// The OPT record that answers `edns`.
pub fn opt_for(edns: &Edns<'_>) -> Opt {
    Opt { dnssec_ok: edns.dnssec_ok, ..Opt::default() }
}
