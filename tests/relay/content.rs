//! What a zone of delegations is to hold, and random changes of it as clients ask for them.

use std::collections::{BTreeMap, BTreeSet};

use saola::dns::{Name, Records, Rtype};

/// One set: its TTL, and its records.
type Set = (u32, BTreeSet<Vec<u8>>);

/// Sets by owner and type.
pub struct Content {
    apex: Name,
    sets: BTreeMap<(Name, Rtype), Set>,
    /// The next delegation that was never there.
    next: usize,
    random: fastrand::Rng,
}

const IN: u16 = 1;
const ANY: u16 = 255;

impl Content {
    /// `n` delegations below `apex`, a third of them signed, a few with name servers of their own.
    pub fn new(apex: &Name, n: usize, seed: u64) -> Self {
        let mut content = Self { apex: apex.clone(), sets: BTreeMap::new(), next: 0, random: fastrand::Rng::with_seed(seed) };
        (0..n).for_each(|_| drop(content.delegate()));
        content
    }

    /// As a master file, with a SOA of this serial.
    pub fn file(&self, serial: u32) -> String {
        let mut records = Records::new();
        for ((owner, rtype), (ttl, set)) in &self.sets {
            set.iter().for_each(|rdata| records.push(owner.as_ref(), *rtype, *ttl, rdata).expect("room"));
        }
        let mut text =
            format!("{} 900 IN SOA ns.example. h.example. {serial} 3600 600 864000 300\n{} 900 NS ns.example.\n", self.apex, self.apex)
                .into_bytes();
        saola::dns::master::write(&records, 1, &mut text).expect("written");
        String::from_utf8(text).expect("text")
    }

    /// Every record but those at the apex, sorted.
    pub fn rows(&self) -> Vec<(String, u16, u32, Vec<u8>)> {
        let rows = self
            .sets
            .iter()
            .flat_map(|((owner, rtype), (ttl, set))| set.iter().map(move |rdata| (owner.to_string(), rtype.0, *ttl, rdata.clone())));
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    /// Some changes at random, as the update section of one message: how many records, and their octets.
    pub fn change(&mut self) -> (u16, Vec<u8>) {
        let n = [1, 1, 1, 2, 5, 20][self.random.usize(..6)];
        let parts: Vec<(u16, Vec<u8>)> = (0..n).map(|_| self.one()).collect();
        (parts.iter().map(|part| part.0).sum(), parts.into_iter().flat_map(|part| part.1).collect())
    }

    fn one(&mut self) -> (u16, Vec<u8>) {
        let number = self.random.usize(..self.next);
        let owner = self.name(&format!("d{number}"));
        match self.random.usize(..12) {
            0..3 => self.delegate(),
            3..5 => {
                let glue = self.name(&format!("ns1.{}", label(&owner)));
                let (a, b) = (self.drop_name(&owner), self.drop_name(&glue));
                (2, [a, b].concat())
            }
            // The signer makes it a secure delegation, or an insecure one.
            5..7 if self.sets.contains_key(&(owner.clone(), Rtype::NS)) => {
                let rdata = self.ds();
                self.put(&owner, Rtype::DS, 3600, rdata)
            }
            7 => {
                self.sets.remove(&(owner.clone(), Rtype::DS));
                (1, row(&owner, Rtype::DS, ANY, 0, &[]))
            }
            8..10 if self.sets.contains_key(&(owner.clone(), Rtype::NS)) => {
                let gone = row(&owner, Rtype::NS, ANY, 0, &[]);
                self.sets.remove(&(owner.clone(), Rtype::NS));
                let (n, added) = self.name_servers(&owner);
                (n + 1, [gone, added].concat())
            }
            10 => {
                let number = self.random.usize(..50);
                let owner = self.name(&format!("host{number}.infra"));
                let rdata = [&[7], &self.random.u64(..).to_be_bytes()[1..]].concat();
                self.put(&owner, Rtype::TXT, 60, rdata)
            }
            _ => {
                let number = self.random.usize(..50);
                let owner = self.name(&format!("host{number}.infra"));
                (1, self.drop_name(&owner))
            }
        }
    }

    fn name(&self, below: &str) -> Name {
        Name::parse(&format!("{below}.{}", self.apex)).expect("a name")
    }

    fn delegate(&mut self) -> (u16, Vec<u8>) {
        let owner = self.name(&format!("d{}", self.next));
        self.next += 1;
        let mut all = vec![self.name_servers(&owner)];
        if self.random.usize(..3) == 0 {
            let rdata = self.ds();
            all.push(self.put(&owner, Rtype::DS, 3600, rdata));
        }
        (all.iter().map(|part| part.0).sum(), all.into_iter().flat_map(|part| part.1).collect())
    }

    fn name_servers(&mut self, owner: &Name) -> (u16, Vec<u8>) {
        if self.random.usize(..20) == 0 {
            let server = self.name(&format!("ns1.{}", label(owner)));
            let (a, one) = self.put(owner, Rtype::NS, 3600, server.as_ref().as_wire().to_vec());
            let address = [192, 0, 2, self.random.u8(..)];
            let (b, two) = self.put(&server, Rtype::A, 3600, address.to_vec());
            return (a + b, [one, two].concat());
        }
        let hoster = self.random.usize(..40);
        let parts = [1, 2].map(|i| {
            let server = Name::parse(&format!("ns{i}.hoster{hoster}.example")).expect("a name");
            self.put(owner, Rtype::NS, 3600, server.as_ref().as_wire().to_vec())
        });
        (2, parts.map(|part| part.1).concat())
    }

    fn ds(&mut self) -> Vec<u8> {
        let mut rdata = [&self.random.u16(..).to_be_bytes()[..], &[13, 2]].concat();
        rdata.extend((0..32).map(|_| self.random.u8(..)));
        rdata
    }

    fn put(&mut self, owner: &Name, rtype: Rtype, ttl: u32, rdata: Vec<u8>) -> (u16, Vec<u8>) {
        let octets = row(owner, rtype, IN, ttl, &rdata);
        self.sets.entry((owner.clone(), rtype)).or_insert((ttl, BTreeSet::new())).1.insert(rdata);
        (1, octets)
    }

    fn drop_name(&mut self, owner: &Name) -> Vec<u8> {
        for rtype in [Rtype::NS, Rtype::DS, Rtype::A, Rtype::TXT] {
            self.sets.remove(&(owner.clone(), rtype));
        }
        row(owner, Rtype(255), ANY, 0, &[])
    }
}

/// The first label.
fn label(name: &Name) -> String {
    name.to_string().split('.').next().expect("a label").to_owned()
}

fn row(owner: &Name, rtype: Rtype, class: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let fixed = [rtype.0, class].map(u16::to_be_bytes).concat();
    [owner.as_ref().as_wire(), &fixed, &ttl.to_be_bytes(), &(rdata.len() as u16).to_be_bytes(), rdata].concat()
}
