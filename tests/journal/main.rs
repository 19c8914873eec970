//! The log of a zone's changes: what was acknowledged is there after anything that a disk does, and damage is told from a crash.

#[path = "../doors/disk.rs"]
mod disk;
mod files;
mod ledger;
mod octets;
mod power;

use saola::disk::Store;
use saola::dns::rdata::Soa;
use saola::dns::{Name, Records, Rtype, Serial, UnixTime};
use saola::journal::{Diffs, Step, Steps};
use saola::zone::Diff;

/// A change as the tests compare it: serials, and all that goes and comes.
type Change = (u32, u32, Vec<(String, u16, u32, Vec<u8>)>, Vec<(String, u16, u32, Vec<u8>)>);

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// A change of the zone `vn` from one serial to another, with `n` records that go and come beside the SOA.
fn change(from: u32, to: u32, n: usize) -> Diff {
    let mut diff = Diff::default();
    for (records, serial) in [(&mut diff.removed, from), (&mut diff.added, to)] {
        let soa = Soa {
            mname: name("a.dns.vn"),
            rname: name("hostmaster.vn"),
            serial,
            refresh: 1800,
            retry: 600,
            expire: 1_209_600,
            minimum: 900,
        };
        records.push(name("vn").as_ref(), Rtype::SOA, 900, &soa.to_rdata()).expect("room");
        for i in 0..n {
            // Two records a name: the second repeats the owner.
            let owner = name(&format!("name-{}.vn", i / 2));
            records.push(owner.as_ref(), Rtype::TXT, 3600, &[serial as u8, i as u8, 7]).expect("room");
        }
    }
    diff
}

fn listed(from: u32, to: u32, diff: &Diff) -> Change {
    let list = |records: &Records| records.iter().map(|r| (r.owner.to_string(), r.rtype.0, r.ttl, r.rdata.to_vec())).collect();
    (from, to, list(&diff.removed), list(&diff.added))
}

/// When every change of these tests is published.
fn published(serial: u32) -> UnixTime {
    UnixTime(1_800_000_000 + u64::from(serial))
}

/// All that can be read from here.
#[track_caller]
fn all<S: Store>(steps: Option<Steps<S::File>>) -> Vec<Change> {
    let read = |step: Step| {
        assert_eq!(step.published, published(step.to.0));
        listed(step.from.0, step.to.0, &step.diff)
    };
    steps.expect("a serial of the log").map(|step| read(step.expect("whole"))).collect()
}

/// Begins a log at serial 1 and appends changes to 2, 3 and so on.
fn filled<S: Store>(store: S, n: u32) -> Diffs<S> {
    let mut diffs = Diffs::start(store, name("vn").as_ref(), Serial(1)).expect("started");
    for from in 1..=n {
        diffs.append(&change(from, from + 1, from as usize % 4), published(from + 1)).expect("appended");
    }
    diffs
}

/// The changes that [`filled`] appends.
fn expected(first: u32, n: u32) -> Vec<Change> {
    (first..=n).map(|from| listed(from, from + 1, &change(from, from + 1, from as usize % 4))).collect()
}
