//! The algorithm of RFC 1034 §4.3.2 (with RFC 4592 and RFC 6672) over a sorted map of names, as slow and plain as it can be:
//! what the server decides is compared with what this decides.

use std::collections::BTreeMap;

use saola::answer::MAX_HOPS;
use saola::dns::{Name, Records, Rtype};

use crate::ask::{Labels, Question, Reply, labels_of, text, wire};

/// A zone by its names.
pub struct Oracle {
    apex: Labels,
    names: BTreeMap<Labels, BTreeMap<u16, Labels>>,
}

/// What is to be said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    rcode: u16,
    authoritative: bool,
    /// Owner and type of each set in the answer section.
    answer: Vec<(String, String)>,
    /// The cut of a referral.
    referral: Option<String>,
    /// A SOA comes with it.
    negative: bool,
}

impl Oracle {
    /// `records` are unsigned.
    pub fn new(records: &Records, apex: Labels) -> Self {
        let mut names: BTreeMap<Labels, BTreeMap<u16, Labels>> = BTreeMap::new();
        for rr in records.iter() {
            let target = if matches!(rr.rtype, Rtype::CNAME | Rtype::DNAME) { Name::from_wire(rr.rdata).ok() } else { None };
            let sets = names.entry(labels_of(&rr.owner.to_owned())).or_default();
            sets.insert(rr.rtype.0, target.map(|name| labels_of(&name)).unwrap_or_default());
        }
        Self { apex, names }
    }

    /// What the reply says that it should not, or the other way round. Types that signing adds are not judged.
    pub fn differs(&self, question: &Question, reply: &Reply) -> Option<String> {
        let name = labels_of(&question.name);
        let made_by_signing =
            matches!(question.rtype, Rtype::ANY | Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::DNSKEY | Rtype::NSEC3PARAM);
        if made_by_signing || (question.rtype == Rtype::DS && name == self.apex) {
            return None;
        }
        let expected = self.verdict(name, question.rtype);
        let mut answer: Vec<_> =
            reply.answer.iter().filter(|rr| rr.rtype != Rtype::RRSIG).map(|rr| (text(&rr.labels), rr.rtype.to_string())).collect();
        answer.dedup();
        let cut = reply.authority.iter().find(|rr| rr.rtype == Rtype::NS);
        let found = Verdict {
            rcode: reply.rcode,
            authoritative: reply.authoritative,
            answer,
            referral: cut.map(|rr| text(&rr.labels)),
            negative: reply.authority.iter().any(|rr| rr.rtype == Rtype::SOA),
        };
        (found != expected).then(|| format!("expected {expected:?}\n   found {found:?}"))
    }

    fn verdict(&self, name: Labels, rtype: Rtype) -> Verdict {
        let mut verdict = Verdict::default();
        let mut been = Vec::new();
        let mut current = name;
        for hop in 0.. {
            let Some(target) = self.step(&current, rtype, &mut verdict) else { break };
            been.push(current);
            if hop + 1 == MAX_HOPS || been.contains(&target) || !target.starts_with(&self.apex) {
                break;
            }
            current = target;
        }
        verdict
    }

    /// Looks up one name; gives where an alias leads.
    fn step(&self, current: &Labels, rtype: Rtype, verdict: &mut Verdict) -> Option<Labels> {
        let has = |name: &[Vec<u8>], rtype: Rtype| self.names.get(name).is_some_and(|sets| sets.contains_key(&rtype.0));
        let mut node = None;
        for n in self.apex.len()..=current.len() {
            let above = &current[..n];
            if n > self.apex.len() && has(above, Rtype::NS) {
                if rtype == Rtype::DS && n == current.len() {
                    verdict.authoritative = true;
                    if has(above, Rtype::DS) {
                        verdict.answer.push((text(above), "DS".into()));
                    } else {
                        verdict.negative = true;
                    }
                    return None;
                }
                verdict.referral = Some(text(above));
                return None;
            }
            if !self.names.keys().any(|name| name.starts_with(above)) {
                verdict.authoritative = true;
                let wildcard = [&current[..n - 1], &[b"*".to_vec()]].concat();
                if !self.names.keys().any(|name| name.starts_with(&wildcard)) {
                    verdict.rcode = 3;
                    verdict.negative = true;
                    return None;
                }
                node = Some(wildcard);
                break;
            }
            if n < current.len() && has(above, Rtype::DNAME) {
                verdict.authoritative = true;
                let key = (text(above), "DNAME".to_owned());
                if !verdict.answer.contains(&key) {
                    verdict.answer.push(key);
                }
                let target = [&self.names[above][&Rtype::DNAME.0][..], &current[n..]].concat();
                if wire(&target).len() > 255 {
                    verdict.rcode = 6;
                    return None;
                }
                verdict.answer.push((text(current), "CNAME".into()));
                return (rtype != Rtype::CNAME).then_some(target);
            }
        }
        verdict.authoritative = true;
        let node = node.unwrap_or_else(|| current.clone());
        if has(&node, rtype) {
            let key = (text(current), rtype.to_string());
            if !verdict.answer.contains(&key) {
                verdict.answer.push(key);
            }
            return None;
        }
        if has(&node, Rtype::CNAME) {
            verdict.answer.push((text(current), "CNAME".into()));
            return Some(self.names[&node][&Rtype::CNAME.0].clone());
        }
        verdict.negative = true;
        None
    }
}
