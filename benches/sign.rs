//! Signing: a whole zone of 100,000 delegations, 3 % with DS, as a registry has them; its verification; and changes of 100 names in it.
//!
//! `cargo bench --bench sign` (SAOLA_BENCH_NAMES for another number of delegations). Whole zones on all cores, throughput in delegations a
//! second; changes on one thread, from the content's diff to the signed one, and on to the next zone.

#![allow(missing_docs)] // criterion's macro makes a public function

mod tld;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saola::dns::Name;
use saola::sign::{Denial, Policy, sign, sign_diff, verify};
use saola::zone::Zone;
use tld::{NOW, Shape};

fn bench(criterion: &mut Criterion) {
    let names = std::env::var("SAOLA_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let apex = Name::parse("vn.").expect("a name");
    let keys = tld::keys();
    let tld = tld::make(Shape::like_vn(names));
    let mut group = criterion.benchmark_group("sign");
    group.sample_size(10);
    for (suffix, denial) in [("", Denial::NSEC3_OPT_OUT), ("_nsec3", Denial::NSEC3), ("_nsec", Denial::Nsec)] {
        let policy = Policy { denial, ..Policy::default() };
        group.throughput(Throughput::Elements(names as u64));
        group.bench_function(format!("full_100k{suffix}"), |bencher| {
            bencher.iter_with_setup(|| tld.records.clone(), |zone| sign(zone, apex.as_ref(), &keys, &policy, NOW, 0).expect("signed"));
        });
        let signed = sign(tld.records.clone(), apex.as_ref(), &keys, &policy, NOW, 0).expect("signed");
        if suffix.is_empty() {
            group.bench_function("verify_100k", |bencher| bencher.iter(|| verify(&signed, apex.as_ref(), &[], NOW, 0).expect("good")));
        }
        let zone = Zone::build(apex.as_ref(), signed).expect("a zone");
        for (case, n, secure) in [("diff_100", 100, true), ("diff_100_insecure", 100, false), ("diff_1_insecure", 1, false)] {
            let change = tld.change(0, n, secure);
            let sign = || sign_diff(&zone, &change, zone.serial().next(), &keys, &policy, NOW, 1).expect("signed");
            let diff = sign();
            println!("{case}{suffix}: {} records go, {} come", diff.removed.len(), diff.added.len());
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(format!("{case}{suffix}"), |bencher| bencher.iter(sign));
            // An NSEC zone has no overlay yet and is built anew.
            if policy.denial != Denial::Nsec || n > 1 {
                group.bench_function(format!("apply_{case}{suffix}"), |bencher| bencher.iter(|| zone.apply(&diff).expect("fits")));
            }
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
