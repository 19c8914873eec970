//! The records of an answer in their order: a whole zone, or changes from version to version, told apart by the second record.
//!
//! Knows no message: where one ends and the next begins says nothing (RFC 5936 §2.2, RFC 1995 §4).

use super::{Fault, Received};
use crate::dns::rdata::Soa;
use crate::dns::records::cmp_rdata;
use crate::dns::{Name, NameRef, Records, Rtype, Serial};
use crate::zone::Diff;

/// Interprets records one by one.
pub struct Stream {
    apex: Name,
    /// The serial that we have, where changes were asked for.
    have: Option<Serial>,
    first: Option<First>,
    state: State,
}

/// The SOA with which an answer begins and ends.
struct First {
    soa: Soa,
    ttl: u32,
    rdata: Vec<u8>,
}

/// What is awaited.
enum State {
    /// The first SOA.
    Start,
    /// The second record, which tells a zone from changes.
    Open,
    /// Records of the zone, and the SOA behind them.
    Whole(Records),
    /// Records that go, behind the SOA of the version that they go from.
    Removing(Changes),
    /// Records that come, behind the SOA of the version that they lead to.
    Adding(Changes, Serial),
    /// Nothing: the last record was seen.
    Done(Received),
    /// Nothing: it was given away, or is at fault.
    Over,
}

/// Changes that are complete, and the one that is not.
struct Changes {
    done: Vec<Diff>,
    /// Octets that those take.
    done_size: usize,
    open: Diff,
    from: Serial,
}

impl Changes {
    fn size(&self) -> usize {
        self.done_size + size(&self.open)
    }
}

fn size(diff: &Diff) -> usize {
    size_of::<Diff>() + diff.removed.size() + diff.added.size()
}

impl Stream {
    /// For an answer about the zone `apex`, of which we have a version where changes were asked for.
    pub fn new(apex: Name, have: Option<Serial>) -> Self {
        Self { apex, have, first: None, state: State::Start }
    }

    /// True when the last record was seen.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// Octets that what is kept takes in memory, until the last record is seen; that one adds nothing.
    pub fn size(&self) -> usize {
        match &self.state {
            State::Whole(records) => records.size(),
            State::Removing(changes) | State::Adding(changes, _) => changes.size(),
            State::Start | State::Open | State::Done(_) | State::Over => 0,
        }
    }

    /// The first SOA.
    pub fn soa(&self) -> Option<&Soa> {
        self.first.as_ref().map(|first| &first.soa)
    }

    /// What it was, once, when it is done.
    pub fn received(&mut self) -> Option<Received> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Done(received) => Some(received),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Takes the next record, which is in the zone.
    ///
    /// # Errors
    /// When it cannot stand here; the answer is to be given up then.
    pub fn push(&mut self, owner: NameRef<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<(), Fault> {
        let record = Record { owner, rtype, ttl, rdata };
        if rtype != Rtype::SOA {
            return self.plain(&record);
        }
        if owner != self.apex.as_ref() {
            return Err(Fault::OtherSoa(owner.to_owned()));
        }
        let serial = Serial(Soa::read(rdata).ok_or(Fault::Rdata(rtype))?.serial);
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Start => self.begin(&record)?,
            State::Open => self.second(&record, serial)?,
            State::Whole(records) => self.end(records, &record)?,
            State::Removing(changes) => self.turn(changes, &record, serial)?,
            State::Adding(changes, to) => self.next_change(changes, &record, to, serial)?,
            State::Done(_) | State::Over => return Err(Fault::BehindEnd),
        };
        Ok(())
    }

    /// A record that is no SOA.
    fn plain(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        match &mut self.state {
            State::Start => Err(Fault::NoSoa),
            // A zone in place of changes.
            State::Open => {
                let mut records = self.whole()?;
                record.push(&mut records)?;
                self.state = State::Whole(records);
                Ok(())
            }
            State::Whole(records) => record.push(records),
            State::Removing(changes) => record.push(&mut changes.open.removed),
            State::Adding(changes, _) => record.push(&mut changes.open.added),
            State::Done(_) | State::Over => Err(Fault::BehindEnd),
        }
    }

    fn begin(&mut self, record: &Record<'_>) -> Result<State, Fault> {
        let soa = Soa::read(record.rdata).ok_or(Fault::Rdata(Rtype::SOA))?;
        let serial = Serial(soa.serial);
        self.first = Some(First { soa, ttl: record.ttl, rdata: record.rdata.to_vec() });
        Ok(match self.have {
            None => State::Whole(self.whole()?),
            // One SOA that is not newer is all that there is to say (RFC 1995 §4).
            Some(have) if !serial.is_newer_than(have) => State::Done(Received::Current(serial)),
            Some(_) => State::Open,
        })
    }

    /// A zone with its first record.
    fn whole(&self) -> Result<Records, Fault> {
        let mut records = Records::new();
        if let Some(First { ttl, rdata, .. }) = &self.first {
            Record { owner: self.apex.as_ref(), rtype: Rtype::SOA, ttl: *ttl, rdata }.push(&mut records)?;
        }
        Ok(records)
    }

    /// Two SOA records on end: changes from our version, or a zone that has nothing but its SOA.
    fn second(&self, record: &Record<'_>, serial: Serial) -> Result<State, Fault> {
        let have = self.have.unwrap_or(serial);
        if serial == have {
            let mut changes = Changes { done: Vec::new(), done_size: 0, open: Diff::default(), from: serial };
            record.push(&mut changes.open.removed)?;
            return Ok(State::Removing(changes));
        }
        if serial != self.last_serial() {
            return Err(Fault::OtherStart(serial, have));
        }
        self.end(self.whole()?, record)
    }

    /// A whole zone, with its last record.
    fn end(&self, mut records: Records, record: &Record<'_>) -> Result<State, Fault> {
        self.last(record)?;
        records.sort();
        Ok(State::Done(Received::Whole(records)))
    }

    /// From what goes to what comes.
    fn turn(&self, mut changes: Changes, record: &Record<'_>, to: Serial) -> Result<State, Fault> {
        let last = self.last_serial();
        // Forward at each step, and never beyond the end: so there is an end.
        if !to.is_newer_than(changes.from) || (to != last && !last.is_newer_than(to)) {
            return Err(Fault::Backwards(changes.from, to));
        }
        record.push(&mut changes.open.added)?;
        Ok(State::Adding(changes, to))
    }

    /// The end of a change, and perhaps of all.
    fn next_change(&self, mut changes: Changes, record: &Record<'_>, to: Serial, serial: Serial) -> Result<State, Fault> {
        if serial != to {
            return Err(Fault::Gap(serial, to));
        }
        let mut diff = std::mem::take(&mut changes.open);
        let n = diff.removed.len() + diff.added.len();
        diff.removed.sort();
        diff.added.sort();
        if diff.removed.len() + diff.added.len() < n {
            return Err(Fault::Twice(changes.from, to));
        }
        changes.done_size += size(&diff);
        changes.done.push(diff);
        if to == self.last_serial() {
            self.last(record)?;
            return Ok(State::Done(Received::Changes(changes.done)));
        }
        record.push(&mut changes.open.removed)?;
        Ok(State::Removing(Changes { from: serial, ..changes }))
    }

    /// The last record is the first one again.
    fn last(&self, record: &Record<'_>) -> Result<(), Fault> {
        match &self.first {
            Some(first) if cmp_rdata(Rtype::SOA, &first.rdata, record.rdata).is_eq() => Ok(()),
            _ => {
                let last = Soa::read(record.rdata).ok_or(Fault::Rdata(Rtype::SOA))?.serial;
                Err(Fault::SoaDiffers(self.last_serial(), Serial(last)))
            }
        }
    }

    /// The serial that the answer leads to.
    fn last_serial(&self) -> Serial {
        Serial(self.soa().map_or(0, |soa| soa.serial))
    }
}

/// A record on its way into a bag.
struct Record<'a> {
    owner: NameRef<'a>,
    rtype: Rtype,
    ttl: u32,
    rdata: &'a [u8],
}

impl Record<'_> {
    fn push(&self, records: &mut Records) -> Result<(), Fault> {
        records.push(self.owner, self.rtype, self.ttl, self.rdata).map_err(|_| Fault::TooMuch("octets", 1 << 32))
    }
}
