//! The Unix socket of the control door: mode 0660, a few clients at a time, bounded lines, no client waits for another.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Permissions;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Doors, Reply, handle, send};
use crate::telemetry::count;

/// Requests are a verb and a name, or thousands of orders; our choice.
const LINE_LEN: u64 = 8 << 20;
/// Operators and their monitors; our choice.
const CLIENTS: usize = 32;
/// A client that says nothing, or takes nothing, this long is cut off; our choice.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client has this long to hear its answer before its place may be another's; our choice.
const HEARING: Duration = Duration::from_secs(1);

/// The bound socket. Dropping it removes the file.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the control socket cannot be had.
#[derive(Debug)]
pub enum ListenError {
    /// Another process answers on it.
    Alive(PathBuf),
    /// There is something else at the path.
    NoSocket(PathBuf),
    /// The file system says no.
    Io(PathBuf, io::Error),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive(path) => {
                write!(f, "another process answers on '{}', stop it or give this one its own server.control", path.display())
            }
            Self::NoSocket(path) => write!(f, "'{}' is there and is no socket, remove it or choose another server.control", path.display()),
            Self::Io(path, error) => write!(f, "control socket '{}': {error}", path.display()),
        }
    }
}

impl std::error::Error for ListenError {}

impl Listener {
    /// Binds the socket. One left behind by a dead process is replaced, a live one is not taken away.
    ///
    /// # Errors
    /// [`ListenError`]; nothing at the path was changed then.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        let io_error = |error| ListenError::Io(path.to_owned(), error);
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(error)),
            Ok(metadata) if !metadata.file_type().is_socket() => return Err(ListenError::NoSocket(path.to_owned())),
            Ok(_) => match UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(io_error)?,
                Err(error) => return Err(io_error(error)),
                Ok(_) => return Err(ListenError::Alive(path.to_owned())),
            },
        }
        // Bound under another name and renamed once its mode is set, so that the socket is never open to others.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let _ = std::fs::remove_file(&new);
        let listener = UnixListener::bind(&new).map_err(io_error)?;
        let placed = std::fs::set_permissions(&new, Permissions::from_mode(0o660)).and_then(|()| std::fs::rename(&new, path));
        if let Err(error) = placed {
            let _ = std::fs::remove_file(&new);
            return Err(io_error(error));
        }
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves clients for as long as the process lives, each in a thread of its own. Call it in a thread.
    pub fn serve(&self, doors: &Arc<dyn Doors>) {
        let seats = Arc::new(Seats::default());
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::warn!("control, accept failed: {error}");
                    // Out of descriptors, most likely: waiting is all that helps, and spinning would not.
                    std::thread::sleep(Duration::from_millis(200));
                    continue;
                }
            };
            let Some(seat) = Seats::take(&seats, &stream) else {
                let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
                let _ = send(&Reply::refused("too many clients at a time, try again"), &mut stream);
                continue;
            };
            let doors = Arc::clone(doors);
            let started = std::thread::Builder::new().name("control".into()).spawn(move || {
                // A client that goes away is no event.
                let _ = serve_client(stream, &seat, doors.as_ref());
            });
            if let Err(error) = started {
                log::warn!("control, no thread for a client: {error}");
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The clients that are there.
#[derive(Default)]
struct Seats {
    taken: Mutex<BTreeMap<u64, Guest>>,
    next: AtomicU64,
    given_up: AtomicU64,
}

struct Guest {
    stream: UnixStream,
    does: Doing,
}

/// What a client and its thread are at.
#[derive(Clone, Copy)]
enum Doing {
    /// A request of it is waited for.
    Asks(Instant),
    /// Its request is carried out.
    Waits,
    /// It is given the answer.
    Listens(Instant),
}

impl Seats {
    /// A seat for a client. Where there is none, another gives its own up: the one whose request is waited for the longest, or else the one that has
    /// been listening the longest. So who keeps a connection open, or sends or takes an octet now and then, keeps nobody out. `None` where each of them
    /// waits for its request to be carried out, or has only begun to listen.
    fn take(seats: &Arc<Self>, stream: &UnixStream) -> Option<Seat> {
        let stream = stream.try_clone().ok()?;
        let mut taken = seats.taken();
        if taken.len() >= CLIENTS {
            let turn = |(id, guest): (&u64, &Guest)| match guest.does {
                Doing::Asks(since) => Some((0, since, *id)),
                Doing::Listens(since) if since.elapsed() >= HEARING => Some((1, since, *id)),
                Doing::Listens(_) | Doing::Waits => None,
            };
            let (_, _, id) = taken.iter().filter_map(turn).min()?;
            let guest = taken.remove(&id)?;
            let n = seats.given_up.fetch_add(1, Ordering::Relaxed) + 1;
            // Whoever does it without end fills no log.
            if n.is_power_of_two() {
                log::warn!(
                    "control, all {CLIENTS} places are taken: {} that asked nothing, or took their time over the answer, gave theirs up so far",
                    count(n as usize, "client")
                );
            }
            // Its thread ends by that.
            let _ = guest.stream.shutdown(Shutdown::Both);
        }
        let id = seats.next.fetch_add(1, Ordering::Relaxed);
        taken.insert(id, Guest { stream, does: Doing::Asks(Instant::now()) });
        Some(Seat { seats: Arc::clone(seats), id })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<u64, Guest>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's seat; free again when dropped, also when its thread panicked or was never started.
struct Seat {
    seats: Arc<Seats>,
    id: u64,
}

impl Seat {
    /// Says what is done for the client; false once the seat is another's.
    fn does(&self, doing: Doing) -> bool {
        let mut taken = self.seats.taken();
        let Some(guest) = taken.get_mut(&self.id) else { return false };
        guest.does = doing;
        true
    }
}

/// The way to a client, which says when it begins to listen.
struct Answer<'a> {
    stream: UnixStream,
    seat: &'a Seat,
    is_heard: bool,
}

impl Write for Answer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.is_heard, true) {
            self.seat.does(Doing::Listens(Instant::now()));
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().remove(&self.id);
    }
}

fn serve_client(stream: UnixStream, seat: &Seat, doors: &dyn Doors) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = BufWriter::new(Answer { stream, seat, is_heard: false });
    let mut line = Vec::new();
    loop {
        line.clear();
        out.get_mut().is_heard = false;
        if !seat.does(Doing::Asks(Instant::now())) {
            return Ok(());
        }
        let n = reader.by_ref().take(LINE_LEN).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(());
        }
        // Nothing is done of which nobody can be told.
        if !seat.does(Doing::Waits) {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            // Too long, or cut off: what follows could not be told apart from the rest of it.
            return send(&Reply::refused(format!("a request is one line of less than {LINE_LEN} octets")), &mut out);
        }
        match std::str::from_utf8(&line) {
            Ok(text) => handle(text.trim_end(), doors, &mut out)?,
            Err(_) => send(&Reply::refused("the request is not UTF-8"), &mut out)?,
        }
        out.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::tests::Recorder;
    use super::super::{Client, Request};
    use super::*;

    fn listening(path: &Path) -> Arc<Recorder> {
        let listener = Listener::bind(path).expect("bound");
        let recorder = Arc::new(Recorder::default());
        let doors: Arc<dyn Doors> = Arc::clone(&recorder) as Arc<dyn Doors>;
        std::thread::spawn(move || listener.serve(&doors));
        recorder
    }

    #[test]
    fn many_requests_over_one_connection_and_many_clients() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("c.sock");
        let recorder = listening(&path);
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o660);
        let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(&path).expect("connected")).collect();
        for _ in 0..3 {
            for client in &mut clients {
                assert!(client.ask(&Request::ZoneReload { zone: Some("vn.".into()) }, &mut Vec::new()).is_ok());
            }
        }
        assert_eq!(recorder.0.lock().expect("unpoisoned").len(), 15);
        let mut text = Vec::new();
        clients[0].ask(&Request::ZoneDump { zone: "vn.".into() }, &mut text).expect("dumped");
        assert!(text.ends_with("19999.vn. 3600 IN NS ä.vn.\n".as_bytes()));
    }

    #[test]
    fn long_lines_end_the_connection() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("c.sock");
        listening(&path);
        let mut stream = UnixStream::connect(&path).expect("connected");
        // The other side may close before all is written.
        let _ = stream.write_all(&vec![b'x'; LINE_LEN as usize + 1]);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert!(reply.is_empty() || reply.starts_with(br#"{"ok":false"#));
        let mut stream = UnixStream::connect(&path).expect("connected");
        stream.write_all(b"\xff\n{\"verb\":\"server-status\"}\n").expect("written");
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().expect("line").expect("text"), r#"{"ok":false,"error":"the request is not UTF-8"}"#);
        assert_eq!(lines.next().expect("line").expect("text"), r#"{"ok":true,"data":{"state":"ready"}}"#);
    }

    #[test]
    fn clients_that_ask_nothing_keep_nobody_out() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("c.sock");
        let recorder = listening(&path);
        let mut silent: Vec<UnixStream> = (0..2 * CLIENTS).map(|_| UnixStream::connect(&path).expect("connected")).collect();
        for round in 0..3 * CLIENTS {
            // Those that were cut off cannot write.
            silent.iter_mut().for_each(|stream| drop(stream.write_all(b" ")));
            let mut client = Client::connect(&path).expect("connected");
            assert!(client.ask(&Request::ZoneReload { zone: None }, &mut Vec::new()).is_ok(), "{round}");
        }
        assert_eq!(recorder.0.lock().expect("unpoisoned").len(), 3 * CLIENTS);
    }

    #[test]
    fn clients_that_do_not_read_keep_nobody_out() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("c.sock");
        listening(&path);
        let dump = b"{\"verb\":\"zone-dump\",\"zone\":\"vn.\"}\n";
        let ask = |_| {
            let mut stream = UnixStream::connect(&path).expect("connected");
            stream.write_all(dump).expect("written");
            stream
        };
        let mut slow: Vec<UnixStream> = (0..CLIENTS).map(ask).collect();
        let asked = Instant::now();
        let mut text = Vec::new();
        // Who has only begun to listen is let be.
        while Client::connect(&path).and_then(|mut client| client.ask(&Request::ZoneDump { zone: "vn.".into() }, &mut text)).is_err() {
            assert!(asked.elapsed() < PATIENCE / 2, "they keep others out");
            slow.iter_mut().for_each(|stream| drop(stream.read(&mut [0])));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(text.ends_with("19999.vn. 3600 IN NS ä.vn.\n".as_bytes()));
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("c.sock");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "left behind, as after a crash");
        listening(&path);
        assert!(matches!(Listener::bind(&path), Err(ListenError::Alive(_))));
        assert!(Client::connect(&path).is_ok());
        let file = dir.path().join("file");
        std::fs::write(&file, "precious").expect("written");
        assert!(matches!(Listener::bind(&file), Err(ListenError::NoSocket(_))));
        assert_eq!(std::fs::read(&file).expect("there"), b"precious");
    }
}
