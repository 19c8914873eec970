//! A real server on loopback addresses, asked by plain sockets. What is answered is not looked at beyond id, QR and REFUSED (no
//! zone is served): that is the business of `answer`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use saola::answer::Face;
use saola::telemetry::{Counter, Snapshot, Telemetry};
use saola::transport::{Limits, Running, Served, Server};
use saola::zone::ZoneSet;

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Fixture {
    running: Running,
    telemetry: Telemetry,
    current: Arc<ArcSwap<Served>>,
    v4: SocketAddr,
    v6: SocketAddr,
}

fn served() -> Served {
    Served { zones: Arc::new(ZoneSet::new()), face: Face::default(), access: Arc::default(), notices: Arc::default(), ..Served::default() }
}

fn start_on(listen: [&str; 2], workers: usize, limits: Limits) -> Fixture {
    let listen = listen.map(|address| address.parse().expect("an address"));
    let server = Server::bind(&listen, workers, limits).unwrap_or_else(|error| panic!("{error}"));
    let [v4, v6] = server.local_addrs().try_into().expect("two addresses");
    let telemetry = Telemetry::new();
    let current = Arc::new(ArcSwap::from_pointee(served()));
    let running = server.start(Arc::clone(&current), &telemetry).expect("threads");
    Fixture { running, telemetry, current, v4, v6 }
}

fn start(limits: Limits) -> Fixture {
    start_on(["127.0.0.1:0", "[::1]:0"], 1, limits)
}

impl Fixture {
    fn stop(self) -> Snapshot {
        self.running.stop(PATIENCE);
        self.telemetry.snapshot()
    }

    /// Waits until a counter is at least `n`.
    #[track_caller]
    fn await_count(&self, counter: Counter, n: u64) {
        let start = Instant::now();
        while self.telemetry.snapshot().get(counter) < n {
            assert!(start.elapsed() < PATIENCE, "{counter:?} stays at {}", self.telemetry.snapshot().get(counter));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// `a.example. A`
fn query(id: u16) -> Vec<u8> {
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend(b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01");
    octets
}

fn framed(id: u16) -> Vec<u8> {
    let query = query(id);
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

#[track_caller]
fn check_reply(reply: &[u8], id: u16) {
    assert!(reply.len() >= 12, "{reply:?}");
    assert_eq!((u16::from_be_bytes([reply[0], reply[1]]), reply[2] & 0x80, reply[3] & 15), (id, 0x80, 5), "{reply:?}");
}

fn udp(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(to.ip(), 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// Asks over UDP; the reply must come from the address that was asked.
#[track_caller]
fn ask_udp(socket: &UdpSocket, to: SocketAddr, id: u16) {
    socket.send_to(&query(id), to).expect("sent");
    let mut reply = [0; 2000];
    let (len, from) = socket.recv_from(&mut reply).expect("a reply");
    assert_eq!((from.ip(), from.port()), (to.ip(), to.port()));
    check_reply(&reply[..len], id);
}

fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("an option");
    stream
}

fn read_reply(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut reply = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

#[track_caller]
fn ask_tcp(stream: &mut TcpStream, id: u16) {
    stream.write_all(&framed(id)).expect("sent");
    check_reply(&read_reply(stream).expect("a reply"), id);
}

/// The server closed the connection: nothing more comes, in either way of saying so.
#[track_caller]
fn check_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn both_transports_answer_on_both_families() {
    let server = start_on(["127.0.0.1:0", "[::1]:0"], 2, Limits::default());
    for to in [server.v4, server.v6] {
        for id in 0..20 {
            ask_udp(&udp(to), to, id);
            ask_tcp(&mut tcp(to), id);
        }
        let mut stream = tcp(to);
        (0..20).for_each(|id| ask_tcp(&mut stream, id));
    }
    let sum = server.stop();
    for (counter, n) in [(Counter::QueriesUdp4, 20), (Counter::QueriesUdp6, 20), (Counter::QueriesTcp4, 40), (Counter::QueriesTcp6, 40)] {
        assert_eq!(sum.get(counter), n, "{counter:?}");
    }
    assert_eq!((sum.rcode(5), sum.tcp_open(), sum.get(Counter::TcpAccepted)), (120, 0, 42));
}

#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let server = start_on(["0.0.0.0:0", "[::]:0"], 2, Limits::default());
    let client = udp("0.0.0.0:0".parse().expect("an address"));
    for (id, last) in [1, 2, 3, 200].into_iter().enumerate() {
        let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), server.v4.port());
        ask_udp(&client, to, id as u16);
        ask_tcp(&mut tcp(to), id as u16);
    }
    let to = SocketAddr::new("::1".parse().expect("an address"), server.v6.port());
    ask_udp(&udp(to), to, 7);
    ask_tcp(&mut tcp(to), 7);
    assert_eq!(server.stop().get(Counter::SendRefused), 0);
}

#[test]
fn a_second_server_is_told_that_the_address_is_in_use() {
    let server = start(Limits::default());
    for address in [server.v4, server.v6] {
        let error = Server::bind(&[address], 1, Limits::default()).map(drop).expect_err("in use");
        assert_eq!((error.address, error.error.kind()), (address, ErrorKind::AddrInUse));
        assert!(error.to_string().starts_with(&format!("cannot listen on {address} (tcp): the address is in use")), "{error}");
    }
    let nowhere = "192.0.2.1:0".parse().expect("an address");
    let error = Server::bind(&[nowhere], 1, Limits::default()).map(drop).expect_err("not ours");
    assert!(error.to_string().contains("no interface has this address"), "{error}");
    server.stop();
}

#[test]
fn what_is_no_query_gets_no_reply_and_does_no_harm() {
    let server = start(Limits::default());
    let client = udp(server.v4);
    let mut response = query(9);
    response[2] |= 0x80;
    for packet in [&[][..], &[0], &[0; 11], &response, &vec![0xff; 60_000]] {
        client.send_to(packet, server.v4).expect("sent");
    }
    // Whatever the long one was answered with comes before this.
    client.send_to(&query(77), server.v4).expect("sent");
    let mut reply = [0; 2000];
    loop {
        let len = client.recv(&mut reply).expect("a reply");
        if reply[..2] == [0, 77] {
            break check_reply(&reply[..len], 77);
        }
        assert_eq!(reply[..2], [0xff, 0xff]);
    }
    assert!(server.stop().get(Counter::Dropped) >= 4);
}

#[test]
fn a_thousand_pipelined_queries_are_answered() {
    let server = start(Limits::default());
    for to in [server.v4, server.v6] {
        let mut stream = tcp(to);
        stream.write_all(&(0..1000).flat_map(framed).collect::<Vec<_>>()).expect("sent");
        let mut seen: Vec<u16> = (0..1000)
            .map(|_| {
                let reply = read_reply(&mut stream).expect("a reply");
                let id = u16::from_be_bytes([reply[0], reply[1]]);
                check_reply(&reply, id);
                id
            })
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1000));
    }
    server.stop();
}

#[test]
fn a_query_may_come_octet_by_octet() {
    let server = start(Limits::default());
    let mut stream = tcp(server.v4);
    for octet in framed(5) {
        stream.write_all(&[octet]).expect("sent");
        std::thread::sleep(Duration::from_millis(1));
    }
    check_reply(&read_reply(&mut stream).expect("a reply"), 5);
    ask_tcp(&mut stream, 6);
    server.stop();
}

#[test]
fn a_client_that_closed_its_side_gets_its_answers() {
    let server = start(Limits::default());
    for n in [1, 300] {
        let mut stream = tcp(server.v6);
        stream.write_all(&(0..n).flat_map(framed).collect::<Vec<_>>()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("closed");
        for id in 0..n {
            check_reply(&read_reply(&mut stream).expect("a reply"), id);
        }
        check_closed(&mut stream);
    }
    assert_eq!(server.stop().get(Counter::TcpClosedClient), 2);
}

#[test]
fn what_is_no_message_ends_the_connection_after_the_answers_before_it() {
    let server = start(Limits::default());
    for broken in [&[0, 0][..], &[0, 5, 1, 2, 3, 4, 5], &[0, 11], b"\x00\x00GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = tcp(server.v4);
        stream.write_all(&[&framed(1)[..], &framed(2), broken, &framed(3)].concat()).expect("sent");
        check_reply(&read_reply(&mut stream).expect("a reply"), 1);
        check_reply(&read_reply(&mut stream).expect("a reply"), 2);
        check_closed(&mut stream);
    }
    server.await_count(Counter::TcpClosedFraming, 4);
    server.stop();
}

#[test]
fn an_idle_connection_is_closed() {
    let server = start(Limits { idle: Duration::from_millis(100), ..Limits::default() });
    let mut silent = tcp(server.v4);
    let mut once = tcp(server.v4);
    ask_tcp(&mut once, 1);
    check_closed(&mut silent);
    check_closed(&mut once);
    assert_eq!(server.stop().get(Counter::TcpClosedIdle), 2);
}

#[test]
fn a_client_that_sends_too_slowly_is_cut() {
    let server = start(Limits { receive: Duration::from_millis(150), ..Limits::default() });
    let mut stream = tcp(server.v4);
    let start = Instant::now();
    stream.write_all(&[0xff, 0xff]).expect("sent");
    // An octet now and then does not help.
    while stream.write_all(&[1]).is_ok() && server.telemetry.snapshot().get(Counter::TcpClosedSlowWriter) == 0 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    check_closed(&mut stream);
    assert_eq!(server.stop().get(Counter::TcpClosedSlowWriter), 1);
}

#[test]
fn a_client_that_does_not_read_is_cut_and_not_worked_for() {
    let server = start(Limits { send: Duration::from_millis(300), ..Limits::default() });
    let mut stream = tcp(server.v4);
    let batch: Vec<u8> = (0..1000).flat_map(framed).collect();
    let (start, mut written) = (Instant::now(), 0);
    while stream.write_all(&batch).is_ok() {
        written += batch.len();
        assert!(start.elapsed() < PATIENCE, "{written} octets taken and not cut");
        // Others are served all the while.
        ask_tcp(&mut tcp(server.v4), 1);
    }
    server.await_count(Counter::TcpClosedSlowReader, 1);
    server.stop();
}

#[test]
fn two_hundred_idle_connections_leave_room_for_one_more() {
    let server = start(Limits::default());
    for to in [server.v4, server.v6] {
        let idle: Vec<TcpStream> = (0..200).map(|_| tcp(to)).collect();
        let mut stream = tcp(to);
        ask_tcp(&mut stream, 1);
        ask_udp(&udp(to), to, 2);
        // The last ones are still there, the first are gone.
        let [mut first, .., mut last] = <[TcpStream; 200]>::try_from(idle).expect("200");
        check_closed(&mut first);
        ask_tcp(&mut last, 3);
    }
    let sum = server.stop();
    assert_eq!(sum.get(Counter::TcpClosedEvicted), 202);
}

#[test]
fn a_client_that_asks_once_a_connection_is_never_cut() {
    let server = start(Limits::default());
    for _ in 0..30 {
        // More than half of what one client may have: the next ones come before the last are seen to be closed.
        let mut streams: Vec<TcpStream> = (0..64).map(|_| tcp(server.v4)).collect();
        (0..).zip(&mut streams).for_each(|(id, stream)| stream.write_all(&framed(id)).expect("sent"));
        (0..).zip(&mut streams).for_each(|(id, stream)| check_reply(&read_reply(stream).expect("a reply"), id));
    }
    let sum = server.stop();
    assert_eq!((sum.get(Counter::TcpClosedEvicted), sum.get(Counter::TcpRefusedClientLimit)), (0, 0));
    assert_eq!(sum.get(Counter::TcpClosedClient), 30 * 64);
}

#[test]
fn one_client_does_not_take_the_place_of_another() {
    let limits = Limits { connections: 6, connections_per_client: 3, ..Limits::default() };
    let server = start_on(["0.0.0.0:0", "[::1]:0"], 1, limits);
    // From another loopback address: another client.
    let from = |last: u8| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).expect("a free port");
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], server.v4.port())).into()).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        TcpStream::from(socket)
    };
    let mut other = from(9);
    ask_tcp(&mut other, 1);
    let mut crowd: Vec<TcpStream> = (0..10).map(|_| from(1)).collect();
    ask_tcp(&mut crowd[9], 2);
    ask_tcp(&mut other, 3);
    assert_eq!(server.telemetry.snapshot().tcp_open(), 4);
    // All places: whoever is idle longest goes, and each newcomer is served.
    for last in 10..20 {
        ask_tcp(&mut from(last), 4);
    }
    assert!(server.telemetry.snapshot().tcp_open() <= 6);
    server.stop();
}

#[test]
fn a_busy_connection_is_not_given_up_for_a_new_one() {
    let server = start(Limits { connections: 2, connections_per_client: 2, ..Limits::default() });
    let batch: Vec<u8> = (0..1000).flat_map(framed).collect();
    // Two clients that do not read: both are owed answers.
    let mut busy: Vec<TcpStream> = (0..2).map(|_| tcp(server.v4)).collect();
    let writers: Vec<_> = (busy.iter_mut())
        .map(|stream| {
            let mut stream = stream.try_clone().expect("a descriptor");
            stream.set_nonblocking(true).expect("an option");
            let batch = batch.clone();
            std::thread::spawn(move || {
                // Until nothing more is taken for a while: the server has stopped reading.
                let (mut at, mut quiet) = (0, Instant::now());
                while quiet.elapsed() < Duration::from_millis(500) {
                    match stream.write(&batch[at..]) {
                        Ok(n) => (at, quiet) = ((at + n) % batch.len(), Instant::now()),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
                        Err(error) => panic!("cut: {error}"),
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("not cut"));
    let mut newcomer = tcp(server.v4);
    check_closed(&mut newcomer);
    let sum = server.telemetry.snapshot();
    assert_eq!((sum.get(Counter::TcpRefusedClientLimit), sum.get(Counter::TcpClosedEvicted), sum.tcp_open()), (1, 0, 2));
    drop(server);
}

#[test]
fn a_stop_answers_what_was_sent_before_it() {
    let server = start_on(["127.0.0.1:0", "[::1]:0"], 2, Limits::default());
    let mut streams: Vec<TcpStream> = (0..20).map(|i| tcp(if i % 2 == 0 { server.v4 } else { server.v6 })).collect();
    let batch: Vec<u8> = (0..500).flat_map(framed).collect();
    for stream in &mut streams {
        stream.write_all(&batch).expect("sent");
    }
    // One with half a request: the rest comes after the stop began.
    let mut half = tcp(server.v4);
    ask_tcp(&mut half, 8);
    let request = framed(9);
    half.write_all(&request[..10]).expect("sent");
    let clients: Vec<UdpSocket> = (0..4).map(|i| udp(if i % 2 == 0 { server.v4 } else { server.v6 })).collect();
    for (i, client) in clients.iter().enumerate() {
        for id in 0..50 {
            client.send_to(&query(id), if i % 2 == 0 { server.v4 } else { server.v6 }).expect("sent");
        }
    }
    let (address, telemetry) = (server.v4, server.telemetry);
    let stopping = std::thread::spawn(move || server.running.stop(PATIENCE));
    half.write_all(&request[10..]).expect("sent");
    check_reply(&read_reply(&mut half).expect("a reply"), 9);
    check_closed(&mut half);
    for stream in &mut streams {
        for id in 0..500 {
            check_reply(&read_reply(stream).expect("a reply"), id);
        }
        check_closed(stream);
    }
    for client in &clients {
        let mut reply = [0; 2000];
        for id in 0..50 {
            let len = client.recv(&mut reply).expect("a reply");
            check_reply(&reply[..len], id);
        }
    }
    drop((streams, half));
    stopping.join().expect("stopped");
    let sum = telemetry.snapshot();
    assert_eq!((sum.rcode(5), sum.tcp_open()), (20 * 500 + 2 + 4 * 50, 0));
    assert_eq!(TcpStream::connect(address).map(drop).expect_err("closed").kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_stop_does_not_wait_for_clients_that_stay() {
    let server = start(Limits::default());
    let (_silent, mut half) = (tcp(server.v4), tcp(server.v4));
    half.write_all(&framed(1)[..7]).expect("sent");
    server.await_count(Counter::TcpAccepted, 2);
    let start = Instant::now();
    server.running.stop(Duration::from_millis(200));
    assert!(start.elapsed() < PATIENCE / 3);
    check_closed(&mut half);
}

#[test]
fn a_swap_under_load_loses_no_query() {
    let server = start_on(["127.0.0.1:0", "[::1]:0"], 2, Limits::default());
    let over = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (over, current) = (Arc::clone(&over), Arc::clone(&server.current));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                Served::replace(&current, served());
                std::thread::sleep(Duration::from_micros(200));
            }
        })
    };
    let clients: Vec<_> = [server.v4, server.v6]
        .map(|to| {
            std::thread::spawn(move || {
                let (socket, mut stream) = (udp(to), tcp(to));
                for id in 0..3000 {
                    ask_udp(&socket, to, id);
                    ask_tcp(&mut stream, id);
                }
            })
        })
        .into();
    clients.into_iter().for_each(|client| client.join().expect("every query answered"));
    over.store(true, Ordering::Relaxed);
    swapper.join().expect("swapped");
    assert_eq!(server.stop().rcode(5), 12_000);
}

#[test]
fn other_addresses_come_without_a_gap() {
    let old = start_on(["127.0.0.1:0", "[::1]:0"], 2, Limits::default());
    let (stays, goes) = (old.v4, old.v6);
    let comes: SocketAddr = "[::1]:0".parse().expect("an address");
    let server = Server::bind_beside(old.running.local_addrs(), &[stays, comes], 1, Limits::default()).expect("bound");
    let comes = server.local_addrs()[1];
    assert_eq!(server.local_addrs()[0], stays);
    let new = server.start(Arc::clone(&old.current), &old.telemetry).expect("threads");
    for id in 0..20 {
        for to in [stays, goes, comes] {
            ask_udp(&udp(to), to, id);
            ask_tcp(&mut tcp(to), id);
        }
    }
    old.running.stop(PATIENCE);
    for id in 0..20 {
        for to in [stays, comes] {
            ask_udp(&udp(to), to, id);
            ask_tcp(&mut tcp(to), id);
        }
    }
    assert_eq!(TcpStream::connect(goes).map(drop).expect_err("closed").kind(), ErrorKind::ConnectionRefused);
    new.stop(PATIENCE);
    assert_eq!(old.telemetry.snapshot().rcode(5), 2 * 20 * 5);
}

#[test]
fn an_idle_worker_lets_go_of_old_zones() {
    let server = start_on(["127.0.0.1:0", "[::1]:0"], 2, Limits::default());
    ask_udp(&udp(server.v4), server.v4, 1);
    ask_tcp(&mut tcp(server.v4), 1);
    let old = server.current.swap(Arc::new(served()));
    let start = Instant::now();
    while Arc::strong_count(&old) > 1 {
        assert!(start.elapsed() < PATIENCE, "{} hold the old zones", Arc::strong_count(&old));
        std::thread::sleep(Duration::from_millis(10));
    }
    server.stop();
}

#[test]
fn random_octets_over_tcp_do_no_harm() {
    let server = start(Limits::default());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..300 {
        let mut stream = tcp(server.v4);
        let mut octets: Vec<u8> = (0..random.usize(0..30)).flat_map(|id| framed(id as u16)).collect();
        for _ in 0..random.usize(0..8) {
            if !octets.is_empty() {
                let at = random.usize(0..octets.len());
                octets[at] = random.u8(..);
            }
        }
        octets.extend((0..random.usize(0..50)).map(|_| random.u8(..)));
        for piece in octets.chunks(random.usize(1..100)) {
            // The server may have closed already.
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        if random.bool() {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    }
    ask_tcp(&mut tcp(server.v4), 1);
    assert_eq!(server.stop().get(Counter::Panics), 0);
}

/// Not a test of its own: the server of the test below, in a process of its own, because the limit on descriptors is the process's.
/// Says its address, and serves until its input ends.
#[test]
#[ignore = "run by the next test"]
fn server_with_few_descriptors() {
    let Ok(spare) = std::env::var("SAOLA_TEST_SPARE_DESCRIPTORS") else { return };
    let server = start(Limits { send: Duration::from_secs(20), ..Limits::default() });
    let open = std::fs::read_dir("/proc/self/fd").expect("a list").count() - 1;
    saola::transport::set_descriptor_limit(open + spare.parse::<usize>().expect("a number"));
    println!("\naddress {}", server.v4);
    io::copy(&mut io::stdin(), &mut io::sink()).expect("an end");
    let sum = server.telemetry.snapshot();
    println!("\nrefused {}", sum.get(Counter::TcpRefusedDescriptors));
}

#[test]
fn when_descriptors_run_out_the_newcomer_is_served_and_nothing_spins() {
    use std::io::BufRead;
    const SPARE: usize = 8;
    let mut child = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "server_with_few_descriptors", "--ignored", "--nocapture"])
        .env("SAOLA_TEST_SPARE_DESCRIPTORS", SPARE.to_string())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a process");
    let mut lines = io::BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let address: SocketAddr =
        lines.find_map(|line| line.strip_prefix("address ").map(|text| text.parse().expect("an address"))).expect("an address");

    // Idle connections beyond the descriptors: each newcomer is served.
    let mut idle = Vec::new();
    for id in 0..4 * SPARE {
        let mut stream = tcp(address);
        ask_tcp(&mut stream, id as u16);
        idle.push(stream);
    }
    check_closed(&mut idle[0]);
    drop(idle);

    // Connections that are owed answers, until the next one is turned away: now all descriptors are taken and none can be given up.
    let batch: Vec<u8> = (0..1000).flat_map(framed).collect();
    let mut busy = Vec::new();
    'fill: while busy.len() < 4 * SPARE {
        let mut stream = tcp(address);
        stream.set_nonblocking(true).expect("an option");
        let (mut at, mut quiet) = (0, Instant::now());
        // All together less than the second after which one that takes nothing makes room.
        while quiet.elapsed() < Duration::from_millis(20) {
            match stream.write(&batch[at..]) {
                Ok(n) => (at, quiet) = ((at + n) % batch.len(), Instant::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => break 'fill,
            }
        }
        busy.push(stream);
    }
    assert!(busy.len() >= SPARE / 2);
    let queued: Vec<TcpStream> = (0..30).map(|_| tcp(address)).collect();
    let before = processor_ticks(child.id());
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(1000));
    // A spin takes what it can get, on a busy machine a part; ten looks a second take nothing that shows.
    let (ticks, wall) = (processor_ticks(child.id()) - before, start.elapsed().as_millis() as u64 / 10);
    assert!(ticks < wall / 10, "{ticks} of {wall} hundredths of a second were spent");
    assert!(busy.len() < 4 * SPARE, "nobody was turned away");
    ask_udp(&udp(address), address, 1);

    drop((busy, queued));
    // Those who waited are turned away one by one; then all is as before.
    let start = Instant::now();
    loop {
        let mut stream = tcp(address);
        if stream.write_all(&framed(2)).is_ok()
            && let Ok(reply) = read_reply(&mut stream)
        {
            break check_reply(&reply, 2);
        }
        assert!(start.elapsed() < PATIENCE, "no connection is served any more");
    }
    drop(child.stdin.take());
    let refused = lines.find_map(|line| line.strip_prefix("refused ").map(|text| text.parse::<u64>().expect("a number")));
    assert!(refused.expect("a count") > 0);
    assert!(child.wait().expect("an end").success());
}

/// Processor time of a process in hundredths of a second (proc_pid_stat(5), utime and stime).
fn processor_ticks(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name in parentheses").split_whitespace().collect();
    fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
}
