//! RFC 2181: RRsets, TTLs, ranking, names without limits on their octets.

use crate::ask::{World, denials, scan, signed, unsigned};

/// §5.2 and §9: what is cut is cut between sets; nothing of a set that did not fit is there. TC only for what was needed.
#[test]
fn truncation_leaves_whole_sets_and_the_opt_record() {
    for (label, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for question in [
            "www.vn. A",
            "c1.vn. AAAA",
            "secure.vn. A",
            "x.insecure.vn. A",
            "nosuch.vn. A",
            "a.b.wild.vn. MX",
            "vn. NS",
            "vn. DNSKEY",
            "cwild2.vn. AAAA",
            "mail.vn. MX",
            "x.dd.vn. A",
            "hollow.vn. A",
            "a.i3.x.y.hollow.vn. A",
            "csecure.vn. A",
            "q.went.vn. A",
            "com.vn. DS",
            "sibling.vn. A",
            "d.vn. ANY",
        ] {
            let whole = world.ask(&format!("{question} do tcp"));
            let mut last = None;
            for size in (512..=1232).rev() {
                let reply = world.ask(&format!("{question} do size={size}"));
                assert!(reply.opt.is_some(), "{label} {question} {size}");
                for (section, all) in
                    [(&reply.answer, &whole.answer), (&reply.authority, &whole.authority), (&reply.additional, &whole.additional)]
                {
                    for rr in section {
                        let set = |rrs: &[crate::ask::Rr]| {
                            rrs.iter()
                                .filter(|other| (&other.labels, other.rtype, other.covered()) == (&rr.labels, rr.rtype, rr.covered()))
                                .count()
                        };
                        assert_eq!(set(section), set(all), "{label} {question} {size}: {} {} is not whole", rr.owner, rr.rtype);
                    }
                }
                let same = reply.answer == whole.answer && reply.authority == whole.authority;
                assert!(reply.truncated || same, "{label} {question} {size}: something is missing and TC is clear");
                if let Some(last) = last {
                    assert!(reply.records().count() <= last, "{label} {question} {size}: less room and more records");
                }
                last = Some(reply.records().count());
            }
        }
    }
}

/// §5.2: records of a set that came with different TTLs are answered with one.
#[test]
fn a_set_has_one_ttl() {
    let text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\nwww 300 A 192.0.2.1\nwww 60 A 192.0.2.2\n";
    let world = World::new().with("vn.", crate::ask::sign(scan(text.as_bytes(), "ttl", "vn."), "vn.", &saola::sign::Denial::Nsec));
    let reply = world.ask("www.vn. A do");
    assert_eq!(reply.answer.iter().map(|rr| rr.ttl).collect::<Vec<_>>(), [60, 60, 60]);
}

/// §6.1 and §5.4.1: what a parent has at and below a cut is never answered with authority.
#[test]
fn data_at_a_cut_is_the_childs() {
    let world = unsigned("vn.zone", "vn.");
    for question in ["self.vn. A", "self.vn. NS", "insecure.vn. SOA", "ns1.secure.vn. A"] {
        let reply = world.ask(question);
        assert!(!reply.authoritative && reply.answer.is_empty(), "{question}");
    }
}

/// §10.1: an alias has no other data, so that a type beside it leads through the alias.
#[test]
fn beside_an_alias_there_is_nothing() {
    unsigned("vn.zone", "vn.").check(
        "cent.vn. MX",
        "NOERROR aa answer: cent.vn. CNAME v.w.vn. auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900",
    );
}

/// §11: any octets make a label.
#[test]
fn labels_may_hold_any_octets() {
    let world = unsigned("vn.zone", "vn.");
    world.check("\\255.vn. A", "NOERROR aa answer: \\255.vn. A 192.0.2.14");
    world.check("\\000.vn. A", "NOERROR aa answer: \\000.vn. A 192.0.2.13");
    assert_eq!(world.ask("\\001.vn. A").rcode, 3);
}
