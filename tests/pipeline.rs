//! Zones that change version by version: what primaries send and what clients change. Through merges beside the work, restarts at any moment
//! and changes that do not fit, what is served is what was sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use saola::dns::rdata::Soa;
use saola::dns::{Name, Record, Records, Rtype, Serial, UnixTime};
use saola::journal::{Journal, Log};
use saola::pipeline::{CatalogPlan, FilePlan, NotChanged, NotTaken, Pipeline, Plan, Scope, Touched, UpkeepJob, Version, Zonemd};
use saola::sign::{self, Algorithm, Denial, Policy};
use saola::transfer::catalog::{Catalog, Properties};
use saola::zone::{Diff, NameMap, Zone, ZoneSet};

const NOW: UnixTime = UnixTime(1_795_305_600);

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// What was swapped in last.
#[derive(Default)]
struct Served {
    zones: ZoneSet,
    logs: NameMap<Log>,
}

impl Served {
    fn zone(&self) -> Option<&Arc<Zone>> {
        self.zones.get(name("vn").as_ref())
    }

    fn log(&self, apex: &str) -> Option<&Log> {
        self.logs.get(name(apex).as_ref())
    }
}

/// A server with one secondary zone.
struct World {
    pipeline: Pipeline,
    served: Served,
}

impl World {
    fn open(folder: &Path) -> Self {
        let (mut pipeline, problems) = Pipeline::open(Journal::open(folder).expect("free"));
        assert!(problems.is_empty(), "{problems:?}");
        let plan = Plan {
            registry: None,
            files: Vec::new(),
            catalogs: Vec::new(),
            secondaries: vec![name("vn")],
            zonemd: BTreeMap::new(),
            keys: folder.join("keys"),
        };
        let mut served = Served::default();
        let report = pipeline.run(&plan, &Scope::Start, NOW, |zones, logs| served = Served { zones, logs });
        assert!(report.problems.is_empty() && !report.is_refused, "{:?}", report.problems);
        Self { pipeline, served }
    }

    fn put(&mut self, version: Version) -> Result<(), NotTaken> {
        let result = self.pipeline.put(&name("vn"), version, Zonemd::Off, NOW);
        let (zones, logs) = self.pipeline.served();
        self.served = Served { zones, logs };
        result.map(|(_, notes)| assert!(notes.is_empty(), "{notes:?}"))
    }

    fn upkept(&mut self, job: UpkeepJob) {
        let served = &mut self.served;
        let problems = self.pipeline.upkept(job.carry_out(), |zones, logs| *served = Served { zones, logs });
        assert!(problems.is_empty(), "{problems:?}");
    }
}

/// Delegations by number, and which of some sets of name servers each has.
type Model = BTreeMap<u32, u8>;

fn records(model: &Model, serial: u32) -> Records {
    let mut records = Records::new();
    let mut add = |owner: &str, rtype, rdata: &[u8]| records.push(name(owner).as_ref(), rtype, 3600, rdata).expect("room");
    let soa = Soa { mname: name("a.dns.vn"), rname: name("h.vn"), serial, refresh: 1, retry: 1, expire: 1, minimum: 60 };
    add("vn", Rtype::SOA, &soa.to_rdata());
    add("vn", Rtype::NS, name("a.dns.vn").as_ref().as_wire());
    add("a.dns.vn", Rtype::A, &[192, 0, 2, 1]);
    for (number, set) in model {
        let owner = format!("name{number}.vn");
        for i in 0..=set % 2 {
            add(&owner, Rtype::NS, name(&format!("ns{i}.hoster{set}.example")).as_ref().as_wire());
        }
    }
    records.sort();
    records
}

fn lines(records: &Records) -> Vec<String> {
    let mut lines: Vec<String> = records.iter().map(|r| format!("{} {} {} {:?}", r.owner, r.ttl, r.rtype, r.rdata)).collect();
    lines.sort();
    lines
}

#[test]
fn what_is_sent_is_served_through_merges_and_restarts() {
    let seed = 20_261_124;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().expect("dir");
    let mut world = World::open(dir.path());
    assert!(world.served.zone().is_none() && world.served.zones.iter().count() == 1, "it is ours, and there is nothing yet");
    let mut model: Model = (0..1500).map(|i| (i, i as u8)).collect();
    let mut current = records(&model, 1);
    world.put(Version::Whole(current.clone())).expect("taken");
    let (mut jobs, mut n_merged, mut n_restarts): (Vec<UpkeepJob>, _, _) = (Vec::new(), 0, 0);
    let mut most = 0;
    for serial in 2..160 {
        // Some secondaries of ours may be behind, and are led on later.
        let mut steps = Vec::new();
        for _ in 0..rng.usize(1..20) {
            let number = rng.u32(..2500);
            if rng.u8(..3) == 0 {
                model.remove(&number)
            } else {
                model.insert(number, rng.u8(..))
            };
        }
        let next = records(&model, serial);
        steps.push(Diff::between(&current, &next));
        let before = Arc::clone(world.served.zone().expect("served"));
        match rng.u8(..20) {
            0 => {
                // Anything that is not there or there already: nothing of it is taken, not even what would fit.
                let mut unfit = steps.clone();
                unfit[0].removed.push(name("never.vn").as_ref(), Rtype::NS, 3600, name("x").as_ref().as_wire()).expect("room");
                unfit[0].removed.sort();
                assert!(matches!(world.put(Version::Changes(unfit)), Err(NotTaken::DoesNotFit(_))), "{serial}");
                assert!(Arc::ptr_eq(&before, world.served.zone().expect("served")));
                world.put(Version::Whole(next.clone())).expect("taken");
            }
            1 => world.put(Version::Whole(next.clone())).expect("taken"),
            _ => world.put(Version::Changes(steps)).expect("taken"),
        }
        current = next;
        most = most.max(world.served.zone().expect("served").n_overlaid());
        jobs.extend(world.pipeline.due_upkeep(&Touched::All));
        assert!(jobs.len() < 2, "one at a time");
        if rng.u8(..4) == 0
            && let Some(job) = jobs.pop()
        {
            world.upkept(job);
            n_merged += 1;
        }
        if rng.u8(..20) == 0 {
            drop(world);
            jobs.clear();
            world = World::open(dir.path());
            n_restarts += 1;
        }
        let zone = world.served.zone().expect("served");
        assert_eq!(zone.serial(), Serial(serial));
        let (counts, merged) = (zone.counts(), zone.merged().expect("a zone").counts());
        assert_eq!((counts.records, counts.cuts), (merged.records, merged.cuts));
        assert_eq!(lines(&zone.records()), lines(&current), "serial {serial}");
        let log = world.served.log("vn");
        assert!(log.is_none_or(|log| log.last_serial() == Serial(serial)));
        // A version that is no longer served is led to this one.
        if let Some(steps) = log.and_then(|log| log.range(before.serial())) {
            let change = Diff::joined(steps.map(|step| step.expect("whole").diff).collect()).expect("fits");
            assert_eq!(lines(&before.apply(&change).expect("fits").records()), lines(&current));
        }
    }
    assert!(n_merged > 3 && n_restarts > 2, "{n_merged} merged, {n_restarts} restarts");
    assert!(most < 1200, "{most} names beside the base");
}

/// A signature of a set of this type, by a key of nobody.
fn signature(covered: Rtype) -> Vec<u8> {
    [&covered.0.to_be_bytes()[..], &[13, 2, 0, 0, 0, 60], &[0; 10], name("vn").as_ref().as_wire(), &[1; 64]].concat()
}

/// The versions of a signer that goes from one NSEC3 chain to another, with both for a while (RFC 5155 §10.4), once with a signature of nothing, and at
/// last on the way to NSEC or from it.
fn two_chains() -> Vec<Records> {
    let model: Model = (0..40).map(|i| (i, i as u8)).collect();
    let version = |serial: u32, model: &Model, parameters: &[u8], links: [std::ops::Range<u32>; 2], n_nsec: usize, stray: bool| {
        let mut all = records(model, serial);
        let owners: Vec<Name> = all.names().map(|name| name.owner().to_owned()).take(n_nsec).collect();
        for owner in owners {
            all.push(owner.as_ref(), Rtype::NSEC, 60, b"\x02vn\0\0\x01\x20").expect("room");
            all.push(owner.as_ref(), Rtype::RRSIG, 60, &signature(Rtype::NSEC)).expect("room");
        }
        let mut add = |owner: &str, rtype, rdata: &[u8]| all.push(name(owner).as_ref(), rtype, 60, rdata).expect("room");
        add("vn", Rtype::NSEC3PARAM, &[&[1, 0, 0, 0, parameters.len() as u8], parameters].concat());
        for (salt, links) in [1u8, 2].into_iter().zip(links) {
            for i in links {
                // Hashes that nobody checks here; those of one chain lie between those of the other.
                let hash = |i: u32| [&[(i % 32) as u8 * 8 + salt][..], &[i as u8; 19]].concat();
                let label = data_encoding::BASE32HEX_NOPAD.encode(&hash(i)).to_lowercase();
                add(&format!("{label}.vn"), Rtype::NSEC3, &[&[1, 1, 0, 0, 1, salt, 20][..], &hash(i + 1), &[0, 1, 0x20]].concat());
                add(&format!("{label}.vn"), Rtype::RRSIG, &signature(Rtype::NSEC3));
            }
        }
        if stray {
            add("a.dns.vn", Rtype::RRSIG, &signature(Rtype::TXT));
        }
        all.sort();
        all
    };
    let other: Model = (0..50).map(|i| (i, i as u8 + 1)).collect();
    vec![
        version(1, &model, &[1], [0..20, 0..0], 0, false),
        version(2, &model, &[1], [0..20, 0..7], 0, false),
        version(3, &other, &[1], [0..20, 0..20], 0, false),
        version(4, &other, &[2], [0..20, 0..20], 0, true),
        version(5, &model, &[2], [3..20, 0..21], 0, true),
        version(6, &model, &[2], [0..0, 0..21], 0, true),
        version(7, &model, &[2], [0..0, 0..21], 0, false),
        version(8, &other, &[2], [0..0, 0..22], 0, false),
        version(9, &other, &[2], [0..0, 0..22], 60, false),
        version(10, &model, &[2], [0..0, 0..22], 30, false),
        version(11, &model, &[2], [0..0, 0..22], 1, false),
        version(12, &model, &[2], [0..0, 0..22], 0, false),
    ]
}

/// What of a version has its place: one chain of NSEC3, and no signature of nothing.
fn placed(version: &Records) -> Records {
    let parameters = version.iter().find(|record| record.rtype == Rtype::NSEC3PARAM).expect("there").rdata.to_vec();
    let is_other = |record: &Record<'_>| record.rtype == Rtype::NSEC3 && record.rdata[5] != parameters[5];
    let gone: Vec<Name> = version.iter().filter(is_other).map(|record| record.owner.to_owned()).collect();
    let mut placed = version.clone();
    placed.retain(|record| !gone.iter().any(|owner| *owner == record.owner.to_owned()));
    let is_of = |record: &Record<'_>, rtype: Rtype| record.rtype == Rtype::RRSIG && record.rdata.starts_with(&rtype.0.to_be_bytes());
    placed.retain(|record| record.rtype != Rtype::NSEC && !is_of(&record, Rtype::NSEC) && !is_of(&record, Rtype::TXT));
    placed
}

#[test]
fn a_primary_may_have_more_than_has_a_place() {
    let versions = two_chains();
    let has_more = |i: usize| placed(&versions[i]).len() < versions[i].len();
    assert_eq!((0..versions.len()).filter(|i| has_more(*i)).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 8, 9, 10]);
    // Through all of them by changes; once more for each place at which it is started again on the way.
    for restart in 0..versions.len() {
        let dir = tempfile::tempdir().expect("dir");
        let mut world = World::open(dir.path());
        world.put(Version::Whole(versions[0].clone())).expect("taken");
        for i in 1..versions.len() {
            let change = || Version::Changes(vec![Diff::between(&versions[i - 1], &versions[i])]);
            if i == restart {
                drop(world);
                world = World::open(dir.path());
            }
            // A start does not know what had no place.
            if i == restart && has_more(i - 1) {
                assert!(matches!(world.put(change()), Err(NotTaken::DoesNotFit(_))), "{i}");
                world.put(Version::Whole(versions[i].clone())).expect("taken");
            } else {
                world.put(change()).unwrap_or_else(|error| panic!("restart before {restart}, change {i}: {error:?}"));
            }
            let zone = world.served.zone().expect("served");
            assert_eq!(lines(&zone.records()), lines(&placed(&versions[i])), "restart before {restart}, version {i}");
            // Nothing that is not there, or is there already, and nothing of another version.
            assert!(matches!(world.put(change()), Err(NotTaken::DoesNotFit(_))), "{i}");
            let log = world.served.log("vn").expect("a log");
            assert_eq!(log.last_serial(), Serial(i as u32 + 1));
        }
    }
    // Any of them whole.
    for version in &versions {
        let dir = tempfile::tempdir().expect("dir");
        let mut world = World::open(dir.path());
        world.put(Version::Whole(version.clone())).expect("taken");
        assert_eq!(lines(&world.served.zone().expect("served").records()), lines(&placed(version)));
    }
}

/// Step by step, each of them forward, a serial goes past what its beginning would call newer, and all the way round.
#[test]
fn a_start_follows_a_serial_however_far_it_went() {
    let n_steps = [
        &[2_147_483_640][..],
        &[2_147_483_640, 4_173_595_859],
        &[2_147_483_640, 4_173_595_859, 0],
        &[1 << 31, u32::MAX, 1],
        &[1 << 31, u32::MAX, 1, 9],
    ];
    for steps in n_steps {
        let dir = tempfile::tempdir().expect("dir");
        let mut world = World::open(dir.path());
        let mut model: Model = (0..9).map(|i| (i, 0)).collect();
        let mut current = records(&model, 1);
        world.put(Version::Whole(current.clone())).expect("taken");
        for (i, serial) in steps.iter().enumerate() {
            model.insert(100 + i as u32, 1);
            let next = records(&model, *serial);
            world.put(Version::Changes(vec![Diff::between(&current, &next)])).expect("taken");
            current = next;
        }
        drop(world);
        let world = World::open(dir.path());
        assert_eq!(lines(&world.served.zone().expect("served").records()), lines(&current), "{steps:?}");
    }
}

#[test]
fn versions_only_move_forward() {
    let dir = tempfile::tempdir().expect("dir");
    let mut world = World::open(dir.path());
    let model: Model = (0..9).map(|i| (i, 0)).collect();
    assert!(matches!(world.put(Version::Changes(Vec::new())), Err(NotTaken::DoesNotFit(_))), "there is nothing to change");
    world.put(Version::Whole(records(&model, 5))).expect("taken");
    for serial in [5, 4, 5 + (1 << 31)] {
        assert!(matches!(world.put(Version::Whole(records(&model, serial))), Err(NotTaken::Refused(_))), "{serial}");
    }
    // RFC 1982: forward over the end of the numbers.
    for serial in [5 + (1 << 30), 5 + (1 << 31), 5 + (3 << 30), 7] {
        world.put(Version::Whole(records(&model, serial))).expect("taken");
    }
    drop(world);
    assert_eq!(World::open(dir.path()).served.zone().expect("served").serial(), Serial(7));
}

#[test]
fn an_expired_zone_is_ours_and_not_served() {
    let dir = tempfile::tempdir().expect("dir");
    let mut world = World::open(dir.path());
    let model = Model::new();
    world.put(Version::Whole(records(&model, 5))).expect("taken");
    let World { pipeline, served } = &mut world;
    pipeline.expire(&name("vn"), |zones, logs| *served = Served { zones, logs });
    assert!(served.zone().is_none() && served.zones.iter().count() == 1);
    pipeline.confirm(&name("vn"), NOW, UnixTime(NOW.0 + 100), |zones, logs| *served = Served { zones, logs });
    assert_eq!(served.zone().expect("served").serial(), Serial(5));
    pipeline.expire(&name("vn"), |zones, logs| *served = Served { zones, logs });
    world.put(Version::Changes(vec![Diff::between(&records(&model, 5), &records(&model, 6))])).expect("taken");
    assert_eq!(world.served.zone().expect("served").serial(), Serial(6));
    // Once it is no longer good, any version is better; what leads to it is not known.
    let World { pipeline, served } = &mut world;
    pipeline.expire(&name("vn"), |zones, logs| *served = Served { zones, logs });
    world.put(Version::Whole(records(&model, 3))).expect("taken");
    assert_eq!(world.served.zone().expect("served").serial(), Serial(3));
    assert!(world.served.log("vn").is_none_or(|log| log.range(Serial(6)).is_none()));
    drop(world);
    assert_eq!(World::open(dir.path()).served.zone().expect("served").serial(), Serial(3));
}

/// A zone that clients change, signed here or not, and its server.
struct Dynamic {
    pipeline: Pipeline,
    plan: Plan,
    served: Served,
    problems: Vec<String>,
}

impl Dynamic {
    fn open(folder: &Path, policy: Option<Policy>) -> Self {
        let (mut pipeline, lost) = Pipeline::open(Journal::open(&folder.join("state")).expect("free"));
        let file =
            FilePlan { apex: name("example.org"), file: folder.join("zone"), policy, rsa_bits: 2048, is_kept: false, is_dynamic: true };
        let plan = Plan {
            registry: None,
            files: vec![file],
            catalogs: Vec::new(),
            secondaries: Vec::new(),
            zonemd: BTreeMap::new(),
            keys: folder.join("keys"),
        };
        let mut served = Served::default();
        let report = pipeline.run(&plan, &Scope::Start, NOW, |zones, logs| served = Served { zones, logs });
        let problems = lost.iter().chain(&report.problems).map(ToString::to_string).collect();
        Self { pipeline, plan, served, problems }
    }

    fn zone(&self) -> &Arc<Zone> {
        self.served.zones.get(name("example.org").as_ref()).expect("served")
    }

    /// Adds a TXT record; the serial that it led to, if it was not there.
    fn add(&mut self, owner: &str, text: &str) -> Result<Option<Serial>, NotChanged<String>> {
        let Self { pipeline, plan, served, .. } = self;
        let rdata = [&[text.len() as u8], text.as_bytes()].concat();
        let change = |zone: &Zone| {
            let mut change = Diff::default();
            if !zone.records_at(name(owner).as_ref()).iter().any(|record| record.rdata == rdata) {
                change.added.push(name(owner).as_ref(), Rtype::TXT, 60, &rdata).expect("room");
            }
            if text == "no" { Err("not this".to_owned()) } else { Ok(change) }
        };
        let published = pipeline.update(plan, &name("example.org"), change, NOW, |zones, logs| *served = Served { zones, logs })?;
        Ok(published.map(|published| published.to))
    }
}

#[test]
fn what_clients_change_is_signed_kept_and_never_taken_back() {
    let policies = [None, Some(Policy { algorithm: Algorithm::Ed25519, denial: Denial::NSEC3, ..Policy::default() })];
    for policy in policies {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir(dir.path().join("keys")).expect("made");
        let file = dir.path().join("zone");
        std::fs::write(&file, "$ORIGIN example.org.\n$TTL 300\n@ SOA ns h 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n")
            .expect("written");
        let mut world = Dynamic::open(dir.path(), policy.clone());
        assert_eq!(world.problems, [""; 0]);
        let first = world.zone().serial().0;
        for (i, owner) in ["a.example.org", "b.c.example.org", "example.org"].into_iter().enumerate() {
            assert_eq!(world.add(owner, "x").expect("changed"), Some(Serial(first + 1 + i as u32)), "{owner}");
            let held = world.zone().records_at(name(owner).as_ref());
            assert!(held.iter().any(|record| record.rtype == Rtype::TXT), "{owner}");
            if policy.is_some() {
                let mut records = world.zone().records();
                records.sort();
                sign::verify(&records, name("example.org").as_ref(), &[], NOW, 1).expect("verifies");
            }
            assert_eq!(world.served.log("example.org").expect("a log").last_serial(), world.zone().serial());
        }
        // Nothing new is no version; what is refused changes nothing; a change out of the zone neither.
        let serial = world.zone().serial();
        assert_eq!(world.add("a.example.org", "x").expect("nothing to do"), None);
        assert!(matches!(world.add("a.example.org", "no"), Err(NotChanged::Asked(_))));
        assert!(matches!(world.add("a.example.net", "x"), Err(NotChanged::Failed(_))));
        assert_eq!(world.zone().serial(), serial);
        let lines_before = lines(&world.zone().records());

        // The file is the beginning, and what clients have changed is in no file.
        std::fs::write(&file, "nothing that could be read").expect("written");
        let Dynamic { pipeline, plan, served, .. } = &mut world;
        let report = pipeline.run(plan, &Scope::All, NOW, |zones, logs| *served = Served { zones, logs });
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        drop(world);
        let world = Dynamic::open(dir.path(), policy.clone());
        assert_eq!(world.problems, [""; 0]);
        assert_eq!(lines(&world.zone().records()), lines_before);
        drop(world);

        // What is lost is not made up from the file: an operator has to say so.
        std::fs::remove_file(dir.path().join("state/journal/example.org.log")).expect("removed");
        std::fs::write(dir.path().join("state/state"), "damaged").expect("written");
        let world = Dynamic::open(dir.path(), policy);
        assert!(world.served.zones.get(name("example.org").as_ref()).is_none());
        assert!(world.problems.iter().any(|problem| problem.contains("cannot be read back")), "{:?}", world.problems);
    }
}

/// A crash between the state that names a whole version and the end of the log before it: what was changed before is not changed once more.
#[test]
fn the_log_of_other_versions_is_not_taken() {
    let dir = tempfile::tempdir().expect("dir");
    let mut model = Model::from([(1, 0)]);
    let old = [records(&model, 10), records(&model, 11), records(&model, 12)];
    let mut world = World::open(dir.path());
    world.put(Version::Whole(old[0].clone())).expect("taken");
    world.put(Version::Changes(vec![Diff::between(&old[0], &old[1])])).expect("taken");
    world.put(Version::Changes(vec![Diff::between(&old[1], &old[2])])).expect("taken");
    let log = dir.path().join("journal/vn.log");
    let kept = std::fs::read(&log).expect("a log");
    model.insert(2, 1);
    world.put(Version::Anew(records(&model, 11))).expect("taken");
    assert!(!log.exists());
    drop(world);
    std::fs::write(&log, kept).expect("written");
    let mut world = World::open(dir.path());
    assert_eq!(lines(&world.served.zone().expect("served").records()), lines(&records(&model, 11)));
    world.put(Version::Changes(vec![Diff::between(&records(&model, 11), &records(&model, 13))])).expect("taken");
    drop(world);
    assert_eq!(World::open(dir.path()).served.zone().expect("served").serial(), Serial(13));
}

/// A catalog is a version anew where something is listed otherwise, and only there; and never without knowing all of it (RFC 9432).
#[test]
fn a_catalog_follows_what_is_planned() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut pipeline, _) = Pipeline::open(Journal::open(dir.path()).expect("free"));
    let mut last = None;
    let mut run = |members: &[(&str, Option<&str>)], registry: bool| {
        let properties = |group: &Option<&str>| Properties { group: group.map(str::to_owned), coo: None };
        let catalog = CatalogPlan {
            apex: name("catalog.vn"),
            members: members.iter().map(|(member, group)| (name(member), properties(group))).collect(),
            registry: registry.then(Properties::default),
        };
        let plan = Plan {
            registry: None,
            files: Vec::new(),
            catalogs: vec![catalog],
            secondaries: Vec::new(),
            zonemd: BTreeMap::new(),
            keys: dir.path().join("keys"),
        };
        let mut served = Served::default();
        let report = pipeline.run(&plan, &Scope::All, NOW, |zones, logs| served = Served { zones, logs });
        let zone = served.zones.get(name("catalog.vn").as_ref()).cloned();
        let serial = zone.as_ref().map(|zone| zone.serial());
        if let (Some(from), Some(to)) = (std::mem::replace(&mut last, serial), serial) {
            let log = served.log("catalog.vn");
            assert!(from == to || log.is_some_and(|log| log.range(from).is_some() && log.last_serial() == to), "its changes go out");
        }
        let members = zone.as_ref().map(|zone| Catalog::read(zone).expect("a catalog").entries.into_keys().map(|name| name.to_string()));
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        (zone.map(|zone| zone.serial().0), members.map(Iterator::collect::<Vec<_>>).unwrap_or_default().join(" "), problems.join("\n"))
    };
    let said = |serial: u32, members: &str| (Some(serial), members.to_owned(), String::new());
    let unknown = "[catalog.vn.] which zones the registry has is not known: there is no export that was compiled";
    assert_eq!(run(&[("a", None)], true), (None, String::new(), format!("{unknown}; queries get SERVFAIL")));
    let (first, ..) = run(&[("a", None)], false);
    let first = first.expect("made");
    assert_eq!(run(&[("a", None)], false), said(first, "a."));
    assert_eq!(run(&[("a", None), ("b", None)], false), said(first + 1, "a. b."));
    assert_eq!(run(&[("a", None), ("b", Some("x"))], false), said(first + 2, "a. b."));
    // What is listed stays so until more is known.
    assert_eq!(run(&[], true), (Some(first + 2), "a. b.".into(), format!("{unknown}; the zone served before stays")));
    assert_eq!(run(&[], false), said(first + 3, ""));
}

/// What a primary has takes the place of what was made here, whatever its serial; from then on only what is newer does.
#[test]
fn what_was_made_here_gives_way_to_a_primary() {
    let dir = tempfile::tempdir().expect("dir");
    let model: Model = (0..9).map(|i| (i, 0)).collect();
    let file = dir.path().join("zone");
    let text = "$ORIGIN vn.\n@ 60 SOA a.dns h.dns 2026112300 1 1 1 1\n@ 60 NS a.dns\na.dns 60 A 192.0.2.1\n";
    std::fs::write(&file, text).expect("written");
    let (mut pipeline, _) = Pipeline::open(Journal::open(&dir.path().join("state")).expect("free"));
    let own = FilePlan { apex: name("vn"), file, policy: None, rsa_bits: 0, is_kept: true, is_dynamic: false };
    let plan = |files: Vec<FilePlan>, secondaries: Vec<Name>| Plan {
        registry: None,
        files,
        catalogs: Vec::new(),
        secondaries,
        zonemd: BTreeMap::new(),
        keys: dir.path().join("keys"),
    };
    let run = |pipeline: &mut Pipeline, plan: &Plan| {
        let report = pipeline.run(plan, &Scope::All, NOW, |_, _| ());
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        pipeline.live().get(&name("vn")).map(|live| live.zone.serial())
    };
    // At once, and after it was out.
    for is_out in [false, true] {
        assert_eq!(run(&mut pipeline, &plan(vec![own.clone()], Vec::new())), Some(Serial(2_026_112_300)));
        if is_out {
            assert_eq!(run(&mut pipeline, &plan(Vec::new(), Vec::new())), None);
        }
        let before = run(&mut pipeline, &plan(Vec::new(), vec![name("vn")]));
        assert_eq!(before.is_none(), is_out);
        let mut put = |serial: u32| pipeline.put(&name("vn"), Version::Whole(records(&model, serial)), Zonemd::Off, NOW).map(drop);
        assert_eq!(put(5), Ok(()));
        assert!(matches!(put(4), Err(NotTaken::Refused(_))));
        assert_eq!(put(6), Ok(()));
        assert_eq!(run(&mut pipeline, &plan(Vec::new(), Vec::new())), None);
    }
}
