//! RFC 6672: DNAME.

use saola::answer::MAX_HOPS;

use crate::ask::{World, denials, scan, signed, unsigned};
use crate::proof::{Proven, check_proof};

const SOA: &str = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900";

#[track_caller]
fn check(question: &str, expected: &str) {
    unsigned("vn.zone", "vn.").check(question, expected);
}

/// §3.1: names below are redirected by the DNAME and a CNAME made from it, and the target is looked up.
#[test]
fn names_below_are_redirected() {
    check("q.d.vn. A", "NOERROR aa answer: d.vn. DNAME wild.vn. | q.d.vn. CNAME q.wild.vn. | q.wild.vn. A 192.0.2.9");
    check("a.b.d.vn. A", "NOERROR aa answer: d.vn. DNAME wild.vn. | a.b.d.vn. CNAME a.b.wild.vn. | a.b.wild.vn. A 192.0.2.9");
    check("x.exists.d.vn. A", &format!("NOERROR aa answer: d.vn. DNAME wild.vn. | x.exists.d.vn. CNAME x.exists.wild.vn. {SOA}"));
    check("x.dmissing.vn. A", &format!("NXDOMAIN aa answer: dmissing.vn. DNAME nosuch.vn. | x.dmissing.vn. CNAME x.nosuch.vn. {SOA}"));
    check("x.dout.vn. A", "NOERROR aa answer: dout.vn. DNAME elsewhere.example. | x.dout.vn. CNAME x.elsewhere.example.");
    check("x.y.droot.vn. A", "NOERROR aa answer: droot.vn. DNAME . | x.y.droot.vn. CNAME x.y.");
    check(
        "www.dcut.vn. A",
        "NOERROR aa answer: dcut.vn. DNAME insecure.vn. | www.dcut.vn. CNAME www.insecure.vn.
         auth: insecure.vn. NS ns.elsewhere.example. | insecure.vn. NS ns1.insecure.vn. add: ns1.insecure.vn. A 198.51.100.3",
    );
}

/// §2.3: the owner itself is not redirected, and may have other data.
#[test]
fn the_owner_itself_is_not_redirected() {
    check("d.vn. TXT", "NOERROR aa answer: d.vn. TXT \"beside a DNAME\"");
    check("d.vn. DNAME", "NOERROR aa answer: d.vn. DNAME wild.vn.");
    check("d.vn. A", &format!("NOERROR aa {SOA}"));
    check("d.vn. CNAME", &format!("NOERROR aa {SOA}"));
}

/// §2.4 and §3.2: what stands below a DNAME is hidden by it.
#[test]
fn names_below_a_dname_are_occluded() {
    check(
        "under.d.vn. TXT",
        "NOERROR aa answer: d.vn. DNAME wild.vn. | under.d.vn. CNAME under.wild.vn. | under.wild.vn. TXT \"expanded\"",
    );
}

/// §3.1: who asks for CNAME gets the one that is made, who asks for DNAME below is redirected too.
#[test]
fn the_alias_that_is_made_can_be_asked_for() {
    check("q.d.vn. CNAME", "NOERROR aa answer: d.vn. DNAME wild.vn. | q.d.vn. CNAME q.wild.vn.");
    check("q.d.vn. ANY", "NOERROR aa answer: d.vn. DNAME wild.vn. | q.d.vn. CNAME q.wild.vn.");
    check("q.d.vn. DNAME", &format!("NOERROR aa answer: d.vn. DNAME wild.vn. | q.d.vn. CNAME q.wild.vn. {SOA}"));
}

#[test]
fn chains_of_dnames_and_aliases() {
    check(
        "x.dd.vn. A",
        "NOERROR aa answer: dd.vn. DNAME d.vn. | x.dd.vn. CNAME x.d.vn. | d.vn. DNAME wild.vn. | x.d.vn. CNAME x.wild.vn. | x.wild.vn. A 192.0.2.9",
    );
    check(
        "cdname.vn. A",
        "NOERROR aa answer: cdname.vn. CNAME x.d.vn. | d.vn. DNAME wild.vn. | x.d.vn. CNAME x.wild.vn. | x.wild.vn. A 192.0.2.9",
    );
}

/// §3.1: the TTL of the CNAME is the DNAME's.
#[test]
fn the_alias_has_the_ttl_of_the_dname() {
    let world = World::new().with("vn.", scan(b"@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a\nd 1234 DNAME e\n", "ttl", "vn."));
    let reply = world.ask("x.d.vn. A");
    assert_eq!(reply.answer.iter().map(|rr| rr.ttl).collect::<Vec<_>>(), [1234, 1234]);
}

/// §2.2: a name that grows past 255 octets is YXDOMAIN, with the DNAME.
#[test]
fn a_name_that_grows_too_long_is_yxdomain() {
    let label = "l".repeat(63);
    let target = format!("{label}.{label}.{}", "t".repeat(50));
    let text = format!("@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a\nd 60 DNAME {target}\n");
    for (label, denial) in denials() {
        let world = World::new().with("vn.", crate::ask::sign(scan(text.as_bytes(), "long", "vn."), "vn.", &denial));
        // The target has 183 octets: 72 are left.
        let fits = format!("{}.{}.d.vn. A do tcp", "a".repeat(63), "b".repeat(7));
        let reply = world.ask(&fits);
        assert_eq!((reply.rcode, reply.answer.len()), (3, 3), "{label}");
        let too_long = format!("{}.{}.d.vn. A do tcp", "a".repeat(63), "b".repeat(8));
        let reply = world.ask(&too_long);
        assert_eq!((reply.rcode, reply.authoritative), (6, true), "{label}");
        assert_eq!(reply.answer.iter().map(|rr| rr.rtype.to_string()).collect::<Vec<_>>(), ["DNAME", "RRSIG"], "{label}");
    }
}

/// §5.3.1: the DNAME is signed, the CNAME that is made is not.
#[test]
fn the_dname_is_signed_and_the_alias_is_not() {
    let world = signed("vn.zone", "vn.", &saola::sign::Denial::NSEC3);
    world.check(
        "x.dout.vn. A do",
        "NOERROR aa answer: dout.vn. DNAME elsewhere.example. | dout.vn. RRSIG DNAME | x.dout.vn. CNAME x.elsewhere.example.",
    );
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "x.d.vn. A", Proven::Answer);
        check_proof(&world, "x.dd.vn. TXT", Proven::Answer);
        check_proof(&world, "x.exists.d.vn. A", Proven::NoData);
        check_proof(&world, "www.dcut.vn. A", Proven::Insecure);
    }
}

/// §5.3.2: a name below a DNAME is never denied by the NSEC of the DNAME.
#[test]
fn no_name_below_a_dname_is_denied() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for owner in ["d.vn.", "dd.vn.", "dout.vn.", "dcut.vn.", "droot.vn.", "dloop1.vn."] {
            for name in ["a", "*", "under", "a.b.c", "\\000"] {
                let reply = world.ask(&format!("{name}.{owner} A do tcp"));
                assert_eq!(reply.answer[0].rtype, saola::dns::Rtype::DNAME, "{name}.{owner}");
            }
        }
    }
}

/// Loops end; no record comes twice.
#[test]
fn loops_of_dnames_end() {
    check(
        "x.dloop1.vn. A",
        "NOERROR aa answer: dloop1.vn. DNAME dloop2.vn. | x.dloop1.vn. CNAME x.dloop2.vn. | dloop2.vn. DNAME dloop1.vn. | x.dloop2.vn. CNAME x.dloop1.vn.",
    );
    let world = unsigned("vn.zone", "vn.");
    let reply = world.ask("y.dgrow.vn. A tcp");
    assert_eq!((reply.rcode, reply.answer.len()), (0, MAX_HOPS + 1), "one DNAME and an alias for each hop");
    let long = format!("{}.dgrow.vn. A tcp", ["l".repeat(63), "l".repeat(63), "l".repeat(63), "l".repeat(40)].join("."));
    assert_eq!(world.ask(&long).rcode, 6, "it grows until it is too long");
}

/// A DNAME that leads to its own owner is there once, also where it is what was asked for.
#[test]
fn a_dname_that_leads_to_itself_is_given_once() {
    let world = World::new().with("vn.", scan(b"@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a\nx.d 60 DNAME d\n", "self", "vn."));
    let expected = "NOERROR aa answer: x.d.vn. DNAME d.vn. | x.x.d.vn. CNAME x.d.vn.";
    world.check("x.x.d.vn. DNAME", expected);
    world.check("a.x.x.d.vn. DNAME", "NXDOMAIN aa answer: x.d.vn. DNAME d.vn. | a.x.x.d.vn. CNAME a.x.d.vn. | a.x.d.vn. CNAME a.d.vn. auth: vn. SOA a.vn. b.vn. 1 1 1 1 1");
}

/// A DNAME at the apex redirects all below it and leaves the apex alone, also where the chain that denies stands below it.
#[test]
fn a_dname_at_the_apex() {
    let text =
        b"@ 60 SOA ns.elsewhere.example. h.elsewhere.example. 1 1 1 1 60\n@ 60 NS ns.elsewhere.example.\n@ 60 DNAME other.example.\n";
    for (_, denial) in denials() {
        let world = World::new().with("vn.", crate::ask::sign(scan(text, "apex", "vn."), "vn.", &denial));
        world.check("vn. DNAME", "NOERROR aa answer: vn. DNAME other.example.");
        world.check("a.b.vn. A", "NOERROR aa answer: vn. DNAME other.example. | a.b.vn. CNAME a.b.other.example.");
        check_proof(&world, "vn. A", Proven::NoData);
        check_proof(&world, "a.vn. A", Proven::Answer);
    }
}

/// RFC 4592 §4.4: a DNAME at a wildcard redirects what is below `*` itself, and answers as plain data for names that it is expanded to.
#[test]
fn a_dname_at_a_wildcard_is_another_record_once_it_is_expanded() {
    let text = "@ 60 SOA ns.elsewhere.example. h.elsewhere.example. 1 1 1 1 60\n@ 60 NS ns.elsewhere.example.\n* 60 DNAME *.q\n";
    let world = World::new().with("w.", scan(text.as_bytes(), "wildcard", "w."));
    world.check("a.*.w. DNAME", "NOERROR aa answer: *.w. DNAME *.q.w. | a.*.w. CNAME a.*.q.w. | a.*.q.w. DNAME *.q.w.");
    world.check("a.w. DNAME", "NOERROR aa answer: a.w. DNAME *.q.w.");
}
