//! RFC 4592: wildcards.

use crate::ask::{World, denials, signed, unsigned};
use crate::proof::{Proven, check_proof};

const SOA: &str = "auth: example. SOA ns.example.com. hostmaster.example.com. 1 3600 600 86400 900";

#[track_caller]
fn check(question: &str, expected: &str) {
    unsigned("rfc4592.zone", "example.").check(question, expected);
}

/// The zone, signed in every way.
#[track_caller]
fn proves(question: &str, expected: Proven) {
    for (_, denial) in denials() {
        let world = signed("rfc4592.zone", "example.", &denial);
        let expected = match expected {
            Proven::NxDomain if denial.is_opt_out() => Proven::NxDomainOptOut,
            ref expected => expected.clone(),
        };
        check_proof(&world, question, expected);
    }
}

/// §2.2.1: what is made from the wildcard.
#[test]
fn names_that_do_not_exist_are_made_from_the_wildcard() {
    check("host3.example. MX", "NOERROR aa answer: host3.example. MX 10 host1.example. add: host1.example. A 192.0.2.1");
    check("host3.example. A", &format!("NOERROR aa {SOA}"));
    check("foo.bar.example. TXT", "NOERROR aa answer: foo.bar.example. TXT \"from the wildcard\"");
    proves("host3.example. MX", Proven::Answer);
    proves("host3.example. A", Proven::NoData);
    proves("foo.bar.example. TXT", Proven::Answer);
    proves("a.b.c.d.e.f.example. SRV", Proven::NoData);
}

/// §2.2.1: what is not.
#[test]
fn names_that_exist_or_stand_below_one_that_does_are_not_made() {
    check("host1.example. MX", &format!("NOERROR aa {SOA}"));
    check("sub.*.example. MX", &format!("NOERROR aa {SOA}"));
    check("_telnet._tcp.host1.example. SRV", &format!("NXDOMAIN aa {SOA}"));
    check("host.subdel.example. A", "NOERROR auth: subdel.example. NS ns.example.com. | subdel.example. NS ns.example.net.");
    check("ghost.*.example. MX", &format!("NXDOMAIN aa {SOA}"));
    proves("host1.example. MX", Proven::NoData);
    proves("sub.*.example. MX", Proven::NoData);
    proves("_telnet._tcp.host1.example. SRV", Proven::NxDomain);
    proves("host.subdel.example. A", Proven::Insecure);
    proves("ghost.*.example. MX", Proven::NxDomain);
}

/// §2.2.2 and §2.2.3: an empty non-terminal exists, and so shields what is below it from wildcards above.
#[test]
fn empty_non_terminals_exist() {
    check("host2.example. MX", &format!("NOERROR aa {SOA}"));
    check("_tcp.host2.example. TXT", &format!("NOERROR aa {SOA}"));
    check("x.host2.example. TXT", &format!("NXDOMAIN aa {SOA}"));
    proves("host2.example. MX", Proven::NoData);
    proves("x.host2.example. TXT", Proven::NxDomain);
}

/// §2.1.1 and §2.1.3: the asterisk itself is a name like others when it is asked for.
#[test]
fn the_wildcard_itself_can_be_asked_for() {
    check("*.example. TXT", "NOERROR aa answer: *.example. TXT \"from the wildcard\"");
    check("sub.*.example. TXT", "NOERROR aa answer: sub.*.example. TXT \"below the asterisk\"");
    check("*.example. A", &format!("NOERROR aa {SOA}"));
    proves("*.example. TXT", Proven::Answer);
    proves("*.example. A", Proven::NoData);
    proves("\\*.example. TXT", Proven::Answer);
}

/// §2.1.1: only a whole label of one asterisk is one.
#[test]
fn other_labels_with_asterisks_are_ordinary() {
    check("**.example. TXT", "NOERROR aa answer: **.example. TXT \"from the wildcard\"");
    check("the*.example. TXT", "NOERROR aa answer: the*.example. TXT \"from the wildcard\"");
    check("*.host1.example. A", &format!("NXDOMAIN aa {SOA}"));
}

/// §3.3.1: the source of synthesis stands directly below the closest encloser; others are no candidates.
#[test]
fn only_the_wildcard_below_the_closest_encloser_counts() {
    check("a.twice.example. A", &format!("NOERROR aa {SOA}"));
    check("*.twice.example. A", &format!("NOERROR aa {SOA}"));
    check("a.*.twice.example. A", "NOERROR aa answer: a.*.twice.example. A 192.0.2.4");
    check("a.b.twice.example. A", &format!("NOERROR aa {SOA}"));
    check("a.b.*.twice.example. A", "NOERROR aa answer: a.b.*.twice.example. A 192.0.2.4");
    proves("a.twice.example. A", Proven::NoData);
    proves("a.*.twice.example. A", Proven::Answer);
    proves("a.b.*.twice.example. A", Proven::Answer);
}

/// §4.2: NS at a wildcard is undefined; here it never delegates, and nothing is answered that the zone has not signed.
#[test]
fn a_wildcard_does_not_delegate() {
    let text = b"@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\n*.cut 60 NS ns.example.com.\n";
    let world = World::new().with("example.", crate::ask::scan(text, "cut", "example."));
    let soa = "auth: example. SOA a.example. b.example. 1 1 1 1 1";
    for question in ["x.cut.example. A", "x.cut.example. NS", "a.x.cut.example. A"] {
        world.check(question, &format!("NOERROR aa {soa}"));
    }
    world.check("*.cut.example. A", "NOERROR auth: *.cut.example. NS ns.example.com.");
}

/// §3.3.3 and §4.3: an alias at a wildcard is made for the name and followed.
#[test]
fn an_alias_at_a_wildcard_is_followed() {
    check("x.alias.example. A", "NOERROR aa answer: x.alias.example. CNAME host1.example. | host1.example. A 192.0.2.1");
    check("x.alias.example. CNAME", "NOERROR aa answer: x.alias.example. CNAME host1.example.");
    check("x.alias.example. MX", &format!("NOERROR aa answer: x.alias.example. CNAME host1.example. {SOA}"));
    check("y.self.example. A", "NOERROR aa answer: y.self.example. CNAME x.self.example. | x.self.example. CNAME x.self.example.");
    proves("x.alias.example. A", Proven::Answer);
    proves("x.alias.example. MX", Proven::NoData);
    proves("y.self.example. A", Proven::Answer);
}

/// §4.4: a DNAME at a wildcard is data of the names it is made for, and redirects only below the asterisk.
#[test]
fn a_dname_at_a_wildcard_redirects_nothing_that_is_made() {
    check("x.dname.example. DNAME", "NOERROR aa answer: x.dname.example. DNAME host1.example.");
    check("x.dname.example. A", &format!("NOERROR aa {SOA}"));
    check("a.x.dname.example. A", &format!("NOERROR aa {SOA}"));
    check(
        "_tcp.*.dname.example. A",
        &format!("NOERROR aa answer: *.dname.example. DNAME host1.example. | _tcp.*.dname.example. CNAME _tcp.host1.example. {SOA}"),
    );
    proves("x.dname.example. DNAME", Proven::Answer);
    proves("x.dname.example. A", Proven::NoData);
}

/// §4.6: DS belongs to cuts, so that a wildcard makes none for a name that is not one.
#[test]
fn ds_is_not_made_from_a_wildcard_without_it() {
    check("host3.example. DS", &format!("NOERROR aa {SOA}"));
    proves("host3.example. DS", Proven::NoData);
}

/// §4.7 and §4.8: NSEC and RRSIG are never made.
#[test]
fn proofs_are_not_made_from_the_wildcard() {
    let world = signed("rfc4592.zone", "example.", &saola::sign::Denial::Nsec);
    let reply = world.ask("host3.example. TXT do");
    assert!(reply.authority.iter().all(|rr| rr.owner.to_string() != "host3.example."));
}

/// §4.9: a wildcard that is an empty non-terminal answers with no data.
#[test]
fn an_empty_wildcard_makes_no_data() {
    check("x.empty.example. A", &format!("NOERROR aa {SOA}"));
    check("deep.x.empty.example. A", &format!("NOERROR aa {SOA}"));
    check("*.empty.example. A", &format!("NOERROR aa {SOA}"));
    check("deep.*.empty.example. A", "NOERROR aa answer: deep.*.empty.example. A 192.0.2.2");
    check("x.*.empty.example. A", &format!("NXDOMAIN aa {SOA}"));
    proves("x.empty.example. A", Proven::NoData);
    proves("deep.x.empty.example. A", Proven::NoData);
    proves("x.*.empty.example. A", Proven::NxDomain);
}

/// A wildcard at the apex answers for everything that does not exist, but not below what does.
#[test]
fn a_wildcard_at_the_apex() {
    let soa = "auth: wild. SOA ns.elsewhere.example. hostmaster.elsewhere.example. 1 3600 600 86400 600";
    let world = unsigned("wildapex.zone", "wild.");
    world.check("x.y.z.wild. A", "NOERROR aa answer: x.y.z.wild. A 192.0.2.2");
    world.check("x.wild. MX", "NOERROR aa answer: x.wild. MX 10 any.wild.");
    world.check("wild. A", &format!("NOERROR aa {soa}"));
    world.check("b.wild. A", &format!("NOERROR aa {soa}"));
    world.check("x.b.wild. A", &format!("NXDOMAIN aa {soa}"));
    world.check("x.ns.wild. A", &format!("NXDOMAIN aa {soa}"));
    world.check("x.cut.wild. A", "NOERROR auth: cut.wild. NS ns.cut.wild. add: ns.cut.wild. A 192.0.2.3");
}

/// A wildcard below a cut is the child's.
#[test]
fn a_wildcard_below_a_cut_makes_nothing() {
    let world: World = unsigned("vn.zone", "vn.");
    let reply = world.ask("anything.insecure.vn. TXT");
    assert!(!reply.authoritative && reply.answer.is_empty());
}
