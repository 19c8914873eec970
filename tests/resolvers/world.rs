//! A little Internet in one network namespace: a signed root, saolad for vn. and its second-level zones, a server for all below.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::Peer;
use crate::registry::Deposit;

/// Where the two resolvers listen.
pub const UNBOUND: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 1, 1));
/// See [`UNBOUND`].
pub const NAMED: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 1, 2));
/// The root's server.
const ROOT: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 1));
/// The server of every registrant.
pub const REGISTRANTS: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2));

/// One question to a resolver and what must come back.
pub struct Question {
    pub name: String,
    pub qtype: u16,
    type_name: &'static str,
    pub expected: Expected,
}

/// What a resolver must say. `n_answers` 0 = none, else at least so many; `authentic` is AD, `None` = either.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub rcode: u8,
    pub authentic: Option<bool>,
    pub n_answers: u16,
}

impl Question {
    pub fn new(name: &str, type_name: &'static str, expected: Expected) -> Self {
        let qtype = match type_name {
            "A" => 1,
            "NS" => 2,
            "SOA" => 6,
            "TXT" => 16,
            "DS" => 43,
            "DNSKEY" => 48,
            other => panic!("no number for {other}"),
        };
        Self { name: name.to_owned(), qtype, type_name, expected }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (want {:?})", self.name, self.type_name, self.expected)
    }
}

/// Programs, files and zones; nothing runs yet but what was needed to learn the addresses.
pub struct World {
    programs: [PathBuf; 8],
    folder: tempfile::TempDir,
    /// `vn.` and its second-level zones.
    pub zones: Vec<String>,
    /// Owner names with the address records of the name servers of vn.
    servers: Vec<(String, IpAddr)>,
    /// What the registrants' server listens on.
    registrants: BTreeSet<IpAddr>,
    /// Zones that the registrants' server serves, with their files.
    children: Vec<(String, PathBuf)>,
    config: String,
}

impl World {
    /// Compiles, signs and asks saolad once for its name servers and keys, then writes the root above and the zones below.
    pub fn build(programs: [PathBuf; 8], deposit: &Deposit, algorithm: &str, denial: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("saola").tempdir().expect("a temporary folder");
        let mut world = Self {
            programs,
            folder,
            zones: Vec::new(),
            servers: Vec::new(),
            registrants: BTreeSet::from([REGISTRANTS]),
            children: Vec::new(),
            config: String::new(),
        };
        world.ip(&["link", "set", "lo", "up"]);
        let (config, zones) = (world.config(deposit, algorithm, denial), second_level_zones());
        (world.config, world.zones) = (config, zones);
        world.children = deposit.children(&world);
        deposit.write(&world);
        world.registrants.extend(deposit.addresses());
        let anchor = world.learn();
        world.write_root(&anchor);
        let ours: BTreeSet<IpAddr> =
            world.servers.iter().map(|(_, a)| *a).chain(world.registrants.iter().copied()).chain([ROOT, UNBOUND, NAMED]).collect();
        for address in ours {
            let (family, length) = if address.is_ipv4() { ("-4", 32) } else { ("-6", 128) };
            let nodad: &[&str] = if address.is_ipv4() { &[] } else { &["nodad"] };
            world.ip(&[&[family, "addr", "add", &format!("{address}/{length}"), "dev", "lo"], nodad].concat());
        }
        world
    }

    fn ip(&self, arguments: &[&str]) {
        run(Command::new(&self.programs[7]).args(arguments));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, deposit: &Deposit, algorithm: &str, denial: &str) -> String {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = self.folder.path().display();
        format!(
            "state = \"{folder}/state\"\nkeys = \"{folder}/keys\"\ncontrol = \"{folder}/control.sock\"\n\n[registry]\ndeposits = \"{}\"\n\
             clock = \"watermark\"\nsecond-level = \"{}\"\nsign = \"default\"\n\n[policy.default]\nalgorithm = \"{algorithm}\"\ndenial = \"{denial}\"\n",
            deposit.folder(self).display(),
            repository.join("zones/second-level.toml").display(),
        )
    }

    /// Starts saolad on `listen` and waits until the last zone answers.
    fn start_saolad(&self, listen: &[SocketAddr], name: &str) -> Peer {
        let text = format!("[server]\nlisten = {:?}\n{}", listen.iter().map(ToString::to_string).collect::<Vec<_>>(), self.config);
        let config = self.path(&format!("{name}.toml"));
        fs::write(&config, text).expect("the temporary folder takes files");
        // SAOLAD names another build, a release for example.
        let mut command = Command::new(std::env::var_os("SAOLAD").unwrap_or_else(|| env!("CARGO_BIN_EXE_saolad").into()));
        let mut peer = Peer::start(command.arg("--config").arg(&config), &self.path(&format!("{name}.log")));
        for zone in &self.zones {
            peer.wait_for_soa(listen[0], zone);
        }
        peer
    }

    /// Files an order with the running saolad, under an id of its kind and name.
    pub fn order(&self, kind: &str, name: &str, more: &[&str]) {
        let ground = if kind == "restore" { "RESTORE_13_4" } else { "INVESTIGATION" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_saola"));
        command.args(["order", kind, name, "--id", &format!("{kind}-{name}"), "--ground", ground, "--authority", "A05", "--evidence", "E"]);
        let said = run(command.args(["--operator", "a", "--approver", "b", "--control"]).arg(self.path("control.sock")).args(more));
        assert!(said.contains(", published: "), "{said}");
    }

    /// First start: makes keys, and tells name servers, their addresses and the KSK. -> the DS set of vn. in presentation form.
    fn learn(&mut self) -> Vec<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5300));
        let _saolad = self.start_saolad(&[address], "first");
        let dig = |name: &str, qtype: &str| {
            let port = address.port().to_string();
            let text = run(Command::new(&self.programs[6]).args(["@127.0.0.1", "-p", &port, "+short", "+norecurse", "+tcp", name, qtype]));
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let hosts = dig("vn.", "NS");
        assert!(!hosts.is_empty(), "saolad knows no name server of vn.");
        let mut servers = Vec::new();
        for host in hosts {
            let addresses = [dig(&host, "A"), dig(&host, "AAAA")].concat();
            servers.extend(addresses.iter().filter_map(|a| Some((host.clone(), a.parse().ok()?))));
        }
        assert!(!servers.is_empty(), "no name server of vn. has an address in vn.");
        let keys = dig("vn.", "DNSKEY");
        let secure_entry = keys.iter().filter(|k| k.starts_with("257 "));
        let file = self.path("vn.dnskey");
        fs::write(&file, secure_entry.map(|k| format!("vn. 3600 IN DNSKEY {k}\n")).collect::<String>())
            .expect("the temporary folder takes files");
        let text = run(Command::new(&self.programs[5]).args(["-2", "-f"]).arg(&file).arg("vn."));
        self.servers = servers;
        text.lines().map(str::to_owned).collect()
    }

    /// The root: vn. with its DS, and example., insecure, where registrants keep their name servers.
    fn write_root(&self, anchor: &[String]) {
        let mut text =
            format!(". 86400 IN SOA a.root. h.root. 1 1800 900 604800 86400\n. 86400 IN NS a.root.\na.root. 86400 IN A {ROOT}\n");
        let hosts: BTreeSet<&String> = self.servers.iter().map(|(host, _)| host).collect();
        hosts.iter().for_each(|host| _ = writeln!(text, "vn. 86400 IN NS {host}"));
        self.servers.iter().for_each(|(host, address)| _ = writeln!(text, "{host} 86400 IN {} {address}", address_type(*address)));
        anchor.iter().for_each(|ds| _ = writeln!(text, "{ds}"));
        _ = writeln!(text, "example. 86400 IN NS ns1.example.\nns1.example. 86400 IN A {REGISTRANTS}");
        self.sign(".", &text);
        fs::write(self.path("hints"), format!(". 3600000 NS a.root.\na.root. 3600000 A {ROOT}\n"))
            .expect("the temporary folder takes files");
    }

    /// Signs a zone with BIND's tools and one key. -> the signed file and the DS RDATA of its key.
    pub fn sign(&self, origin: &str, text: &str) -> (PathBuf, String) {
        let folder = self.path(&format!("zone-{origin}"));
        fs::create_dir_all(&folder).expect("the temporary folder takes folders");
        let plain = folder.join("plain");
        fs::write(&plain, text).expect("the temporary folder takes files");
        let key = run(Command::new(&self.programs[3]).args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K"]).arg(&folder).arg(origin));
        let key = folder.join(format!("{}.key", key.trim()));
        let signed = folder.join("signed");
        let mut command = Command::new(&self.programs[4]);
        run(command
            .args(["-q", "-S", "-z", "-P", "-x", "-o", origin, "-K"])
            .arg(&folder)
            .arg("-f")
            .arg(&signed)
            .arg(&plain)
            .current_dir(&folder));
        let ds = run(Command::new(&self.programs[5]).arg("-2").arg(&key));
        let rdata = ds.lines().next().and_then(|l| l.split_once(" DS ")).expect("dnssec-dsfromkey prints a DS").1.to_owned();
        let dnskey = fs::read_to_string(&key).expect("dnssec-keygen made it");
        fs::write(folder.join("ds"), &rdata).expect("the temporary folder takes files");
        fs::write(folder.join("anchor"), dnskey.lines().filter(|l| !l.starts_with(';')).collect::<String>())
            .expect("the temporary folder takes files");
        (signed, rdata)
    }

    /// Starts everything but the resolvers: the root, saolad on the addresses it told, the registrants' server.
    pub fn start(&self) -> Vec<Peer> {
        let addresses: Vec<SocketAddr> = self.servers.iter().map(|(_, a)| SocketAddr::new(*a, 53)).collect();
        let root = self.start_nsd("root", &[ROOT], &[(".".to_owned(), self.path("zone-.").join("signed"))]);
        let below = self.start_nsd("below", &self.registrants.iter().copied().collect::<Vec<_>>(), &self.children);
        vec![root, below, self.start_saolad(&addresses, "second")]
    }

    fn start_nsd(&self, name: &str, addresses: &[IpAddr], zones: &[(String, PathBuf)]) -> Peer {
        let folder = self.path(name);
        fs::create_dir_all(&folder).expect("the temporary folder takes folders");
        let place = folder.display();
        let mut text = String::from("server:\n");
        addresses.iter().for_each(|a| _ = writeln!(text, "  ip-address: {a}@53"));
        _ = write!(
            text,
            "  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{place}\"\n  pidfile: \"{place}/pid\"\n  xfrdfile: \"{place}/xfrd\"\n  \
             zonelistfile: \"{place}/list\"\n  xfrdir: \"{place}\"\n  database: \"\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n"
        );
        zones.iter().for_each(|(zone, file)| _ = writeln!(text, "zone:\n  name: \"{zone}\"\n  zonefile: \"{}\"", file.display()));
        let config = folder.join("nsd.conf");
        fs::write(&config, text).expect("the temporary folder takes files");
        let mut peer = Peer::start(Command::new(&self.programs[2]).arg("-d").arg("-c").arg(&config), &self.path(&format!("{name}.log")));
        if let Some((zone, _)) = zones.last() {
            peer.wait_for_soa(SocketAddr::new(addresses[0], 53), zone);
        }
        peer
    }

    /// Starts the resolver `which` with the root's key as its only trust anchor.
    pub fn start_resolver(&self, which: &str, address: IpAddr) -> Peer {
        let folder = self.path(which);
        fs::create_dir_all(&folder).expect("the temporary folder takes folders");
        let place = folder.display();
        let hints = self.path("hints");
        let anchor = fs::read_to_string(self.path("zone-.").join("anchor")).expect("the root was signed");
        let rdata = anchor.split_once(" DNSKEY ").expect("an anchor is a DNSKEY").1;
        let (text, arguments): (String, &[&str]) = if which == "unbound" {
            let text = format!(
                "server:\n  interface: {address}\n  access-control: 0.0.0.0/0 allow\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  directory: \"{place}\"\n  \
                 pidfile: \"\"\n  use-syslog: no\n  logfile: \"\"\n  num-threads: 1\n  root-hints: \"{}\"\n  trust-anchor: \". IN DNSKEY {rdata}\"\n  \
                 module-config: \"validator iterator\"\n  val-log-level: 2\nremote-control:\n  control-enable: no\n",
                hints.display()
            );
            (text, &["-d", "-c"])
        } else {
            let fields: Vec<&str> = rdata.split_whitespace().collect();
            let text = format!(
                "options {{ directory \"{place}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{place}\";\n  \
                 listen-on port 53 {{ {address}; }}; listen-on-v6 {{ none; }}; recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }};\n  \
                 dnssec-validation yes; empty-zones-enable no; }};\ncontrols {{ }};\ntrust-anchors {{ . static-key {} \"{}\"; }};\n\
                 zone \".\" {{ type hint; file \"{}\"; }};\n",
                fields[..3].join(" "),
                fields[3..].concat(),
                hints.display()
            );
            (text, &["-g", "-n", "1", "-c"])
        };
        let config = folder.join("conf");
        fs::write(&config, text).expect("the temporary folder takes files");
        let program = &self.programs[usize::from(which == "named")];
        let mut peer = Peer::start(Command::new(program).args(arguments).arg(&config), &self.path(&format!("{which}.log")));
        peer.wait_for_soa(SocketAddr::new(address, 53), ".");
        peer
    }
}

/// `vn.` and the active labels of the project's data file.
fn second_level_zones() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/second-level.toml");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let table: toml::Table = text.parse().expect("the data file is TOML");
    let labels = table["second_level"].as_array().expect("a list of labels").iter();
    let active = labels.filter(|l| l["active"].as_bool() == Some(true)).map(|l| l["label"].as_str().expect("a label is text"));
    std::iter::once("vn.".to_owned()).chain(active.map(|label| format!("{label}.vn."))).collect()
}

fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// Runs a program to its end; what it printed.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
