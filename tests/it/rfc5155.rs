//! RFC 5155: hashed denial, with the example of its appendices and the cases around opt-out.

use saola::dns::Rtype;
use saola::sign::Denial;

use crate::ask::{World, denials, labels, scan, sign, signed};
use crate::proof::{Proven, check_proof};

/// The zone of appendix A: opt-out, 12 iterations, salt aabbccdd.
fn appendix() -> World {
    signed("rfc5155.zone", "example.", &Denial::Nsec3 { opt_out: true, salt: vec![0xaa, 0xbb, 0xcc, 0xdd], iterations: 12 })
}

/// The hashes of the NSEC3 records in the authority section are those of appendix B, in any order.
#[track_caller]
fn hashes(question: &str, rcode: u16, expected: &[&str], proven: Proven) {
    let world = appendix();
    let reply = world.ask(&format!("{question} do tcp"));
    let mut found: Vec<String> = reply
        .authority
        .iter()
        .filter(|rr| rr.rtype == Rtype::NSEC3)
        .map(|rr| String::from_utf8_lossy(rr.labels.last().expect("a hash")).into_owned())
        .collect();
    found.sort();
    assert_eq!((reply.rcode, found.iter().map(String::as_str).collect::<Vec<_>>()), (rcode, expected.to_vec()), "{question}");
    check_proof(&world, question, proven);
}

const APEX: &str = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom";

#[test]
fn the_responses_of_appendix_b() {
    let (a, x_w) = ("35mthgpgcu1qg68fab165klnsnk3dpvl", "b4um86eghhds6nea196smvmlo4ors995");
    let (w, wild, ns2) = ("k8udemvp1j2f7eg6jebps17vp3n8i58h", "r53bq7cc2uvmubfu5ocmm6pers9tk9en", "q04jkcevqvmu85r014c7dkba38o0ji5r");
    hashes("a.c.x.w.example. A", 3, &[APEX, a, x_w], Proven::NxDomainOptOut);
    hashes("ns1.example. MX", 0, &["2t7b4g4vsa5smi47k61mv5bv1a22bojr"], Proven::NoData);
    hashes("y.w.example. A", 0, &["ji6neoaepv8b5o6k4ev33abha8ht9fgc"], Proven::NoData);
    hashes("mc.c.example. MX", 0, &[APEX, a], Proven::Insecure);
    hashes("a.z.w.example. MX", 0, &[ns2], Proven::Answer);
    hashes("a.z.w.example. AAAA", 0, &[w, ns2, wild], Proven::NoData);
    hashes("example. DS", 0, &[APEX], Proven::NoData);
}

/// §7.2.3 (and its sibling for DS): the link of the name, alone.
#[test]
fn no_data_has_the_link_of_the_name() {
    let world = signed("vn.zone", "vn.", &Denial::NSEC3);
    let soa = "auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900 | vn. RRSIG SOA";
    world.check("www.vn. TXT do", &format!("NOERROR aa {soa} | #www.vn. NSEC3 A AAAA RRSIG | #www.vn. RRSIG NSEC3"));
    world.check("w.vn. TXT do", &format!("NOERROR aa {soa} | #w.vn. NSEC3 | #w.vn. RRSIG NSEC3"));
    world.check("insecure.vn. DS do", &format!("NOERROR aa {soa} | #insecure.vn. NSEC3 NS | #insecure.vn. RRSIG NSEC3"));
    world.check("hollow.vn. A do", &format!("NOERROR aa {soa} | #hollow.vn. NSEC3 | #hollow.vn. RRSIG NSEC3"));
}

/// §7.2.4: DS at a cut that opt-out leaves out: the closest provable encloser and the span that the cut is in.
#[test]
fn ds_in_an_opt_out_span_is_denied() {
    let world = signed("vn.zone", "vn.", &Denial::NSEC3_OPT_OUT);
    for cut in ["insecure.vn.", "i1.hollow.vn.", "i2.x.hollow.vn.", "i3.x.y.hollow.vn.", "i1.mixed.vn.", "i.wild.vn.", "deep.cut.vn."] {
        check_proof(&world, &format!("{cut} DS"), Proven::NoDataOptOut);
    }
    check_proof(&world, "secure.vn. DS", Proven::Answer);
}

/// §7.2.7: a referral to what is not signed, by its own link or by the span that it is in.
#[test]
fn referrals_without_ds_are_proven_insecure() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        for cut in ["insecure.vn.", "i1.hollow.vn.", "i2.x.hollow.vn.", "i3.x.y.hollow.vn.", "i1.mixed.vn.", "i.wild.vn.", "deep.cut.vn."] {
            check_proof(&world, &format!("{cut} A"), Proven::Insecure);
            check_proof(&world, &format!("a.b.{cut} A"), Proven::Insecure);
        }
        for cut in ["secure.vn.", "s1.mixed.vn.", "com.vn."] {
            check_proof(&world, &format!("{cut} A"), Proven::Secure);
            check_proof(&world, &format!("a.b.{cut} DS"), Proven::Secure);
        }
    }
}

/// §7.1 and §7.2.1: empty non-terminals above insecure delegations alone have no link with opt-out, so that the closest provable
/// encloser lies above them: for the empty non-terminal itself, for names below it, and for cuts below it.
#[test]
fn below_a_hollow_name_the_proof_starts_at_the_closest_provable_encloser() {
    let world = signed("vn.zone", "vn.", &Denial::NSEC3_OPT_OUT);
    for name in ["hollow.vn.", "x.hollow.vn.", "y.hollow.vn.", "x.y.hollow.vn.", "cut.vn."] {
        check_proof(&world, &format!("{name} A"), Proven::NoDataOptOut);
        check_proof(&world, &format!("{name} DS"), Proven::NoDataOptOut);
        check_proof(&world, &format!("nosuch.{name} A"), Proven::NxDomainOptOut);
        check_proof(&world, &format!("a.b.nosuch.{name} A"), Proven::NxDomainOptOut);
        let reply = world.ask(&format!("nosuch.{name} A do tcp"));
        let apex = reply.authority.iter().filter(|rr| rr.rtype == Rtype::NSEC3).any(|rr| {
            rr.rdata.ends_with(&[0, 0, 0x90, 0x01]) || { saola::dns::rdata::bitmap_types(&rr.rdata[26..]).any(|rtype| rtype == Rtype::SOA) }
        });
        assert!(apex, "{name}: the apex is the closest provable encloser");
    }
    // One with a secure delegation below has its link.
    check_proof(&world, "mixed.vn. A", Proven::NoData);
    let plain = signed("vn.zone", "vn.", &Denial::NSEC3);
    for name in ["hollow.vn.", "x.y.hollow.vn.", "cut.vn."] {
        check_proof(&plain, &format!("{name} A"), Proven::NoData);
        check_proof(&plain, &format!("nosuch.{name} A"), Proven::NxDomain);
    }
}

/// §7.1: beside a wildcard an empty non-terminal keeps its link, opt-out or not. Without it the wildcard's parent would be the closest
/// provable encloser of what stands below, the wildcard there exists, and nothing denies that it answers.
#[test]
fn a_hollow_name_beside_a_wildcard_is_its_own_encloser() {
    let text = "@ SOA ns.vn. h.vn. 1 1 1 1 60\n@ NS ns.vn.\n*.w A 192.0.2.1\ni.hollow.w NS ns.elsewhere.example.\n\
                j.x.y.w NS ns.elsewhere.example.\ncut.w NS ns.elsewhere.example.\n*.e.d A 192.0.2.2\nk.z.e.d NS ns.elsewhere.example.\n";
    for (_, denial) in denials() {
        let world = World::new().with("vn.", sign(scan(text.as_bytes(), "test", "vn."), "vn.", &denial));
        let (nx, no_data) = match denial.is_opt_out() {
            true => (Proven::NxDomainOptOut, Proven::NoData),
            false => (Proven::NxDomain, Proven::NoData),
        };
        for name in ["hollow.w.vn.", "y.w.vn.", "z.e.d.vn."] {
            check_proof(&world, &format!("{name} A"), no_data.clone());
            check_proof(&world, &format!("{name} DS"), no_data.clone());
            check_proof(&world, &format!("nosuch.{name} A"), nx.clone());
            check_proof(&world, &format!("*.{name} A"), nx.clone());
            check_proof(&world, &format!("a.b.nosuch.{name} TXT"), nx.clone());
        }
        check_proof(&world, "nosuch.x.y.w.vn. A", nx.clone());
        check_proof(&world, "q.w.vn. A", Proven::Answer);
        check_proof(&world, "q.w.vn. TXT", Proven::NoData);
        for cut in ["i.hollow.w.vn.", "j.x.y.w.vn.", "cut.w.vn.", "k.z.e.d.vn."] {
            check_proof(&world, &format!("{cut} A"), Proven::Insecure);
            check_proof(&world, &format!("{cut} DS"), if denial.is_opt_out() { Proven::NoDataOptOut } else { Proven::NoData });
        }
    }
}

/// §7.2.2: three roles, and a record that plays two of them stands there once.
#[test]
fn a_name_error_has_its_three_roles() {
    for denial in [Denial::NSEC3, Denial::NSEC3_OPT_OUT] {
        let world = signed("vn.zone", "vn.", &denial);
        for name in ["nosuch.vn.", "a.b.c.nosuch.vn.", "nosuch.v.w.vn.", "nosuch.a.dns.vn.", "x.y.exists.wild.vn."] {
            let reply = world.ask(&format!("{name} A do tcp"));
            let links = reply.authority.iter().filter(|rr| rr.rtype == Rtype::NSEC3).count();
            assert!((1..=3).contains(&links), "{name}: {links} links");
            let expected = if denial.is_opt_out() { Proven::NxDomainOptOut } else { Proven::NxDomain };
            check_proof(&world, &format!("{name} A"), expected);
        }
    }
}

/// §7.2.5 and §7.2.6: wildcards.
#[test]
fn wildcards_are_proven() {
    for (_, denial) in denials() {
        let world = signed("vn.zone", "vn.", &denial);
        check_proof(&world, "q.wild.vn. A", Proven::Answer);
        check_proof(&world, "a.b.c.wild.vn. A", Proven::Answer);
        check_proof(&world, "q.wild.vn. AAAA", Proven::NoData);
        check_proof(&world, "*.wild.vn. AAAA", Proven::NoData);
        check_proof(&world, "q.went.vn. A", Proven::NoData);
        check_proof(&world, "q.walias.vn. A", Proven::Answer);
        check_proof(&world, "q.wcut.vn. A", Proven::Insecure);
        check_proof(&world, "cwild2.vn. A", Proven::Answer);
    }
    let world = signed("vn.zone", "vn.", &Denial::NSEC3);
    check_proof(&world, "q.wdown.vn. A", Proven::NxDomain);
}

/// §7.2.8: the owner of an NSEC3 does not exist for who asks for it, whatever the type; a name that exists beside it does.
#[test]
fn hashed_owner_names_do_not_exist() {
    let world = appendix();
    for rtype in ["NSEC3", "A", "RRSIG", "ANY", "DS"] {
        assert_eq!(world.ask(&format!("{APEX}.example. {rtype} do tcp")).rcode, 3, "{rtype}");
        assert_eq!(world.ask(&format!("x.{APEX}.example. {rtype} do tcp")).rcode, 3, "{rtype}");
    }
    check_proof(&world, &format!("{APEX}.example. NSEC3"), Proven::NxDomainOptOut);
    check_proof(&world, "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. A", Proven::Answer);
    check_proof(&world, "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3", Proven::NoData);
    let wild = signed("wildapex.zone", "wild.", &Denial::NSEC3);
    let hash = wild.ask("x.b.wild. A do tcp").authority.iter().find(|rr| rr.rtype == Rtype::NSEC3).map(|rr| rr.owner.to_string());
    check_proof(&wild, &format!("{} A", hash.expect("a link")), Proven::Answer);
    assert!(labels("wild.") < labels("*.wild."));
}

/// §4: NSEC3PARAM is data of the apex; §7.3: salt and iterations are those of the chain in use.
#[test]
fn parameters_can_be_asked_for() {
    appendix().check("example. NSEC3PARAM", "NOERROR aa answer: example. NSEC3PARAM 1 0 12 AABBCCDD");
    check_proof(&appendix(), "example. NSEC3PARAM", Proven::Answer);
}

/// §8.2: all links of a reply have the same parameters; a long salt and many iterations work like none.
#[test]
fn any_salt_and_iterations() {
    for (salt, iterations) in [(vec![], 0), (vec![0], 1), (vec![0xab; 255], 150), (vec![1, 2, 3, 4, 5, 6, 7, 8], 10)] {
        for opt_out in [false, true] {
            let world = signed("vn.zone", "vn.", &Denial::Nsec3 { opt_out, salt: salt.clone(), iterations });
            let nx = if opt_out { Proven::NxDomainOptOut } else { Proven::NxDomain };
            check_proof(&world, "nosuch.vn. A", nx);
            check_proof(&world, "q.wild.vn. A", Proven::Answer);
            check_proof(&world, "insecure.vn. A", Proven::Insecure);
            check_proof(&world, "www.vn. TXT", Proven::NoData);
        }
    }
}
