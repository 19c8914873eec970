//! Who may have zones, and who may say that one has changed: clients within a prefix, holding a key and coming over TLS where that is asked for.
//! Nobody, unless something else
//! is said.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::trust::{Certificate, Trust};
use super::tsig::Keys;
use crate::dns::{Name, NameRef, UnixTime};

/// Keys, and who may do what with which zone.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The keys that are known here.
    pub keys: Keys,
    /// Who may transfer a zone that is named here.
    pub zones: BTreeMap<Name, Vec<Allow>>,
    /// Who may transfer all other zones.
    pub others: Vec<Allow>,
    /// Zones that are catalogs, in lower case: what is in them is shown to those alone who may transfer them or speak of their changes.
    pub catalogs: Vec<Name>,
    /// Zones that are had from others, and who may say that one has changed (RFC 1996 §3.10).
    pub secondaries: BTreeMap<Name, Vec<Allow>>,
    /// Who may change a zone by UPDATE; those that are not named here nobody changes so.
    pub updates: BTreeMap<Name, Vec<Allow>>,
}

impl Access {
    /// True if `client` may transfer the zone `apex`, which is in lower case.
    pub fn may_transfer(&self, apex: &Name, client: &Client<'_>, now: UnixTime) -> bool {
        self.zones.get(apex).unwrap_or(&self.others).iter().any(|allow| allow.lets_in(client, now))
    }

    /// What `client` is told of in the log that may not transfer the zone `apex`.
    pub fn why_no_transfer(&self, apex: &Name, client: &Client<'_>) -> &'static str {
        let named = self.zones.get(apex).unwrap_or(&self.others).iter().any(|allow| allow.names(client));
        match client.channel {
            Channel::Plain if named => "allow-transfer lets it in over TLS (ALPN dot) alone, and it came without",
            Channel::Tls(_) if named => "it came over TLS and did not prove to be who allow-transfer asks for: look at its certificate",
            Channel::Plain | Channel::Tls(_) => "allow-transfer does not name it with this key",
        }
    }

    /// Says whether `client` may change the zone `apex`, which is served here.
    ///
    /// # Errors
    /// Why not.
    pub fn may_update(&self, apex: &Name, client: &Client<'_>, now: UnixTime) -> Result<(), Closed> {
        match self.updates.get(apex) {
            // Not without a key: an address proves nothing over UDP.
            Some(allowed) if client.key.is_some() && allowed.iter().any(|allow| allow.lets_in(client, now)) => Ok(()),
            Some(_) => Err(Closed::Client),
            None if self.secondaries.contains_key(apex) => Err(Closed::Secondary),
            None if self.zones.contains_key(apex) => Err(Closed::File),
            None => Err(Closed::Compiled),
        }
    }

    /// The catalog that `name` is in, if it is in one.
    #[inline]
    pub fn catalog_of(&self, name: NameRef<'_>) -> Option<&Name> {
        self.catalogs.iter().find(|apex| name.is_at_or_below(apex.as_ref()))
    }

    /// True if `client` may ask for what is in the catalog `apex` (RFC 9432 §7): secondaries, and the primaries that look at us.
    pub fn may_ask_catalog(&self, apex: &Name, client: &Client<'_>, now: UnixTime) -> bool {
        self.may_transfer(apex, client, now) || self.may_notify(apex, client, now) == Some(true)
    }

    /// True if `client` may say that the zone `apex` has changed; `None` where it is not had from others.
    pub fn may_notify(&self, apex: &Name, client: &Client<'_>, now: UnixTime) -> Option<bool> {
        Some(self.secondaries.get(apex)?.iter().any(|allow| allow.lets_in(client, now)))
    }
}

/// Why a client may not change a zone (RFC 2136 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The zone is compiled from the registry's exports.
    Compiled,
    /// The zone is had from others.
    Secondary,
    /// The zone is what its file says.
    File,
    /// Others may, but not this one.
    Client,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compiled => {
                "the zone is compiled from the registry's exports, which would undo the change; change the name in the registry, or give an order"
            }
            Self::Secondary => "the zone is had from primaries; send the update to one of them",
            Self::File => "the zone is what its file says, or the configuration; change that, or add allow-update to a zone with a file",
            Self::Client => "allow-update of the zone does not name this client with this key",
        })
    }
}

/// Who asks, as far as it was proved.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Where the request came from.
    pub address: IpAddr,
    /// The TSIG key that it was signed with.
    pub key: Option<NameRef<'a>>,
    /// How it came.
    pub channel: Channel<'a>,
}

/// How a request came, as far as it matters for who may have zones.
#[derive(Clone, Copy)]
pub enum Channel<'a> {
    /// Readable on its way, or over TLS that was not set up for DNS.
    Plain,
    /// Over TLS 1.3 with ALPN `dot` (RFC 9103 §7.1), with what the client showed.
    Tls(Option<&'a Certificate>),
}

impl fmt::Display for Channel<'_> {
    /// As a log of transfers has it: `tcp`, `tls`, `tls edge1.example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("tcp"),
            Self::Tls(None) => f.write_str("tls"),
            Self::Tls(Some(certificate)) => write!(f, "tls {certificate}"),
        }
    }
}

/// Who may do something: clients within a prefix, holding a key where one is named, over TLS where that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Allow {
    /// The network.
    pub prefix: Prefix,
    /// The TSIG key required.
    pub key: Option<Name>,
    /// What is required of the channel.
    pub tls: Demand,
}

/// What is required of the channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    /// Nothing.
    None,
    /// TLS.
    Tls,
    /// TLS, and that the client proves who it is (mutual authentication, RFC 9103 §9.3.3).
    Client(Trust),
}

impl Allow {
    fn lets_in(&self, client: &Client<'_>, now: UnixTime) -> bool {
        // The channel last, for it may cost something.
        self.names(client) && self.tls.is_met_by(client.channel, now)
    }

    /// True if it is about this client, however it came.
    fn names(&self, client: &Client<'_>) -> bool {
        self.prefix.contains(client.address) && self.key.as_ref().is_none_or(|asked| client.key.is_some_and(|key| asked.as_ref() == key))
    }
}

impl Demand {
    fn is_met_by(&self, channel: Channel<'_>, now: UnixTime) -> bool {
        match (self, channel) {
            (Self::None, _) | (Self::Tls, Channel::Tls(_)) => true,
            (Self::Client(trust), Channel::Tls(Some(certificate))) => trust.is_proved_by(certificate, now),
            (Self::Tls | Self::Client(_), Channel::Plain) | (Self::Client(_), Channel::Tls(None)) => false,
        }
    }
}

/// A network: the first `length` bits of `address`. The bits after it are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl From<IpAddr> for Prefix {
    /// Just this address.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl Prefix {
    /// Reads `ADDRESS/LENGTH`, or an address alone for just this address; `None` for anything else,
    /// and when bits after the length are set.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(text) if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) => text.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        let prefix = Self { address, length };
        (length <= most && mask(address, length) == bits(address)).then_some(prefix)
    }

    /// True if `client` is within the network. IPv4 addresses mapped into IPv6 count as IPv4.
    pub fn contains(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_ipv4() == self.address.is_ipv4() && mask(client, self.length) == bits(self.address)
    }
}

/// The address as the high bits of 128.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(address: IpAddr, length: u8) -> u128 {
    bits(address) & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn allow(prefix: &str, key: Option<&str>) -> Allow {
        Allow { prefix: Prefix::parse(prefix).expect("a prefix"), key: key.map(name), tls: Demand::None }
    }

    fn client<'a>(address: &str, key: Option<&'a Name>, channel: Channel<'a>) -> Client<'a> {
        Client { address: address.parse().expect("an address"), key: key.map(Name::as_ref), channel }
    }

    #[test]
    fn who_is_not_named_may_nothing() {
        let mut access = Access::default();
        let may = |access: &Access, apex: &str, client: &str, key: Option<&str>| {
            let key = key.map(name);
            access.may_transfer(&name(apex), &self::client(client, key.as_ref(), Channel::Plain), UnixTime(0))
        };
        assert!(!may(&access, "vn", "192.0.2.1", None) && !may(&access, "vn", "192.0.2.1", Some("xfr")));
        access.zones.insert(name("vn"), vec![allow("192.0.2.0/24", Some("xfr")), allow("::1/128", None)]);
        access.others = vec![allow("0.0.0.0/0", Some("all"))];
        for (apex, client, key, expected) in [
            ("vn", "192.0.2.1", Some("XFR"), true),
            ("vn", "::ffff:192.0.2.1", Some("xfr"), true),
            ("vn", "192.0.2.1", None, false),
            ("vn", "192.0.2.1", Some("all"), false),
            ("vn", "192.0.3.1", Some("xfr"), false),
            ("vn", "::1", None, true),
            ("vn", "::1", Some("xfr"), true),
            ("vn", "::2", Some("xfr"), false),
            ("com.vn", "192.0.2.1", Some("xfr"), false),
            ("com.vn", "198.51.100.1", Some("all"), true),
            ("com.vn", "::1", Some("all"), false),
        ] {
            assert_eq!(may(&access, apex, client, key), expected, "{apex} {client} {key:?}");
        }
    }

    #[test]
    fn who_should_come_over_tls_is_told_so() {
        let mut access = Access::default();
        access.zones.insert(name("vn"), vec![Allow { tls: Demand::Tls, ..allow("192.0.2.0/24", Some("xfr")) }]);
        for (key, channel, expected) in [
            ("xfr", Channel::Plain, "over TLS (ALPN dot) alone"),
            ("xfr", Channel::Tls(None), "look at its certificate"),
            ("other", Channel::Plain, "does not name it with this key"),
            ("other", Channel::Tls(None), "does not name it with this key"),
        ] {
            let key = name(key);
            let why = access.why_no_transfer(&name("vn"), &client("192.0.2.1", Some(&key), channel));
            assert!(why.contains(expected), "{why}");
        }
    }
}
