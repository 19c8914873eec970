//! How long an order takes, from the operator's request to an answer that says so, over a running daemon's own doors.
//!
//! `cargo run --release --example orders -- CONTROL SERVER NAMES N [BULK]`: files N suspensions, one after the other, of names of the file NAMES (a name a
//! line, which must be delegated and have no order), asks the server over UDP from several sockets right behind each, and restores them all the same way.
//! With BULK, so many more names are then suspended and restored at once. Prints medians and 99th percentiles in milliseconds, the ledger's part apart, and
//! what one sync of the ledger's disk costs.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use saola::control::{Client, Request};
use saola::dns::Name;
use saola::orders::{Filing, OrderKind};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [control, server, names, n, ..] = &args[..] else { panic!("CONTROL SERVER NAMES N [BULK]") };
    let n: usize = n.parse().expect("a number");
    let bulk: usize = args.get(4).map_or(0, |bulk| bulk.parse().expect("a number"));
    let server: SocketAddr = server.parse().expect("an address");
    let names = std::fs::read_to_string(names).expect("names");
    let names: Vec<&str> = names.lines().take(n + bulk).collect();
    assert_eq!(names.len(), n + bulk, "as many names as are asked for");
    println!("a sync of 400 octets: {}", shown(&mut syncs(Path::new(control).parent().expect("a folder"), 500)));

    let sockets: Vec<UdpSocket> = (0..4).map(|_| socket(server)).collect();
    let mut client = Client::connect(Path::new(control)).expect("a daemon");
    let run = format!("{:x}", std::process::id());
    for kind in [OrderKind::Suspend, OrderKind::Restore] {
        let (mut whole, mut ledger, mut judged, mut published) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (i, name) in names[..n].iter().enumerate() {
            let request = Request::OrderFile { orders: vec![filing(kind, name, &run, i)] };
            let begin = Instant::now();
            let answer = client.ask(&request, &mut std::io::sink()).expect("an answer");
            let is_there = sockets.iter().map(|socket| is_delegated(socket, name)).collect::<Vec<_>>();
            whole.push(begin.elapsed());
            let line = &answer[0];
            assert_eq!(line["state"], "published", "{name}: {line}");
            let is_wanted = kind == OrderKind::Restore;
            assert!(is_there.iter().all(|is_there| *is_there == is_wanted), "{name}: {is_there:?}");
            let us = |key: &str| Duration::from_micros(line[key].as_u64().expect("a number"));
            ledger.push(us("ledger_us"));
            judged.push(us("judged_us"));
            published.push(us("published_us"));
        }
        println!("{n} times {kind}, with {} answers each: {}", sockets.len(), shown(&mut whole));
        for (part, times) in [("judging", &mut judged), ("ledger", &mut ledger), ("zones and their log", &mut published)] {
            println!("  {part}: {}", shown(times));
        }
    }
    for kind in [OrderKind::Suspend, OrderKind::Restore] {
        if bulk == 0 {
            break;
        }
        let orders = names[n..].iter().enumerate().map(|(i, name)| filing(kind, name, &run, n + i)).collect();
        let begin = Instant::now();
        let answer = client.ask(&Request::OrderFile { orders }, &mut std::io::sink()).expect("an answer");
        let took = begin.elapsed();
        let lines = answer.as_array().expect("a line for each");
        assert!(lines.iter().all(|line| line["state"] == "published"), "{:?}", lines.iter().find(|line| line["state"] != "published"));
        let is_wanted = kind == OrderKind::Restore;
        assert!(names[n..].iter().step_by(97).all(|name| is_delegated(&sockets[0], name) == is_wanted));
        println!("{bulk} at once, {kind}: {:.3} s", took.as_secs_f64());
    }
}

fn filing(kind: OrderKind, name: &str, run: &str, i: usize) -> Filing {
    let (id, ground) = match kind {
        OrderKind::Restore => (format!("R-{run}-{i}"), "RESTORE_13_4"),
        OrderKind::Suspend | OrderKind::Cancel => (format!("S-{run}-{i}"), "INVESTIGATION"),
    };
    let refers_to = if kind == OrderKind::Restore { format!(r#","refers_to":"S-{run}-{i}""#) } else { String::new() };
    let text = format!(
        r#"{{"order_id":"{id}","type":"{kind}","domain":"{name}","authority":"A05","legal_ground":"{ground}","evidence_ref":"CV-{i}","operator":"op1","approver":"op2","accept_impact":true{refers_to}}}"#
    );
    serde_json::from_str(&text).expect("a filing")
}

fn socket(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).expect("bound");
    socket.connect(server).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
    socket
}

/// Asks for NS with DO; true for a referral, false for a name error.
fn is_delegated(socket: &UdpSocket, name: &str) -> bool {
    let mut question = vec![0x5a, 0x0a, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    question.extend_from_slice(Name::parse(name).expect("a name").as_ref().as_wire());
    question.extend_from_slice(&[0, 2, 0, 1, 0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0]);
    socket.send(&question).expect("sent");
    let mut answer = [0; 4096];
    let n = socket.recv(&mut answer).expect("an answer");
    match (answer[3] & 15, n) {
        (0, 12..) => true,
        (3, 12..) => false,
        (rcode, _) => panic!("{name}: response code {rcode}"),
    }
}

/// What it costs to make a line durable in this folder.
fn syncs(folder: &Path, n: u64) -> Vec<Duration> {
    let path = folder.join("sync-test");
    let file = std::fs::File::create(&path).expect("a file");
    let one = |i: u64| {
        let begin = Instant::now();
        file.write_all_at(&[b'x'; 400], i * 400).expect("written");
        file.sync_data().expect("synced");
        begin.elapsed()
    };
    let times = (0..n).map(one).collect();
    let _ = std::fs::remove_file(path);
    times
}

fn shown(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    format!("median {:.2} ms, p99 {:.2}, most {:.2}", at(0.5), at(0.99), at(1.0))
}
