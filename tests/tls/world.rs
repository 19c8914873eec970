//! A server with a zone, and clients of TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use saola::dns::{Name, Rtype, master};
use saola::telemetry::{Counter, Snapshot, Telemetry};
use saola::transfer::access::{Access, Allow, Demand, Prefix};
use saola::transfer::trust::Trust;
use saola::transport::tls::{Acceptor, TlsPeer, connect};
use saola::transport::{Limits, Running, Served, Server};
use saola::zone::{Zone, ZoneSet};

use super::papers::{Paper, Papers};

/// Longer than anything here takes; only a failure waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Records of the zone `example.`, as they are transferred: the SOA twice.
pub const RECORDS: usize = 6004;

/// A server of `example.` on plain addresses and over TLS.
pub struct World {
    running: Running,
    telemetry: Telemetry,
    current: Arc<ArcSwap<Served>>,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
}

/// Whoever comes from this machine, and meets the demand.
pub fn access(tls: Demand) -> Access {
    Access { others: vec![Allow { prefix: Prefix::parse("127.0.0.0/8").expect("a prefix"), key: None, tls }], ..Access::default() }
}

fn served(paper: &Paper, access: Access) -> Served {
    let apex = Name::parse("example.").expect("a name");
    let text = "$TTL 60\n@ SOA ns h 7 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n$GENERATE 1-6000 n$ A 192.0.2.7\n";
    let records = master::read_text(text.as_bytes(), "example", apex.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    let mut zones = ZoneSet::new();
    zones.insert(Arc::new(Zone::build(apex.as_ref(), records).expect("a zone")));
    let tls = Some(Acceptor::new(&paper.credentials()));
    Served { zones: Arc::new(zones), access: Arc::new(access), tls, ..Served::default() }
}

impl World {
    pub fn start(paper: &Paper, access: Access, limits: Limits) -> Self {
        let any = ["127.0.0.1:0".parse().expect("an address")];
        let server = Server::bind(&any, 1, limits).and_then(|server| server.with_tls(&any)).unwrap_or_else(|error| panic!("{error}"));
        let (plain, tls) = (server.local_addrs()[0], server.tls_addrs()[0]);
        let (telemetry, current) = (Telemetry::new(), Arc::new(ArcSwap::from_pointee(served(paper, access))));
        let running = server.start(Arc::clone(&current), &telemetry).expect("threads");
        Self { running, telemetry, current, plain, tls }
    }

    pub fn reload(&self, paper: &Paper, access: Access) {
        Served::replace(&self.current, served(paper, access));
    }

    pub fn tcp(&self, to: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(to).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// A connection to who proves to be meant, as this project makes them.
    pub fn connect(&self, trust: Trust, shown: Option<&Paper>) -> io::Result<impl Read + Write + use<>> {
        connect(self.tcp(self.tls), &TlsPeer::new(trust, shown.map(Paper::credentials).as_ref()))
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.telemetry.snapshot().get(counter)
    }

    pub fn open(&self) -> u64 {
        self.telemetry.snapshot().tcp_open()
    }

    /// Waits until no connection is open.
    #[track_caller]
    pub fn await_none_open(&self) {
        let start = Instant::now();
        while self.open() > 0 {
            assert!(start.elapsed() < PATIENCE, "{} connections stay", self.open());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops; nothing panicked and nothing is left open.
    #[track_caller]
    pub fn stop(self) -> Snapshot {
        self.running.stop(PATIENCE);
        let sum = self.telemetry.snapshot();
        assert_eq!((sum.get(Counter::Panics), sum.tcp_open()), (0, 0));
        sum
    }
}

/// A client of our own making, to which any server of the authority is good: what it says first is had without a socket.
pub fn client(papers: &Papers, shown: Option<&Paper>, alpn: &[&str]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(papers.authority.chain());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).expect("good");
    let builder = builder.with_root_certificates(roots);
    let mut config = match shown {
        Some(paper) => {
            use rustls::pki_types::pem::PemObject;
            let key = PrivateKeyDer::from_pem_slice(paper.key.as_bytes()).expect("a key");
            builder.with_client_auth_cert(paper.chain(), key).expect("good")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("ns0.example").expect("a name")).expect("good")
}

/// `NAME TYPE IN`, with the octets of length in front.
pub fn question(id: u16, name: &str, rtype: Rtype) -> Vec<u8> {
    let name = Name::parse(name).expect("a name");
    let message =
        [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_ref().as_wire(), &rtype.0.to_be_bytes(), &[0, 1]].concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

pub fn read_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Asks for a zone: the response code, and how many records came, to the second SOA.
pub fn transfer(stream: &mut (impl Read + Write)) -> io::Result<(u8, usize)> {
    stream.write_all(&question(9, "example.", Rtype::AXFR))?;
    let mut records = 0;
    loop {
        let message = read_message(stream)?;
        records += usize::from(u16::from_be_bytes([message[6], message[7]]));
        if message[3] & 15 != 0 || records >= RECORDS {
            return Ok((message[3] & 15, records));
        }
    }
}
