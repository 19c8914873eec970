//! Clients change zones by UPDATE: those who may, only where zones are changed so, and what they changed stays. RFC 2136.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::house::House;
use super::peers::find_all;
use super::transfers::keys;
use super::{ZONE, zone_table};

const SECRET: &str = "bm9ib2R5IGtub3dzIHRoaXMgb25lIGJ1dCB1cw==";
const UPDATED: &str = "allow-update = [{ prefix = \"127.0.0.0/8\", key = \"xfr\" }]\n";

/// Runs a client of the `nsupdate` family with these commands.
pub fn run(program: &Path, arguments: &[&str], server: SocketAddr, key: Option<&str>, zone: &str, commands: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client");
    let key = key.map_or(String::new(), |secret| format!("key hmac-sha256:xfr {secret}\n"));
    let text = format!("server {} {}\n{key}zone {zone}\n{commands}\nsend\nanswer\n", server.ip(), server.port());
    child.stdin.take().expect("open").write_all(text.as_bytes()).expect("written");
    child.wait_with_output().expect("ended")
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn txt(house: &House, name: &str) -> Vec<String> {
    house.ask(name, RecordType::TXT).answers.iter().map(|record| record.data.to_string()).collect()
}

#[test]
fn real_clients_change_a_zone_that_is_signed_here() {
    let Some([nsupdate, knsupdate, verify]) = find_all(["nsupdate", "knsupdate", "ldns-verify-zone"]) else { return };
    let policy = "[policy.fast]\nalgorithm = \"ed25519\"\ndenial = \"nsec3\"\n";
    let allowed = "allow-transfer = [{ prefix = \"127.0.0.0/8\" }]\n";
    let mut house =
        House::new(&format!("{}{}{policy}", zone_table("example.org.", &format!("sign = \"fast\"\n{UPDATED}{allowed}")), keys()));
    house.write("example.org.zone", ZONE);
    house.start();
    let server = house.addresses()[0];
    let first = house.serial("example.org");
    let mut serial = first;
    // By UDP and by TCP, of two makes; what is answered with NOERROR is served by then.
    for (program, arguments, owner) in
        [(&nsupdate, &[][..], "a"), (&nsupdate, &["-v"], "b.c"), (&knsupdate, &[], "d"), (&knsupdate, &["-v"], "*.e")]
    {
        let output =
            run(program, arguments, server, Some(SECRET), "example.org", &format!("update add {owner}.example.org 60 TXT \"{owner}\""));
        assert!(output.status.success(), "{}: {}", program.display(), said(&output));
        assert_eq!(txt(&house, &format!("{owner}.example.org")), [owner], "{}", said(&output));
        serial += 1;
        assert_eq!(house.serial("example.org"), serial);
    }
    house.wait_for(&format!("[example.org.] update of 127.0.0.1, key xfr., serial {first} -> {}, 1 record added, 0 removed, ", first + 1));
    // What is not so, or not to be changed, is told with its code, and nothing has changed.
    for (commands, code) in [
        ("prereq nxdomain a.example.org\nupdate add f.example.org 60 TXT f", "YXDOMAIN"),
        ("prereq yxdomain nobody.example.org\nupdate add f.example.org 60 TXT f", "NXDOMAIN"),
        ("prereq yxrrset www.example.org A 192.0.2.99\nupdate add f.example.org 60 TXT f", "NXRRSET"),
        ("prereq nxrrset www.example.org A\nupdate add f.example.org 60 TXT f", "YXRRSET"),
        ("update add example.net 60 TXT f", "NOTZONE"),
        ("update add f.example.org 60 TXT f\nupdate delete example.org NSEC3PARAM", "REFUSED"),
    ] {
        let output = run(&nsupdate, &[], server, Some(SECRET), "example.org", commands);
        assert!(said(&output).contains(code), "{commands}: {}", said(&output));
        assert_eq!((house.serial("example.org"), house.rcode("f.example.org")), (serial, ResponseCode::NXDomain), "{commands}");
    }
    // Several at once are one version, or none.
    let many = "update delete a.example.org\nupdate delete www.example.org A\nupdate add www.example.org 60 A 192.0.2.7\nupdate add g.example.org 60 NS ns.g.example.org\nupdate add ns.g.example.org 60 A 192.0.2.8";
    let output = run(&nsupdate, &[], server, Some(SECRET), "example.org", many);
    assert!(output.status.success(), "{}", said(&output));
    serial += 1;
    assert_eq!((house.serial("example.org"), house.rcode("a.example.org")), (serial, ResponseCode::NXDomain));
    assert_eq!(house.ask("h.g.example.org", RecordType::A).authorities.len(), 1, "a referral");
    // It stays, through a reload that finds another file, and through a power cut.
    house.write("example.org.zone", &ZONE.replace("192.0.2.2", "192.0.2.222"));
    house.tool_ok(&["server", "reload"]);
    house.kill();
    house.start();
    assert_eq!((house.serial("example.org"), txt(&house, "d.example.org")), (serial, vec!["d".to_owned()]));
    // All of it verifies, by the judgement of another.
    house.write("dumped", &house.tool_ok(&["zone", "dump", "example.org"]));
    let output = Command::new(&verify).arg(house.path("dumped")).output().expect("ldns-verify-zone");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn zones_that_are_made_otherwise_are_not_changed_by_clients() {
    let Some([nsupdate]) = find_all(["nsupdate"]) else { return };
    let elsewhere = "[[zone]]\nname = \"elsewhere.example\"\nprimaries = [{ address = \"127.0.0.1:9\" }]\n";
    let rest = format!("{}{}{elsewhere}{}", zone_table("example.org.", UPDATED), zone_table("file.example.", ""), keys());
    let mut house = House::with_export(&rest);
    house.write("example.org.zone", ZONE);
    house.write("file.example.zone", ZONE);
    house.start();
    let server = house.addresses()[0];
    for (zone, key, code, reason) in [
        ("com.vn", Some(SECRET), "REFUSED", "the zone is compiled from the registry's exports"),
        ("hanoi.vn", Some(SECRET), "REFUSED", "[hanoi.vn.] update refused, of 127.0.0.1, key xfr.: the zone is compiled"),
        ("elsewhere.example", Some(SECRET), "REFUSED", "the zone is had from primaries; send the update to one of them"),
        ("file.example", Some(SECRET), "REFUSED", "the zone is what its file says, or the configuration"),
        ("example.net", Some(SECRET), "NOTAUTH", ""),
        ("example.org", Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), "BADSIG", ""),
        ("example.org", None, "REFUSED", ""),
        ("com.vn", None, "REFUSED", ""),
    ] {
        let before = if code == "NOTAUTH" || zone == "elsewhere.example" { 0 } else { house.serial(zone) };
        let output = run(&nsupdate, &[], server, key, zone, &format!("update add new.{zone} 60 A 192.0.2.66"));
        assert!(!output.status.success() && said(&output).contains(code), "{zone}: {}", said(&output));
        house.wait_for(reason);
        assert!(before == 0 || house.serial(zone) == before, "{zone}");
        assert!(house.ask(&format!("new.{zone}"), RecordType::A).answers.is_empty(), "{zone}");
    }
    // Who has no key is not worth a line each: machines do that by themselves.
    assert_eq!(house.read("err").matches("update refused").count(), 4, "{}", house.read("err"));
}

/// Another minimum of the SOA is another TTL of every NSEC3 record (RFC 9077): all is signed anew, in one step that secondaries can follow.
#[test]
fn a_change_of_the_minimum_signs_the_zone_anew() {
    let Some([nsupdate, verify]) = find_all(["nsupdate", "ldns-verify-zone"]) else { return };
    for denial in ["nsec", "nsec3"] {
        let policy = format!("[policy.fast]\nalgorithm = \"ed25519\"\ndenial = \"{denial}\"\n");
        let mut house = House::new(&format!("{}{}{policy}", zone_table("example.org.", &format!("sign = \"fast\"\n{UPDATED}")), keys()));
        house.write("example.org.zone", ZONE);
        house.start();
        let serial = house.serial("example.org");
        let soa = format!("update add example.org 3600 SOA ns.example.org. mail.example.org. {} 3600 600 86400 77", serial + 5);
        let output =
            run(&nsupdate, &[], house.addresses()[0], Some(SECRET), "example.org", &format!("{soa}\nupdate add a.example.org 60 TXT a"));
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!((house.serial("example.org"), txt(&house, "a.example.org")), (serial + 5, vec!["a".to_owned()]));
        for last in ["dumped", "dumped again"] {
            let dump = house.tool_ok(&["zone", "dump", "example.org"]);
            let fields = dump.lines().map(|line| line.split_whitespace().filter(|field| *field != "IN").collect::<Vec<_>>());
            let links: Vec<Vec<&str>> =
                fields.filter(|fields| fields.get(2).is_some_and(|rtype| rtype.eq_ignore_ascii_case(denial))).collect();
            assert!(links.len() >= 3 && links.iter().all(|fields| fields[1] == "77"), "{dump}");
            house.write(last, &dump);
            let output = Command::new(&verify).arg(house.path(last)).output().expect("ldns-verify-zone");
            assert!(output.status.success(), "{}", said(&output));
            // It stays through a power cut, and changes go on from there.
            house.kill();
            house.start();
            let output = run(
                &nsupdate,
                &[],
                house.addresses()[0],
                Some(SECRET),
                "example.org",
                &format!("update add {}.example.org 60 TXT b", last.len()),
            );
            assert!(output.status.success(), "{}", said(&output));
        }
    }
}

/// A zone that clients have changed is taken out and comes back, is given back to its file, is signed and no longer signed: nothing is lost unasked.
#[test]
fn what_clients_have_changed_outlives_its_configuration() {
    let Some([nsupdate, verify]) = find_all(["nsupdate", "ldns-verify-zone"]) else { return };
    let policy = "[policy.fast]\nalgorithm = \"ed25519\"\n";
    let with = |rest: &str| format!("{}{policy}{}", zone_table("example.org.", rest), keys());
    let without = format!("{}{policy}{}", zone_table("other.example.", ""), keys());
    let mut house = House::new(&with(UPDATED));
    house.write("example.org.zone", ZONE);
    house.write("other.example.zone", ZONE);
    house.start();
    let add = |house: &House, name: &str| {
        let add = format!("update add {name}.example.org 60 TXT {name}");
        let output = run(&nsupdate, &[], house.addresses()[0], Some(SECRET), "example.org", &add);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(txt(house, &format!("{name}.example.org")), [name]);
    };
    let reload = |house: &House, rest: &str| {
        house.configure(rest);
        house.tool(&["server", "reload"])
    };
    add(&house, "a");
    // Out and in again, with a start between them and without.
    for is_restarted in [false, true] {
        let serial = house.serial("example.org");
        let output = reload(&house, &without);
        let kept = format!("[example.org.] what clients have made of it, serial {serial}, is kept, and is there again with the zone");
        assert!(output.status.success() && said(&output).contains(&kept), "{}", said(&output));
        assert_eq!(house.rcode("a.example.org"), ResponseCode::Refused);
        if is_restarted {
            house.kill();
            house.start();
        }
        let output = reload(&house, &with(UPDATED));
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!((house.serial("example.org"), txt(&house, "a.example.org")), (serial, vec!["a".to_owned()]));
        add(&house, if is_restarted { "c" } else { "b" });
    }
    // Signed, and no longer: nothing of the signer stays, and clients go on.
    let serial = house.serial("example.org");
    assert!(reload(&house, &with(&format!("sign = \"fast\"\n{UPDATED}"))).status.success());
    add(&house, "d");
    house.write("dumped", &house.tool_ok(&["zone", "dump", "example.org"]));
    assert!(Command::new(&verify).arg(house.path("dumped")).status().expect("ldns-verify-zone").success());
    let output = reload(&house, &with(UPDATED));
    assert!(output.status.success(), "{}", said(&output));
    let dump = house.tool_ok(&["zone", "dump", "example.org"]);
    for rtype in ["RRSIG", "NSEC", "DNSKEY"] {
        assert!(!dump.contains(rtype), "{dump}");
    }
    assert_eq!(house.serial("example.org"), serial + 3);
    add(&house, "e");
    // The file would undo all of it.
    let serial = house.serial("example.org");
    for _ in 0..2 {
        let output = reload(&house, &with(""));
        let refused = format!("clients have changed it up to serial {serial}, which '");
        assert!(!output.status.success() && said(&output).contains(&refused), "{}", said(&output));
        assert_eq!((house.serial("example.org"), txt(&house, "a.example.org")), (serial, vec!["a".to_owned()]));
        house.stop();
        house.start();
    }
    // With the zone in it, it is the zone again, and is edited from then on.
    let dump = house.tool_ok(&["zone", "dump", "example.org"]);
    house.write("example.org.zone", &dump);
    let output = reload(&house, &with(""));
    assert!(output.status.success(), "{}", said(&output));
    house.write("example.org.zone", &dump.replace("192.0.2.2", "192.0.2.3").replace(&serial.to_string(), &(serial + 1).to_string()));
    let output = reload(&house, &with(""));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(house.serial("example.org"), serial + 1);
}

/// A crash in the midst of the first versions loses nothing, for nothing was published; what was published and is gone is told.
#[test]
fn what_was_never_published_is_not_missed() {
    let Some([nsupdate]) = find_all(["nsupdate"]) else { return };
    let mut house = House::new(&format!("{}{}", zone_table("example.org.", UPDATED), keys()));
    house.write("example.org.zone", ZONE);
    house.start();
    house.stop();
    // As it is before the state names the snapshot.
    std::fs::remove_file(house.path("var/state")).expect("there");
    std::fs::remove_file(house.path("var/state.amendments")).expect("there");
    assert!(house.path("var/zones/example.org.7.snapshot").exists());
    house.start();
    let add = |house: &House, name: &str| {
        let output =
            run(&nsupdate, &[], house.addresses()[0], Some(SECRET), "example.org", &format!("update add {name}.example.org 60 TXT {name}"));
        assert!(output.status.success(), "{}", said(&output));
    };
    let serial = house.serial("example.org");
    add(&house, "a");
    assert_eq!(house.serial("example.org"), serial + 1);
    house.kill();
    house.start();
    assert_eq!((house.serial("example.org"), txt(&house, "a.example.org")), (serial + 1, vec!["a".to_owned()]));
    house.kill();
    let log = house.path("var/journal/example.org.log");
    let [kept, aside] = ["kept", "aside"].map(|name| house.path(name));
    std::fs::rename(&log, &kept).expect("there");
    house.start();
    assert_eq!(house.rcode("example.org"), ResponseCode::ServFail);
    house.wait_for("[example.org.] the log of its changes is gone");
    // The file can be served meanwhile, and clients change it from then on.
    for rest in ["", UPDATED] {
        house.configure(&format!("{}{}", zone_table("example.org.", rest), keys()));
        house.tool_ok(&["server", "reload"]);
        assert_eq!(house.rcode("example.org"), ResponseCode::NoError);
    }
    add(&house, "b");
    house.kill();
    std::fs::remove_file(&log).expect("there");
    house.start();
    assert_eq!(house.rcode("example.org"), ResponseCode::ServFail);
    house.kill();
    // Nor is a log of other changes taken for it, nor are the changes forgotten with the state.
    std::fs::rename(&kept, &log).expect("there");
    std::fs::rename(house.path("var/state"), &aside).expect("there");
    // And it stays so until somebody does what the log says.
    for _ in 0..3 {
        house.start();
        assert_eq!(house.rcode("example.org"), ResponseCode::ServFail);
        house.wait_for("is older: bring back the state from a backup, or");
        house.kill();
    }
    for (path, _) in super::house::files(&house.path("var/zones")) {
        std::fs::remove_file(path).expect("there");
    }
    house.start();
    assert_eq!(house.rcode("example.org"), ResponseCode::NoError);
}

/// From clients to the file and back, with starts between.
#[test]
fn a_zone_goes_between_clients_and_its_file() {
    let Some([nsupdate]) = find_all(["nsupdate"]) else { return };
    let with = |rest: &str| format!("{}{}", zone_table("example.org.", rest), keys());
    let mut house = House::new(&with(UPDATED));
    let file = |serial: u32| ZONE.replace(" 7 ", &format!(" {serial} "));
    house.write("example.org.zone", &file(7));
    house.start();
    let output = run(&nsupdate, &[], house.addresses()[0], Some(SECRET), "example.org", "update add a.example.org 60 TXT a");
    assert!(output.status.success(), "{}", said(&output));
    house.write("example.org.zone", &file(20));
    house.configure(&with(""));
    house.tool_ok(&["server", "reload"]);
    assert_eq!((house.serial("example.org"), house.rcode("a.example.org")), (20, ResponseCode::NXDomain));
    house.stop();
    house.start();
    house.configure(&with(UPDATED));
    house.tool_ok(&["server", "reload"]);
    house.stop();
    house.start();
    assert_eq!(house.serial("example.org"), 20);
    assert!(!house.read("err").contains("did not move forward"), "{}", house.read("err"));
    // What was served as it stands is kept, and is what it was.
    house.configure(&with(""));
    house.tool_ok(&["server", "reload"]);
    house.write("example.org.zone", &file(21));
    house.tool_ok(&["server", "reload"]);
    house.configure(&with("allow-transfer = [{ prefix = \"127.0.0.1\", key = \"xfr\" }]\n"));
    house.tool_ok(&["server", "reload"]);
    assert_eq!(house.serial("example.org"), 21);
    // The file is read until clients change something, also when they are let in.
    for rest in ["", UPDATED] {
        let serial = house.serial("example.org") + 5;
        house.write("example.org.zone", &file(serial));
        house.configure(&with(rest));
        house.tool_ok(&["server", "reload"]);
        assert_eq!(house.serial("example.org"), serial);
    }
}
