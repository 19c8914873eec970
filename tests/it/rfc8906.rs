//! RFC 8906 §8: the questions that test whether a server speaks, asked of ours.

use saola::answer::Transport;

use crate::ask::{Question, World, unsigned};

fn world() -> World {
    unsigned("vn.zone", "vn.")
}

/// §8.1.1 and §8.1.2: SOA, and a type that nobody knows.
#[test]
fn plain_questions() {
    let reply = world().ask("vn. SOA");
    assert_eq!((reply.rcode, reply.authoritative, reply.answer.len(), reply.opt.is_none()), (0, true, 1, true));
    let reply = world().ask("vn. TYPE1000");
    assert_eq!((reply.rcode, reply.authoritative, reply.answer.len()), (0, true, 0));
}

/// §8.1.3: header bits that mean nothing here, one by one and together.
#[test]
fn header_bits() {
    for question in ["vn. SOA cd", "vn. SOA ad", "vn. SOA rd", "vn. SOA rd ad cd"] {
        assert_eq!(world().ask(question).answer.len(), 1, "{question}");
    }
    let mut request = Question::parse("vn. SOA").to_wire();
    request[3] = 0x40;
    let reply = world().send(&request, Transport::Udp).expect("a reply");
    assert_eq!((reply[3] & 0x4f, reply[7]), (0, 1), "the reserved bit is ignored and clear");
}

/// §8.1.4 and §8.1.5: an unknown opcode, with nothing else in the message.
#[test]
fn an_unknown_opcode() {
    let reply = world().send(&[9, 9, 15 << 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], Transport::Udp).expect("a reply");
    assert_eq!(reply, [9, 9, 0x80 | 15 << 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// §8.1.6: TCP.
#[test]
fn over_tcp() {
    assert_eq!(world().ask("vn. SOA tcp").answer.len(), 1);
}

/// §8.2: plain EDNS, version 1, an option, a flag, each, and together; DO; a small buffer; opcode with EDNS.
#[test]
fn edns() {
    let world = world();
    for (question, rcode, answers) in [
        ("vn. SOA edns", 0, 1),
        ("vn. SOA version=1", 16, 0),
        ("vn. SOA option=100:", 0, 1),
        ("vn. SOA flags=0040", 0, 1),
        ("vn. SOA version=1 flags=0040", 16, 0),
        ("vn. SOA version=1 option=100:", 16, 0),
        ("vn. SOA option=100: flags=0040", 0, 1),
        ("vn. SOA version=1 option=100: flags=0040", 16, 0),
        ("vn. SOA do", 0, 1),
        ("vn. SOA do size=512", 0, 1),
        ("vn. SOA option=3: option=8:00010000 option=9: option=10:0102030405060708", 0, 1),
        ("vn. SOA tcp edns", 0, 1),
    ] {
        let reply = world.ask(question);
        assert_eq!((reply.rcode, reply.answer.len()), (rcode, answers), "{question}");
        let opt = reply.opt.expect("OPT");
        assert_eq!((opt.version, opt.other_flags), (0, 0), "{question}");
        assert!(opt.options.iter().all(|(code, _)| *code != 100), "{question}: not echoed");
    }
}
