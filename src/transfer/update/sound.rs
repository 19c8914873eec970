//! What no update may do to a zone: leave it with a fault that it had not, as [`zone::check`](crate::zone::check()) finds them.
//!
//! Looked at is no more than what the changed names can be at fault with: they, what stands above them, one name below each new DNAME, and
//! the name servers of the apex.

use std::collections::{BTreeMap, BTreeSet};

use super::Draught;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, Rtype, rdata};
use crate::zone::{Fault, Finding, Severity, Zone, check};

/// The first error that the zone would have after a change of these names and has not now.
///
/// A delegation whose name servers have no addresses yet is none: they may come with the next update. For the apex it is one.
///
/// Cost: that of the records at the names, and a search for each name above one of them.
pub(super) fn new_fault(zone: &Zone, changed: &BTreeMap<Name, Draught>) -> Result<Option<Finding>, Full> {
    let names = concerned(zone, changed);
    let (mut before, mut after) = (Records::new(), Records::new());
    for name in &names {
        let stands = zone.records_at(name.as_ref());
        before.extend(&stands)?;
        match changed.get(name) {
            Some(draught) => {
                draught.new.iter().try_for_each(|row| after.push(name.as_ref(), row.rtype, row.ttl, &row.rdata))?;
            }
            None => after.extend(&stands)?,
        }
    }
    let errors = |mut records: Records| {
        records.sort();
        let mut findings = check(zone.apex(), &records);
        findings.retain(|finding| is_error(finding, zone.apex()));
        findings
    };
    let after = errors(after);
    if after.is_empty() {
        return Ok(None);
    }
    let before = errors(before);
    Ok(after.into_iter().find(|finding| !before.contains(finding)))
}

fn is_error(Finding { owner, fault }: &Finding, apex: NameRef<'_>) -> bool {
    match fault {
        Fault::NoAddress(_) | Fault::NsToCname(_) | Fault::NsBelowDname(_) => owner.as_ref() == apex,
        fault => fault.severity() == Severity::Error,
    }
}

fn concerned(zone: &Zone, changed: &BTreeMap<Name, Draught>) -> BTreeSet<Name> {
    let apex = zone.apex();
    let mut names: BTreeSet<Name> = changed.keys().cloned().collect();
    names.insert(apex.to_owned());
    let dnames = changed.iter().filter(|(_, draught)| draught.count(Rtype::DNAME) > 0);
    for (name, _) in dnames {
        let below = zone.below(name.as_ref()).filter(|node| node.is_cut() || node.all_sets().next().is_some());
        let below = below.map(|node| node.name(&apex.to_owned()));
        // What goes with the update is no fault.
        names.extend(below.filter(|name| changed.get(name).is_none_or(|draught| !draught.new.is_empty())).take(1));
    }
    let own = zone.records_at(apex);
    let own = own.iter().filter(|record| record.rtype == Rtype::NS).map(|record| record.rdata);
    let new = changed.get(&apex.to_owned()).into_iter().flat_map(|draught| &draught.new);
    let new = new.filter(|row| row.rtype == Rtype::NS).map(|row| &row.rdata[..]);
    let servers = own.chain(new).filter_map(|octets| rdata::target(Rtype::NS, octets)).filter(|server| server.is_at_or_below(apex));
    for server in servers {
        // A wildcard may give it its addresses.
        let wildcards = above(server, apex).filter_map(|name| Name::prepend(b"*", name).ok());
        names.extend(wildcards.chain([server.to_lowercase()]));
    }
    let tops: Vec<Name> = names.iter().flat_map(|name| above(name.as_ref(), apex)).map(|name| name.to_lowercase()).collect();
    names.extend(tops);
    names
}

/// The names above one that are at or below the apex, upwards.
fn above<'n>(name: NameRef<'n>, apex: NameRef<'n>) -> impl Iterator<Item = NameRef<'n>> {
    std::iter::successors(name.parent(), |name| name.parent()).take_while(move |name| name.is_at_or_below(apex))
}
