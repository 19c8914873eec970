//! Secondaries of other makes have a change without any help, and the operator sees it. RFC 1996.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use hickory_proto::rr::{RData, RecordType};
use serde_json::Value;

use super::house::{House, PATIENCE, udp};
use super::peers::{Peer, find_all, free_port};
use super::transfers::{ALLOWED, keys, secondary};
use super::{ZONE, zone_table};

/// The secondaries of the zone as `zone status` tells them.
fn secondaries(house: &House) -> Vec<Value> {
    let status: Value = serde_json::from_str(&house.tool_ok(&["zone", "status", "example.org", "--json"])).expect("JSON");
    status[0]["secondaries"].as_array().expect("a list").clone()
}

/// Waits until the secondaries at `ports` are shown as serving `serial`.
#[track_caller]
fn wait_for(house: &House, ports: &[u16], serial: u32) {
    let begin = Instant::now();
    let is_there = |all: &[Value], port: u16| {
        let address = format!("127.0.0.1:{port}");
        all.iter().any(|one| one["address"] == address && one["state"] == "current" && one["seen"] == serial && one["fault"].is_null())
    };
    loop {
        let all = secondaries(house);
        if ports.iter().all(|port| is_there(&all, *port)) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "serial {serial}: {all:#?}\n{}", house.read("err"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn secondaries_of_other_makes_are_told_of_a_change() {
    let Some([knotd, nsd, named]) = find_all(["knotd", "nsd", "named"]) else { return };
    let programs = [&knotd, &nsd, &named];
    let ports = programs.map(|_| free_port());
    // One more that nobody listens on: it delays nobody.
    let deaf = free_port();
    let configure = |house: &House, ports: &[u16]| {
        let peers: Vec<String> = ports.iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}")).collect();
        house.configure(&format!("{}{ALLOWED}notify = [{}]\n{}", zone_table("example.org.", ""), peers.join(", "), keys()));
    };
    let mut house = House::new("");
    configure(&house, &[deaf]);
    house.write("example.org.zone", ZONE);
    house.start();
    let primary = house.addresses()[0];
    let zones = ["example.org".to_owned()];
    let mut peers: Vec<Peer> = Vec::new();
    for (program, port) in programs.iter().zip(ports) {
        let folder = house.path(program.file_name().and_then(|name| name.to_str()).expect("a name"));
        std::fs::create_dir(&folder).expect("made");
        let mut peer = Peer::start(&mut secondary(program, &folder, port, primary, None, &zones), &folder.join("log"));
        peer.wait_for_soa(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), "example.org");
        peers.push(peer);
    }
    // A reload brings the others in; they have the zone already.
    configure(&house, &[deaf, ports[0], ports[1], ports[2]]);
    house.tool_ok(&["server", "reload"]);
    wait_for(&house, &ports, 7);
    // Its refresh is an hour, so nobody would ask by itself.
    for serial in [8, 9] {
        house.write("example.org.zone", &ZONE.replace("hostmaster 7 ", &format!("hostmaster {serial} ")));
        house.tool_ok(&["zone", "reload", "example.org"]);
        wait_for(&house, &ports, serial);
        for port in ports {
            let answer = udp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), "example.org", RecordType::SOA);
            assert!(matches!(&answer.answers[0].data, RData::SOA(soa) if soa.serial == serial), "{answer}");
        }
    }
    let all = secondaries(&house);
    assert_eq!(all.len(), 4);
    assert!(all[0]["address"] == format!("127.0.0.1:{deaf}") && all[0]["state"] != "current" && all[0]["seen"].is_null(), "{all:#?}");
    assert!(all[1..].iter().all(|one| one["acknowledged"] == 9 && one["notified_at"].is_string()), "{all:#?}");
    let shown = house.tool_ok(&["zone", "status"]);
    assert!(shown.contains("3 of 4 current"), "{shown}");
    drop(peers);
    house.stop();
}

/// Who does not take the news is named in the log, once.
#[test]
fn a_refusal_is_said_in_the_log() {
    let mut other = House::new("");
    other.start();
    let address = other.addresses()[1];
    let mut house = House::new(&zone_table("example.org.", &format!("notify = [{{ address = \"{address}\" }}]")));
    house.write("example.org.zone", ZONE);
    house.start();
    house.wait_for(&format!("[example.org.] secondary {address} answers NOTIFY with NOTAUTH"));
    let shown = house.tool_ok(&["zone", "status", "example.org"]);
    assert!(shown.contains(&format!("{address}  refused  7 ")), "{shown}");
}
