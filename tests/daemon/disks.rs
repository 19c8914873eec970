//! Disks that are full, or may not be written to, below the ledger and below the state: an order is refused as a whole, and goes through once there is room.

use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use saola::control::{Client, Request};
use serde_json::Value;

use super::deposit;
use super::faults::Disk;
use super::house::{House, PATIENCE, files};
use super::killed::filing;

const LEDGERS: [&str; 2] = ["one/ledger.jsonl", "two/ledger.jsonl"];

/// A registry with each copy of its ledger, and its state, on a disk of its own.
struct Site {
    house: House,
    one: Disk,
    two: Disk,
    state: Disk,
    names: std::vec::IntoIter<String>,
}

impl Site {
    fn start() -> Option<Self> {
        let house = House::new(&format!("{}[orders]\nledger = [\"{}\", \"{}\"]\n", deposit::REGISTRY, LEDGERS[0], LEDGERS[1]));
        deposit::zones(&house);
        let names: Vec<String> = (0..200).map(|n| format!("n{n}.{}vn", ["", "com."][n % 2])).collect();
        deposit::write(&house, 1, &names, "hoster.example");
        let [one, two, state] = ["one", "two", "var"].map(|folder| Disk::new(&house, folder));
        let mut site = Self { house, one: one?, two: two?, state: state?, names: names.into_iter() };
        site.house.start();
        Some(site)
    }

    /// What is answered to the suspension of names.
    fn suspend(&self, names: &[String]) -> Value {
        let orders = names.iter().map(|name| filing(&format!("D-{name}"), name, None)).collect();
        let mut client = Client::connect(&self.house.path("var/control.sock")).expect("it runs");
        client.ask(&Request::OrderFile { orders }, &mut std::io::sink()).expect("an answer")
    }

    /// The next three names.
    fn three(&mut self) -> Vec<String> {
        self.names.by_ref().take(3).collect()
    }

    fn is_there(&self, name: &str) -> bool {
        match self.house.ask(name, hickory_proto::rr::RecordType::NS).metadata.response_code {
            ResponseCode::NoError => true,
            ResponseCode::NXDomain => false,
            other => panic!("{name}: {other}"),
        }
    }

    /// Orders are refused as a whole, and loudly; what is served is answered.
    #[track_caller]
    fn check_refusal(&mut self, because: &str) {
        // What is left of the last page of a file has room for some.
        let (names, answer) = loop {
            let names = self.three();
            let answer = self.suspend(&names);
            if answer[0]["ok"] == false {
                break (names, answer);
            }
            assert_eq!(answer[2]["state"], "published", "{answer}");
        };
        for (name, line) in names.iter().zip(answer.as_array().expect("lines")) {
            let error = line["error"].as_str().expect("a refusal");
            assert!(error.starts_with("the ledger cannot be written, nothing of this is in force: "), "{error}");
            assert!(error.contains(because), "{error}");
            assert!(self.is_there(name));
        }
        let lines = names.iter().map(|name| serde_json::to_string(&filing(&format!("D-{name}"), name, None)).expect("JSON") + "\n");
        self.house.write("orders.jsonl", &lines.collect::<String>());
        let path = self.house.path("orders.jsonl");
        self.house.tool_refuses(&["order", "file", path.to_str().expect("a path")], "3 of 3 orders refused");
        self.house.wait_for("[error] orders refused: the ledger cannot be written, nothing of this is in force: ");
        let listed = self.house.tool_ok(&["order", "list", "--all"]);
        assert!(names.iter().all(|name| !listed.contains(&format!("D-{name}"))), "{listed}");
        self.check_copies();
    }

    /// Both copies are whole and the same.
    #[track_caller]
    fn check_copies(&self) {
        let paths = LEDGERS.map(|ledger| self.house.path(ledger));
        let output = Command::new(env!("CARGO_BIN_EXE_saola")).args(["order", "verify"]).args(paths).output().expect("saola");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(self.house.read(LEDGERS[0]), self.house.read(LEDGERS[1]));
    }

    /// Orders go through.
    #[track_caller]
    fn check_room(&mut self) {
        let names = self.three();
        let answer = self.suspend(&names);
        assert!(answer.as_array().expect("lines").iter().all(|line| line["state"] == "published"), "{answer}");
        assert!(names.iter().all(|name| !self.is_there(name)));
        self.check_copies();
    }
}

#[test]
fn a_full_disk_refuses_orders_as_a_whole() {
    let Some(mut site) = Site::start() else { return };
    site.check_room();
    for (one, two) in [(true, false), (false, true), (true, true)] {
        [(one, &site.one), (two, &site.two)].iter().filter(|(is_full, _)| *is_full).for_each(|(_, disk)| disk.fill());
        site.check_refusal("No space left on device");
        [(one, &site.one), (two, &site.two)].iter().filter(|(is_full, _)| *is_full).for_each(|(_, disk)| disk.free());
        site.check_room();
    }
    let orders = site.house.tool_ok(&["order", "list", "--json"]);
    site.house.kill();
    site.house.start();
    assert_eq!(site.house.tool_ok(&["order", "list", "--json"]), orders);
    assert!(!site.house.read("err").contains("[warn]"), "{}", site.house.read("err"));
}

/// An order that is in the ledger is in force, whatever becomes of the disk below the zones: it is published as soon as that can be.
#[test]
fn a_full_disk_below_the_zones_holds_an_order_up_and_loses_none() {
    let Some(mut site) = Site::start() else { return };
    for is_restarted in [false, true] {
        site.state.fill();
        let serial = site.house.serial("vn");
        let (names, answer) = loop {
            let names = site.three();
            let answer = site.suspend(&names);
            if answer.as_array().expect("lines").iter().any(|line| line["state"] != "published") {
                break (names, answer);
            }
        };
        let held: Vec<&String> = names.iter().filter(|name| site.is_there(name)).collect();
        assert!(!held.is_empty() && site.house.serial("vn") >= serial);
        for (name, line) in names.iter().zip(answer.as_array().expect("lines")) {
            let note = line["notes"].to_string();
            assert!(line["state"] == "published" || note.contains("not yet published, which is tried again: "), "{line}");
            assert_eq!(line["state"] == "published", !held.contains(&name), "{line}");
        }
        assert!(answer.to_string().contains("No space left on device"), "{answer}");
        site.house.wait_for("[error] orders, [");
        site.check_copies();
        if is_restarted {
            // A start without any room may end, and says why; what it begins with room carries the order out.
            site.house.kill();
            site.state.free();
            site.house.start();
        } else {
            site.state.free();
        }
        let begin = Instant::now();
        while names.iter().any(|name| site.is_there(name)) {
            assert!(begin.elapsed() < PATIENCE, "{}", site.house.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
        site.check_room();
        // What became of it is written down by then, and what persons say of it.
        let id = format!("D-{}", names[0]);
        site.house.tool_ok(&["order", "note", &id, "--notified", "post"]);
        let events = || {
            let shown: Value = serde_json::from_str(&site.house.tool_ok(&["order", "show", &id, "--json"])).expect("JSON");
            shown["record"].to_string()
        };
        while !["accepted", "published", "notified"].iter().all(|event| events().contains(&format!("\"event\":\"{event}\""))) {
            assert!(begin.elapsed() < PATIENCE, "{}", events());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    // All of that is on the disk, and the other side is told of each.
    let n_orders = site.house.read(LEDGERS[0]).lines().count();
    let begin = Instant::now();
    let is_of_published = |path: &std::path::Path| path.to_string_lossy().ends_with("-2-published.json");
    while files(&site.house.path("var/outbox")).iter().filter(|(path, _)| is_of_published(path)).count() < n_orders {
        assert!(begin.elapsed() < PATIENCE, "{}", site.house.read("err"));
        std::thread::sleep(Duration::from_millis(20));
    }
    site.house.kill();
    let text = site.house.read("var/orders/record.jsonl");
    site.house.start();
    assert!(!site.house.read("err").contains("[warn]"), "{}", site.house.read("err"));
    assert_eq!(text.lines().filter(|line| line.contains("\"event\":\"published\"")).count(), n_orders, "{text}");
}

#[test]
fn a_ledger_that_may_only_be_read_takes_no_order() {
    let Some(mut site) = Site::start() else { return };
    site.check_room();
    let hidden = "n0.vn";
    for (one, two) in [(true, false), (false, true), (true, true)] {
        let set = |site: &Site, is_writable: bool| {
            [(one, &site.one), (two, &site.two)].iter().filter(|(is_set, _)| *is_set).for_each(|(_, disk)| disk.set_writable(is_writable));
        };
        site.house.stop();
        set(&site, false);
        site.house.start();
        assert!(!site.is_there(hidden));
        if one && two {
            site.house.wait_for("no ledger of orders can be read, what is served stays and no order is taken: ");
            let names = site.three();
            let answer = site.suspend(&names);
            assert!(answer[0]["error"].as_str().is_some_and(|error| error.contains("Read-only file system")), "{answer}");
            assert!(site.is_there(&names[0]));
            set(&site, true);
            site.house.tool_ok(&["server", "reload"]);
        } else {
            site.house.wait_for("no order can be accepted: Read-only file system");
            site.check_refusal("Read-only file system");
            set(&site, true);
        }
        site.check_room();
        assert!(!site.is_there(hidden));
    }
}
