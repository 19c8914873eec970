//! Zones of delegations and addresses that change: few names above, below and beside each other, a wildcard, glue, a chain.

use std::collections::{BTreeMap, BTreeSet};

use saola::dns::rdata::{Soa, append_bitmap};
use saola::dns::{Name, Records, Rtype};
use saola::zone::Nsec3Params;

pub fn name(text: &str) -> Name {
    Name::parse(text).expect("test name")
}

/// How a zone of the model denies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Chain {
    None,
    /// NSEC3 with opt-out.
    OptOut,
    /// NSEC3 of every name.
    Nsec3,
    Nsec,
}

/// A delegation of the model: name servers, whether it has DS, addresses of hosts below it. Without name servers it is a name of the
/// zone with these addresses.
#[derive(Clone, Default)]
pub struct Delegation {
    pub servers: BTreeSet<String>,
    pub secure: bool,
    pub addresses: BTreeMap<String, u8>,
}

/// The delegations of a zone by their names.
pub type Model = BTreeMap<String, Delegation>;

/// Adds, changes or takes away one of few names, so that they meet often.
pub fn change(model: &mut Model, rng: &mut fastrand::Rng) {
    let parents = ["", ".com", ".deep.com", ".gov", ".a.b", ".k", ".l.com"];
    let owner = format!("{}{}.vn", (b'k' + rng.u8(..6)) as char, parents[rng.usize(..parents.len())]);
    if rng.u8(..3) == 0 {
        model.remove(&owner);
        return;
    }
    if rng.u8(..6) == 0 {
        let addresses = BTreeMap::from([(owner.clone(), rng.u8(..))]);
        model.insert(owner, Delegation { addresses, ..Delegation::default() });
        return;
    }
    let mut delegation = Delegation { secure: rng.bool(), ..Delegation::default() };
    for _ in 0..rng.usize(1..4) {
        let host = match rng.u8(..4) {
            0 => format!("ns{}.{owner}", rng.u8(..2)),
            1 => format!("ns{}.out.example", rng.u8(..3)),
            2 => "a.dns.vn".into(),
            _ => "ns0.k.com.vn".into(),
        };
        if host.ends_with(&format!(".{owner}")) {
            delegation.addresses.insert(host.clone(), rng.u8(..));
        }
        delegation.servers.insert(host);
    }
    model.insert(owner, delegation);
}

/// All records of the model, with this chain.
pub fn records(model: &Model, serial: u32, kind: Chain) -> Records {
    let mut records = Records::new();
    let mut add = |owner: &str, rtype: Rtype, rdata: &[u8]| records.push(name(owner).as_ref(), rtype, 3600, rdata).expect("room");
    let soa = Soa { mname: name("a.dns.vn"), rname: name("h.vn"), serial, refresh: 1, retry: 1, expire: 1, minimum: 60 };
    add("vn", Rtype::SOA, &soa.to_rdata());
    add("vn", Rtype::NS, name("a.dns.vn").as_ref().as_wire());
    add("a.dns.vn", Rtype::A, &[192, 0, 2, 1]);
    add("*.wild.vn", Rtype::A, &[192, 0, 2, 2]);
    let mut chain: BTreeMap<String, Vec<Rtype>> = BTreeMap::new();
    chain.insert("vn".into(), vec![Rtype::NS, Rtype::SOA, Rtype::NSEC3PARAM]);
    for plain in ["a.dns.vn", "*.wild.vn"] {
        chain.insert(plain.into(), vec![Rtype::A]);
    }
    for (owner, delegation) in model {
        for server in &delegation.servers {
            add(owner, Rtype::NS, name(server).as_ref().as_wire());
        }
        for (host, address) in &delegation.addresses {
            add(host, Rtype::A, &[198, 51, 100, *address]);
        }
        let mut types = vec![if delegation.servers.is_empty() { Rtype::A } else { Rtype::NS }];
        if delegation.secure {
            add(owner, Rtype::DS, &[1, 2, 13, 2, 9, 9, 9]);
            types.push(Rtype::DS);
        }
        // What stands below another cut is not the zone's own.
        let mut above = owner.as_str();
        let is_hidden = std::iter::from_fn(|| {
            above = above.split_once('.')?.1;
            Some(above)
        })
        .any(|above| model.get(above).is_some_and(|above| !above.servers.is_empty()));
        if !is_hidden && (types != [Rtype::NS] || kind != Chain::OptOut) {
            chain.insert(owner.clone(), types);
        }
    }
    let parents = |owner: &str| {
        let labels = owner.match_indices('.').map(|(dot, _)| owner[dot + 1..].to_owned());
        labels.collect::<Vec<_>>()
    };
    match kind {
        Chain::None => {}
        Chain::OptOut | Chain::Nsec3 => {
            add("vn", Rtype::NSEC3PARAM, &[1, 0, 0, 0, 0]);
            for owner in chain.keys().cloned().collect::<Vec<_>>() {
                parents(&owner).into_iter().for_each(|parent| _ = chain.entry(parent).or_default());
            }
            let hash = |owner: &str| Nsec3Params::default().hash(name(owner).as_ref().to_lowercase().as_ref().as_wire());
            let links: BTreeMap<[u8; 20], &Vec<Rtype>> = chain.iter().map(|(owner, types)| (hash(owner), types)).collect();
            let hashes: Vec<_> = links.keys().copied().collect();
            for (i, (hash, types)) in links.into_iter().enumerate() {
                let mut rdata = vec![1, u8::from(kind == Chain::OptOut), 0, 0, 0, 20];
                rdata.extend_from_slice(&hashes[(i + 1) % hashes.len()]);
                append_bitmap(types.iter().copied(), &mut rdata);
                let label = data_encoding::BASE32HEX_NOPAD.encode(&hash).to_lowercase();
                records.push(name(&format!("{label}.vn")).as_ref(), Rtype::NSEC3, 60, &rdata).expect("room");
            }
        }
        Chain::Nsec => {
            let mut names: Vec<(Name, &Vec<Rtype>)> = chain.iter().map(|(owner, types)| (name(owner), types)).collect();
            names.sort_by(|a, b| a.0.as_ref().canonical_cmp(b.0.as_ref()));
            for (i, (owner, types)) in names.iter().enumerate() {
                let mut rdata = names[(i + 1) % names.len()].0.as_ref().as_wire().to_vec();
                let types = types.iter().copied().filter(|rtype| *rtype != Rtype::NSEC3PARAM);
                append_bitmap(types.chain([Rtype::NSEC]), &mut rdata);
                records.push(owner.as_ref(), Rtype::NSEC, 60, &rdata).expect("room");
            }
        }
    }
    records.sort();
    records
}
