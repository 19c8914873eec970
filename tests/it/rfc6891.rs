//! RFC 6891: EDNS.

use saola::answer::Transport;

use crate::ask::{Question, World, denials, signed, unsigned};

fn world() -> World {
    unsigned("vn.zone", "vn.")
}

/// §6.1.1: OPT is answered with OPT, and never without; errors too.
#[test]
fn opt_is_in_the_reply_when_it_is_in_the_request() {
    // `ask` checks it for each question, both ways.
    for question in ["www.vn. A", "nosuch.vn. A", "secure.vn. A", "example. A", "vn. AXFR", "www.vn. A class=4", "id.server. TXT class=3"] {
        for edns in ["", "edns", "do", "version=1", "option=65001:00"] {
            world().ask(&format!("{question} {edns}"));
        }
    }
}

/// §6.1.1: more than one OPT, or one that does not stand where it should, is a format error.
#[test]
fn a_second_opt_is_a_format_error() {
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let request = |counts: [u8; 3], records: &[&[u8]]| {
        let mut request = Question::parse("www.vn. A").to_wire();
        for (i, count) in counts.iter().enumerate() {
            request[7 + 2 * i] = *count;
        }
        records.iter().for_each(|record| request.extend(*record));
        request
    };
    let rcode = |request: &[u8]| world().send(request, Transport::Udp).expect("a reply")[3] & 15;
    assert_eq!(rcode(&request([0, 0, 1], &[opt])), 0);
    assert_eq!(rcode(&request([0, 0, 2], &[opt, opt])), 1);
    assert_eq!(rcode(&request([1, 0, 0], &[opt])), 1, "in the answer section");
    assert_eq!(rcode(&request([0, 1, 0], &[opt])), 1, "in the authority section");
    assert_eq!(rcode(&request([0, 0, 1], &[b"\x01a\0\0\x29\x04\xd0\0\0\0\0\0\0"])), 1, "its name is the root");
    assert_eq!(rcode(&request([0, 0, 1], &[&opt[..10]])), 1, "cut");
    assert_eq!(rcode(&request([0, 0, 2], &[opt])), 1, "counted and not there");
    let a = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04";
    assert_eq!(rcode(&request([0, 0, 2], &[a, opt])), 0, "it may stand after others");
    assert_eq!(rcode(&request([0, 0, 2], &[opt, a])), 0, "and before");
}

/// §6.1.2: options that are cut.
#[test]
fn options_that_do_not_add_up_are_a_format_error() {
    for options in [&b"\0"[..], b"\0\x03\0", b"\0\x03\0\x01", b"\xfd\xe8\0\x05abcd", b"\0\x03\0\0\0"] {
        let mut request = Question::parse("www.vn. A").to_wire();
        request[11] = 1;
        request.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0");
        request.push(options.len() as u8);
        request.extend(options);
        let reply = world().send(&request, Transport::Udp).expect("a reply");
        assert_eq!(reply[3] & 15, 1, "{options:?}");
        assert_eq!(reply[11], 1, "{options:?}: with OPT");
    }
}

/// §6.1.2: options that nobody knows are ignored and not echoed.
#[test]
fn unknown_options_are_ignored() {
    for question in [
        "www.vn. A option=65001:",
        "www.vn. A option=65001:00112233 option=100:",
        "www.vn. A option=8:00011800c00002",
        "www.vn. A option=12:0000",
    ] {
        let reply = world().ask(question);
        assert_eq!((reply.rcode, reply.answer.len()), (0, 1), "{question}");
        assert!(reply.opt.is_some_and(|opt| opt.options.is_empty()), "{question}");
    }
}

/// §6.1.3: a later version is BADVERS with the version that we have, whatever is asked, and no answer.
#[test]
fn later_versions_are_badvers() {
    for version in [1, 2, 100, 255] {
        for question in ["www.vn. A", "nosuch.vn. A", "example. A", "id.server. TXT class=3"] {
            let reply = world().ask(&format!("{question} version={version}"));
            assert_eq!((reply.rcode, reply.records().count(), reply.authoritative), (16, 0, false), "{question} {version}");
            assert_eq!(reply.opt.map(|opt| opt.version), Some(0));
        }
    }
}

/// §6.1.4: flags that nobody knows are ignored and clear in the reply.
#[test]
fn unknown_flags_are_ignored() {
    for flags in ["7fff", "4000", "0001", "ffff"] {
        let reply = world().ask(&format!("www.vn. A flags={flags}"));
        assert_eq!((reply.rcode, reply.answer.len()), (0, 1), "{flags}");
    }
}

/// §6.2.3: sizes below 512 mean 512.
#[test]
fn small_sizes_mean_512() {
    let world = signed("vn.zone", "vn.", &saola::sign::Denial::NSEC3);
    let reference = world.ask("nosuch.vn. A do size=512");
    for size in [0, 1, 11, 100, 511] {
        let reply = world.ask(&format!("nosuch.vn. A do size={size}"));
        assert_eq!(reply.bytes, reference.bytes, "{size}");
    }
}

/// §6.2.5: what we receive is told, and our own limit binds as well as the client's.
#[test]
fn no_datagram_is_larger_than_both_sides_allow() {
    for (_, denial) in denials() {
        let mut world = signed("vn.zone", "vn.", &denial);
        for own in [512, 900, 1232, 4096] {
            world.face.udp_limit = own;
            for size in [0, 512, 600, 1231, 1232, 1233, 4096, 65535] {
                for question in ["a.b.nosuch.vn. A", "vn. DNSKEY", "secure.vn. A", "cwild2.vn. A"] {
                    // `ask` checks the limit.
                    let reply = world.ask(&format!("{question} do size={size}"));
                    assert_eq!(reply.opt.map(|opt| opt.udp_size), Some(own));
                }
            }
        }
    }
}

/// §7: the OPT record is in truncated replies too.
#[test]
fn opt_is_kept_when_the_answer_is_cut() {
    let world = signed("vn.zone", "vn.", &saola::sign::Denial::NSEC3);
    let reply = world.ask("a.b.nosuch.vn. A do size=512");
    assert!(reply.truncated && reply.opt.is_some_and(|opt| opt.dnssec_ok));
}

/// §6.1.3: the upper bits of the RCODE are in OPT.
#[test]
fn the_rcode_has_its_upper_bits_in_opt() {
    let reply = world().ask("www.vn. A version=1");
    let opt = reply.bytes.len() - 11;
    assert_eq!((reply.bytes[3] & 15, reply.bytes[opt + 5]), (0, 1));
}
