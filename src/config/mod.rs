//! The configuration as understood: the TOML file is read once, here, and turned into the values
//! that the rooms take. No other room reads the file.
//!
//! Knows no socket and starts nothing; reads the configuration and the secrets it names, nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk;
use crate::dns::Name;
use crate::pipeline::Zonemd;
use crate::transfer::access::Allow;
use crate::transport::Limits;
use crate::transport::tls::{Credentials, TlsPeer};

/// The most octets of a configuration: our choice, far above any real one.
const MAX_CONFIG: u64 = 64 << 20;

mod catalog;
mod error;
mod file;
mod orders;
mod policy;
mod read;
mod tls;
mod tsig;

pub use catalog::{Membership, Rules, Template};
pub use error::ConfigError;
pub use orders::Orders;
pub use policy::Policy;
pub use tsig::{Secret, TsigKey};

/// Everything the configuration says. Paths are absolute or relative to the working directory of the process:
/// those of the file are relative to the file's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// `[server]`.
    pub server: Server,
    /// `[tcp]`, and the UDP buffer of `[server]`.
    pub limits: Limits,
    /// `[tls]`: what the server shows of itself; there wherever TLS is listened for.
    pub tls: Option<Credentials>,
    /// `[registry]`; absent = only `[[zone]]`s are served.
    pub registry: Option<Registry>,
    /// `[orders]`.
    pub orders: Orders,
    /// `[policy.NAME]`; `default` is always there.
    pub policies: BTreeMap<String, Policy>,
    /// `[[zone]]`, in the order of the file; no two with one name.
    pub zones: Vec<Zone>,
    /// `[[key]]` by name.
    pub keys: Vec<TsigKey>,
    /// What is read but not carried out, and what is odd: one sentence each, for the log.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the file at `path` and the secrets it names.
    ///
    /// # Errors
    /// The first mistake, with file, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = disk::read_text(path, MAX_CONFIG).map_err(|error| ConfigError {
            file: path.to_owned(),
            line: 0,
            key: String::new(),
            what: format!("cannot be read: {error}"),
        })?;
        Self::parse(&text, path)
    }

    /// Reads configuration text; `path` names it in errors and its folder is where relative paths start.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read::read(text, path)
    }
}

/// `[server]`: sockets, what the server says of itself, folders.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Addresses served over UDP and TCP; at least one, no two equal.
    pub listen: Vec<SocketAddr>,
    /// Addresses served over TLS; none of them is in `listen`, no two equal.
    pub listen_tls: Vec<SocketAddr>,
    /// NSID and id.server; empty = not told.
    pub identity: String,
    /// hostname.bind; `None` = the host name of the machine.
    pub hostname: Option<String>,
    /// version.bind and version.server; empty = not told.
    pub version: String,
    /// UDP workers; 0 = one per core.
    pub workers: usize,
    /// The largest UDP answer in octets.
    pub udp_limit: u16,
    /// Zones that are fetched from primaries at a time.
    pub transfers_in: usize,
    /// The most octets that a zone may have on its way from a primary, and as records in memory.
    pub transfer_in_size: u64,
    /// How long that may take.
    pub transfer_in_time: Duration,
    /// The folder of all that outlives the process.
    pub state: PathBuf,
    /// The folder of signing keys.
    pub keys: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Where metrics are to be served; `None` = off.
    pub metrics: Option<SocketAddr>,
}

/// `[registry]`: where exports are compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Registry {
    /// The folder of deposits.
    pub deposits: PathBuf,
    /// The legal profile's name.
    pub profile: String,
    /// Which time names are judged at.
    pub clock: Clock,
    /// The data file of shared second-level names and name servers.
    pub second_level: PathBuf,
    /// The signing policy of the registry's zones; `None` = unsigned.
    pub sign: Option<String>,
    /// A ledger of orders of somebody else, which the own one begins with, and follows as long as it goes on.
    pub orders: PathBuf,
    /// Who serves the registry's zones.
    pub infrastructure: PathBuf,
    /// Legal profiles in place of the built-in ones.
    pub profiles: Option<PathBuf>,
    /// Code points of Vietnamese labels in place of the built-in ones.
    pub idn_table: Option<PathBuf>,
    /// Forbidden phrases; `None` = `prohibited.csv` in the folder of deposits, if there.
    pub prohibited: Option<PathBuf>,
    /// Which country an address belongs to; `None` = the first `delegated*.txt` in the folder of deposits, if there.
    pub delegated: Option<PathBuf>,
    /// Files of public keys, one of which must have signed each deposit; empty = signatures are not asked for.
    pub deposit_keys: Vec<PathBuf>,
    /// The share of a zone's published names that one deposit may take away, in percent.
    pub max_shrink_percent: u32,
    /// Secondaries of the registry's zones, which are told of changes; no two with one address.
    pub notify: Vec<Peer>,
    /// Who may transfer the registry's zones; empty = nobody.
    pub allow_transfer: Vec<Allow>,
    /// The catalog that they are listed in.
    pub member: Option<Membership>,
}

/// Which time names are judged at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The wall clock.
    Now,
    /// The watermark of the deposit: examples and drills give the same zones in any year.
    Watermark,
}

/// `[[zone]]`: a zone from a master file, or from other servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// The apex.
    pub name: Name,
    /// Where it comes from.
    pub source: Source,
    /// The policy it is signed with; `None` = served as it stands.
    pub sign: Option<String>,
    /// What is asked of the ZONEMD that it comes with.
    pub zonemd: Zonemd,
    /// Its secondaries, which are told of changes; no two with one address.
    pub notify: Vec<Peer>,
    /// Who may transfer it; empty = nobody.
    pub allow_transfer: Vec<Allow>,
    /// Who may change it by UPDATE, each with a key; empty = nobody, and the zone is what its file says.
    pub allow_update: Vec<Allow>,
    /// It is a catalog, and its members are zones of this server by these rules.
    pub interpret: Option<Rules>,
    /// The catalog that it is listed in.
    pub member: Option<Membership>,
}

/// Where a zone comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A master file.
    File(PathBuf),
    /// Other servers.
    Primaries {
        /// Who they are, the preferred one first; at least one.
        primaries: Vec<Peer>,
        /// Who beside them may say that the zone has changed.
        allow_notify: Vec<Allow>,
        /// The most octets of an answer of theirs; `None` = as the server has it.
        transfer_in_size: Option<u64>,
    },
    /// The configuration itself: a catalog of the zones that name it (RFC 9432).
    Generated,
}

impl Source {
    /// The master file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Primaries { .. } | Self::Generated => None,
        }
    }

    /// True for a zone that is had from others.
    pub fn is_primaries(&self) -> bool {
        matches!(self, Self::Primaries { .. })
    }
}

/// Another server.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The TSIG key spoken with it.
    pub key: Option<Name>,
    /// Who it has to prove to be, where it is spoken with over TLS.
    pub tls: Option<TlsPeer>,
}

#[cfg(test)]
mod template;
#[cfg(test)]
mod tests;
