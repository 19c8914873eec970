//! A daemon of its own for each test: a folder, a process, questions to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use saola::control::{Client, Request};
use saola::dns::Name;
use serde_json::Value;
use tempfile::TempDir;

/// Far more than a loaded machine needs; only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The example export, as the committed configuration names it.
pub const REGISTRY: &str = "[registry]\ndeposits = \"zones/example-export\"\nclock = \"watermark\"\n\
                            second-level = \"zones/second-level.toml\"\nsign = \"default\"\n";

/// A folder with a configuration, and perhaps a process that serves it.
pub struct House {
    dir: TempDir,
    child: Option<Child>,
    /// The socket on which systemd would listen.
    pub notify: Option<PathBuf>,
}

impl House {
    /// A folder whose configuration has `[server]` and `rest`.
    pub fn new(rest: &str) -> Self {
        let house = Self { dir: tempfile::tempdir().expect("a folder"), child: None, notify: None };
        house.configure(rest);
        house
    }

    /// A folder with the example export, as the committed configuration names it.
    pub fn with_export(rest: &str) -> Self {
        let house = Self::new(&format!("{REGISTRY}{rest}"));
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("zones"), &house.path("zones"));
        house
    }

    /// Writes the configuration anew.
    pub fn configure(&self, rest: &str) {
        let text = format!("[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\nidentity = \"house\"\nworkers = 1\n\n{rest}");
        self.write("saola.toml", &text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&mut self) {
        self.spawn();
        let begin = Instant::now();
        while self.status().is_none_or(|status| status["state"] != "ready") {
            if let Some(status) = self.child.as_mut().expect("started").try_wait().expect("a child") {
                panic!("saolad ended with {status}: {}", self.read("err"));
            }
            assert!(begin.elapsed() < PATIENCE, "not ready: {}", self.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the daemon.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none());
        let file = |name: &str| std::fs::File::create(self.path(name)).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_saolad"))
            .arg("--config")
            .arg(self.path("saola.toml"))
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .envs(self.notify.iter().map(|path| ("NOTIFY_SOCKET", path)))
            .spawn();
        self.child = Some(child.expect("saolad"));
    }

    /// Waits until the log of the running daemon says something.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let begin = Instant::now();
        while !self.read("err").contains(text) {
            assert!(begin.elapsed() < PATIENCE, "no '{text}' in: {}", self.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("started");
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a child") {
                return status;
            }
            if begin.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("saolad does not end: {}", self.read("err"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the daemon by SIGTERM.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.read("err"));
    }

    /// Ends the daemon as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("started");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("started").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }

    /// What the daemon says of itself; `None` while it does not answer.
    pub fn status(&self) -> Option<Value> {
        Client::connect(&self.path("var/control.sock")).ok()?.ask(&Request::ServerStatus {}, &mut std::io::sink()).ok()
    }

    /// The addresses served: IPv4, IPv6.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        let listen = self.status().expect("answers")["listen"].clone();
        [0, 1].map(|i| listen[i].as_str().expect("text").parse().expect("an address"))
    }

    /// Runs the tool; `--control` is added.
    pub fn tool(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saola"));
        command.args(args).arg("--control").arg(self.path("var/control.sock")).output().expect("saola")
    }

    /// Runs the tool, which must succeed; its output.
    #[track_caller]
    pub fn tool_ok(&self, args: &[&str]) -> String {
        let output = self.tool(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs the tool, which must refuse with something that holds `expected`.
    #[track_caller]
    pub fn tool_refuses(&self, args: &[&str], expected: &str) {
        let output = self.tool(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert!(error.contains(expected), "{args:?}: {error}");
    }

    /// Asks by UDP over IPv4.
    pub fn ask(&self, name: &str, rtype: RecordType) -> Message {
        udp(self.addresses()[0], name, rtype)
    }

    /// The RCODE for the SOA of a zone.
    pub fn rcode(&self, name: &str) -> ResponseCode {
        self.ask(name, RecordType::SOA).metadata.response_code
    }

    /// The serial of a zone, as answered.
    #[track_caller]
    pub fn serial(&self, name: &str) -> u32 {
        let answer = self.ask(name, RecordType::SOA);
        match answer.answers.first().map(|record| &record.data) {
            Some(RData::SOA(soa)) => soa.serial,
            other => panic!("{name}: {other:?} {:?}", answer.metadata.response_code),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A query, without EDNS.
pub fn query(id: u16, name: &str, rtype: RecordType) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(Name::parse(name).expect("a name").as_ref().as_wire());
    bytes.extend_from_slice(&u16::from(rtype).to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

/// One question by UDP, sent once: an answer that does not come is a failure.
#[track_caller]
pub fn udp(server: SocketAddr, name: &str, rtype: RecordType) -> Message {
    let any: SocketAddr = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }.parse().expect("an address");
    let socket = UdpSocket::bind(any).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.connect(server).expect("connected");
    socket.send(&query(4711, name, rtype)).expect("sent");
    let mut buffer = [0; 4096];
    let n = socket.recv(&mut buffer).expect("an answer");
    let answer = Message::from_vec(&buffer[..n]).expect("a message");
    assert_eq!(answer.metadata.id, 4711);
    answer
}

/// One question by TCP.
pub fn tcp(server: SocketAddr, name: &str, rtype: RecordType) -> Message {
    let mut stream = TcpStream::connect(server).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let query = query(7, name, rtype);
    stream.write_all(&(query.len() as u16).to_be_bytes()).expect("sent");
    stream.write_all(&query).expect("sent");
    let mut len = [0; 2];
    stream.read_exact(&mut len).expect("an answer");
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer).expect("an answer");
    Message::from_vec(&answer).expect("a message")
}

/// How often a test goes on that does the same at random: as it says, or as `SAOLA_ROUNDS` says to find what is rare.
pub fn rounds(usual: usize) -> usize {
    std::env::var("SAOLA_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Copies a folder with the files in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().is_file() {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

/// The files of a folder with their content.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| (entry.path(), std::fs::read(entry.path()).expect("read")))
        .collect();
    files.sort();
    files
}
