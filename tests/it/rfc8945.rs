//! RFC 8945: a request that is signed with a key that nobody here knows.

use saola::answer::Transport;

use crate::ask::{Question, World, unsigned};

fn world() -> World {
    unsigned("vn.zone", "vn.")
}

/// A TSIG record; its name, class and the octets that follow the RDATA's algorithm may be chosen.
fn tsig(class: u8, mac_len: u16, mac: &[u8]) -> Vec<u8> {
    let mut rdata = b"\x0bhmac-sha256\0".to_vec();
    rdata.extend([0, 0, 0x6b, 0x49, 0xd2, 0, 0x01, 0x2c]);
    rdata.extend(mac_len.to_be_bytes());
    rdata.extend(mac);
    rdata.extend([0x12, 0x34, 0, 0, 0, 0]);
    let mut record = b"\x03xfr\0\0\xfa\0".to_vec();
    record.push(class);
    record.extend([0, 0, 0, 0]);
    record.extend((rdata.len() as u16).to_be_bytes());
    record.extend(rdata);
    record
}

fn request(question: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let mut request = Question::parse(question).to_wire();
    request[11] += records.len() as u8;
    records.iter().for_each(|record| request.extend(record));
    request
}

/// §5.2.1 and §5.3.2: NOTAUTH, and an unsigned TSIG with BADKEY, the request's time and the answer's id; no data.
#[test]
fn an_unknown_key_is_refused_with_badkey() {
    for question in ["vn. AXFR", "www.vn. A", "vn. SOA", "example. A", "vn. AXFR tcp"] {
        let mac = [5; 32];
        let request = request(question, &[tsig(255, 32, &mac)]);
        let reply = world().send(&request, Transport::Tcp).expect("a reply");
        let asked = Question::parse(question).to_wire().len();
        assert_eq!((reply[3] & 15, &reply[4..12]), (9, &[0, 1, 0, 0, 0, 0, 0, 1][..]), "{question}");
        let mut expected = b"\x03xfr\0\0\xfa\0\xff\0\0\0\0\0\x1d\x0bhmac-sha256\0".to_vec();
        expected.extend([0, 0, 0x6b, 0x49, 0xd2, 0, 0x01, 0x2c, 0, 0, request[0], request[1], 0, 17, 0, 0]);
        assert_eq!(reply[asked..], expected, "{question}");
    }
}

/// §5.1: TSIG comes last, once, in the additional section, with class ANY and data that adds up.
#[test]
fn a_tsig_that_is_none_is_a_format_error() {
    let good = || tsig(255, 4, &[1, 2, 3, 4]);
    let a = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04".to_vec();
    for (records, what) in [
        (vec![good(), good()], "twice"),
        (vec![good(), a.clone()], "not the last"),
        (vec![tsig(1, 4, &[1, 2, 3, 4])], "class IN"),
        (vec![tsig(255, 5, &[1, 2, 3, 4])], "a MAC that is longer than it is"),
        (vec![tsig(255, 65535, &[1, 2, 3, 4])], "a MAC that is much longer than it is"),
    ] {
        let reply = world().send(&request("vn. SOA", &records), Transport::Tcp).expect("a reply");
        assert_eq!(reply[3] & 15, 1, "{what}");
    }
    let reply = world().send(&request("vn. SOA", &[a, good()]), Transport::Tcp).expect("a reply");
    assert_eq!(reply[3] & 15, 9, "it may follow other records");
}

/// OPT and TSIG together: both are answered, TSIG last.
#[test]
fn opt_stands_before_tsig() {
    let request = request("vn. SOA do", &[tsig(255, 0, &[])]);
    let reply = world().send(&request, Transport::Udp).expect("a reply");
    let asked = Question::parse("vn. SOA").to_wire().len();
    assert_eq!((reply[3] & 15, reply[11]), (9, 2));
    assert_eq!(reply[asked..asked + 3], [0, 0, 41]);
    assert_eq!(reply[asked + 11..asked + 16], *b"\x03xfr\0");
}

/// Over UDP the limit stands whatever the names are: a refusal that does not fit goes without its TSIG.
#[test]
fn a_refusal_keeps_within_the_limit() {
    let label = [b"\x3f".to_vec(), vec![b'k'; 63]].concat();
    let name = [label.repeat(3), b"\x3d".to_vec(), vec![b'k'; 61], vec![0]].concat();
    let mut record = name.clone();
    record.extend([0, 250, 0, 255, 0, 0, 0, 0]);
    record.extend((name.len() as u16 + 16).to_be_bytes());
    record.extend(&name);
    record.extend([0; 10]);
    record.extend([0x12, 0x34, 0, 0, 0, 0]);
    let question = format!("{}.vn. A", ["q".repeat(63), "q".repeat(63), "q".repeat(63), "q".repeat(58)].join("."));
    let request = request(&question, &[record]);
    let reply = world().send(&request, Transport::Udp).expect("a reply");
    assert_eq!((reply[3] & 15, reply[11]), (9, 0));
    assert!(reply.len() <= 512, "{} octets", reply.len());
    let reply = world().send(&request, Transport::Tcp).expect("a reply");
    assert_eq!((reply[3] & 15, reply[11]), (9, 1));
}
