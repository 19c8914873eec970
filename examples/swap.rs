//! A zone is swapped under load: how many queries are lost, how late the latest answer is, how much memory the server takes.
//!
//! `swap ADDRESS QUESTIONS RATE PID COMMAND...` asks at a fixed rate over UDP, whatever comes back (an open loop), runs the command in
//! the middle (`saola zone reload vn. --control PATH`) and prints one line for the time before, during and after it. `QUESTIONS` has
//! a name and a type a line. A time runs from the moment when a query was due, so that no delay hides behind another.
//! The process that is measured is `PID`; to reset its peak of memory takes its user or root.
//!
//! Run it on a processor where nothing else takes its time, or with the priority to get it (`chrt -f 10`): `late by us` says how
//! often this program itself was held up.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Before, during and after the command.
const SPANS: [&str; 3] = ["before", "during", "after"];
/// What no answer may exceed.
const LATE: Duration = Duration::from_millis(5);
/// How long is measured before and after the command.
const QUIET: Duration = Duration::from_secs(2);
/// How long is waited for an answer; then it counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Sockets, each with ids of its own.
const SOCKETS: usize = 4;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, questions, rate, pid, command @ ..] = &args[..] else { panic!("swap ADDRESS QUESTIONS RATE PID COMMAND...") };
    let rate: u32 = rate.parse().expect("queries a second");
    let text = std::fs::read_to_string(questions).expect("questions");
    let packets: Vec<Vec<u8>> = text.lines().filter_map(packet).collect();
    assert!(!packets.is_empty(), "no questions");
    let sockets: Vec<UdpSocket> = (0..SOCKETS)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.connect(address).expect("an address");
            socket.set_nonblocking(true).expect("an option");
            socket
        })
        .collect();
    let span = AtomicUsize::new(0);
    let spans = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(QUIET);
            let before = memory(pid, "VmRSS");
            std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak of memory can be reset");
            span.store(1, Ordering::Relaxed);
            let begin = Instant::now();
            let output = Command::new(&command[0]).args(&command[1..]).output().expect("a command");
            let took = begin.elapsed();
            span.store(2, Ordering::Relaxed);
            std::thread::sleep(QUIET);
            let (peak, after) = (memory(pid, "VmHWM"), memory(pid, "VmRSS"));
            println!("command: {} in {} ms: {}", output.status, took.as_millis(), String::from_utf8_lossy(&output.stdout).trim());
            println!("memory: {before} KiB before, {peak} at the peak ({:.2} x), {after} after", peak as f64 / before as f64);
            span.store(3, Ordering::Relaxed);
        });
        ask(&sockets, &packets, rate, &span)
    });
    for (name, Span { mut times, sent, held_up }) in SPANS.into_iter().zip(spans) {
        times.sort_unstable();
        let at =
            |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1))).map_or(0, Duration::as_micros);
        let late = times.iter().filter(|&&time| time > LATE).count();
        println!(
            "{name}: {sent} sent, {} lost, us: median {}, 99 % {}, 99.9 % {}, latest {}; {late} later than {} ms; late by us {held_up}",
            sent - times.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            LATE.as_millis(),
        );
    }
}

/// What happened in one span.
#[derive(Default)]
struct Span {
    times: Vec<Duration>,
    sent: usize,
    /// Times that this program came back more than a millisecond late.
    held_up: usize,
}

fn ask(sockets: &[UdpSocket], packets: &[Vec<u8>], rate: u32, span: &AtomicUsize) -> [Span; 3] {
    let mut spans: [Span; 3] = Default::default();
    // When each id of each socket was due, and in which span.
    let mut open = vec![vec![None; 1 << 16]; sockets.len()];
    let begin = Instant::now();
    let (mut n, mut last, mut end) = (0, begin, None);
    let mut reply = [0; 1 << 16];
    loop {
        let now = Instant::now();
        let current = span.load(Ordering::Relaxed);
        if current < spans.len() {
            spans[current].held_up += usize::from(now - last > Duration::from_millis(1));
            loop {
                let due = begin + Duration::from_secs(1) * (n as u32 / rate) + Duration::from_secs(1) * (n as u32 % rate) / rate;
                if due > now {
                    break;
                }
                let (lane, id) = (n % sockets.len(), (n / sockets.len()) as u16);
                let mut packet = packets[n % packets.len()].clone();
                packet[..2].copy_from_slice(&id.to_be_bytes());
                sockets[lane].send(&packet).expect("sent");
                open[lane][usize::from(id)] = Some((due, current));
                spans[current].sent += 1;
                n += 1;
            }
        } else if now > *end.get_or_insert(now + PATIENCE) {
            return spans;
        }
        for (socket, open) in sockets.iter().zip(&mut open) {
            loop {
                match socket.recv(&mut reply) {
                    Ok(_) => {
                        let id = u16::from_be_bytes([reply[0], reply[1]]);
                        if let Some((due, span)) = open[usize::from(id)].take() {
                            spans[span].times.push(due.elapsed());
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        last = Instant::now();
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// A field of /proc/PID/status in KiB.
fn memory(pid: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("a field");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A query with EDNS and the DO bit from a name and a type.
fn packet(line: &str) -> Option<Vec<u8>> {
    let (name, rtype) = line.split_once(' ')?;
    let rtype: u8 = match rtype.trim() {
        "A" => 1,
        "NS" => 2,
        "SOA" => 6,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "DS" => 43,
        "DNSKEY" => 48,
        _ => return None,
    };
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(u8::try_from(label.len()).ok()?);
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, rtype, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    Some(packet)
}
