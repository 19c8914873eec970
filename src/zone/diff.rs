//! From one serial to the next: what goes and what comes.
//!
//! Pure data; strict: a diff that does not fit a zone exactly changes nothing. RFC 1995 §4 in spirit.

use std::cmp::Ordering;
use std::fmt;

use crate::dns::rdata::Soa;
use crate::dns::records::cmp_rdata;
use crate::dns::{Name, NameRef, Record, Records, Rtype, Serial};

/// The change of a zone from one version to another, SOA records included. Both sides are sorted.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// Records that go.
    pub removed: Records,
    /// Records that come.
    pub added: Records,
}

/// Why a diff does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffError {
    /// A record that is to go is not there.
    Absent(Name, Rtype),
    /// A record that is to come is there already.
    Present(Name, Rtype),
    /// The changed records make no zone.
    Zone(super::ZoneError),
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(name, rtype) => write!(f, "the {rtype} record of '{name}' that is to be removed is not in the zone"),
            Self::Present(name, rtype) => write!(f, "the {rtype} record of '{name}' that is to be added is in the zone already"),
            Self::Zone(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DiffError {}

impl From<super::ZoneError> for DiffError {
    fn from(error: super::ZoneError) -> Self {
        Self::Zone(error)
    }
}

/// Order of records as [`Records::sort`] has it, without TTL.
fn cmp(a: &Record<'_>, b: &Record<'_>) -> Ordering {
    a.owner.canonical_cmp(b.owner).then(a.rtype.cmp(&b.rtype)).then_with(|| cmp_rdata(a.rtype, a.rdata, b.rdata))
}

fn push(to: &mut Records, r: Record<'_>) -> Result<(), DiffError> {
    to.push(r.owner, r.rtype, r.ttl, r.rdata).map_err(|_| DiffError::Zone(super::ZoneError::TooBig))
}

impl Diff {
    /// What leads from `old` to `new`, which are both sorted. A changed TTL is a removal and an addition.
    ///
    /// Cost: one pass over both.
    ///
    /// # Panics
    /// When the difference is larger than a zone can be.
    pub fn between(old: &Records, new: &Records) -> Self {
        let mut diff = Self::default();
        let (mut a, mut b) = (old.iter().peekable(), new.iter().peekable());
        let push = |to: &mut Records, r: Record<'_>| push(to, r).expect("no more than a zone");
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(x), Some(y)) => cmp(x, y),
            };
            match order {
                Ordering::Less => push(&mut diff.removed, a.next().expect("peeked")),
                Ordering::Greater => push(&mut diff.added, b.next().expect("peeked")),
                Ordering::Equal => {
                    let (x, y) = (a.next().expect("peeked"), b.next().expect("peeked"));
                    if x.ttl != y.ttl {
                        push(&mut diff.removed, x);
                        push(&mut diff.added, y);
                    }
                }
            }
        }
        diff.removed.sort();
        diff.added.sort();
        diff
    }

    /// This change and the `next` one as one change: what comes and goes again, or goes and comes again, is in neither side (RFC 1995 §6). It
    /// leads from and to the same zones as the two do, and fails on the same ones where this one fits.
    ///
    /// Cost: one pass over both; for many changes see [`Self::joined`].
    ///
    /// # Errors
    /// When `next` cannot follow: a record goes that has gone already, or comes that is there.
    pub fn then(mut self, mut next: Self) -> Result<Self, DiffError> {
        [&mut self.removed, &mut self.added, &mut next.removed, &mut next.added].into_iter().for_each(Records::sort);
        let mut sides = [&self.removed, &self.added, &next.removed, &next.added].map(|records| records.iter().peekable());
        let mut joined = Self::default();
        while let Some(first) = sides.iter_mut().filter_map(|side| side.peek().copied()).min_by(cmp) {
            let [gone, come, goes, comes] = sides.each_mut().map(|side| side.next_if(|record| cmp(record, &first).is_eq()));
            let (is_there, is_gone) = (come.is_some(), gone.is_some() && come.is_none());
            match (goes, comes) {
                (Some(r), _) if is_gone => return Err(DiffError::Absent(r.owner.to_owned(), r.rtype)),
                (None, Some(r)) if is_there => return Err(DiffError::Present(r.owner.to_owned(), r.rtype)),
                _ => {}
            }
            // Whether it was there before both, and whether it is after both.
            let before = if is_there { gone } else { gone.or(goes) };
            let after = if goes.is_some() { comes } else { comes.or(come) };
            if let (Some(x), Some(y)) = (before, after)
                && x.ttl == y.ttl
            {
                continue;
            }
            before.map_or(Ok(()), |r| push(&mut joined.removed, r))?;
            after.map_or(Ok(()), |r| push(&mut joined.added, r))?;
        }
        joined.removed.sort();
        joined.added.sort();
        Ok(joined)
    }

    /// Many changes, each of which starts where the one before it ends, as one; an empty one for none. Cost: [`Self::then`] in pairs.
    ///
    /// # Errors
    /// As [`Self::then`].
    pub fn joined(mut changes: Vec<Self>) -> Result<Self, DiffError> {
        while changes.len() > 1 {
            let mut pairs = Vec::with_capacity(changes.len().div_ceil(2));
            let mut left = changes.into_iter();
            while let Some(first) = left.next() {
                pairs.push(match left.next() {
                    Some(next) => first.then(next)?,
                    None => first,
                });
            }
            changes = pairs;
        }
        Ok(changes.pop().unwrap_or_default())
    }

    /// Records that go and come.
    pub fn n_records(&self) -> usize {
        self.removed.len() + self.added.len()
    }

    /// What changes at each name, in lower case and in canonical order.
    ///
    /// # Errors
    /// None but [`DiffError::Zone`], when it is larger than a zone can be.
    pub fn by_name(&self) -> Result<Vec<(Name, Self)>, DiffError> {
        let sorted = |records: &Records| {
            let mut records = records.clone();
            records.sort();
            records
        };
        let (removed, added) = (sorted(&self.removed), sorted(&self.added));
        let (mut goes, mut comes) = (removed.names().peekable(), added.names().peekable());
        let mut names = Vec::new();
        loop {
            let order = match (goes.peek(), comes.peek()) {
                (None, None) => return Ok(names),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(x), Some(y)) => x.owner().canonical_cmp(y.owner()),
            };
            let gone = goes.next_if(|_| order.is_le()).map(|name| name.to_records());
            let come = comes.next_if(|_| order.is_ge()).map(|name| name.to_records());
            let change = Self { removed: gone.unwrap_or_default(), added: come.unwrap_or_default() };
            let owner = change.removed.iter().chain(change.added.iter()).next().map(|record| record.owner.to_lowercase());
            names.extend(owner.map(|owner| (owner, change)));
        }
    }

    /// The versions from which and to which it leads, by the SOA records of the zone `apex`; `None` unless each side has exactly one.
    pub fn serials(&self, apex: NameRef<'_>) -> Option<(Serial, Serial)> {
        let serial = |records: &Records| {
            let mut soas = records.iter().filter(|record| record.rtype == Rtype::SOA);
            let (soa, others) = (soas.next()?, soas.count());
            let serial = Soa::read(soa.rdata)?.serial;
            (others == 0 && soa.owner == apex).then_some(Serial(serial))
        };
        Some((serial(&self.removed)?, serial(&self.added)?))
    }

    /// True if nothing changes.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The records of `old`, sorted, after the change.
    ///
    /// # Errors
    /// When a record that goes is absent, or one that comes is present.
    pub fn apply_to(&self, old: &Records) -> Result<Records, DiffError> {
        let mut new = Records::with_capacity(old.len() + self.added.len());
        let mut removed = self.removed.iter().peekable();
        let mut added = self.added.iter().peekable();
        for record in old.iter() {
            if let Some(absent) = removed.next_if(|r| cmp(r, &record) == Ordering::Less) {
                return Err(DiffError::Absent(absent.owner.to_owned(), absent.rtype));
            }
            while let Some(r) = added.next_if(|r| cmp(r, &record) == Ordering::Less) {
                push(&mut new, r)?;
            }
            let goes = removed.next_if(|r| cmp(r, &record) == Ordering::Equal).is_some();
            match added.next_if(|r| cmp(r, &record) == Ordering::Equal) {
                Some(r) if goes => push(&mut new, r)?,
                Some(r) => return Err(DiffError::Present(r.owner.to_owned(), r.rtype)),
                None if goes => {}
                None => push(&mut new, record)?,
            }
        }
        if let Some(absent) = removed.next() {
            return Err(DiffError::Absent(absent.owner.to_owned(), absent.rtype));
        }
        for r in added {
            push(&mut new, r)?;
        }
        new.sort();
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(rng: &mut fastrand::Rng) -> Records {
        let mut records = Records::new();
        for _ in 0..rng.usize(..30) {
            let name = Name::parse(&format!("{}.vn", rng.u8(b'a'..b'f') as char)).expect("name");
            records.push(name.as_ref(), Rtype(rng.u16(1..3)), rng.u32(1..3), &[rng.u8(..4)]).expect("room");
        }
        records.sort();
        records
    }

    fn list(records: &Records) -> Vec<(Name, Rtype, u32, Vec<u8>)> {
        records.iter().map(|r| (r.owner.to_owned(), r.rtype, r.ttl, r.rdata.to_vec())).collect()
    }

    #[test]
    fn between_and_apply_are_inverse() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..300 {
            let (old, new) = (bag(&mut rng), bag(&mut rng));
            let diff = Diff::between(&old, &new);
            assert_eq!(list(&diff.apply_to(&old).expect("fits")), list(&new));
            if !diff.is_empty() {
                assert!(diff.apply_to(&new).is_err(), "a diff fits once");
            }
        }
    }

    #[test]
    fn joined_changes_are_the_whole_change() {
        let mut rng = fastrand::Rng::with_seed(12);
        for _ in 0..300 {
            let zones = [bag(&mut rng), bag(&mut rng), bag(&mut rng), bag(&mut rng)];
            let step = |i: usize| Diff::between(&zones[i], &zones[i + 1]);
            let whole = Diff::between(&zones[0], &zones[3]);
            for joined in [
                step(0).then(step(1)).expect("fits").then(step(2)).expect("fits"),
                step(0).then(step(1).then(step(2)).expect("fits")).expect("fits"),
            ] {
                assert_eq!(list(&joined.removed), list(&whole.removed));
                assert_eq!(list(&joined.added), list(&whole.added));
            }
            assert!(step(0).then(Diff::between(&zones[1], &zones[0])).expect("fits").is_empty());
        }
    }

    #[test]
    fn joined_changes_fit_where_both_do() {
        let mut rng = fastrand::Rng::with_seed(13);
        let (mut n_fit, mut n_not) = (0, 0);
        for _ in 0..3000 {
            let (old, mid) = (bag(&mut rng), bag(&mut rng));
            let first = Diff::between(&old, &mid);
            // A change of a few records of some other zone, which may or may not fit.
            let mut next = Diff::between(&bag(&mut rng), &bag(&mut rng));
            next.removed.retain(|_| rng.u8(..6) == 0);
            next.added.retain(|_| rng.u8(..6) == 0);
            let one_by_one = first.apply_to(&old).and_then(|mid| next.apply_to(&mid));
            let joined = first.then(next).and_then(|joined| joined.apply_to(&old));
            match (joined, one_by_one) {
                (Ok(joined), Ok(new)) => {
                    assert_eq!(list(&joined), list(&new));
                    n_fit += 1;
                }
                (Err(_), Err(_)) => n_not += 1,
                (joined, new) => panic!("{} {}", joined.is_ok(), new.is_ok()),
            }
        }
        assert!(n_fit > 100 && n_not > 100, "{n_fit} fit, {n_not} do not");
    }
}
