//! The real `saolad` and `saola`, as an operator runs them.

mod catalogs;
mod deposit;
mod digests;
mod disks;
mod edges;
mod faults;
mod house;
mod images;
mod killed;
mod notify;
mod orders;
#[path = "../papers/mod.rs"]
mod papers;
#[path = "../peers/mod.rs"]
mod peers;
mod stale;
mod transfers;
mod updates;

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use house::{House, files, tcp, udp};

const ZONE: &str = "$TTL 300\n@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

fn zone_table(name: &str, rest: &str) -> String {
    format!("[[zone]]\nname = \"{name}\"\nfile = \"{name}zone\"\n{rest}\n")
}

#[test]
fn the_first_start_makes_keys_and_the_second_resumes() {
    let mut house = House::with_export("");
    house.start();
    let shown = house.read("out");
    assert!(shown.contains("80 zones") && shown.contains("compiled, 80 zones made"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.trim_start().starts_with("dig @127.0.0.1 -p ")).count(), 3, "{shown}");
    let keys = files(&house.path("keys"));
    assert_eq!(keys.len(), 320, "KSK and ZSK of 80 zones, two files each");
    for (path, _) in keys.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "private")) {
        assert_eq!(std::fs::metadata(path).expect("there").mode() & 0o777, 0o600, "{}", path.display());
    }
    let [v4, v6] = house.addresses();
    for server in [v4, v6] {
        for answer in [udp(server, "com.vn", RecordType::DS), tcp(server, "com.vn", RecordType::DS)] {
            assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 1));
            assert!(answer.metadata.authoritative);
        }
    }
    let serials: Vec<u32> = ["vn", "com.vn", "hue.vn"].map(|zone| house.serial(zone)).into();
    let snapshots = files(&house.path("var/zones"));
    house.stop();
    assert!(house.read("err").contains("ready, 80 zones"));
    assert!(!house.path("var/control.sock").exists());

    house.start();
    assert!(house.read("out").contains("resumed, nothing was compiled or signed"), "{}", house.read("out"));
    assert_eq!(["vn", "com.vn", "hue.vn"].map(|zone| house.serial(zone)).to_vec(), serials);
    assert_eq!(files(&house.path("keys")), keys);
    assert!(files(&house.path("var/zones")) == snapshots);
    // A power cut instead of an end changes nothing of that.
    house.kill();
    house.start();
    assert!(house.read("out").contains("resumed, nothing was compiled or signed"));
}

#[test]
fn what_the_first_start_shows_is_exact() {
    let mut house = House::with_export("");
    let begin = std::time::Instant::now();
    house.start();
    let most_ms = begin.elapsed().as_millis();
    // Names by what the example says becomes of them; a name that two rows claim is one name.
    let expected = house.read("zones/example-export/expected-full.csv");
    let names = |result: &str| {
        let rows = expected.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        rows.filter(|row| row[3] == result).map(|row| row[1].to_lowercase()).collect::<std::collections::BTreeSet<_>>().len()
    };
    let [in_zone, excluded, rejected] = ["in_zone", "excluded", "rejected"].map(names);
    assert!(in_zone > 0 && excluded > 0 && rejected > 0);
    let shown = house.read("out");
    let mut lines = shown.lines();
    let export = format!("export 20261121001 of 2026-11-21T00:00:00Z: {in_zone} names in, {excluded} excluded, {rejected} rejected");
    assert_eq!(lines.next(), Some(&export[..]));
    // Records and signatures by what is served of each zone.
    let status: serde_json::Value = serde_json::from_str(&house.tool_ok(&["zone", "status", "--json"])).expect("JSON");
    let (mut n_records, mut n_signatures) = (0, 0);
    for zone in status.as_array().expect("a list") {
        let dump = house.tool_ok(&["zone", "dump", zone["zone"].as_str().expect("a name")]);
        let [records, signatures] = [dump.lines().count(), dump.lines().filter(|line| line.contains(" IN RRSIG ")).count()];
        assert_eq!([&zone["records"], &zone["signatures"]], [records, signatures], "{}", zone["zone"]);
        (n_records, n_signatures) = (n_records + records, n_signatures + signatures);
    }
    let made = lines.next().expect("a second line");
    let start = format!("80 zones, {n_records} records; compiled, 80 zones made with {n_signatures} signatures, ");
    let ms = made.strip_prefix(&start).and_then(|rest| rest.strip_suffix(" ms")).unwrap_or_else(|| panic!("{made}, not {start}"));
    assert!((1..=most_ms).contains(&ms.parse().expect("a number")), "{ms} ms of {most_ms}");
    assert!(house.read("err").contains(&format!("ready, 80 zones, {n_records} records, {n_signatures} signatures\n")));
}

#[test]
fn a_changed_input_moves_the_serials_of_the_zones_it_changes() {
    let mut house = House::with_export("");
    const LEDGER: &str = "zones/example-export/orders.jsonl";
    let orders = house.read(LEDGER);
    // Without the lines that lift the suspension of khoiphuc.com.vn and suspend haiorder.vn.
    let fewer: String = orders.lines().take(3).map(|line| format!("{line}\n")).collect();
    house.write(LEDGER, &fewer);
    house.start();
    let serials = |house: &House| ["vn", "com.vn", "edu.vn"].map(|zone| house.serial(zone));
    let before = serials(&house);
    assert_eq!(house.rcode("khoiphuc.com.vn"), ResponseCode::NXDomain);
    assert_eq!(house.ask("haiorder.vn", RecordType::NS).metadata.response_code, ResponseCode::NoError);
    house.write(LEDGER, &orders);
    let text = house.tool_ok(&["zone", "reload", "com.vn"]);
    assert!(text.contains("com.vn. ") && text.contains("orders") && text.contains("78 zones unchanged"), "{text}");
    let after = serials(&house);
    assert_eq!(after, [before[0] + 1, before[1] + 1, before[2]]);
    assert_eq!(house.rcode("haiorder.vn"), ResponseCode::NXDomain);
    // An order is not ended by its absence: not at a reload, and not at a start.
    let other = orders.replace("\"operator\":\"op1\"", "\"operator\":\"op9\"");
    house.write(LEDGER, &fewer);
    house.tool_ok(&["server", "reload"]);
    house.write(LEDGER, &other);
    house.tool_ok(&["server", "reload"]);
    assert!(
        house
            .read("err")
            .contains("CHAIN_BROKEN: line 2: prev_sha256 is not the hash of the line before; the ledger of this server stays as it is")
    );
    std::fs::remove_file(house.path(LEDGER)).expect("removed");
    house.tool_ok(&["server", "reload"]);
    assert!(std::process::Command::new("mkfifo").arg(house.path(LEDGER)).status().expect("mkfifo").success());
    house.tool_ok(&["server", "reload"]);
    assert!(house.read("err").contains("not a regular file; the ledger of this server stays as it is"));
    assert_eq!(serials(&house), after);
    house.stop();
    house.start();
    assert_eq!(serials(&house), after);
    assert_eq!(house.rcode("haiorder.vn"), ResponseCode::NXDomain);
    std::fs::remove_file(house.path(LEDGER)).expect("removed");
    // Without either copy there is nothing to go by: what is served stays, and nothing is made of the export.
    house.stop();
    for copy in ["var/orders/ledger.jsonl", "var/orders-copy/ledger.jsonl"] {
        std::fs::remove_file(house.path(copy)).expect("there");
    }
    house.start();
    assert!(house.read("err").contains("no ledger of orders can be read, what is served stays and no order is taken"));
    house.tool_refuses(&["server", "reload"], "7 lines of the ledger were in force");
    assert_eq!(house.rcode("haiorder.vn"), ResponseCode::NXDomain);
    house.write(LEDGER, &fewer);
    house.tool_refuses(&["server", "reload"], "CHAIN_BROKEN");
    assert_eq!(house.rcode("haiorder.vn"), ResponseCode::NXDomain);
    house.write(LEDGER, &orders);
    house.tool_ok(&["server", "reload"]);
    assert_eq!(serials(&house), after);
}

/// As `saola key generate` does.
fn make_key(house: &House, zone: &str, algorithm: saola::sign::Algorithm, flags: u16) {
    let zone = saola::dns::Name::parse(zone).expect("a name");
    let now = saola::dns::UnixTime::now();
    saola::pipeline::keys::generate(&house.path("keys"), zone.as_ref(), algorithm, flags, None, now).expect("a key");
}

#[test]
fn keys_that_are_gone_are_missed_and_not_replaced() {
    let mut house = House::with_export("");
    // What a first start leaves that ends between the two keys of a zone.
    make_key(&house, "hue.vn", saola::sign::Algorithm::EcdsaP256Sha256, 257);
    house.start();
    assert_eq!(files(&house.path("keys")).len(), 320);
    let serials = |house: &House| ["vn", "com.vn", "hue.vn"].map(|zone| house.serial(zone));
    let before = serials(&house);
    house.stop();
    std::fs::rename(house.path("keys"), house.path("keys.away")).expect("moved");
    house.start();
    assert_eq!(serials(&house), before);
    assert!(house.read("err").contains("[com.vn.] its keys are gone from"), "{}", house.read("err"));
    assert!(!house.path("keys").exists());
    std::fs::rename(house.path("keys.away"), house.path("keys")).expect("moved");
    house.tool_ok(&["server", "reload"]);
    assert_eq!(serials(&house), before);
    assert!(!house.tool_ok(&["zone", "status", "com.vn"]).contains("problem"));
}

#[test]
fn what_is_bad_is_reported_and_the_old_stays() {
    let mut house = House::with_export(&zone_table("example.org.", "sign = \"default\""));
    house.write("example.org.zone", ZONE);
    house.start();
    let before = [house.serial("vn"), house.serial("example.org")];
    assert_eq!(before[1], 7);
    let unchanged = |house: &House| {
        assert_eq!([house.serial("vn"), house.serial("example.org")], before);
        assert_eq!(house.ask("www.example.org", RecordType::A).answers.len(), 1);
    };
    let config = house.read("saola.toml");

    house.write("saola.toml", &config.replace("identity", "identify"));
    house.tool_refuses(&["server", "reload"], "line 3: server: unknown key `identify`");
    unchanged(&house);
    house.write("saola.toml", "");
    house.tool_refuses(&["server", "reload"], "the new configuration is refused, the old one stays");
    unchanged(&house);
    house.write("saola.toml", &config);

    house.write("example.org.zone", &ZONE.replace("192.0.2.2", "192.0.2.256"));
    house.tool_refuses(&["zone", "reload", "example.org"], "example.org.zone:5:");
    unchanged(&house);
    let status = house.tool_ok(&["zone", "status", "example.org"]);
    assert!(status.contains("state served") && status.contains("the zone served before stays"), "{status}");
    std::fs::remove_file(house.path("example.org.zone")).expect("removed");
    house.tool_refuses(&["server", "reload"], "example.org.zone");
    unchanged(&house);
    house.write("example.org.zone", ZONE);
    house.tool_ok(&["server", "reload"]);
    assert!(!house.tool_ok(&["zone", "status", "example.org"]).contains("problem"));

    let domains = "zones/example-export/vn_2026-11-21_full_S1_R0/domain.csv";
    let text = house.read(domains);
    house.write(domains, &text.replacen('a', "b", 1));
    house.tool_refuses(&["server", "reload"], "CHECKSUM");
    unchanged(&house);
    // Also over a restart: what was in force is brought back.
    house.stop();
    house.start();
    assert!(house.read("err").contains("CHECKSUM") && house.read("out").contains("CHECKSUM"));
    assert!(house.tool_ok(&["server", "status"]).contains("problems.problem the export is refused, what is served stays"));
    unchanged(&house);
    house.write(domains, &text);
    house.tool_ok(&["server", "reload"]);
    unchanged(&house);
}

/// The DS records that the zone's own DNSKEY records call for, and those that its parent has.
fn both_ds(house: &House, parent: &str, zone: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let name = |text: &str| saola::dns::Name::parse(text).expect("a name");
    let records = |apex: &str| {
        let text = house.tool_ok(&["zone", "dump", apex]);
        let origin = name(apex);
        let options = saola::dns::master::Options::new(origin.as_ref());
        saola::dns::master::scan(text.as_bytes(), "dump", &options, &mut |_, _| Err("no includes".into())).expect("a master file")
    };
    let keys = records(zone);
    let keys = keys.iter().filter(|record| record.rtype == saola::dns::Rtype::DNSKEY && record.rdata[1] == 1);
    let mut called: Vec<_> = keys.filter_map(|key| saola::sign::ds(name(zone).as_ref(), key.rdata, 2)).collect();
    called.sort();
    let there = records(parent);
    let there = there.iter().filter(|record| record.rtype == saola::dns::Rtype::DS && record.owner == name(zone).as_ref());
    let mut there: Vec<_> = there.map(|record| record.rdata.to_vec()).collect();
    there.sort();
    (called, there)
}

#[test]
fn keys_and_policies_reach_parent_and_child_together() {
    let mut house = House::with_export("[policy.default]\nalgorithm = \"ed25519\"\n");
    house.start();
    let (called, before) = both_ds(&house, "vn", "com.vn");
    assert!(called == before && before.len() == 1);
    let serials = |house: &House| ["vn", "com.vn", "edu.vn"].map(|zone| house.serial(zone));
    let at_start = serials(&house);

    // A private key that others may read stops the zone's signing, not its service.
    let is_com = |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("Kcom.vn."));
    let of_com: Vec<_> = files(&house.path("keys")).into_iter().map(|(path, _)| path).filter(is_com).collect();
    let private = of_com.iter().find(|path| path.extension().is_some_and(|end| end == "private")).expect("a private key");
    let mode = |mode| std::fs::set_permissions(private, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
    mode(0o644);
    house.tool_refuses(&["server", "reload"], "lets others read this private key");
    assert_eq!(serials(&house), at_start);
    mode(0o600);
    assert!(house.tool_ok(&["server", "reload"]).contains("80 zones unchanged"));

    // Other keys for one child: its DNSKEY and the parent's DS change in one step, nothing else does.
    for path in &of_com {
        std::fs::remove_file(path).expect("removed");
    }
    house.tool_refuses(&["server", "reload"], "its keys are gone");
    assert_eq!(serials(&house), at_start);
    for flags in [257, 256] {
        make_key(&house, "com.vn", saola::sign::Algorithm::Ed25519, flags);
    }
    let text = house.tool_ok(&["server", "reload"]);
    assert!(text.contains("78 zones unchanged"), "{text}");
    let (called, after) = both_ds(&house, "vn", "com.vn");
    assert!(called == after && after != before);
    assert_eq!(serials(&house), [at_start[0] + 1, at_start[1] + 1, at_start[2]]);
    assert_eq!(both_ds(&house, "vn", "edu.vn").0, both_ds(&house, "vn", "edu.vn").1);

    // Another denial for all.
    let config = house.read("saola.toml");
    house.write("saola.toml", &config.replace("[policy.default]", "[policy.default]\ndenial = \"nsec\""));
    let text = house.tool_ok(&["server", "reload"]);
    assert!(text.contains("0 zones unchanged") && text.contains("policy or keys changed"), "{text}");
    assert_eq!(both_ds(&house, "vn", "com.vn"), (called, after));
    for zone in ["vn", "com.vn"] {
        house.write("dump", &house.tool_ok(&["zone", "dump", zone]));
        let verify = std::process::Command::new(env!("CARGO_BIN_EXE_saola"))
            .args(["zone", "verify", "--origin", zone])
            .arg(house.path("dump"))
            .output()
            .expect("saola");
        assert!(verify.status.success(), "{zone}: {}", String::from_utf8_lossy(&verify.stderr));
    }
}

/// The serial of an edited zone is the file's as long as it moves forward, also where nothing else in it has changed.
#[test]
fn a_serial_that_is_raised_alone_is_taken_over() {
    let mut house = House::new(&format!("{}{}", zone_table("signed.test.", "sign = \"default\""), zone_table("plain.test.", "")));
    let edit = |house: &House, serial: u32| {
        for zone in ["signed.test", "plain.test"] {
            house.write(&format!("{zone}.zone"), &format!("$TTL 60\n@ SOA a h {serial} 1 1 1 60\n@ NS a\na A 192.0.2.1\n"));
        }
    };
    edit(&house, 5);
    house.start();
    for serial in [5, 9, 9] {
        edit(&house, serial);
        house.tool_ok(&["server", "reload"]);
        assert_eq!((house.serial("signed.test."), house.serial("plain.test.")), (serial, serial));
    }
    edit(&house, 7);
    house.tool_ok(&["zone", "reload", "signed.test."]);
    assert_eq!(house.serial("signed.test."), 9, "it never goes back");
}

/// A policy makes keys only where there are none: a changed one changes no key, and that is said at each occasion.
#[test]
fn keys_that_do_not_fit_their_policy_are_told() {
    let zone = zone_table("example.org.", "sign = \"default\"");
    let mut house = House::new(&format!("[policy.default]\nalgorithm = \"ed25519\"\n{zone}"));
    house.write("example.org.zone", ZONE);
    house.start();
    let what = "[example.org.] the policy asks for keys of ECDSAP256SHA256, the keys that sign are KSK of ED25519 and ZSK of ED25519";
    let check = |house: &House| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_saola"))
            .args(["config", "check"])
            .arg(house.path("saola.toml"))
            .output()
            .expect("saola");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(!check(&house).contains("the policy asks"));
    assert!(!house.read("err").contains("the policy asks"));
    let config = house.read("saola.toml").replace("ed25519", "ecdsap256sha256");
    house.write("saola.toml", &config);
    assert!(check(&house).contains(&format!("warning: {what}")), "{}", check(&house));
    let reload = house.tool_ok(&["server", "reload"]);
    assert!(reload.contains(what), "{reload}");
    assert!(house.read("err").contains(what), "{}", house.read("err"));
    house.stop();
    house.start();
    assert!(house.read("err").contains(what), "{}", house.read("err"));
}

/// What the daemon would not find, or would not serve, is told before it sees it.
#[test]
fn a_check_of_the_configuration_looks_at_what_it_names() {
    let house = House::with_export(&format!("{}{}", zone_table("com.vn.", ""), zone_table("absent.test.", "")));
    house.write("com.vn.zone", ZONE);
    let config = house.read("saola.toml");
    let check = || {
        let file = house.path("saola.toml");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_saola")).args(["config", "check"]).arg(file).output().expect("saola");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = check();
    assert!(
        text.contains("warning: [[zone]] com.vn.: this zone is made from the export") && text.contains("[[zone]] absent.test.: "),
        "{text}"
    );
    house.write("saola.toml", &config.replace("deposits = \"", "profile = \"zzz\"\ndeposits = \"none-"));
    let text = check();
    assert!(text.contains("[registry] profile: there is no 'zzz', write one of ") && text.contains("[registry] deposits: "), "{text}");
    assert!(!text.contains("[orders]"), "{text}");
    house.write("a.jsonl", "");
    std::os::unix::fs::symlink(house.path("a.jsonl"), house.path("b.jsonl")).expect("a link");
    let orders = "[orders]\nledger = [\"a.jsonl\", \"b.jsonl\"]\nnotice-servers = [\"ns.thongbao.vn\"]\nnotice-grounds = [\"INVESTIGATION\", \"VOLUNTARY\", \"NONE\"]\n";
    house.write("saola.toml", &format!("{orders}{config}"));
    let text = check();
    assert_eq!(text.matches("[orders]").count(), 3, "{text}");
    assert!(
        text.contains("are one file") && text.contains("'VOLUNTARY' is no ground of a suspension") && text.contains("there is no 'NONE'"),
        "{text}"
    );
}

/// A digest over the zone follows the signer; one of a zone that is served as it stands is looked at.
#[test]
fn digests_over_the_zone_follow_or_are_told() {
    let mut house =
        House::new(&format!("{}{}", zone_table("signed.test.", "sign = \"default\""), zone_table("plain.test.", "zonemd = \"warn\"")));
    let digest = "@ ZONEMD 7 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    house.write("signed.test.zone", &format!("{ZONE}{digest}"));
    house.write("plain.test.zone", &format!("{ZONE}{digest}"));
    house.start();
    let err = house.read("err");
    assert!(err.contains("[plain.test.] ZONEMD: the digest is not that of the zone"), "{err}");
    assert!(!err.contains("signed.test.] ZONEMD"), "{err}");
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_saola"))
        .args(["zone", "check", "--origin", "plain.test"])
        .arg(house.path("plain.test.zone"))
        .output()
        .expect("saola");
    let text = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && text.contains("warning: 'plain.test.' ZONEMD: the digest is not that of the zone"), "{text}");
    house.write("dump", &house.tool_ok(&["zone", "dump", "signed.test"]));
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_saola"))
        .args(["zone", "verify", "--origin", "signed.test"])
        .arg(house.path("dump"))
        .output()
        .expect("saola");
    assert!(String::from_utf8_lossy(&verify.stdout).contains(", 1 ZONEMD"), "{verify:?}");
}

#[test]
fn systemd_is_told() {
    let mut house = House::new(&zone_table("example.org.", ""));
    house.write("example.org.zone", ZONE);
    let notify = std::os::unix::net::UnixDatagram::bind(house.path("notify")).expect("a socket");
    notify.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("set");
    let told = || {
        let mut buffer = [0; 256];
        let n = notify.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    };
    house.notify = Some(house.path("notify"));
    house.start();
    assert_eq!(told().trim_end(), "READY=1");
    house.signal("-HUP");
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told().trim_end(), "READY=1");
    house.stop();
    assert_eq!(told().trim_end(), "STOPPING=1");
}

#[test]
fn a_state_that_cannot_be_kept_is_told_and_nothing_is_lost() {
    let mut house = House::new(&zone_table("example.org.", "sign = \"default\""));
    house.write("example.org.zone", ZONE);
    house.start();
    // A folder where the next state has to be written first.
    std::fs::create_dir_all(house.path("var/state.new/x")).expect("made");
    house.write("example.org.zone", &ZONE.replace("192.0.2.2", "192.0.2.3"));
    // The change itself is in the zone's log, and so in force; who looks after the server has to know nonetheless.
    house.tool_refuses(&["server", "reload"], "1 zone published, 0 unchanged, and 1 problem:\nthe journal in");
    assert_eq!(house.serial("example.org"), 8);
    house.stop();
    house.start();
    assert_eq!(house.serial("example.org"), 8);
    house.stop();
    // Without the log there is only the state to write to.
    std::fs::remove_dir_all(house.path("var/journal")).expect("removed");
    std::fs::remove_dir_all(house.path("var/zones")).expect("removed");
    // Written in the background, if there was time for it.
    let _ = std::fs::remove_dir_all(house.path("var/images"));
    house.write("example.org.zone", &ZONE.replace("192.0.2.2", "192.0.2.4"));
    house.spawn();
    assert_eq!(house.wait().code(), Some(1));
    assert!(house.read("err").contains("nothing is published, the journal in"), "{}", house.read("err"));
    std::fs::remove_dir_all(house.path("var/state.new")).expect("removed");
    house.start();
    assert_eq!(house.serial("example.org"), 9);
}

#[test]
fn nothing_to_serve_at_all_is_no_start() {
    let mut house = House::with_export("");
    let domains = "zones/example-export/vn_2026-11-21_full_S1_R0/domain.csv";
    house.write(domains, &house.read(domains).replacen('a', "b", 1));
    house.spawn();
    assert_eq!(house.wait().code(), Some(1));
    assert!(house.read("err").contains("there is nothing to serve: the export is refused"), "{}", house.read("err"));
    house.write("saola.toml", "[server]\nlisten = [\"nowhere\"]");
    house.spawn();
    assert_eq!(house.wait().code(), Some(1));
    assert!(house.read("err").contains("line 2: server.listen: 'nowhere' is not ADDRESS:PORT"), "{}", house.read("err"));
}

#[test]
fn a_reload_under_load_loses_no_query() {
    let mut house = House::with_export(&zone_table("example.org.", ""));
    house.write("example.org.zone", ZONE);
    house.start();
    let [v4, v6] = house.addresses();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = |server: std::net::SocketAddr, name: &'static str, over_tcp: bool| {
            let done = &done;
            move || {
                let mut n = 0;
                while !done.load(Ordering::Relaxed) {
                    // Each waits for its answer: one that does not come fails the test.
                    let answer = if over_tcp { tcp(server, name, RecordType::SOA) } else { udp(server, name, RecordType::SOA) };
                    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 1), "{name}");
                    n += 1;
                }
                n
            }
        };
        let loads =
            [scope.spawn(load(v4, "vn", false)), scope.spawn(load(v6, "example.org", false)), scope.spawn(load(v4, "com.vn", true))];
        for serial in 8..12 {
            house.write("example.org.zone", &ZONE.replace(" 7 ", &format!(" {serial} ")));
            house.signal("-HUP");
            while house.serial("example.org") != serial {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        done.store(true, Ordering::Relaxed);
        for load in loads {
            assert!(load.join().expect("no query lost") > 0);
        }
    });
    house.stop();
}

#[test]
fn every_verb_against_the_daemon() {
    let mut house = House::new(&format!("{}{}", zone_table("example.org.", "sign = \"default\""), zone_table("plain.test.", "")));
    house.write("example.org.zone", ZONE);
    house.write("plain.test.zone", ZONE);
    house.start();
    let mode = std::fs::metadata(house.path("var/control.sock")).expect("there").mode() & 0o777;
    assert_eq!(mode, 0o660);

    let json = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&house.tool_ok(args)).expect("JSON") };
    let status = json(&["server", "status", "--json"]);
    assert_eq!((&status["state"], &status["zones"]["served"], &status["identity"]), (&"ready".into(), &2.into(), &"house".into()));
    assert!(house.tool_ok(&["server", "status"]).contains("zones.served 2\n"));
    let queries = json(&["server", "stats", "--json"])["queries-udp-ipv4"].as_u64().expect("a number");
    house.serial("plain.test");
    assert_eq!(json(&["server", "stats", "--json"])["queries-udp-ipv4"], queries + 1);
    assert!(house.tool_ok(&["server", "stats"]).contains("queries-udp-ipv4"));

    let zones = json(&["zone", "status", "--json"]);
    assert_eq!(zones.as_array().expect("a list").len(), 2);
    let one = json(&["zone", "status", "EXAMPLE.org", "--json"]);
    assert_eq!((&one[0]["serial"], &one[0]["signed_here"], &one[0]["state"]), (&7.into(), &true.into(), &"served".into()));
    house.tool_refuses(&["zone", "status", "other.test"], "there is no zone 'other.test.' here");
    assert_eq!(house.tool(&["zone", "status", "a..b"]).status.code(), Some(2));

    // What is dumped is a master file that the tool itself finds good, signatures and all.
    let dump = house.tool_ok(&["zone", "dump", "example.org"]);
    assert!(dump.starts_with("example.org. 300 IN SOA ") && dump.matches(" IN SOA ").count() == 1, "{dump}");
    house.write("dump", &dump);
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_saola"))
        .args(["zone", "verify", "--origin", "example.org"])
        .arg(house.path("dump"))
        .output()
        .expect("saola");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    assert!(house.tool_ok(&["zone", "dump", "plain.test"]).contains("www.plain.test. 300 IN A 192.0.2.2\n"));
    house.tool_refuses(&["zone", "dump", "other.test"], "there is no zone");

    house.write("plain.test.zone", &ZONE.replace(" 7 ", " 8 "));
    assert!(house.tool_ok(&["zone", "reload", "plain.test"]).contains("plain.test. 7 -> 8"));
    assert_eq!(house.serial("plain.test"), 8);
    house.tool_refuses(&["zone", "reload", "other.test"], "there is no zone 'other.test.' here, add it to the configuration");
    // An edit without a new serial is served and told.
    house.write("plain.test.zone", &ZONE.replace(" 7 ", " 8 ").replace("192.0.2.2", "192.0.2.3"));
    house.tool_refuses(&["zone", "reload", "plain.test"], "the serial did not move forward");
    house.write("plain.test.zone", &ZONE.replace(" 7 ", " 9 "));
    // A signed zone's serial moves by itself.
    house.write("example.org.zone", &ZONE.replace("192.0.2.2", "192.0.2.3"));
    house.tool_ok(&["server", "reload"]);
    assert_eq!((house.serial("example.org"), house.serial("plain.test")), (8, 9));
    assert!(house.tool_ok(&["server", "reload"]).contains("2 zones unchanged"));

    // Zones come and go with the configuration; sockets do not.
    house.configure(&zone_table("plain.test.", ""));
    let text = house.read("saola.toml").replace("127.0.0.1:0", "127.0.0.2:0");
    house.write("saola.toml", &text);
    let reload = house.tool_ok(&["server", "reload"]);
    assert!(reload.contains("example.org. removed") && reload.contains("warning: server.listen changed"), "{reload}");
    assert_eq!((house.rcode("example.org"), house.rcode("plain.test")), (ResponseCode::Refused, ResponseCode::NoError));

    house.tool_ok(&["server", "stop"]);
    assert!(house.wait().success());
    house.tool_refuses(&["server", "status"], "no daemon answers on");
    assert_eq!(house.tool(&["server", "dance"]).status.code(), Some(2));
}

#[test]
fn a_zone_without_a_file_is_servfail_and_the_others_are_served() {
    let mut house = House::new(&format!("{}{}", zone_table("example.org.", ""), zone_table("missing.test.", "")));
    house.write("example.org.zone", ZONE);
    house.start();
    assert_eq!((house.rcode("example.org"), house.rcode("missing.test")), (ResponseCode::NoError, ResponseCode::ServFail));
    assert!(house.read("out").contains("zone missing.test. is unavailable"), "{}", house.read("out"));
    assert!(house.read("out").contains("1 zone, 4 records; 1 zone made with 0 signatures, "), "{}", house.read("out"));
    assert!(house.read("err").contains("ready, 1 zone, 4 records, 0 signatures, 1 zone unavailable"), "{}", house.read("err"));
    assert!(house.tool_ok(&["zone", "status"]).contains("unavailable"));
    house.write("missing.test.zone", ZONE);
    house.tool_ok(&["zone", "reload", "missing.test"]);
    assert_eq!(house.rcode("missing.test"), ResponseCode::NoError);
}

#[test]
fn a_damaged_state_is_made_anew_and_serials_go_on() {
    let mut house = House::new(&zone_table("example.org.", "sign = \"default\""));
    house.write("example.org.zone", ZONE);
    house.start();
    let keys = files(&house.path("keys"));
    house.stop();
    let mut rng = fastrand::Rng::with_seed(23);
    let mut serial = 7;
    for round in 0..8 {
        let victims: Vec<_> =
            files(&house.path("var/zones")).into_iter().chain([(house.path("var/state"), house.read("var/state").into())]).collect();
        let (path, mut bytes): (_, Vec<u8>) = victims[round % victims.len()].clone();
        if round % 3 == 2 {
            bytes.truncate(rng.usize(..bytes.len()));
        } else {
            let at = rng.usize(..bytes.len());
            bytes[at] ^= rng.u8(1..);
        }
        std::fs::write(&path, bytes).expect("written");
        // With an image, nobody would look at the snapshot.
        let _ = std::fs::remove_dir_all(house.path("var/images"));
        house.start();
        let now = house.serial("example.org");
        assert!(now > serial, "round {round}: {serial} -> {now}, {}", house.read("err"));
        assert!(house.read("err").contains("damaged") || house.read("err").contains("cut off") || house.read("err").contains("snapshot"));
        serial = now;
        house.stop();
    }
    // Without the snapshot, the state still knows the serial.
    std::fs::remove_dir_all(house.path("var/zones")).expect("removed");
    let _ = std::fs::remove_dir_all(house.path("var/images"));
    house.start();
    let now = house.serial("example.org");
    assert!(now > serial, "without snapshots: {serial} -> {now}");
    assert_eq!(files(&house.path("keys")), keys, "keys are never made anew");
}

#[test]
fn a_state_folder_has_one_daemon() {
    let mut house = House::new(&zone_table("example.org.", ""));
    house.write("example.org.zone", ZONE);
    house.start();
    let mut second = House::new("");
    let text = second.read("saola.toml").replace("workers", &format!("state = \"{}\"\nworkers", house.path("var").display()));
    second.write("saola.toml", &text);
    second.spawn();
    assert_eq!(second.wait().code(), Some(1));
    assert!(second.read("err").contains("is in use by another saolad"), "{}", second.read("err"));
    let text = second.read("saola.toml").replace("state = ", "control = ").replace("/var\"", "/var/control.sock\"");
    second.write("saola.toml", &text);
    second.spawn();
    assert_eq!(second.wait().code(), Some(1));
    assert!(second.read("err").contains("another process answers on"), "{}", second.read("err"));
    assert_eq!(house.serial("example.org"), 7, "the first goes on");
}
