//! The head of an image: what a zone has beside its arrays, and how long these are.

use std::collections::HashSet;

use super::{FORMAT, ImageError, LAYOUT, MAGIC, PRELUDE, STRETCH, SUM};
use crate::dns::rdata::Soa;
use crate::dns::{Name, NameRef};
use crate::zone::Zone;
use crate::zone::base::Counts;
use crate::zone::chain::{Chain, Nsec3Params};

/// What stands in front of the arrays.
pub(super) struct Head {
    pub apex: Name,
    pub soa: Soa,
    pub negative_soa: Vec<u8>,
    pub seed: u64,
    pub counts: Counts,
    pub used: usize,
    pub chain: ChainHead,
    pub n_pieces: usize,
    pub n_nodes: usize,
    pub n_buckets: usize,
    /// Places of nodes, ascending: between two of them, and behind the last, are stretches that are checked by themselves.
    pub stretches: Vec<u32>,
    pub absent_hosts: HashSet<Box<[u8]>>,
    pub account: Vec<u8>,
}

/// What a chain has beside its arrays.
pub(super) enum ChainHead {
    None,
    Nsec { n: usize },
    Nsec3 { params: Nsec3Params, shift: u32, n: usize },
}

impl ChainHead {
    /// How many tops of hashes an NSEC3 chain has in its table.
    pub fn starts(shift: u32) -> usize {
        (1usize << (32 - shift)) + 1
    }
}

impl Head {
    pub fn of(zone: &Zone, account: &[u8]) -> Self {
        let base = &zone.base;
        let mut stretches = vec![0u32];
        for node in base.nodes() {
            if node.id() - stretches[stretches.len() - 1] >= STRETCH as u32 {
                stretches.push(node.id());
            }
        }
        Self {
            apex: zone.apex.clone(),
            soa: zone.soa.clone(),
            negative_soa: zone.negative_soa.clone(),
            seed: base.seed,
            counts: base.counts,
            used: base.index.used(),
            chain: match &base.chain {
                Chain::None => ChainHead::None,
                Chain::Nsec(order) => ChainHead::Nsec { n: order.len() },
                Chain::Nsec3(chain) => ChainHead::Nsec3 { params: chain.params.clone(), shift: chain.arrays().3, n: chain.len() },
            },
            n_pieces: base.arena.pieces.len(),
            n_nodes: base.arena.nodes.len(),
            n_buckets: base.index.buckets().len(),
            stretches,
            absent_hosts: base.absent_hosts.clone(),
            account: account.to_vec(),
        }
    }

    /// Prelude and head.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096 + self.account.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&LAYOUT.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        let number = |out: &mut Vec<u8>, n: usize| out.extend_from_slice(&(n as u64).to_le_bytes());
        let octets = |out: &mut Vec<u8>, octets: &[u8]| {
            number(out, octets.len());
            out.extend_from_slice(octets);
        };
        octets(&mut out, self.apex.as_ref().as_wire());
        octets(&mut out, &self.soa.to_rdata());
        octets(&mut out, &self.negative_soa);
        out.extend_from_slice(&self.seed.to_le_bytes());
        let Counts { cuts, secure_cuts, names, hidden, records, signatures } = self.counts;
        for n in [cuts, secure_cuts, names, hidden, records, signatures, self.used, self.n_pieces, self.n_nodes, self.n_buckets] {
            number(&mut out, n);
        }
        match &self.chain {
            ChainHead::None => out.push(0),
            ChainHead::Nsec { n } => {
                out.push(1);
                number(&mut out, *n);
            }
            ChainHead::Nsec3 { params, shift, n } => {
                out.push(2);
                number(&mut out, params.iterations.into());
                octets(&mut out, &params.salt);
                number(&mut out, *shift as usize);
                number(&mut out, *n);
            }
        }
        number(&mut out, self.stretches.len());
        self.stretches.iter().for_each(|&at| number(&mut out, at as usize));
        let mut absent: Vec<_> = self.absent_hosts.iter().collect();
        absent.sort();
        number(&mut out, absent.len());
        absent.iter().for_each(|host| octets(&mut out, host));
        octets(&mut out, &self.account);
        let len = (out.len() - PRELUDE) as u64;
        out[PRELUDE - 8..PRELUDE].copy_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// Reads prelude and head, which `octets` holds to the end of the checksum.
    pub fn decode(octets: &[u8], apex: NameRef<'_>) -> Result<Self, ImageError> {
        let (octets, sum) = octets.split_last_chunk::<SUM>().ok_or(ImageError::Length)?;
        if crc32fast::hash(octets).to_le_bytes() != *sum {
            return Err(ImageError::Checksum);
        }
        let mut input = Input { octets: octets.get(PRELUDE..).ok_or(ImageError::Length)? };
        let malformed = |what| move || ImageError::Malformed(what);
        let found = NameRef::from_wire(input.octets()?).map_err(|_| ImageError::Malformed("its apex is no name"))?;
        if found != apex {
            return Err(ImageError::Apex(found.to_owned()));
        }
        let soa = Soa::read(input.octets()?).ok_or_else(malformed("its SOA is none"))?;
        let negative_soa = input.octets()?.to_vec();
        let seed = input.number()?;
        let mut numbers = [0usize; 10];
        for n in &mut numbers {
            *n = input.size()?;
        }
        let [cuts, secure_cuts, names, hidden, records, signatures, used, n_pieces, n_nodes, n_buckets] = numbers;
        let chain = match input.octet()? {
            0 => ChainHead::None,
            1 => ChainHead::Nsec { n: input.size()? },
            2 => {
                let iterations = u16::try_from(input.number()?).map_err(|_| ImageError::Malformed("its NSEC3 parameters are none"))?;
                let salt = input.octets()?.to_vec();
                let shift = u32::try_from(input.number()?).ok().filter(|shift| (8..32).contains(shift));
                let shift = shift.ok_or_else(malformed("the table of its chain has no such size"))?;
                ChainHead::Nsec3 { params: Nsec3Params { iterations, salt }, shift, n: input.size()? }
            }
            _ => return Err(ImageError::Malformed("its chain is of no known kind")),
        };
        let mut stretches = Vec::new();
        for _ in 0..input.size()? {
            stretches.push(u32::try_from(input.number()?).map_err(|_| ImageError::Malformed("a node lies beyond 4 GiB"))?);
        }
        let mut absent_hosts = HashSet::new();
        for _ in 0..input.size()? {
            absent_hosts.insert(input.octets()?.into());
        }
        let account = input.octets()?.to_vec();
        if !input.octets.is_empty() {
            return Err(ImageError::Malformed("its head is longer than what is in it"));
        }
        Ok(Self {
            apex: found.to_lowercase(),
            soa,
            negative_soa,
            seed,
            counts: Counts { cuts, secure_cuts, names, hidden, records, signatures },
            used,
            chain,
            n_pieces,
            n_nodes,
            n_buckets,
            stretches,
            absent_hosts,
            account,
        })
    }
}

/// What of the head is not read yet. Lists end with it, whatever length they promise.
struct Input<'a> {
    octets: &'a [u8],
}

impl<'a> Input<'a> {
    fn octet(&mut self) -> Result<u8, ImageError> {
        let (&octet, rest) = self.octets.split_first().ok_or(ImageError::Length)?;
        self.octets = rest;
        Ok(octet)
    }

    fn number(&mut self) -> Result<u64, ImageError> {
        let (octets, rest) = self.octets.split_first_chunk().ok_or(ImageError::Length)?;
        self.octets = rest;
        Ok(u64::from_le_bytes(*octets))
    }

    /// A number of items or octets.
    fn size(&mut self) -> Result<usize, ImageError> {
        // Nodes and pieces are found by 32 bits, so that no array comes near this, and sums and products of sizes never overflow.
        let n = self.number()?;
        if n < 1 << 40 { Ok(n as usize) } else { Err(ImageError::Malformed("it has an array of more than a terabyte")) }
    }

    fn octets(&mut self) -> Result<&'a [u8], ImageError> {
        let n = self.size()?;
        let (octets, rest) = self.octets.split_at_checked(n).ok_or(ImageError::Length)?;
        self.octets = rest;
        Ok(octets)
    }
}
