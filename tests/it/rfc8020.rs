//! RFC 8020: below a name that does not exist there is nothing, and a name with something below it exists.

use crate::ask::{denials, labels_of, read, signed};
use crate::sweep::names;
use saola::dns::{Name, Rtype};

/// §2 and §3.1: NXDOMAIN is never said of an ancestor of a name that is answered.
#[test]
fn nothing_exists_below_nxdomain() {
    let apex = Name::parse("vn.").expect("a name");
    let all = names(&read("vn.zone", "vn."), &apex);
    for (label, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        let mut missing: Vec<crate::ask::Labels> = Vec::new();
        // In canonical order a name comes right before what is below it.
        let mut names: Vec<_> = all.iter().map(|name| (labels_of(name), name)).collect();
        names.sort();
        for (labels, name) in names {
            let question = crate::ask::Question { name: name.clone(), rtype: Rtype::A, class: 1, flags: 0, tcp: true, edns: None };
            let reply = world.ask_it(&question);
            let below = missing.iter().rev().take(8).any(|missing| labels.starts_with(missing));
            if below {
                assert_eq!(reply.rcode, 3, "{label}: {name} stands below a name that does not exist");
            }
            if reply.rcode == 3 && reply.answer.is_empty() {
                missing.push(labels);
            }
        }
        assert!(missing.len() > 500, "{label}: {}", missing.len());
    }
}
