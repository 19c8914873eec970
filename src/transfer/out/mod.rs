//! A zone or its changes on their way out: the messages of an answer to AXFR or IXFR, one at a time, however slowly they are taken.
//!
//! Knows no socket, and time is an argument; changes are read from the journal. RFC 5936 §2.2, RFC 1995 §4.

mod changes;
mod packer;
mod whole;

use std::fmt;
use std::sync::Arc;

use super::tsig::Signer;
use crate::dns::{Class, NameRef, Rtype, Serial, UnixTime};
use crate::journal::{DiffsError, Log};
use crate::telemetry::count;
use crate::zone::Zone;
use changes::Changes;
use packer::Packer;
use whole::Whole;

/// What was asked, as far as the answer repeats it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The id of the request.
    pub id: u16,
    /// RD, which is copied.
    pub recursion_desired: bool,
    /// The apex as the client spelled it: names below it point there.
    pub name: NameRef<'a>,
    /// AXFR, or IXFR where that is answered with the whole zone.
    pub rtype: Rtype,
    /// An OPT record for the first message, ready; empty where the client sent none (RFC 5936 §2.2.5).
    pub opt: &'a [u8],
}

/// A zone on its way out. It stays the version that it was, whatever is published meanwhile.
///
/// Memory: a cursor and the signer beside the shared zone; nothing grows with the zone.
pub struct Outgoing {
    zone: Arc<Zone>,
    head: Vec<u8>,
    opt: Vec<u8>,
    signer: Option<Signer>,
    rtype: Rtype,
    content: Content,
    sent: Sent,
}

/// What was written so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Records in their answer sections.
    pub records: u64,
    /// Octets, without the two in front of each message.
    pub octets: u64,
}

/// What of the zone is sent.
enum Content {
    Whole(Whole),
    Changes(Changes),
}

/// Why a transfer cannot go on.
#[derive(Debug)]
pub enum Broken {
    /// A record fits into no message, with what has to stand beside it: the zone cannot be had by transfer.
    NoRoom,
    /// The journal cannot be read.
    Journal(DiffsError),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("a record is too big for a message of a transfer"),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Broken {}

impl Outgoing {
    /// The whole zone: the SOA, everything once, the SOA (RFC 5936 §2.2); each message signed where there is a signer.
    ///
    /// `asked.name` is the apex of `zone`, in any case.
    pub fn zone(zone: Arc<Zone>, asked: &Asked<'_>, signer: Option<Signer>) -> Self {
        let content = Content::Whole(Whole::new(&zone));
        Self::new(zone, content, asked, signer)
    }

    /// The changes from version `from` to `zone` (RFC 1995 §4), made one where that is shorter. `None` where `log` does not have them, or
    /// the whole zone is shorter.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn changes(
        zone: &Arc<Zone>,
        log: &Log,
        from: Serial,
        asked: &Asked<'_>,
        signer: &mut Option<Signer>,
    ) -> Result<Option<Self>, DiffsError> {
        let changes = Changes::new(zone, log, from)?;
        Ok(changes.map(|changes| Self::new(Arc::clone(zone), Content::Changes(changes), asked, signer.take())))
    }

    fn new(zone: Arc<Zone>, content: Content, asked: &Asked<'_>, signer: Option<Signer>) -> Self {
        // QR and AA; one question in every message.
        let flags = 0x8400 | if asked.recursion_desired { 0x0100 } else { 0 };
        let numbers = [asked.id, flags, 1, 0, 0, 0].map(u16::to_be_bytes);
        let question = [asked.rtype.0, Class::IN.0].map(u16::to_be_bytes);
        let head = [numbers.as_flattened(), asked.name.as_wire(), question.as_flattened()].concat();
        Self { zone, head, opt: asked.opt.to_vec(), signer, rtype: asked.rtype, content, sent: Sent::default() }
    }

    /// True when the last message was written.
    pub fn is_done(&self) -> bool {
        match &self.content {
            Content::Whole(whole) => whole.is_done(),
            Content::Changes(changes) => changes.is_done(),
        }
    }

    /// Writes the next message to `buffer`; gives its length. `None` behind the last.
    ///
    /// Messages have at most 16 KiB, for compression pointers reach no further; a longer one carries one record that needs it. With
    /// 65,535 octets `buffer` takes everything that a message can carry.
    ///
    /// # Errors
    /// [`Broken`]; the transfer is to be given up then.
    pub fn next(&mut self, now: UnixTime, buffer: &mut [u8]) -> Option<Result<usize, Broken>> {
        if self.is_done() {
            return None;
        }
        let len = self.write(now, buffer);
        if let Ok(len) = len {
            self.sent.messages += 1;
            self.sent.octets += len as u64;
        }
        Some(len)
    }

    /// What was written so far.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// The zone, as it was when the transfer began.
    pub fn served(&self) -> &Zone {
        &self.zone
    }

    /// AXFR or IXFR, as it was asked for.
    pub fn rtype(&self) -> Rtype {
        self.rtype
    }

    fn write(&mut self, now: UnixTime, buffer: &mut [u8]) -> Result<usize, Broken> {
        let kept = self.opt.len() + self.signer.as_ref().map_or(0, Signer::size);
        let mut packer = Packer::start(buffer, &self.head, self.zone.apex(), kept).ok_or(Broken::NoRoom)?;
        match &mut self.content {
            Content::Whole(whole) => whole.fill(&self.zone, &mut packer),
            Content::Changes(changes) => changes.fill(&self.zone, &mut packer).map_err(Broken::Journal)?,
        }
        let n_records = packer.records();
        if n_records == 0 {
            return Err(Broken::NoRoom);
        }
        let mut len = packer.finish();
        self.sent.records += u64::from(n_records);
        if !self.opt.is_empty() {
            buffer[len..len + self.opt.len()].copy_from_slice(&self.opt);
            buffer[11] = 1;
            len += std::mem::take(&mut self.opt).len();
        }
        Ok(match &mut self.signer {
            Some(signer) => signer.sign_in(buffer, len, now),
            None => len,
        })
    }
}

impl fmt::Display for Outgoing {
    /// What a log says of it: `IXFR, key xfr., serial 6 -> 7, 3 records in 1 message of 120 octets`; IXFR with one serial is the whole zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { messages, records, octets } = self.sent;
        write!(f, "{}, ", self.rtype)?;
        match &self.signer {
            Some(signer) => write!(f, "key {}, ", signer.key())?,
            None => f.write_str("no key, ")?,
        }
        f.write_str("serial ")?;
        if let Content::Changes(changes) = &self.content {
            write!(f, "{} -> ", changes.from())?;
        }
        write!(f, "{}, {} in {}, ", self.zone.serial(), count(records as usize, "record"), count(messages as usize, "message"))?;
        write!(f, "{}", count(octets as usize, "octet"))
    }
}
