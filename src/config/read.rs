//! From the file's tables to the values of [`super::Config`]: every rule and every default, once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::catalog::{Listing, Named, Role, Written};
use super::error;
use super::{Clock, Config, ConfigError, Peer, Policy, Registry, Secret, Server, Source, TsigKey, Zone, file, tls};
use crate::dns::Name;
use crate::pipeline::Zonemd;
use crate::registry::DEFAULT_MAX_SHRINK_PERCENT;
use crate::sign::{self, Algorithm, Denial};
use crate::transfer::access::{Allow, Demand, Prefix};
use crate::transfer::trust::{Pin, Trust};
use crate::transfer::tsig;
use crate::transport::Limits;
use crate::transport::tls::{Credentials, CredentialsError, TlsPeer};

/// Reads `text`; see [`Config::parse`].
pub(super) fn read(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let source = error::Source { path, text };
    let file: file::File = toml::from_str(text).map_err(|error| source.syntax(&error))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader { source, folder, warnings: Vec::new(), named: Vec::new() };
    reader.config(file)
}

pub(super) struct Reader<'a> {
    pub(super) source: error::Source<'a>,
    folder: PathBuf,
    warnings: Vec<String>,
    /// Catalogs that zones say they are listed in.
    pub(super) named: Vec<Named>,
}

pub(super) type Text = Spanned<String>;

const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("ecdsap256sha256", Algorithm::EcdsaP256Sha256),
    ("ecdsap384sha384", Algorithm::EcdsaP384Sha384),
    ("ed25519", Algorithm::Ed25519),
    ("rsasha256", Algorithm::RsaSha256),
];

pub(super) const ZONEMD: [(&str, Zonemd); 3] = [("off", Zonemd::Off), ("warn", Zonemd::Warn), ("require", Zonemd::Require)];

impl Reader<'_> {
    fn config(&mut self, file: file::File) -> Result<Config, ConfigError> {
        let udp_receive_buffer = file.server.udp_receive_buffer.clone();
        let listen_tls = file.server.listen_tls.as_ref().map(Spanned::span);
        let server = self.server(file.server)?;
        let tls = file.tls.map(|table| self.credentials(&table)).transpose()?;
        if let (Some(&address), None) = (server.listen_tls.first(), &tls) {
            let make = tls::make(&self.folder.join("keys/tls.pem"), &self.folder.join("keys/tls.key"));
            let what = format!("{address} needs a certificate: add a table [tls] with certificate and key, make both with '{make}'");
            return Err(self.source.error(listen_tls.unwrap_or(0..0), "server.listen-tls", what));
        }
        let limits = self.limits(file.tcp.unwrap_or_default(), udp_receive_buffer)?;
        let mut policies = BTreeMap::from([("default".to_owned(), Policy::default())]);
        for (name, table) in file.policy {
            let policy = self.policy(&name, table)?;
            policies.insert(name, policy);
        }
        let mut keys: Vec<TsigKey> = Vec::new();
        for table in file.key {
            let key = self.key(&table)?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(self.error(&table.name, "key.name", format!("the key '{}' is there twice, remove one", key.name)));
            }
            keys.push(key);
        }
        let registry = file.registry.map(|table| self.registry(table, &policies, &keys)).transpose()?;
        let orders = self.orders(file.orders.unwrap_or_default(), &server.state)?;
        let templates = self.templates(file.template, &keys, tls.as_ref())?;
        let mut zones: Vec<Zone> = Vec::new();
        let mut names = BTreeSet::new();
        for table in file.zone {
            let span = table.name.span();
            let zone = self.zone(table, &policies, &templates, &keys, tls.as_ref())?;
            if !names.insert(zone.name.clone()) {
                return Err(self.source.error(span, "zone.name", format!("the zone '{}' is there twice, remove one", zone.name)));
            }
            zones.push(zone);
        }
        self.check_named(&zones)?;
        if registry.is_none() && zones.is_empty() {
            self.warnings.push("no [registry] and no [[zone]]: every query is refused".into());
        }
        let warnings = std::mem::take(&mut self.warnings);
        Ok(Config { path: self.source.path.to_owned(), server, limits, tls, registry, orders, policies, zones, keys, warnings })
    }

    fn server(&mut self, table: file::Server) -> Result<Server, ConfigError> {
        let listen = self.addresses(table.listen.get_ref(), "server.listen", &[])?;
        if listen.is_empty() {
            return Err(self.error(&table.listen, "server.listen", "is empty, write for example listen = [\"127.0.0.1:5300\"]"));
        }
        let listen_tls = table.listen_tls.as_ref().map_or(&[][..], |list| list.get_ref());
        let listen_tls = self.addresses(listen_tls, "server.listen-tls", &listen)?;
        let identity = self.short_text(table.identity, "server.identity")?.unwrap_or_default();
        let hostname = self.short_text(table.hostname, "server.hostname")?;
        let version = self.short_text(table.version, "server.version")?;
        // RFC 9715 §3.2 for the default; 512 is what every client takes (RFC 1035 §4.2.1), 4096 the most that has been in use.
        let udp_limit = self.number(table.udp_limit, "server.udp-limit", 1232, 512..=4096)? as u16;
        // Our choice: a transfer waits for its peer more than it works, and a primary that hangs must not keep the zones of others waiting.
        let transfers_in = self.number(table.transfers_in, "server.transfers-in", 8, 1..=1000)? as usize;
        // Our choices: above any zone but a few, and time enough for one over any line. A primary that has no end must have one here.
        let transfer_in_size = self.mebibytes(table.transfer_in_size, "server.transfer-in-size")?.unwrap_or(1 << 30);
        let transfer_in_time = self.duration(table.transfer_in_time, "server.transfer-in-time", Duration::from_secs(7200), 1..=86_400)?;
        let workers = self.number(table.workers, "server.workers", 0, 0..=1024)? as usize;
        let state = self.path(table.state, "server.state", "var")?;
        let keys = self.path(table.keys, "server.keys", "keys")?;
        let control = match table.control {
            Some(text) => self.path(Some(text), "server.control", "")?,
            None => state.join("control.sock"),
        };
        let metrics = table.metrics.map(|text| self.socket_address(&text, "server.metrics")).transpose()?;
        if let Some(address) = metrics {
            self.warnings.push(format!("server.metrics = \"{address}\" has no effect: metrics are not served yet"));
        }
        let version = version.unwrap_or_else(|| concat!("saola ", env!("CARGO_PKG_VERSION")).into());
        Ok(Server {
            listen,
            listen_tls,
            identity,
            hostname,
            version,
            workers,
            udp_limit,
            transfers_in,
            transfer_in_size,
            transfer_in_time,
            state,
            keys,
            control,
            metrics,
        })
    }

    /// Addresses, none twice and none of `others`.
    fn addresses(&self, list: &[Text], key: &str, others: &[SocketAddr]) -> Result<Vec<SocketAddr>, ConfigError> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for text in list {
            let address = self.socket_address(text, key)?;
            if addresses.contains(&address) {
                return Err(self.error(text, key, format!("{address} is there twice, remove one")));
            }
            if address.port() != 0 && others.contains(&address) {
                return Err(self.error(
                    text,
                    key,
                    format!("{address} is in server.listen too, take another port (853 is that of DNS over TLS)"),
                ));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    /// `[tls]`.
    fn credentials(&self, table: &file::Tls) -> Result<Credentials, ConfigError> {
        let certificate = self.path(Some(table.certificate.clone()), "tls.certificate", "")?;
        let key = self.path(Some(table.key.clone()), "tls.key", "")?;
        tls::read_credentials(&certificate, &key).map_err(|error| match error {
            CredentialsError::Certificate(what) => self.error(&table.certificate, "tls.certificate", what),
            CredentialsError::Key(what) => self.error(&table.key, "tls.key", what),
        })
    }

    /// What a peer has to prove over TLS: a key, or a name.
    fn trust(&self, at: &Spanned<file::OverTls>, identity: &file::Identity, key: &str) -> Result<Trust, ConfigError> {
        let wrong = |what: String| self.error(at, key, what);
        match (&identity.pin, &identity.ca, &identity.name) {
            (Some(pin), None, None) => Pin::parse(pin).map(Trust::Pin).ok_or_else(|| {
                wrong(format!("'{pin}' is no pin, write \"sha256:\" and the base64 of the SHA-256 of a public key, see docs/operating.md"))
            }),
            (None, Some(ca), Some(name)) if !ca.is_empty() => {
                let authority = tls::read_authority(&self.folder.join(ca), name).map_err(wrong)?;
                Ok(Trust::Authority(Arc::new(authority)))
            }
            _ => Err(wrong("says not who is meant, write { pin = \"sha256:...\" } or { ca = \"FILE\", name = \"...\" }".into())),
        }
    }

    fn limits(&self, table: file::Tcp, udp_receive_buffer: Option<Spanned<u32>>) -> Result<Limits, ConfigError> {
        // RFC 9210 §4.2 asks for these bounds and leaves the numbers to us; the defaults are the transport's.
        let d = Limits::default();
        let most = 10_000_000;
        let connections = self.number(table.connections, "tcp.connections", d.connections as u32, 1..=most)? as usize;
        let per_client = table.connections_per_client;
        let per_client = self.number(per_client, "tcp.connections-per-client", d.connections_per_client as u32, 1..=most)? as usize;
        let idle = self.duration(table.idle, "tcp.idle", d.idle, 1..=3600)?;
        let receive = self.duration(table.receive, "tcp.receive", d.receive, 1..=3600)?;
        let send = self.duration(table.send, "tcp.send", d.send, 1..=3600)?;
        let buffer = d.udp_receive_buffer as u32;
        let buffer = self.number(udp_receive_buffer, "server.udp-receive-buffer", buffer, 4096..=1 << 30)? as usize;
        Ok(Limits { connections, connections_per_client: per_client, idle, receive, send, udp_receive_buffer: buffer })
    }

    fn policy(&mut self, name: &str, table: file::Policy) -> Result<Policy, ConfigError> {
        const DAY: u32 = 86_400;
        let key = |rest: &str| format!("policy.{name}.{rest}");
        let d = Policy::default();
        let algorithm = self.choice(table.algorithm, &key("algorithm"), &ALGORITHMS, d.sign.algorithm)?;
        let denials = [("nsec3-opt-out", &Denial::NSEC3_OPT_OUT), ("nsec3", &Denial::NSEC3), ("nsec", &Denial::Nsec)];
        let denial = self.choice(table.denial, &key("denial"), &denials, &d.sign.denial)?.clone();
        let csk = self.choice(table.keys, &key("keys"), &[("ksk-zsk", false), ("csk", true)], d.sign.csk)?;
        // RFC 5702 §2 allows 512 to 4096 bits.
        let written = table.rsa_bits.clone();
        let rsa_bits = self.number(table.rsa_bits, &key("rsa-bits"), d.rsa_bits, 2048..=4096)?;
        if let Some(bits) = written.as_ref().filter(|_| !matches!(rsa_bits, 2048 | 3072 | 4096)) {
            return Err(self.error(bits, &key("rsa-bits"), format!("there are no keys of {rsa_bits} bits, write 2048, 3072 or 4096")));
        }
        let validity = self.seconds(table.validity, &key("validity"), d.sign.validity, 3600..=366 * DAY)?;
        let refresh_span = table.refresh.as_ref().map(Spanned::span);
        let refresh = self.seconds(table.refresh, &key("refresh"), validity / 2, 60..=366 * DAY)?;
        if refresh >= validity {
            let what = "must be shorter than validity: signatures are renewed when so much of their validity is left";
            return Err(self.source.error(refresh_span.unwrap_or(0..0), key("refresh"), what));
        }
        let jitter_span = table.jitter.as_ref().map(Spanned::span);
        // A seventh of the validity, and less where signatures are renewed early. Our choice, no RFC.
        let jitter = self.seconds(table.jitter, &key("jitter"), (validity / 7).min((validity - refresh) / 2), 0..=366 * DAY)?;
        if jitter >= validity - refresh {
            let what = "must be shorter than validity less refresh, or signatures would be due as soon as they are made";
            return Err(self.source.error(jitter_span.unwrap_or(0..0), key("jitter"), what));
        }
        let inception_offset = self.seconds(table.inception_offset, &key("inception-offset"), d.sign.inception_offset, 0..=7 * DAY)?;
        let dnskey_ttl = self.seconds(table.dnskey_ttl, &key("dnskey-ttl"), d.sign.dnskey_ttl, 0..=7 * DAY)?;
        let mut lifetime = |value: Option<Spanned<file::Duration>>, rest: &str| -> Result<Option<Duration>, ConfigError> {
            let Some(value) = value else { return Ok(None) };
            let lifetime = self.duration(Some(value), &key(rest), Duration::ZERO, DAY.into()..=100 * 366 * u64::from(DAY))?;
            self.warnings.push(format!("policy.{name}.{rest} has no effect: keys are not rolled by the daemon yet"));
            Ok(Some(lifetime))
        };
        let ksk_lifetime = lifetime(table.ksk_lifetime, "ksk-lifetime")?;
        let zsk_lifetime = lifetime(table.zsk_lifetime, "zsk-lifetime")?;
        let cds = table.cds.map_or(d.sign.cds, Spanned::into_inner);
        let zonemd = table.zonemd.map_or(d.sign.zonemd, Spanned::into_inner);
        let sign = sign::Policy { algorithm, denial, validity, refresh, inception_offset, jitter, dnskey_ttl, csk, cds, zonemd };
        Ok(Policy { sign, rsa_bits, ksk_lifetime, zsk_lifetime })
    }

    fn registry(&mut self, table: file::Registry, policies: &BTreeMap<String, Policy>, keys: &[TsigKey]) -> Result<Registry, ConfigError> {
        let clock = self.choice(table.clock, "registry.clock", &[("now", Clock::Now), ("watermark", Clock::Watermark)], Clock::Now)?;
        let sign = self.policy_name(table.sign, "registry.sign", policies)?;
        if sign.is_none() {
            self.warnings.push("registry.sign is absent: the registry's zones are served unsigned".into());
        }
        let deposits = self.path(Some(table.deposits), "registry.deposits", "")?;
        let second_level = self.path(Some(table.second_level), "registry.second-level", "")?;
        let orders = match table.orders {
            Some(text) => self.path(Some(text), "registry.orders", "")?,
            None => deposits.join("orders.jsonl"),
        };
        let infrastructure = match table.infrastructure {
            Some(text) => self.path(Some(text), "registry.infrastructure", "")?,
            None => second_level.parent().unwrap_or(Path::new("")).join("infrastructure.toml"),
        };
        let optional = |text: Option<Text>, key: &str| text.map(|text| self.path(Some(text), key, "")).transpose();
        let profiles = optional(table.profiles, "registry.profiles")?;
        let idn_table = optional(table.idn_table, "registry.idn-table")?;
        let prohibited = optional(table.prohibited, "registry.prohibited")?;
        let delegated = optional(table.delegated, "registry.delegated")?;
        let deposit_keys = table.deposit_keys.unwrap_or_default().into_iter();
        let deposit_keys = deposit_keys.map(|text| self.path(Some(text), "registry.deposit-keys", "")).collect::<Result<_, _>>()?;
        let notify = self.told(table.notify, "registry.notify", keys)?;
        let allow_transfer = self.allowed(table.allow_transfer, "registry.allow-transfer", keys)?;
        let listing = Listing { zone: table.catalog_zone, group: table.catalog_group, coo: table.catalog_coo, from: table.catalog_from };
        let member = self.membership(listing, "registry")?;
        let max_shrink_percent =
            self.number(table.max_shrink_percent, "registry.max-shrink-percent", DEFAULT_MAX_SHRINK_PERCENT, 0..=100)?;
        let profile = table.profile.map_or_else(|| "92-2003".to_owned(), Spanned::into_inner);
        Ok(Registry {
            deposits,
            profile,
            clock,
            second_level,
            sign,
            orders,
            infrastructure,
            profiles,
            idn_table,
            prohibited,
            delegated,
            deposit_keys,
            max_shrink_percent,
            notify,
            allow_transfer,
            member,
        })
    }

    fn zone(
        &mut self,
        table: file::Zone,
        policies: &BTreeMap<String, Policy>,
        templates: &BTreeMap<String, Written>,
        keys: &[TsigKey],
        tls: Option<&Credentials>,
    ) -> Result<Zone, ConfigError> {
        let name = self.name(&table.name, "zone.name")?;
        let role = Role { role: table.catalog_role, template: table.catalog_template, scope: table.catalog_scope };
        let listing = Listing { zone: table.catalog_zone, group: table.catalog_group, coo: table.catalog_coo, from: table.catalog_from };
        let source = match (table.file, table.primaries) {
            (None, None) if role.is_generated(self)? => Source::Generated,
            (Some(at), _) if role.is_generated(self)? => return Err(self.error(&at, "zone.file", MADE_HERE)),
            (None, Some(at)) if role.is_generated(self)? => return Err(self.error(&at, "zone.primaries", MADE_HERE)),
            (Some(file), None) => Source::File(self.path(Some(file), "zone.file", "")?),
            (None, Some(list)) => {
                let primaries = self.primaries(&list, "zone.primaries", keys, tls)?;
                let allow_notify = self.allowed(table.allow_notify.clone(), "zone.allow-notify", keys)?;
                let transfer_in_size = self.mebibytes(table.transfer_in_size.clone(), "zone.transfer-in-size")?;
                Source::Primaries { primaries, allow_notify, transfer_in_size }
            }
            (Some(file), Some(_)) => {
                let what = format!("'{name}' has a file and primaries, remove one: a zone comes from one place");
                return Err(self.error(&file, "zone.file", what));
            }
            (None, None) => {
                let what = format!("'{name}' has no file, add file = \"...\", or primaries = [...] to have it from other servers");
                return Err(self.error(&table.name, "zone.file", what));
            }
        };
        if let (Source::Primaries { .. }, Some(sign)) = (&source, &table.sign) {
            let what = format!("'{name}' comes from primaries and is served as they have it, remove sign: it is not signed again here");
            return Err(self.error(sign, "zone.sign", what));
        }
        if let (Source::Generated, Some(at)) = (&source, &table.sign) {
            return Err(self.error(at, "zone.sign", "a catalog is for servers that are configured to have it, remove sign"));
        }
        if let (Source::Generated, Some(at)) = (&source, &listing.zone) {
            return Err(self.error(at, "zone.catalog-zone", "a catalog that is made here is listed in none, remove it"));
        }
        if let (Source::File(_) | Source::Generated, Some(list)) = (&source, &table.allow_notify) {
            let what = format!("'{name}' comes from a file, of which nobody can say that it has changed, remove allow-notify");
            return Err(self.error(list, "zone.allow-notify", what));
        }
        if let (Source::File(_) | Source::Generated, Some(size)) = (&source, &table.transfer_in_size) {
            let what = format!("'{name}' does not come from primaries, remove transfer-in-size");
            return Err(self.error(size, "zone.transfer-in-size", what));
        }
        let sign = self.policy_name(table.sign, "zone.sign", policies)?;
        let zonemd = self.choice(table.zonemd, "zone.zonemd", &ZONEMD, Zonemd::Off)?;
        let notify = self.told(table.notify, "zone.notify", keys)?;
        let allow_transfer = self.allowed(table.allow_transfer, "zone.allow-transfer", keys)?;
        if let (Source::Primaries { .. }, Some(list)) = (&source, &table.allow_update) {
            let what = format!("'{name}' comes from primaries and is changed there, remove allow-update");
            return Err(self.error(list, "zone.allow-update", what));
        }
        if let (Source::Generated, Some(list)) = (&source, &table.allow_update) {
            return Err(self.error(list, "zone.allow-update", MADE_HERE));
        }
        let allow_update = self.allowed(table.allow_update.clone(), "zone.allow-update", keys)?;
        if let (Some(list), true) = (&table.allow_update, allow_update.iter().any(|allow| allow.key.is_none())) {
            let what = format!("'{name}' could be changed without a key, add key = \"...\": an address is easily forged");
            return Err(self.error(list, "zone.allow-update", what));
        }
        let member = self.membership(listing, "zone")?;
        let zone = Zone { name, source, sign, zonemd, notify, allow_transfer, allow_update, interpret: None, member };
        Ok(Zone { interpret: self.rules(role, &zone, templates)?, ..zone })
    }

    pub(super) fn primaries(
        &self,
        list: &Spanned<Vec<file::Peer>>,
        key: &str,
        keys: &[TsigKey],
        tls: Option<&Credentials>,
    ) -> Result<Vec<Peer>, ConfigError> {
        let peers = list.get_ref().iter().map(|peer| self.peer(peer, key, keys, tls));
        let primaries = peers.collect::<Result<Vec<_>, _>>()?;
        if primaries.is_empty() {
            return Err(self.error(list, key, "is empty, write for example [{ address = \"192.0.2.1:53\" }]"));
        }
        if let Some(peer) = primaries.iter().find(|peer| peer.address.port() == 0) {
            return Err(self.error(list, key, format!("{} has port 0, write the port that it listens on", peer.address)));
        }
        Ok(primaries)
    }

    pub(super) fn allowed(&self, list: Option<Spanned<Vec<file::Allow>>>, key: &str, keys: &[TsigKey]) -> Result<Vec<Allow>, ConfigError> {
        let allow = |allow: file::Allow| {
            let Some(prefix) = Prefix::parse(allow.prefix.get_ref()) else {
                let what = format!(
                    "'{}' is no prefix, write for example \"192.0.2.0/24\" with no bits set after the length",
                    allow.prefix.get_ref()
                );
                return Err(self.error(&allow.prefix, &format!("{key}.prefix"), what));
            };
            let tls = match allow.tls.as_ref().map(|over| (over, over.get_ref())) {
                None | Some((_, file::OverTls::Asked(false))) => Demand::None,
                Some((_, file::OverTls::Asked(true))) => Demand::Tls,
                Some((over, file::OverTls::With(identity))) => Demand::Client(self.trust(over, identity, &format!("{key}.tls"))?),
            };
            let key = allow.key.as_ref().map(|text| self.key_name(text, &format!("{key}.key"), keys)).transpose()?;
            Ok(Allow { prefix, key, tls })
        };
        list.into_iter().flat_map(Spanned::into_inner).map(allow).collect()
    }

    /// Secondaries; each once, since each would be told twice of everything.
    pub(super) fn told(&self, list: Option<Spanned<Vec<file::Peer>>>, key: &str, keys: &[TsigKey]) -> Result<Vec<Peer>, ConfigError> {
        let mut peers: Vec<Peer> = Vec::new();
        for table in list.into_iter().flat_map(Spanned::into_inner) {
            if let Some(over) = &table.tls {
                let what = "NOTIFY goes over UDP and says nothing but that there is news, remove tls";
                return Err(self.error(over, &format!("{key}.tls"), what));
            }
            let peer = self.peer(&table, key, keys, None)?;
            if peers.iter().any(|other| other.address == peer.address) {
                return Err(self.error(&table.address, &format!("{key}.address"), format!("{} is there twice, remove one", peer.address)));
            }
            peers.push(peer);
        }
        Ok(peers)
    }

    /// Another server; `own` is what it is shown of us over TLS.
    fn peer(&self, table: &file::Peer, key: &str, keys: &[TsigKey], own: Option<&Credentials>) -> Result<Peer, ConfigError> {
        let address = self.socket_address(&table.address, &format!("{key}.address"))?;
        let tls = match table.tls.as_ref().map(|over| (over, over.get_ref())) {
            None | Some((_, file::OverTls::Asked(false))) => None,
            Some((over, file::OverTls::Asked(true))) => {
                let what = "says not who has to be there, write { pin = \"sha256:...\" } or { ca = \"FILE\", name = \"...\" }";
                return Err(self.error(over, &format!("{key}.tls"), what));
            }
            Some((over, file::OverTls::With(identity))) => Some(TlsPeer::new(self.trust(over, identity, &format!("{key}.tls"))?, own)),
        };
        let key = table.key.as_ref().map(|text| self.key_name(text, &format!("{key}.key"), keys)).transpose()?;
        Ok(Peer { address, key, tls })
    }

    fn key(&mut self, table: &file::Key) -> Result<TsigKey, ConfigError> {
        let name = self.name(&table.name, "key.name")?;
        let names = tsig::Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
        let algorithm = self.choice(table.algorithm.clone(), "key.algorithm", &names, tsig::Algorithm::HmacSha256)?;
        let secret = match (&table.secret, &table.secret_file) {
            (Some(text), None) => Secret::parse(text.get_ref()).map_err(|what| self.error(text, "key.secret", what))?,
            (None, Some(text)) => {
                let path = self.path(Some(text.clone()), "key.secret-file", "")?;
                Secret::read(&path).map_err(|what| self.error(text, "key.secret-file", what))?
            }
            (Some(text), Some(_)) => {
                return Err(self.error(text, "key.secret", format!("'{name}' has secret and secret-file, remove one")));
            }
            (None, None) => {
                return Err(self.error(&table.name, "key.secret-file", format!("'{name}' has no secret, add secret-file = \"...\"")));
            }
        };
        if algorithm == tsig::Algorithm::HmacSha1 {
            self.warnings.push(format!("key '{name}': hmac-sha1 is for peers that know nothing better, use hmac-sha256 where you can"));
        }
        Ok(TsigKey { name, algorithm, secret })
    }

    fn key_name(&self, text: &Text, key: &str, keys: &[TsigKey]) -> Result<Name, ConfigError> {
        let name = self.name(text, key)?;
        if keys.iter().any(|other| other.name == name) {
            return Ok(name);
        }
        Err(self.error(text, key, format!("there is no key '{}', add a [[key]] with this name", text.get_ref())))
    }

    fn policy_name(&self, text: Option<Text>, key: &str, policies: &BTreeMap<String, Policy>) -> Result<Option<String>, ConfigError> {
        match text {
            Some(text) if !policies.contains_key(text.get_ref()) => {
                let what = format!("there is no policy '{0}', add a table [policy.{0}]", text.get_ref());
                Err(self.error(&text, key, what))
            }
            text => Ok(text.map(Spanned::into_inner)),
        }
    }

    pub(super) fn name(&self, text: &Text, key: &str) -> Result<Name, ConfigError> {
        Name::parse(text.get_ref()).map_err(|error| self.error(text, key, format!("'{}' is no domain name: {error}", text.get_ref())))
    }

    fn socket_address(&self, text: &Text, key: &str) -> Result<SocketAddr, ConfigError> {
        text.get_ref().parse().map_err(|_| {
            let what = format!("'{}' is not ADDRESS:PORT, write for example \"127.0.0.1:5300\" or \"[::1]:5300\"", text.get_ref());
            self.error(text, key, what)
        })
    }

    /// Relative paths start at the folder of the configuration, so that the daemon may be started anywhere.
    pub(super) fn path(&self, text: Option<Text>, key: &str, default: &str) -> Result<PathBuf, ConfigError> {
        match text {
            Some(text) if text.get_ref().is_empty() => Err(self.error(&text, key, "is empty, write a path")),
            Some(text) => Ok(self.folder.join(text.get_ref())),
            None => Ok(self.folder.join(default)),
        }
    }

    /// Text that has to fit one character-string of a TXT record (RFC 1035 §3.3.14).
    pub(super) fn short_text(&self, text: Option<Text>, key: &str) -> Result<Option<String>, ConfigError> {
        match text {
            Some(text) if text.get_ref().len() > 255 => Err(self.error(&text, key, "has more than 255 octets, shorten it")),
            text => Ok(text.map(Spanned::into_inner)),
        }
    }

    pub(super) fn number(
        &self,
        value: Option<Spanned<u32>>,
        key: &str,
        default: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        match value {
            Some(value) if !range.contains(value.get_ref()) => {
                let what = format!("{} is out of range, write {} to {}", value.get_ref(), range.start(), range.end());
                Err(self.error(&value, key, what))
            }
            value => Ok(value.map_or(default, Spanned::into_inner)),
        }
    }

    /// A number of MiB, as octets.
    pub(super) fn mebibytes(&self, value: Option<Spanned<u32>>, key: &str) -> Result<Option<u64>, ConfigError> {
        let is_there = value.is_some();
        let n = self.number(value, key, 1, 1..=1 << 20)?;
        Ok(is_there.then_some(u64::from(n) << 20))
    }

    pub(super) fn duration(
        &self,
        value: Option<Spanned<file::Duration>>,
        key: &str,
        default: Duration,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        let seconds = match value.get_ref() {
            file::Duration::Seconds(seconds) => *seconds,
            file::Duration::Text(text) => parse_duration(text).ok_or_else(|| {
                self.error(
                    &value,
                    key,
                    format!("'{text}' is no span of time, write seconds or text with units such as \"21d\" or \"1h30m\""),
                )
            })?,
        };
        if !range.contains(&seconds) {
            let what = format!("{seconds} s is out of range, write {} to {} s", range.start(), range.end());
            return Err(self.error(&value, key, what));
        }
        Ok(Duration::from_secs(seconds))
    }

    fn seconds(
        &self,
        value: Option<Spanned<file::Duration>>,
        key: &str,
        default: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        // The range ends within 32 bits.
        self.duration(value, key, Duration::from_secs(default.into()), range).map(|duration| duration.as_secs() as u32)
    }

    pub(super) fn choice<T: Copy>(&self, text: Option<Text>, key: &str, names: &[(&str, T)], default: T) -> Result<T, ConfigError> {
        let Some(text) = text else { return Ok(default) };
        if let Some((_, value)) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.get_ref().trim_end_matches('.'))) {
            return Ok(*value);
        }
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Err(self.error(&text, key, format!("'{}' is not known, write one of {}", text.get_ref(), known.join(", "))))
    }

    pub(super) fn error<T>(&self, at: &Spanned<T>, key: &str, what: impl Into<String>) -> ConfigError {
        self.source.error(at.span(), key, what)
    }
}

/// What is wrong with a place where a catalog that is made here comes from.
const MADE_HERE: &str = "a catalog that is made here is made of the zones that name it in catalog-zone, remove this";

/// Reads digits with units `w d h m s`, each unit once at most and in this order; digits alone are seconds.
fn parse_duration(text: &str) -> Option<u64> {
    if text.bytes().all(|c| c.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut rest = text;
    let mut sum: u64 = 0;
    for (unit, seconds) in [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)] {
        let n = rest.bytes().take_while(u8::is_ascii_digit).count();
        if n > 0 && rest[n..].starts_with(unit) {
            sum = sum.checked_add(rest[..n].parse::<u64>().ok()?.checked_mul(seconds)?)?;
            rest = &rest[n + 1..];
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn spans_of_time() {
        for (text, seconds) in
            [("0", Some(0)), ("90", Some(90)), ("21d", Some(1_814_400)), ("1h30m", Some(5400)), ("1w1s", Some(604_801)), ("", None)]
        {
            assert_eq!(parse_duration(text), seconds.filter(|_| !text.is_empty()), "{text}");
        }
        for text in ["d", "1x", "1m1h", "1d1d", "-1d", "99999999999999999999d", "18446744073709551615w", "1 d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
