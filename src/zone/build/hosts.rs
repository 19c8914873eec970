//! Name servers on the way into a zone: those of the cut at hand, and the NS sets, each written once.

use hashbrown::HashTable;

use crate::zone::base::NONE;
use crate::zone::hash::NameHash;

/// The name servers at or below the cut that was written last, of which nodes come behind it.
#[derive(Default)]
pub struct OwnHosts {
    /// Their names below the cut, in lower case, one behind the other.
    names: Vec<u8>,
    hosts: Vec<OwnHost>,
}

struct OwnHost {
    from: usize,
    to: usize,
    /// Where its node's place goes to.
    patch: usize,
    is_met: bool,
}

impl OwnHosts {
    pub fn clear(&mut self) {
        self.names.clear();
        self.hosts.clear();
    }

    pub fn push(&mut self, name: &[u8]) {
        let from = self.names.len();
        self.names.extend_from_slice(name);
        self.names[from..].make_ascii_lowercase();
        self.hosts.push(OwnHost { from, to: self.names.len(), patch: 0, is_met: false });
    }

    /// Appends their places to the node of their cut at `cut`.
    pub fn append(&mut self, cut: u32, nodes: &mut Vec<u8>) {
        nodes.push(self.hosts.len() as u8);
        for host in &mut self.hosts {
            host.patch = nodes.len();
            host.is_met = host.from == host.to;
            nodes.extend_from_slice(&if host.is_met { cut } else { NONE }.to_le_bytes());
        }
    }

    /// Tells those with this name that their node is there; false without one.
    pub fn met(&mut self, name: &[u8], mut patch: impl FnMut(usize)) -> bool {
        let mut any = false;
        for host in self.hosts.iter_mut().filter(|host| &self.names[host.from..host.to] == name) {
            patch(host.patch);
            host.is_met = true;
            any = true;
        }
        any
    }

    pub fn absent(&self) -> impl Iterator<Item = &[u8]> {
        self.hosts.iter().filter(|host| !host.is_met).map(|host| &self.names[host.from..host.to])
    }
}

/// The NS sets that were written, each once.
#[derive(Default)]
pub struct NsSets {
    /// What the set at hand is made from: TTL and names, those at or below the owner without it. Nothing else of the owner is in
    /// a set, so that equal keys make equal sets.
    pub key: Vec<u8>,
    /// The keys of all.
    keys: Vec<u8>,
    table: HashTable<NsSet>,
    /// Those with hosts elsewhere in the zone, whose nodes are still to be found.
    pub unfinished: Vec<u32>,
}

struct NsSet {
    hash: u64,
    from: usize,
    to: usize,
    at: u32,
}

impl NsSets {
    /// Adds a name server to the key at hand; `own` is its name without that of the owner, if it is at or below it.
    pub fn push_name(&mut self, own: Option<&[u8]>, rdata: &[u8]) {
        const OWN: u32 = 1 << 31;
        let (name, flag) = own.map_or((rdata, 0), |own| (own, OWN));
        self.key.extend_from_slice(&(name.len() as u32 | flag).to_le_bytes());
        self.key.extend_from_slice(name);
    }

    /// Where the set at hand stands, or under which number it is to be [inserted](Self::insert).
    pub fn find(&self, seed: u64) -> Result<u32, u64> {
        let hash = NameHash::start(seed).with(&self.key).number();
        self.table.find(hash, |set| set.hash == hash && self.keys[set.from..set.to] == self.key).map(|set| set.at).ok_or(hash)
    }

    pub fn insert(&mut self, hash: u64, at: u32) {
        let from = self.keys.len();
        self.keys.extend_from_slice(&self.key);
        self.table.insert_unique(hash, NsSet { hash, from, to: self.keys.len(), at }, |set| set.hash);
    }
}
