//! The daemon is killed at any moment while orders come: what was acknowledged is in force, and nobody who asks ever sees otherwise.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::BinDecodable;
use saola::control::{Client, Request};
use saola::orders::Filing;
use serde_json::Value;

use super::deposit;
use super::house::{House, PATIENCE, query, rounds};

const NAMES: [&str; 8] =
    ["vidu-congty.vn", "dungchung.vn", "tengiucho2.vn", "vidu.com.vn", "trung2.org.vn", "daky.edu.vn", "tranhchap.vn", "so-vidu.gov.vn"];

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It is there.
    There,
    /// An order is on its way.
    OnItsWay,
    /// Suspended, and acknowledged.
    Suspended,
}

/// What is known of all names, with a number that each change raises.
type Board = Mutex<BTreeMap<&'static str, (Known, u64, Option<String>)>>;

pub fn filing(id: &str, name: &str, refers_to: Option<&str>) -> Filing {
    let (kind, ground) = if refers_to.is_some() { ("restore", "RESTORE_13_4") } else { ("suspend", "INVESTIGATION") };
    let mut order = serde_json::json!({
        "order_id": id, "type": kind, "domain": name, "authority": "A05", "legal_ground": ground, "evidence_ref": "E", "operator": "a",
        "approver": "b", "accept_impact": true,
    });
    if let Some(refers_to) = refers_to {
        order["refers_to"] = refers_to.into();
    }
    serde_json::from_value(order).expect("a filing")
}

/// Asks once; `None` without an answer.
fn is_delegated(socket: &UdpSocket, server: SocketAddr, name: &str) -> Option<bool> {
    socket.send_to(&query(7, name, RecordType::NS), server).ok()?;
    let mut octets = [0; 4096];
    loop {
        let (n, _) = socket.recv_from(&mut octets).ok()?;
        let answer = Message::from_bytes(&octets[..n]).expect("a message");
        // An answer to an earlier question may have waited.
        let of_this = answer.queries.first().is_some_and(|question| question.name().to_string().trim_end_matches('.') == name);
        match answer.metadata.response_code {
            _ if !of_this => {}
            ResponseCode::NoError => return Some(true),
            ResponseCode::NXDomain => return Some(false),
            // Between a kill and the next start nobody answers for the server; it itself never says this.
            other => panic!("{name}: {other}"),
        }
    }
}

/// Files orders until the daemon is gone.
fn file_until_gone(control: &Path, board: &Board, next: &AtomicUsize) {
    let Ok(mut client) = Client::connect(control) else { return };
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let name = NAMES[n % NAMES.len()];
        let id = format!("K-{n}");
        let refers_to = {
            let mut board = board.lock().expect("whole");
            let (known, number, order) = board.get_mut(name).expect("one of ours");
            (*known, *number) = (Known::OnItsWay, *number + 1);
            order.take()
        };
        let request = Request::OrderFile { orders: vec![filing(&id, name, refers_to.as_deref())] };
        let answer = client.ask(&request, &mut std::io::sink());
        let mut board = board.lock().expect("whole");
        let (known, number, order) = board.get_mut(name).expect("one of ours");
        *number += 1;
        match answer {
            Ok(answer) => {
                assert_eq!(answer[0]["ok"], true, "{name}: {answer}");
                (*known, *order) = if refers_to.is_some() { (Known::There, None) } else { (Known::Suspended, Some(id)) };
            }
            Err(_) => return,
        }
    }
}

#[test]
fn what_was_acknowledged_is_in_force_whatever_happens() {
    let mut house = House::with_export("");
    house.start();
    for name in NAMES {
        assert_eq!(house.rcode(name), ResponseCode::NoError, "{name}");
    }
    let board: Arc<Board> = Arc::new(Mutex::new(NAMES.iter().map(|name| (*name, (Known::There, 0, None))).collect()));
    let (next, is_over, n_seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut random = 20_261_123_u64;
    for round in 0..rounds(20) {
        let [server, _] = house.addresses();
        is_over.store(false, Ordering::Relaxed);
        let pollers: Vec<_> = (0..2)
            .map(|_| {
                let (board, is_over, n_seen) = (Arc::clone(&board), Arc::clone(&is_over), Arc::clone(&n_seen));
                std::thread::spawn(move || {
                    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
                    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
                    while !is_over.load(Ordering::Relaxed) {
                        // Nobody answers any more once it is over.
                        for name in NAMES.into_iter().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                            let before = board.lock().expect("whole")[name].clone();
                            let seen = is_delegated(&socket, server, name);
                            let after = board.lock().expect("whole")[name].clone();
                            // Only what was so all the time tells anything.
                            if before == after && before.0 == Known::Suspended && seen.is_some() {
                                assert_eq!(seen, Some(false), "{name} is seen after {:?}", before.2);
                                n_seen.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                })
            })
            .collect();
        let filer = {
            let (board, next, control) = (Arc::clone(&board), Arc::clone(&next), house.path("var/control.sock"));
            std::thread::spawn(move || file_until_gone(&control, &board, &next))
        };
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let end = Instant::now() + Duration::from_micros(5_000 + (random >> 33) % 120_000);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_micros(200));
        }
        house.kill();
        filer.join().expect("every answer was good");
        is_over.store(true, Ordering::Relaxed);
        pollers.into_iter().for_each(|poller| poller.join().expect("nobody saw a suspended name"));
        house.start();
        // The one that was on its way is in force as a whole, or not at all; the ledger says which.
        let orders: serde_json::Value = serde_json::from_str(&house.tool_ok(&["order", "list", "--json"])).expect("JSON");
        let in_force = |name: &str| {
            let of_name = orders.as_array().expect("a list").iter().find(|order| order["domain"] == name && order["state"] == "in force");
            of_name.and_then(|order| order["order_id"].as_str().map(str::to_owned))
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let [server, _] = house.addresses();
        for name in NAMES {
            let order = in_force(name);
            let mut board = board.lock().expect("whole");
            let (known, _, id) = board.get_mut(name).expect("one of ours");
            match known {
                Known::Suspended => assert_eq!(order, *id, "round {round}: {name}"),
                Known::There => assert_eq!(order, None, "round {round}: {name}"),
                Known::OnItsWay => {}
            }
            // What was restored may wait until the registry's data is read again.
            for attempt in 0.. {
                match is_delegated(&socket, server, name) {
                    Some(is_there) if is_there == order.is_none() => break,
                    Some(true) => panic!("round {round}: {name} is there, under {order:?}"),
                    _ => assert!(attempt < 300, "round {round}: {name} does not come back"),
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            (*known, *id) = if order.is_some() { (Known::Suspended, order) } else { (Known::There, None) };
        }
    }
    println!("{} answers about suspended names, {} orders", n_seen.load(Ordering::Relaxed), next.load(Ordering::Relaxed));
    assert!(n_seen.load(Ordering::Relaxed) > 100, "pollers looked at suspended names: {}", n_seen.load(Ordering::Relaxed));
    assert!(next.load(Ordering::Relaxed) > 100, "orders were filed: {}", next.load(Ordering::Relaxed));
}

/// An order of the stream: its id, its name, and the order that it ends.
#[derive(Clone)]
struct Sent {
    id: String,
    name: String,
    refers_to: Option<String>,
}

/// One who files orders about names that are nobody else's.
struct Filer {
    control: PathBuf,
    random: fastrand::Rng,
    /// The orders in force by their names, as acknowledged.
    in_force: BTreeMap<String, Vec<String>>,
    next: u32,
    /// Acknowledged since the last start.
    acknowledged: Vec<Sent>,
    /// On their way when it ended.
    in_flight: Vec<Sent>,
}

/// Names that are out of their zone whatever becomes of the orders that are on their way, with a number that each change of that raises.
type Hidden = Mutex<BTreeMap<String, (bool, u64)>>;

impl Filer {
    /// Files one to eight orders at a time until the daemon is gone.
    fn file_until_gone(mut self, hidden: &Hidden) -> Self {
        let Ok(mut client) = Client::connect(&self.control) else { return self };
        loop {
            let bulk = self.bulk();
            let set_hidden = |in_force: &BTreeMap<String, Vec<String>>, n_ending: usize| {
                let mut hidden = hidden.lock().expect("whole");
                for sent in &bulk {
                    let now = in_force[&sent.name].len() > if sent.refers_to.is_some() { n_ending } else { 0 };
                    let (was, number) = hidden.get_mut(&sent.name).expect("one of ours");
                    (*was, *number) = (now, *number + 1);
                }
            };
            // The end of the only order may come at any moment.
            set_hidden(&self.in_force, 1);
            let orders = bulk.iter().map(|sent| stream_filing(sent, self.random.bool())).collect();
            let answer = client.ask(&Request::OrderFile { orders }, &mut std::io::sink());
            let Ok(answer) = answer else {
                self.in_flight = bulk;
                return self;
            };
            for (line, sent) in answer.as_array().expect("lines").iter().zip(&bulk) {
                assert!(line["ok"] == true && line["state"] != "accepted", "{}: {line}", sent.name);
                put(&mut self.in_force, sent);
            }
            set_hidden(&self.in_force, 0);
            self.acknowledged.extend(bulk);
        }
    }

    fn bulk(&mut self) -> Vec<Sent> {
        let mut names: Vec<String> = self.in_force.keys().cloned().collect();
        self.random.shuffle(&mut names);
        names.truncate(self.random.usize(1..=8));
        let sent = names.into_iter().map(|name| {
            let there = &self.in_force[&name];
            let ends = there.len() > 1 || !there.is_empty() && self.random.u8(..3) > 0;
            let refers_to = ends.then(|| there[self.random.usize(..there.len())].clone());
            self.next += 1;
            Sent { id: format!("M-{}-{name}", self.next), name, refers_to }
        });
        sent.collect()
    }
}

/// What an order leaves in force.
fn put(in_force: &mut BTreeMap<String, Vec<String>>, sent: &Sent) {
    let orders = in_force.get_mut(&sent.name).expect("one of ours");
    match &sent.refers_to {
        Some(ended) => orders.retain(|order| order != ended),
        None => orders.push(sent.id.clone()),
    }
}

fn stream_filing(sent: &Sent, is_cancel: bool) -> Filing {
    let filing = filing(&sent.id, &sent.name, sent.refers_to.as_deref());
    if !is_cancel || sent.refers_to.is_some() {
        return filing;
    }
    let mut order = serde_json::to_value(filing).expect("JSON");
    (order["type"], order["legal_ground"]) = ("cancel".into(), "STATE_NOTICE".into());
    serde_json::from_value(order).expect("a filing")
}

#[test]
fn streams_of_orders_are_cut_off_at_any_moment() {
    let mut house = House::new(deposit::REGISTRY);
    deposit::zones(&house);
    let names: Vec<String> = (0..30).map(|n| format!("n{n}.{}vn", ["", "com.", "edu."][n % 3])).collect();
    deposit::write(&house, 1, &names, "hoster.example");
    house.start();
    let hidden: Arc<Hidden> = Arc::new(Mutex::new(names.iter().map(|name| (name.clone(), (false, 0))).collect()));
    let mut random = fastrand::Rng::with_seed(30);
    let filer = |i: usize| Filer {
        control: house.path("var/control.sock"),
        random: fastrand::Rng::with_seed(i as u64),
        in_force: names.iter().skip(i).step_by(3).map(|name| (name.clone(), Vec::new())).collect(),
        next: 0,
        acknowledged: Vec::new(),
        in_flight: Vec::new(),
    };
    let mut filers: Vec<Filer> = (0..3).map(filer).collect();
    let n_seen = Arc::new(AtomicUsize::new(0));
    let (mut n_acknowledged, mut n_kept, mut n_lost) = (0, 0, 0);
    for round in 0..rounds(20) {
        let [server, _] = house.addresses();
        let is_over = Arc::new(AtomicBool::new(false));
        let poller = {
            let (hidden, is_over, n_seen) = (Arc::clone(&hidden), Arc::clone(&is_over), Arc::clone(&n_seen));
            std::thread::spawn(move || {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
                socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
                while !is_over.load(Ordering::Relaxed) {
                    let before = hidden.lock().expect("whole").clone();
                    let is_asked = |(_, (is_hidden, _)): &(&String, &(bool, u64))| *is_hidden && !is_over.load(Ordering::Relaxed);
                    for (name, before) in before.iter().filter(is_asked) {
                        let seen = is_delegated(&socket, server, name);
                        if seen.is_some() && hidden.lock().expect("whole")[name] == *before {
                            assert_eq!(seen, Some(false), "{name}");
                            n_seen.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            })
        };
        let threads: Vec<_> = filers
            .into_iter()
            .map(|filer| {
                let hidden = Arc::clone(&hidden);
                std::thread::spawn(move || filer.file_until_gone(&hidden))
            })
            .collect();
        std::thread::sleep(Duration::from_micros(random.u64(2_000..100_000)));
        house.kill();
        filers = threads.into_iter().map(|thread| thread.join().expect("every answer was good")).collect();
        is_over.store(true, Ordering::Relaxed);
        poller.join().expect("nobody saw a hidden name");
        house.start();

        let mut client = Client::connect(&house.path("var/control.sock")).expect("it runs");
        let mut listed: Vec<Value> = Vec::new();
        loop {
            let after = listed.last().and_then(|last| last["seq"].as_u64()).unwrap_or(0);
            let request = Request::OrderList { domain: None, all: true, after };
            let answer = client.ask(&request, &mut std::io::sink()).expect("a list");
            match answer.as_array().expect("a list") {
                more if more.is_empty() => break,
                more => listed.extend_from_slice(more),
            }
        }
        let states: BTreeMap<&str, &str> =
            listed.iter().map(|order| (order["order_id"].as_str().expect("an id"), order["state"].as_str().expect("a state"))).collect();
        for filer in &mut filers {
            for sent in filer.acknowledged.drain(..) {
                assert!(states.contains_key(&sent.id[..]), "round {round}: {} was acknowledged, and is not there", sent.id);
                n_acknowledged += 1;
            }
            for sent in std::mem::take(&mut filer.in_flight) {
                if states.contains_key(&sent.id[..]) {
                    put(&mut filer.in_force, &sent);
                    n_kept += 1;
                } else {
                    n_lost += 1;
                }
            }
        }
        let in_force: BTreeMap<String, Vec<String>> = filers.iter().flat_map(|filer| filer.in_force.clone()).collect();
        let mut expected: Vec<&str> = in_force.values().flatten().map(|id| &id[..]).collect();
        expected.sort_unstable();
        let found: Vec<&str> = states.iter().filter(|(_, state)| **state == "in force").map(|(id, _)| *id).collect();
        assert_eq!(found, expected, "round {round}");
        let [one, other] = ["var/orders/ledger.jsonl", "var/orders-copy/ledger.jsonl"].map(|copy| house.read(copy));
        assert!(one == other && one.lines().count() == states.len(), "round {round}: {} and {} octets", one.len(), other.len());
        let [server, _] = house.addresses();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let begin = Instant::now();
        for (name, orders) in &in_force {
            // What was restored may wait until the registry's data is read again.
            while is_delegated(&socket, server, name) != Some(orders.is_empty()) {
                assert!(orders.is_empty() && begin.elapsed() < PATIENCE, "round {round}: {name} under {orders:?}: {}", house.read("err"));
                std::thread::sleep(Duration::from_millis(5));
            }
            let mut hidden = hidden.lock().expect("whole");
            let (was, number) = hidden.get_mut(name).expect("one of ours");
            (*was, *number) = (!orders.is_empty(), *number + 1);
        }
    }
    let n_seen = n_seen.load(Ordering::Relaxed);
    println!("{n_acknowledged} orders acknowledged; of those on their way {n_kept} in force, {n_lost} not at all; {n_seen} answers");
    assert!(n_acknowledged > 100 && n_kept + n_lost > 10 && n_seen > 100);
}
