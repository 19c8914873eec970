//! Records in bulk: one arena of bytes and one small entry a record, so that a million of them
//! cost no million allocations.
//!
//! Knows no zone: order and RRsets are all it gives. RFC 4034 §6 (order), RFC 2181 §5 (RRsets).

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::name::NameRef;
use super::rdata;
use super::rtype::Rtype;

/// A bag of records of class IN, owner and RDATA in uncompressed wire form.
///
/// 16 bytes a record beside its bytes; an owner that repeats the one before is stored once, its length in front.
#[derive(Clone, Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    sorted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: u32,
    rdata: u32,
    ttl: u32,
    rtype: u16,
    rdata_len: u16,
}

/// One record.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The owner name.
    pub owner: NameRef<'a>,
    /// The type.
    pub rtype: Rtype,
    /// Seconds to live.
    pub ttl: u32,
    /// RDATA, names uncompressed.
    pub rdata: &'a [u8],
}

/// The arena is full: more than 4 GiB of names and RDATA in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more than 4 GiB of records in one zone")
    }
}

impl std::error::Error for Full {}

impl Records {
    /// An empty bag.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty bag with room for about `n` records.
    pub fn with_capacity(n: usize) -> Self {
        Self { bytes: Vec::with_capacity(n * 40), entries: Vec::with_capacity(n), sorted: false }
    }

    /// Adds one record.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB.
    ///
    /// # Panics
    /// When `rdata` has more than 65,535 octets: no message could carry it, and no reader here gives it.
    pub fn push(&mut self, owner: NameRef<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<(), Full> {
        let owner = match self.entries.last() {
            Some(last) if self.owner_at(last.owner).as_wire() == owner.as_wire() => last.owner,
            _ => {
                let at = self.append(&[owner.as_wire().len() as u8])?;
                self.append(owner.as_wire())?;
                at
            }
        };
        let rdata_len = u16::try_from(rdata.len()).expect("RDATA of at most 65,535 octets");
        let rdata = self.append(rdata)?;
        self.entries.push(Entry { owner, rdata, ttl, rtype: rtype.0, rdata_len });
        self.sorted = false;
        Ok(())
    }

    /// Adds a copy of every record of `other`.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB.
    pub fn extend(&mut self, other: &Records) -> Result<(), Full> {
        let shift = self.append(&other.bytes)?;
        self.entries.extend(other.entries.iter().map(|e| Entry { owner: e.owner + shift, rdata: e.rdata + shift, ..*e }));
        self.sorted = false;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<u32, Full> {
        let at = u32::try_from(self.bytes.len()).map_err(|_| Full)?;
        if self.bytes.len() + bytes.len() > u32::MAX as usize {
            return Err(Full);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(at)
    }

    #[inline]
    fn owner_at(&self, at: u32) -> NameRef<'_> {
        let (&len, rest) = self.bytes[at as usize..].split_first().expect("a length stands in front of each name");
        NameRef::from_whole(&rest[..len as usize])
    }

    #[inline]
    fn rdata_of(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.rdata as usize..entry.rdata as usize + entry.rdata_len as usize]
    }

    #[inline]
    fn get(&self, entry: &Entry) -> Record<'_> {
        Record { owner: self.owner_at(entry.owner), rtype: Rtype(entry.rtype), ttl: entry.ttl, rdata: self.rdata_of(entry) }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Octets that the records take: names, RDATA and 16 a record. Room that is kept for more is not in it.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// The owner of the record added last; of sorted records, the last in order.
    pub fn last_owner(&self) -> Option<NameRef<'_>> {
        self.entries.last().map(|entry| self.owner_at(entry.owner))
    }

    /// Takes all records out; the room for them stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.sorted = false;
    }

    /// True without a record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// True after [`Self::sort`], until something is added.
    pub fn is_sorted(&self) -> bool {
        self.sorted
    }

    /// Every record, in order of insertion or, once sorted, in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> + Clone {
        self.part(0..self.len())
    }

    /// The records at these places in the order of [`Self::iter`].
    ///
    /// # Panics
    /// Beyond the last.
    pub fn part(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = Record<'_>> + Clone {
        self.entries[range].iter().map(|entry| self.get(entry))
    }

    /// The type of every record, in the order of [`Self::iter`].
    pub fn rtypes(&self) -> impl ExactSizeIterator<Item = Rtype> + Clone {
        self.entries.iter().map(|entry| Rtype(entry.rtype))
    }

    /// Keeps the records for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(Record<'_>) -> bool) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| keep(self.get(entry)));
        self.entries = entries;
    }

    /// Puts the records in canonical order (owner, type, RDATA; signatures by the type they cover)
    /// and drops duplicates (RFC 2181 §5: equal but for TTL and the case of names is equal).
    ///
    /// Cost: one pass where the names stand in order, as in the files of signers; otherwise n log n comparisons of the first 16 octets
    /// that names do not share, and of names only where those are equal.
    pub fn sort(&mut self) {
        if self.sorted {
            return;
        }
        if !self.names_ascend() {
            self.sort_names();
        }
        self.sort_within_names();
        self.sorted = true;
    }

    /// True if every name stands behind the one before it, with all its records in one place.
    fn names_ascend(&self) -> bool {
        let mut owners = self.entries.chunk_by(|a, b| a.owner == b.owner).map(|run| self.owner_at(run[0].owner));
        let Some(mut last) = owners.next() else { return true };
        owners.all(|owner| std::mem::replace(&mut last, owner).canonical_cmp(owner) == Ordering::Less)
    }

    /// Puts all records of a name in one place, and the names in order.
    fn sort_names(&mut self) {
        // One key a run of equal owners; the part that all keys share (the apex) is skipped in the prefix.
        let mut keys: Vec<u8> = Vec::with_capacity(self.entries.len() * 10);
        let mut runs: Vec<Run> = Vec::new();
        for (i, entry) in self.entries.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if self.entries[run.first as usize].owner == entry.owner => run.n += 1,
                _ => {
                    let start = keys.len();
                    self.owner_at(entry.owner).append_sort_key(&mut keys);
                    runs.push(Run { prefix: [0; 2], key: start, key_len: (keys.len() - start) as u32, first: i as u32, n: 1 });
                }
            }
        }
        let key = |run: &Run| &keys[run.key..run.key + run.key_len as usize];
        let shared = match runs.first() {
            Some(first) => {
                runs.iter().map(key).fold(key(first).len(), |n, k| key(first)[..n].iter().zip(k).take_while(|(a, b)| a == b).count())
            }
            None => 0,
        };
        for run in &mut runs {
            let rest = &keys[run.key + shared..run.key + run.key_len as usize];
            let mut head = [0u8; 16];
            let n = rest.len().min(16);
            head[..n].copy_from_slice(&rest[..n]);
            run.prefix = [0, 8].map(|at| u64::from_be_bytes(head[at..at + 8].try_into().expect("eight octets")));
        }
        let order = |a: &Run, b: &Run| a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b)));
        runs.sort_unstable_by(|a, b| order(a, b).then(a.first.cmp(&b.first)));

        let mut sorted: Vec<Entry> = Vec::with_capacity(self.entries.len());
        for same in runs.chunk_by(|a, b| order(a, b) == Ordering::Equal) {
            let owner = self.entries[same[0].first as usize].owner;
            for run in same {
                let run = &self.entries[run.first as usize..(run.first + run.n) as usize];
                sorted.extend(run.iter().map(|entry| Entry { owner, ..*entry }));
            }
        }
        self.entries = sorted;
    }

    /// Puts the records of each name in order, and keeps the first of equal ones.
    fn sort_within_names(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        let (mut kept, mut from) = (0, 0);
        while from < entries.len() {
            let owner = entries[from].owner;
            let to = from + entries[from..].iter().take_while(|entry| entry.owner == owner).count();
            let name = &mut entries[from..to];
            let mut n = name.len();
            if !name.is_sorted_by(|a, b| self.cmp_within_name(a, b) == Ordering::Less) {
                name.sort_by(|a, b| self.cmp_within_name(a, b));
                n = 1;
                for i in 1..name.len() {
                    if self.cmp_within_name(&name[n - 1], &name[i]) != Ordering::Equal {
                        name[n] = name[i];
                        n += 1;
                    }
                }
            }
            if kept < from {
                entries.copy_within(from..from + n, kept);
            }
            kept += n;
            from = to;
        }
        entries.truncate(kept);
        self.entries = entries;
    }

    /// Puts the records of `other` among these; both are sorted first where they are not.
    ///
    /// Cost: one pass over the entries, and a search for each name of `other`; cheaper than to sort the whole again.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB; nothing is changed then.
    pub fn merge(&mut self, mut other: Records) -> Result<(), Full> {
        self.sort();
        other.sort();
        if self.bytes.len() + other.bytes.len() > u32::MAX as usize {
            return Err(Full);
        }
        // The octets of the smaller bag go behind those of the larger: for a moment they are there twice.
        let is_behind = self.bytes.len() >= other.bytes.len();
        if !is_behind {
            std::mem::swap(&mut self.bytes, &mut other.bytes);
        }
        self.bytes.reserve_exact(other.bytes.len());
        let moved = self.append(&other.bytes)?;
        drop(std::mem::take(&mut other.bytes));
        let shift = if is_behind { moved } else { 0 };
        if !is_behind {
            for entry in &mut self.entries {
                (entry.owner, entry.rdata) = (entry.owner + moved, entry.rdata + moved);
            }
        }
        let mine = std::mem::take(&mut self.entries);
        let mut merged: Vec<Entry> = Vec::with_capacity(mine.len() + other.entries.len());
        let mut at = 0;
        for theirs in other.entries.chunk_by(|a, b| a.owner == b.owner) {
            let owner = self.owner_at(theirs[0].owner + shift);
            let less = |entry: &Entry| self.owner_at(entry.owner).canonical_cmp(owner) == Ordering::Less;
            // Steps that double find the range, halving finds the place: cheap for neighbours and for strangers.
            let mut step = 1;
            while at + step < mine.len() && less(&mine[at + step]) {
                step *= 2;
            }
            let end = mine.len().min(at + step + 1);
            let found = at + mine[at..end].partition_point(less);
            merged.extend_from_slice(&mine[at..found]);
            at = found;
            let start = merged.len();
            while at < mine.len() && self.owner_at(mine[at].owner).canonical_cmp(owner) == Ordering::Equal {
                merged.push(mine[at]);
                at += 1;
            }
            let same = merged.len() > start;
            let owner = if same { merged[start].owner } else { theirs[0].owner + shift };
            merged.extend(theirs.iter().map(|e| Entry { owner, rdata: e.rdata + shift, ..*e }));
            if same {
                let mut group = merged.split_off(start);
                group.sort_by(|a, b| self.cmp_within_name(a, b));
                group.dedup_by(|b, a| self.cmp_within_name(a, b) == Ordering::Equal);
                merged.append(&mut group);
            }
        }
        merged.extend_from_slice(&mine[at..]);
        self.entries = merged;
        self.sorted = true;
        Ok(())
    }

    /// Gives every record of an RRset the smallest TTL in the set (RFC 2181 §5.2); signatures over one type count as a set.
    ///
    /// Sorts first where needed.
    pub fn level_ttls(&mut self) {
        self.sort();
        let mut entries = std::mem::take(&mut self.entries);
        let kind = |e: &Entry| (e.owner, e.rtype, if e.rtype == Rtype::RRSIG.0 { covered(self.rdata_of(e)) } else { 0 });
        for set in entries.chunk_by_mut(|a, b| kind(a) == kind(b)) {
            let ttl = set.iter().map(|e| e.ttl).min().unwrap_or(0);
            set.iter_mut().for_each(|e| e.ttl = ttl);
        }
        self.entries = entries;
    }

    /// The records of the name whose first record is number `first` in order. Call [`Self::sort`] first.
    ///
    /// With [`NameRecords::len`] this lets threads walk ranges of one zone.
    ///
    /// # Panics
    /// When not sorted, or `first` is past the end.
    pub fn name_at(&self, first: usize) -> NameRecords<'_> {
        assert!(self.sorted, "records are sorted before they are grouped");
        let owner = self.entries[first].owner;
        let n = self.entries[first..].iter().take_while(|e| e.owner == owner).count();
        NameRecords { records: self, entries: &self.entries[first..first + n] }
    }

    fn cmp_within_name(&self, a: &Entry, b: &Entry) -> Ordering {
        a.rtype.cmp(&b.rtype).then_with(|| cmp_rdata(Rtype(a.rtype), self.rdata_of(a), self.rdata_of(b)))
    }

    /// The names in order, each with all its records. Call [`Self::sort`] first.
    ///
    /// # Panics
    /// When not sorted.
    pub fn names(&self) -> impl Iterator<Item = NameRecords<'_>> + Clone {
        assert!(self.sorted, "records are sorted before they are grouped");
        self.entries.chunk_by(|a, b| a.owner == b.owner).map(|entries| NameRecords { records: self, entries })
    }

    /// The RRsets in order; signatures are grouped by the type they cover. Call [`Self::sort`] first.
    ///
    /// # Panics
    /// When not sorted.
    pub fn rrsets(&self) -> impl Iterator<Item = Rrset<'_>> + Clone {
        self.names().flat_map(|name| name.rrsets())
    }

    /// All records of the name `owner`, found by binary search. Call [`Self::sort`] first.
    ///
    /// # Panics
    /// When not sorted.
    pub fn name(&self, owner: NameRef<'_>) -> Option<NameRecords<'_>> {
        assert!(self.sorted, "records are sorted before they are searched");
        let cmp = |entry: &Entry| self.owner_at(entry.owner).canonical_cmp(owner);
        let start = self.entries.partition_point(|entry| cmp(entry) == Ordering::Less);
        let end = start + self.entries[start..].partition_point(|entry| cmp(entry) == Ordering::Equal);
        (start < end).then(|| NameRecords { records: self, entries: &self.entries[start..end] })
    }
}

/// Records that follow each other and have one owner.
struct Run {
    prefix: [u64; 2],
    key: usize,
    key_len: u32,
    first: u32,
    n: u32,
}

/// Compares RDATA in canonical form (RFC 4034 §6.3).
pub fn cmp_rdata(rtype: Rtype, a: &[u8], b: &[u8]) -> Ordering {
    if a == b || !rdata::is_lowered(rtype) {
        return a.cmp(b);
    }
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if !a.iter().take(same + 1).chain(b.get(same)).any(u8::is_ascii_uppercase) {
        // The canonical form is the same as far as it decides.
        return a[same..].cmp(&b[same..]);
    }
    let (mut x, mut y) = (Vec::new(), Vec::new());
    rdata::append_canonical(rtype, a, &mut x);
    rdata::append_canonical(rtype, b, &mut y);
    x.cmp(&y)
}

/// All records of one name, in order of type.
#[derive(Clone, Copy)]
pub struct NameRecords<'a> {
    records: &'a Records,
    entries: &'a [Entry],
}

impl<'a> NameRecords<'a> {
    /// The name.
    pub fn owner(&self) -> NameRef<'a> {
        self.records.owner_at(self.entries[0].owner)
    }

    /// How many records the name has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a name here has a record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A copy of them, sorted.
    pub fn to_records(&self) -> Records {
        let owner = self.owner().as_wire();
        let mut bytes = vec![owner.len() as u8];
        bytes.extend_from_slice(owner);
        let copy = |entry: &Entry| {
            let rdata = bytes.len() as u32;
            bytes.extend_from_slice(self.records.rdata_of(entry));
            Entry { owner: 0, rdata, ..*entry }
        };
        let entries = self.entries.iter().map(copy).collect();
        Records { bytes, entries, sorted: true }
    }

    /// Its RRsets by type; signatures one set for each type covered.
    pub fn rrsets(&self) -> impl Iterator<Item = Rrset<'a>> + Clone + use<'a> {
        let records = self.records;
        self.entries
            .chunk_by(move |a, b| {
                a.rtype == b.rtype && (a.rtype != Rtype::RRSIG.0 || covered(records.rdata_of(a)) == covered(records.rdata_of(b)))
            })
            .map(move |entries| Rrset { records, entries })
    }

    /// The RRset of one type (for RRSIG: the first one).
    pub fn rrset(&self, rtype: Rtype) -> Option<Rrset<'a>> {
        self.sets_from(rtype)?.next()
    }

    /// The signatures over the RRset of `rtype`.
    pub fn signatures(&self, rtype: Rtype) -> Option<Rrset<'a>> {
        self.sets_from(Rtype::RRSIG)?
            .map_while(|set| Some((set.covered()?, set)))
            .find(|(covered, _)| *covered == rtype)
            .map(|(_, set)| set)
    }

    /// The RRsets from the first of this type on; `None` without one.
    fn sets_from(&self, rtype: Rtype) -> Option<impl Iterator<Item = Rrset<'a>> + Clone + use<'a>> {
        let from = self.entries.iter().position(|entry| entry.rtype == rtype.0)?;
        Some(NameRecords { records: self.records, entries: &self.entries[from..] }.rrsets())
    }
}

/// The type that RRSIG RDATA covers.
fn covered(rdata: &[u8]) -> u16 {
    match rdata {
        [a, b, ..] => u16::from_be_bytes([*a, *b]),
        _ => 0,
    }
}

/// One RRset, its records in canonical order.
#[derive(Clone, Copy)]
pub struct Rrset<'a> {
    records: &'a Records,
    entries: &'a [Entry],
}

impl<'a> Rrset<'a> {
    /// The owner name.
    pub fn owner(&self) -> NameRef<'a> {
        self.records.owner_at(self.entries[0].owner)
    }

    /// The type.
    pub fn rtype(&self) -> Rtype {
        Rtype(self.entries[0].rtype)
    }

    /// For signatures the type they cover.
    pub fn covered(&self) -> Option<Rtype> {
        (self.rtype() == Rtype::RRSIG).then(|| Rtype(covered(self.records.rdata_of(&self.entries[0]))))
    }

    /// The smallest TTL of the records: differing TTLs in one set are an error that is mended downwards (RFC 2181 §5.2).
    pub fn ttl(&self) -> u32 {
        self.entries.iter().map(|entry| entry.ttl).min().unwrap_or(0)
    }

    /// Each record's TTL.
    pub fn ttls(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.entries.iter().map(|entry| entry.ttl)
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a set has a record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each record's RDATA.
    pub fn rdata(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let records = self.records;
        self.entries.iter().map(move |entry| records.rdata_of(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    fn bag(lines: &[(&str, Rtype, &[u8])]) -> Records {
        let mut records = Records::new();
        for (owner, rtype, rdata) in lines {
            records.push(Name::parse(owner).expect("name").as_ref(), *rtype, 60, rdata).expect("room");
        }
        records.sort();
        records
    }

    #[test]
    fn sorts_groups_and_drops_duplicates() {
        let records = bag(&[
            ("b.vn", Rtype::NS, b"\x01X\0"),
            ("vn", Rtype::NS, b"\x01a\0"),
            ("a.b.vn", Rtype::A, &[192, 0, 2, 1]),
            ("B.vn", Rtype::NS, b"\x01x\0"),
            ("b.vn", Rtype::A, &[192, 0, 2, 2]),
            ("b.vn", Rtype::A, &[192, 0, 2, 1]),
        ]);
        let sets: Vec<_> = records.rrsets().map(|set| (set.owner().to_string(), set.rtype(), set.len())).collect();
        assert_eq!(
            sets,
            [
                ("vn.".into(), Rtype::NS, 1),
                ("b.vn.".into(), Rtype::A, 2),
                ("b.vn.".into(), Rtype::NS, 1),
                ("a.b.vn.".to_string(), Rtype::A, 1)
            ]
        );
        let b = records.name(Name::parse("B.VN").expect("name").as_ref()).expect("there");
        assert_eq!(b.rrset(Rtype::A).expect("there").rdata().next(), Some(&[192, 0, 2, 1][..]));
        assert!(records.name(Name::parse("c.vn").expect("name").as_ref()).is_none());
    }

    #[test]
    fn merging_equals_sorting() {
        let mut rng = fastrand::Rng::with_seed(11);
        for round in 0..200 {
            // Either may be the larger one.
            let few = rng.u8(..2) as usize;
            let mut bags = [Records::new(), Records::new(), Records::new()];
            for _ in 0..rng.usize(0..60) {
                let labels: Vec<_> = (0..rng.usize(0..3)).map(|_| *rng.choice(["a", "B", "b", "c"].iter()).expect("some")).collect();
                let name = Name::parse(&format!("{}{}vn", labels.join("."), if labels.is_empty() { "" } else { "." })).expect("name");
                let (rtype, rdata) = (Rtype(rng.u16(65280..65282)), [rng.u8(..3)]);
                let side = if rng.u8(..5) == 0 { few } else { 1 - few };
                bags[side].push(name.as_ref(), rtype, 1, &rdata).expect("room");
                bags[2].push(name.as_ref(), rtype, 1, &rdata).expect("room");
            }
            let [mut merged, other, mut all] = bags;
            merged.merge(other).expect("room");
            all.sort();
            let list = |r: &Records| r.iter().map(|r| (r.owner.to_owned(), r.rtype, r.rdata.to_vec())).collect::<Vec<_>>();
            assert_eq!(list(&merged), list(&all), "round {round}");
            let mut at = 0;
            while at < merged.len() {
                let name = merged.name_at(at);
                assert_eq!(merged.name(name.owner()).map(|n| n.len()), Some(name.len()));
                at += name.len();
            }
        }
    }

    #[test]
    fn order_equals_a_slow_sort() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut records = Records::new();
        let mut slow = Vec::new();
        for _ in 0..3000 {
            let labels: Vec<String> = (0..rng.usize(1..4))
                .map(|_| {
                    (0..rng.usize(1..4))
                        .map(|_| *rng.choice(["a", "B", "b", "-", r"\000", r"\001", r"\255"].iter()).expect("some"))
                        .collect()
                })
                .collect();
            let name = Name::parse(&format!("{}.vn", labels.join("."))).expect("name");
            let rdata = [rng.u8(..4)];
            records.push(name.as_ref(), Rtype(rng.u16(65280..65283)), 1, &rdata).expect("room");
            let last = records.iter().last().expect("one");
            slow.push((name, last.rtype, rdata.to_vec()));
        }
        slow.sort();
        slow.dedup();
        records.sort();
        let list = |r: &Records| r.iter().map(|r| (r.owner.to_owned(), r.rtype, r.rdata.to_vec())).collect::<Vec<_>>();
        assert_eq!(list(&records), slow);

        // Names in order, whose records are not: one pass does, and duplicates go all the same.
        let mut ascending = Records::new();
        for name in slow.chunk_by(|a, b| a.0 == b.0) {
            let mut turned: Vec<_> = name.iter().collect();
            turned.rotate_left(rng.usize(..name.len()));
            for (_, rtype, rdata) in turned.into_iter().chain(&name[..rng.usize(..2)]) {
                ascending.push(name[0].0.as_ref(), *rtype, 1, rdata).expect("room");
            }
        }
        assert!(ascending.names_ascend() && ascending.len() > slow.len());
        ascending.sort();
        assert_eq!(list(&ascending), slow);
    }

    #[test]
    fn rdata_is_compared_in_canonical_form() {
        let mut rng = fastrand::Rng::with_seed(13);
        let mut octets = || (0..rng.usize(..6)).map(|_| *rng.choice(b"\0\x01aAbB".iter()).expect("some")).collect::<Vec<u8>>();
        for _ in 0..20_000 {
            let (a, b) = (octets(), octets());
            for rtype in [Rtype::NS, Rtype::SOA, Rtype::MX, Rtype::RRSIG, Rtype::A] {
                let (mut x, mut y) = (Vec::new(), Vec::new());
                rdata::append_canonical(rtype, &a, &mut x);
                rdata::append_canonical(rtype, &b, &mut y);
                assert_eq!(cmp_rdata(rtype, &a, &b), x.cmp(&y), "{rtype} {a:?} {b:?}");
            }
        }
    }
}
