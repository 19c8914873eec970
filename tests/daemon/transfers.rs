//! Zones go out to servers of other makes that hold the key, whole and as they are; and to nobody else. RFC 5936, RFC 8945.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use saola::dns::{Name, Records, master};

use super::house::{House, query, tcp, udp};
use super::papers::Papers;
use super::peers::{self, Peer, find_all, free_port};

pub const SECRET: &str = "bm9ib2R5IGtub3dzIHRoaXMgb25lIGJ1dCB1cw==";
pub const ALLOWED: &str = "allow-transfer = [{ prefix = \"127.0.0.0/8\", key = \"xfr\" }]\n";

pub fn keys() -> String {
    format!("[[key]]\nname = \"xfr\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{SECRET}\"\n")
}

/// Every zone that is served, without the last dot.
fn zones(house: &House) -> Vec<String> {
    let lines: serde_json::Value = serde_json::from_str(&house.tool_ok(&["zone", "status", "--json"])).expect("JSON");
    let lines = lines.as_array().expect("a list").iter();
    lines.map(|zone| zone["zone"].as_str().expect("a name").trim_end_matches('.').to_owned()).collect()
}

/// In September 2017 the zones of a whole country could be had by anybody who asked.
#[test]
fn nobody_has_a_zone_who_is_not_named() {
    let mut house = House::with_export("");
    house.start();
    let zones = zones(&house);
    assert_eq!(zones.len(), 80);
    for server in house.addresses() {
        for zone in &zones {
            for rtype in [RecordType::AXFR, RecordType::IXFR] {
                assert_eq!(tcp(server, zone, rtype).metadata.response_code, ResponseCode::Refused, "{zone} {rtype}");
                assert_eq!(udp(server, zone, rtype).metadata.response_code, ResponseCode::Refused, "{zone} {rtype}");
            }
        }
    }
    house.stop();
    // Where a key is asked for, an address is not enough, and neither is another key.
    let other = keys().replace("\"xfr\"", "\"mine\"");
    house.configure(&format!("{}{ALLOWED}{}{other}", super::zone_table("example.org.", ""), keys()));
    house.write("example.org.zone", super::ZONE);
    house.start();
    let server = house.addresses()[0];
    assert_eq!(tcp(server, "example.org", RecordType::AXFR).metadata.response_code, ResponseCode::Refused);
    let Some([dig]) = find_all(["dig"]) else { return };
    let axfr = |key: &str| {
        let at = [format!("@{}", server.ip()), "-p".into(), server.port().to_string(), "-y".into(), key.into()];
        let output = Command::new(&dig).args(at).args(["example.org", "AXFR", "+onesoa"]).output();
        String::from_utf8(output.expect("dig").stdout).expect("text")
    };
    let whole = axfr(&format!("hmac-sha256:xfr:{SECRET}"));
    assert_eq!(whole.lines().filter(|line| line.contains("\tIN\t")).count(), 4, "{whole}");
    for (key, what) in [
        ("hmac-sha256:xfr:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(), "BADSIG"),
        (format!("hmac-sha256:other:{SECRET}"), "BADKEY"),
        (format!("hmac-sha512:xfr:{SECRET}"), "BADKEY"),
        (format!("hmac-sha256:mine:{SECRET}"), "Transfer failed"),
    ] {
        let refused = axfr(&key);
        assert!(refused.contains(what) && !refused.contains("192.0.2."), "{what}: {refused}");
    }
    house.wait_for("[example.org.] transferred, AXFR, key xfr., serial 7, 5 records in 1 message");
    house.wait_for("[example.org.] transfer refused, to 127.0.0.1, key mine.: ");
    assert_eq!(house.read("err").matches("refused").count(), 1, "strangers are not logged");
}

/// What `dig` gets from a secondary of the zone, which must come; sorted.
fn of_secondary(dig: &Path, port: u16, zone: &str) -> Records {
    let at = ["@127.0.0.1".to_owned(), "-p".into(), port.to_string(), zone.to_owned()];
    let output = Command::new(dig).args(at).args(["AXFR", "+noall", "+answer", "+onesoa"]).output().expect("dig");
    read(&output.stdout, zone)
}

fn read(text: &[u8], zone: &str) -> Records {
    let origin = Name::parse(zone).expect("a name");
    let mut records = master::read_text(text, zone, origin.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    records.sort();
    records
}

fn lines(records: &Records) -> Vec<String> {
    let mut lines: Vec<String> =
        records.iter().map(|r| format!("{} {} {} {:?}", r.owner.to_lowercase(), r.ttl, r.rtype, r.rdata)).collect();
    lines.sort();
    lines
}

/// The configuration of a secondary of every zone, and how it is started. `over_tls`: the folder of the certificates, if so.
pub fn secondary(program: &Path, folder: &Path, port: u16, primary: SocketAddr, over_tls: Option<&Path>, zones: &[String]) -> Command {
    let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
    let (at, from) = (folder.display(), primary.port());
    let papers = over_tls.unwrap_or(Path::new("")).display();
    let (text, arguments): (String, &[&str]) = match name {
        "knotd" => {
            let mut text = format!(
                "server:\n  rundir: {at}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {at}\nlog:\n  - target: stderr\n    any: info\n\
                 key:\n  - id: xfr\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
                 remote:\n  - id: saola\n    address: 127.0.0.1@{from}\n    key: xfr\n\
                 acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: transfer\n\
                 \x20 - id: saola\n    address: 127.0.0.0/8\n    key: xfr\n    action: notify\n\
                 template:\n  - id: default\n    storage: {at}\nzone:\n"
            );
            zones.iter().for_each(|zone| _ = writeln!(text, "  - domain: {zone}\n    master: saola\n    acl: [all, saola]"));
            (text, &["-c"])
        }
        "nsd" => {
            let mut text = format!(
                "server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{at}\"\n  \
                 pidfile: \"{at}/pid\"\n  xfrdfile: \"{at}/xfrd\"\n  zonelistfile: \"{at}/list\"\n  xfrdir: \"{at}\"\n  database: \"\"\n  \
                 rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n\
                 key:\n  name: \"xfr\"\n  algorithm: hmac-sha256\n  secret: \"{SECRET}\"\n"
            );
            if over_tls.is_some() {
                text = text.replacen("server:\n", &format!("server:\n  tls-cert-bundle: \"{papers}/authority.pem\"\n"), 1);
                _ = writeln!(text, "tls-auth:\n  name: \"saola\"\n  auth-domain-name: \"ns0.example\"");
            }
            for zone in zones {
                let peer = if over_tls.is_some() { format!("AXFR 127.0.0.1@{from} xfr saola") } else { format!("127.0.0.1@{from} xfr") };
                _ = writeln!(
                    text,
                    "zone:\n  name: \"{zone}\"\n  zonefile: \"{zone}.zone\"\n  request-xfr: {peer}\n  allow-notify: 127.0.0.1 xfr\n  \
                     provide-xfr: 127.0.0.0/8 NOKEY"
                );
            }
            (text, &["-d", "-c"])
        }
        _ => {
            let mut text = format!(
                "options {{ directory \"{at}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{at}\";\n  \
                 listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; allow-transfer {{ 127.0.0.0/8; }};\n  \
                 dnssec-validation no; transfers-in 100; transfers-per-ns 100; }};\ncontrols {{ }};\n\
                 key xfr {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n"
            );
            let tls = if over_tls.is_some() { "tls saola" } else { "" };
            if over_tls.is_some() {
                _ = writeln!(
                    text,
                    "tls saola {{ ca-file \"{papers}/authority.pem\"; remote-hostname \"ns0.example\"; \
                     cert-file \"{papers}/edge.pem\"; key-file \"{papers}/edge.key\"; }};"
                );
            }
            for zone in zones {
                let from = format!("127.0.0.1 port {from} key xfr {tls};");
                _ = writeln!(text, "zone \"{zone}\" {{ type secondary; primaries {{ {from} }}; file \"{zone}.zone\"; }};");
            }
            (text, &["-g", "-n", "1", "-c"])
        }
    };
    let file = folder.join("conf");
    std::fs::write(&file, text).expect("written");
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    if name == "knotd" {
        command.arg("-s").arg(folder.join("socket"));
    }
    command
}

/// All example zones, signed, at secondaries of three makes.
#[test]
fn secondaries_of_other_makes_have_what_we_have() {
    let Some([knotd, nsd, named, dig]) = find_all(["knotd", "nsd", "named", "dig"]) else { return };
    let mut house = House::with_export(&format!("{ALLOWED}{}", keys()));
    house.start();
    let primary = house.addresses()[0];
    check_secondaries(&house, &dig, [&knotd, &nsd, &named].map(|program| (program.as_path(), primary, None)));
    assert_eq!(house.read("err").matches(", key xfr., ").count(), house.read("err").matches(", tcp, ").count());
}

/// BIND proves who it is; NSD 4.6 asks who we are and signs with the key; Knot 3.2 does not speak TLS. What is left of TCP is REFUSED.
#[test]
fn secondaries_over_tls_have_what_we_have() {
    let Some([nsd, named, dig, kdig, openssl]) = find_all(["nsd", "named", "dig", "kdig", "openssl"]) else { return };
    let mut house = House::with_export("");
    let papers = Papers::new();
    papers.authority.write(&house.path(""), "authority");
    papers.server.write(&house.path(""), "server");
    papers.edge.write(&house.path(""), "edge");
    let allow = |house: &House, tls: &str| {
        house.configure(&format!(
            "listen-tls = [\"127.0.0.1:0\"]\n[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n{}\
             allow-transfer = [{{ prefix = \"127.0.0.0/8\", key = \"xfr\", tls = {tls} }}]\n{}",
            super::house::REGISTRY,
            keys()
        ));
    };
    let by_name = "{ ca = \"authority.pem\", name = \"edge1.example\" }";
    allow(&house, by_name);
    house.start();
    let tls: SocketAddr = house.status().expect("answers")["listen_tls"][0].as_str().expect("text").parse().expect("an address");
    let folder = house.path("");
    check_secondaries(&house, &dig, [(&named, tls, Some(folder.as_path()))]);
    house.wait_for("[vn.] transferred, AXFR, key xfr., serial");
    assert!(house.read("err").matches(", tls edge1.example, ").count() >= 80);
    // Two more clients, with and without the certificate; and neither over TCP.
    let get = |program: &Path, port: u16, options: &[&str], shows: bool| {
        let paths = ["authority.pem", "edge.pem", "edge.key"].map(|name| house.path(name).display().to_string());
        let mut command = Command::new(program);
        command.args(["@127.0.0.1", "-p", &port.to_string(), "-y", &format!("hmac-sha256:xfr:{SECRET}"), "com.vn", "AXFR"]).args(options);
        if !options.is_empty() {
            command.args([format!("+tls-ca={}", paths[0]), "+tls-hostname=ns0.example".into()]);
        }
        if shows {
            command.args([format!("+tls-certfile={}", paths[1]), format!("+tls-keyfile={}", paths[2])]);
        }
        String::from_utf8(command.output().expect("ran").stdout).expect("text").lines().filter(|line| line.contains("\tSOA\t")).count()
    };
    for program in [&dig, &kdig] {
        assert_eq!(get(program, tls.port(), &["+tls"], true), 2, "{}", program.display());
        assert_eq!(get(program, tls.port(), &["+tls"], false), 0, "{} without a certificate", program.display());
        assert_eq!(get(program, house.addresses()[0].port(), &[], false), 0, "{} over TCP", program.display());
    }
    // NSD 4.6 shows no certificate.
    allow(&house, "true");
    house.tool_ok(&["server", "reload"]);
    check_secondaries(&house, &dig, [(&nsd, tls, Some(folder.as_path()))]);
    assert_eq!(get(&dig, house.addresses()[0].port(), &[], false), 0, "TCP");
    // Nothing older than TLS 1.3.
    for (version, is_spoken) in [("-tls1_3", true), ("-tls1_2", false)] {
        let mut command = Command::new(&openssl);
        command.args(["s_client", "-connect", &tls.to_string(), version, "-alpn", "dot"]).stdin(std::process::Stdio::null());
        let said = command.output().expect("ran");
        assert_eq!(String::from_utf8_lossy(&said.stdout).contains("ALPN protocol: dot"), is_spoken, "{version}");
    }
    house.stop();
}

/// Each program, from this address of ours, has all zones as they are.
fn check_secondaries<const N: usize>(house: &House, dig: &Path, programs: [(&Path, SocketAddr, Option<&Path>); N]) {
    let zones = zones(house);
    let expected: Vec<Vec<String>> =
        zones.iter().map(|zone| lines(&read(house.tool_ok(&["zone", "dump", zone]).as_bytes(), zone))).collect();
    let serials: Vec<u32> = zones.iter().map(|zone| house.serial(zone)).collect();
    let before: Vec<usize> = zones.iter().map(|zone| n_transferred(house, zone)).collect();
    let start = |(program, primary, over_tls): (&Path, SocketAddr, Option<&Path>)| {
        let folder = house.path(program.file_name().and_then(|name| name.to_str()).expect("a name"));
        std::fs::create_dir(&folder).expect("made");
        let port = free_port();
        (Peer::start(&mut secondary(program, &folder, port, primary, over_tls, &zones), &folder.join("log")), port)
    };
    for (program, (mut peer, port)) in programs.map(|program| (program.0, start(program))) {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        for ((zone, expected), serial) in zones.iter().zip(&expected).zip(&serials) {
            peer.wait_for_soa(address, zone);
            assert_eq!(lines(&of_secondary(dig, port, zone)), *expected, "{}: {zone}", program.display());
            let reply = peers::exchange_udp(address, &peers::question(9, zone, 6, false), std::time::Duration::from_secs(60));
            assert!(reply.is_some_and(|reply| reply.windows(4).any(|octets| octets == serial.to_be_bytes())), "{zone}");
        }
    }
    for (zone, before) in zones.iter().zip(before) {
        assert!(n_transferred(house, zone) >= before + N, "{zone}");
    }
}

/// How often the log says that a zone went out.
fn n_transferred(house: &House, zone: &str) -> usize {
    house.read("err").matches(&format!("[{zone}.] transferred, ")).count()
}

/// What a client asks behind a transfer is answered behind it, and a client that ends its side first still gets all.
#[test]
fn a_transfer_is_one_answer_among_others() {
    let allowed = "allow-transfer = [{ prefix = \"127.0.0.0/8\" }]";
    let mut house = House::new(&super::zone_table("example.org.", allowed));
    house.write("example.org.zone", &format!("{}$GENERATE 1-20000 n$ A 192.0.2.7\n", super::ZONE));
    house.start();
    let mut stream = TcpStream::connect(house.addresses()[0]).expect("connected");
    for (id, rtype) in [(1, RecordType::SOA), (2, RecordType::AXFR), (3, RecordType::SOA), (4, RecordType::AXFR), (5, RecordType::IXFR)] {
        let query = query(id, "example.org", rtype);
        stream.write_all(&(query.len() as u16).to_be_bytes()).expect("sent");
        stream.write_all(&query).expect("sent");
    }
    stream.shutdown(Shutdown::Write).expect("shut");
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).expect("all of it");
    // For each id the response code, and how many messages and records it had.
    let mut seen: Vec<(u16, u8, usize, usize)> = Vec::new();
    let mut rest = &octets[..];
    while let Some((len, behind)) = rest.split_first_chunk() {
        let (message, behind) = behind.split_at(usize::from(u16::from_be_bytes(*len)));
        let id = u16::from_be_bytes([message[0], message[1]]);
        if seen.last().is_none_or(|last| last.0 != id) {
            seen.push((id, message[3] & 15, 0, 0));
        }
        let last = seen.last_mut().expect("pushed");
        last.2 += 1;
        last.3 += usize::from(u16::from_be_bytes([message[6], message[7]]));
        rest = behind;
    }
    let n = seen[1].2;
    assert!(n > 10, "{n} messages");
    // IXFR without the serial that the client has is none.
    assert_eq!(seen, [(1, 0, 1, 1), (2, 0, n, 20_005), (3, 0, 1, 1), (4, 0, n, 20_005), (5, 1, 1, 0)]);
}

/// What `dig` gets for an IXFR, a line a record, without the fields between owner and type.
fn changes(dig: &Path, server: SocketAddr, zone: &str, from: u32, udp: bool) -> Vec<String> {
    let at = [format!("@{}", server.ip()), "-p".into(), server.port().to_string(), "-y".into(), format!("hmac-sha256:xfr:{SECRET}")];
    let transport = if udp { "+notcp" } else { "+tcp" };
    let asked = [zone.to_owned(), format!("IXFR={from}")];
    let output = Command::new(dig).args(at).args(asked).args([transport, "+noall", "+answer", "+norecurse"]).output().expect("dig");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().filter(|line| line.contains("\tIN\t"));
    lines
        .map(|line| {
            line.split_whitespace().enumerate().filter(|(i, _)| !matches!(i, 1 | 2)).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// RFC 1995: secondaries get what has changed; after a restart and after a crash as well.
#[test]
fn who_has_a_version_gets_the_changes_since() {
    let Some([dig]) = find_all(["dig"]) else { return };
    let mut house = House::new(&format!("{}{ALLOWED}{}", super::zone_table("example.org.", ""), keys()));
    let version = |serial: u32| super::ZONE.replace(" 7 ", &format!(" {serial} ")).replace("192.0.2.2", &format!("192.0.2.{serial}"));
    house.write("example.org.zone", &version(7));
    house.start();
    for serial in [8, 9, 10] {
        house.write("example.org.zone", &version(serial));
        house.tool_ok(&["zone", "reload", "example.org"]);
    }
    let soa = |serial| version(serial).lines().find(|line| line.contains("SOA")).map(|_| format!("SOA {serial}")).expect("a SOA");
    let check = |house: &House, from: u32, to: u32| {
        for udp in [false, true] {
            let lines = changes(&dig, house.addresses()[0], "example.org", from, udp);
            let short: Vec<String> = lines
                .iter()
                .map(|line| {
                    let words: Vec<&str> = line.split(' ').collect();
                    if words[1] == "SOA" { format!("SOA {}", words[4]) } else { words[1..].join(" ") }
                })
                .collect();
            let expected: Vec<String> = if from == to {
                vec![soa(to)]
            } else {
                [soa(to), soa(from), format!("A 192.0.2.{from}"), soa(to), format!("A 192.0.2.{to}"), soa(to)].into()
            };
            assert_eq!(short, expected, "from {from}, udp {udp}");
        }
    };
    for from in 7..=10 {
        check(&house, from, 10);
    }
    house.wait_for("[example.org.] transferred, IXFR, key xfr., serial 8 -> 10, 6 records in 1 message");
    house.stop();
    house.write("example.org.zone", &version(11));
    house.start();
    check(&house, 7, 11);
    house.kill();
    house.start();
    check(&house, 9, 11);
    // A version that was never there, or no version: the whole zone.
    assert_eq!(changes(&dig, house.addresses()[0], "example.org", 3, false).len(), 5);
    assert_eq!(changes(&dig, house.addresses()[0], "example.org", 3, true).len(), 1);
    // The file goes back: secondaries are not led astray, the history begins anew.
    house.write("example.org.zone", &version(6));
    house.tool_refuses(&["zone", "reload", "example.org"], "the serial did not move forward");
    house.write("example.org.zone", &version(12));
    house.tool_ok(&["zone", "reload", "example.org"]);
    check(&house, 6, 12);
    assert_eq!(changes(&dig, house.addresses()[0], "example.org", 11, false).len(), 5);
}
