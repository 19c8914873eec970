//! Orders that come while a run is making zones go before it, and are in what it makes.

use saola::dns::Rtype;
use saola::pipeline::{Pipeline, Scope};
use saola::sign::{Denial, Policy};

use super::{NAMES, NOW, Office, Random, contents, verify};

/// Files some orders at random and puts them in force; `active` are those that can be restored.
fn some_orders(office: &mut Office, pipeline: &mut Pipeline, active: &mut Vec<(String, &'static str)>, random: &mut Random) {
    let mut names = Vec::new();
    for _ in 0..random.below(3) {
        if !active.is_empty() && random.below(2) == 0 {
            let (id, name) = active.swap_remove(random.below(active.len()));
            office.file(pipeline, "restore", name, Some(&id));
            names.push(name);
        } else {
            let name = NAMES[random.below(NAMES.len())];
            active.push((office.file(pipeline, "suspend", name, None), name));
            names.push(name);
        }
    }
    let carried = pipeline.carry_out(&office.plan(), names, NOW, |_, _| {});
    assert!(carried.problems.is_empty(), "{:?}", carried.problems);
}

fn check(policy: Option<Policy>, rounds: usize, seed: u64) {
    let mut random = Random(seed);
    let mut office = Office::new(policy);
    let mut pipeline = office.open("state");
    let report = pipeline.run(&office.plan(), &Scope::Start, NOW, |_, _| {});
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let (mut active, mut n_moved) = (Vec::new(), 0);
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        match random.below(4) {
            // Another contact: every zone has another SOA.
            0 => {
                let file = office.path("zones/infrastructure.toml");
                let text = std::fs::read_to_string(&file).expect("there");
                let line = text.lines().find(|line| line.starts_with("contact")).expect("a contact").to_owned();
                std::fs::write(&file, text.replace(&line, &format!("contact = \"h{round}.dns-servers.vn.\""))).expect("written");
            }
            // Everything is signed anew.
            1 => {
                if let Some(policy) = &mut office.policy {
                    policy.validity += 60;
                }
            }
            // The same again, made anew.
            2 => {
                let file = office.path("zones/second-level.toml");
                let text = std::fs::read_to_string(&file).expect("there");
                std::fs::write(&file, text + "\n").expect("written");
            }
            _ => {}
        }
        let before: Vec<_> = pipeline.live().values().map(|live| (live.zone.apex().to_owned(), live.zone.serial())).collect();
        let view = pipeline.begin(&office.plan(), &Scope::All);
        some_orders(&mut office, &mut pipeline, &mut active, &mut random);
        let proposal = view.make(&office.plan(), &Scope::All, NOW);
        some_orders(&mut office, &mut pipeline, &mut active, &mut random);
        let during: Vec<_> = before.iter().map(|(apex, _)| pipeline.live()[apex].zone.serial()).collect();
        let mut swaps = Vec::new();
        let report = pipeline.end(proposal, &office.plan(), &Scope::All, NOW, |zones, _| swaps.push(zones));
        assert!(report.problems.is_empty(), "{what}: {:?}", report.problems);
        // No step shows a name that is out.
        for zones in &swaps {
            for (_, name) in &active {
                let name = saola::dns::Name::parse(name).expect("a name");
                let shown = pipeline
                    .live()
                    .keys()
                    .filter_map(|apex| zones.get(apex.as_ref()))
                    .any(|zone| zone.node(name.as_ref()).is_some_and(|node| node.is_cut()));
                assert!(!shown, "{what}: {name}");
            }
        }
        for ((apex, _), serial) in before.iter().zip(during) {
            let now = pipeline.live()[apex].zone.serial();
            assert!(now == serial || now.is_newer_than(serial), "{what}: {apex} {serial} -> {now}");
            n_moved += usize::from(now != serial);
        }
        if round % 5 == 4 {
            know(&office, &mut pipeline);
            if office.policy.is_some() {
                verify(&pipeline);
            }
            let served = contents(&pipeline);
            let serials: Vec<_> = pipeline.live().values().map(|live| live.zone.serial()).collect();
            // From nothing but the inputs and the ledger.
            let mut plan = office.plan();
            let registry = plan.registry.as_mut().expect("there");
            registry.orders = office.path("state/orders/ledger.jsonl");
            registry.ledger = ["fresh/orders/a.jsonl", "fresh/orders/b.jsonl"].map(|file| office.path(file));
            let mut fresh = office.open("fresh");
            fresh.run(&plan, &Scope::Start, NOW, |_, _| {});
            assert!(contents(&fresh) == served, "{what}: from scratch");
            let names = |pipeline: &Pipeline| pipeline.compiled().expect("an export was compiled").names;
            assert_eq!(names(&pipeline), names(&fresh), "{what}: published, and kept out");
            drop(fresh);
            std::fs::remove_dir_all(office.path("fresh")).expect("there");
            // And from what is on the disk.
            drop(pipeline);
            pipeline = office.open("state");
            assert!(contents(&pipeline) == served, "{what}: after a start");
            assert_eq!(pipeline.live().values().map(|live| live.zone.serial()).collect::<Vec<_>>(), serials, "{what}");
            let report = pipeline.run(&office.plan(), &Scope::Start, NOW, |_, _| {});
            assert!(report.problems.is_empty() && contents(&pipeline) == served, "{what}: {:?}", report.problems);
            // Until the registry's data is read, orders take names out all the same.
            if random.below(2) == 0 {
                know(&office, &mut pipeline);
            }
        }
    }
    assert!(n_moved > rounds, "{n_moved} zones were made");
}

/// Reads the registry's data, where it is not known, as the daemon does some time after its start.
fn know(office: &Office, pipeline: &mut Pipeline) {
    if pipeline.book().register().is_some() {
        return;
    }
    let plan = office.plan();
    let applied = pipeline.compiled().expect("an export was compiled").clone();
    let register = Pipeline::read_register(plan.registry.as_ref().expect("there"), &applied, NOW).expect("read");
    pipeline.book().set_register(register);
    let carried = pipeline.carry_out_all(&plan, NOW, |_, _| {});
    assert!(carried.problems.is_empty(), "{:?}", carried.problems);
}

fn nsec3(opt_out: bool) -> Denial {
    Denial::Nsec3 { opt_out, salt: Vec::new(), iterations: 0 }
}

fn policy(denial: Denial) -> Option<Policy> {
    Some(Policy { denial, ..Policy::default() })
}

#[test]
fn orders_go_before_a_run_and_are_in_it_opt_out() {
    check(policy(nsec3(true)), 25, 1);
}

#[test]
fn orders_go_before_a_run_and_are_in_it_nsec3() {
    check(policy(nsec3(false)), 25, 2);
}

#[test]
fn orders_go_before_a_run_and_are_in_it_nsec() {
    check(policy(Denial::Nsec), 25, 3);
}

#[test]
fn orders_go_before_a_run_and_are_in_it_unsigned() {
    check(None, 15, 4);
}

/// How many records of the parent's zone prove what is not there, by type.
fn links(pipeline: &Pipeline) -> [usize; 2] {
    let records = pipeline.live()[&saola::dns::Name::parse("vn").expect("a name")].zone.records();
    [Rtype::NSEC, Rtype::NSEC3].map(|rtype| records.iter().filter(|record| record.rtype == rtype).count())
}

/// Another policy is for the run that signs everything by it. An order that comes before its end signs its own change, as the zone is signed.
#[test]
fn an_order_does_not_wait_for_another_policy() {
    let mut office = Office::new(policy(nsec3(true)));
    let mut pipeline = office.open("state");
    pipeline.run(&office.plan(), &Scope::Start, NOW, |_, _| {});
    let policies = [policy(Denial::Nsec), policy(nsec3(false)), None, policy(nsec3(true)), policy(nsec3(false))];
    for (i, next) in policies.into_iter().enumerate() {
        let restarts = i == 3;
        if restarts {
            drop(pipeline);
            pipeline = office.open("state");
            pipeline.run(&office.plan(), &Scope::Start, NOW, |_, _| {});
            know(&office, &mut pipeline);
        }
        let was_signed = office.policy.is_some();
        office.policy = next;
        let before = links(&pipeline);
        let view = pipeline.begin(&office.plan(), &Scope::All);
        let name = NAMES[i];
        office.file(&mut pipeline, "suspend", name, None);
        let carried = pipeline.carry_out(&office.plan(), [name], NOW, |_, _| {});
        assert!(carried.problems.is_empty() && carried.published.len() == 1, "{i}: {carried:?}");
        let during = links(&pipeline);
        let is_close = |(a, b): (usize, usize)| a.abs_diff(b) <= 1;
        assert!(before.into_iter().zip(during).all(is_close), "{i}: {before:?} {during:?}");
        if was_signed {
            verify(&pipeline);
        }
        let proposal = view.make(&office.plan(), &Scope::All, NOW);
        let report = pipeline.end(proposal, &office.plan(), &Scope::All, NOW, |_, _| {});
        assert!(report.problems.is_empty(), "{i}: {:?}", report.problems);
        let [nsec, nsec3] = links(&pipeline);
        let is_asked = match office.policy.as_ref().map(|policy| &policy.denial) {
            None => nsec == 0 && nsec3 == 0,
            Some(Denial::Nsec) => nsec > 0 && nsec3 == 0,
            Some(Denial::Nsec3 { .. }) => nsec == 0 && nsec3 > 0,
        };
        assert!(is_asked, "{i}: {nsec} {nsec3}");
        if office.policy.is_some() {
            verify(&pipeline);
        }
        let served = contents(&pipeline);
        let name = saola::dns::Name::parse(name).expect("a name");
        assert!(!served.values().flatten().any(|(owner, ..)| *owner == name), "{i}: {name}");
    }
}
