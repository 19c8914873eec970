//! What every message of an answer has to be before its records mean anything: ours, signed, well formed.

use super::{Ask, Fault};
use crate::answer::option;
use crate::dns::message::{self, RawRecord};
use crate::dns::{Class, Name, Rtype, UnixTime};
use crate::transfer::tsig::{self, Verifier};

/// Opens the messages of one answer.
pub struct Envelope<'k> {
    apex: Name,
    rtype: Rtype,
    id: u16,
    verifier: Option<Verifier<'k>>,
    is_first: bool,
}

impl<'k> Envelope<'k> {
    /// For the answer to a question of this type.
    pub fn new(ask: &Ask<'_>, rtype: Rtype, verifier: Option<Verifier<'k>>) -> Self {
        Self { apex: ask.apex.to_owned(), rtype, id: ask.id, verifier, is_first: true }
    }

    /// The zone that was asked for, as it was spelled.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Takes the next message and gives its records.
    ///
    /// # Errors
    /// Where it is no part of the answer, or a refusal.
    pub fn open<'m>(&mut self, octets: &'m [u8], now: UnixTime) -> Result<Opened<'m>, Fault> {
        let at = message::records_at(octets).ok_or(Fault::NotWhole)?;
        if octets[..2] != self.id.to_be_bytes() {
            return Err(Fault::OtherId);
        }
        // QR is set and the opcode that of a query.
        if octets[2] & 0xf8 != 0x80 {
            return Err(Fault::NoAnswer);
        }
        let rcode = octets[3] & 15;
        if let Some(verifier) = &mut self.verifier {
            verifier.take(octets, now).map_err(|fault| match fault {
                // Who refuses without a signature has most often no key: what it says explains more, and is no less a failure.
                tsig::Fault::Unsigned if rcode != 0 => Fault::Rcode(rcode),
                fault => Fault::Tsig(fault),
            })?;
        }
        if rcode != 0 {
            return Err(Fault::Rcode(rcode));
        }
        if octets[2] & 0x02 != 0 {
            return Err(Fault::Truncated);
        }
        self.question(octets, at)?;
        self.is_first = false;
        Ok(Opened { octets, at, n_left: message::count(octets, 1), is_authoritative: octets[2] & 0x04 != 0 })
    }

    /// The first message repeats the question, the others may (RFC 5936 §2.2.1).
    fn question(&self, octets: &[u8], end: usize) -> Result<(), Fault> {
        match message::count(octets, 0) {
            0 if !self.is_first => return Ok(()),
            1 => {}
            _ => return Err(Fault::OtherQuestion),
        }
        let is_name = message::name_at(octets, message::HEADER).is_some_and(|name| name == self.apex);
        let is_type = octets.get(end - 4..end) == Some([self.rtype.0, Class::IN.0].map(u16::to_be_bytes).as_flattened());
        if is_name && is_type { Ok(()) } else { Err(Fault::OtherQuestion) }
    }

    /// True if everything that was taken is signed, where it has to be.
    pub fn is_proved(&self) -> bool {
        self.verifier.as_ref().is_none_or(Verifier::is_proved)
    }
}

/// A message of the answer.
pub struct Opened<'m> {
    octets: &'m [u8],
    at: usize,
    n_left: u16,
    /// AA.
    pub is_authoritative: bool,
}

impl<'m> Opened<'m> {
    /// The next record of the answer section.
    pub fn next(&mut self) -> Result<Option<RawRecord<'m>>, Fault> {
        if self.n_left == 0 {
            return Ok(None);
        }
        self.n_left -= 1;
        self.read().map(Some)
    }

    /// Goes over what stands behind the answer section, which says nothing but how long the zone stays good (RFC 7314 §3).
    pub fn end(mut self) -> Result<Option<u32>, Fault> {
        let mut expire = None;
        for section in 2..4 {
            for _ in 0..message::count(self.octets, section) {
                let record = self.read()?;
                if record.rtype == Rtype::OPT {
                    expire = expire_of(record.rdata).or(expire);
                }
            }
        }
        if self.at == self.octets.len() { Ok(expire) } else { Err(Fault::NotWhole) }
    }

    fn read(&mut self) -> Result<RawRecord<'m>, Fault> {
        let record = RawRecord::read(self.octets, self.at).ok_or(Fault::NotWhole)?;
        self.at = record.end;
        Ok(record)
    }
}

/// The value of the option EXPIRE; `None` without one, and where it is no number.
fn expire_of(mut options: &[u8]) -> Option<u32> {
    while let [c0, c1, l0, l1, rest @ ..] = options {
        let (value, behind) = rest.split_at_checked(u16::from_be_bytes([*l0, *l1]).into())?;
        if u16::from_be_bytes([*c0, *c1]) == option::EXPIRE {
            return value.try_into().ok().map(u32::from_be_bytes);
        }
        options = behind;
    }
    None
}
