//! A zone on its way out by AXFR: what writing its messages costs, without a socket.
//!
//! `cargo bench --bench transfer` on a signed zone of 100,000 delegations (SAOLA_BENCH_NAMES for another number), per record.

#![allow(missing_docs)] // criterion's macro makes a public function

mod tld;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saola::dns::{Name, NameRef, Rtype};
use saola::sign::Denial;
use saola::transfer::out::{Asked, Outgoing};
use saola::transfer::tsig::{Algorithm, Judged, Key, Keys, Signer};
use saola::zone::Zone;
use tld::{NOW, Shape};

fn bench(criterion: &mut Criterion) {
    let names = std::env::var("SAOLA_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let tld = tld::make(Shape::like_vn(names));
    let zone = Arc::new(tld::serve(tld.records.clone(), Denial::NSEC3_OPT_OUT));
    let changed = Arc::new(zone.apply(&tld.change(0, 500, false)).expect("names of the zone"));
    assert!(changed.is_overlaid());
    let mut group = criterion.benchmark_group("transfer");
    group.throughput(Throughput::Elements(zone.counts().records as u64));
    let mut buffer = vec![0; 65_535];
    let mut measure = |case: &str, zone: &Arc<Zone>, signer: fn(NameRef<'_>) -> Option<Signer>| {
        group.bench_function(case, |bencher| {
            bencher.iter(|| {
                let asked = Asked { id: 1, recursion_desired: false, name: zone.apex(), rtype: Rtype::AXFR, opt: &[] };
                let mut outgoing = Outgoing::zone(Arc::clone(zone), &asked, signer(zone.apex()));
                while let Some(len) = outgoing.next(NOW, black_box(&mut buffer)) {
                    len.expect("room");
                }
                outgoing.sent()
            });
        });
    };
    measure("axfr_100k", &zone, |_| None);
    measure("axfr_100k_changed", &changed, |_| None);
    measure("axfr_100k_signed", &zone, |apex| Some(signer(apex)));
}

/// Signs as for a client that has the same key.
fn signer(apex: NameRef<'_>) -> Signer {
    let key = Key::new(Name::root().as_ref(), Algorithm::HmacSha256, b"secret");
    let mut request = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], apex.as_wire(), &[0, 252, 0, 1]].concat();
    let _ = key.sign_request(&mut request, NOW);
    match [key].into_iter().collect::<Keys>().judge(&request, NOW) {
        Judged::Good(signer) => signer,
        Judged::Unsigned | Judged::Refused(_) | Judged::Malformed => panic!("our own request"),
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
