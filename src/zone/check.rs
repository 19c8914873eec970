//! What is wrong with the records of a zone, before anybody serves them.
//!
//! Knows no file and no signature: what was signed is judged by `saola zone verify`.
//! RFC 1034 §4.2 (cuts and glue), RFC 2181 §5.2, §6.1 and §10, RFC 6672 §2.3 and §2.4, RFC 9471.

use std::collections::HashMap;
use std::fmt;

use crate::dns::records::NameRecords;
use crate::dns::{Name, NameRef, Records, Rtype, rdata};

/// Something wrong at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub owner: Name,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    /// One line: `error: owner: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.fault.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.owner, self.fault)
    }
}

/// How bad a [`Fault`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The zone must not be served like this.
    Error,
    /// It can be served, but somebody should look at it.
    Warning,
}

/// What can be wrong with the records of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No SOA at the apex.
    NoSoa,
    /// More than one SOA at the apex.
    ManySoa,
    /// A SOA below the apex.
    LowerSoa,
    /// No NS at the apex.
    NoNs,
    /// The owner is not at or below the apex.
    OutOfZone,
    /// A CNAME beside other data.
    CnameAndOther(Rtype),
    /// More than one CNAME at a name.
    ManyCname,
    /// More than one DNAME at a name.
    ManyDname,
    /// NS and DNAME at one name below the apex.
    DnameAndNs,
    /// A name below a DNAME, which hides it.
    BelowDname(Name),
    /// Data below or at a zone cut that is no glue: it is hidden.
    Occluded(Rtype),
    /// A DS where nothing is delegated.
    DsWithoutNs,
    /// TTLs differ within an RRset.
    Ttls(Rtype),
    /// A name server in its own delegation, or of the apex, without an address.
    NoAddress(Name),
    /// A target elsewhere in the zone without an address.
    TargetWithoutAddress(Rtype, Name),
    /// A name server that is an alias.
    NsToCname(Name),
    /// Another target that is an alias.
    TargetToCname(Rtype, Name),
}

impl Fault {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoSoa
            | Self::ManySoa
            | Self::LowerSoa
            | Self::NoNs
            | Self::OutOfZone
            | Self::CnameAndOther(_)
            | Self::ManyCname
            | Self::ManyDname
            | Self::DnameAndNs
            | Self::NoAddress(_)
            | Self::NsToCname(_) => Severity::Error,
            Self::BelowDname(_)
            | Self::Occluded(_)
            | Self::DsWithoutNs
            | Self::Ttls(_)
            | Self::TargetWithoutAddress(..)
            | Self::TargetToCname(..) => Severity::Warning,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSoa => f.write_str("the zone has no SOA at its apex"),
            Self::ManySoa => f.write_str("more than one SOA"),
            Self::LowerSoa => f.write_str("a SOA below the apex"),
            Self::NoNs => f.write_str("the zone has no NS at its apex"),
            Self::OutOfZone => f.write_str("not in the zone"),
            Self::CnameAndOther(rtype) => write!(f, "CNAME and {rtype} at the same name"),
            Self::ManyCname => f.write_str("more than one CNAME"),
            Self::ManyDname => f.write_str("more than one DNAME"),
            Self::DnameAndNs => f.write_str("DNAME and NS at the same name below the apex"),
            Self::BelowDname(dname) => write!(f, "hidden below the DNAME at {dname}"),
            Self::Occluded(rtype) => write!(f, "{rtype} is hidden by a delegation and is no glue"),
            Self::DsWithoutNs => f.write_str("DS without a delegation"),
            Self::Ttls(rtype) => write!(f, "the TTLs of the {rtype} records differ; the smallest is taken"),
            Self::NoAddress(target) => write!(f, "name server {target} has no address in the zone"),
            Self::TargetWithoutAddress(rtype, target) => write!(f, "{rtype} target {target} has no address in the zone"),
            Self::NsToCname(target) => write!(f, "name server {target} is an alias (CNAME)"),
            Self::TargetToCname(rtype, target) => write!(f, "{rtype} target {target} is an alias (CNAME)"),
        }
    }
}

/// Finds what is wrong in the zone `apex`; `records` must be sorted. Findings come in order of name.
///
/// Cost: one pass, and one search for each different target in the zone.
///
/// # Panics
/// When `records` is not sorted.
pub fn check(apex: NameRef<'_>, records: &Records) -> Vec<Finding> {
    let mut checker = Checker { apex, records, cut: None, dname: None, targets: HashMap::new(), findings: Vec::new() };
    if records.name(apex).is_none_or(|name| name.rrset(Rtype::SOA).is_none()) {
        checker.find(apex, Fault::NoSoa);
    }
    if records.name(apex).is_none_or(|name| name.rrset(Rtype::NS).is_none()) {
        checker.find(apex, Fault::NoNs);
    }
    for name in records.names() {
        checker.name(&name);
    }
    checker.ttls();
    checker.findings
}

struct Checker<'a> {
    apex: NameRef<'a>,
    records: &'a Records,
    /// The delegation that the names come after, while they are below it.
    cut: Option<NameRef<'a>>,
    dname: Option<NameRef<'a>>,
    targets: HashMap<Name, Target>,
    findings: Vec<Finding>,
}

/// What a target in the zone is.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Address,
    Alias,
    /// Delegated away, and no glue for it here.
    Elsewhere,
    Nothing,
}

impl<'a> Checker<'a> {
    fn find(&mut self, owner: NameRef<'_>, fault: Fault) {
        self.findings.push(Finding { owner: owner.to_owned(), fault });
    }

    fn name(&mut self, name: &NameRecords<'a>) {
        let owner = name.owner();
        if !owner.is_at_or_below(self.apex) {
            return self.find(owner, Fault::OutOfZone);
        }
        let is_apex = owner == self.apex;
        // Canonical order puts what is below a name right behind it.
        if self.cut.is_some_and(|cut| owner == cut || !owner.is_at_or_below(cut)) {
            self.cut = None;
        }
        if self.dname.is_some_and(|dname| owner == dname || !owner.is_at_or_below(dname)) {
            self.dname = None;
        }
        let (mut cname, mut dname, mut ns, mut ds, mut other) = (false, false, false, false, None);
        for set in name.rrsets() {
            match set.rtype() {
                Rtype::CNAME => {
                    cname = true;
                    if set.len() > 1 {
                        self.find(owner, Fault::ManyCname);
                    }
                }
                // These may stand beside a CNAME (RFC 4034 §3 and §4, RFC 2535 §2.3.5).
                Rtype::RRSIG | Rtype::NSEC | Rtype::SIG | Rtype::NXT | Rtype::KEY => {}
                rtype => {
                    other = other.or(Some(rtype));
                    match rtype {
                        Rtype::SOA if !is_apex => self.find(owner, Fault::LowerSoa),
                        Rtype::SOA if set.len() > 1 => self.find(owner, Fault::ManySoa),
                        Rtype::DNAME => {
                            dname = true;
                            if set.len() > 1 {
                                self.find(owner, Fault::ManyDname);
                            }
                        }
                        Rtype::NS => ns = true,
                        Rtype::DS => ds = true,
                        _ => {}
                    }
                }
            }
        }
        if cname && let Some(rtype) = other {
            self.find(owner, Fault::CnameAndOther(rtype));
        }
        if dname && ns && !is_apex {
            self.find(owner, Fault::DnameAndNs);
        }
        // An NSEC3 chain of an apex with DNAME has to stand below it.
        let is_chain = name.rrsets().all(|set| matches!(set.rtype(), Rtype::NSEC3 | Rtype::RRSIG));
        if let Some(dname) = self.dname
            && !is_chain
        {
            self.find(owner, Fault::BelowDname(dname.to_owned()));
        }
        if self.cut.is_some() {
            for set in name.rrsets().filter(|set| !matches!(set.rtype(), Rtype::A | Rtype::AAAA)) {
                self.find(owner, Fault::Occluded(set.rtype()));
            }
            return;
        }
        if ns && !is_apex {
            for set in name.rrsets() {
                match set.rtype() {
                    // An address at the cut is glue when a name server has the cut's own name; DNAME was told above.
                    Rtype::NS | Rtype::DS | Rtype::NSEC | Rtype::RRSIG | Rtype::A | Rtype::AAAA | Rtype::DNAME => {}
                    rtype => self.find(owner, Fault::Occluded(rtype)),
                }
            }
            self.cut = Some(owner);
        } else if ds && !is_apex {
            self.find(owner, Fault::DsWithoutNs);
        }
        if dname {
            self.dname = Some(owner);
        }
        self.targets(name, is_apex);
    }

    fn targets(&mut self, name: &NameRecords<'a>, is_apex: bool) {
        let owner = name.owner();
        for set in name.rrsets().filter(|set| matches!(set.rtype(), Rtype::NS | Rtype::MX | Rtype::SRV)) {
            for target in set.rdata().filter_map(|octets| rdata::target(set.rtype(), octets)) {
                if target.is_root() || !target.is_at_or_below(self.apex) {
                    continue;
                }
                let kind = self.target(target);
                let is_ns = set.rtype() == Rtype::NS;
                let fault = match kind {
                    Target::Address => continue,
                    Target::Alias if is_ns => Fault::NsToCname(target.to_owned()),
                    Target::Alias => Fault::TargetToCname(set.rtype(), target.to_owned()),
                    Target::Elsewhere | Target::Nothing if is_ns && target.is_at_or_below(owner) && !is_apex => {
                        Fault::NoAddress(target.to_owned())
                    }
                    Target::Nothing if is_ns && is_apex => Fault::NoAddress(target.to_owned()),
                    // The other delegation's own affair.
                    Target::Elsewhere => continue,
                    Target::Nothing => Fault::TargetWithoutAddress(set.rtype(), target.to_owned()),
                };
                self.find(owner, fault);
            }
        }
    }

    fn target(&mut self, target: NameRef<'_>) -> Target {
        if let Some(known) = self.targets.get(&target.to_owned()) {
            return *known;
        }
        let kind = self.look_up(target);
        self.targets.insert(target.to_owned(), kind);
        kind
    }

    fn look_up(&self, target: NameRef<'_>) -> Target {
        let what = |name: NameRecords<'_>| {
            if name.rrset(Rtype::A).is_some() || name.rrset(Rtype::AAAA).is_some() {
                Target::Address
            } else if name.rrset(Rtype::CNAME).is_some() {
                Target::Alias
            } else {
                Target::Nothing
            }
        };
        let exact = self.records.name(target).map(what);
        if let Some(kind @ (Target::Address | Target::Alias)) = exact {
            return kind;
        }
        // Up to the apex: a delegation on the way answers for it, a wildcard may make it up.
        let depth = self.apex.label_count();
        let mut above = Some(target);
        while let Some(name) = above.filter(|name| name.label_count() > depth) {
            let here = self.records.name(name);
            if here.is_some_and(|here| here.rrset(Rtype::NS).is_some() || here.rrset(Rtype::DNAME).is_some()) {
                return Target::Elsewhere;
            }
            above = name.parent();
            if exact.is_none()
                && let Some(encloser) = above
                && let Ok(wildcard) = Name::prepend(b"*", encloser)
                && let Some(found) = self.records.name(wildcard.as_ref())
            {
                return what(found);
            }
        }
        exact.unwrap_or(Target::Nothing)
    }

    fn ttls(&mut self) {
        let mut last: Option<crate::dns::Record<'_>> = None;
        let mut told = false;
        for record in self.records.iter() {
            let same = last.is_some_and(|last| {
                last.rtype == record.rtype
                    && last.owner == record.owner
                    && (record.rtype != Rtype::RRSIG || last.rdata.get(..2) == record.rdata.get(..2))
            });
            told &= same;
            if same && !told && last.is_some_and(|last| last.ttl != record.ttl) {
                self.find(record.owner, Fault::Ttls(record.rtype));
                told = true;
            }
            last = Some(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::master;

    /// The findings of a zone `vn.` that has a good apex beside `text`.
    #[track_caller]
    fn findings(text: &str, expected: &[&str]) {
        let apex = Name::parse("vn.").expect("a name");
        let text = format!("$TTL 60\n@ SOA ns.dns mail 1 2 3 4 5\n@ NS ns.dns\nns.dns A 192.0.2.1\n{text}");
        bare(apex.as_ref(), &text, expected);
    }

    #[track_caller]
    fn bare(apex: NameRef<'_>, text: &str, expected: &[&str]) {
        let mut records = master::scan(text.as_bytes(), "t", &master::Options::new(apex), &mut |_, _| Err("none".into())).expect("a zone");
        records.sort();
        let found: Vec<String> = check(apex, &records).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn good_zones_have_no_findings() {
        findings("", &[]);
        findings("a NS ns.a\nns.a A 192.0.2.2\na DS 1 13 200 00\nb NS ns.a\nc NS ns.example.\n", &[]);
        findings("*.w A 192.0.2.1\nm MX 5 x.w\nd DNAME e\nd TXT x\nf NS x.d\n", &[]);
        findings("c CNAME x\nc RRSIG CNAME 13 2 60 20260101000000 20260101000000 1 @ AQID\n", &[]);
        findings("a NS a\na A 192.0.2.1\n", &[]);
    }

    #[test]
    fn apex() {
        let apex = Name::parse("vn.").expect("a name");
        bare(
            apex.as_ref(),
            "a 60 A 192.0.2.1\n",
            &["error: vn.: the zone has no SOA at its apex", "error: vn.: the zone has no NS at its apex"],
        );
        findings("@ SOA a b 2 3 4 5 6\n", &["error: vn.: more than one SOA"]);
        findings("a SOA a b 2 3 4 5 6\n", &["error: a.vn.: a SOA below the apex"]);
        findings("@ NS none\n", &["error: vn.: name server none.vn. has no address in the zone"]);
        findings("a.com. A 192.0.2.1\n", &["error: a.com.: not in the zone"]);
    }

    #[test]
    fn aliases() {
        findings("a CNAME x.\na A 192.0.2.1\n", &["error: a.vn.: CNAME and A at the same name"]);
        findings("a CNAME x.\na CNAME y.\n", &["error: a.vn.: more than one CNAME"]);
        findings("a DNAME x.\na DNAME y.\n", &["error: a.vn.: more than one DNAME"]);
        findings("a DNAME x.\na NS y.\n", &["error: a.vn.: DNAME and NS at the same name below the apex"]);
        findings("a DNAME x.\nb.a A 192.0.2.1\na0 A 192.0.2.1\n", &["warning: b.a.vn.: hidden below the DNAME at a.vn."]);
        findings(
            "a CNAME x.\nb NS a\nc MX 1 a\n",
            &["error: b.vn.: name server a.vn. is an alias (CNAME)", "warning: c.vn.: MX target a.vn. is an alias (CNAME)"],
        );
    }

    #[test]
    fn cuts() {
        findings("a NS ns.a\n", &["error: a.vn.: name server ns.a.vn. has no address in the zone"]);
        findings("a NS none\n", &["warning: a.vn.: NS target none.vn. has no address in the zone"]);
        findings(
            "a NS x.\nb.a TXT x\na TXT y\n",
            &[
                "warning: a.vn.: TXT is hidden by a delegation and is no glue",
                "warning: b.a.vn.: TXT is hidden by a delegation and is no glue",
            ],
        );
        findings("a DS 1 13 200 00\na A 192.0.2.1\n", &["warning: a.vn.: DS without a delegation"]);
        findings(
            "a 5 A 192.0.2.1\na 6 A 192.0.2.2\na 7 A 192.0.2.3\n",
            &["warning: a.vn.: the TTLs of the A records differ; the smallest is taken"],
        );
    }
}
