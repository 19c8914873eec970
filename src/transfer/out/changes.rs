//! The changes of a zone in the order of IXFR: its SOA, of each change the old SOA, what goes, the new SOA and what comes, its SOA (RFC 1995 §4).

use std::fs::File;

use super::packer::Packer;
use crate::dns::{Records, Rtype, Serial};
use crate::journal::{DiffsError, Log, StepRecords};
use crate::zone::{Diff, Zone};

/// Changes of no more octets than this are made one change before they are sent, where that is shorter; larger ones are read as they go. Our
/// choice: 20 clients that take nothing cost some tens of MB then.
const MOST_JOINED: u64 = 1 << 20;

/// Zones of fewer octets than this are never sent instead of changes that are longer than they are.
const SMALL_ZONE: u64 = 64 << 10;

/// Records that are read at once.
const AT_ONCE: usize = 256;

/// How far the changes have been given.
pub struct Changes {
    from: Serial,
    rest: Rest,
    /// Records that were read, and how many of them were given.
    records: Records,
    given: usize,
    stage: Stage,
}

/// What is still to be read.
enum Rest {
    Log(Box<StepRecords<File>>),
    Joined(Option<Records>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Changes,
    End,
    Done,
}

impl Changes {
    /// The changes from version `from` to `zone`. `None` where the log does not have them, or the whole zone is shorter.
    ///
    /// Cost: where they are not many, they are read at once.
    ///
    /// # Errors
    /// When the log is damaged.
    pub fn new(zone: &Zone, log: &Log, from: Serial) -> Result<Option<Self>, DiffsError> {
        let Some(octets) = log.octets_from(from).filter(|_| log.last_serial() == zone.serial()) else { return Ok(None) };
        if octets > SMALL_ZONE.max(zone.size() as u64) {
            return Ok(None);
        }
        let Some(steps) = log.range(from) else { return Ok(None) };
        let (mut records, mut rest) = (Records::new(), Rest::Log(Box::new(steps.records())));
        if octets <= MOST_JOINED
            && let Some(steps) = log.range(from)
        {
            let steps = steps.map(|step| step.map(|step| step.diff)).collect::<Result<Vec<_>, _>>()?;
            let n_records: usize = steps.iter().map(Diff::n_records).sum();
            // What does not fit together is sent as it stands: who gets it says what is wrong with it.
            if let Some(joined) = Diff::joined(steps).ok().filter(|joined| joined.n_records() < n_records) {
                let [goes, comes] = [&joined.removed, &joined.added].map(soa_first);
                (records, rest) = (goes, Rest::Joined(Some(comes)));
            }
        }
        Ok(Some(Self { from, rest, records, given: 0, stage: Stage::Start }))
    }

    /// The version that the client has.
    pub fn from(&self) -> Serial {
        self.from
    }

    /// True when all was given.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Fills a message.
    ///
    /// # Errors
    /// When the log cannot be read; the transfer is to be broken off.
    pub fn fill(&mut self, zone: &Zone, packer: &mut Packer<'_>) -> Result<(), DiffsError> {
        loop {
            let stage = self.stage;
            self.stage = match stage {
                Stage::Start if put_soa(zone, packer) => Stage::Changes,
                Stage::Changes if self.put(zone, packer)? => Stage::End,
                Stage::End if put_soa(zone, packer) => Stage::Done,
                Stage::Start | Stage::Changes | Stage::End | Stage::Done => return Ok(()),
            };
        }
    }

    /// Puts records until the message is full, or none is left: then true.
    fn put(&mut self, zone: &Zone, packer: &mut Packer<'_>) -> Result<bool, DiffsError> {
        loop {
            for record in self.records.part(self.given..self.records.len()) {
                let owner = record.owner.prefix_of(zone.apex()).unwrap_or_default();
                if !packer.put_record(owner, record.rtype, record.ttl, record.rdata) {
                    return Ok(false);
                }
                self.given += 1;
            }
            self.given = 0;
            match &mut self.rest {
                Rest::Log(log) => log.next(AT_ONCE, &mut self.records)?,
                Rest::Joined(comes) => self.records = comes.take().unwrap_or_default(),
            }
            if self.records.is_empty() {
                return Ok(true);
            }
        }
    }
}

fn put_soa(zone: &Zone, packer: &mut Packer<'_>) -> bool {
    let Some(soa) = zone.apex_node().set(Rtype::SOA) else { return false };
    let mut is_put = false;
    soa.records.expand(zone.apex(), zone.apex(), |_, rtype, ttl, rdata| is_put = packer.put_record(&[], rtype, ttl, rdata));
    is_put
}

fn soa_first(side: &Records) -> Records {
    let mut records = Records::with_capacity(side.len());
    for is_soa in [true, false] {
        for record in side.iter().filter(|record| (record.rtype == Rtype::SOA) == is_soa) {
            records.push(record.owner, record.rtype, record.ttl, record.rdata).expect("no more than before");
        }
    }
    records
}
