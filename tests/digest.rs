//! ZONEMD through the pipeline: digests that follow the changes of zones signed here, and those that others made, asked for before a zone is
//! served (RFC 8976).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saola::dns::{Name, Records, Rtype, UnixTime, master};
use saola::journal::Journal;
use saola::pipeline::{DigestJob, Digested, FilePlan, NotTaken, Pipeline, Plan, Scope, Touched, Version, Why, Zonemd};
use saola::sign::{self, Algorithm, Denial, Policy};
use saola::zone::{Diff, Zone, ZoneSet};

const NOW: UnixTime = UnixTime(1_795_305_600);

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn read(text: &str, apex: &str) -> Records {
    let mut records = master::read_text(text.as_bytes(), "test", name(apex).as_ref()).unwrap_or_else(|error| panic!("{error}"));
    records.sort();
    records
}

/// A server with one zone.
struct World {
    folder: PathBuf,
    apex: Name,
    pipeline: Pipeline,
    plan: Plan,
    set: ZoneSet,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl World {
    fn new(folder: &Path, apex: &str, file: Option<(Option<Policy>, bool)>, zonemd: Zonemd) -> Self {
        let (pipeline, lost) = Pipeline::open(Journal::open(&folder.join("state")).expect("free"));
        assert!(lost.is_empty(), "{lost:?}");
        let apex = name(apex);
        let file = file.map(|(policy, is_dynamic)| FilePlan {
            apex: apex.clone(),
            file: folder.join("zone"),
            policy,
            rsa_bits: 2048,
            is_kept: false,
            is_dynamic,
        });
        let secondaries = if file.is_none() { vec![apex.clone()] } else { Vec::new() };
        let zonemd = BTreeMap::from([(apex.clone(), zonemd)]);
        let plan = Plan {
            registry: None,
            files: file.into_iter().collect(),
            catalogs: Vec::new(),
            secondaries,
            zonemd,
            keys: folder.join("keys"),
        };
        let (problems, warnings) = Default::default();
        Self { folder: folder.to_owned(), apex, pipeline, plan, set: ZoneSet::new(), problems, warnings }
    }

    fn run(&mut self, scope: &Scope) {
        let set = &mut self.set;
        let report = self.pipeline.run(&self.plan, scope, NOW, |zones, _| *set = zones);
        self.problems = report.problems.iter().map(ToString::to_string).collect();
        self.warnings = report.warnings;
    }

    /// The same server after a crash: nothing is written at the end that is not written anyway.
    fn restarted(self) -> Self {
        let Self { folder, apex, plan, pipeline, .. } = self;
        drop(pipeline);
        let (pipeline, lost) = Pipeline::open(Journal::open(&folder.join("state")).expect("free"));
        assert!(lost.is_empty(), "{lost:?}");
        let mut world = Self { folder, apex, pipeline, plan, set: ZoneSet::new(), problems: Vec::new(), warnings: Vec::new() };
        world.run(&Scope::Start);
        world
    }

    fn zone(&self) -> Option<&Arc<Zone>> {
        self.set.get(self.apex.as_ref())
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.join("zone"), text).expect("written");
    }

    fn lacks(&self) -> bool {
        !self.pipeline.lacking_digests(&self.plan).is_empty()
    }

    fn job(&self) -> DigestJob {
        self.pipeline.digest_job(&self.plan, &self.apex, NOW).expect("it is to have one")
    }

    /// Gives the result back; true if it was taken.
    fn digested(&mut self, done: Digested) -> bool {
        let set = &mut self.set;
        let published = self.pipeline.digested(done, NOW, |zones, _| *set = zones).unwrap_or_else(|problem| panic!("{problem}"));
        assert!(published.as_ref().is_none_or(|published| published.why == Why::Digest));
        published.is_some()
    }

    /// What is served verifies, and has a digest that is right, or lacks it and is told to.
    #[track_caller]
    fn check(&self, what: &str) -> bool {
        let zone = self.zone().expect("served");
        let mut records = zone.records();
        records.sort();
        let good = sign::verify(&records, zone.apex(), &[], NOW, 0).unwrap_or_else(|faults| panic!("{what}: {}", faults[0]));
        assert_eq!(sign::check_zonemd(&records, zone.apex(), zone.serial().0), Ok(good.zonemd), "{what}");
        assert_eq!((good.zonemd == 0, good.zonemd < 2), (self.lacks(), true), "{what}");
        good.zonemd == 1
    }
}

/// An infrastructure of many names, most of them delegations without signatures.
fn text(names: &BTreeSet<u32>, serial: u32) -> String {
    let mut text = format!("$ORIGIN big.example.\n@ 3600 SOA ns h {serial} 3600 600 86400 60\n@ 3600 NS ns\nns 3600 A 192.0.2.1\n");
    for n in names {
        let _ = match n % 50 {
            0 => writeln!(text, "n{n} 300 TXT \"{n}\""),
            1 => writeln!(text, "n{n} 300 NS ns{n}.example.net.\nn{n} 300 DS 1 13 2 {:064x}", n),
            _ => writeln!(text, "n{n} 300 NS ns{}.example.net.\nn{n} 300 NS ns.example.org.", n % 7),
        };
    }
    text
}

/// Random changes by clients and in the file, merges, crashes and digests that come too late: no version has a digest of another, and once
/// nothing changes any more there is one.
fn changes_and_digests(n_names: u32, denial: Denial, is_dynamic: bool, seed: u64) {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().expect("dir");
    std::fs::create_dir(dir.path().join("keys")).expect("made");
    let policy = Policy { algorithm: Algorithm::Ed25519, denial, zonemd: true, csk: true, ..Policy::default() };
    let mut names: BTreeSet<u32> = (0..n_names).collect();
    let mut world = World::new(dir.path(), "big.example", Some((Some(policy), is_dynamic)), Zonemd::Off);
    world.write(&text(&names, 1));
    world.run(&Scope::Start);
    assert_eq!(world.problems, [""; 0]);
    assert!(world.check("at the start"), "what is signed whole has its digest at once");
    let is_small = n_names < 1000;
    let (mut late, mut n_followed, mut n_late, mut n_urgent) = (None::<Digested>, 0, 0, 0);
    for step in 0..40 {
        let before = world.zone().expect("served").serial();
        match rng.u8(..8) {
            0..4 => {
                let number = rng.u32(..n_names * 2);
                if !names.remove(&number) {
                    names.insert(number);
                }
                if is_dynamic {
                    let (old, new) = (read(&text(&[number].into(), 1), "big.example"), read(&text(&BTreeSet::new(), 1), "big.example"));
                    let (old, new) = if names.contains(&number) { (new, old) } else { (old, new) };
                    let World { pipeline, plan, set, .. } = &mut world;
                    let change = |_: &Zone| Ok::<_, String>(Diff::between(&old, &new));
                    pipeline.update(plan, &name("big.example"), change, NOW, |zones, _| *set = zones).expect("changed");
                } else {
                    // The serial of the file falls behind, as digests have their own.
                    world.write(&text(&names, 1));
                    world.run(&Scope::All);
                    assert_eq!(world.problems, [""; 0]);
                }
                assert!(world.zone().expect("served").serial().is_newer_than(before));
                n_urgent += usize::from(world.lacks());
                assert_ne!(world.lacks(), is_small, "step {step}");
            }
            4 => late = world.lacks().then(|| world.job().carry_out(NOW)),
            5 => {
                if let Some(done) = late.take() {
                    let (lacked, serial) = (world.lacks(), world.zone().expect("served").serial());
                    let is_taken = world.digested(done);
                    assert!(!is_taken || lacked && !world.lacks());
                    assert_eq!(world.zone().expect("served").serial(), if is_taken { serial.next() } else { serial });
                    n_late += usize::from(!is_taken);
                    n_followed += usize::from(is_taken);
                }
            }
            6 => {
                let lacked = world.lacks();
                late = None;
                let serial = world.zone().expect("served").serial();
                world = world.restarted();
                assert_eq!((world.lacks(), world.zone().expect("served").serial()), (lacked, serial), "a start makes nothing anew");
            }
            _ => {
                for job in world.pipeline.due_upkeep(&Touched::All) {
                    let set = &mut world.set;
                    let problems = world.pipeline.upkept(job.carry_out(), |zones, _| *set = zones);
                    assert!(problems.is_empty(), "{problems:?}");
                }
            }
        }
        world.check(&format!("step {step}"));
    }
    while world.lacks() {
        let job = world.job();
        assert!(world.digested(job.carry_out(NOW)));
    }
    assert!(world.check("at the end"));
    println!("{n_urgent} without, {n_followed} followed, {n_late} too late");
    assert!(is_small || n_urgent > 4 && n_followed + n_late > 0);
    // What is renewed as a whole has its digest at once, and who turns the policy off has none.
    let World { pipeline, plan, set, .. } = &mut world;
    let later = UnixTime(NOW.0 + 11 * 86400);
    let report = pipeline.run(plan, &Scope::Timer, later, |zones, _| *set = zones);
    assert_eq!(report.published.iter().map(|published| published.why).collect::<Vec<_>>(), [Why::Refresh]);
    assert!(!world.lacks());
    if !is_dynamic {
        world.plan.files[0].policy.as_mut().expect("signed").zonemd = false;
        let mut world = world.restarted();
        assert!(world.zone().expect("served").apex_node().set(Rtype::ZONEMD).is_none());
        world.plan.files[0].policy.as_mut().expect("signed").zonemd = true;
        world.run(&Scope::All);
        assert!(world.check("made again"));
    }
}

#[test]
fn digests_follow_changes_by_clients() {
    changes_and_digests(2700, Denial::NSEC3_OPT_OUT, true, 20_261_122);
}

#[test]
fn digests_follow_changes_of_the_file() {
    changes_and_digests(2700, Denial::NSEC3_OPT_OUT, false, 20_261_123);
}

#[test]
fn digests_follow_in_a_zone_with_nsec() {
    changes_and_digests(1300, Denial::Nsec, true, 20_261_124);
}

#[test]
fn small_zones_have_their_digest_at_once() {
    changes_and_digests(100, Denial::NSEC3, true, 20_261_125);
    changes_and_digests(100, Denial::Nsec, false, 20_261_126);
}

/// Keys that are gone cost the digest alone.
#[test]
fn a_digest_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::create_dir(dir.path().join("keys")).expect("made");
    let policy = Policy { algorithm: Algorithm::Ed25519, zonemd: true, ..Policy::default() };
    let mut world = World::new(dir.path(), "big.example", Some((Some(policy), false)), Zonemd::Off);
    let names: BTreeSet<u32> = (0..2700).collect();
    world.write(&text(&names, 1));
    world.run(&Scope::Start);
    world.write(&text(&(0..2699).collect(), 1));
    world.run(&Scope::All);
    let keys = dir.path().join("keys");
    std::fs::rename(&keys, dir.path().join("away")).expect("moved");
    std::fs::create_dir(&keys).expect("made");
    let done = world.job().carry_out(NOW);
    let problem = world.pipeline.digested(done, NOW, |_, _| panic!("nothing changes")).expect_err("made");
    assert!(problem.what.contains("it is served without one: its keys are gone"), "{problem}");
    assert!(world.pipeline.problems().contains_key(&world.apex) && world.lacks());
    std::fs::remove_dir(&keys).expect("removed");
    std::fs::rename(dir.path().join("away"), &keys).expect("moved");
    let done = world.job().carry_out(NOW);
    assert!(world.digested(done) && world.check("with its keys") && world.pipeline.problems().is_empty());
}

/// The zones of RFC 8976 appendix A, without what is not in the zone.
fn appendix(i: usize) -> (&'static str, Records) {
    let (file, apex) = [
        ("rfc8976-a1.zone", "example."),
        ("rfc8976-a2.zone", "example."),
        ("rfc8976-a3.zone", "example."),
        ("rfc8976-a4.zone", "uri.arpa."),
        ("rfc8976-a5.zone", "root-servers.net."),
    ][i];
    let path = format!("{}/tests/zones/{file}", env!("CARGO_MANIFEST_DIR"));
    let origin = name(apex);
    let text = std::fs::read_to_string(path).expect("the zone");
    let mut records = master::scan(text.as_bytes(), file, &master::Options::new(origin.as_ref()), &mut |_, _| Err("none".into()))
        .unwrap_or_else(|error| panic!("{error}"));
    records.retain(|record| record.owner.is_at_or_below(origin.as_ref()));
    records.sort();
    (apex, records)
}

fn as_text(records: &Records) -> String {
    let mut text = Vec::new();
    master::write(records, 1, &mut text).expect("written");
    String::from_utf8(text).expect("text")
}

/// What comes of a zone whose digest is asked for, from a primary and from a file: nothing, a note, or why it is not served.
#[track_caller]
fn judge(apex: &str, records: &Records, expected: Result<(), &str>) {
    for (zonemd, is_off) in [(Zonemd::Off, true), (Zonemd::Warn, false), (Zonemd::Require, false)] {
        let dir = tempfile::tempdir().expect("dir");
        let mut secondary = World::new(dir.path(), apex, None, zonemd);
        secondary.run(&Scope::Start);
        let put = secondary.pipeline.put(&name(apex), Version::Whole(records.clone()), zonemd, NOW);
        secondary.set = secondary.pipeline.served().0;
        let dir = tempfile::tempdir().expect("dir");
        let mut primary = World::new(dir.path(), apex, Some((None, false)), zonemd);
        primary.write(&as_text(records));
        primary.run(&Scope::Start);
        match expected {
            Err(why) if zonemd == Zonemd::Require => {
                let Err(NotTaken::Refused(what)) = put else { panic!("taken") };
                assert!(what.starts_with(&format!("ZONEMD: {why}")) && secondary.zone().is_none(), "{what}");
                assert!(
                    primary.zone().is_none() && primary.problems[0].contains(&format!("/zone': ZONEMD: {why}")),
                    "{:?}",
                    primary.problems
                );
            }
            _ => {
                let notes = put.expect("taken").1;
                let told: Vec<String> = expected.err().filter(|_| !is_off).map(|why| format!("ZONEMD: {why}")).into_iter().collect();
                let is_told = |notes: &[String]| notes.len() == told.len() && notes.iter().zip(&told).all(|(a, b)| a.contains(b.as_str()));
                assert!(is_told(&notes) && is_told(&secondary.pipeline.live()[&name(apex)].notes), "{notes:?}");
                assert!(is_told(&primary.warnings) && is_told(&primary.pipeline.live()[&name(apex)].notes), "{:?}", primary.warnings);
                assert!(secondary.zone().is_some() && primary.zone().is_some(), "{:?}", primary.problems);
                assert_eq!(primary.pipeline.live()[&name(apex)].proven, !is_off && expected.is_ok());
            }
        }
    }
}

#[test]
fn the_zones_of_rfc_8976_are_proven() {
    (0..5).map(appendix).for_each(|(apex, records)| judge(apex, &records, Ok(())));
}

#[test]
fn what_is_asked_of_a_digest() {
    let (apex, zone) = appendix(0);
    let digest = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
    let wrong = digest.replace("c6", "c7");
    let with = |lines: &str| {
        let mut records = zone.clone();
        records.retain(|record| record.rtype != Rtype::ZONEMD);
        let soa = "@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n";
        let mut added = read(&format!("$ORIGIN example.\n{soa}{lines}"), apex);
        added.retain(|record| record.rtype == Rtype::ZONEMD);
        records.merge(added).expect("room");
        records
    };
    let kind = |serial: u32, scheme: u8, hash: u8, digest: &str| format!("@ 86400 ZONEMD {serial} {scheme} {hash} {digest}\n");
    let good = kind(2018031900, 1, 1, digest);
    judge(apex, &with(&good), Ok(()));
    judge(apex, &with(""), Err("there is none at the apex"));
    judge(apex, &with(&kind(2018031900, 1, 1, &wrong)), Err("the digest is not that of the zone"));
    judge(apex, &with(&kind(2018031901, 1, 1, digest)), Err("the digest is for serial 2018031901, not for the zone's"));
    // RFC 8976 §4: what is not known proves nothing, and one that is right is enough.
    let unknown = kind(2018031900, 1, 240, "e2d523f654b9422a96c5a8f44607bbee");
    judge(apex, &with(&unknown), Err("there is one of scheme 1 and hash 240, only scheme 1"));
    judge(apex, &with(&kind(2018031900, 240, 1, "e2d523f654b9422a96c5a8f44607bbee")), Err("there is one of scheme 240 and hash 1"));
    judge(apex, &with(&format!("{good}{unknown}")), Ok(()));
    judge(apex, &with(&format!("{good}{}", kind(2018031900, 1, 2, &wrong.repeat(2)[..128]))), Ok(()));
    // Two of a kind prove nothing, though one is right.
    let twice = format!("{good}{}", kind(2018031900, 1, 1, &wrong));
    judge(apex, &with(&twice), Err("two digests of one scheme and hash; the digest is not that of the zone"));
}

/// A digest is over the records as they were sent, whatever their TTLs are levelled to here.
#[test]
fn ttls_count_as_they_are_sent() {
    let text = |digest: &str| {
        format!(
            "$ORIGIN example.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\nns 60 A 192.0.2.1\nns 120 A 192.0.2.2\n@ 60 ZONEMD 1 1 1 {digest}\n"
        )
    };
    // By ldns-zone-digest's rule: each record with its own TTL; made here by the signer's code, whose TTLs are level.
    let zone = read(&text(&"00".repeat(48)), "example");
    let digest = mixed_digest(&zone);
    judge("example", &read(&text(&digest), "example"), Ok(()));
}

/// SHA-384 over each record in canonical form (RFC 8976 §3.3), by other code than ours.
fn mixed_digest(zone: &Records) -> String {
    use sha2::Digest as _;
    let mut hash = sha2::Sha384::new();
    for record in zone.iter().filter(|record| record.rtype != Rtype::ZONEMD) {
        hash.update(record.owner.as_wire());
        hash.update(record.rtype.0.to_be_bytes());
        hash.update([0, 1]);
        hash.update(record.ttl.to_be_bytes());
        hash.update((record.rdata.len() as u16).to_be_bytes());
        hash.update(record.rdata);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// A zone in a version, with a digest that is right, or wrong where `spoil` says so.
fn version(serial: u32, host: u8, spoil: bool) -> Records {
    let mut zone = read(&format!("$ORIGIN example.\n@ 60 SOA ns h {serial} 1 1 1 60\n@ 60 NS ns\nns 60 A 192.0.2.{host}\n"), "example");
    let digest = if spoil { "11".repeat(48) } else { mixed_digest(&zone) };
    let rdata = [&serial.to_be_bytes()[..], &[1, 1], &data_encoding::HEXLOWER.decode(digest.as_bytes()).expect("hex")].concat();
    zone.push(name("example").as_ref(), Rtype::ZONEMD, 60, &rdata).expect("room");
    zone.sort();
    zone
}

#[test]
fn changes_are_judged_and_what_is_asked_for_later_counts() {
    let dir = tempfile::tempdir().expect("dir");
    let mut world = World::new(dir.path(), "example", None, Zonemd::Require);
    world.run(&Scope::Start);
    let put = |world: &mut World, version: Version, zonemd: Zonemd| {
        let put = world.pipeline.put(&name("example"), version, zonemd, NOW).map(drop);
        world.set = world.pipeline.served().0;
        put
    };
    let change = |from: &Records, to: &Records| Version::Changes(vec![Diff::between(from, to)]);
    let one = version(1, 1, false);
    put(&mut world, Version::Whole(one.clone()), Zonemd::Require).expect("taken");
    let two = version(2, 2, false);
    put(&mut world, change(&one, &two), Zonemd::Require).expect("taken");
    // What is here may be wrong: the zone is asked for as a whole. What the primary leaves out is no reason to.
    let three = version(3, 3, true);
    assert!(matches!(put(&mut world, change(&two, &three), Zonemd::Require), Err(NotTaken::DoesNotFit(_))));
    let mut without = version(3, 3, false);
    without.retain(|record| record.rtype != Rtype::ZONEMD);
    assert!(matches!(put(&mut world, change(&two, &without), Zonemd::Require), Err(NotTaken::Refused(_))));
    assert_eq!(world.zone().expect("served").serial().0, 2);
    // A start takes what was proven for proven; what comes while nobody asks is not, also after a crash.
    let mut world = world.restarted();
    assert!(world.zone().is_some() && world.pipeline.live()[&name("example")].proven);
    world.plan.zonemd.clear();
    put(&mut world, change(&two, &three), Zonemd::Off).expect("taken");
    world.plan.zonemd.insert(name("example"), Zonemd::Require);
    let mut world = world.restarted();
    assert!(world.zone().is_none() && world.problems[0].contains("the digest is not that of the zone"), "{:?}", world.problems);
    // Neither a primary that confirms it nor a merge beside the work nor the timer brings it back.
    let set = &mut world.set;
    world.pipeline.confirm(&name("example"), NOW, UnixTime(NOW.0 + 9), |zones, _| *set = zones);
    world.run(&Scope::Timer);
    assert!(world.zone().is_none());
    // To be told is enough; then it is asked for again.
    world.plan.zonemd.insert(name("example"), Zonemd::Warn);
    world.run(&Scope::All);
    assert!(world.zone().is_some() && world.warnings[0].contains("it is served nonetheless"), "{:?}", world.warnings);
    world.plan.zonemd.insert(name("example"), Zonemd::Require);
    world.run(&Scope::All);
    assert!(world.zone().is_none() && world.pipeline.problems().contains_key(&name("example")));
    // The next version that is right is served.
    let four = version(4, 4, false);
    put(&mut world, change(&three, &four), Zonemd::Require).expect("taken");
    assert!(world.zone().is_some() && world.pipeline.problems().is_empty());
}

/// A file is judged before it is served or signed; one that was served before stays if it was good.
#[test]
fn files_are_judged_when_they_are_read() {
    for policy in [None, Some(Policy { algorithm: Algorithm::Ed25519, ..Policy::default() })] {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir(dir.path().join("keys")).expect("made");
        let mut world = World::new(dir.path(), "example", Some((policy.clone(), false)), Zonemd::Require);
        world.write(&as_text(&version(1, 1, false)));
        world.run(&Scope::Start);
        assert_eq!(world.problems, [""; 0]);
        world.write(&as_text(&version(2, 2, true)));
        world.run(&Scope::All);
        assert!(
            world.problems[0].contains("the digest is not that of the zone") && world.problems[0].ends_with("the zone served before stays")
        );
        assert_eq!(world.zone().expect("served").serial().0, 1);
        // Asked for only after it was taken.
        world.plan.zonemd.clear();
        world.run(&Scope::All);
        assert_eq!((world.zone().expect("served").serial().0, world.problems.len()), (2, 0));
        world.plan.zonemd.insert(name("example"), Zonemd::Require);
        let mut world = world.restarted();
        assert!(world.zone().is_none() && world.problems[0].ends_with("queries get SERVFAIL"), "{:?}", world.problems);
        world.write(&as_text(&version(3, 3, false)));
        world.run(&Scope::All);
        assert_eq!((world.zone().expect("served").serial().0, world.problems.len()), (3, 0));
        let world = world.restarted();
        assert_eq!((world.zone().expect("served").serial().0, world.problems.len()), (3, 0));
    }
}
