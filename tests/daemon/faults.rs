//! What goes wrong between two servers and below one of them: what was served is served, the log says so, and all is well again without hands.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::edges::wait_for;
use super::house::House;
use super::transfers::{ALLOWED, keys};
use super::updates::{run, said};
use super::{ZONE, peers, zone_table};

const SECRET: &str = "bm9ib2R5IGtub3dzIHRoaXMgb25lIGJ1dCB1cw==";

/// What happens to the octets of answers on their way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// They come as they were.
    Well,
    /// The connection is closed behind so many octets.
    Cut(usize),
    /// One bit of this octet is another.
    Flip(usize),
    /// The first two messages change places.
    Swap,
    /// The second message is missing.
    Skip,
    /// The first message comes twice.
    Twice,
}

/// Stands between a secondary and its primary.
struct Wire {
    address: SocketAddr,
    fate: Arc<Mutex<Fate>>,
}

impl Wire {
    fn new(primary: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        let (address, fate) = (listener.local_addr().expect("an address"), Arc::new(Mutex::new(Fate::Well)));
        let shared = Arc::clone(&fate);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fate = *shared.lock().expect("whole");
                std::thread::spawn(move || carry(stream, primary, fate));
            }
        });
        Self { address, fate }
    }

    fn set(&self, fate: Fate) {
        *self.fate.lock().expect("whole") = fate;
    }
}

/// One connection: questions as they are, answers as fate has it.
fn carry(below: TcpStream, primary: SocketAddr, fate: Fate) {
    let Ok(above) = TcpStream::connect(primary) else { return };
    let (mut up_from, mut up_to) = (below.try_clone().expect("twice"), above.try_clone().expect("twice"));
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    let mut answers = above;
    let mut below = below;
    let mut sent = 0;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut n = 0;
    while let Some(mut message) = message(&mut answers) {
        n += 1;
        let mut all = match (fate, n) {
            (Fate::Swap, 1) => {
                kept.push(message);
                continue;
            }
            (Fate::Swap, 2) => [message, kept.remove(0)].concat(),
            (Fate::Skip, 2) => continue,
            (Fate::Twice, 1) => [message.clone(), message].concat(),
            (Fate::Flip(at), _) if (sent..sent + message.len()).contains(&at) => {
                message[at - sent] ^= 4;
                message
            }
            _ => message,
        };
        if let Fate::Cut(at) = fate {
            all.truncate(at.saturating_sub(sent));
        }
        sent += all.len();
        if below.write_all(&all).is_err() || matches!(fate, Fate::Cut(at) if sent >= at) {
            break;
        }
    }
    // One that was kept and has no second to change places with.
    kept.iter().for_each(|message| _ = below.write_all(message));
    let _ = below.shutdown(Shutdown::Both);
    let _ = up.join();
}

/// The next message with its length.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = vec![0; 2];
    stream.read_exact(&mut all).ok()?;
    let len = usize::from(u16::from_be_bytes([all[0], all[1]]));
    all.resize(2 + len, 0);
    stream.read_exact(&mut all[2..]).ok()?;
    Some(all)
}

/// A zone of some messages; every version differs from the one before it in every name.
fn version(serial: u32) -> String {
    let soa = ZONE.replace(" 7 3600 600 ", &format!(" {serial} 1 1 "));
    format!("{soa}$GENERATE 1-3000 n$ A 192.0.2.{}\n", serial % 250)
}

/// A secondary of `from` at a port of its own.
fn edge_of(from: SocketAddr, port: u16) -> House {
    let edge = House::new("");
    configure_edge(&edge, from, port);
    edge
}

fn configure_edge(edge: &House, from: SocketAddr, port: u16) {
    let server = format!("[server]\nlisten = [\"127.0.0.1:{port}\", \"[::1]:0\"]\nworkers = 1\n");
    let zone = format!("[[zone]]\nname = \"example.org.\"\nprimaries = [{{ address = \"{from}\", key = \"xfr\" }}]\n{ALLOWED}");
    edge.write("saola.toml", &format!("{server}{zone}{}", keys()));
}

#[test]
fn nothing_on_the_way_makes_half_a_zone() {
    let edge_port = peers::free_port();
    let mut primary = House::new(&format!(
        "{}{ALLOWED}notify = [{{ address = \"127.0.0.1:{edge_port}\", key = \"xfr\" }}]\n{}",
        zone_table("example.org.", ""),
        keys()
    ));
    primary.write("example.org.zone", &version(7));
    primary.start();
    let wire = Wire::new(primary.addresses()[0]);
    let mut edge = edge_of(wire.address, edge_port);
    edge.start();
    wait_for(&edge, 7);
    let mut random = fastrand::Rng::with_seed(3);
    let mut fates = vec![Fate::Swap, Fate::Skip, Fate::Twice, Fate::Cut(0), Fate::Cut(1), Fate::Cut(2)];
    fates.extend((0..5).map(|_| Fate::Cut(random.usize(3..60_000))));
    fates.extend((0..5).map(|_| Fate::Flip(random.usize(2..60_000))));
    let mut serial = 7;
    for fate in fates {
        wire.set(fate);
        serial += 1;
        let failures =
            |edge: &House| edge.read("err").matches("transfer from").count() + edge.read("err").matches("could not be had").count();
        let before = failures(&edge);
        primary.write("example.org.zone", &version(serial));
        primary.tool_ok(&["zone", "reload", "example.org"]);
        // Some faults hit what did not come this time: then it has the new version.
        let begin = std::time::Instant::now();
        while failures(&edge) == before && edge.serial("example.org") < serial && begin.elapsed() < Duration::from_secs(4) {
            assert!([serial - 1, serial].contains(&edge.serial("example.org")), "{fate:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let dumped = edge.tool_ok(&["zone", "dump", "example.org"]);
        // All names are of one version.
        let n = |serial: u32| {
            dumped.lines().filter(|line| line.split_whitespace().last() == Some(&format!("192.0.2.{}", serial % 250))).count()
        };
        assert!([n(serial - 1), n(serial)].contains(&3000), "{fate:?}: {} and {}", n(serial - 1), n(serial));
        wire.set(Fate::Well);
        wait_for(&edge, serial);
        let [a, b] = [&primary, &edge].map(|house| house.tool_ok(&["zone", "dump", "example.org"]));
        assert_eq!(a, b, "{fate:?}");
    }
}

/// At whatever moment it goes, it comes back with a version that there was, and goes on from there.
#[test]
fn an_edge_killed_at_any_moment_comes_back_whole() {
    let edge_port = peers::free_port();
    let mut primary = House::new("");
    primary.configure(&format!(
        "{}{ALLOWED}notify = [{{ address = \"127.0.0.1:{edge_port}\", key = \"xfr\" }}]\n{}",
        zone_table("example.org.", ""),
        keys()
    ));
    primary.write("example.org.zone", &version(7));
    primary.start();
    let mut edge = edge_of(primary.addresses()[0], edge_port);
    edge.start();
    wait_for(&edge, 7);
    let mut random = fastrand::Rng::with_seed(5);
    let mut serial = 7;
    for round in 0..25 {
        for _ in 0..random.usize(1..4) {
            serial += 1;
            primary.write("example.org.zone", &version(serial));
            primary.tool_ok(&["zone", "reload", "example.org"]);
        }
        std::thread::sleep(Duration::from_micros(random.u64(..40_000)));
        edge.kill();
        edge.start();
        wait_for(&edge, serial);
        let [a, b] = [&primary, &edge].map(|house| house.tool_ok(&["zone", "dump", "example.org"]));
        assert_eq!(a, b, "round {round}");
        assert!(!edge.read("err").contains("damaged"), "round {round}: {}", edge.read("err"));
    }
}

/// A small file system in a folder of a house, while this lives; only root can have one.
pub struct Disk(std::path::PathBuf);

impl Disk {
    pub fn new(house: &House, folder: &str) -> Option<Self> {
        let folder = house.path(folder);
        std::fs::create_dir_all(&folder).expect("made");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&folder).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: a file system can be mounted by root alone");
            return None;
        }
        Some(Self(folder))
    }

    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        while file.write_all(&[1; 512]).is_ok() {}
    }

    pub fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }

    /// May be written to, or not; nothing may have a file open for that.
    pub fn set_writable(&self, is_writable: bool) {
        let options = if is_writable { "remount,rw" } else { "remount,ro" };
        let output = Command::new("mount").args(["-o", options]).arg(&self.0).output().expect("mount");
        assert!(output.status.success(), "{}", said(&output));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_keeps_what_is_served() {
    let Some([nsupdate]) = peers::find_all(["nsupdate"]) else { return };
    let edge_port = peers::free_port();
    let mut primary = House::new("");
    primary.configure(&format!(
        "{}{ALLOWED}allow-update = [{{ prefix = \"127.0.0.0/8\", key = \"xfr\" }}]\n\
         notify = [{{ address = \"127.0.0.1:{edge_port}\", key = \"xfr\" }}]\n{}",
        zone_table("example.org.", "sign = \"default\""),
        keys()
    ));
    primary.write("example.org.zone", &ZONE.replace(" 3600 600 ", " 1 1 "));
    let mut edge = House::new("");
    let (Some(above), Some(below)) = (Disk::new(&primary, "var"), Disk::new(&edge, "var")) else { return };
    primary.start();
    configure_edge(&edge, primary.addresses()[0], edge_port);
    edge.start();
    let mut serial = primary.serial("example.org");
    wait_for(&edge, serial);
    let server = primary.addresses()[0];
    let add = |n: u32| run(&nsupdate, &["-v"], server, Some(SECRET), "example.org", &format!("update add n{n}.example.org 60 A 192.0.2.1"));

    // The primary cannot keep it: it is not published.
    above.fill();
    // The last page of the log may have room for some.
    let mut names = 0..1000;
    let refused = names.by_ref().map(add).find(|output| !output.status.success()).expect("full");
    assert!(said(&refused).contains("SERVFAIL"), "{}", said(&refused));
    primary.wait_for("[example.org.] update refused, of 127.0.0.1, key xfr.: ");
    primary.wait_for("No space left");
    serial += names.start - 1;
    assert_eq!(primary.serial("example.org"), serial);
    wait_for(&edge, serial);
    above.free();
    assert!(add(2000).status.success(), "{}", primary.read("err"));
    serial += 1;
    wait_for(&edge, serial);

    // The edge cannot keep it: it serves what it had, says why, and has it when there is room.
    below.fill();
    while !edge.read("err").contains("No space left") {
        assert!(add(names.next().expect("full")).status.success());
        serial += 1;
    }
    let held = edge.serial("example.org");
    assert!((serial.saturating_sub(50)..=serial).contains(&held), "{held} of {serial}: {}", edge.read("err"));
    below.free();
    wait_for(&edge, serial);
    let [a, b] = [&primary, &edge].map(|house| house.tool_ok(&["zone", "dump", "example.org"]));
    assert_eq!(a, b);
    // Through a crash as well.
    for house in [&mut primary, &mut edge] {
        house.kill();
        house.start();
        assert_eq!(house.serial("example.org"), serial);
    }
}
