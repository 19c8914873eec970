//! Knot, NSD and BIND as primaries: a zone that changes a thousand times is here what it is there, by changes alone, told by NOTIFY.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use saola::answer::Face;
use saola::dns::rdata::append_canonical;
use saola::dns::{Record, Records, Serial, master};
use saola::telemetry::Telemetry;
use saola::transfer::access::{Access, Allow, Demand};
use saola::transfer::tsig::{Algorithm, Key};
use saola::transport::client::{Primary, Times};
use saola::transport::{Limits, Served, Server};
use saola::zone::ZoneSet;

use super::peers::{Peer, find_all, free_port};
use super::site::{Shelf, Site, wait_until};
use super::streams::name;

const ZONE: &str = "big.example";
const SECRET: &str = "bm9ib2R5IGtub3dzIHRoaXMgb25lIGJ1dCB1cw==";
const STEPS: u32 = 10;
const CHANGES: usize = 100;

/// The records of each name, as text.
type Model = BTreeMap<String, Vec<String>>;

/// Adds, changes or takes away one name, in so many kinds of ways.
fn change(model: &mut Model, rng: &mut fastrand::Rng, kinds: u8) {
    let owner = format!("n{}", rng.u32(..3000));
    let address = |rng: &mut fastrand::Rng| format!("192.0.2.{}", rng.u8(..));
    let records = match rng.u8(..kinds) {
        0 => {
            model.remove(&owner);
            return;
        }
        1 => (0..rng.u8(1..20)).map(|_| format!("600 A {}", address(rng))).collect(),
        4 => vec![format!("{} A {}", 60 + rng.u32(..3) * 60, address(rng)), "300 TXT \"a b\" \"C\"".into()],
        2 => vec!["3600 NS ns1.Example.net.".into(), format!("3600 NS ns.{owner}")],
        _ => vec![format!("3600 MX {} mail.{owner}", rng.u8(..)), format!("3600 CAA 0 issue \"ca{}.example\"", rng.u8(..))],
    };
    let glue = format!("ns.{owner}");
    if records[0].contains(" NS ") {
        model.insert(glue, vec![format!("3600 A {}", address(rng))]);
    } else {
        model.remove(&glue);
    }
    model.insert(owner, records);
}

fn text(model: &Model, serial: u32) -> String {
    let mut text = format!("$ORIGIN {ZONE}.\n@ 3600 SOA ns1 h {serial} 3600 600 86400 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n");
    for (owner, records) in model {
        let mut records = records.clone();
        records.sort();
        records.dedup();
        records.iter().for_each(|record| _ = writeln!(text, "{owner} {record}"));
    }
    text
}

fn read(text: &[u8]) -> Records {
    master::read_text(text, ZONE, name(ZONE).as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

/// Lines of records in canonical form: some primaries keep the case of names in RDATA, others do not.
fn lines(mut records: Records) -> Vec<String> {
    records.sort();
    records.level_ttls();
    let line = |r: Record<'_>| {
        let mut rdata = Vec::new();
        append_canonical(r.rtype, r.rdata, &mut rdata);
        format!("{} {} {} {rdata:?}", r.owner.to_lowercase(), r.ttl, r.rtype)
    };
    records.iter().map(line).collect()
}

#[track_caller]
fn check_same(ours: &[String], theirs: &[String], what: &str) {
    let differs = ours.iter().zip(theirs).find(|(a, b)| a != b);
    assert!(differs.is_none() && ours.len() == theirs.len(), "{what}: {} and {} records, {differs:?}", ours.len(), theirs.len());
}

/// What the program is called with to serve the zone to us at `us`, and to tell us.
fn primary(program: &Path, folder: &Path, port: u16, us: u16) -> Command {
    let at = folder.display();
    let make = program.file_name().and_then(|name| name.to_str()).expect("a name");
    let (text, arguments): (String, &[&str]) = match make {
        "knotd" => (
            format!(
                "server:\n  rundir: {at}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {at}\nlog:\n  - target: stderr\n    any: info\n\
                 key:\n  - id: xfr\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
                 remote:\n  - id: saola\n    address: 127.0.0.1@{us}\n    key: xfr\nacl:\n  - id: xfr\n    key: xfr\n    action: transfer\n\
                 zone:\n  - domain: {ZONE}\n    storage: {at}\n    file: zone\n    zonefile-load: difference\n    zonefile-sync: -1\n    \
                 journal-content: changes\n    notify: saola\n    acl: xfr\n"
            ),
            &["-c"],
        ),
        "nsd" => (
            format!(
                "server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{at}\"\n  \
                 pidfile: \"{at}/pid\"\n  xfrdfile: \"{at}/xfrd\"\n  zonelistfile: \"{at}/list\"\n  xfrdir: \"{at}\"\n  database: \"\"\n  \
                 rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n\
                 key:\n  name: \"xfr\"\n  algorithm: hmac-sha256\n  secret: \"{SECRET}\"\n\
                 zone:\n  name: \"{ZONE}\"\n  zonefile: \"zone\"\n  notify: 127.0.0.1@{us} xfr\n  provide-xfr: 127.0.0.0/8 xfr\n  \
                 store-ixfr: yes\n  create-ixfr: yes\n  ixfr-number: 50\n"
            ),
            &["-d", "-c"],
        ),
        _ => (
            format!(
                "options {{ directory \"{at}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{at}\";\n  \
                 listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify-delay 0;\n  \
                 notify-rate 1000; max-ixfr-ratio unlimited; }};\ncontrols {{ }};\nkey xfr {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
                 zone \"{ZONE}\" {{ type primary; file \"zone\"; ixfr-from-differences yes; notify explicit;\n  \
                 also-notify {{ 127.0.0.1 port {us} key xfr; }}; allow-transfer {{ key xfr; }}; }};\n"
            ),
            &["-g", "-n", "1", "-c"],
        ),
    };
    let file = folder.join("conf");
    std::fs::write(&file, text).expect("written");
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    if make == "knotd" {
        command.arg("-s").arg(folder.join("socket"));
    }
    command
}

/// Writes the zone where the primary finds it, as a whole.
fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("new"), text).expect("written");
    std::fs::rename(folder.join("new"), folder.join("zone")).expect("moved");
}

/// Follows a primary of this make; gives how many whole zones came, and how many changes.
#[track_caller]
fn follow(make: &str, kinds: u8) -> Option<[usize; 2]> {
    let [program, dig] = find_all([make, "dig"])?;
    let dir = tempfile::tempdir().expect("a folder");
    let mut rng = fastrand::Rng::with_seed(20_261_122);
    let mut model = Model::new();
    (0..4000).for_each(|_| change(&mut model, &mut rng, kinds));
    write(dir.path(), &text(&model, 1));

    // We answer from what the shelf gives us, and hear notices on the same port.
    let mut access = Access::default();
    let key = Key::new(name("xfr").as_ref(), Algorithm::HmacSha256, &data_encoding::BASE64.decode(SECRET.as_bytes()).expect("base64"));
    access.keys = [key.clone()].into_iter().collect();
    access
        .secondaries
        .insert(name(ZONE), vec![Allow { prefix: IpAddr::V4(Ipv4Addr::LOCALHOST).into(), key: Some(name("xfr")), tls: Demand::None }]);
    let served =
        Served { zones: Arc::default(), face: Face::default(), access: Arc::new(access), notices: Arc::default(), ..Served::default() };
    let served = Arc::new(ArcSwap::from_pointee(served));
    let server = Server::bind(&[(Ipv4Addr::LOCALHOST, 0).into()], 1, Limits::default()).expect("bound");
    let us = server.local_addrs()[0].port();
    let telemetry = Telemetry::new();
    let running = server.start(Arc::clone(&served), &telemetry).expect("started");

    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let mut peer = Peer::start(&mut primary(&program, dir.path(), address.port(), us), &dir.path().join("log"));
    peer.wait_for_soa(address, ZONE);
    let notices = Arc::clone(&served.load().notices);
    let swap = move |zone| {
        let before = served.load();
        let mut zones = ZoneSet::new();
        zones.insert(zone);
        let (face, access, notices) = (before.face.clone(), Arc::clone(&before.access), Arc::clone(&before.notices));
        Served::replace(&served, Served { zones: Arc::new(zones), face, access, notices, ..Served::default() });
    };
    let shelf = Shelf::telling(swap);
    let site = Site::with(shelf, notices, vec![(name(ZONE), vec![Primary { address, key: Some(key), tls: None }])], Times::default());
    let serial = || site.shelf.zone(&name(ZONE)).map_or(Serial(0), |zone| zone.serial());
    for step in 1..=STEPS {
        if step > 1 {
            (0..CHANGES).for_each(|_| change(&mut model, &mut rng, kinds));
            write(dir.path(), &text(&model, step));
            let begin = Instant::now();
            assert!(Command::new("kill").args(["-HUP", &peer.id().to_string()]).status().expect("kill").success());
            wait_until(&format!("serial {step}:\n{}", peer.words()), || serial() == Serial(step));
            println!("{make}: serial {step} here {} ms after the primary was told to read it", begin.elapsed().as_millis());
        } else {
            wait_until(&format!("zone:\n{}", peer.words()), || serial() == Serial(1));
        }
        let ours = lines(site.shelf.zone(&name(ZONE)).expect("here").records());
        check_same(&ours, &lines(read(text(&model, step).as_bytes())), &format!("{make}, serial {step}"));
        let at = |port: u16| ["@127.0.0.1".to_owned(), "-p".into(), port.to_string(), "-y".into(), format!("hmac-sha256:xfr:{SECRET}")];
        let theirs = Command::new(&dig).args(at(address.port())).args([ZONE, "AXFR", "+noall", "+answer", "+onesoa"]).output();
        check_same(&ours, &lines(read(&theirs.expect("dig").stdout)), &format!("{make}, serial {step}, from itself"));
        // Answered from.
        let answer = Command::new(&dig).args(at(us)).args([ZONE, "SOA", "+short"]).output().expect("dig");
        assert!(String::from_utf8_lossy(&answer.stdout).contains(&format!(" {step} ")), "{make}, serial {step}: {answer:?}");
    }
    let came = *site.shelf.came.lock().expect("whole");
    drop(peer);
    drop(site);
    running.stop(std::time::Duration::ZERO);
    Some(came)
}

/// One whole zone, and then changes.
const BY_CHANGES: Option<[usize; 2]> = Some([1, STEPS as usize - 1]);

#[test]
fn knot_is_followed() {
    let came = follow("knotd", 5);
    assert!(came.is_none() || came == BY_CHANGES, "{came:?}");
}

#[test]
fn bind_is_followed() {
    let came = follow("named", 5);
    assert!(came.is_none() || came == BY_CHANGES, "{came:?}");
}

#[test]
fn nsd_is_followed() {
    let came = follow("nsd", 2);
    assert!(came.is_none() || came == BY_CHANGES, "{came:?}");
}

/// Where several types of a name change at once, NSD 4.6 says some records twice: such changes are no changes, and the zone is fetched whole.
#[test]
fn what_nsd_says_twice_is_fetched_whole() {
    let came = follow("nsd", 5);
    assert!(came.is_none_or(|[whole, changes]| whole + changes == STEPS as usize), "{came:?}");
}
