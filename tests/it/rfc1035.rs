//! RFC 1035: the message; what is echoed, what is limited, what is not understood.

use saola::answer::{MAX_HOPS, Transport};

use crate::ask::{Question, Reply, World, scan, unsigned};

fn vn() -> World {
    unsigned("vn.zone", "vn.")
}

fn header(request: &[u8], transport: Transport) -> Option<Vec<u8>> {
    vn().send(request, transport)
}

/// §4.1.1: id, opcode and RD are copied, QR is set, RA is not offered.
#[test]
fn the_header_is_echoed_as_it_should_be() {
    for flags in [0u16, 0x0100, 0x0010, 0x0020, 0x0040, 0x0080, 0x0200, 0x0400, 0x07ff] {
        let mut request = Question::parse("www.vn. A").to_wire();
        request[2..4].copy_from_slice(&flags.to_be_bytes());
        let reply = header(&request, Transport::Udp).expect("a reply");
        let expected = 0x8400 | flags & 0x0100;
        assert_eq!(u16::from_be_bytes([reply[2], reply[3]]), expected, "flags {flags:04x}");
    }
}

#[test]
fn responses_and_fragments_of_a_header_get_no_answer() {
    let request = Question::parse("www.vn. A").to_wire();
    let mut response = request.clone();
    response[2] |= 0x80;
    assert_eq!(header(&response, Transport::Udp), None);
    for len in 0..12 {
        assert_eq!(header(&request[..len], Transport::Udp), None, "{len} octets");
    }
}

#[test]
fn a_cut_question_is_a_format_error() {
    let request = Question::parse("www.vn. A").to_wire();
    for len in 12..request.len() {
        let reply = header(&request[..len], Transport::Udp).expect("a reply");
        assert_eq!((reply.len(), reply[3] & 15), (12, 1), "{len} octets");
    }
    let mut more = request;
    more.push(0);
    assert_eq!(header(&more, Transport::Udp).expect("a reply")[3] & 15, 1, "an octet too many");
}

#[test]
fn names_that_are_none_are_format_errors() {
    for name in [&b"\xc0\x0c"[..], b"\x40abc\0", b"\x80\0", b"\x03www\xc0\x0c", b"\x3fshort\0"] {
        let mut request = vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        request.extend(name);
        request.extend([0, 1, 0, 1]);
        let reply = header(&request, Transport::Udp).expect("a reply");
        assert_eq!(reply[3] & 15, 1, "{name:?}");
    }
}

/// §4.1.1: opcodes that nobody carries out.
#[test]
fn unknown_opcodes_are_not_implemented() {
    for opcode in (1..16u8).filter(|opcode| ![4, 5].contains(opcode)) {
        let mut request = Question::parse("vn. SOA").to_wire();
        request[2] = opcode << 3;
        let reply = header(&request, Transport::Udp).expect("a reply");
        assert_eq!((reply[2], reply[3] & 15), (0x80 | opcode << 3, 4), "opcode {opcode}");
    }
}

/// NOTIFY (RFC 1996 §3.11) and UPDATE (RFC 2136 §3.1.2): nobody may, and NOTAUTH where the zone is not ours.
#[test]
fn notify_and_update_are_refused() {
    for (opcode, question, rcode) in
        [(4, "vn. SOA", 5), (4, "www.vn. SOA", 9), (4, "example. SOA", 9), (5, "vn. SOA", 5), (5, "com.vn. SOA", 9), (5, "example. SOA", 9)]
    {
        let mut request = Question::parse(question).to_wire();
        request[2] = opcode << 3;
        let reply = header(&request, Transport::Tcp).expect("a reply");
        assert_eq!((reply[2] >> 3 & 15, reply[3] & 15), (opcode, rcode), "opcode {opcode} {question}");
    }
}

/// RFC 5936 §2.2.1 and RFC 1995 §4: nobody may transfer.
#[test]
fn transfers_are_refused() {
    for question in ["vn. AXFR", "vn. IXFR", "vn. AXFR tcp", "vn. IXFR tcp"] {
        vn().check(question, "REFUSED");
    }
    vn().check("www.vn. AXFR tcp", "NOTAUTH");
    vn().check("example. AXFR tcp", "NOTAUTH");
}

/// §3.2.5: a class that we do not serve.
#[test]
fn other_classes_are_refused() {
    for class in [0, 2, 4, 254, 255, 65535] {
        vn().check(&format!("www.vn. A class={class}"), "REFUSED");
    }
}

/// §2.3.4 and §4.2.1: 512 octets over UDP, the rest by TCP; a message that is cut says so.
#[test]
fn over_udp_512_octets_are_the_limit() {
    let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\n".to_owned();
    for i in 0..40 {
        text += &format!("many 60 A 192.0.2.{i}\n");
    }
    let world = World::new().with("big.", scan(text.as_bytes(), "big", "big."));
    world.check("many.big. A", "NOERROR aa tc");
    let whole = world.ask("many.big. A tcp");
    assert_eq!((whole.truncated, whole.answer.len()), (false, 40));
    assert_eq!(world.ask("many.big. A size=700").answer.len(), 40);
}

/// §2.3.4: names of 255 octets, labels of 63.
#[test]
fn the_longest_names_are_answered() {
    let label = "l".repeat(63);
    let long = format!("{label}.{label}.{label}.{}.vn.", "m".repeat(58));
    assert_eq!(Question::parse(&format!("{long} A")).name.as_ref().as_wire().len(), 255);
    vn().check(&format!("{long} A"), "NXDOMAIN aa auth: vn. SOA a.dns.vn. hostmaster.dns.vn. 2026112201 1800 600 1209600 900");
    let many = format!("{}vn.", "a.".repeat(125));
    assert_eq!(vn().ask(&format!("{many} A")).rcode, 3);
    let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\n".to_owned();
    text += &format!("{long} 60 A 192.0.2.1\n{many} 60 TXT deep\nalias 60 CNAME {long}\n");
    let world = World::new().with("vn.", scan(text.as_bytes(), "long", "vn."));
    world.check(&format!("{long} A"), &format!("NOERROR aa answer: {long} A 192.0.2.1"));
    world.check(&format!("{many} TXT"), &format!("NOERROR aa answer: {many} TXT \"deep\""));
    world.check("alias.vn. A", &format!("NOERROR aa answer: alias.vn. CNAME {long} | {long} A 192.0.2.1"));
}

/// Names of 127 labels, the most there are.
#[test]
fn names_of_127_labels_are_answered() {
    let apex = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a\n";
    let name = format!("{}.", vec!["a"; 127].join("."));
    let world = World::new().with(".", scan(format!("{apex}{name} 60 A 192.0.2.1\n").as_bytes(), "deep", "."));
    world.check(&format!("{name} A"), &format!("NOERROR aa answer: {name} A 192.0.2.1"));
    assert_eq!(world.ask(&format!("{} A", &name[2..])).rcode, 0, "an empty non-terminal");
}

/// The answer follows [`MAX_HOPS`] aliases and leaves the rest to the resolver.
#[test]
fn long_chains_of_aliases_are_cut_at_the_bound() {
    let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\nend 60 A 192.0.2.1\n".to_owned();
    for i in 1..MAX_HOPS + 3 {
        let to = if i == 1 { "end".to_owned() } else { format!("c{}", i - 1) };
        text += &format!("c{i} 60 CNAME {to}\n");
    }
    let world = World::new().with("vn.", scan(text.as_bytes(), "chain", "vn."));
    for hops in 1..MAX_HOPS + 3 {
        let reply = world.ask(&format!("c{hops}.vn. A tcp"));
        let expected = if hops < MAX_HOPS { hops + 1 } else { MAX_HOPS };
        assert_eq!((reply.rcode, reply.answer.len()), (0, expected), "{hops} aliases");
    }
}

/// §4.1.4: pointers reach 16 KiB; what stands further on is written in full, and decodes.
#[test]
fn messages_of_more_than_16_kib_decode() {
    let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\nbig 60 CNAME big2\n".to_owned();
    for i in 0..900 {
        text += &format!("big2 60 MX {i} host-{i}.mail.big\n");
        text += &format!("wide 60 NS host-{i}.of-a-rather-long-name.wide\nwide 60 NS host-{i}.elsewhere.example.\n");
    }
    for i in 0..16 {
        text += &format!("host-{i}.mail.big 60 A 192.0.2.{i}\nhost-{i}.of-a-rather-long-name.wide 60 A 198.51.100.{i}\n");
    }
    for i in 0..200 {
        text += &format!("text 60 TXT {i}{}\n", "x".repeat(240));
    }
    let world = World::new().with("vn.", scan(text.as_bytes(), "big", "vn."));
    let reply = world.ask("big.vn. MX tcp");
    assert_eq!((reply.answer.len(), reply.truncated, reply.bytes.len() > 16_384), (901, false, true));
    assert_eq!(reply.additional.iter().map(|rr| rr.owner.to_string()).collect::<Vec<_>>()[15], "host-15.mail.big.vn.");
    let reply = world.ask("text.vn. TXT tcp");
    assert_eq!((reply.answer.len(), reply.truncated, reply.bytes.len() > 50_000), (200, false, true));
    let reply = world.ask("x.wide.vn. A tcp");
    assert_eq!((reply.authority.len(), reply.truncated), (1800, false), "{} octets", reply.bytes.len());
    for rr in &reply.additional {
        assert!(rr.owner.to_string().ends_with(".of-a-rather-long-name.wide.vn."), "{}", rr.owner);
    }
    assert_eq!(reply.additional.len(), 16);
}

/// A set that fills a message to its last octets, and one that no message can carry.
#[test]
fn a_set_of_64_kib_is_answered_whole_or_marked() {
    let world = |n: usize, last: usize| {
        let mut text = "@ 60 SOA a b 1 1 1 1 1\n@ 60 NS a.elsewhere.example.\n".to_owned();
        for i in 0..n {
            text += &format!("big 60 TYPE65280 \\# 1000 {:08x}{}\n", i, "00".repeat(996));
        }
        text += &format!("big 60 TYPE65280 \\# {last} {}\n", "ff".repeat(last));
        World::new().with("vn.", scan(text.as_bytes(), "big", "vn."))
    };
    // Header 12, question 12; each record 12 and its data.
    let room = 65_535 - 24 - 64 * 1012 - 12;
    let reply = world(64, room).ask("big.vn. TYPE65280 tcp");
    assert_eq!((reply.answer.len(), reply.truncated, reply.bytes.len()), (65, false, 65_535));
    let reply = world(64, room + 1).ask("big.vn. TYPE65280 tcp");
    assert_eq!((reply.answer.len(), reply.truncated), (0, true));
    let reply = world(64, room - 11).ask("big.vn. TYPE65280 tcp edns");
    assert_eq!((reply.answer.len(), reply.truncated), (0, true), "OPT needs its room");
    let reply = world(64, room - 17).ask("big.vn. TYPE65280 tcp edns");
    assert_eq!((reply.answer.len(), reply.truncated), (65, false));
}

/// A reply has nothing of what was in the buffer before.
#[test]
fn two_buffers_give_one_reply() {
    let world = vn();
    let request = Question::parse("www.secure.vn. A do").to_wire();
    let reply = world.send(&request, Transport::Udp).expect("a reply");
    let mut buffer = vec![0; 65_535];
    let meta = saola::answer::Meta { transport: Transport::Udp, client: world.client };
    let saola::answer::Outcome::Reply { len, rcode, qtype } =
        saola::answer::respond(&world.zones, &world.face, crate::ask::NOW, &meta, &request, &mut buffer)
    else {
        panic!("no reply")
    };
    assert_eq!((&buffer[..len], rcode, qtype), (&reply[..], 0, 1));
    assert!(buffer[len..].iter().all(|octet| *octet == 0), "what is past the reply stays as it was");
    assert!(Reply::decode(&reply).is_ok());
}

/// A chain that goes on past 16 KiB: owners and targets are written in full there, and what follows is found all the same.
#[test]
fn chains_of_more_than_16_kib_decode() {
    let mut text = "@ 60 SOA ns.elsewhere.example. h.elsewhere.example. 1 1 1 1 1\n@ 60 NS ns.elsewhere.example.\n".to_owned();
    let signature = "A".repeat(1200);
    let mut link = |owner: &str, to: &str, rtype: &str| {
        text += &format!("{owner} 60 {rtype} {to}\n");
        for tag in 0..2 {
            text += &format!("{owner} 60 RRSIG {rtype} 8 2 60 20400101000000 20200101000000 {tag} vn. {signature}\n");
        }
    };
    for i in 0..15 {
        link(&format!("c{i}"), &format!("c{}", i + 1), "CNAME");
    }
    for (name, to) in [("cut", "x.below"), ("dname", "x.renamed"), ("end", "www"), ("none", "nosuch"), ("mx", "mail")] {
        link(&format!("c0.{name}"), &format!("c1.{name}"), "CNAME");
        for i in 1..11 {
            link(&format!("c{i}.{name}"), &format!("c{}.{name}", i + 1), "CNAME");
        }
        link(&format!("c11.{name}"), to, "CNAME");
    }
    link("renamed", "other", "DNAME");
    text += "below 60 NS ns.below\nbelow 60 NS ns2.below\nns.below 60 A 192.0.2.1\nns2.below 60 AAAA 2001:db8::2\n";
    text += "www 60 A 192.0.2.3\nx.other 60 A 192.0.2.4\nmail 60 MX 1 www\n";
    let world = World::new().with("vn.", scan(text.as_bytes(), "long", "vn."));
    for (question, n_answers, expected) in [
        ("c0.end.vn. A", 12 * 3 + 1, "answer www.vn. A"),
        ("c0.dname.vn. A", 12 * 3 + 3 + 2, "answer x.other.vn. A"),
        ("c0.none.vn. A", 12 * 3, "authority vn. SOA"),
        ("c0.cut.vn. A", 12 * 3, "additional ns2.below.vn. AAAA"),
        ("c0.mx.vn. MX", 12 * 3 + 1, "answer mail.vn. MX"),
    ] {
        let reply = world.ask(&format!("{question} do tcp"));
        assert!(reply.bytes.len() > 16_384, "{question}: {}", reply.bytes.len());
        assert_eq!((reply.answer.len(), reply.truncated), (n_answers, false), "{question}");
        let last = [("answer", &reply.answer), ("authority", &reply.authority), ("additional", &reply.additional)]
            .into_iter()
            .filter_map(|(section, rrs)| rrs.last().map(|rr| format!("{section} {} {}", rr.owner, rr.rtype)))
            .collect::<Vec<_>>();
        assert!(last.iter().any(|last| last == expected), "{question}: {last:?}");
        let mut at = question.split(' ').next().expect("a name").to_owned();
        for cname in reply.answer.iter().filter(|rr| rr.rtype == saola::dns::Rtype::CNAME) {
            assert_eq!(cname.owner.to_string(), at, "{question}: the chain hangs together");
            at = saola::dns::Name::from_wire(&cname.rdata).expect("a name").to_string();
        }
    }
    let reply = world.ask("c0.cut.vn. A do tcp");
    assert_eq!(reply.additional.iter().map(|rr| rr.owner.to_string()).collect::<Vec<_>>(), ["ns.below.vn.", "ns2.below.vn."]);
    assert_eq!(world.ask("c0.vn. A do tcp").answer.len(), 15 * 3);
}
