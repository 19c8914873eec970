//! Changes that clients ask for (UPDATE, RFC 2136): read, checked against what the zone holds, and turned into a change of its content.
//!
//! Pure: what comes out is a [`Diff`] or the reason why not; nothing is changed here. Who may update is judged by others, before.

mod message;
mod refused;
mod sound;
mod wish;

use std::collections::BTreeMap;

pub use message::Update;
pub use refused::Refused;
pub use wish::{Who, Wish};

use message::Item;

use crate::dns::rdata::Soa;
use crate::dns::records::cmp_rdata;
use crate::dns::{Class, Name, NameRef, Records, Rtype, Serial};
use crate::zone::{Denial, Diff, Zone};

/// What an update may be.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The zone is signed here: signatures, chain and keys are the signer's, and an update that names one of them is refused.
    pub is_signed_here: bool,
    /// So is the digest at the apex (ZONEMD).
    pub is_digest_made_here: bool,
    /// Records of one message.
    pub most_records: usize,
    /// Records of one set, where the update adds some.
    pub most_in_set: usize,
}

impl Default for Rules {
    /// Our choice: what provisioning tools send, with room; and as many records of a set as anybody has.
    fn default() -> Self {
        Self { is_signed_here: false, is_digest_made_here: false, most_records: 2000, most_in_set: 1000 }
    }
}

/// The change that `update` makes of the zone's content, without signatures and chain: empty when nothing changes.
///
/// Prerequisites first, then all of the update section is looked at before anything of it counts, then it is worked through in
/// order (RFC 2136 §3.2 and §3.4). The SOA is in the change where the update has a newer one ([`Diff::serials`] tells); otherwise the
/// caller raises the serial, if the change is not empty. Names come out in lower case.
///
/// What the RFC leaves open or others have learned since: all records of a set get the TTL of the last one added (RFC 2181 §5.2); a DNAME
/// takes the place of another, as a CNAME does; unknown types are types (RFC 3597); what stands below a zone cut is in the zone. An update
/// that leaves the zone with an error which it had not (NS at a wildcard, names below a DNAME, a name server of the apex without address) is
/// refused; one that mends such an error or leaves it is not.
///
/// Cost: that of the records, and of what stands at the names they touch.
///
/// # Errors
/// [`Refused`]; nothing is to be changed then.
pub fn update(zone: &Zone, update: &Update, rules: &Rules) -> Result<Diff, Refused> {
    if update.zone() != zone.apex() || update.class != Class::IN {
        return Err(Refused::OtherZone(update.zone().to_owned()));
    }
    if update.len() > rules.most_records {
        return Err(Refused::TooMany(update.len()));
    }
    check_prerequisites(zone, &update.prerequisites)?;
    if zone.denial() != Denial::None && !rules.is_signed_here {
        return Err(Refused::SignedElsewhere);
    }
    update.updates.iter().try_for_each(|item| prescan(zone, item, rules))?;
    let mut draft = Draft { zone, rules, names: BTreeMap::new() };
    update.updates.iter().for_each(|item| draft.change(item));
    draft.finish()
}

/// RFC 2136 §3.2.
fn check_prerequisites(zone: &Zone, prerequisites: &[Item]) -> Result<(), Refused> {
    let mut sets: BTreeMap<(&Name, Rtype), Vec<&[u8]>> = BTreeMap::new();
    // What stands at a name is brought together once, however many records ask for it; sorted.
    let mut names: BTreeMap<&Name, Records> = BTreeMap::new();
    for Item { owner, rtype, class, ttl, rdata } in prerequisites {
        if *ttl != 0 {
            return Err(Refused::Malformed("a prerequisite has a TTL"));
        }
        if !owner.as_ref().is_at_or_below(zone.apex()) {
            return Err(Refused::NotInZone(owner.clone()));
        }
        if rtype.is_meta() && (*rtype != Rtype::ANY || *class == Class::IN) {
            return Err(Refused::Malformed("a prerequisite has a type that no record has"));
        }
        let records = names.entry(owner).or_insert_with(|| zone.records_at(owner.as_ref()));
        let is_there = || {
            if *rtype == Rtype::ANY { !records.is_empty() } else { records.rtypes().any(|other| other == *rtype) }
        };
        match *class {
            Class::ANY | Class::NONE if !rdata.is_empty() => return Err(Refused::Malformed("a prerequisite without a value has data")),
            Class::ANY if !is_there() && *rtype == Rtype::ANY => return Err(Refused::NameMissing(owner.clone())),
            Class::ANY if !is_there() => return Err(Refused::SetMissing(owner.clone(), *rtype)),
            Class::NONE if is_there() && *rtype == Rtype::ANY => return Err(Refused::NameThere(owner.clone())),
            Class::NONE if is_there() => return Err(Refused::SetThere(owner.clone(), *rtype)),
            Class::ANY | Class::NONE => {}
            Class::IN => sets.entry((owner, *rtype)).or_default().push(rdata),
            _ => return Err(Refused::Malformed("a prerequisite has a class of its own")),
        }
    }
    for ((owner, rtype), mut wanted) in sets {
        wanted.sort_by(|a, b| cmp_rdata(rtype, a, b));
        wanted.dedup_by(|a, b| cmp_rdata(rtype, a, b).is_eq());
        let found = names[owner].iter().filter(|record| record.rtype == rtype);
        let is_same = found.clone().count() == wanted.len() && found.zip(&wanted).all(|(a, b)| cmp_rdata(rtype, a.rdata, b).is_eq());
        if !is_same {
            return Err(Refused::SetMissing(owner.clone(), rtype));
        }
    }
    Ok(())
}

/// RFC 2136 §3.4.1.
fn prescan(zone: &Zone, item: &Item, rules: &Rules) -> Result<(), Refused> {
    let Item { owner, rtype, class, ttl, rdata } = item;
    if !owner.as_ref().is_at_or_below(zone.apex()) {
        return Err(Refused::NotInZone(owner.clone()));
    }
    if rtype.is_meta() && (*rtype != Rtype::ANY || *class != Class::ANY) {
        return Err(Refused::Malformed("an update has a type that no record has"));
    }
    match *class {
        Class::IN => {}
        Class::ANY | Class::NONE if *ttl != 0 => return Err(Refused::Malformed("a deletion has a TTL")),
        Class::ANY if !rdata.is_empty() => return Err(Refused::Malformed("a deletion of a set has data")),
        Class::ANY | Class::NONE => {}
        _ => return Err(Refused::Malformed("an update has a class of its own")),
    }
    if *class != Class::ANY && !item.fits() {
        return Err(Refused::Malformed("a record's data are not those of its type"));
    }
    if rules.makes(*rtype, owner.as_ref() == zone.apex()) {
        return Err(Refused::Maintained(owner.clone(), *rtype));
    }
    // A zone would seem signed of which nobody keeps the signatures right.
    if *class == Class::IN && matches!(*rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM) {
        return Err(Refused::OfSigner(owner.clone(), *rtype));
    }
    Ok(())
}

impl Rules {
    /// What the signer makes.
    fn makes(&self, rtype: Rtype, is_apex: bool) -> bool {
        match rtype {
            Rtype::ZONEMD => self.is_digest_made_here && is_apex,
            Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM | Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY => {
                self.is_signed_here
            }
            _ => false,
        }
    }
}

/// The names that are touched, as they are to be.
struct Draft<'z> {
    zone: &'z Zone,
    rules: &'z Rules,
    names: BTreeMap<Name, Draught>,
}

/// One name.
struct Draught {
    /// Before, sorted.
    old: Records,
    new: Vec<Row>,
    /// Types of which some were added.
    grown: Vec<Rtype>,
}

struct Row {
    rtype: Rtype,
    ttl: u32,
    rdata: Vec<u8>,
}

impl Draft<'_> {
    /// RFC 2136 §3.4.2.
    fn change(&mut self, item: &Item) {
        let Item { owner, rtype, class, rdata, .. } = item;
        let is_apex = owner.as_ref() == self.zone.apex();
        let at_name = self.at(owner.as_ref());
        match *class {
            Class::IN => at_name.add(item),
            // The apex keeps its SOA and NS, whatever is to go.
            Class::ANY if is_apex && *rtype == Rtype::ANY => at_name.new.retain(|row| matches!(row.rtype, Rtype::SOA | Rtype::NS)),
            Class::ANY if is_apex && matches!(*rtype, Rtype::SOA | Rtype::NS) => {}
            Class::ANY => at_name.new.retain(|row| *rtype != Rtype::ANY && row.rtype != *rtype),
            Class::NONE if is_apex && *rtype == Rtype::SOA => {}
            // The last one stays.
            Class::NONE if is_apex && *rtype == Rtype::NS && at_name.count(Rtype::NS) == 1 => {}
            _ => at_name.new.retain(|row| row.rtype != *rtype || cmp_rdata(*rtype, &row.rdata, rdata).is_ne()),
        }
    }

    /// What is to stand at a name.
    fn at(&mut self, name: NameRef<'_>) -> &mut Draught {
        let Self { zone, rules, names } = self;
        names.entry(name.to_owned()).or_insert_with(|| {
            let mut old = zone.records_at(name);
            old.retain(|record| !rules.makes(record.rtype, name == zone.apex()));
            old.sort();
            let new = old.iter().map(|record| Row { rtype: record.rtype, ttl: record.ttl, rdata: record.rdata.to_vec() }).collect();
            Draught { old, new, grown: Vec::new() }
        })
    }

    fn finish(self) -> Result<Diff, Refused> {
        let (mut old, mut new) = (Records::new(), Records::new());
        for (name, at_name) in &self.names {
            let most = self.rules.most_in_set;
            if let Some(rtype) = at_name.grown.iter().find(|rtype| at_name.count(**rtype) > most) {
                return Err(Refused::SetTooLarge(name.clone(), *rtype));
            }
            old.extend(&at_name.old).expect("less than the zone");
            for row in &at_name.new {
                new.push(name.as_ref(), row.rtype, row.ttl, &row.rdata).expect("less than the zone and a message");
            }
        }
        if let Some(fault) = sound::new_fault(self.zone, &self.names).expect("less than the zone and a message") {
            return Err(Refused::Unsound(fault));
        }
        old.sort();
        new.sort();
        Ok(Diff::between(&old, &new))
    }
}

impl Draught {
    fn count(&self, rtype: Rtype) -> usize {
        self.new.iter().filter(|row| row.rtype == rtype).count()
    }

    fn add(&mut self, Item { rtype, ttl, rdata, .. }: &Item) {
        // A CNAME stands alone; what comes second is passed over.
        if self.new.iter().any(|row| (row.rtype == Rtype::CNAME) != (*rtype == Rtype::CNAME)) {
            return;
        }
        if *rtype == Rtype::SOA && !self.new.iter().any(|row| row.rtype == Rtype::SOA && is_raised(&row.rdata, rdata)) {
            return;
        }
        self.new.iter_mut().filter(|row| row.rtype == *rtype).for_each(|row| row.ttl = *ttl);
        let place = self.new.iter_mut().find(|row| row.rtype == *rtype && takes_place_of(*rtype, rdata, &row.rdata));
        match place {
            Some(row) => row.rdata.clone_from(rdata),
            None => {
                self.new.push(Row { rtype: *rtype, ttl: *ttl, rdata: rdata.clone() });
                self.grown.push(*rtype);
            }
        }
    }
}

/// True if the second SOA is of a newer version.
fn is_raised(old: &[u8], new: &[u8]) -> bool {
    let serial = |rdata: &[u8]| Soa::read(rdata).map(|soa| Serial(soa.serial));
    serial(old).zip(serial(new)).is_some_and(|(old, new)| new.is_newer_than(old))
}

/// True if a set cannot have both records: the new one takes the place of the old one.
fn takes_place_of(rtype: Rtype, new: &[u8], old: &[u8]) -> bool {
    match rtype {
        Rtype::CNAME | Rtype::DNAME | Rtype::SOA => true,
        // Address and protocol (RFC 1035 §3.4.2).
        Rtype::WKS => new.get(..5) == old.get(..5),
        _ => cmp_rdata(rtype, new, old).is_eq(),
    }
}
