//! Servers of other makes that zones could be had from: found to be the ones that are meant, or not spoken to.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use saola::dns::{Name, Rtype};
use saola::transfer::inward;
use saola::transfer::trust::Trust;
use saola::transport::client::{Asking, Failure, Primary, Times};
use saola::transport::tls::{TlsPeer, connect, explain};

use super::papers::{Paper, Papers};
use super::peers::{Peer, find_all, free_port};
use super::world::{PATIENCE, question, read_message};

/// Asks a server of this machine for `example.`, once it proved who it is; gives the number of records in the first message.
fn ask(port: u16, trust: Trust, shown: Option<&Paper>, rtype: Rtype) -> io::Result<u16> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut stream = connect(tcp, &TlsPeer::new(trust, shown.map(Paper::credentials).as_ref()))?;
    stream.write_all(&question(7, "example.", rtype))?;
    let message = read_message(&mut stream)?;
    assert_eq!(message[3] & 15, 0);
    Ok(u16::from_be_bytes([message[6], message[7]]))
}

/// Starts `command` and waits until it takes connections.
fn start(command: &mut Command, folder: &Path, port: u16) -> Peer {
    let mut peer = Peer::start(command, &folder.join("log"));
    peer.wait_until("a connection", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    peer
}

const ZONE: &str = "$TTL 60\n@ SOA ns h 7 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n";

#[test]
fn bind_is_a_primary_when_it_proves_to_be_the_one() {
    let Some([named]) = find_all(["named"]) else { return };
    let papers = Papers::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (at, port) = (folder.path(), free_port());
    papers.server.write(at, "server");
    papers.authority.write(at, "authority");
    std::fs::write(at.join("zone"), ZONE).expect("written");
    let show = at.display();
    let text = format!(
        "tls own {{ cert-file \"{show}/server.pem\"; key-file \"{show}/server.key\"; ca-file \"{show}/authority.pem\"; \
         protocols {{ TLSv1.3; }}; }};\n\
         options {{ directory \"{show}\"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory \"{show}\";\n  \
         listen-on port {port} tls own {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; allow-transfer {{ 127.0.0.0/8; }};\n  \
         dnssec-validation no; }};\ncontrols {{ }};\nzone \"example\" {{ type primary; file \"zone\"; }};\n"
    );
    std::fs::write(at.join("conf"), text).expect("written");
    let mut peer = start(Command::new(named).args(["-g", "-n", "1", "-c"]).arg(at.join("conf")), at, port);
    peer.wait_until("the zone", || ask(port, papers.server.pin(), Some(&papers.edge), Rtype::SOA).is_ok());
    // With ca-file it demands a certificate; one by nobody that it knows is turned away.
    assert_eq!(ask(port, papers.authority.for_name("ns0.example"), Some(&papers.edge), Rtype::AXFR).expect("a zone"), 4);
    assert!(ask(port, papers.authority.for_name("ns0.example"), Some(&papers.stranger), Rtype::AXFR).is_err());
    // It closes without an alert; what it wants can only be guessed.
    let tls = TlsPeer::new(papers.authority.for_name("ns0.example"), Some(&papers.stranger.credentials()));
    let primary = Primary { address: (Ipv4Addr::LOCALHOST, port).into(), key: None, tls: Some(tls) };
    let apex = Name::parse("example").expect("a name");
    let asking = Asking { primary: &primary, apex: apex.as_ref(), times: Times::default(), limits: inward::Limits::default() };
    assert!(matches!(asking.whole(), Err(Failure::TurnedAway)));
    for trust in [papers.authority.for_name("ns1.example"), papers.edge.pin(), papers.stranger.for_name("ns0.example")] {
        let error = ask(port, trust, None, Rtype::AXFR).expect_err("another one");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }
}

/// A server that speaks another protocol, or an older TLS, hears no question.
#[test]
fn what_is_no_primary_over_tls_is_not_spoken_to() {
    let Some([openssl]) = find_all(["openssl"]) else { return };
    let papers = Papers::new();
    let folder = tempfile::tempdir().expect("a folder");
    papers.server.write(folder.path(), "server");
    for (options, expected) in [
        (&["-tls1_3", "-alpn", "dot"][..], None),
        (&["-tls1_3"], Some("does not say that it speaks DNS over TLS")),
        (&["-tls1_3", "-alpn", "h2"], Some("does not say that it speaks DNS over TLS")),
        (&["-tls1_2", "-alpn", "dot"], Some("does not speak TLS 1.3")),
    ] {
        let port = free_port();
        let mut command = Command::new(&openssl);
        command.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-rev"]).args(options).current_dir(folder.path());
        command.args(["-cert", "server.pem", "-key", "server.key"]);
        let _peer = start(&mut command, folder.path(), port);
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        match (connect(tcp, &TlsPeer::new(papers.server.pin(), None)), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{options:?}: {error}"),
            (result, _) => panic!("{options:?}: {:?}", result.map(drop)),
        }
    }
}

/// Whose certificate is refused, and why, is said of either side.
#[test]
fn who_does_not_trust_whom_is_said() {
    let Some([openssl]) = find_all(["openssl"]) else { return };
    let papers = Papers::new();
    let folder = tempfile::tempdir().expect("a folder");
    papers.server.write(folder.path(), "server");
    papers.expired.write(folder.path(), "expired");
    papers.authority.write(folder.path(), "authority");
    let serve = |paper: &str, more: &[&str]| {
        let port = free_port();
        let mut command = Command::new(&openssl);
        command.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-rev", "-tls1_3", "-alpn", "dot"]).args(more);
        command.args(["-cert", &format!("{paper}.pem"), "-key", &format!("{paper}.key")]).current_dir(folder.path());
        (start(&mut command, folder.path(), port), port)
    };
    let refused = |port, trust, shown: Option<&Paper>| {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let connected = connect(tcp, &TlsPeer::new(trust, shown.map(Paper::credentials).as_ref()));
        // The server judges us when all is done for us.
        let failed = connected.and_then(|mut stream| read_message(&mut stream)).map_err(explain);
        failed.expect_err("nobody is trusted").to_string()
    };
    let (_one, port) = serve("server", &[]);
    let Trust::Pin(key) = papers.server.pin() else { unreachable!("a pin is one") };
    for (trust, expected) in [
        (papers.edge.pin(), format!("its key is {key}, and another is pinned")),
        (papers.authority.for_name("ns1.example"), "it is for 'ns0.example', and 'ns1.example' is wanted".into()),
        (papers.stranger.for_name("ns0.example"), "no authority that is configured".into()),
    ] {
        let error = refused(port, trust, None);
        assert!(error.contains(&expected), "{expected}: {error}");
    }
    let (_old, port) = serve("expired", &[]);
    let error = refused(port, papers.authority.for_name("edge1.example"), None);
    assert!(error.contains("expired at 2021-01-01T00:00:00Z"), "{error}");
    let (_strict, port) = serve("server", &["-Verify", "2", "-verify_return_error", "-CAfile", "authority.pem"]);
    for (shown, expected) in [
        (None, "wants a certificate of this one"),
        (Some(&papers.expired), "does not take the certificate of this one, that of [tls] (CertificateExpired)"),
    ] {
        let error = refused(port, papers.server.pin(), shown);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
