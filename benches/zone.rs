//! From the text of a master file to the zone that is answered from, as at a start or a reload.
//!
//! `cargo bench --bench zone` on a signed zone of 700,000 delegations (SAOLA_BENCH_NAMES for another number); everything on one thread.

#![allow(missing_docs)] // criterion's macro makes a public function

mod tld;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saola::dns::{Name, Records, master};
use saola::sign::Denial;
use saola::zone::Zone;
use tld::Shape;

fn bench(criterion: &mut Criterion) {
    let names = std::env::var("SAOLA_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(700_000);
    let apex = Name::parse("vn.").expect("a name");
    let records = tld::signed(tld::make(Shape::like_vn(names)).records, Denial::NSEC3_OPT_OUT);
    let mut text = Vec::new();
    master::write(&records, 1, &mut text).expect("a Vec takes everything");
    drop(records);
    let scan = || -> Records { master::read_text(&text, "vn.zone", apex.as_ref()).expect("what was written is read") };

    let mut group = criterion.benchmark_group("zone");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(20));
    group.throughput(Throughput::Elements(names as u64));
    group.bench_function("load_700k", |bencher| bencher.iter(|| Zone::build(apex.as_ref(), scan()).expect("a zone")));
    group.bench_function("scan_700k", |bencher| bencher.iter(|| black_box(scan().len())));
    group.bench_function("build_700k", |bencher| {
        bencher.iter_with_setup(scan, |records| Zone::build(apex.as_ref(), records).expect("a zone"));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
