//! How long a secondary takes from a change in its hands to the zone served with it, journal and its sync included, while names beside the base
//! are merged in another thread.
//!
//! `changes FOLDER NAMES CHANGES PER_SECOND`: a signed zone (opt-out) of so many delegations, its state in a folder on the disk that is to
//! be measured, changes of one name each at this rate. Prints quantiles of the time in ms.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use saola::dns::{Name, Serial};
use saola::journal::{Diffs, Journal, Log};
use saola::pipeline::{Pipeline, Plan, Scope, Touched, Upkept, Version, Zonemd};
use saola::sign::{self, Denial, Policy};
use saola::zone::{NameMap, Zone, ZoneSet};
use tld::NOW;

#[path = "../benches/tld/mod.rs"]
mod tld;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, names, changes, rate] = &args[..] else { panic!("changes FOLDER NAMES CHANGES PER_SECOND") };
    let [names, changes, rate] = [names, changes, rate].map(|text| text.parse::<usize>().expect("a number"));
    let vn = Name::parse("vn").expect("a name");
    let tld = tld::make(tld::Shape::like_vn(names));
    let (keys, policy) = (tld::keys(), Policy { denial: Denial::NSEC3_OPT_OUT, ..Policy::default() });
    let mut signed = sign::sign(tld.records.clone(), vn.as_ref(), &keys, &policy, NOW, 0).expect("signed");
    signed.sort();
    let mut primary = Zone::build(vn.as_ref(), signed.clone()).expect("a zone");

    let (mut pipeline, problems) = Pipeline::open(Journal::open(Path::new(folder)).expect("free"));
    assert!(problems.is_empty(), "{problems:?}");
    let plan = Plan {
        registry: None,
        files: Vec::new(),
        catalogs: Vec::new(),
        secondaries: vec![vn.clone()],
        zonemd: BTreeMap::new(),
        keys: folder.into(),
    };
    let mut served: (ZoneSet, NameMap<Log>) = Default::default();
    pipeline.run(&plan, &Scope::Start, NOW, |zones, logs| served = (zones, logs));
    let mut put = |pipeline: &mut Pipeline, version| {
        let begin = Instant::now();
        let result = pipeline.put(&vn, version, Zonemd::Off, NOW);
        served = pipeline.served();
        result.unwrap_or_else(|error| panic!("{error:?}"));
        begin.elapsed()
    };
    println!("whole: {} ms", put(&mut pipeline, Version::Whole(signed)).as_millis());

    let (give, take) = mpsc::channel::<Upkept>();
    let (mut times, mut upkeeps, mut merging) = (Vec::new(), Vec::new(), 0);
    let begin = Instant::now();
    for i in 0..changes {
        let content = tld.change(i, 1, true);
        let serial = Serial(primary.serial().0 + 1);
        let change = sign::sign_diff(&primary, &content, serial, &keys, &policy, NOW, 1).expect("signed");
        primary = primary.apply(&change).expect("fits");
        if primary.n_overlaid() > 600 {
            primary = primary.merged().expect("a zone");
        }
        // A change waits for what the builder does: that is part of its time.
        let due = Duration::from_secs_f64(i as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        let late = Instant::now();
        while let Ok(done) = take.try_recv() {
            let begin = Instant::now();
            assert!(pipeline.upkept(done, |_, _| {}).is_empty());
            upkeeps.push(begin.elapsed());
        }
        times.push(late.elapsed() + put(&mut pipeline, Version::Changes(vec![change])));
        for job in pipeline.due_upkeep(&Touched::All) {
            merging += 1;
            let give = give.clone();
            std::thread::spawn(move || drop(give.send(job.carry_out())));
        }
    }
    assert_eq!(pipeline.live()[&vn].zone.serial(), primary.serial());
    times.sort();
    upkeeps.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let at = |q: f64| ms(times[((times.len() - 1) as f64 * q) as usize]);
    println!("{changes} changes: median {:.2}, 0.9 {:.2}, 0.99 {:.2}, longest {:.2} ms", at(0.5), at(0.9), at(0.99), at(1.0));
    let longest = upkeeps.last().copied().unwrap_or_default();
    println!("{merging} merges begun, {} taken over in at most {:.2} ms each", upkeeps.len(), ms(longest));
    let log = Diffs::open(pipeline_place(folder), vn.as_ref()).expect("readable").expect("there");
    println!("log: {} entries, {} octets", log.len(), log.octets());
}

fn pipeline_place(folder: &str) -> saola::disk::Place {
    saola::disk::Place::new(Path::new(folder).join("journal/vn.log"))
}
