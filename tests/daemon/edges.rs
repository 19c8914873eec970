//! A server that has its zones from another one: told of a change it has it at once, and what it has outlives its primary and itself.

use std::time::Instant;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::Value;

use super::house::{House, PATIENCE};
use super::peers::free_port;
use super::transfers::{ALLOWED, keys};
use super::{ZONE, zone_table};

/// Waits until `house` serves this version.
#[track_caller]
pub fn wait_for(house: &House, serial: u32) {
    let begin = Instant::now();
    while house.rcode("example.org") != ResponseCode::NoError || house.serial("example.org") != serial {
        assert!(begin.elapsed() < PATIENCE, "no serial {serial}: {}", house.read("err"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn version(serial: u32) -> String {
    ZONE.replace(" 7 ", &format!(" {serial} ")).replace("192.0.2.2", &format!("192.0.2.{serial}"))
}

/// A primary that signs, and an edge without keys; the primary tells the edge.
struct Pair {
    primary: House,
    edge: House,
    edge_port: u16,
}

impl Pair {
    fn start() -> Self {
        let edge_port = free_port();
        let mut primary = House::new("");
        primary.configure(&format!(
            "{}{ALLOWED}notify = [{{ address = \"127.0.0.1:{edge_port}\", key = \"xfr\" }}]\n{}",
            zone_table("example.org.", "sign = \"default\""),
            keys()
        ));
        primary.write("example.org.zone", &version(7));
        primary.start();
        let mut pair = Self { primary, edge: House::new(""), edge_port };
        pair.configure_edge();
        pair.edge.start();
        wait_for(&pair.edge, 7);
        pair
    }

    fn configure_edge(&self) {
        let from = self.primary.addresses()[0];
        let zone = format!("[[zone]]\nname = \"example.org.\"\nprimaries = [{{ address = \"{from}\", key = \"xfr\" }}]\n{ALLOWED}");
        let server = format!("[server]\nlisten = [\"127.0.0.1:{}\", \"[::1]:0\"]\nworkers = 1\n", self.edge_port);
        self.edge.write("saola.toml", &format!("{server}{zone}{}", keys()));
    }

    fn publish(&self, serial: u32) {
        self.primary.write("example.org.zone", &version(serial));
        self.primary.tool_ok(&["zone", "reload", "example.org"]);
    }

    /// Both have the same records.
    #[track_caller]
    fn check(&self) {
        let [a, b] = [&self.primary, &self.edge].map(|house| house.tool_ok(&["zone", "dump", "example.org"]));
        assert_eq!(a, b);
    }
}

#[test]
fn an_edge_has_what_its_primary_has() {
    let mut pair = Pair::start();
    pair.check();
    pair.edge.wait_for("[example.org.] transferred, AXFR, key xfr., serial none -> 7");
    for serial in 8..12 {
        pair.publish(serial);
        wait_for(&pair.edge, serial);
        pair.check();
        pair.edge.wait_for(&format!("[example.org.] transferred, IXFR, key xfr., serial {} -> {serial}", serial - 1));
    }
    let status: Value = serde_json::from_str(&pair.edge.tool_ok(&["zone", "status", "example.org", "--json"])).expect("JSON");
    assert_eq!((&status[0]["serial"], &status[0]["source"]), (&Value::from(11), &Value::from("primaries")));
    assert!(status[0]["good_until"].is_string() && status[0]["checked_at"].is_string(), "{status}");

    // What it has outlives its primary, itself, and a crash; and it goes on from there.
    pair.primary.stop();
    pair.edge.kill();
    pair.edge.start();
    assert_eq!(pair.edge.serial("example.org"), 11);
    assert_eq!(pair.edge.ask("www.example.org", RecordType::A).answers.len(), 1);
    pair.edge.stop();
    pair.edge.start();
    assert_eq!(pair.edge.serial("example.org"), 11);
    pair.primary.start();
    pair.configure_edge();
    pair.edge.tool_ok(&["server", "reload"]);
    pair.publish(12);
    wait_for(&pair.edge, 12);
    pair.check();
}

/// RFC 1035 §3.3.13: a zone that nobody could confirm for its expire time is not answered from; RFC 2308 §7: SERVFAIL.
#[test]
fn an_edge_without_its_primary_answers_until_the_zone_expires() {
    let mut pair = Pair::start();
    let short = version(8).replace(" 3600 600 86400 ", " 2 1 3 ");
    pair.primary.write("example.org.zone", &short);
    pair.primary.tool_ok(&["zone", "reload", "example.org"]);
    wait_for(&pair.edge, 8);
    assert!(short.contains(" 2 1 3 "), "{short}");
    pair.primary.stop();
    pair.edge.wait_for("[example.org.] expired, no primary has confirmed it");
    let begin = Instant::now();
    while pair.edge.rcode("example.org") != ResponseCode::ServFail {
        assert!(begin.elapsed() < PATIENCE);
    }
    // Expired it stays, also when it is started again.
    pair.edge.stop();
    pair.edge.start();
    let begin = Instant::now();
    while pair.edge.rcode("example.org") != ResponseCode::ServFail {
        assert!(begin.elapsed() < PATIENCE);
    }
    pair.primary.start();
    pair.configure_edge();
    let n_transferred = |pair: &Pair| pair.edge.read("err").matches("transferred").count();
    let before = n_transferred(&pair);
    pair.edge.tool_refuses(&["server", "reload"], "expired");
    let begin = Instant::now();
    while pair.edge.rcode("example.org") != ResponseCode::NoError {
        assert!(begin.elapsed() < PATIENCE);
    }
    wait_for(&pair.edge, 8);
    assert_eq!(n_transferred(&pair), before, "what is here is what the primary has");
}

/// Without being told, and where the serial went back.
#[test]
fn an_operator_has_the_primary_asked() {
    let mut primary = House::new(&format!("{}{ALLOWED}{}", zone_table("example.org.", ""), keys()));
    primary.write("example.org.zone", &version(7));
    primary.start();
    let zone = format!("[[zone]]\nname = \"example.org.\"\nprimaries = [{{ address = \"{}\", key = \"xfr\" }}]\n", primary.addresses()[0]);
    let dead = format!("[[zone]]\nname = \"dead.example.\"\nprimaries = [{{ address = \"127.0.0.1:{}\" }}]\n", free_port());
    let mut edge = House::new(&format!("{zone}{dead}{}{}", zone_table("own.example.", ""), keys()));
    edge.write("own.example.zone", ZONE);
    edge.start();
    wait_for(&edge, 7);
    // What nobody has given is seen.
    assert!(edge.read("out").contains("zone dead.example. is unavailable: no primary has given it yet"), "{}", edge.read("out"));
    let status = edge.tool_ok(&["zone", "status", "dead.example"]);
    assert!(status.contains("no primary has given it yet"), "{status}");
    assert_eq!(edge.status().map(|status| status["zones"]["unavailable"].clone()), Some(1.into()));
    primary.write("example.org.zone", &version(8));
    primary.tool_ok(&["zone", "reload", "example.org"]);
    assert!(edge.tool_ok(&["zone", "refresh", "example.org"]).contains("its primaries are asked"));
    wait_for(&edge, 8);
    primary.write("example.org.zone", &version(3));
    primary.tool_refuses(&["zone", "reload", "example.org"], "3");
    assert_eq!(primary.serial("example.org"), 3);
    edge.tool_ok(&["zone", "refresh", "Example.ORG."]);
    edge.wait_for("it has serial 3, and ours is 8: it is behind, or its serial went back");
    assert_eq!(edge.serial("example.org"), 8);
    edge.tool_ok(&["zone", "refresh", "example.org", "--whole"]);
    wait_for(&edge, 3);
    // From there it goes on, through a restart too.
    edge.kill();
    edge.start();
    assert_eq!(edge.serial("example.org"), 3);
    primary.write("example.org.zone", &version(4));
    primary.tool_ok(&["zone", "reload", "example.org"]);
    edge.tool_ok(&["zone", "refresh", "example.org"]);
    wait_for(&edge, 4);
    edge.tool_refuses(&["zone", "refresh", "own.example"], "is no zone that is had from primaries");
}
