//! What is wrong with the records of a zone, before anybody serves them.
//!
//! Knows no file and no signature: what was signed is judged by `saola zone verify`.
//! RFC 1034 §4.2 (cuts and glue), RFC 2181 §5.2, §6.1 and §10, RFC 4035 §2.4 (DS), RFC 4592 §4 (wildcards), RFC 5155 §4 (NSEC3PARAM),
//! RFC 6672 §2.3 and §2.4, RFC 9471.

use std::collections::HashMap;

use super::finding::{Fault, Finding};
use crate::dns::records::NameRecords;
use crate::dns::{Name, NameRef, Records, Rrset, Rtype, rdata};

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
    checker.chain();
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
    /// Below a DNAME of the zone.
    Redirected,
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
            let with = name.signatures(set.rtype()).filter(|_| set.rtype() != Rtype::RRSIG);
            // Behind the question and in front of OPT, owners are pointers (RFC 1035 §4.1, RFC 6891 §6.1.2).
            let around = 12 + owner.as_wire().len() + 4 + 11;
            let size: usize = set.rdata().chain(with.iter().flat_map(Rrset::rdata)).map(|rdata| 12 + rdata.len()).sum();
            if around + size > usize::from(u16::MAX) && set.rtype() != Rtype::RRSIG {
                self.find(owner, Fault::TooLarge(set.rtype()));
            }
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
                        rtype if !is_apex && ONLY_AT_APEX.contains(&rtype) => self.find(owner, Fault::OnlyAtApex(rtype)),
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
        if ds && is_apex {
            self.find(owner, Fault::ApexDs);
        }
        if owner.is_wildcard() {
            if ns && !is_apex {
                self.find(owner, Fault::WildcardNs);
            }
            if dname {
                self.find(owner, Fault::WildcardDname);
            }
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
                if reads_like_an_address(target, self.apex) {
                    self.find(owner, Fault::AddressAsName(set.rtype(), target.to_owned()));
                }
                if target.is_root() || !target.is_at_or_below(self.apex) {
                    continue;
                }
                let kind = self.target(target);
                let is_ns = set.rtype() == Rtype::NS;
                let fault = match kind {
                    Target::Address => continue,
                    Target::Redirected if is_ns => Fault::NsBelowDname(target.to_owned()),
                    Target::Redirected => continue,
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
            if here.is_some_and(|here| here.rrset(Rtype::NS).is_some()) {
                return Target::Elsewhere;
            }
            if name != target && here.is_some_and(|here| here.rrset(Rtype::DNAME).is_some()) {
                return Target::Redirected;
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

    /// The chain and what tells secondaries of it belong together (RFC 5155 §4 and §7.3).
    fn chain(&mut self) {
        // Algorithm, iterations and salt; a parameter record with flags tells of a chain in the making.
        let parameters = |rdata: &'a [u8]| Some((*rdata.first()?, rdata.get(2..4)?, rdata.get(5..5 + usize::from(*rdata.get(4)?))?));
        let apex = self.records.name(self.apex);
        let told = apex.and_then(|name| name.rrset(Rtype::NSEC3PARAM)).into_iter().flat_map(|set| set.rdata());
        let most = told.clone().filter_map(|rdata| Some(u16::from_be_bytes(*rdata.get(2..)?.first_chunk()?))).max().unwrap_or(0);
        if most > MOST_ITERATIONS {
            self.find(self.apex, Fault::Iterations(most));
        }
        let mut told: HashMap<_, bool> =
            told.filter(|rdata| rdata.get(1) == Some(&0)).filter_map(|rdata| Some((parameters(rdata)?, false))).collect();
        let mut chain_of_none = None;
        for link in self.records.iter().filter(|record| record.rtype == Rtype::NSEC3) {
            match parameters(link.rdata).and_then(|parameters| told.get_mut(&parameters)) {
                Some(has_chain) => *has_chain = true,
                None => chain_of_none = chain_of_none.or(Some(link.owner)),
            }
        }
        if told.values().any(|has_chain| !has_chain) {
            self.find(self.apex, Fault::ParametersOfNoChain);
        }
        // Told once, not for every link.
        if let Some(owner) = chain_of_none {
            self.find(owner, Fault::ChainOfNoParameters);
        }
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

/// Iterations of NSEC3 that resolvers still follow (RFC 9276 §3.2; our choice is that of most).
const MOST_ITERATIONS: u16 = 150;

/// Types that say something of the whole zone (RFC 4034 §2.1.1, RFC 5155 §4, RFC 7344 §4.1, RFC 7477 §2, RFC 8976 §2).
const ONLY_AT_APEX: [Rtype; 6] = [Rtype::DNSKEY, Rtype::NSEC3PARAM, Rtype::CDS, Rtype::CDNSKEY, Rtype::CSYNC, Rtype::ZONEMD];

/// True for `192.0.2.1.`, and for `192.0.2.1` that got the apex behind it: what somebody wrote who wanted an address.
fn reads_like_an_address(name: NameRef<'_>, apex: NameRef<'_>) -> bool {
    let n_labels = name.label_count();
    let is_octet = |label: &[u8]| std::str::from_utf8(label).is_ok_and(|text| text.parse::<u8>().is_ok());
    (n_labels == 4 || (name.is_at_or_below(apex) && n_labels == 4 + apex.label_count())) && name.labels().take(4).all(is_octet)
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
        findings("*.w A 192.0.2.1\nm MX 5 x.w\nd DNAME e\nd TXT x\n", &[]);
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
        findings("a DNAME x.\nb.a A 192.0.2.1\na0 A 192.0.2.1\n", &["error: b.a.vn.: hidden below the DNAME at a.vn."]);
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
        let digest = "00".repeat(32);
        findings(&format!("a NS x.\na DS 1 13 2 {digest}\n"), &[]);
        findings(&format!("@ DS 1 13 2 {digest}\n"), &["error: vn.: DS at the apex, it belongs into the parent's zone"]);
        findings("a DS 1 13 200 00\na A 192.0.2.1\n", &["warning: a.vn.: DS without a delegation"]);
        findings(
            "a 5 A 192.0.2.1\na 6 A 192.0.2.2\na 7 A 192.0.2.3\n",
            &["warning: a.vn.: the TTLs of the A records differ; the smallest is taken"],
        );
    }
    #[test]
    fn wildcards() {
        findings("*.w NS x.\n", &["error: *.w.vn.: NS at a wildcard has no defined meaning"]);
        findings("*.w DNAME x.\n", &["warning: *.w.vn.: DNAME at a wildcard gives answers that differ between servers"]);
        findings("*.w DS 1 13 200 00\n", &["warning: *.w.vn.: DS without a delegation"]);
        findings("*.w CNAME x.\n*.v A 192.0.2.1\nx.*.w NS x.\n", &[]);
        // A wildcard that is an apex delegates nothing.
        let apex = Name::parse("*.vn.").expect("a name");
        bare(apex.as_ref(), "$TTL 60\n@ SOA a.b. c.d. 1 2 3 4 5\n@ NS a.b.\n", &[]);
    }

    #[test]
    fn targets() {
        findings("d DNAME x.\nd A 192.0.2.1\ne NS d\nm MX 1 x.d\n", &[]);
        findings("d DNAME x.\ne NS ns.d\n", &["error: e.vn.: name server ns.d.vn. is below a DNAME, so it is an alias"]);
        findings(
            "a NS 192.0.2.1.\nb MX 1 192.0.2.1\nc SRV 1 1 1 192.0.2.256.\nd NS 1.2.3.4.5.\n",
            &[
                "warning: a.vn.: NS target 192.0.2.1. reads like an address, a name belongs there",
                "warning: b.vn.: MX target 192.0.2.1.vn. reads like an address, a name belongs there",
                "warning: b.vn.: MX target 192.0.2.1.vn. has no address in the zone",
            ],
        );
        findings(
            "@ NS 192.0.2.1\n",
            &[
                "warning: vn.: NS target 192.0.2.1.vn. reads like an address, a name belongs there",
                "error: vn.: name server 192.0.2.1.vn. has no address in the zone",
            ],
        );
        findings("a CNAME x.\nb SRV 1 1 1 a\n", &["warning: b.vn.: SRV target a.vn. is an alias (CNAME)"]);
        findings("b SRV 1 1 1 a\n", &["warning: b.vn.: SRV target a.vn. has no address in the zone"]);
        findings("d NS ns.d\nd NS d\nns.d AAAA ::1\n", &["error: d.vn.: name server d.vn. has no address in the zone"]);
    }

    #[test]
    fn what_belongs_to_the_apex() {
        findings("a CDS 1 13 200 00\n", &["warning: a.vn.: CDS has a meaning at the apex alone"]);
        findings("a NSEC3PARAM 1 0 0 -\n", &["warning: a.vn.: NSEC3PARAM has a meaning at the apex alone"]);
    }

    #[test]
    fn what_no_message_carries() {
        let text = |octets: usize| format!("b TYPE65280 \\# {octets} {}\n", "00".repeat(octets));
        // 65,535 less the header, the question `b.vn.`, OPT and what stands in front of the data.
        let most = 65_535 - 12 - (6 + 4) - 11 - 12;
        findings(&text(most), &[]);
        findings(&text(most + 1), &["error: b.vn.: the TYPE65280 RRset fits no message of 65535 octets, no client can have it"]);
    }

    #[test]
    fn many_iterations() {
        let chain = |n: u16| {
            let link = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0";
            format!("@ NSEC3PARAM 1 0 {n} -\n{link} {n} - 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA\n")
        };
        findings(&chain(150), &[]);
        let many = "warning: vn.: NSEC3 with 151 iterations: resolvers take the zone for unsigned (RFC 9276), use 0";
        findings(&chain(151), &[many]);
    }

    #[test]
    fn chains() {
        let link = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3";
        let next = "2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA";
        let none = "warning: vn.: NSEC3PARAM without NSEC3 records of the same parameters";
        let other = "warning: 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.vn.: NSEC3 records without an NSEC3PARAM of the same parameters";
        findings(&format!("@ NSEC3PARAM 1 0 0 -\n{link} 1 1 0 - {next}\n"), &[]);
        findings("@ NSEC3PARAM 1 0 0 -\n", &[none]);
        findings("@ NSEC3PARAM 1 1 0 -\n", &[]);
        findings(&format!("{link} 1 0 0 - {next}\n"), &[other]);
        findings(&format!("@ NSEC3PARAM 1 0 0 -\n{link} 1 0 0 aa {next}\n"), &[none, other]);
        findings(&format!("@ NSEC3PARAM 1 0 0 -\n{link} 1 0 1 - {next}\n"), &[none, other]);
    }
}
