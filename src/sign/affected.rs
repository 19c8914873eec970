//! The names that a change of a zone may touch, and what each of them is to DNSSEC afterwards.
//!
//! Every owner in the change; the names below one that begins or ceases to be a zone cut or a DNAME; the empty non-terminals above them
//! all; and beside a wildcard that comes or goes those that it guards. What is not among them stays as it is, so that of the rest of the
//! zone no more is asked than whether anything stands below a name.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::relink::is_of_nsec;
use super::walk::{self, Kind, LinkRule};
use super::{ChangeError, SignError};
use crate::dns::{Name, NameRecords, NameRef, Records, Rtype};
use crate::zone::{Diff, Node, Zone};

/// What stands at one name, and what will.
pub(super) struct Affected {
    /// Its records with their signatures, without those of the chain.
    pub stands: Records,
    /// Its link in the chain with its signatures; empty where it has none.
    pub link: Records,
    /// Its records as they will be, not signed.
    pub content: Records,
    /// What the name will be; `None` where it ceases to exist.
    pub kind: Option<Kind>,
}

/// The affected names in canonical order, in lower case. The apex and all names above one of them are among them.
pub(super) struct AffectedNames<'z> {
    zone: &'z Zone,
    names: BTreeMap<Name, Affected>,
}

/// Gives the link of a name, empty where it has none.
pub(super) type Links<'l> = dyn Fn(NameRef<'_>) -> Records + 'l;

impl<'z> AffectedNames<'z> {
    /// Finds them; [`Affected::kind`] is not set yet.
    ///
    /// # Errors
    /// When the change does not fit the zone.
    pub(super) fn find(zone: &'z Zone, change: &Diff, links: &Links<'_>) -> Result<Self, ChangeError> {
        let mut found = Self { zone, names: BTreeMap::new() };
        let mut turned = Vec::new();
        for (owner, change) in change.by_name()? {
            let mut affected = found.read(owner.as_ref(), links)?;
            for record in change.removed.iter().chain(change.added.iter()) {
                if matches!(record.rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM) {
                    return Err(ChangeError::Made(owner, record.rtype));
                }
            }
            let hid = hides(&affected.content, zone.apex());
            affected.content = change.apply_to(&affected.content)?;
            affected.content.level_ttls();
            if hides(&affected.content, zone.apex()) != hid {
                turned.push(owner.clone());
            }
            found.names.insert(owner, affected);
        }
        for top in turned {
            for node in zone.below(top.as_ref()) {
                found.add(&name_of(zone, node), links)?;
            }
        }
        found.add(&zone.apex().to_owned(), links)?;
        let all: Vec<Name> = found.names.keys().cloned().collect();
        let mut last = NameRef::ROOT;
        for name in &all {
            let mut name = name.as_ref();
            let first = name.parent();
            while let Some(parent) = name.parent().filter(|parent| parent.is_at_or_below(zone.apex()) && *parent != last) {
                if !found.add(&parent.to_owned(), links)? {
                    break;
                }
                name = parent;
            }
            // Siblings stand together.
            last = first.unwrap_or(last);
        }
        Ok(found)
    }

    /// The apex.
    pub(super) fn apex_mut(&mut self) -> &mut Affected {
        self.names.get_mut(&self.zone.apex().to_owned()).expect("the apex is affected")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, &Affected)> {
        self.names.iter().map(|(name, affected)| (name.as_ref(), affected))
    }

    /// Works out what each name will be.
    ///
    /// # Errors
    /// None of a zone that was built.
    pub(super) fn find_kinds(&mut self, rule: LinkRule, links: &Links<'_>) -> Result<(), ChangeError> {
        self.kinds_by_content();
        self.kinds_of_empty(rule, links);
        if rule != LinkRule::OptOut {
            return Ok(());
        }
        // Wildcards that come or go guard other names from now on.
        let turned = |(name, affected): (&Name, &Affected)| {
            let changes = name.as_ref().is_wildcard() && affected.link.is_empty() == affected.kind.is_some_and(Kind::is_needed);
            changes.then(|| name.as_ref().parent().map(NameRef::to_owned)).flatten()
        };
        let parents: Vec<Name> = self.names.iter().filter_map(turned).collect();
        for parent in &parents {
            let depth = parent.as_ref().label_count() + 1;
            let zone = self.zone;
            for node in zone.below(parent.as_ref()).filter(|node| !bears_records(*node)) {
                let name = name_of(zone, node);
                if name.as_ref().label_count() == depth {
                    self.add(&name, links)?;
                }
            }
        }
        if !parents.is_empty() {
            self.kinds_by_content();
            self.kinds_of_empty(rule, links);
        }
        let guarded: Vec<Name> = self.names.iter().filter(|(name, _)| self.is_guarded(name, links)).map(|(name, _)| name.clone()).collect();
        for name in guarded {
            self.names.get_mut(&name).expect("found there").kind = Some(Kind::GuardedEmpty);
        }
        Ok(())
    }

    /// Adds a name whose content does not change; false if it is there already.
    fn add(&mut self, name: &Name, links: &Links<'_>) -> Result<bool, ChangeError> {
        if self.names.contains_key(name) {
            return Ok(false);
        }
        let affected = self.read(name.as_ref(), links)?;
        self.names.insert(name.as_ref().to_lowercase(), affected);
        Ok(true)
    }

    fn read(&self, name: NameRef<'_>, links: &Links<'_>) -> Result<Affected, ChangeError> {
        if !name.is_at_or_below(self.zone.apex()) {
            return Err(SignError::OutOfZone(name.to_owned()).into());
        }
        let mut stands = self.zone.records_at(name);
        stands.retain(|record| !is_of_nsec(record.rtype, record.rdata));
        let mut content = stands.clone();
        content.retain(|record| record.rtype != Rtype::RRSIG);
        Ok(Affected { stands, link: links(name), content, kind: None })
    }

    /// The kinds of names that hold something, or stand below a cut: as [`walk::walk`] finds them, since whatever is above a name is
    /// affected too.
    fn kinds_by_content(&mut self) {
        let apex = self.zone.apex();
        let mut hidden: Option<&Name> = None;
        for (name, affected) in &mut self.names {
            if hidden.is_some_and(|top| name.as_ref().is_at_or_below(top.as_ref())) {
                affected.kind = Some(Kind::Below);
                continue;
            }
            let mut hides = None;
            affected.kind = records_of(&affected.content).map(|records| walk::kind(&records, apex, &mut hides));
            hidden = hides.map(|_| name);
        }
    }

    /// The kinds of empty non-terminals, but for guarded ones.
    fn kinds_of_empty(&mut self, rule: LinkRule, links: &Links<'_>) {
        if rule == LinkRule::Nsec {
            return;
        }
        let empty = self.names.iter().filter(|(_, affected)| affected.kind.is_none());
        let kinds: Vec<(Name, Option<Kind>)> =
            empty.map(|(name, affected)| (name.clone(), self.kind_of_empty(name, affected, rule, links))).collect();
        for (name, kind) in kinds {
            self.names.get_mut(&name).expect("found there").kind = kind;
        }
    }

    fn kind_of_empty(&self, name: &Name, affected: &Affected, rule: LinkRule, links: &Links<'_>) -> Option<Kind> {
        let below = || {
            let range = self.names.range((Bound::Excluded(name), Bound::Unbounded));
            range.take_while(|(other, _)| other.as_ref().is_at_or_below(name.as_ref())).map(|(_, affected)| affected)
        };
        let rest = || self.zone.below(name.as_ref()).filter(|node| !self.names.contains_key(&name_of(self.zone, *node)));
        // What is occluded has something above it that is not, and that is below this name.
        let exists = below().any(|affected| !affected.content.is_empty()) || rest().any(bears_records);
        if !exists {
            return None;
        }
        if rule != LinkRule::OptOut {
            return Some(Kind::Empty);
        }
        let gained = below().any(|affected| matches!(affected.kind, Some(Kind::Signed | Kind::SecureCut)));
        let lost = || below().any(|affected| !affected.stands.is_empty() && !affected.link.is_empty());
        // Its link may have been there for the sake of a wildcard alone.
        let was_guarded = || wildcard_beside(name).is_some_and(|wildcard| !links(wildcard.as_ref()).is_empty());
        // The costly one: as far into what stands below the name as the first that is needed.
        let keeps = || {
            let mut needed = self.zone.below(name.as_ref()).filter(|node| is_needed(*node));
            needed.any(|node| !self.names.contains_key(&name_of(self.zone, node)))
        };
        // A link that an empty non-terminal has is there for the sake of what stands below it, unless that goes or a wildcard is beside.
        let tells = affected.stands.is_empty() && !lost() && !was_guarded();
        let is_needed = gained || !affected.link.is_empty() && (tells || keeps());
        Some(if is_needed { Kind::Empty } else { Kind::InsecureEmpty })
    }

    /// True for an empty non-terminal above insecure delegations that has a wildcard with a link beside it: see [`walk::walk`].
    fn is_guarded(&self, name: &Name, links: &Links<'_>) -> bool {
        let is_insecure = self.names[name].kind == Some(Kind::InsecureEmpty);
        let Some(wildcard) = wildcard_beside(name).filter(|_| is_insecure) else { return false };
        match self.names.get(&wildcard) {
            Some(affected) => affected.kind.is_some_and(Kind::is_needed),
            None => !links(wildcard.as_ref()).is_empty(),
        }
    }
}

/// The wildcard with the same parent as `name`.
fn wildcard_beside(name: &Name) -> Option<Name> {
    Name::prepend(b"*", name.as_ref().parent()?).ok()
}

/// The records of one name, unless there is none.
pub(super) fn records_of(records: &Records) -> Option<NameRecords<'_>> {
    records.names().next()
}

fn hides(content: &Records, apex: NameRef<'_>) -> bool {
    let mut hides = None;
    records_of(content).is_some_and(|records| {
        walk::kind(&records, apex, &mut hides);
        hides.is_some()
    })
}

fn name_of(zone: &Zone, node: Node<'_>) -> Name {
    node.name(&zone.apex().to_owned())
}

/// True if the node is no empty non-terminal.
fn bears_records(node: Node<'_>) -> bool {
    node.is_cut() || node.sets().any(|(rtype, _)| rtype != Rtype::NSEC)
}

/// True if what stands above the node has a link for its sake.
fn is_needed(node: Node<'_>) -> bool {
    if node.is_cut() { node.cut().ds().is_some() } else { !node.is_hidden() && bears_records(node) }
}
