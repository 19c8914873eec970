//! What catalogs say: the records of a zone that others make.

use std::collections::BTreeMap;

use saola::dns::{Name, NameRef, Records, Rtype};
use saola::transfer::catalog::{Catalog, Heard, Member, Properties, settle, write};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Records, each a type (12 or 16 without its zero octet), the length of the owner, the owner, the length of RDATA, RDATA. Members that go by
/// what they say are exactly those that are listed and can be zones of somebody, whatever was had before; the catalog before is one of two members.
pub fn catalog(octets: &[u8]) {
    let apex = name("c.");
    let Some(records) = records(octets) else { return };
    let said = match Catalog::of(apex.as_ref(), &records) {
        Ok(said) => said,
        Err(broken) => {
            let _ = broken.to_string();
            return;
        }
    };
    let member = |id: &str| Member { catalog: name("c."), id: saola::transfer::catalog::Id::new(id.as_bytes()), groups: Vec::new() };
    let before = BTreeMap::from([(name("a.example."), member("a")), (name("old."), member("old"))]);
    let settled = settle(|_| false, &[Heard { apex: &apex, says: Some(&said), scope: &[] }], &before);
    // What would take in the names of others is never one.
    let is_zone = |member: &&Name| {
        let member = member.as_ref();
        !member.is_root() && !member.is_wildcard() && !member.is_at_or_below(apex.as_ref())
    };
    assert!(settled.members.keys().eq(said.entries.keys().filter(is_zone)));
    settled.changes.iter().for_each(|change| _ = change.to_string());
    settled.clashes.iter().for_each(|clash| _ = clash.to_string());
    settled.members.values().for_each(|member| _ = format!("{} {:?}", member.id, member.groups.iter().map(ToString::to_string)));
    assert_eq!(settle(|_| false, &[Heard { apex: &apex, says: Some(&said), scope: &[] }], &settled.members).changes, []);
    // What is listed can be listed again.
    let listed: BTreeMap<Name, Properties> = said.entries.keys().map(|member| (member.clone(), Properties::default())).collect();
    let again = write(apex.as_ref(), &listed).expect("room");
    assert!(Catalog::of(apex.as_ref(), &again).expect("a catalog").entries.keys().eq(said.entries.keys()));
}

fn records(mut octets: &[u8]) -> Option<Records> {
    let mut records = Records::new();
    while let [rtype, rest @ ..] = octets {
        let (owner, rest) = piece(rest)?;
        let (rdata, rest) = piece(rest)?;
        if let Ok(owner) = NameRef::from_wire(owner) {
            records.push(owner, Rtype(u16::from(*rtype)), 0, rdata).ok()?;
        }
        octets = rest;
    }
    Some(records)
}

fn piece(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// Catalogs with all there is in one.
pub fn catalog_seeds() -> Vec<Vec<u8>> {
    let record = |rtype: Rtype, owner: &str, rdata: &[u8]| {
        let owner = name(owner);
        let owner = owner.as_ref().as_wire();
        [&[rtype.0 as u8, owner.len() as u8], owner, &[rdata.len() as u8], rdata].concat()
    };
    let wire = |text: &str| name(text).as_ref().as_wire().to_vec();
    let head = record(Rtype::TXT, "version.c", b"\x012");
    let member = |id: &str, zone: &str| record(Rtype::PTR, &format!("{id}.zones.c"), &wire(zone));
    let plain = [head.clone(), member("a", "a.example"), member("b", "b.example")].concat();
    let properties = [
        record(Rtype::TXT, "group.a.zones.c", b"\x01x\x02yz"),
        record(Rtype::TXT, "group.a.zones.c", b"\x00"),
        record(Rtype::PTR, "coo.b.zones.c", &wire("d")),
        record(Rtype::TXT, "x.vendor.ext.b.zones.c", b"\x01x"),
    ];
    vec![head, plain.clone(), [plain, properties.concat()].concat()]
}
