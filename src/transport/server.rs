//! From a list of addresses to running workers, and to their end.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use mio::Waker;
use socket2::{Domain, Protocol, Socket, Type};

use super::limits::Limits;
use super::request::Served;
use super::{sys, tcp, udp};
use crate::telemetry::Telemetry;

/// Sockets that are bound and wait for their workers. Requests that come before the start wait in the sockets.
#[derive(Debug)]
pub struct Server {
    entries: Vec<Bound>,
    /// Without UDP.
    tls: Vec<Bound>,
    limits: Limits,
    n_workers: usize,
}

/// One listen address: a socket of each kind that is served there for each worker.
#[derive(Debug)]
struct Bound {
    address: SocketAddr,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address as it was asked for.
    pub address: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub protocol: &'static str,
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, protocol, error } = self;
        write!(f, "cannot listen on {address} ({protocol}): ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => f.write_str("the address is in use; stop the other server, or listen on another address or port"),
            io::ErrorKind::AddrNotAvailable => f.write_str("no interface has this address; add it to one, or take it out of the list"),
            io::ErrorKind::PermissionDenied => {
                f.write_str("not permitted; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE")
            }
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BindError {}

/// Connections that wait to be accepted, per worker; the system cuts it to net.core.somaxconn.
const BACKLOG: i32 = 1024;
/// Answers are small and leave at once; this is room for some batches when the network card is busy.
const UDP_SEND_BUFFER: usize = 1 << 20;
/// Unsent octets that the kernel keeps of one TCP connection: enough to keep it busy, not a place where answers pile up.
const TCP_UNSENT: u32 = 256 * 1024;
/// Descriptors that TCP connections leave to files, the control socket, the journal and the workers.
const DESCRIPTORS_KEPT: usize = 128;
/// What a worker grants one client at least.
const CLIENT_SHARE: usize = 10;
/// A free UDP port may be taken on TCP; then another is tried.
const PORT_TRIES: usize = 16;

impl Server {
    /// Binds UDP and TCP on every address, for `workers` workers of each kind (0: one per processor allowed).
    ///
    /// Port 0 takes a free port, the same for UDP and TCP. The TCP limits are cut to the descriptors that the process may open.
    ///
    /// # Errors
    /// The first address that cannot be bound, by which protocol and why; nothing stays bound then.
    pub fn bind(listen: &[SocketAddr], workers: usize, limits: Limits) -> Result<Self, BindError> {
        Self::bind_beside(&[], listen, workers, limits)
    }

    /// As [`bind`](Self::bind), while this process still serves `served` ([`Running::local_addrs`]); the new sockets may share ports
    /// with those.
    ///
    /// This is how other addresses, workers or limits come without a gap: bind beside, start, then stop the old workers. Only a
    /// datagram that reaches an old socket in the moment between its last look and its close goes unanswered.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); the old workers know nothing of it.
    pub fn bind_beside(served: &[SocketAddr], listen: &[SocketAddr], workers: usize, limits: Limits) -> Result<Self, BindError> {
        let n_workers = if workers == 0 { sys::allowed_processors().len().max(1) } else { workers };
        // Sockets that share a port (SO_REUSEPORT) would also share it with a second server of the same user, and each would get a
        // part of the queries. So first see that nobody else is there. All addresses before the first is bound, since 0.0.0.0 and
        // 127.0.0.1 may both be asked for.
        let is_ours = |address: &SocketAddr| served.iter().any(|served| served.port() == address.port());
        for &address in listen.iter().filter(|address| address.port() != 0 && !is_ours(address)) {
            tcp_socket(address, false).map_err(|error| BindError { address, protocol: "tcp", error })?;
            udp_socket(address, false, &limits).map_err(|error| BindError { address, protocol: "udp", error })?;
        }
        let entries = listen.iter().map(|&address| Bound::new(address, n_workers, &limits)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { entries, tls: Vec::new(), limits, n_workers })
    }

    /// Binds TLS on every address of `listen` beside what is bound already, for the same workers. Port 0 takes a free port.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_tls(mut self, listen: &[SocketAddr]) -> Result<Self, BindError> {
        for &address in listen {
            let fail = |error| BindError { address, protocol: "tls", error };
            if address.port() != 0 {
                tcp_socket(address, false).map_err(fail)?;
            }
            let bound = Bound::new_tls(address, self.n_workers).map_err(fail)?;
            self.tls.push(bound);
        }
        Ok(self)
    }

    /// The addresses bound, in the order asked for, with the ports that port 0 became.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.entries.iter().map(|bound| bound.address).collect()
    }

    /// As [`local_addrs`](Self::local_addrs), of TLS.
    pub fn tls_addrs(&self) -> Vec<SocketAddr> {
        self.tls.iter().map(|bound| bound.address).collect()
    }

    /// Starts the workers. What they answer from is whatever `served` holds at that moment.
    ///
    /// # Errors
    /// When the system gives no thread or no epoll descriptor; what was started is stopped again.
    pub fn start(self, served: Arc<ArcSwap<Served>>, telemetry: &Telemetry) -> io::Result<Running> {
        let Self { mut entries, mut tls, limits, n_workers } = self;
        let share = Limits {
            connections: tcp_connections(&limits).div_ceil(n_workers),
            // The kernel spreads the connections of a client by chance; a small share would cut those of an even smaller number.
            connections_per_client: limits.connections_per_client.div_ceil(n_workers).max(CLIENT_SHARE.min(limits.connections_per_client)),
            ..limits
        };
        let (stop_seen, stop_said) = io::pipe()?;
        let drain = Arc::new(AtomicU64::new(0));
        let mut running = Running {
            addresses: entries.iter().map(|bound| bound.address).collect(),
            stop: Arc::default(),
            udp_stop: Some(stop_said),
            drain: Arc::clone(&drain),
            wakers: Vec::new(),
            threads: Vec::new(),
        };
        let processors = sys::allowed_processors();
        for i in 0..n_workers {
            let worker = udp::Worker {
                listeners: (entries.iter_mut())
                    .filter_map(|bound| Some(udp::Listener { socket: bound.udp.pop()?, wildcard: bound.address.ip().is_unspecified() }))
                    .collect(),
                served: Arc::clone(&served),
                counters: telemetry.register(),
                stop: stop_seen.try_clone()?,
                // With fewer workers than processors the scheduler knows better which one is free.
                processor: (n_workers == processors.len()).then(|| processors[i]),
                drain: Arc::clone(&drain),
            };
            running.threads.push(std::thread::Builder::new().name(format!("udp-{i}")).spawn(move || worker.run())?);
            let listeners = [(&mut entries, false), (&mut tls, true)].into_iter().flat_map(|(entries, is_tls)| {
                entries.iter_mut().filter_map(move |bound| Some(tcp::Listener { socket: bound.tcp.pop()?, is_tls }))
            });
            let listeners = listeners.collect();
            let (worker, waker) = tcp::Worker::new(listeners, share.clone(), telemetry.register(), Arc::clone(&running.stop))?;
            running.wakers.push(waker);
            let served = Arc::clone(&served);
            running.threads.push(std::thread::Builder::new().name(format!("tcp-{i}")).spawn(move || worker.run(served))?);
        }
        Ok(running)
    }
}

impl Bound {
    fn new(wanted: SocketAddr, n_workers: usize, limits: &Limits) -> Result<Self, BindError> {
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            let fail = |protocol| move |error| BindError { address: wanted, protocol, error };
            let first = tcp_socket(wanted, true).map_err(fail("tcp"))?;
            let address = bound_address(wanted, &first).map_err(fail("tcp"))?;
            if wanted.port() == 0 {
                match udp_socket(address, false, limits) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => continue,
                    Err(error) => return Err(fail("udp")(error)),
                }
            }
            let mut bound = Self { address, udp: Vec::new(), tcp: vec![first] };
            for _ in 0..n_workers {
                bound.udp.push(udp_socket(address, true, limits).map_err(fail("udp"))?);
            }
            for _ in 1..n_workers {
                bound.tcp.push(tcp_socket(address, true).map_err(fail("tcp"))?);
            }
            return Ok(bound);
        }
    }

    fn new_tls(wanted: SocketAddr, n_workers: usize) -> io::Result<Self> {
        let first = tcp_socket(wanted, true)?;
        let address = bound_address(wanted, &first)?;
        let others = (1..n_workers).map(|_| tcp_socket(address, true));
        Ok(Self { address, udp: Vec::new(), tcp: std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()? })
    }
}

/// The address that was asked for, with the port that port 0 became.
fn bound_address(wanted: SocketAddr, socket: &TcpListener) -> io::Result<SocketAddr> {
    // Not what the system says: that would lose the scope of a link-local address.
    let mut address = wanted;
    address.set_port(socket.local_addr()?.port());
    Ok(address)
}

fn udp_socket(address: SocketAddr, shared: bool, limits: &Limits) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // So that [::] and 0.0.0.0 can both be listened on, and an IPv4 client is never seen as a mapped IPv6 address.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    if sys::force_receive_buffer(socket.as_fd(), limits.udp_receive_buffer).is_err() {
        socket.set_recv_buffer_size(limits.udp_receive_buffer)?;
    }
    socket.set_send_buffer_size(UDP_SEND_BUFFER)?;
    // An old kernel without this still serves; answers fit every path of 1280 octets by their size alone.
    let _ = sys::ignore_path_mtu(socket.as_fd(), address.ip());
    if address.ip().is_unspecified() {
        sys::tell_asked_address(socket.as_fd(), address.ip())?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of the run before may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit both: no call per connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(TCP_UNSENT)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The connections that the descriptors allow, beside all else that is open.
fn tcp_connections(limits: &Limits) -> usize {
    let allowed = sys::descriptor_limit().saturating_sub(DESCRIPTORS_KEPT).max(16);
    if allowed < limits.connections {
        log::warn!("tcp connections limited to {allowed} instead of {}: raise the limit of open files (LimitNOFILE)", limits.connections);
    }
    limits.connections.min(allowed)
}

/// Workers at work. Dropping it stops them without waiting; [`stop`](Self::stop) is the clean end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    stop: Arc<tcp::Stop>,
    /// Dropping it is seen by all UDP workers at once.
    udp_stop: Option<io::PipeWriter>,
    drain: Arc<AtomicU64>,
    wakers: Vec<Arc<Waker>>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// The addresses served.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops: no new connections; every request that reached the machine is answered; each connection is closed once its answers are
    /// out, at the latest after `drain`. Returns when all workers have ended.
    pub fn stop(mut self, drain: Duration) {
        self.signal(drain);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a worker ended by a fault of the program");
            }
        }
    }

    fn signal(&mut self, drain: Duration) {
        let drain = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX / 4);
        self.drain.store(drain, Ordering::Relaxed);
        self.stop.drain.store(drain, Ordering::Relaxed);
        self.stop.now.store(true, Ordering::Release);
        self.udp_stop = None;
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                log::error!("a tcp worker cannot be woken: {error}");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.signal(Duration::ZERO);
        }
    }
}
