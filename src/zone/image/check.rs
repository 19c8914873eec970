//! Proves what a read image says of itself: nodes and sets step exactly, every place is inside its array, every host of a cut is there.
//!
//! The checksums see damage. This sees an image that was made to look good: answering from what passes here neither leaves an array nor
//! runs on. Cost: one pass over the nodes, the sets they name, the index and the chain; some 20 ns per delegation.

use super::ImageError;
use crate::dns::name::MAX_NAME;
use crate::zone::base::{
    Base, Counts, HAS_DS, HAS_OTHERS, KIND, KIND_CUT, KIND_HIDDEN, KIND_PLAIN, LINK_IS_NSEC, LINK_MATCHES, NONE, OWN_HOST,
};
use crate::zone::chain::Chain;
use crate::zone::piece::{ENTRY, HEADER, LEANS_ON_ITSELF, POINTER};

/// A part of the check that needs no other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Nodes from one place to another.
    Nodes(usize, usize),
    /// The index.
    Index,
    /// The chain.
    Chain,
}

/// The steps of a check; `stretches` are the places where nodes can be parted.
pub(super) fn steps(base: &Base, stretches: &[u32]) -> Result<Vec<Step>, ImageError> {
    let n = base.arena.nodes.len();
    let mut steps = vec![Step::Index, Step::Chain];
    for (i, &from) in stretches.iter().enumerate() {
        let to = stretches.get(i + 1).map_or(n, |&to| to as usize);
        if from as usize >= to || to > n {
            return Err(ImageError::Malformed("its stretches of nodes do not ascend"));
        }
        steps.push(Step::Nodes(from as usize, to));
    }
    if stretches.first() == Some(&0) { Ok(steps) } else { Err(ImageError::Malformed("it has no apex")) }
}

/// What was counted on the way.
#[derive(Default)]
pub(super) struct Tally(Counts);

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.0.cuts += other.0.cuts;
        self.0.secure_cuts += other.0.secure_cuts;
        self.0.names += other.0.names;
        self.0.hidden += other.0.hidden;
    }

    /// Compares with what the image says.
    pub fn is_of(&self, base: &Base) -> Result<(), ImageError> {
        let kinds = |counts: &Counts| (counts.cuts, counts.secure_cuts, counts.names, counts.hidden);
        if kinds(&self.0) == kinds(&base.counts) { Ok(()) } else { Err(ImageError::Malformed("it counts other nodes than it has")) }
    }
}

/// Carries out one step.
pub(super) fn check(base: &Base, apex_len: usize, step: Step) -> Result<Tally, ImageError> {
    match step {
        Step::Nodes(from, to) => {
            let mut nodes = Nodes { base, n_links: n_links(base), tally: Tally::default(), known: vec![(NONE, 0); KNOWN] };
            let mut rest = &base.arena.nodes[from..to];
            // Nodes of an NSEC chain that are still to be met; they ascend, see below.
            let mut chain = match &base.chain {
                Chain::Nsec(order) => {
                    let place = |end: usize| order.partition_point(|&at| (at as usize) < end);
                    order.get(place(from)..place(to)).unwrap_or(&[])
                }
                Chain::None | Chain::Nsec3(_) => &[],
            };
            while !rest.is_empty() {
                if let Some((&first, behind)) = chain.split_first()
                    && first as usize == to - rest.len()
                {
                    chain = behind;
                }
                rest = nodes.node(rest, apex_len, from == 0 && rest.len() == to).ok_or(ImageError::Malformed("a node makes no sense"))?;
            }
            if chain.is_empty() { Ok(nodes.tally) } else { Err(ImageError::Malformed("its chain leads into a node")) }
        }
        Step::Index => {
            let n = base.arena.nodes.len();
            let inside = base.index.buckets().iter().all(|bucket| bucket.offsets().all(|at| (at as usize) < n));
            if inside && !base.index.buckets().is_empty() {
                Ok(Tally::default())
            } else {
                Err(ImageError::Malformed("its index leads outside"))
            }
        }
        Step::Chain => {
            let is_good = match &base.chain {
                Chain::None => true,
                Chain::Nsec(order) => {
                    order.is_sorted_by(|a, b| a < b) && order.last().is_some_and(|&at| (at as usize) < base.arena.nodes.len())
                }
                Chain::Nsec3(chain) => {
                    let (hashes, sets, starts, _) = chain.arrays();
                    !hashes.is_empty()
                        && hashes.is_sorted_by(|a, b| a < b)
                        && starts.is_sorted()
                        && starts.last() == Some(&(hashes.len() as u32))
                        && sets.iter().all(|&at| set(&base.arena.pieces, at).is_some())
                }
            };
            if is_good { Ok(Tally::default()) } else { Err(ImageError::Malformed("its chain makes no sense")) }
        }
    }
}

/// Checks the SOA of negative answers, which stands beside the arrays.
pub(super) fn negative_soa(octets: &[u8]) -> Result<(), ImageError> {
    if set(octets, 0) == Some(octets.len()) { Ok(()) } else { Err(ImageError::Malformed("its negative SOA makes no sense")) }
}

fn n_links(base: &Base) -> usize {
    match &base.chain {
        Chain::Nsec3(chain) => chain.len(),
        Chain::None | Chain::Nsec(_) => 0,
    }
}

/// How many shared NS sets are remembered: a few hundred serve most delegations.
const KNOWN: usize = 1024;

struct Nodes<'a> {
    base: &'a Base,
    n_links: usize,
    tally: Tally,
    /// NS sets that were checked, with how many hosts each cut has to name.
    known: Vec<(u32, u8)>,
}

impl Nodes<'_> {
    /// Checks the node that `octets` starts with; gives those behind it.
    fn node<'o>(&mut self, octets: &'o [u8], apex_len: usize, is_apex: bool) -> Option<&'o [u8]> {
        let [flags, len, rest @ ..] = octets else { return None };
        let (prefix, rest) = rest.split_at_checked(*len as usize)?;
        let mut input = Input { octets: rest };
        let is_name = is_prefix(prefix) && prefix.len() + apex_len <= MAX_NAME && prefix.is_empty() == is_apex;
        if !is_name || is_apex && flags & KIND != KIND_PLAIN {
            return None;
        }
        let counts = &mut self.tally.0;
        match flags & KIND {
            KIND_CUT => {
                counts.cuts += 1;
                counts.secure_cuts += usize::from(flags & HAS_DS != 0);
                let (ns, link) = (input.u32()?, input.u32()?);
                if flags & LINK_IS_NSEC != 0 {
                    self.set(link)?;
                } else if link != NONE || flags & LINK_MATCHES != 0 {
                    self.link(link)?;
                }
                if flags & HAS_DS != 0 {
                    self.set(input.u32()?)?;
                }
                if flags & HAS_OTHERS != 0 {
                    self.sets(&mut input)?;
                }
                let n_own = input.u8()?;
                for _ in 0..n_own {
                    self.host(input.u32()?)?;
                }
                (self.ns_set(ns)? == n_own).then_some(())?;
            }
            KIND_PLAIN => {
                counts.names += 1;
                for _ in 0..2 {
                    match input.u32()? {
                        NONE => {}
                        link => self.link(link)?,
                    }
                }
                input.u32()?;
                self.sets(&mut input)?;
            }
            KIND_HIDDEN => {
                counts.hidden += 1;
                self.sets(&mut input)?;
            }
            _ => return None,
        }
        Some(input.octets)
    }

    fn sets(&self, input: &mut Input<'_>) -> Option<()> {
        for _ in 0..input.u16()? {
            input.u16()?;
            self.set(input.u32()?)?;
        }
        Some(())
    }

    fn set(&self, at: u32) -> Option<usize> {
        set(&self.base.arena.pieces, at)
    }

    fn link(&self, link: u32) -> Option<()> {
        ((link as usize) < self.n_links).then_some(())
    }

    fn host(&self, at: u32) -> Option<()> {
        (at == NONE || (at as usize) < self.base.arena.nodes.len()).then_some(())
    }

    /// Checks an NS set and its hosts; gives how many of these each cut names itself.
    fn ns_set(&mut self, at: u32) -> Option<u8> {
        let slot = (at.wrapping_mul(0x9e37_79b1) >> 22) as usize % KNOWN;
        if let (known, n_own) = self.known[slot]
            && known == at
            && at != NONE
        {
            return Some(n_own);
        }
        let pieces = &self.base.arena.pieces;
        let size = self.set(at)?;
        let records_len = u16::from_le_bytes([pieces[at as usize], pieces[at as usize + 1]]);
        let mut input = Input { octets: &pieces[at as usize + size..] };
        let mut n_own = 0;
        for _ in 0..input.u8()? {
            let (name_at, host) = (input.u16()?, input.u32()?);
            match host {
                OWN_HOST => n_own += 1,
                NONE => return None,
                host => self.host(host)?,
            }
            (name_at < records_len).then_some(())?;
        }
        self.known[slot] = (at, n_own);
        Some(n_own)
    }
}

/// True for whole labels without the root label.
fn is_prefix(mut prefix: &[u8]) -> bool {
    while let [len, rest @ ..] = prefix {
        match rest.get(*len as usize..) {
            Some(rest) if (1..=63).contains(len) => prefix = rest,
            _ => return false,
        }
    }
    true
}

/// Checks the set at `at`; gives its size.
fn set(pieces: &[u8], at: u32) -> Option<usize> {
    let octets = pieces.get(at as usize..)?;
    let (head, rest) = octets.split_at_checked(HEADER)?;
    let number = |i: usize| usize::from(u16::from_le_bytes([head[2 * i], head[2 * i + 1]]));
    let (pointers, rest) = rest.split_at_checked(ENTRY * number(4))?;
    let (records, rest) = rest.split_at_checked(number(0))?;
    let (signatures, _) = rest.split_at_checked(number(1))?;
    let (lead, leans) = (usize::from(head[10] & !LEANS_ON_ITSELF), head[10] & LEANS_ON_ITSELF != 0);
    let owner_is_good = match lead {
        POINTER => true,
        // A hash, and the root label or a pointer to the apex.
        34 => records.first() == Some(&32) && records.get(33) == Some(&0),
        35 => records.first() == Some(&32) && matches!(pointers, [33, 0, 1, ..]),
        _ => false,
    };
    if !owner_is_good || number(2) == 0 || !steps_through(records, lead, number(2)) || !steps_through(signatures, POINTER, number(3)) {
        return None;
    }
    let mut behind = 0;
    for entry in pointers.chunks_exact(ENTRY) {
        let at = usize::from(u16::from_le_bytes([entry[0], entry[1]]));
        let target = u16::from_be_bytes([*records.get(at)?, *records.get(at + 1)?]);
        let is_good = match entry[2] {
            0 | 1 => target == 0,
            2 => leans && usize::from(target) < at,
            _ => false,
        };
        if !is_good || at < behind {
            return None;
        }
        behind = at + 2;
    }
    Some(HEADER + pointers.len() + records.len() + signatures.len())
}

/// True if `n` records, the first with an owner of `lead` octets, fill `octets`.
fn steps_through(mut octets: &[u8], lead: usize, n: usize) -> bool {
    for i in 0..n {
        let owner = if i == 0 { lead } else { POINTER };
        let Some(length) = octets.get(owner + 8..owner + 10) else { return false };
        let end = owner + 10 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        match octets.get(end..) {
            Some(rest) => octets = rest,
            None => return false,
        }
    }
    octets.is_empty()
}

/// What stands in front of the next number, as far as there is one.
struct Input<'a> {
    octets: &'a [u8],
}

impl Input<'_> {
    #[inline]
    fn u8(&mut self) -> Option<u8> {
        let (&n, rest) = self.octets.split_first()?;
        self.octets = rest;
        Some(n)
    }

    #[inline]
    fn u16(&mut self) -> Option<u16> {
        let (n, rest) = self.octets.split_first_chunk()?;
        self.octets = rest;
        Some(u16::from_le_bytes(*n))
    }

    #[inline]
    fn u32(&mut self) -> Option<u32> {
        let (n, rest) = self.octets.split_first_chunk()?;
        self.octets = rest;
        Some(u32::from_le_bytes(*n))
    }
}
