//! Whole-zone signing and verification of a seeded zone of 100,000 delegations, 3 % with DS, as a registry has them.
//!
//! `cargo bench --bench sign`; throughput is delegations a second on all cores.

#![allow(missing_docs)] // criterion's macro makes a public function

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saola::dns::{Name, Records, Rtype, UnixTime};
use saola::sign::{Algorithm, Denial, Key, Policy, ZoneKeys, key, sign, verify};

const DELEGATIONS: usize = 100_000;
const NOW: UnixTime = UnixTime(1_795_305_600);

fn zone() -> Records {
    let mut rng = fastrand::Rng::with_seed(92);
    let name = |text: &str| Name::parse(text).expect("a name");
    let mut zone = Records::with_capacity(4 * DELEGATIONS);
    let mut push = |owner: &Name, rtype, rdata: &[u8]| zone.push(owner.as_ref(), rtype, 3600, rdata).expect("room");
    let apex = name("vn.");
    let soa = saola::dns::rdata::Soa {
        mname: name("a.dns-servers.vn."),
        rname: name("admin.vn."),
        serial: 1,
        refresh: 1800,
        retry: 600,
        expire: 1_209_600,
        minimum: 900,
    };
    push(&apex, Rtype::SOA, &soa.to_rdata());
    push(&apex, Rtype::NS, name("ns.example.").as_ref().as_wire());
    for i in 0..DELEGATIONS {
        let suffix = *rng.choice(["", "com.", "net.", "edu."].iter()).expect("some");
        let label: String = (0..rng.usize(4..14)).map(|_| rng.lowercase()).collect();
        let owner = name(&format!("{label}{i}.{suffix}vn."));
        let provider = rng.usize(..300);
        for n in 1..=rng.usize(2..=3) {
            push(&owner, Rtype::NS, name(&format!("ns{n}.provider{provider}.example.")).as_ref().as_wire());
        }
        if rng.u8(..100) < 3 {
            push(&owner, Rtype::DS, &[[0, 1, 13, 2].as_slice(), &[rng.u8(..); 32]].concat());
        }
    }
    zone.sort();
    zone
}

fn bench(criterion: &mut Criterion) {
    let apex = Name::parse("vn.").expect("a name");
    let keys = [key::ZONE | key::SEP, key::ZONE]
        .map(|flags| Key::generate(apex.as_ref(), Algorithm::EcdsaP256Sha256, flags, None).expect("a key"));
    let keys = ZoneKeys::new(keys.into(), false, NOW).expect("keys");
    let unsigned = zone();
    let mut group = criterion.benchmark_group("sign");
    group.sample_size(10).throughput(Throughput::Elements(DELEGATIONS as u64));
    for (case, denial) in [("full_100k", Denial::NSEC3_OPT_OUT), ("full_100k_nsec3", Denial::NSEC3)] {
        let policy = Policy { denial, ..Policy::default() };
        group.bench_function(case, |bencher| {
            bencher.iter_with_setup(|| unsigned.clone(), |zone| sign(zone, apex.as_ref(), &keys, &policy, NOW, 0).expect("signed"));
        });
    }
    let signed = sign(unsigned, apex.as_ref(), &keys, &Policy::default(), NOW, 0).expect("signed");
    group.bench_function("verify_100k", |bencher| bencher.iter(|| verify(&signed, apex.as_ref(), &[], NOW, 0).expect("good")));
}

criterion_group!(benches, bench);
criterion_main!(benches);
