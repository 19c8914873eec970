//! RFC 1034: the algorithm of §4.3.2, sections and AA, referrals, aliases.

use crate::ask::{World, read, unsigned};

#[track_caller]
fn check(question: &str, expected: &str) {
    unsigned("vn.zone", "vn.").check(question, expected);
}

#[test]
fn what_the_zone_has_is_answered_with_authority() {
    check("www.vn. A", "NOERROR aa answer: www.vn. A 192.0.2.11");
    check("www.vn. AAAA", "NOERROR aa answer: www.vn. AAAA 2001:db8::11");
    check("vn. SOA", "NOERROR aa answer: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900");
    check("\\000.vn. A", "NOERROR aa answer: \\000.vn. A 192.0.2.13");
    check("esc\\.ap\\032ed.vn. A", "NOERROR aa answer: esc\\.ap\\032ed.vn. A 192.0.2.12");
    check("esc.ap\\032ed.vn. A", &nx());
}

fn soa() -> &'static str {
    "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900"
}

fn nx() -> String {
    format!("NXDOMAIN aa {}", soa())
}

fn no_data() -> String {
    format!("NOERROR aa {}", soa())
}

/// §4.3.2 step 3b: the NS set of the cut in the authority section, addresses beside, no AA.
#[test]
fn at_and_below_a_cut_it_refers() {
    let referral = "NOERROR
        auth: secure.vn. NS ns1.secure.vn. | secure.vn. NS ns2.secure.vn.
        add: ns1.secure.vn. A 198.51.100.1 | ns1.secure.vn. AAAA 2001:db8:1::1 | ns2.secure.vn. A 198.51.100.2";
    for question in [
        "secure.vn. A",
        "secure.vn. NS",
        "secure.vn. ANY",
        "secure.vn. SOA",
        "www.secure.vn. A",
        "a.b.c.secure.vn. TXT",
        "ns1.secure.vn. A",
    ] {
        check(question, referral);
    }
    check("deep.cut.vn. A", "NOERROR auth: deep.cut.vn. NS ns.elsewhere.example.");
    check("x.i2.x.hollow.vn. A", "NOERROR auth: i2.x.hollow.vn. NS ns.elsewhere.example.");
}

#[test]
fn what_stands_below_a_cut_is_never_answered() {
    let referral =
        "NOERROR auth: insecure.vn. NS ns.elsewhere.example. | insecure.vn. NS ns1.insecure.vn. add: ns1.insecure.vn. A 198.51.100.3";
    for question in ["below.insecure.vn. TXT", "nosuch.insecure.vn. TXT", "*.insecure.vn. TXT", "ns1.insecure.vn. A"] {
        check(question, referral);
    }
}

#[test]
fn a_cut_may_be_its_own_name_server() {
    check("self.vn. A", "NOERROR auth: self.vn. NS self.vn. add: self.vn. A 198.51.100.4");
}

#[test]
fn name_error_and_no_data_are_told_apart() {
    check("nosuch.vn. A", &nx());
    check("a.b.c.nosuch.vn. A", &nx());
    check("www.vn. TXT", &no_data());
    check("x.www.vn. A", &nx());
    check("vn. A", &no_data());
    for question in ["w.vn. A", "v.w.vn. TXT", "cut.vn. A", "hollow.vn. NS", "x.hollow.vn. A", "mixed.vn. A", "dns.vn. A", "_tcp.vn. SRV"] {
        check(question, &no_data());
    }
}

/// §3.6.2: the alias and what it leads to.
#[test]
fn an_alias_is_followed_within_the_zone() {
    check("c1.vn. A", "NOERROR aa answer: c1.vn. CNAME c2.vn. | c2.vn. CNAME c3.vn. | c3.vn. CNAME www.vn. | www.vn. A 192.0.2.11");
    check("c3.vn. AAAA", "NOERROR aa answer: c3.vn. CNAME www.vn. | www.vn. AAAA 2001:db8::11");
    check("c3.vn. TXT", &format!("NOERROR aa answer: c3.vn. CNAME www.vn. {}", soa()));
    check("cent.vn. TXT", &format!("NOERROR aa answer: cent.vn. CNAME v.w.vn. {}", soa()));
    check("cout.vn. A", "NOERROR aa answer: cout.vn. CNAME www.elsewhere.example.");
}

/// §3.6.2: who asks for the alias itself, or for everything, gets it alone.
#[test]
fn an_alias_that_is_asked_for_is_not_followed() {
    check("c1.vn. CNAME", "NOERROR aa answer: c1.vn. CNAME c2.vn.");
    check("c1.vn. ANY", "NOERROR aa answer: c1.vn. CNAME c2.vn.");
}

/// §4.1.1 of RFC 1035: AA stands for the name in the question, here the alias.
#[test]
fn an_alias_into_a_delegation_ends_in_a_referral_with_aa() {
    check(
        "ccut.vn. A",
        "NOERROR aa answer: ccut.vn. CNAME www.insecure.vn.
         auth: insecure.vn. NS ns.elsewhere.example. | insecure.vn. NS ns1.insecure.vn.
         add: ns1.insecure.vn. A 198.51.100.3",
    );
    check(
        "csecure.vn. MX",
        "NOERROR aa answer: csecure.vn. CNAME www.secure.vn.
         auth: secure.vn. NS ns1.secure.vn. | secure.vn. NS ns2.secure.vn.
         add: ns1.secure.vn. A 198.51.100.1 | ns1.secure.vn. AAAA 2001:db8:1::1 | ns2.secure.vn. A 198.51.100.2",
    );
}

#[test]
fn loops_of_aliases_end() {
    check("loop1.vn. A", "NOERROR aa answer: loop1.vn. CNAME loop2.vn. | loop2.vn. CNAME loop1.vn.");
    check("loopself.vn. A", "NOERROR aa answer: loopself.vn. CNAME loopself.vn.");
}

/// §4.3.2 step 6: addresses that the client will want next.
#[test]
fn addresses_of_name_servers_and_exchanges_are_added_once() {
    check(
        "vn. NS",
        "NOERROR aa answer: vn. NS a.dns.vn. | vn. NS b.dns.vn. | vn. NS ns.elsewhere.example.
         add: a.dns.vn. A 192.0.2.1 | a.dns.vn. AAAA 2001:db8::1 | b.dns.vn. A 192.0.2.2",
    );
    check(
        "mail.vn. MX",
        "NOERROR aa answer: mail.vn. MX 10 a.dns.vn. | mail.vn. MX 20 a.dns.vn. | mail.vn. MX 30 b.dns.vn.
         add: a.dns.vn. A 192.0.2.1 | a.dns.vn. AAAA 2001:db8::1 | b.dns.vn. A 192.0.2.2",
    );
    check(
        "_sip._tcp.vn. SRV",
        "NOERROR aa answer: _sip._tcp.vn. SRV 0 5 5060 a.dns.vn. | _sip._tcp.vn. SRV 0 6 5061 a.dns.vn.
         add: a.dns.vn. A 192.0.2.1 | a.dns.vn. AAAA 2001:db8::1",
    );
}

/// §4.3.2 step 2: the zone that is the nearest ancestor.
#[test]
fn the_nearest_zone_answers() {
    let world = unsigned("vn.zone", "vn.").with("com.vn.", read("com.vn.zone", "com.vn."));
    world.check("www.com.vn. A", "NOERROR aa answer: www.com.vn. A 203.0.113.1");
    world.check("com.vn. NS", "NOERROR aa answer: com.vn. NS a.dns.vn. | com.vn. NS b.dns.vn.");
    world.check("COM.VN. SOA", "NOERROR aa answer: COM.VN. SOA a.dns.vn. hostmaster.dns.vn. 7 1800 600 1209600 900");
    world.check("nosuch.com.vn. A", "NXDOMAIN aa auth: com.vn. SOA a.dns.vn. hostmaster.dns.vn. 7 1800 600 1209600 900");
    world.check(
        "x.vidu.com.vn. A",
        "NOERROR auth: vidu.com.vn. NS ns1.vidu.com.vn. | vidu.com.vn. NS ns2.vidu.com.vn.
         add: ns1.vidu.com.vn. A 203.0.113.2 | ns2.vidu.com.vn. AAAA 2001:db8:2::2",
    );
    world.check("up.com.vn. A", "NOERROR aa answer: up.com.vn. CNAME www.vn.");
}

#[test]
fn names_outside_every_zone_are_refused() {
    for question in ["example. A", ". NS", "nv. SOA", "avn. A", "www.example.com. ANY"] {
        check(question, "REFUSED");
    }
    World::new().check("vn. SOA", "REFUSED");
}

#[test]
fn the_root_is_a_zone_like_others() {
    let world = unsigned("root.zone", ".");
    world.check(". NS", "NOERROR aa answer: . NS a.root.example. | . NS b.root. add: a.root.example. A 192.0.2.1 | b.root. A 192.0.2.2");
    world.check(
        "www.com.vn. A",
        "NOERROR auth: vn. NS a.dns.vn. | vn. NS a.root.example. | vn. NS b.dns.vn.
         add: a.dns.vn. A 192.0.2.3 | b.dns.vn. AAAA 2001:db8::4 | a.root.example. A 192.0.2.1",
    );
    let soa = "auth: . SOA a.root.example. nstld.example. 2026112200 1800 900 604800 86400";
    world.check("nosuch. A", &format!("NXDOMAIN aa {soa}"));
    world.check("example. A", &format!("NOERROR aa {soa}"));
    world.check(". A", &format!("NOERROR aa {soa}"));
    world.check("q.wild. TXT", "NOERROR aa answer: q.wild. TXT \"below the root\"");
    world.check("a.b. A", "NOERROR aa answer: a.b. CNAME y.x.a.b. auth: x.a.b. NS ns.x.a.b. add: ns.x.a.b. A 192.0.2.6");
    world.check("c.b. A", &format!("NXDOMAIN aa answer: c.b. CNAME ns.d.c.b. | d.c.b. DNAME e. | ns.d.c.b. CNAME ns.e. {soa}"));
}

#[test]
fn a_zone_may_be_one_label_or_many() {
    for apex in ["one.", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.example."] {
        let world = unsigned("apex.zone", apex);
        let soa = format!("auth: {apex} SOA ns.elsewhere.example. hostmaster.elsewhere.example. 1 3600 600 86400 300");
        world.check(&format!("{apex} NS"), &format!("NOERROR aa answer: {apex} NS ns.elsewhere.example."));
        world.check(&format!("{apex} A"), &format!("NOERROR aa {soa}"));
        world.check(&format!("x.y.{apex} A"), &format!("NXDOMAIN aa {soa}"));
    }
}
