//! What a digest over a zone that is signed here costs, and what a change costs with and without it.
//!
//! `digests FOLDER NAMES CHANGES`: a zone of so many delegations, signed here (opt-out), its state in a folder on the disk that is to be measured;
//! changes of one name each as clients ask for them, with the policy's `zonemd` off and on. Prints times in ms.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use saola::dns::{Name, master};
use saola::journal::Journal;
use saola::pipeline::{FilePlan, Pipeline, Plan, Scope, Why};
use saola::sign::{self, Denial, Policy};
use saola::zone::{Diff, Zone};
use tld::NOW;

#[path = "../benches/tld/mod.rs"]
mod tld;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, names, changes] = &args[..] else { panic!("digests FOLDER NAMES CHANGES") };
    let [names, changes] = [names, changes].map(|text| text.parse::<usize>().expect("a number"));
    let (folder, vn) = (Path::new(folder), Name::parse("vn").expect("a name"));
    let tld = tld::make(tld::Shape::like_vn(names));
    std::fs::create_dir_all(folder.join("keys")).expect("made");
    let mut file = std::fs::File::create(folder.join("zone")).expect("made");
    master::write(&tld.records, 0, &mut file).expect("written");

    let (mut pipeline, problems) = Pipeline::open(Journal::open(&folder.join("state")).expect("free"));
    assert!(problems.is_empty(), "{problems:?}");
    let mut at = 0;
    for zonemd in [false, true] {
        let policy = Policy { denial: Denial::NSEC3_OPT_OUT, zonemd, ..Policy::default() };
        let file = FilePlan {
            apex: vn.clone(),
            file: folder.join("zone"),
            policy: Some(policy),
            rsa_bits: 2048,
            is_kept: false,
            is_dynamic: true,
        };
        let plan = Plan {
            registry: None,
            files: vec![file],
            catalogs: Vec::new(),
            secondaries: Vec::new(),
            zonemd: BTreeMap::new(),
            keys: folder.join("keys"),
        };
        let begin = Instant::now();
        let report = pipeline.run(&plan, &Scope::All, NOW, |_, _| {});
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        println!("zonemd = {zonemd}: signed whole in {} ms", begin.elapsed().as_millis());

        let mut times = Vec::new();
        for _ in 0..changes {
            let content = tld.change(at, 1, true);
            at += 1;
            let begin = Instant::now();
            let published = pipeline.update(&plan, &vn, |_| Ok::<Diff, String>(content), NOW, |_, _| {}).expect("changed");
            assert_eq!(published.expect("a change").why, Why::Update);
            times.push(begin.elapsed());
        }
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let quantile = |q: f64| ms(times[((times.len() - 1) as f64 * q) as usize]);
        println!(
            "zonemd = {zonemd}: {changes} changes: median {:.2}, 0.99 {:.2}, longest {:.2} ms",
            quantile(0.5),
            quantile(0.99),
            quantile(1.0)
        );
        if zonemd {
            assert_eq!(pipeline.lacking_digests(&plan).len(), 1);
            let job = pipeline.digest_job(&plan, &vn, NOW).expect("to be made");
            let begin = Instant::now();
            let cpu_before = cpu();
            let done = job.carry_out(NOW);
            let (made, of_cpu) = (begin.elapsed(), cpu() - cpu_before);
            let begin = Instant::now();
            assert!(pipeline.digested(done, NOW, |_, _| {}).expect("made").is_some());
            let (made, of_cpu, taken) = (ms(made), ms(of_cpu), ms(begin.elapsed()));
            println!("digest made and verified beside the work: {made:.0} ms ({of_cpu:.0} on a processor), taken over: {taken:.2} ms");
            prove(&pipeline.live()[&vn].zone);
        }
    }
}

/// What a secondary that asks for a digest has to do for each version.
fn prove(zone: &Zone) {
    let (begin, cpu_before) = (Instant::now(), cpu());
    sign::prove_zonemd_of(zone).expect("right");
    println!("its digest proven: {} ms ({} on a processor)", begin.elapsed().as_millis(), (cpu() - cpu_before).as_millis());
}

/// The time that this thread has had a processor: others may be at work on the machine.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0))
}
