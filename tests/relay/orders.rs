//! An order goes from Saola to secondaries of four makes: Saola, Knot, NSD and BIND deny the name, and give it again, by changes alone; and the record of
//! the order says when each did, or that one is late.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::house::{House, PATIENCE};
use super::peer::configuration;
use super::peers::{self, Peer, find_all, free_port};
use super::{ALLOWED, at, deposit, keys, server};

const MAKES: [&str; 4] = ["Saola", "Knot", "NSD", "BIND"];

/// The primary, and the ports of all four secondaries.
struct Site {
    primary: House,
    ports: [u16; 4],
}

impl Site {
    fn order(&self, kind: &str, name: &str, id: &str, more: &[&str]) -> String {
        let ground = if kind == "restore" { "RESTORE_13_4" } else { "INVESTIGATION" };
        let args = ["order", kind, name, "--id", id, "--ground", ground, "--authority", "A05", "--evidence", "E", "--operator", "a"];
        self.primary.tool_ok(&[&args[..], &["--approver", "b"], more].concat())
    }

    /// Waits until these secondaries all give the name, or deny it; how long each took.
    #[track_caller]
    fn wait(&self, which: &[usize], name: &str, is_there: bool) -> Vec<(&'static str, Duration)> {
        let begin = Instant::now();
        let is_done = |port: u16| {
            let reply = peers::exchange_udp(at(port), &peers::question(3, name, 2, true), Duration::from_secs(1));
            // The code, and how many records the referral or the proof has.
            match reply.map(|reply| (reply[3] & 15, u16::from_be_bytes([reply[8], reply[9]]))) {
                Some((0, n)) => is_there && n >= 2,
                Some((3, n)) => !is_there && n >= 2,
                other => panic!("port {port} says {other:?} of {name}"),
            }
        };
        let mut took = Vec::new();
        let mut left = which.to_vec();
        while !left.is_empty() {
            assert!(begin.elapsed() < PATIENCE, "{left:?} of {name}: {}", self.primary.read("err"));
            left.retain(|&i| {
                let is_done = is_done(self.ports[i]);
                took.extend(is_done.then(|| (MAKES[i], begin.elapsed())));
                !is_done
            });
            std::thread::sleep(Duration::from_millis(2));
        }
        took
    }

    /// What became of an order, oldest first.
    fn record(&self, id: &str) -> Vec<Value> {
        let shown: Value = serde_json::from_str(&self.primary.tool_ok(&["order", "show", id, "--json"])).expect("JSON");
        shown["record"].as_array().expect("a list").clone()
    }

    /// Waits until the record of an order has an event of a kind; the record then.
    #[track_caller]
    fn wait_for_event(&self, id: &str, event: &str) -> Vec<Value> {
        let begin = Instant::now();
        loop {
            let record = self.record(id);
            if record.iter().any(|what| what["event"] == event) {
                return record;
            }
            assert!(begin.elapsed() < PATIENCE, "no {event}: {record:?} {}", self.primary.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An order is known to be in force at all four, each with its time and a serial.
    #[track_caller]
    fn check_everywhere(&self, id: &str) {
        let record = self.wait_for_event(id, "everywhere");
        let published = record.iter().find(|what| what["event"] == "published").expect("it is published");
        let of_secondaries: Vec<&Value> = record.iter().filter(|what| what["event"] == "secondary").collect();
        let mut seen: Vec<&str> = of_secondaries.iter().filter_map(|what| what["server"].as_str()).collect();
        seen.sort_unstable();
        let mut expected = self.ports.map(|port| at(port).to_string());
        expected.sort_unstable();
        assert_eq!(seen, expected);
        for what in of_secondaries {
            assert!(
                what["ms"].is_u64() && what["at"].is_string() && what["serial"].as_u64() >= published["serial_after"].as_u64(),
                "{what}"
            );
        }
        let text = self.primary.tool_ok(&["order", "show", id]);
        assert!(text.contains("everywhere"), "{text}");
    }

    /// How often the zone went out, as a whole and as changes: at least so often, once what a secondary has by now is in the log as well.
    fn transfers(&self, least: [usize; 2]) -> [usize; 2] {
        let begin = Instant::now();
        loop {
            let log = self.primary.read("err");
            let found =
                ["AXFR", "IXFR"].map(|kind| log.lines().filter(|line| line.contains(&format!("[vn.] transferred, {kind}"))).count());
            if found.iter().zip(least).all(|(found, least)| *found >= least) || begin.elapsed() > PATIENCE {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(program: &Path, folder: &Path, port: u16, above: u16) -> Peer {
    let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
    std::fs::create_dir_all(folder).expect("made");
    // Nobody is below it.
    let (text, arguments) = configuration(name, "vn", folder, [port, above, free_port()]);
    std::fs::write(folder.join("conf"), text).expect("written");
    let mut peer = Peer::start(Command::new(program).args(arguments), &folder.join("log"));
    peer.wait_for_soa(at(port), "vn");
    peer
}

#[test]
fn four_makes_follow_an_order() {
    let Some([knotd, nsd, named]) = find_all(["knotd", "nsd", "named"]) else { return };
    let (above, ports) = (free_port(), [(); 4].map(|()| free_port()));
    let mut primary = House::new("");
    let told: Vec<String> = ports.iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}")).collect();
    let registry = format!("{}notify = [{}]\n{ALLOWED}", deposit::REGISTRY, told.join(", "));
    let configuration = |deadline: &str| format!("{}{registry}[orders]\ndeadline = \"{deadline}\"\n{}", server(above), keys());
    primary.write("saola.toml", &configuration("1h"));
    deposit::zones(&primary);
    let names: Vec<String> = (0..50).map(|n| format!("n{n}.vn")).collect();
    deposit::write(&primary, 1, &names, "hoster.example");
    primary.start();
    let mut edge = House::new("");
    let zone = format!("[[zone]]\nname = \"vn\"\nprimaries = [{{ address = \"127.0.0.1:{above}\", key = \"xfr\" }}]\n");
    edge.write("saola.toml", &format!("{}{zone}{}", server(ports[0]), keys()));
    edge.start();
    let folders = ["knot", "nsd", "bind"].map(|name| primary.path(name));
    let mut knot = Some(start(&knotd, &folders[0], ports[1], above));
    let _others = [start(&nsd, &folders[1], ports[2], above), start(&named, &folders[2], ports[3], above)];
    let site = Site { primary, ports };
    let all = [0, 1, 2, 3];
    site.wait(&all, "n0.vn", true);

    // They have it whole by now; what follows comes as changes.
    let [whole, _] = site.transfers([4, 0]);
    assert_eq!(whole, 4, "{}", site.primary.read("err"));
    for (round, name) in names[..3].iter().enumerate() {
        let [suspend, restore] = ["S", "R"].map(|kind| format!("{kind}-{round}"));
        site.order("suspend", name, &suspend, &[]);
        println!("{name} is denied: {:?}", site.wait(&all, name, false));
        site.check_everywhere(&suspend);
        site.order("restore", name, &restore, &["--refers-to", &suspend]);
        println!("{name} is there: {:?}", site.wait(&all, name, true));
        site.check_everywhere(&restore);
    }
    let log = || site.primary.read("err");
    let [whole, changes] = site.transfers([4, 4 * 6]);
    assert_eq!(whole, 4, "{}", log());
    assert!(changes >= 4 * 6, "{changes}: {}", log());
    assert!(edge.read("err").contains("[vn.] transferred, IXFR"));

    // One is away: the others follow, and the order is late. When it is back it is everywhere.
    drop(knot.take());
    site.primary.write("saola.toml", &configuration("1s"));
    site.primary.tool_ok(&["server", "reload"]);
    site.order("suspend", "n9.vn", "L-1", &[]);
    site.wait(&[0, 2, 3], "n9.vn", false);
    let record = site.wait_for_event("L-1", "late");
    let late = record.iter().find(|what| what["event"] == "late").expect("it was waited for");
    assert_eq!(late["servers"], serde_json::json!([at(ports[1]).to_string()]));
    assert!(record.iter().all(|what| what["event"] != "everywhere"), "{record:?}");
    site.primary.wait_for("[error] [vn.] order L-1 of 'n9.vn' is not in force everywhere after ");
    site.primary.wait_for(&format!(", without: {}", at(ports[1])));
    let knot = start(&knotd, &folders[0], ports[1], above);
    site.wait_for_event("L-1", "everywhere");
    site.wait(&all, "n9.vn", false);
    drop(knot);
}
