//! Digests over zones that are signed here follow each change, and secondaries that demand one have every change nonetheless. RFC 8976.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};
use serde_json::Value;

use super::house::{House, PATIENCE, udp};
use super::peers::{Peer, find_all, free_port};
use super::transfers::{ALLOWED, keys, secondary};
use super::zone_table;

const ZONE: &str = "big.example";

/// A zone that is too large for its digest to be made with a change.
fn zone(address: u8) -> String {
    let mut text = format!("$TTL 300\n@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.{address}\n");
    (0..300).for_each(|n| (0..20).for_each(|i| _ = writeln!(text, "n{n} A 198.51.100.{i}")));
    text
}

fn signed(rest: &str) -> String {
    format!(
        "[policy.digested]\nzonemd = true\nalgorithm = \"ed25519\"\n{}",
        zone_table("big.example.", &format!("sign = \"digested\"\n{rest}"))
    )
}

/// The serial that is answered, once it is newer than `than`.
#[track_caller]
fn newer(server: SocketAddr, than: u32, words: impl Fn() -> String) -> u32 {
    let begin = Instant::now();
    loop {
        let answer = udp(server, ZONE, RecordType::SOA);
        if let Some(RData::SOA(soa)) = answer.answers.first().map(|record| &record.data)
            && soa.serial > than
        {
            return soa.serial;
        }
        assert!(begin.elapsed() < PATIENCE, "not newer than {than}: {}", words());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn has_digest(server: SocketAddr) -> bool {
    udp(server, ZONE, RecordType::Unknown(63)).answers.len() == 1
}

/// What is served has a digest, and other people's programs find it right.
#[track_caller]
fn check_dump(house: &House, programs: &[std::path::PathBuf; 2]) {
    house.write("dump", &house.tool_ok(&["zone", "dump", ZONE]));
    let [kzonecheck, ldns_verify_zone] = programs;
    let calls = [(kzonecheck, &["-o", ZONE, "-d", "on"][..]), (ldns_verify_zone, &["-ZZ"])];
    for (program, arguments) in calls {
        let output = Command::new(program).args(arguments).arg(house.path("dump")).output().expect("ran");
        assert!(output.status.success(), "{}: {output:?}", program.display());
    }
    let text = house.read("dump");
    // That they look at it: with one record changed they do not find it right.
    house.write("dump", &text.replacen("198.51.100.7", "198.51.100.77", 1));
    let output = Command::new(ldns_verify_zone).arg("-ZZ").arg(house.path("dump")).output().expect("ran");
    assert!(!output.status.success());
}

/// A change is answered at once without a digest, and a moment later with one, also after a crash in between; Knot and we ourselves as secondaries that
/// demand a digest follow.
#[test]
fn digests_follow_and_are_demanded() {
    let Some([knotd, kzonecheck, ldns_verify_zone]) = find_all(["knotd", "kzonecheck", "ldns-verify-zone"]) else { return };
    let programs = [kzonecheck, ldns_verify_zone];
    let mut house = House::new(&format!("{}{}", signed(ALLOWED), keys()));
    house.write("big.example.zone", &zone(1));
    house.start();
    let primary = house.addresses()[0];
    assert!(has_digest(primary));
    check_dump(&house, &programs);

    let port = free_port();
    let folder = house.path("knot");
    std::fs::create_dir(&folder).expect("made");
    let mut command = secondary(&knotd, &folder, port, primary, None, &[ZONE.to_owned()]);
    let conf = house.read("knot/conf").replace("  - id: default\n", "  - id: default\n    zonemd-verify: on\n");
    assert!(conf.contains("zonemd-verify"));
    house.write("knot/conf", &conf);
    let mut knot = Peer::start(&mut command, &folder.join("log"));
    let knot_at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    knot.wait_for_soa(knot_at, ZONE);
    let mut site = House::new(&format!(
        "[[zone]]\nname = \"{ZONE}\"\nprimaries = [{{ address = \"{primary}\", key = \"xfr\" }}]\nzonemd = \"require\"\n{}",
        keys()
    ));
    site.start();
    let site_at = site.addresses()[0];
    let first = newer(site_at, 0, || site.read("err"));
    assert_eq!(first, house.serial(ZONE));

    let notify =
        format!("{ALLOWED}notify = [{{ address = \"{knot_at}\", key = \"xfr\" }}, {{ address = \"{site_at}\", key = \"xfr\" }}]\n",);
    house.configure(&format!("{}{}", signed(&notify), keys()));
    house.tool_ok(&["server", "reload"]);
    let mut serial = first;
    for address in 2..6 {
        house.write("big.example.zone", &zone(address));
        house.tool_ok(&["zone", "reload", ZONE]);
        let (urgent, had) = (house.serial(ZONE), has_digest(house.addresses()[0]));
        // A slow test may come after the digest.
        assert!(if had { urgent == serial + 2 } else { urgent == serial + 1 }, "{serial}: {urgent}, {had}");
        if address == 4 && !had {
            house.kill();
            house.start();
        }
        let now = newer(house.addresses()[0], serial + 1, || house.read("err"));
        assert_eq!((now, has_digest(house.addresses()[0])), (serial + 2, true));
        house.wait_for(&format!("[{ZONE}.] publish, serial {} -> {now}, digest made, ", serial + 1));
        check_dump(&house, &programs);
        if address < 4 {
            assert_eq!(newer(knot_at, serial + 1, || knot.words()), now);
            assert_eq!(newer(site_at, serial + 1, || site.read("err")), now);
            assert_eq!(site.tool_ok(&["zone", "dump", ZONE]), house.tool_ok(&["zone", "dump", ZONE]));
        }
        serial = now;
    }
    // After a start that took up everything no digest is made anew.
    house.stop();
    house.start();
    assert!(house.read("out").contains("resumed, nothing was compiled or signed"), "{}", house.read("out"));
    assert_eq!(house.serial(ZONE), serial);
    site.stop();
    house.stop();
}

/// What a digest says of a file, by what is asked for; a reload that asks for more counts at once.
#[test]
fn a_digest_is_asked_for_in_the_configuration() {
    let zone = "$TTL 300\n@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n";
    let wrong = format!("{zone}@ ZONEMD 7 1 1 {}\n", "00".repeat(48));
    let table = |zonemd: &str| zone_table("plain.test.", &format!("zonemd = \"{zonemd}\"\n"));
    let note = |house: &House| {
        let status: Value = serde_json::from_str(&house.tool_ok(&["zone", "status", "plain.test", "--json"])).expect("JSON");
        [status[0]["note"].as_str().unwrap_or("").to_owned(), status[0]["problem"].as_str().unwrap_or("").to_owned()]
    };
    let mut house = House::new(&table("off"));
    house.write("plain.test.zone", &wrong);
    house.start();
    assert_eq!((house.rcode("plain.test"), note(&house)), (ResponseCode::NoError, [String::new(), String::new()]));
    house.configure(&table("warn"));
    house.tool_ok(&["server", "reload"]);
    let [note_told, problem] = note(&house);
    assert!(
        note_told.contains("ZONEMD: the digest is not that of the zone; it is served nonetheless") && problem.is_empty(),
        "{note_told}"
    );
    assert!(house.tool_ok(&["zone", "status", "plain.test"]).contains(&note_told));
    house.wait_for("[plain.test.] ZONEMD: the digest is not that of the zone; it is served nonetheless");
    house.configure(&table("require"));
    house.tool_refuses(&["server", "reload"], "plain.test.zone': ZONEMD: the digest is not that of the zone; get the file");
    assert_eq!(house.rcode("plain.test"), ResponseCode::ServFail);
    house.stop();
    house.start();
    assert_eq!(house.rcode("plain.test"), ResponseCode::ServFail);
    house.configure(&table("warn"));
    house.tool_ok(&["server", "reload"]);
    assert_eq!(house.rcode("plain.test"), ResponseCode::NoError);
    house.stop();
}
