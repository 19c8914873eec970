//! RFC 2308: negative answers and how long they last.

use crate::ask::{World, denials, read, scan, sign, signed, unsigned};

/// §2.1 and §2.2: both kinds carry the SOA of the zone in the authority section, and nothing of a NS set.
#[test]
fn negative_answers_carry_the_soa() {
    let world = unsigned("vn.zone", "vn.").with("com.vn.", read("com.vn.zone", "com.vn."));
    for (question, rcode, zone) in [
        ("nosuch.vn. A", 3, "vn."),
        ("www.vn. MX", 0, "vn."),
        ("nosuch.com.vn. A", 3, "com.vn."),
        ("com.vn. A", 0, "com.vn."),
        ("w.vn. A", 0, "vn."),
    ] {
        let reply = world.ask(question);
        assert_eq!((reply.rcode, reply.authoritative, reply.answer.len()), (rcode, true, 0), "{question}");
        let [soa] = &reply.authority[..] else { panic!("{question}: {}", reply.show(&world)) };
        assert_eq!(format!("{} {}", soa.owner, soa.rtype), format!("{zone} SOA"), "{question}");
    }
}

/// §3 and §5: the TTL is the smaller of the SOA's own and its minimum, also of its signature.
#[test]
fn a_negative_answer_lasts_as_long_as_the_smaller_ttl() {
    for (own, minimum, expected) in [(3600, 900, 900), (600, 900, 600), (900, 900, 900), (0, 900, 0), (3600, 0, 0)] {
        let text =
            format!("@ {own} SOA a b 1 1 1 1 {minimum}\n@ 3600 NS a.elsewhere.example.\nwww 3600 A 192.0.2.1\n*.w 3600 A 192.0.2.2\n");
        for (label, denial) in denials() {
            let world = World::new().with("vn.", sign(scan(text.as_bytes(), "soa", "vn."), "vn.", &denial));
            for question in ["nosuch.vn. A do tcp", "www.vn. MX do tcp", "x.w.vn. MX do tcp", "w.vn. A do tcp", "nosuch.vn. A"] {
                let reply = world.ask(question);
                for rr in &reply.authority {
                    assert_eq!(rr.ttl, expected, "{label} {question}: {} {}", rr.owner, rr.rtype);
                }
            }
            let reply = world.ask("vn. SOA do tcp");
            assert!(reply.answer.iter().all(|rr| rr.ttl == own), "{label}: the SOA that was asked for keeps its TTL");
        }
    }
}

/// §2.1: at the end of a chain the SOA is that of the zone of the last name.
#[test]
fn a_chain_that_ends_in_nothing_is_a_negative_answer() {
    let world = unsigned("vn.zone", "vn.");
    let soa = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900";
    world.check("cmissing.vn. A", &format!("NXDOMAIN aa answer: cmissing.vn. CNAME nosuch.at.all.vn. {soa}"));
    world.check("c3.vn. MX", &format!("NOERROR aa answer: c3.vn. CNAME www.vn. {soa}"));
}

/// §2: a referral is no negative answer: it has no SOA.
#[test]
fn referrals_have_no_soa() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for question in ["insecure.vn. A do", "secure.vn. A do", "x.i1.hollow.vn. A do", "ccut.vn. A do"] {
            assert!(world.ask(question).authority.iter().all(|rr| rr.rtype != saola::dns::Rtype::SOA), "{question}");
        }
    }
}
