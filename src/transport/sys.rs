//! The system calls that no safe crate offers: batches of datagrams with the address that was asked, and a few socket options.
//!
//! It knows addresses and octets, no DNS. Every pointer handed to the kernel is made
//! from a live slice directly before the call and forgotten after it; what the kernel wrote is read back as plain octets.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams of one batch: requests as they came, and the answers to some of them. Its parts are apart, so that answers are written
/// while requests are read.
pub struct Batch {
    /// What came.
    pub requests: Requests,
    /// What goes.
    pub answers: Answers,
    /// What sends.
    pub calls: Calls,
}

/// The requests of a batch.
///
/// A slot holds the largest datagram there is; only the pages that were written are in memory.
pub struct Requests {
    octets: Box<[u8]>,
    names: Box<[RawName]>,
    controls: Box<[RawControl]>,
    lens: Box<[Received]>,
    received: usize,
}

/// The answers of a batch.
pub struct Answers {
    /// They lie one behind the other, so that a batch of small ones stays in few cache lines.
    octets: Box<[u8]>,
    filled: usize,
    outgoing: Vec<Outgoing>,
}

/// What the system calls are given; filled in directly before each.
pub struct Calls {
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

/// One datagram of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The octets.
    pub octets: &'a [u8],
    /// Who sent it.
    pub client: SocketAddr,
    /// True if it was longer than a slot (cannot be with slots of 64 KiB).
    pub cut: bool,
}

/// What became of the answers of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams taken by the kernel.
    pub sent: usize,
    /// Their octets.
    pub octets: usize,
    /// Datagrams dropped because the send buffer was full.
    pub full: usize,
    /// Datagrams that the kernel refused (no route, a filter, an address that went away).
    pub refused: usize,
}

#[derive(Clone, Copy, Default)]
struct Received {
    octets: u32,
    name: u32,
    /// Length of the control message that says where to send from; 0 = let the system choose.
    source: usize,
    flags: i32,
}

#[derive(Clone, Copy)]
struct Outgoing {
    slot: u16,
    from: u32,
    octets: u32,
}

/// Room for a `sockaddr_in` or a `sockaddr_in6`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct RawName([u8; 32]);

/// Room for one control message with `in_pktinfo` or `in6_pktinfo`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct RawControl([u8; 64]);

/// Octets from one slot to the next: 64 KiB and a cache line, so that the heads of the slots do not fall into one cache set.
const STRIDE: usize = MESSAGE_MAX + 1 + 64;
/// The largest DNS message.
pub const MESSAGE_MAX: usize = 65_535;
/// Room for answers; a batch that fills it is sent early.
const ANSWERS: usize = 4 * (MESSAGE_MAX + 1);

impl Batch {
    /// Room for up to `slots` datagrams a call.
    pub fn new(slots: usize) -> Self {
        // SAFETY: iovec and mmsghdr are plain C structs for which all-zero octets are a valid value.
        let (vector, header) = unsafe { (std::mem::zeroed::<libc::iovec>(), std::mem::zeroed::<libc::mmsghdr>()) };
        Self {
            requests: Requests {
                octets: vec![0; slots * STRIDE].into_boxed_slice(),
                names: vec![RawName([0; 32]); slots].into_boxed_slice(),
                controls: vec![RawControl([0; 64]); slots].into_boxed_slice(),
                lens: vec![Received::default(); slots].into_boxed_slice(),
                received: 0,
            },
            answers: Answers { octets: vec![0; ANSWERS].into_boxed_slice(), filled: 0, outgoing: Vec::with_capacity(slots) },
            calls: Calls { vectors: vec![vector; slots].into_boxed_slice(), headers: vec![header; slots].into_boxed_slice() },
        }
    }

    /// Takes what waits at `socket`, up to one batch, without waiting. Forgets the batch before.
    ///
    /// `with_control`: the socket tells which address was asked ([`tell_asked_address`]).
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; others as recvmmsg(2).
    pub fn receive(&mut self, socket: BorrowedFd<'_>, with_control: bool) -> io::Result<usize> {
        let Self { requests, answers, calls } = self;
        requests.received = 0;
        answers.outgoing.clear();
        answers.filled = 0;
        for (i, slot) in requests.octets.chunks_exact_mut(STRIDE).enumerate() {
            calls.vectors[i] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: MESSAGE_MAX + 1 };
            let header = &mut calls.headers[i].msg_hdr;
            header.msg_name = (&raw mut requests.names[i]).cast();
            header.msg_namelen = size_of::<RawName>() as libc::socklen_t;
            header.msg_iov = &raw mut calls.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = if with_control { (&raw mut requests.controls[i]).cast() } else { std::ptr::null_mut() };
            header.msg_controllen = if with_control { size_of::<RawControl>() as _ } else { 0 };
            header.msg_flags = 0;
        }
        // SAFETY: every header points at a name, an iovec and a control buffer of `self`, each as long as the header says; `self`
        // is borrowed mutably for the whole call, and the kernel keeps no pointer after it.
        let n = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                calls.headers.as_mut_ptr(),
                calls.headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        for ((lens, control), header) in requests.lens.iter_mut().zip(&mut requests.controls).zip(&calls.headers[..n]) {
            *lens = Received {
                octets: header.msg_len,
                name: header.msg_hdr.msg_namelen,
                source: control.make_source(header.msg_hdr.msg_controllen),
                flags: header.msg_hdr.msg_flags,
            };
        }
        requests.received = n;
        Ok(n)
    }
}

impl Requests {
    /// Where an answer to datagram `slot` goes, for one that comes when the batch is gone.
    pub fn envelope(&self, slot: usize) -> Option<Envelope> {
        let lens = self.lens[..self.received].get(slot)?;
        Some(Envelope { name: self.names[slot], name_len: lens.name, control: self.controls[slot], source: lens.source })
    }

    /// Datagram `slot` of those received.
    pub fn get(&self, slot: usize) -> Option<Datagram<'_>> {
        let lens = self.lens[..self.received].get(slot)?;
        let client = self.names[slot].read(lens.name as usize)?;
        let octets = &self.octets[slot * STRIDE..][..(lens.octets as usize).min(MESSAGE_MAX + 1)];
        Some(Datagram { octets, client, cut: lens.flags & libc::MSG_TRUNC != 0 })
    }
}

impl Answers {
    /// True if there is room for one more answer; if not, they have to be sent first.
    pub fn has_room(&self) -> bool {
        ANSWERS - self.filled >= MESSAGE_MAX && self.outgoing.len() < self.outgoing.capacity()
    }

    /// Writes the answer to datagram `slot`: `write` gets 65,535 octets of room, and says how many it used.
    ///
    /// Does nothing without room ([`has_room`](Self::has_room)).
    pub fn write(&mut self, slot: usize, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
        if !self.has_room() {
            return;
        }
        let room = &mut self.octets[self.filled..][..MESSAGE_MAX];
        if let Some(len) = write(room) {
            let len = len.min(MESSAGE_MAX);
            self.outgoing.push(Outgoing { slot: slot as u16, from: self.filled as u32, octets: len as u32 });
            // The next answer starts in a cache line of its own.
            self.filled = (self.filled + len).next_multiple_of(64).min(ANSWERS);
        }
    }
}

impl Calls {
    /// Sends the answers written so far, each to who asked and from the address that was asked. Never waits.
    pub fn send(&mut self, socket: BorrowedFd<'_>, requests: &Requests, answers: &mut Answers) -> Sent {
        let mut total = Sent::default();
        let n = answers.outgoing.len();
        for (i, out) in answers.outgoing.iter().enumerate() {
            let slot = out.slot as usize;
            let bytes = &mut answers.octets[out.from as usize..][..out.octets as usize];
            self.vectors[i] = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let source = requests.lens[slot].source;
            let header = &mut self.headers[i].msg_hdr;
            // The kernel only reads both.
            header.msg_name = (&raw const requests.names[slot]).cast_mut().cast();
            header.msg_namelen = requests.lens[slot].name;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = if source > 0 { (&raw const requests.controls[slot]).cast_mut().cast() } else { std::ptr::null_mut() };
            header.msg_controllen = source as _;
            header.msg_flags = 0;
        }
        let mut done = 0;
        while done < n {
            // SAFETY: as in `receive`: headers `done..n` were just filled with pointers into `self`, `requests` and `answers`, lengths as
            // given, and all three are borrowed for the whole call.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr().add(done),
                    (n - done) as libc::c_uint,
                    (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
                )
            };
            if let Ok(sent) = usize::try_from(sent) {
                total.sent += sent;
                total.octets += answers.outgoing[done..][..sent].iter().map(|out| out.octets as usize).sum::<usize>();
                // Zero is not in the manual; taken for a datagram that cannot go, it cannot hold us here.
                total.refused += usize::from(sent == 0);
                done += sent.max(1);
                continue;
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                    total.full += n - done;
                    break;
                }
                // The fault of one datagram (or an ICMP error told late): the others still go.
                _ => {
                    total.refused += 1;
                    done += 1;
                }
            }
        }
        answers.outgoing.clear();
        answers.filled = 0;
        total
    }
}

/// Who sent a datagram, and which address it asked.
pub struct Envelope {
    name: RawName,
    name_len: u32,
    control: RawControl,
    source: usize,
}

impl Envelope {
    /// Who sent it.
    pub fn client(&self) -> Option<SocketAddr> {
        self.name.read(self.name_len as usize)
    }

    /// Sends `octets` there, from the address that was asked. Never waits.
    ///
    /// # Errors
    /// As sendmsg(2).
    pub fn send(&self, socket: BorrowedFd<'_>, octets: &[u8]) -> io::Result<()> {
        let mut vector = libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        // SAFETY: msghdr is a plain C struct for which all-zero octets are a valid value.
        let mut header = unsafe { std::mem::zeroed::<libc::msghdr>() };
        header.msg_name = (&raw const self.name).cast_mut().cast();
        header.msg_namelen = self.name_len.min(size_of::<RawName>() as u32);
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        if self.source > 0 {
            header.msg_control = (&raw const self.control).cast_mut().cast();
            header.msg_controllen = self.source as _;
        }
        // SAFETY: the header points at a name and a control buffer of `self`, at `vector`, and through it at `octets`, each as long as
        // given; all live through the call, and the kernel only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl RawName {
    fn read(&self, len: usize) -> Option<SocketAddr> {
        let b = &self.0;
        let family = i32::from(u16::from_ne_bytes([b[0], b[1]]));
        let port = u16::from_be_bytes([b[2], b[3]]);
        if family == libc::AF_INET && len >= size_of::<libc::sockaddr_in>() {
            return Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(b[4], b[5], b[6], b[7]), port)));
        }
        if family == libc::AF_INET6 && len >= size_of::<libc::sockaddr_in6>() {
            let flow = u32::from_be_bytes([b[4], b[5], b[6], b[7]]);
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(&b[8..24]).expect("16 octets"));
            let scope = u32::from_ne_bytes([b[24], b[25], b[26], b[27]]);
            return Some(SocketAddr::V6(SocketAddrV6::new(address, port, flow, scope)));
        }
        None
    }
}

/// Where the payload of a control message starts; `cmsghdr` is a multiple of the alignment on every 64-bit Linux.
const CONTROL_HEAD: usize = size_of::<libc::cmsghdr>();

impl RawControl {
    /// Turns "this address was asked" into "send from this address", in place; returns the length, 0 = let the system choose.
    fn make_source(&mut self, len: usize) -> usize {
        let b = &mut self.0;
        if len < CONTROL_HEAD || len > b.len() {
            return 0;
        }
        let level = i32::from_ne_bytes(b[size_of::<usize>()..][..4].try_into().expect("4 octets"));
        let kind = i32::from_ne_bytes(b[size_of::<usize>() + 4..][..4].try_into().expect("4 octets"));
        let payload = &mut b[CONTROL_HEAD..];
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // in_pktinfo: interface, ipi_spec_dst, ipi_addr. The kernel's ipi_spec_dst is already the local address that answers
                // (also for a broadcast). Interface 0: the route decides the way out.
                payload[..4].fill(0);
                (CONTROL_HEAD + size_of::<libc::in_pktinfo>()).next_multiple_of(size_of::<usize>())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // in6_pktinfo: address, interface. A link-local address means nothing without its interface (RFC 4007 §6).
                let address = Ipv6Addr::from(<[u8; 16]>::try_from(&payload[..16]).expect("16 octets"));
                if address.is_multicast() {
                    return 0;
                }
                if !address.is_unicast_link_local() {
                    payload[16..20].fill(0);
                }
                (CONTROL_HEAD + size_of::<libc::in6_pktinfo>()).next_multiple_of(size_of::<usize>())
            }
            _ => 0,
        }
    }
}

/// Asks the kernel to tell for each datagram which address was asked (IP_PKTINFO; IPV6_RECVPKTINFO, RFC 3542 §6).
///
/// # Errors
/// As setsockopt(2).
pub fn tell_asked_address(socket: BorrowedFd<'_>, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Makes the socket ignore path MTU news, which anyone can forge, and never set DF: answers fit into 1232 octets anyway (RFC 9715 §3).
///
/// # Errors
/// As setsockopt(2); a kernel without the option is no reason not to serve.
pub fn ignore_path_mtu(socket: BorrowedFd<'_>, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT),
    }
}

/// Sets the receive buffer past the system's maximum, which only a privileged process may.
///
/// # Errors
/// `PermissionDenied` for all others.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, octets: usize) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, i32::try_from(octets).unwrap_or(i32::MAX))
}

fn set_option(socket: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: `value` lives through the call, and its true size is given.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sockets and pipes that one thread waits for.
pub struct Waiting<'a> {
    entries: Vec<libc::pollfd>,
    /// They stay open as long as they are waited for.
    _fds: PhantomData<BorrowedFd<'a>>,
}

impl<'a> Waiting<'a> {
    /// Waits for all of `fds`; they are told apart by their place.
    pub fn new(fds: impl IntoIterator<Item = BorrowedFd<'a>>) -> Self {
        let entries = fds.into_iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
        Self { entries, _fds: PhantomData }
    }

    /// Waits until one can be read or is hung up, or `timeout_ms` is over.
    ///
    /// # Errors
    /// As poll(2), without EINTR, which counts as time over. None [`is_ready`](Self::is_ready) then.
    pub fn wait(&mut self, timeout_ms: i32) -> io::Result<()> {
        // SAFETY: `entries` is a live array of as many entries as given, borrowed mutably for the call.
        let n = unsafe { libc::poll(self.entries.as_mut_ptr(), self.entries.len() as libc::nfds_t, timeout_ms) };
        if n >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        self.entries.iter_mut().for_each(|entry| entry.revents = 0);
        if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
    }

    /// What the last wait found of one.
    pub fn is_ready(&self, place: usize) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.revents != 0)
    }
}

/// The processors that this process may run on.
pub fn allowed_processors() -> Vec<usize> {
    // SAFETY: a cpu_set_t of zeros is the empty set.
    let mut set = unsafe { std::mem::zeroed::<libc::cpu_set_t>() };
    // SAFETY: the size given is that of `set`, which lives through the call.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } != 0 {
        return Vec::new();
    }
    // SAFETY: CPU_ISSET only reads the bit of a number below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|&i| unsafe { libc::CPU_ISSET(i, &set) }).collect()
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// As sched_setaffinity(2).
pub fn pin_thread(processor: usize) -> io::Result<()> {
    if processor >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a cpu_set_t of zeros is the empty set; CPU_SET writes the bit of a number below CPU_SETSIZE, checked above; the size
    // given is that of `set`. 0 is the calling thread.
    let result = unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets the workers go first: the calling thread, and every thread that it starts from now on, gets about a tenth of a processor that a
/// worker wants too, and all of one that nobody wants.
///
/// For whoever makes zones while others are served: a worker that wakes up does not wait for the end of its time slice.
///
/// # Errors
/// Where the process may not call setpriority(2), as under a filter of system calls; nothing is changed then.
pub fn give_way() -> io::Result<()> {
    // SAFETY: getpriority(2) and setpriority(2) take no pointer. On Linux they act on the calling thread alone, which 0 stands for; to be
    // nicer is always permitted. -1 may be a priority as well as an error, and does for both.
    let result = unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, (now + NICE).min(19))
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Our choice: one tenth of the weight of a worker. Less would make an order wait too long where all processors are busy with answers.
const NICE: i32 = 10;

/// How many descriptors this process may have open (RLIMIT_NOFILE, the soft limit).
pub fn descriptor_limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live rlimit.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 1024 }
}

/// Sets how many descriptors this process may have open, at most what its hard limit allows; returns what holds now.
pub fn set_descriptor_limit(wanted: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live rlimit in both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(wanted as libc::rlim_t);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
    descriptor_limit()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let (server, client) = (UdpSocket::bind("127.0.0.1:0").expect("a port"), UdpSocket::bind("127.0.0.1:0").expect("a port"));
        client.connect(server.local_addr().expect("bound")).expect("connected");
        client.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        (server, client)
    }

    fn send(batch: &mut Batch, socket: &UdpSocket) -> Sent {
        batch.calls.send(socket.as_fd(), &batch.requests, &mut batch.answers)
    }

    /// Answers each datagram with itself.
    fn echo(batch: &mut Batch, n: usize) {
        for slot in 0..n {
            let Some(datagram) = batch.requests.get(slot) else { continue };
            batch.answers.write(slot, |room| {
                assert!(!datagram.cut);
                room[..datagram.octets.len()].copy_from_slice(datagram.octets);
                Some(datagram.octets.len())
            });
        }
    }

    #[test]
    fn a_datagram_that_cannot_go_does_not_hold_up_the_others() {
        let (server, client) = pair();
        let mut batch = Batch::new(8);
        (0..5).for_each(|i| assert_eq!(client.send(&[i; 20]).expect("sent"), 20));
        assert_eq!(batch.receive(server.as_fd(), false).expect("datagrams"), 5);
        echo(&mut batch, 5);
        // Port 0, and an address family that does not exist.
        batch.requests.names[1].0[2..4].fill(0);
        batch.requests.names[3].0[..2].fill(0xee);
        assert_eq!(send(&mut batch, &server), Sent { sent: 3, octets: 60, full: 0, refused: 2 });
        for i in [0, 2, 4] {
            let mut reply = [0; 30];
            assert_eq!((client.recv(&mut reply).expect("a reply"), &reply[..20]), (20, &[i; 20][..]));
        }
        assert_eq!(batch.receive(server.as_fd(), false).expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(send(&mut batch, &server), Sent::default());
    }

    #[test]
    fn only_who_gives_way_and_its_threads_go_behind() {
        // Field 19 of proc_pid_stat(5), counted from behind the name in parentheses.
        let nice = || {
            let text = std::fs::read_to_string("/proc/thread-self/stat").expect("a thread");
            text.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(16)?.parse::<i32>().ok()).expect("a number")
        };
        let before = nice();
        let (here, child) = std::thread::spawn(move || {
            give_way().expect("permitted");
            (nice(), std::thread::spawn(nice).join().expect("a number"))
        })
        .join()
        .expect("two numbers");
        assert_eq!((here, child, nice()), ((before + NICE).min(19), (before + NICE).min(19), before));
    }

    #[test]
    fn the_largest_datagrams_fill_no_more_than_the_room() {
        let (server, client) = pair();
        let mut batch = Batch::new(8);
        let mut sent = 0;
        for i in 0..8 {
            // One at a time, since the receive buffer does not hold them all.
            client.send(&[i; 65_507]).expect("sent");
            if i < 3 {
                continue;
            }
            let n = batch.receive(server.as_fd(), false).expect("datagrams");
            for slot in 0..n {
                if !batch.answers.has_room() {
                    sent += send(&mut batch, &server).sent;
                }
                let datagram = batch.requests.get(slot).expect("received");
                batch.answers.write(slot, |room| {
                    assert_eq!((datagram.octets.len(), room.len()), (65_507, MESSAGE_MAX));
                    Some(65_507)
                });
            }
            sent += send(&mut batch, &server).sent;
        }
        assert!(sent >= 6, "{sent}");
    }

    #[test]
    fn control_messages_become_the_source() {
        #[track_caller]
        fn check(level: i32, kind: i32, payload: &[u8], expected: Option<&[u8]>) {
            let mut control = RawControl([0; 64]);
            let len = CONTROL_HEAD + payload.len();
            control.0[..8].copy_from_slice(&len.to_ne_bytes());
            control.0[8..12].copy_from_slice(&level.to_ne_bytes());
            control.0[12..16].copy_from_slice(&kind.to_ne_bytes());
            control.0[16..len].copy_from_slice(payload);
            let made = control.make_source(len.next_multiple_of(8));
            let expected_len = expected.map_or(0, |expected| (CONTROL_HEAD + expected.len()).next_multiple_of(8));
            assert_eq!((made, expected.map(|expected| &control.0[16..16 + expected.len()])), (expected_len, expected));
        }
        let v4 = [7, 0, 0, 0, 127, 0, 0, 2, 127, 0, 0, 2];
        check(libc::IPPROTO_IP, libc::IP_PKTINFO, &v4, Some(&[0, 0, 0, 0, 127, 0, 0, 2, 127, 0, 0, 2]));
        let v6 = |first: [u8; 2], interface: u8| {
            let mut payload = [0; 20];
            payload[..2].copy_from_slice(&first);
            payload[16] = interface;
            payload
        };
        check(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &v6([0x20, 1], 7), Some(&v6([0x20, 1], 0)));
        // A link-local source keeps its interface; from a multicast address nothing can be sent.
        check(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &v6([0xfe, 0x80], 7), Some(&v6([0xfe, 0x80], 7)));
        assert_eq!(RawControl([0xff; 64]).make_source(64), 0);
        assert_eq!(RawControl([0; 64]).make_source(0), 0);
        check(libc::SOL_SOCKET, 1, &v4, None);
        let mut multicast = RawControl([0; 64]);
        multicast.0[8..12].copy_from_slice(&libc::IPPROTO_IPV6.to_ne_bytes());
        multicast.0[12..16].copy_from_slice(&libc::IPV6_PKTINFO.to_ne_bytes());
        multicast.0[16..18].copy_from_slice(&[0xff, 2]);
        assert_eq!(multicast.make_source(40), 0);
    }
}
