//! The records of a whole zone in the order of AXFR: the SOA, all others, the SOA (RFC 5936 §2.2).

use super::packer::Packer;
use crate::dns::Rtype;
use crate::zone::piece::Piece;
use crate::zone::{SetCursor, Zone};

/// How far a zone has been given.
pub struct Whole {
    stage: Stage,
    cursor: SetCursor,
    /// Records of the set at the cursor that were given: not 0 for one that takes several messages alone.
    given: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Sets,
    End,
    Done,
}

impl Whole {
    /// Nothing of `zone` is given yet.
    pub fn new(zone: &Zone) -> Self {
        Self { stage: Stage::Start, cursor: zone.sets(), given: 0 }
    }

    /// True when all was given.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Fills a message.
    pub fn fill(&mut self, zone: &Zone, packer: &mut Packer<'_>) {
        let soa = zone.apex_node().set(Rtype::SOA);
        while self.stage != Stage::Done {
            let is_given = match self.stage {
                Stage::Start | Stage::End => soa.is_some_and(|soa| self.give(zone, &[], soa.records, packer)),
                Stage::Sets => self.sets(zone, packer),
                Stage::Done => true,
            };
            if !is_given {
                return;
            }
            self.stage = match self.stage {
                Stage::Start => Stage::Sets,
                Stage::Sets => Stage::End,
                Stage::End | Stage::Done => Stage::Done,
            };
        }
    }

    /// Gives sets until the message is full, or none is left: then true.
    fn sets(&mut self, zone: &Zone, packer: &mut Packer<'_>) -> bool {
        while let Some(place) = self.cursor.get(zone) {
            // The record is what starts and ends the transfer.
            let piece = if place.rtype == Rtype::SOA { place.set.signatures() } else { place.set.whole() };
            if !piece.is_empty() && !self.give(zone, place.owner, piece, packer) {
                return false;
            }
            self.cursor.advance(zone);
        }
        true
    }

    /// Gives a set, or what there is room for of one that has begun or must; true when all of it is given.
    #[inline]
    fn give(&mut self, zone: &Zone, owner: &[u8], piece: Piece<'_>, packer: &mut Packer<'_>) -> bool {
        self.given == 0 && packer.put_set(owner, piece) || self.some(zone, owner, piece, packer)
    }

    /// Gives as many records of a set as there is room for, if it does not fit into an empty message as a whole; true when all are given.
    #[cold]
    fn some(&mut self, zone: &Zone, owner: &[u8], piece: Piece<'_>, packer: &mut Packer<'_>) -> bool {
        if self.given == 0 && packer.records() > 0 {
            return false;
        }
        let (mut n, mut is_full) = (0, false);
        piece.expand(zone.name_below(owner).as_ref(), zone.apex(), |_, rtype, ttl, rdata| {
            n += 1;
            if n > self.given && !is_full {
                is_full = !packer.put_record(owner, rtype, ttl, rdata);
                self.given += u16::from(!is_full);
            }
        });
        if !is_full {
            self.given = 0;
        }
        !is_full
    }
}
