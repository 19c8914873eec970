//! RFC 7314: EXPIRE.

use std::collections::BTreeMap;

use saola::answer::Transport;
use saola::dns::rdata::Soa;
use saola::dns::{Name, UnixTime};
use saola::transfer::access::{Allow, Demand, Prefix};

use crate::ask::{NOW, Question, Reply, unsigned};

/// §2: a primary gives the SOA's expire value for a SOA question that asks for it.
#[test]
fn expire_is_given_with_the_soa() {
    let world = unsigned("vn.zone", "vn.");
    assert_eq!(world.ask("vn. SOA option=9:").option(9), Some(&1_209_600u32.to_be_bytes()[..]));
    assert_eq!(world.ask("VN. SOA option=9:").option(9), Some(&1_209_600u32.to_be_bytes()[..]));
    assert_eq!(world.ask("vn. SOA edns").option(9), None, "not asked for");
    for question in ["www.vn. A", "www.vn. SOA", "nosuch.vn. SOA", "vn. NS", "example. SOA", "com.vn. SOA"] {
        assert_eq!(world.ask(&format!("{question} option=9:")).option(9), None, "{question}");
    }
}

/// §3.1: with transfers as well. Here the answer that there is no news.
#[test]
fn expire_is_given_with_changes() {
    let mut world = unsigned("vn.zone", "vn.");
    world.access.others = vec![Allow { prefix: Prefix::parse("0.0.0.0/0").expect("a prefix"), key: None, tls: Demand::None }];
    let name = |text| Name::parse(text).expect("a name");
    let soa = Soa { mname: name("."), rname: name("."), serial: 4_000_000_000, refresh: 1, retry: 1, expire: 1, minimum: 1 }.to_rdata();
    // The SOA that the client has goes in front of the OPT record.
    let mut request = Question::parse("vn. IXFR option=9:").to_wire();
    let opt = request.split_off(12 + 4 + 4);
    request[9] = 1;
    request.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, soa.len() as u8]);
    request.extend(soa.into_iter().chain(opt));
    let reply = Reply::decode(&world.send(&request, Transport::Tcp).expect("an answer")).expect("decodes");
    assert_eq!((reply.rcode, reply.answer.len()), (0, 1));
    assert_eq!(reply.option(9), Some(&1_209_600u32.to_be_bytes()[..]));
}

/// §3.2: a secondary tells what is left, and never more than the SOA says.
#[test]
fn a_secondary_tells_what_is_left() {
    let world = unsigned("vn.zone", "vn.");
    let apex = Name::parse("vn").expect("a name");
    for (until, told) in [(NOW.0 + 77, 77), (NOW.0, 0), (NOW.0 - 5, 0), (NOW.0 + 1_209_601, 1_209_600), (u64::MAX, 1_209_600)] {
        world.face.expiry.set(&apex, UnixTime(until));
        assert_eq!(world.ask("vn. SOA option=9:").option(9), Some(&u32::to_be_bytes(told)[..]));
    }
    // Another zone is another matter.
    world.face.expiry.replace(BTreeMap::from([(Name::parse("com.vn").expect("a name"), NOW)]));
    assert_eq!(world.ask("vn. SOA option=9:").option(9), Some(&1_209_600u32.to_be_bytes()[..]));
}
