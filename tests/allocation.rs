//! `respond` allocates nothing: a global allocator that counts sees every kind of answer go by.
//!
//! A program of its own, because it has one allocator for all that runs in it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use saola::answer::{Face, Meta, Outcome, Transport, respond};
use saola::dns::{Name, UnixTime, master};
use saola::sign::{self, Denial, Key, Policy, ZoneKeys};
use saola::zone::{Zone, ZoneSet};

/// Counts what this thread asks for.
struct Counting;

thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });

// SAFETY: every call goes to `System` as it came; the counter has no destructor and is not allocated.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn zones(denial: Option<Denial>) -> ZoneSet {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/zones/vn.zone");
    let text = std::fs::read(path).expect("the zone");
    let apex = Name::parse("vn.").expect("a name");
    let mut records =
        master::scan(&text, "vn.zone", &master::Options::new(apex.as_ref()), &mut |_, _| Err(String::new())).expect("a good zone");
    records.sort();
    if let Some(denial) = denial {
        let policy = Policy { denial, csk: true, ..Policy::default() };
        let key = Key::generate(apex.as_ref(), policy.algorithm, 257, None).expect("a key");
        let keys = ZoneKeys::new(vec![key], true, NOW).expect("one key signs everything");
        records = sign::sign(records, apex.as_ref(), &keys, &policy, NOW, 1).expect("a good zone");
    }
    let mut zones = ZoneSet::new();
    zones.insert(Arc::new(Zone::build(apex.as_ref(), records).expect("a good zone")));
    zones
}

fn request(name: &str, rtype: u16, class: u8, options: Option<&[u8]>) -> Vec<u8> {
    let mut request = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())];
    request.extend(Name::parse(name).expect("a name").as_ref().as_wire());
    request.extend(rtype.to_be_bytes());
    request.extend([0, class]);
    if let Some(options) = options {
        request.extend([0, 0, 41, 4, 208, 0, 0, 128, 0, 0, options.len() as u8]);
        request.extend(options);
    }
    request
}

#[test]
fn no_answer_allocates() {
    let face = Face {
        identity: b"a1.han".to_vec(),
        hostname: b"host".to_vec(),
        version: b"1".to_vec(),
        cookie_secrets: vec![[7; 16]],
        report_channel: b"\x06report\x02vn\0".to_vec(),
        ..Face::default()
    };
    let options = b"\0\x03\0\0\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\x0b\0\0\0\x09\0\0\0\x13\0\0";
    let names = [
        "vn.",
        "www.vn.",
        "nosuch.vn.",
        "a.b.c.nosuch.vn.",
        "secure.vn.",
        "x.secure.vn.",
        "x.insecure.vn.",
        "x.i1.hollow.vn.",
        "q.hollow.vn.",
        "hollow.vn.",
        "w.vn.",
        "q.wild.vn.",
        "c1.vn.",
        "cwild2.vn.",
        "cmissing.vn.",
        "ccut.vn.",
        "loop1.vn.",
        "x.d.vn.",
        "x.dd.vn.",
        "x.dloop1.vn.",
        "y.dgrow.vn.",
        "mail.vn.",
        "q.wcut.vn.",
        "q.went.vn.",
        "com.vn.",
        "example.",
        "id.server.",
        "unknown.vn.",
        "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.dmissing.vn.",
    ];
    let mut requests = Vec::new();
    for name in names {
        for rtype in [1, 2, 6, 15, 16, 43, 46, 47, 48, 50, 252, 255, 65280] {
            for class in [1, 3] {
                requests.push(request(name, rtype, class, None));
                requests.push(request(name, rtype, class, Some(options)));
            }
        }
    }
    // What is not a question: cut, changed, signed with TSIG, other opcodes.
    let good = request("www.vn.", 1, 1, Some(options));
    requests.extend((0..good.len()).map(|len| good[..len].to_vec()));
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x55;
        requests.push(changed);
    }
    let mut tsig = request("vn.", 252, 1, None);
    tsig[11] = 1;
    tsig.extend(b"\x03xfr\0\0\xfa\0\xff\0\0\0\0\0\x1d\x0bhmac-sha256\0\0\0\x6b\x49\xd2\0\x01\x2c\0\0\x12\x34\0\0\0\0");
    requests.push(tsig);
    let mut buffer = vec![0; 65_535];
    let client = "2001:db8::53".parse().expect("an address");
    for denial in [None, Some(Denial::Nsec), Some(Denial::NSEC3), Some(Denial::NSEC3_OPT_OUT)] {
        let zones = zones(denial);
        for request in &requests {
            for transport in [Transport::Udp, Transport::Tcp] {
                let before = ALLOCATIONS.get();
                let outcome = respond(&zones, &face, NOW, &Meta { transport, client }, request, &mut buffer);
                let n = ALLOCATIONS.get() - before;
                assert_eq!(n, 0, "{outcome:?} for {}", data_encoding::HEXLOWER.encode(request));
                assert!(matches!(outcome, Outcome::Reply { .. } | Outcome::Dropped));
            }
        }
    }
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0u8; 100]));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");
}
