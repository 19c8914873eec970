//! RFC 9471: glue is not optional.

use crate::ask::{Reply, World, denials, scan, sign, unsigned};
use saola::dns::Rtype;

/// A cut with many in-domain and sibling hosts.
fn text(n: usize) -> String {
    let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\n".to_owned();
    for i in 0..n {
        text += &format!("in 60 NS ns{i}.in\nns{i}.in 60 A 192.0.2.{i}\nns{i}.in 60 AAAA 2001:db8::{i}\n");
        text += &format!("out 60 NS ns{i}.in\n");
    }
    text + "mixed 60 NS ns.mixed\nmixed 60 NS ns0.in\nmixed 60 NS a.elsewhere.example.\nns.mixed 60 A 192.0.2.200\n"
}

fn addresses(reply: &Reply) -> usize {
    reply.additional.iter().filter(|rr| matches!(rr.rtype, Rtype::A | Rtype::AAAA)).count()
}

/// §3.1: all in-domain glue, or TC.
#[test]
fn in_domain_glue_is_whole_or_tc_is_set() {
    for n in [1, 2, 5, 8, 13, 20, 40] {
        for (label, denial) in denials() {
            let world = World::new().with("vn.", sign(scan(text(n).as_bytes(), "glue", "vn."), "vn.", &denial));
            let mut whole = 0;
            for size in (512..=1232).step_by(16) {
                for edns in ["do", "edns"] {
                    let reply = world.ask(&format!("www.in.vn. A {edns} size={size}"));
                    assert!(reply.truncated || addresses(&reply) == 2 * n, "{label} {n} {size}: {} and no TC", addresses(&reply));
                    whole += usize::from(!reply.truncated);
                }
            }
            assert!(n > 5 || whole > 0, "{label} {n}: never whole");
            assert_eq!(addresses(&world.ask("www.in.vn. A do tcp")), 2 * n, "{label}");
        }
    }
    let world = World::new().with("vn.", scan(text(13).as_bytes(), "glue", "vn."));
    assert!(world.ask("www.in.vn. A").truncated, "512 octets");
}

/// §3.2: sibling glue as far as there is room, without TC.
#[test]
fn sibling_glue_never_sets_tc() {
    for n in [1, 2, 8, 13] {
        let world = World::new().with("vn.", scan(text(n).as_bytes(), "glue", "vn."));
        for size in (512..=1232).step_by(16) {
            let reply = world.ask(&format!("www.out.vn. A size={size}"));
            assert!(!reply.truncated, "{n} {size}");
        }
        assert_eq!(addresses(&world.ask("www.out.vn. A tcp")), 2 * n);
    }
    unsigned("vn.zone", "vn.").check(
        "x.sibling.vn. A",
        "NOERROR auth: sibling.vn. NS ns1.insecure.vn. | sibling.vn. NS ns2.secure.vn.
         add: ns1.insecure.vn. A 198.51.100.3 | ns2.secure.vn. A 198.51.100.2",
    );
}

/// §3.1 before §3.2: in-domain glue comes first.
#[test]
fn in_domain_glue_comes_before_sibling_glue() {
    let world = World::new().with("vn.", scan(text(2).as_bytes(), "glue", "vn."));
    let reply = world.ask("x.mixed.vn. A");
    assert_eq!(reply.additional.first().map(|rr| rr.owner.to_string()), Some("ns.mixed.vn.".into()));
    assert_eq!(addresses(&reply), 3);
}

/// §2.3: an in-domain name server without an address is no reason to truncate.
#[test]
fn missing_glue_is_not_waited_for() {
    let world = World::new().with("vn.", scan(b"@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.x.\ncut 60 NS ns.cut\n", "glue", "vn."));
    world.check("x.cut.vn. A", "NOERROR auth: cut.vn. NS ns.cut.vn.");
}
