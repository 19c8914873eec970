//! One answer, from request octets to reply octets, by the kinds that a top-level domain is asked for.
//!
//! `cargo bench --bench answer` on a zone of 700,000 delegations (SAOLA_BENCH_NAMES for another number). Questions go round in an
//! order that no cache can foresee, as those of the world do; the time of one is what the whole answer costs, cache misses included.

#![allow(missing_docs)] // criterion's macro makes a public function

mod tld;

use std::hint::black_box;
use std::iter::repeat;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use saola::answer::{Face, Meta, Outcome, Prepared, Transport, respond_to, warm};
use saola::dns::{Name, Rtype};
use saola::sign::Denial;
use saola::zone::ZoneSet;
use tld::{NOW, Shape, question};

/// The most questions of one kind: enough that their nodes fill no cache.
const QUESTIONS: usize = 200_000;

fn bench(criterion: &mut Criterion) {
    let names = std::env::var("SAOLA_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(700_000);
    let tld = tld::make(Shape::like_vn(names));
    let ask = |names: &[Name], rtype| names.iter().take(QUESTIONS).map(|name| question(name, rtype)).collect::<Vec<_>>();
    let apex = [Name::parse("vn.").expect("a name")];
    let mix: Vec<_> = (tld.insecure.iter().take(QUESTIONS).zip(&tld.missing).zip(tld.secure.iter().cycle()).enumerate())
        .map(|(i, ((insecure, missing), secure))| match i % 20 {
            0 => question(&apex[0], Rtype::DNSKEY),
            1..=6 => question(missing, Rtype::A),
            7 => question(secure, Rtype::A),
            _ => question(insecure, Rtype::A),
        })
        .collect();
    let serve = |denial| {
        let mut zones = ZoneSet::new();
        zones.insert(Arc::new(tld::serve(tld.records.clone(), denial)));
        zones
    };
    let mut group = criterion.benchmark_group("answer");
    let zones = serve(Denial::NSEC3_OPT_OUT);
    measure::<1>(&mut group, "referral_insecure", &zones, &ask(&tld.insecure, Rtype::A));
    measure::<1>(&mut group, "referral_signed", &zones, &ask(&tld.secure, Rtype::A));
    measure::<1>(&mut group, "nxdomain_optout", &zones, &ask(&tld.missing, Rtype::A));
    measure::<1>(&mut group, "apex_dnskey", &zones, &ask(&apex, Rtype::DNSKEY));
    measure::<1>(&mut group, "mix", &zones, &mix);
    measure::<16>(&mut group, "mix_in_groups_of_16", &zones, &mix);
    drop(zones);
    measure::<1>(&mut group, "nxdomain_nsec3", &serve(Denial::NSEC3), &ask(&tld.missing, Rtype::A));
}

/// Answers in groups of N; from two on as a worker does it: it reads a group, brings near what it needs, and answers.
fn measure<const N: usize>(group: &mut BenchmarkGroup<'_, WallTime>, case: &str, zones: &ZoneSet, questions: &[Vec<u8>]) {
    // One behind the other, as the kernel hands them over: to find them costs nothing.
    let (octets, ends) = line_up(questions);
    let face = Face::default();
    let meta = Meta { transport: Transport::Udp, client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let mut buffer = vec![0; 65_535];
    let mut next = repeat(&ends).flatten().map(|(from, to)| &octets[*from..*to]);
    let mut prepared = [const { Prepared::unread() }; N];
    group.throughput(Throughput::Elements(N as u64));
    group.bench_function(case, |bencher| {
        bencher.iter(|| {
            for prepared in &mut prepared {
                prepared.read(next.next().expect("a circle"));
            }
            if N > 1 {
                warm(zones, prepared.iter_mut());
            }
            for prepared in &prepared {
                let outcome = respond_to(zones, &face, NOW, &meta, prepared, black_box(&mut buffer));
                assert!(matches!(outcome, Outcome::Reply { .. }));
            }
        });
    });
}

fn line_up(questions: &[Vec<u8>]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut octets = Vec::new();
    let mut place = |question: &Vec<u8>| {
        let from = octets.len();
        octets.extend_from_slice(question);
        (from, octets.len())
    };
    let places = questions.iter().map(&mut place).collect();
    (octets, places)
}

criterion_group!(benches, bench);
criterion_main!(benches);
