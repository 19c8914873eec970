//! The daemon is killed at any moment while orders come: what was acknowledged is in force, and nobody who asks ever sees otherwise.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::BinDecodable;
use saola::control::{Client, Request};
use saola::orders::Filing;

use super::house::{House, query, rounds};

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
                        for name in NAMES {
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
