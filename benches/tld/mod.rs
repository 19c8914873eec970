//! A zone like that of a country, the same for the same seed, and the questions that resolvers ask of it.

#![allow(dead_code, missing_docs)] // each bench uses its part

use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, UnixTime};
use saola::sign::{Algorithm, Denial, Key, Policy, ZoneKeys, key, sign};
use saola::zone::{Diff, Zone};

pub const NOW: UnixTime = UnixTime(1_795_305_600);
const SUFFIXES: &[&str] = &["", "", "", "", "com.", "com.", "com.", "id.", "edu.", "net.", "hanoi."];
const SYLLABLES: &[&str] = &[
    "an", "anh", "bach", "binh", "chau", "cong", "dai", "dien", "dong", "duc", "gia", "hai", "hoa", "hung", "khanh", "kim", "lan", "linh",
    "long", "mai", "minh", "nam", "ngoc", "nhat", "phat", "phu", "quan", "quy", "sach", "sao", "son", "tam", "tan", "thanh", "thien",
    "thuy", "tin", "trang", "tri", "truong", "tuan", "tung", "van", "viet", "vinh", "xanh", "xuan", "yen",
];

/// What a zone is like.
#[derive(Clone, Copy)]
pub struct Shape {
    pub delegations: usize,
    /// Hundredths of the delegations that have a DS.
    pub secure: usize,
    /// Hundredths with name servers of their own below them.
    pub own_hosts: usize,
    /// Providers, each with one NS set.
    pub providers: usize,
}

impl Shape {
    /// As .vn is: 3 % with DS, 7 % with hosts of their own, few hundred hosting providers.
    pub fn like_vn(delegations: usize) -> Self {
        Self { delegations, secure: 3, own_hosts: 7, providers: 300 }
    }
}

/// A zone, and names in it by kind.
pub struct Tld {
    pub records: Records,
    /// Delegations with DS.
    pub secure: Vec<Name>,
    /// Delegations without.
    pub insecure: Vec<Name>,
    /// Names that are not there.
    pub missing: Vec<Name>,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Makes the zone vn., unsigned.
pub fn make(shape: Shape) -> Tld {
    let mut rng = fastrand::Rng::with_seed(92);
    let mut tld = Tld { records: Records::with_capacity(4 * shape.delegations), secure: vec![], insecure: vec![], missing: vec![] };
    let mut push = |owner: &Name, rtype, rdata: &[u8]| tld.records.push(owner.as_ref(), rtype, 3600, rdata).expect("room");
    let apex = name("vn.");
    let (mname, rname) = (name("a.dns-servers.vn."), name("admin.vn."));
    let soa = Soa { mname, rname, serial: 1, refresh: 1800, retry: 600, expire: 1_209_600, minimum: 900 };
    push(&apex, Rtype::SOA, &soa.to_rdata());
    for letter in ["a", "b", "c", "d"] {
        let host = name(&format!("{letter}.dns-servers.vn."));
        push(&apex, Rtype::NS, host.as_ref().as_wire());
        push(&host, Rtype::A, &[192, 0, 2, letter.as_bytes()[0]]);
        push(&host, Rtype::AAAA, &[[0x20, 1, 0xd, 0xb8].as_slice(), &[0; 11], letter.as_bytes()].concat());
    }
    for i in 0..shape.delegations {
        let suffix = SUFFIXES[rng.usize(..SUFFIXES.len())];
        let mut label: String = (0..rng.usize(1..4)).map(|_| SYLLABLES[rng.usize(..SYLLABLES.len())]).collect();
        tld.missing.push(name(&format!("{label}x{i}.{suffix}vn.")));
        label.push_str(&i.to_string());
        let owner = name(&format!("{label}.{suffix}vn."));
        if rng.usize(..100) < shape.own_hosts {
            for n in 1..=2 {
                let host = name(&format!("ns{n}.{label}.{suffix}vn."));
                push(&owner, Rtype::NS, host.as_ref().as_wire());
                push(&host, Rtype::A, &rng.u32(..).to_be_bytes());
                if n == 1 {
                    push(&host, Rtype::AAAA, &rng.u128(..).to_be_bytes());
                }
            }
        } else {
            let provider = rng.usize(..shape.providers);
            for n in 1..=2 + provider % 3 {
                push(&owner, Rtype::NS, name(&format!("ns{n}.provider{provider}.example.")).as_ref().as_wire());
            }
        }
        if rng.usize(..100) < shape.secure {
            push(&owner, Rtype::DS, &[[0, 1, 13, 2].as_slice(), &rng.u128(..).to_be_bytes(), &rng.u128(..).to_be_bytes()].concat());
            tld.secure.push(owner);
        } else {
            tld.insecure.push(owner);
        }
    }
    tld.records.sort();
    for names in [&mut tld.secure, &mut tld.insecure, &mut tld.missing] {
        rng.shuffle(names);
    }
    tld
}

impl Tld {
    /// A change of `n` names, from place `from` of each kind on: delegations that go, come and change their name servers; with `secure`
    /// three of ten are of delegations with DS.
    pub fn change(&self, from: usize, n: usize, secure: bool) -> Diff {
        let mut diff = Diff::default();
        let push = |to: &mut Records, owner: &Name, rtype, rdata: &[u8]| to.push(owner.as_ref(), rtype, 3600, rdata).expect("room");
        let ds = |i: usize| [[0, 1, 13, 2].as_slice(), &[i as u8; 32]].concat();
        for i in from..from + n {
            let (insecure, with_ds, missing) = (&self.insecure[i], &self.secure[i % self.secure.len()], &self.missing[i]);
            match if secure { i % 10 } else { 3 + i % 7 } {
                0 => self.remove(with_ds, &mut diff.removed),
                1 => push(&mut diff.added, insecure, Rtype::DS, &ds(i)),
                2 => {
                    push(&mut diff.added, missing, Rtype::NS, name("ns1.new.example.").as_ref().as_wire());
                    push(&mut diff.added, missing, Rtype::DS, &ds(i));
                }
                3..=5 => self.remove(insecure, &mut diff.removed),
                6 | 7 => {
                    push(&mut diff.added, missing, Rtype::NS, name("ns1.new.example.").as_ref().as_wire());
                    push(&mut diff.added, missing, Rtype::NS, name("ns2.new.example.").as_ref().as_wire());
                }
                _ => {
                    self.remove(insecure, &mut diff.removed);
                    push(&mut diff.added, insecure, Rtype::NS, name("ns3.new.example.").as_ref().as_wire());
                }
            }
        }
        diff.removed.sort();
        diff.added.sort();
        diff
    }

    /// A delegation with its glue.
    fn remove(&self, owner: &Name, to: &mut Records) {
        let hosts = ["ns1", "ns2"].map(|label| Name::prepend(label.as_bytes(), owner.as_ref()).expect("short"));
        for name in [owner, &hosts[0], &hosts[1]] {
            for set in self.records.name(name.as_ref()).iter().flat_map(|records| records.rrsets()) {
                set.rdata().for_each(|rdata| to.push(name.as_ref(), set.rtype(), set.ttl(), rdata).expect("room"));
            }
        }
    }
}

/// Keys as .vn has them: KSK and ZSK of algorithm 13.
pub fn keys() -> ZoneKeys {
    let keys = [key::ZONE | key::SEP, key::ZONE]
        .map(|flags| Key::generate(name("vn.").as_ref(), Algorithm::EcdsaP256Sha256, flags, None).expect("a key"));
    ZoneKeys::new(keys.into(), false, NOW).expect("keys")
}

/// The zone signed.
pub fn signed(records: Records, denial: Denial) -> Records {
    let policy = Policy { denial, ..Policy::default() };
    sign(records, name("vn.").as_ref(), &keys(), &policy, NOW, 0).expect("signed")
}

/// The zone signed and built.
pub fn serve(records: Records, denial: Denial) -> Zone {
    Zone::build(name("vn.").as_ref(), signed(records, denial)).expect("a zone")
}

/// A question as a resolver asks it: EDNS with DO and 1,232 octets.
pub fn question(name: &Name, rtype: Rtype) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend_from_slice(name.as_ref().as_wire());
    message.extend_from_slice(&rtype.0.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    message
}
