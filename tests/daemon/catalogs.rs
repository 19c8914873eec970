//! Which zones a server has follows from catalogs: ours with ours, with Knot's and with BIND's, in both directions. RFC 9432.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};
use serde_json::Value;

use super::house::{House, PATIENCE, REGISTRY, tcp};
use super::peers::{Peer, find_all, free_port};
use super::transfers::{ALLOWED, SECRET, keys};
use super::{ZONE, zone_table};

/// A new second-level name is one entry in a file and a reload at the primary; the rest is done by servers of three makes.
#[test]
fn a_new_second_level_name_appears_at_all_secondaries_by_itself() {
    let Some([knotd, named]) = find_all(["knotd", "named"]) else { return };
    let ports = [free_port(), free_port(), free_port()];
    let told: Vec<String> = ports.iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}")).collect();
    let out = format!("{ALLOWED}notify = [{}]\n", told.join(", "));
    let registry = format!("{REGISTRY}{out}catalog-zone = \"catalog.vn.\"\ncatalog-group = \"second-level\"\n");
    let catalog = format!("[[zone]]\nname = \"catalog.vn.\"\ncatalog-role = \"generate\"\n{out}");
    let mut primary = House::with_export("");
    primary.configure(&format!("{registry}{catalog}{}", keys()));
    primary.start();
    let from = primary.addresses()[0];
    // It is nobody's business.
    for name in ["catalog.vn", "version.catalog.vn", "zones.catalog.vn", "x.CATALOG.vn"] {
        assert_eq!(primary.ask(name, RecordType::TXT).metadata.response_code, ResponseCode::Refused, "{name}");
        assert_eq!(tcp(from, name, RecordType::SOA).metadata.response_code, ResponseCode::Refused, "{name}");
    }

    let mut edge = House::new("");
    let interpret = format!(
        "[[zone]]\nname = \"catalog.vn.\"\nprimaries = [{{ address = \"{from}\", key = \"xfr\" }}]\ncatalog-role = \"interpret\"\n\
         catalog-scope = [\"vn\"]\n"
    );
    edge.write("saola.toml", &format!("[server]\nlisten = [\"127.0.0.1:{}\", \"[::1]:0\"]\nworkers = 1\n{interpret}{}", ports[0], keys()));
    let begin = Instant::now();
    edge.start();
    let peers = [(&knotd, ports[1]), (&named, ports[2])].map(|(program, port)| {
        let folder = edge.path(program.file_name().and_then(|name| name.to_str()).expect("a name"));
        std::fs::create_dir(&folder).expect("made");
        Peer::start(&mut consumer(program, &folder, port, from), &folder.join("log"))
    });
    let words = || format!("{}\n{}\n{}\n{}", primary.read("err"), edge.read("err"), peers[0].words(), peers[1].words());
    let zones: Vec<String> = statuses(&primary).iter().map(|zone| zone["zone"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(zones.len(), 81);
    for zone in zones.iter().filter(|zone| *zone != "catalog.vn.") {
        let serial = primary.serial(zone);
        ports.iter().for_each(|port| wait_for(*port, zone, Some(serial), words));
    }
    println!("80 zones at three servers after {:?}", begin.elapsed());
    let status = status(&edge, "com.vn");
    assert_eq!((status["catalog"].as_str(), &status["groups"]), (Some("catalog.vn."), &Value::from(vec!["second-level"])));
    assert_eq!(self::status(&edge, "catalog.vn")["members"], 80);

    let data = primary.read("zones/second-level.toml");
    let label = "\n[[second_level]]\nlabel = \"saola\"\nkind = \"functional\"\nregistrants = \"\"\nbasis = \"a test\"\nsince = \"2026\"\nactive = true\n";
    primary.write("zones/second-level.toml", &format!("{data}{label}"));
    let begin = Instant::now();
    primary.tool_ok(&["server", "reload"]);
    println!("reloaded after {:?}", begin.elapsed());
    let (serial, parent) = (primary.serial("saola.vn"), primary.serial("vn"));
    for port in ports {
        wait_for(port, "saola.vn", Some(serial), words);
        wait_for(port, "vn", Some(parent), words);
        println!("at port {port} after {:?}", begin.elapsed());
    }
    edge.wait_for("[saola.vn.] added by the catalog catalog.vn.");
    // And what nothing has changed in is no new version.
    let before = self::status(&primary, "catalog.vn")["serial"].clone();
    primary.tool_ok(&["server", "reload"]);
    primary.stop();
    primary.start();
    assert_eq!(self::status(&primary, "catalog.vn")["serial"], before);
    primary.stop();

    // It moved to another port; and the label goes as it came.
    primary.write("zones/second-level.toml", &data);
    let config = primary.read("saola.toml").replace("\"127.0.0.1:0\"", &format!("\"{from}\""));
    primary.write("saola.toml", &config);
    primary.start();
    let words = || format!("{}\n{}\n{}\n{}", primary.read("err"), edge.read("err"), peers[0].words(), peers[1].words());
    ports.iter().for_each(|port| wait_for(*port, "saola.vn", None, words));
    edge.wait_for("[saola.vn.] removed by the catalog catalog.vn.");
}

/// Waits until the server at `port` serves this version of a zone; `None` = waits until it has no such zone, or a zone above has no such name.
#[track_caller]
fn wait_for(port: u16, zone: &str, serial: Option<u32>, words: impl Fn() -> String) {
    let begin = Instant::now();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    loop {
        let answer = udp_patient(address, zone);
        let found = answer.as_ref().and_then(|answer| match answer.answers.first().map(|record| &record.data) {
            Some(RData::SOA(soa)) => Some(soa.serial),
            _ => None,
        });
        let is_gone = answer.is_some_and(|answer| matches!(answer.metadata.response_code, ResponseCode::Refused | ResponseCode::NXDomain));
        if serial.is_some() && found == serial || serial.is_none() && is_gone {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{zone} at {port}: {found:?} is not {serial:?}\n{}", words());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One question by UDP; programs that start may not listen yet.
fn udp_patient(server: SocketAddr, name: &str) -> Option<hickory_proto::op::Message> {
    let reply = super::peers::exchange_udp(server, &super::house::query(9, name, RecordType::SOA), Duration::from_secs(2))?;
    hickory_proto::op::Message::from_vec(&reply).ok()
}

/// What the program is called with to follow the catalog at `primary`.
fn consumer(program: &Path, folder: &Path, port: u16, primary: SocketAddr) -> Command {
    let at = folder.display();
    let (ip, from) = (primary.ip(), primary.port());
    if program.ends_with("knotd") {
        let zone = "storage: {at}\n    master: saola\n    acl: ours\n    zonefile-sync: -1\n".replace("{at}", &at.to_string());
        return knot(
            program,
            folder,
            port,
            primary,
            &format!(
                "template:\n  - id: member\n    {zone}\nzone:\n  - domain: catalog.vn\n    {zone}    catalog-role: interpret\n    \
                 catalog-template: member\n"
            ),
        );
    }
    let from = format!("{{ {ip} port {from} key xfr; }}");
    let catalogs = format!("catalog-zones {{ zone \"catalog.vn\" default-primaries {from} in-memory yes min-update-interval 0; }};");
    bind(program, folder, port, &catalogs, &format!("zone \"catalog.vn\" {{ type secondary; primaries {from}; file \"catalog\"; }};\n"))
}

fn knot(program: &Path, folder: &Path, port: u16, other: SocketAddr, rest: &str) -> Command {
    let at = folder.display();
    let text = format!(
        "server:\n  rundir: {at}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {at}\nlog:\n  - target: stderr\n    any: info\n\
         key:\n  - id: xfr\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         remote:\n  - id: saola\n    address: {}@{}\n    key: xfr\nacl:\n  - id: ours\n    key: xfr\n    action: [notify, transfer]\n{rest}",
        other.ip(),
        other.port()
    );
    std::fs::write(folder.join("conf"), text).expect("written");
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("conf")).arg("-s").arg(folder.join("socket"));
    command
}

fn bind(program: &Path, folder: &Path, port: u16, options: &str, rest: &str) -> Command {
    let at = folder.display();
    let text = format!(
        "options {{ directory \"{at}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{at}\";\n  \
         listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify-delay 0;\n  \
         notify-rate 1000; serial-query-rate 1000; {options} }};\ncontrols {{ }};\n\
         key xfr {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n{rest}"
    );
    std::fs::write(folder.join("conf"), text).expect("written");
    let mut command = Command::new(program);
    command.args(["-g", "-n", "1", "-c"]).arg(folder.join("conf"));
    command
}

fn statuses(house: &House) -> Vec<Value> {
    let status: Value = serde_json::from_str(&house.tool_ok(&["zone", "status", "--json"])).expect("JSON");
    status.as_array().expect("a list").clone()
}

fn status(house: &House, zone: &str) -> Value {
    let status: Value = serde_json::from_str(&house.tool_ok(&["zone", "status", zone, "--json"])).expect("JSON");
    status[0].clone()
}

/// The zones that are had by catalogs, each `zone catalog serial`, with its groups behind.
fn had(house: &House) -> String {
    let piece = |zone: &Value| {
        let groups: String = zone["groups"].as_array()?.iter().map(|group| format!(" {}", group.as_str().expect("text"))).collect();
        Some(format!("{} {} {}{groups}", zone["zone"].as_str()?, zone["catalog"].as_str()?, zone["serial"]))
    };
    statuses(house).iter().filter_map(piece).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn wait_had(house: &House, expected: &str) {
    let begin = Instant::now();
    while had(house) != expected {
        assert!(begin.elapsed() < PATIENCE, "{} is not {expected}\n{}", had(house), house.read("err"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A primary with zones and two catalogs written by hand, and an edge that follows them.
struct Pair {
    primary: House,
    edge: House,
    serials: [u32; 2],
}

impl Pair {
    fn start() -> Self {
        let port = free_port();
        let primary = House::new("");
        let out = format!("{ALLOWED}notify = [{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}]\n");
        let zones = ["a.example.", "b.example.", "ours.example.", "c1.", "c2."].map(|name| zone_table(name, &out));
        primary.configure(&format!("{}{}", zones.concat(), keys()));
        for (i, zone) in ["a.example.", "b.example.", "ours.example."].iter().enumerate() {
            primary.write(&format!("{zone}zone"), &ZONE.replace(" 7 ", &format!(" {} ", 7 + i)));
        }
        let mut pair = Self { primary, edge: House::new(""), serials: [0, 0] };
        pair.write(0, "");
        pair.write(1, "");
        pair.primary.start();
        let from = pair.primary.addresses()[0];
        let catalog = |name: &str, rest: &str| {
            format!(
                "[[zone]]\nname = \"{name}\"\nprimaries = [{{ address = \"{from}\", key = \"xfr\" }}]\ncatalog-role = \"interpret\"\n{rest}"
            )
        };
        let config = format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\", \"[::1]:0\"]\nworkers = 1\n{}{}{}\
             [template.plain]\n[template.open]\nallow-transfer = [{{ prefix = \"127.0.0.0/8\" }}]\n{}",
            catalog("c1.", "catalog-template = [\"plain\", \"open\"]\n"),
            catalog("C2.", ""),
            zone_table("ours.example.", ""),
            keys()
        );
        pair.edge.write("saola.toml", &config);
        pair.edge.write("ours.example.zone", ZONE);
        pair.edge.start();
        pair
    }

    /// The next version of a catalog.
    fn write(&mut self, i: usize, rest: &str) {
        self.serials[i] += 1;
        let serial = self.serials[i];
        let text = format!("$TTL 0\n@ SOA invalid. invalid. {serial} 600 60 6000 0\n@ NS invalid.\nversion TXT \"2\"\n{rest}\n");
        self.primary.write(&format!("c{}.zone", i + 1), &text);
    }

    fn publish(&mut self, i: usize, rest: &str) {
        self.write(i, rest);
        self.primary.tool_ok(&["zone", "reload", &format!("c{}", i + 1)]);
    }

    /// How often the zone came over the network.
    fn n_transferred(&self, zone: &str) -> usize {
        self.edge.read("err").matches(&format!("[{zone}.] transferred, ")).count()
    }

    fn axfr(&self, zone: &str) -> ResponseCode {
        tcp(self.edge.addresses()[0], zone, RecordType::AXFR).metadata.response_code
    }
}

#[test]
fn catalogs_are_followed_and_broken_ones_change_nothing() {
    let mut pair = Pair::start();
    pair.publish(0, "1.zones PTR a.example.\n2.zones PTR b.example.\n3.zones PTR ours.example.\n4.zones PTR none.example.");
    wait_had(&pair.edge, "a.example. c1. 7; b.example. c1. 8; none.example. c1. null");
    // What is configured here stays what it was.
    pair.edge.wait_for("[c1.] its member 'ours.example.' is left out: a zone of that name is served here that is no catalog's");
    assert_eq!((pair.edge.serial("ours.example"), pair.edge.rcode("none.example")), (7, ResponseCode::ServFail));

    // Groups decide on the template; the zone stays.
    assert_eq!(pair.axfr("a.example"), ResponseCode::Refused);
    pair.publish(0, "1.zones PTR a.example.\ngroup.1.zones TXT open\n2.zones PTR b.example.");
    wait_had(&pair.edge, "a.example. c1. 7 open; b.example. c1. 8");
    assert_eq!([pair.axfr("a.example"), pair.axfr("b.example")], [ResponseCode::NoError, ResponseCode::Refused]);
    assert_eq!(pair.edge.rcode("none.example"), ResponseCode::Refused);
    pair.edge.wait_for("[none.example.] removed by the catalog c1.");

    // Broken in two ways, with everything taken out: nothing of it happens; a start with it changes nothing, nor one without primary.
    pair.publish(0, "version TXT \"1\"");
    pair.edge.wait_for("[c1.] the catalog of serial 4 is broken, its members stay as they are: there are 2 TXT records at 'version.c1.'");
    pair.publish(0, "9.zones PTR a.example.\n8.zones PTR a.example.");
    pair.edge.wait_for("[c1.] the catalog of serial 5 is broken, its members stay as they are: the member 'a.example.' is there twice");
    assert_eq!(had(&pair.edge), "a.example. c1. 7 open; b.example. c1. 8");
    assert!(status(&pair.edge, "c1")["problem"].as_str().is_some_and(|problem| problem.contains("there twice")));
    pair.edge.stop();
    pair.edge.start();
    wait_had(&pair.edge, "a.example. c1. 7 open; b.example. c1. 8");
    assert_eq!([pair.axfr("a.example"), pair.axfr("b.example")], [ResponseCode::NoError, ResponseCode::Refused]);
    pair.primary.stop();
    pair.edge.kill();
    pair.edge.start();
    assert_eq!([pair.edge.serial("a.example"), pair.edge.serial("b.example")], [7, 8]);
    assert_eq!(pair.n_transferred("a.example"), 0, "it was here");
}

#[test]
fn members_change_their_owner_and_begin_anew() {
    let mut pair = Pair::start();
    pair.publish(0, "1.zones PTR a.example.\n2.zones PTR b.example.");
    wait_had(&pair.edge, "a.example. c1. 7; b.example. c1. 8");
    // The new owner alone is not enough.
    pair.publish(1, "1.zones PTR a.example.\n77.zones PTR b.example.");
    pair.edge.wait_for("[c2.] its member 'b.example.' is left out: the catalog c1. has it, and has no coo property that gives it to c2.");
    assert_eq!(had(&pair.edge), "a.example. c1. 7; b.example. c1. 8");
    // Both: the one under the same label is as it was, the other begins anew.
    pair.publish(0, "1.zones PTR a.example.\ncoo.1.zones PTR c2.\n2.zones PTR b.example.\ncoo.2.zones PTR C2.");
    wait_had(&pair.edge, "a.example. c2. 7; b.example. c2. 8");
    pair.edge.wait_for("[a.example.] moved from the catalog c1. to c2.\n");
    pair.edge.wait_for("[b.example.] moved from the catalog c1. to c2., begins anew");
    // It is told of after it is served.
    while pair.n_transferred("b.example") < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!([pair.n_transferred("a.example"), pair.n_transferred("b.example")], [1, 2]);
    // The old owner lets go.
    pair.publish(0, "");
    pair.publish(1, "1.zones PTR a.example.\n77.zones PTR b.example.\ngroup.1.zones TXT seen");
    wait_had(&pair.edge, "a.example. c2. 7 seen; b.example. c2. 8");
    // Another label is another zone, of whatever serial.
    pair.primary.write("a.example.zone", &ZONE.replace(" 7 ", " 3 "));
    pair.primary.tool(&["zone", "reload", "a.example"]);
    pair.publish(1, "5.zones PTR a.example.\n77.zones PTR b.example.");
    wait_had(&pair.edge, "a.example. c2. 3; b.example. c2. 8");
    // What is no member any more leaves nothing behind.
    pair.publish(1, "77.zones PTR b.example.");
    wait_had(&pair.edge, "b.example. c2. 8");
    assert_eq!(pair.edge.rcode("a.example"), ResponseCode::Refused);
    let is_kept = |zone: &str| {
        ["var/zones", "var/journal"].map(|folder| {
            let files = super::house::files(&pair.edge.path(folder));
            files.iter().any(|(path, _)| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(zone)))
        })
    };
    // What came as a whole has no log of changes.
    assert_eq!((is_kept("a.example."), is_kept("b.example.")), ([false; 2], [true, false]));
    // Nor is anything left once the catalog is no longer followed.
    let config = pair.edge.read("saola.toml").replace("catalog-role = \"interpret\"\n[[zone]]\nname = \"ours", "[[zone]]\nname = \"ours");
    pair.edge.write("saola.toml", &config);
    pair.edge.tool_ok(&["server", "reload"]);
    assert_eq!((had(&pair.edge).as_str(), pair.edge.rcode("b.example")), ("", ResponseCode::Refused));
    pair.edge.wait_for("[b.example.] removed by the catalog c2.");
}

/// Knot makes its catalog itself, BIND serves one that was written by hand.
#[test]
fn catalogs_of_other_makes_are_followed() {
    let Some([knotd, named]) = find_all(["knotd", "named"]) else { return };
    let ports = [free_port(), free_port(), free_port()];
    let us = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ports[2]);
    let mut edge = House::new("");
    let catalog = |name: &str, port: u16| {
        format!(
            "[[zone]]\nname = \"{name}\"\nprimaries = [{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}]\ncatalog-role = \"interpret\"\n"
        )
    };
    let catalogs = format!("{}{}", catalog("knot.", ports[0]), catalog("bind.", ports[1]));
    edge.write("saola.toml", &format!("[server]\nlisten = [\"{us}\", \"[::1]:0\"]\nworkers = 1\n{catalogs}{}", keys()));
    let folders = ["knot", "bind"].map(|name| edge.path(name));
    folders.iter().for_each(|folder| std::fs::create_dir(folder).expect("made"));
    let write = |folder: &Path, name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    for (folder, zones) in folders.iter().zip([["k1.example", "k2.example"], ["b1.example", "b2.example"]]) {
        zones.iter().for_each(|zone| write(folder, zone, ZONE));
    }
    let knot_zones = |members: &[(&str, &str)]| {
        let zone = |name: &str| format!("  - domain: {name}\n    storage: {}\n    notify: saola\n    acl: ours\n", folders[0].display());
        let member = |(name, group): &(&str, &str)| {
            format!("{}    file: {name}\n    catalog-role: member\n    catalog-zone: knot\n    catalog-group: {group}\n", zone(name))
        };
        format!("zone:\n{}    catalog-role: generate\n{}", zone("knot"), members.iter().map(member).collect::<String>())
    };
    let bind_zones = |serial: u32, members: &str| {
        let text = format!("$TTL 0\n@ SOA invalid. invalid. {serial} 600 60 6000 0\n@ NS invalid.\nversion TXT \"2\"\n{members}");
        write(&folders[1], "catalog", &text);
        let zone = |name: &str, file: &str| {
            format!(
                "zone \"{name}\" {{ type primary; file \"{file}\"; notify explicit; allow-transfer {{ key xfr; }};\n  \
                 also-notify {{ 127.0.0.1 port {} key xfr; }}; ixfr-from-differences yes; }};\n",
                us.port()
            )
        };
        ["b1.example", "b2.example"].map(|name| zone(name, name)).concat() + &zone("bind", "catalog")
    };
    let command = &mut knot(&knotd, &folders[0], ports[0], us, &knot_zones(&[("k1.example", "g1"), ("k2.example", "g2")]));
    let knot_peer = Peer::start(command, &folders[0].join("log"));
    let command = &mut bind(&named, &folders[1], ports[1], "", &bind_zones(1, "x.zones PTR b1.example.\ngroup.x.zones TXT \"a\" \"b\"\n"));
    let bind_peer = Peer::start(command, &folders[1].join("log"));
    let hup = |peer: &Peer| assert!(Command::new("kill").args(["-HUP", &peer.id().to_string()]).status().expect("kill").success());
    wait_for(ports[0], "k1.example", Some(7), || knot_peer.words());
    wait_for(ports[1], "bind", Some(1), || bind_peer.words());
    edge.start();
    wait_had(&edge, "b1.example. bind. 7 a b; k1.example. knot. 7 g1; k2.example. knot. 7 g2");

    knot(&knotd, &folders[0], ports[0], us, &knot_zones(&[("k2.example", "g3")]));
    hup(&knot_peer);
    bind_zones(2, "x.zones PTR b1.example.\ny.zones PTR b2.example.\n");
    hup(&bind_peer);
    wait_had(&edge, "b1.example. bind. 7; b2.example. bind. 7; k2.example. knot. 7 g3");
    // Broken, and whole again with another label.
    bind_zones(3, "x.zones PTR b1.example.\nx.zones PTR b2.example.\n");
    hup(&bind_peer);
    edge.wait_for(
        "[bind.] the catalog of serial 3 is broken, its members stay as they are: there is more than one PTR record at 'x.zones.bind.'",
    );
    assert_eq!(had(&edge), "b1.example. bind. 7; b2.example. bind. 7; k2.example. knot. 7 g3");
    bind_zones(4, "x.zones PTR b2.example.\n");
    hup(&bind_peer);
    wait_had(&edge, "b2.example. bind. 7; k2.example. knot. 7 g3");
    edge.wait_for("[bind.] the catalog is whole again, 1 member");
    edge.wait_for("[b2.example.] reset by the catalog bind.: it has another label, and begins anew");
}
