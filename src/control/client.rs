//! The other end of the control socket: what the tool speaks.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Reply, Request};

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why there is no answer, or a refusal.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers on the socket.
    Connect(PathBuf, io::Error),
    /// The connection broke.
    Broken(PathBuf, io::Error),
    /// The text of the reply cannot be written.
    Text(io::Error),
    /// The daemon refused, with what it said.
    Refused(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(path, error) => {
                write!(f, "no daemon answers on '{}' ({error}), start saolad or name its socket with --control", path.display())
            }
            Self::Broken(path, error) => write!(f, "the daemon on '{}' broke off: {error}", path.display()),
            Self::Text(error) => write!(f, "output: {error}"),
            Self::Refused(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| ClientError::Connect(path.to_owned(), error))?;
        Ok(Self { reader: BufReader::new(stream), path: path.to_owned() })
    }

    /// Asks, and waits for the whole reply; text goes to `text` as it comes.
    ///
    /// # Errors
    /// [`ClientError`], also when `text` cannot be written.
    pub fn ask(&mut self, request: &Request, text: &mut dyn Write) -> Result<Value, ClientError> {
        self.exchange(request, text).unwrap_or_else(|error| Err(ClientError::Broken(self.path.clone(), error)))
    }

    fn exchange(&mut self, request: &Request, text: &mut dyn Write) -> io::Result<Result<Value, ClientError>> {
        let mut line = serde_json::to_string(request).map_err(io::Error::other)?;
        line.push('\n');
        // Who is refused at the door finds it shut, and the reason before it.
        let written = self.reader.get_mut().write_all(line.as_bytes());
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(written.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()));
            }
            let reply: Reply = serde_json::from_str(&line).map_err(io::Error::other)?;
            if let Some(Err(error)) = reply.text.as_ref().map(|part| text.write_all(part.as_bytes())) {
                return Ok(Err(ClientError::Text(error)));
            }
            match reply.ok {
                None => {}
                Some(true) => return Ok(Ok(reply.data.unwrap_or(Value::Null))),
                Some(false) => return Ok(Err(ClientError::Refused(reply.error.unwrap_or_else(|| "refused".into())))),
            }
        }
    }
}
