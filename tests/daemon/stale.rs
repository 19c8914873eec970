//! Whatever old thing is put before the daemon, a name under an order does not come back: exports, states, caches and ledgers of yesterday.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use saola::control::{Client, Request};
use serde_json::{Value, json};

use super::deposit;
use super::house::{self, House, PATIENCE, query, rounds};
use super::killed::filing;
use super::peers::{exchange_udp, free_port};

const LEDGERS: [&str; 2] = ["var/orders/ledger.jsonl", "var/orders-copy/ledger.jsonl"];

/// What the folder of state has beside the ledgers.
const PARTS: [&str; 6] = ["state", "state.amendments", "zones", "journal", "images", "orders/record.jsonl"];

fn names() -> Vec<String> {
    (0..12).map(|n| format!("n{n}.{}vn", ["", "", "com.", "edu."][n % 4])).collect()
}

/// The orders in force by their names, and a number that each change of them raises.
type InForce = Mutex<(BTreeMap<String, String>, u64)>;

/// Asks for names under orders until it is over; writes down what must not be.
struct Poller {
    is_over: Arc<AtomicBool>,
    n_seen: Arc<AtomicU64>,
    wrong: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Poller {
    fn start(server: SocketAddr, in_force: &Arc<InForce>) -> Self {
        let mut poller = Self { is_over: Arc::default(), n_seen: Arc::default(), wrong: Arc::default(), thread: None };
        let (is_over, n_seen, wrong) = (Arc::clone(&poller.is_over), Arc::clone(&poller.n_seen), Arc::clone(&poller.wrong));
        let in_force = Arc::clone(in_force);
        let poll = move || {
            while !is_over.load(Ordering::Relaxed) {
                let (orders, number) = in_force.lock().expect("whole").clone();
                for name in orders.keys() {
                    std::thread::sleep(Duration::from_millis(1));
                    // While it is down nobody answers.
                    let Some(reply) = exchange_udp(server, &query(9, name, RecordType::NS), Duration::from_millis(50)) else { continue };
                    // Only what was so all the time tells anything.
                    if in_force.lock().expect("whole").1 != number {
                        break;
                    }
                    n_seen.fetch_add(1, Ordering::Relaxed);
                    if reply[3] & 15 != NXDOMAIN {
                        wrong.lock().expect("whole").push(format!("{name}: {:?}", &reply[..12]));
                    }
                }
            }
        };
        poller.thread = Some(std::thread::spawn(poll));
        poller
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

const NXDOMAIN: u8 = 3;

/// The daemon, what it was told, and what there was before.
struct Site {
    house: House,
    server: SocketAddr,
    names: Vec<String>,
    in_force: Arc<InForce>,
    next_order: u32,
    /// The newest deposit.
    newest: u32,
    /// Copies of the state as it was, each with the newest deposit of that time.
    past: Vec<(tempfile::TempDir, u32)>,
    random: fastrand::Rng,
    /// What was done in this round.
    done: Vec<String>,
}

impl Site {
    fn start() -> Self {
        let house = House::new("");
        // An address of our own, so that nobody takes the port while the daemon is down.
        let mut random = fastrand::Rng::new();
        let server = SocketAddr::from((Ipv4Addr::new(127, random.u8(1..255), random.u8(..), random.u8(1..255)), free_port()));
        let listen = format!("[server]\nlisten = [\"{server}\", \"[::1]:0\"]\nworkers = 1\n");
        house.write("saola.toml", &format!("{listen}{}", deposit::REGISTRY));
        deposit::zones(&house);
        let mut site = Self {
            house,
            server,
            names: names(),
            in_force: Arc::default(),
            next_order: 0,
            newest: 1,
            past: Vec::new(),
            random: fastrand::Rng::with_seed(20_261_123),
            done: Vec::new(),
        };
        deposit::write(&site.house, 1, &site.names, "old.example");
        site.house.start();
        site
    }

    fn say(&mut self, what: impl Into<String>) {
        self.done.push(what.into());
    }

    /// Files an order about some name: a suspension, or the end of the one there is.
    fn order(&mut self) {
        let name = self.names[self.random.usize(..self.names.len())].clone();
        let refers_to = self.in_force.lock().expect("whole").0.get(&name).cloned();
        // Some stay for long.
        if refers_to.is_some() && self.random.u8(..3) > 0 {
            return;
        }
        self.next_order += 1;
        let id = format!("S-{}", self.next_order);
        self.say(format!("{id} of {name}, ends {refers_to:?}"));
        let change = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
            let mut in_force = self.in_force.lock().expect("whole");
            change(&mut in_force.0);
            in_force.1 += 1;
        };
        if refers_to.is_some() {
            change(&|orders| _ = orders.remove(&name));
        }
        let request = Request::OrderFile { orders: vec![filing(&id, &name, refers_to.as_deref())] };
        let mut client = Client::connect(&self.house.path("var/control.sock")).expect("it runs");
        let answer = client.ask(&request, &mut std::io::sink()).expect("an answer");
        assert_eq!(answer[0]["ok"], true, "{answer} {:?}", self.done);
        if refers_to.is_none() {
            assert!(["published", "in force"].map(Value::from).contains(&answer[0]["state"]), "{answer} {:?}", self.done);
            change(&|orders| _ = orders.insert(name.clone(), id.clone()));
        }
    }

    /// Keeps a copy of the state, of a few moments at most.
    fn keep_state(&mut self) {
        let copy = tempfile::tempdir().expect("a folder");
        house::copy(&self.house.path("var"), copy.path());
        if self.past.len() == 6 {
            let i = self.random.usize(..6);
            self.past.swap_remove(i);
        }
        let newest = (1..=self.newest).rev().find(|number| self.house.path(&deposit::folder(*number)).exists()).expect("one is kept");
        self.past.push((copy, newest));
    }

    /// Puts parts of an earlier state in the place of those that are there; those that were not there then go. Gives the newest deposit of that time.
    fn bring_back(&mut self, parts: &[&str]) -> u32 {
        let i = self.random.usize(..self.past.len());
        self.say(format!("{parts:?} of the past"));
        for part in parts {
            let (from, to) = (self.past[i].0.path().join(part), self.house.path("var").join(part));
            remove(&to);
            if from.is_dir() {
                house::copy(&from, &to);
            } else if from.exists() {
                std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
                std::fs::copy(&from, &to).expect("copied");
            }
        }
        self.past[i].1
    }

    /// A deposit that is the newest by its header, with name servers of this hoster.
    fn deposit(&mut self, hoster: &str) {
        self.newest += 1;
        self.say(format!("deposit {} with {hoster}", self.newest));
        deposit::write(&self.house, self.newest, &self.names, hoster);
    }

    fn has_two_deposits(&self) -> bool {
        (1..self.newest).any(|number| self.house.path(&deposit::folder(number)).exists())
    }

    fn roll_deposit_back(&mut self) {
        if self.has_two_deposits() {
            self.say("the newest deposit is gone");
            remove(&self.house.path(&deposit::folder(self.newest)));
        }
    }

    /// Puts something else in the place of a copy of the ledger.
    fn hurt_ledger(&mut self, whole: &str) -> usize {
        let i = self.random.usize(..2);
        let path = self.house.path(LEDGERS[i]);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        match self.random.u8(..4) {
            0 => remove(&path),
            1 => std::fs::write(&path, lines[..self.random.usize(..lines.len())].concat()).expect("written"),
            2 => std::fs::write(&path, &whole[..self.random.usize(..whole.len())]).expect("written"),
            _ => {
                let mut octets = whole.as_bytes().to_vec();
                let at = self.random.usize(..octets.len());
                octets[at] ^= 1;
                std::fs::write(&path, octets).expect("written");
            }
        }
        self.say(format!("copy {i} of the ledger has {:?} of {} octets", std::fs::metadata(&path).map(|meta| meta.len()), whole.len()));
        i
    }

    fn delegated(&self, name: &str) -> bool {
        let answer = self.house.ask(name, RecordType::NS);
        match u16::from(answer.metadata.response_code) {
            0 => true,
            3 => false,
            other => panic!("{name}: {other} {:?}", self.done),
        }
    }

    /// Everything is as the orders say, also for names without one.
    fn check_all(&self) {
        let begin = Instant::now();
        let in_force = self.in_force.lock().expect("whole").0.clone();
        for name in &self.names {
            while self.delegated(name) == in_force.contains_key(name) {
                let is_hidden = in_force.contains_key(name);
                assert!(!is_hidden && begin.elapsed() < PATIENCE, "{name}, {is_hidden}: {:?} {}", self.done, self.house.read("err"));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

#[test]
fn no_stale_input_brings_a_name_back() {
    let mut site = Site::start();
    (0..12).for_each(|_| site.order());
    let poller = Poller::start(site.server, &site.in_force);
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let n_rounds = rounds(100);
    for round in 0..n_rounds {
        site.done = vec![format!("round {round}")];
        let mut met = |kind| *kinds.entry(kind).or_default() += 1;
        for _ in 0..site.random.u8(..3) {
            site.order();
        }
        // While it runs.
        match site.random.u8(..8) {
            0 => {
                met("old export, reload");
                site.deposit("old.example");
                site.house.tool_ok(&["server", "reload"]);
            }
            1 if site.has_two_deposits() => {
                met("deposit rolled back, reload");
                site.roll_deposit_back();
                site.house.tool(&["server", "reload"]);
            }
            2 => {
                met("ledger hurt, orders go on");
                let whole = site.house.read(LEDGERS[0]);
                site.hurt_ledger(&whole);
                site.order();
                site.house.tool(&["server", "reload"]);
                site.order();
            }
            _ => {}
        }
        if site.random.bool() {
            site.house.stop()
        } else {
            site.house.kill()
        };
        if site.past.is_empty() || site.random.u8(..3) == 0 {
            site.keep_state();
        }
        // While it does not: the ledger of both copies is the longer one.
        let copies = LEDGERS.map(|copy| std::fs::read_to_string(site.house.path(copy)).unwrap_or_default());
        let has_all =
            |copy: &&String| copy.contains(&format!("\"S-{}\"", site.next_order)) && saola::orders::Orders::read(copy.as_bytes()).is_ok();
        let whole = copies.iter().find(has_all).unwrap_or_else(|| panic!("no copy is whole: {:?}", site.done)).clone();
        let mut is_hurt = copies.iter().any(|copy| *copy != whole);
        match site.random.u8(..9) {
            6 | 7 => {
                met("state of the past, as of a backup with its deposits");
                // Nothing is compiled then: what is taken up is what was served.
                let newest = site.bring_back(&PARTS);
                (newest + 1..=site.newest).for_each(|number| remove(&site.house.path(&deposit::folder(number))));
            }
            0 => {
                met("old export");
                site.deposit("old.example");
            }
            1 => {
                met("state of the past");
                site.bring_back(&PARTS);
            }
            2 => {
                met("state of the past, deposit rolled back");
                site.bring_back(&PARTS);
                site.roll_deposit_back();
            }
            3 => {
                met("parts of the past");
                let mut parts = PARTS.to_vec();
                parts.retain(|_| site.random.bool());
                site.bring_back(&parts);
                // A state that does not fit its zones is made anew, of a deposit that is there.
                site.deposit("new.example");
            }
            4 => {
                met("all but the ledger is gone");
                PARTS.iter().for_each(|part| remove(&site.house.path("var").join(part)));
                site.say("no state");
            }
            5 => {
                met("deposit rolled back");
                site.roll_deposit_back();
            }
            _ => {
                met("new export");
                site.deposit("new.example");
            }
        }
        if !is_hurt && site.random.bool() {
            met("ledger hurt");
            site.hurt_ledger(&whole);
            is_hurt = true;
        }
        site.house.start();
        let err = site.house.read("err");
        assert_eq!(is_hurt, err.contains("was not the whole ledger, and is written anew from the other copy"), "{:?} {err}", site.done);
        for copy in LEDGERS {
            assert_eq!(site.house.read(copy), whole, "{:?} {err}", site.done);
        }
        for name in site.in_force.lock().expect("whole").0.keys() {
            assert!(!site.delegated(name), "{name} is there: {:?} {err}", site.done);
        }
        // With an export that is good and newer all is well, also for names that were restored.
        if round % 5 == 4 {
            site.deposit("new.example");
            site.house.tool_ok(&["server", "reload"]);
            site.check_all();
        }
        let wrong = poller.wrong.lock().expect("whole").clone();
        assert!(wrong.is_empty(), "{wrong:?} {:?} {err}", site.done);
    }
    println!("{} answers about names under orders; {kinds:?}", poller.n_seen.load(Ordering::Relaxed));
    assert!(poller.n_seen.load(Ordering::Relaxed) > n_rounds as u64);
}

#[test]
fn two_old_copies_are_no_ledger() {
    let mut site = Site::start();
    (0..8).for_each(|_| site.order());
    let old = site.house.read(LEDGERS[0]);
    while site.house.read(LEDGERS[0]) == old {
        site.order();
    }
    let poller = Poller::start(site.server, &site.in_force);
    site.house.stop();
    let whole = site.house.read(LEDGERS[0]);
    LEDGERS.iter().for_each(|copy| site.house.write(copy, &old));
    site.deposit("old.example");
    site.house.start();
    // Nothing is made of an export whose orders are not known, and no order is taken; what is served is answered.
    site.house.wait_for("no ledger of orders can be read, what is served stays and no order is taken: CHAIN_BROKEN");
    site.house.tool_refuses(&["order", "list"], "no ledger of orders can be read");
    site.house.tool_refuses(&["server", "reload"], "no ledger of orders can be read");
    assert!(LEDGERS.iter().all(|copy| site.house.read(copy) == old), "nothing is written over what is left");
    site.check_all();
    // One whole copy is enough, and no restart.
    site.house.write(LEDGERS[1], &whole);
    site.house.tool_ok(&["server", "reload"]);
    site.order();
    site.check_all();
    assert!(site.house.read(LEDGERS[0]).starts_with(&whole));
    assert_eq!(*poller.wrong.lock().expect("whole"), Vec::<String>::new());
}

/// A deposit that takes a larger share of a zone away is held for a second person. What orders took is not counted, also where the account of the last
/// deposit is older than they are.
#[test]
fn what_orders_took_is_no_loss_by_the_next_export() {
    let mut site = Site::start();
    let file = |site: &Site, more: &Value| {
        let mut order = serde_json::to_value(filing("M-1", "n2.com.vn", None)).expect("JSON");
        order.as_object_mut().expect("an order").extend(more.as_object().expect("an object").clone());
        let request = Request::OrderFile { orders: vec![serde_json::from_value(order).expect("an order")] };
        let mut client = Client::connect(&site.house.path("var/control.sock")).expect("it runs");
        assert_eq!(client.ask(&request, &mut std::io::sink()).expect("an answer")[0]["ok"], true);
    };
    file(&site, &json!({}));
    site.house.stop();
    site.house.start();
    site.deposit("new.example");
    site.house.tool_ok(&["server", "reload"]);
    // One that is in the ledger by then, and holds later.
    let soon = saola::dns::UnixTime(saola::dns::UnixTime::now().0 + 1).to_string();
    file(&site, &json!({"order_id": "M-2", "domain": "n3.edu.vn", "effective_at": soon}));
    site.deposit("old.example");
    site.house.tool_ok(&["server", "reload"]);
    let begin = Instant::now();
    while site.delegated("n3.edu.vn") {
        assert!(begin.elapsed() < PATIENCE, "{}", site.house.read("err"));
        std::thread::sleep(Duration::from_millis(20));
    }
    site.house.kill();
    site.deposit("new.example");
    site.house.start();
    assert!(!site.house.read("err").contains("MASS_CHANGE"), "{}", site.house.read("err"));
    assert!(!site.delegated("n2.com.vn") && !site.delegated("n3.edu.vn"));
    // What the deposit itself takes is counted as before.
    site.names.retain(|name| !["n6.com.vn", "n10.com.vn"].contains(&&name[..]));
    site.deposit("new.example");
    site.house.tool_refuses(&["server", "reload"], "MASS_CHANGE: com.vn would go from 2 published names to 0");
}
