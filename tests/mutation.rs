//! Bytes from outside never panic: seeded mutations of good input go through every door. The seed is printed when a case fails.
//!
//! `fuzz/` has the same doors for coverage-guided runs of any length; this runs a fixed number in CI, so it always ends.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};

use saola::answer::{Face, Meta, Outcome, Transport, respond};
use saola::dns::UnixTime;
use saola::zone::ZoneSet;

/// Cases per door; SAOLA_MUTATIONS overrides it, SAOLA_SEED the first seed.
const N_CASES: u64 = 20_000;

/// Runs `door` on mutations of `seeds`; each case has its own seed, so that one can be run again alone.
#[track_caller]
fn check(name: &str, seeds: &[&[u8]], mut door: impl FnMut(&[u8])) {
    let number = |key: &str, default: u64| std::env::var(key).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let first = number("SAOLA_SEED", 1);
    for seed in first..first + number("SAOLA_MUTATIONS", N_CASES) {
        let mut random = fastrand::Rng::with_seed(seed);
        let input = mutate(seeds[random.usize(..seeds.len())], &mut random);
        let result = catch_unwind(AssertUnwindSafe(|| door(&input)));
        assert!(result.is_ok(), "{name}: SAOLA_SEED={seed} SAOLA_MUTATIONS=1 shows it; input {}", data_encoding::HEXLOWER.encode(&input));
    }
}

/// One to four changes of the kinds that break parsers: flipped bits, telling octets, cuts, repeats, foreign pieces.
fn mutate(good: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    const TELLING: &[u8] = &[0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff, b'\\', b'"', b'(', b'\n', b',', b';', b'$', b'@'];
    let mut out = good.to_vec();
    for _ in 0..random.usize(1..5) {
        if out.is_empty() {
            out.push(random.u8(..));
        }
        let at = random.usize(..out.len());
        let to = random.usize(at..out.len().min(at + 40)) + 1;
        match random.u8(..8) {
            0 => out[at] ^= 1 << random.u8(..8),
            1 => out[at] = TELLING[random.usize(..TELLING.len())],
            2 => drop(out.drain(at..to)),
            3 => out.insert(at, random.u8(..)),
            4 => {
                let piece = out[at..to].to_vec();
                out.splice(at..at, piece);
            }
            5 => out.truncate(at),
            6 => out.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1]),
            _ => {
                let from = random.usize(..out.len());
                out.swap(from, at);
            }
        }
    }
    out
}

#[test]
fn a_request_never_panics_and_its_reply_is_a_reply() {
    let face = Face {
        identity: b"a1".to_vec(),
        hostname: b"host".to_vec(),
        version: b"1".to_vec(),
        cookie_secrets: vec![[7; 16]],
        report_channel: b"\x06report\x07example\0".to_vec(),
        ..Face::default()
    };
    let zones = ZoneSet::new();
    let question = |flags: u16, name: &[u8], rest: &[u8]| {
        let mut out = vec![0x12, 0x34];
        out.extend(flags.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(!rest.is_empty())]);
        out.extend(name);
        out.extend([0, 1, 0, 1]);
        out.extend(rest);
        out
    };
    let opt = |options: &[u8]| [&[0, 0, 41, 4, 208, 0, 0, 128, 0, 0, u8::try_from(options.len()).expect("short")], options].concat();
    let seeds = [
        question(0x0100, b"\x03www\x02vn\0", b""),
        question(0, b"\x02vn\0", &opt(b"")),
        question(0, b"\x01*\x04wild\x02vn\0", &opt(b"\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\x03\0\0")),
        question(0x2000, b"\x02vn\0", b""),
        question(0, b"\x02id\x06server\0", &opt(b"\0\x0b\0\0\0\x0c\0\x04\0\0\0\0")),
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let mut buffer = vec![0; 65_535];
    check("answer::respond", &seeds, |request| {
        let transport = if request.len() % 2 == 0 { Transport::Udp } else { Transport::Tcp };
        let meta = Meta { transport, client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let Outcome::Reply { len, .. } = respond(&zones, &face, UnixTime(1_800_000_000), &meta, request, &mut buffer) else { return };
        assert!((12..=65_535).contains(&len), "{len} octets");
        assert_eq!(buffer[..2], request[..2], "the id is the request's");
        assert_eq!(request[2] & 0x80, 0, "a response is never answered");
        assert_ne!(buffer[2] & 0x80, 0, "QR is set");
        assert!(transport == Transport::Tcp || len <= 1232, "{len} octets over UDP");
    });
}
