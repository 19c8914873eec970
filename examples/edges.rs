//! How long a change takes to the answer of a secondary: UPDATE to `saolad`, NOTIFY, IXFR, answer, each a process of its own with its journal.
//!
//! `edges NAMES CHANGES EDGE...`, with `saola`, `knotd`, `nsd` or `named` for each edge; `saolad` is that of the same build. Prints for each edge
//! the median, 99th percentile and maximum from the answer to the UPDATE, which is when the primary serves the change, to the first answer of the edge that has it;
//! and the same for the primary from the question to its answer.

#[allow(dead_code)]
#[path = "../tests/relay/content.rs"]
mod content;
#[path = "../tests/relay/peer.rs"]
mod peer;
#[path = "../tests/peers/mod.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use content::Content;
use peers::{Peer, find, free_port};
use saola::dns::{Name, UnixTime};
use saola::transfer::tsig::{Algorithm, Key};

const APEX: &str = "big.example";

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn saolad(folder: &Path, text: &str, port: u16) -> Peer {
    let program = std::env::current_exe().expect("a path").parent().and_then(Path::parent).expect("a folder").join("saolad");
    let server = format!("[server]\nlisten = [\"127.0.0.1:{port}\"]\nworkers = 1\n");
    std::fs::create_dir_all(folder).expect("made");
    let key = format!("[[key]]\nname = \"xfr\"\nalgorithm = \"hmac-sha256\"\nsecret = \"{}\"\n", peer::SECRET);
    std::fs::write(folder.join("saola.toml"), format!("{server}{text}{key}")).expect("written");
    Peer::start(Command::new(program).arg("--config").arg(folder.join("saola.toml")), &folder.join("log"))
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |what| args.next().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("edges NAMES CHANGES EDGE...: {what}"));
    let (n_names, n_changes): (usize, usize) = (number("NAMES"), number("CHANGES"));
    let edges: Vec<String> = std::env::args().skip(3).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let ports: Vec<u16> = (0..=edges.len()).map(|_| free_port()).collect();
    let apex = Name::parse(APEX).expect("a name");
    let told: Vec<String> = ports[1..].iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\", key = \"xfr\" }}")).collect();
    let text = format!(
        "[[zone]]\nname = \"{APEX}\"\nfile = \"zone\"\nsign = \"default\"\nallow-update = [{{ prefix = \"127.0.0.1\", key = \"xfr\" }}]\n\
         allow-transfer = [{{ prefix = \"127.0.0.1\", key = \"xfr\" }}]\nnotify = [{}]\n",
        told.join(", ")
    );
    let above = dir.path().join("above");
    std::fs::create_dir(&above).expect("made");
    std::fs::write(above.join("zone"), Content::new(&apex, n_names, 1).file(1)).expect("written");
    let mut primary = saolad(&above, &text, ports[0]);
    primary.wait_for_soa(at(ports[0]), APEX);
    let mut running = Vec::new();
    for (edge, port) in edges.iter().zip(&ports[1..]) {
        let folder = dir.path().join(format!("edge{port}"));
        let mut peer = if edge == "saola" {
            let text = format!("[[zone]]\nname = \"{APEX}\"\nprimaries = [{{ address = \"127.0.0.1:{}\", key = \"xfr\" }}]\n", ports[0]);
            saolad(&folder, &text, *port)
        } else {
            std::fs::create_dir(&folder).expect("made");
            let (text, arguments) = peer::configuration(edge, APEX, &folder, [*port, ports[0], 9]);
            std::fs::write(folder.join("conf"), text).expect("written");
            Peer::start(Command::new(find(edge).unwrap_or_else(|| panic!("no {edge}"))).args(arguments), &folder.join("log"))
        };
        peer.wait_for_soa(at(*port), APEX);
        running.push(peer);
    }
    // What was written at the start is on its way to the disk.
    std::thread::sleep(Duration::from_secs(5));
    let secret = data_encoding::BASE64.decode(peer::SECRET.as_bytes()).expect("base64");
    let key = Key::new(Name::parse("xfr").expect("a name").as_ref(), Algorithm::HmacSha256, &secret);
    let mut stream = TcpStream::connect(at(ports[0])).expect("connected");
    stream.set_nodelay(true).expect("set");
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); ports.len()];
    for n in 0..n_changes {
        let owner = format!("new{n}.{APEX}");
        let name = Name::parse(&owner).expect("a name");
        let server = Name::parse("ns.hoster.example").expect("a name");
        let mut message = [&(n as u16).to_be_bytes()[..], &[5 << 3, 0, 0, 1, 0, 0, 0, 1, 0, 0]].concat();
        message.extend(apex.as_ref().as_wire());
        message.extend([0, 6, 0, 1]);
        message.extend(name.as_ref().as_wire());
        message.extend([0, 2, 0, 1, 0, 0, 14, 16, 0, server.as_ref().as_wire().len() as u8]);
        message.extend(server.as_ref().as_wire());
        let _ = key.sign_request(&mut message, UnixTime::now());
        let begin = Instant::now();
        stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat()).expect("sent");
        let mut len = [0; 2];
        stream.read_exact(&mut len).expect("a length");
        let mut reply = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut reply).expect("a reply");
        assert_eq!(reply[3] & 15, 0, "{}", primary.words());
        took[0].push(begin.elapsed().as_secs_f64() * 1e3);
        let begin = Instant::now();
        let mut waiting: Vec<usize> = (1..ports.len()).collect();
        while !waiting.is_empty() {
            waiting.retain(|&i| {
                let has = has(at(ports[i]), &owner);
                if has {
                    took[i].push(begin.elapsed().as_secs_f64() * 1e3);
                }
                !has
            });
            assert!(begin.elapsed() < Duration::from_secs(120), "{edges:?} {waiting:?}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    println!("{n_names} names, {n_changes} changes; ms: median, 0.99, most");
    for (what, mut took) in std::iter::once("primary, UPDATE".to_owned()).chain(edges).zip(took) {
        took.sort_by(f64::total_cmp);
        let part = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!("{what}: {:.2} {:.2} {:.2}", part(0.5), part(0.99), part(1.0));
    }
}

/// True once the server refers to the name servers of `name`.
fn has(server: SocketAddr, name: &str) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
    socket.send_to(&peers::question(7, name, 1, false), server).expect("sent");
    let mut reply = [0; 4096];
    // No error, no answer, something in the authority section that is no SOA for a name that is not there.
    matches!(socket.recv(&mut reply), Ok(n) if n > 12 && reply[3] & 15 == 0 && reply[2] & 4 == 0)
}
