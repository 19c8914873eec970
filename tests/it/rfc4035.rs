//! RFC 4035 §3.1: what an authoritative server adds for those who set DO.

use saola::dns::Rtype;
use saola::sign::Denial;

use crate::ask::{World, denials, read, sign, signed, unsigned};
use crate::proof::{Proven, check_proof};

fn vn() -> World {
    signed("vn.zone", "vn.", &Denial::Nsec)
}

fn both(denial: &Denial) -> World {
    let text = read("com.vn.zone", "com.vn.");
    signed("vn.zone", "vn.", denial).with("com.vn.", sign(text, "com.vn.", denial))
}

/// §3.1: without DO nothing of DNSSEC, but what was asked for by its type.
#[test]
fn without_do_there_are_no_signatures() {
    for question in ["www.vn. A", "nosuch.vn. A", "secure.vn. A", "insecure.vn. A", "x.wild.vn. A", "www.vn. A edns", "secure.vn. A edns"] {
        let reply = vn().ask(question);
        let dnssec = [Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3, Rtype::DS];
        assert!(reply.records().all(|rr| !dnssec.contains(&rr.rtype)), "{question}");
    }
    assert_eq!(vn().ask("vn. DNSKEY").answer.len(), 1);
    vn().check("vn. NSEC", "NOERROR aa answer: vn. NSEC \\000.vn. NS SOA TXT RRSIG NSEC DNSKEY");
    assert_eq!(vn().ask("secure.vn. DS").answer.len(), 2);
}

/// §3.1.1: signatures come with their sets, in the same section.
#[test]
fn signatures_stand_beside_their_sets() {
    vn().check("www.vn. A do", "NOERROR aa answer: www.vn. A 192.0.2.11 | www.vn. RRSIG A");
    vn().check(
        "c3.vn. AAAA do",
        "NOERROR aa answer: c3.vn. CNAME www.vn. | c3.vn. RRSIG CNAME | www.vn. AAAA 2001:db8::11 | www.vn. RRSIG AAAA",
    );
    vn().check(
        "mail.vn. MX do tcp",
        "NOERROR aa answer: mail.vn. MX 10 a.dns.vn. | mail.vn. MX 20 a.dns.vn. | mail.vn. MX 30 b.dns.vn. | mail.vn. RRSIG MX
         add: a.dns.vn. A 192.0.2.1 | a.dns.vn. RRSIG A | a.dns.vn. AAAA 2001:db8::1 | a.dns.vn. RRSIG AAAA
            | b.dns.vn. A 192.0.2.2 | b.dns.vn. RRSIG A",
    );
}

/// §3.1.1: signatures of what is only additional go first when there is no room, and TC stays clear.
#[test]
fn signatures_of_additional_data_are_given_up_first() {
    let reply = vn().ask("mail.vn. MX do size=512");
    assert!(!reply.truncated);
    assert_eq!(reply.answer.len(), 4);
}

/// §3.1.2: DNSKEY at the apex is answered when it is asked for, and is not added elsewhere.
#[test]
fn keys_come_when_they_are_asked_for() {
    for question in ["vn. SOA do", "vn. NS do", "www.vn. A do"] {
        assert!(vn().ask(question).records().all(|rr| rr.rtype != Rtype::DNSKEY), "{question}");
    }
    check_proof(&vn(), "vn. DNSKEY", Proven::Answer);
}

/// §3.1.3.1: the NSEC of the name.
#[test]
fn no_data_has_the_nsec_of_the_name() {
    let soa = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900 | vn. RRSIG SOA";
    vn().check("www.vn. TXT do", &format!("NOERROR aa {soa} | www.vn. NSEC \\255.vn. A AAAA RRSIG NSEC | www.vn. RRSIG NSEC"));
}

/// §3.1.3.2: what covers the name and what covers the wildcard; once, when they are one.
#[test]
fn a_name_error_has_both_covers() {
    let soa = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900 | vn. RRSIG SOA";
    vn().check(
        "www2.vn. A do",
        &format!(
            "NXDOMAIN aa {soa} | www.vn. NSEC \\255.vn. A AAAA RRSIG NSEC | www.vn. RRSIG NSEC
            | \\000.vn. NSEC _sip._tcp.vn. A RRSIG NSEC | \\000.vn. RRSIG NSEC"
        ),
    );
    vn().check("x.www.vn. A do", &format!("NXDOMAIN aa {soa} | www.vn. NSEC \\255.vn. A AAAA RRSIG NSEC | www.vn. RRSIG NSEC"));
}

/// §3.1.3.3: an answer from a wildcard proves that no closer name was passed over.
#[test]
fn a_wildcard_answer_has_the_cover_of_the_name() {
    vn().check(
        "q.wild.vn. TXT do",
        "NOERROR aa answer: q.wild.vn. TXT \"expanded\" | q.wild.vn. RRSIG TXT
         auth: i.wild.vn. NSEC *.wout.vn. NS RRSIG NSEC | i.wild.vn. RRSIG NSEC",
    );
}

/// §3.1.3.4: NODATA from a wildcard has the cover of the name and the NSEC of the wildcard.
#[test]
fn a_wildcard_without_the_type_is_shown() {
    let soa = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900 | vn. RRSIG SOA";
    vn().check(
        "q.wild.vn. AAAA do",
        &format!(
            "NOERROR aa {soa} | i.wild.vn. NSEC *.wout.vn. NS RRSIG NSEC | i.wild.vn. RRSIG NSEC
            | *.wild.vn. NSEC x.exists.wild.vn. A MX TXT RRSIG NSEC | *.wild.vn. RRSIG NSEC"
        ),
    );
}

/// §3.1.4: a referral has the DS set with its signatures, or the proof that there is none; NS and glue are not signed.
#[test]
fn a_referral_shows_whether_it_is_secure() {
    vn().check(
        "www.secure.vn. A do tcp",
        "NOERROR auth: secure.vn. NS ns1.secure.vn. | secure.vn. NS ns2.secure.vn.
            | secure.vn. DS 1 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE4A5F4C0AC0B3E4B5B7E0D6A1
            | secure.vn. DS 2 13 2 59FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE4A5F4C0AC0B3E4B5B7E0D6A1 | secure.vn. RRSIG DS
         add: ns1.secure.vn. A 198.51.100.1 | ns1.secure.vn. AAAA 2001:db8:1::1 | ns2.secure.vn. A 198.51.100.2",
    );
    vn().check(
        "www.insecure.vn. A do tcp",
        "NOERROR auth: insecure.vn. NS ns.elsewhere.example. | insecure.vn. NS ns1.insecure.vn.
            | insecure.vn. NSEC loop1.vn. NS RRSIG NSEC | insecure.vn. RRSIG NSEC
         add: ns1.insecure.vn. A 198.51.100.3",
    );
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "x.secure.vn. A", Proven::Secure);
        check_proof(&world, "insecure.vn. A", Proven::Insecure);
        check_proof(&world, "csecure.vn. A", Proven::Secure);
        check_proof(&world, "ccut.vn. A", Proven::Insecure);
    }
}

/// An unsigned zone has nothing to prove: no DS, no NSEC in its referrals.
#[test]
fn an_unsigned_zone_is_silent_about_ds() {
    let reply = unsigned("vn.zone", "vn.").ask("secure.vn. A do");
    assert!(reply.records().all(|rr| matches!(rr.rtype, Rtype::NS | Rtype::A | Rtype::AAAA)));
}

/// §3.1.4.1: DS is the parent's, with authority, with parent and child on board; everything else is the child's.
#[test]
fn ds_is_answered_by_the_parent() {
    for (label, denial) in denials() {
        let world = both(&denial);
        let reply = world.ask("com.vn. DS do tcp");
        assert_eq!((reply.rcode, reply.authoritative, reply.answer.len()), (0, true, 2), "{label}");
        assert_eq!(reply.answer[1].rdata[18..22], *b"\x02vn\0", "{label}: signed by the parent");
        check_proof(&world, "com.vn. DS", Proven::Answer);
        check_proof(&world, "com.vn. SOA", Proven::Answer);
        check_proof(&world, "com.vn. NS", Proven::Answer);
        check_proof(&world, "com.vn. A", Proven::NoData);
        check_proof(&world, "khoa.com.vn. DS", Proven::Answer);
        check_proof(&world, "khoa.com.vn. A", Proven::Secure);
        check_proof(&world, "nosuch.com.vn. DS", if denial.is_opt_out() { Proven::NxDomainOptOut } else { Proven::NxDomain });
        check_proof(&world, "www.com.vn. DS", Proven::NoData);
        check_proof(&world, "vn. DS", Proven::NoData);
        let reply = world.ask("vidu.com.vn. DS do tcp");
        assert_eq!((reply.rcode, reply.authoritative), (0, true), "{label}");
        assert!(reply.authority.iter().any(|rr| rr.rtype == Rtype::SOA && rr.owner.to_string() == "com.vn."), "{label}");
    }
}

/// §3.1.4.1: where the parent is not ours, the child says that it has none, with its own SOA.
#[test]
fn ds_at_an_apex_without_its_parent_is_no_data() {
    for (_, denial) in denials() {
        check_proof(&signed("vn.zone", "vn.", &denial), "vn. DS", Proven::NoData);
        check_proof(&signed("root.zone", ".", &denial), ". DS", Proven::NoData);
        check_proof(&signed("com.vn.zone", "com.vn.", &denial), "com.vn. DS", Proven::NoData);
    }
    unsigned("vn.zone", "vn.").check("vn. DS", "NOERROR aa auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900");
}

/// §3.1.4.1: DS below a cut is not ours to answer.
#[test]
fn ds_below_a_cut_is_a_referral() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "x.secure.vn. DS", Proven::Secure);
        check_proof(&world, "x.insecure.vn. DS", Proven::Insecure);
    }
}

/// A child that is not ready does not take the parent's answers with it.
#[test]
fn ds_of_a_child_that_is_not_ready_is_still_answered() {
    let mut world = vn();
    world.zones.insert_unavailable(saola::dns::Name::parse("com.vn.").expect("a name").as_ref());
    assert_eq!(world.ask("com.vn. A").rcode, 2);
    assert_eq!(world.ask("www.com.vn. DS").rcode, 2);
    let reply = world.ask("com.vn. DS");
    assert_eq!((reply.rcode, reply.answer.len(), reply.authoritative), (0, 1, true));
    world.zones.insert_unavailable(saola::dns::Name::parse("vn.").expect("a name").as_ref());
    assert_eq!(world.ask("com.vn. DS").rcode, 2);
    assert_eq!(world.ask("www.vn. DS").rcode, 2);
}

/// §3.1.5: AXFR is refused here; RRSIG as a type: the signatures of one set are enough (RFC 8482 §4.1 for ANY).
#[test]
fn signatures_may_be_asked_for() {
    let reply = vn().ask("www.vn. RRSIG do");
    assert_eq!((reply.rcode, reply.answer.len()), (0, 1));
    assert_eq!(vn().ask("www.vn. RRSIG").answer.len(), 1);
}

/// §3.1.6 and §3.2.2: AD and CD are clear in what an authoritative server says, whatever was asked.
#[test]
fn ad_and_cd_are_clear() {
    for question in ["www.vn. A ad cd do", "nosuch.vn. A ad cd", "example. A ad cd", "www.vn. A ad cd rd"] {
        assert_eq!(vn().ask(question).bytes[3] & 0xf0, 0, "{question}");
    }
}

/// §2.3 (and RFC 4034 §4.1.1): NSEC of an apex that stands alone leads back to itself.
#[test]
fn a_zone_of_one_name_denies_the_rest() {
    for apex in ["one.", "apex.example.", "."] {
        for (_, denial) in denials() {
            let world = signed("apex.zone", apex, &denial);
            let dot = if apex == "." { "" } else { apex };
            check_proof(&world, &format!("{apex} A"), Proven::NoData);
            let below = [format!("nosuch.{dot} A"), format!("a.b.c.{dot} A"), format!("*.{dot} A")];
            let expected = if denial.is_opt_out() { Proven::NxDomainOptOut } else { Proven::NxDomain };
            below.iter().for_each(|question| check_proof(&world, question, expected.clone()));
        }
    }
    signed("apex.zone", "one.", &Denial::Nsec).check(
        "x.one. A do",
        "NXDOMAIN aa auth: one. SOA ns.elsewhere.example. hostmaster.elsewhere.example. 1 3600 600 86400 300 | one. RRSIG SOA
            | one. NSEC one. NS SOA RRSIG NSEC DNSKEY | one. RRSIG NSEC",
    );
}
