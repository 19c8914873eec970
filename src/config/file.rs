//! The TOML file as it is written: one struct a table, unknown keys refused.
//!
//! Knows no meaning: what the values have to be is decided once, in [`super::read`].

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    pub server: Server,
    pub tcp: Option<Tcp>,
    pub tls: Option<Tls>,
    pub registry: Option<Registry>,
    pub orders: Option<Orders>,
    #[serde(default)]
    pub policy: BTreeMap<String, Policy>,
    #[serde(default)]
    pub template: BTreeMap<String, Template>,
    #[serde(default)]
    pub zone: Vec<Zone>,
    #[serde(default)]
    pub key: Vec<Key>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    pub listen: Spanned<Vec<Spanned<String>>>,
    pub listen_tls: Option<Spanned<Vec<Spanned<String>>>>,
    pub identity: Option<Spanned<String>>,
    pub hostname: Option<Spanned<String>>,
    pub version: Option<Spanned<String>>,
    pub workers: Option<Spanned<u32>>,
    pub udp_limit: Option<Spanned<u32>>,
    pub udp_receive_buffer: Option<Spanned<u32>>,
    pub transfers_in: Option<Spanned<u32>>,
    pub transfer_in_size: Option<Spanned<u32>>,
    pub transfer_in_time: Option<Spanned<Duration>>,
    pub state: Option<Spanned<String>>,
    pub keys: Option<Spanned<String>>,
    pub control: Option<Spanned<String>>,
    pub metrics: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tcp {
    pub connections: Option<Spanned<u32>>,
    pub connections_per_client: Option<Spanned<u32>>,
    pub idle: Option<Spanned<Duration>>,
    pub receive: Option<Spanned<Duration>>,
    pub send: Option<Spanned<Duration>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    pub certificate: Spanned<String>,
    pub key: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registry {
    pub deposits: Spanned<String>,
    pub profile: Option<Spanned<String>>,
    pub clock: Option<Spanned<String>>,
    pub second_level: Spanned<String>,
    pub sign: Option<Spanned<String>>,
    pub orders: Option<Spanned<String>>,
    pub infrastructure: Option<Spanned<String>>,
    pub profiles: Option<Spanned<String>>,
    pub idn_table: Option<Spanned<String>>,
    pub prohibited: Option<Spanned<String>>,
    pub delegated: Option<Spanned<String>>,
    pub deposit_keys: Option<Vec<Spanned<String>>>,
    pub max_shrink_percent: Option<Spanned<u32>>,
    pub notify: Option<Spanned<Vec<Peer>>>,
    pub allow_transfer: Option<Spanned<Vec<Allow>>>,
    pub catalog_zone: Option<Spanned<String>>,
    pub catalog_group: Option<Spanned<String>>,
    pub catalog_coo: Option<Spanned<String>>,
    pub catalog_from: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Orders {
    pub ledger: Option<Spanned<Vec<Spanned<String>>>>,
    pub legal_grounds: Option<Spanned<String>>,
    pub protected: Option<Vec<Spanned<String>>>,
    pub max_impact: Option<Spanned<u32>>,
    pub deadline: Option<Spanned<Duration>>,
    pub outbox: Option<Spanned<String>>,
    pub notice_servers: Option<Vec<Spanned<String>>>,
    pub notice_grounds: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    pub algorithm: Option<Spanned<String>>,
    pub denial: Option<Spanned<String>>,
    pub keys: Option<Spanned<String>>,
    pub rsa_bits: Option<Spanned<u32>>,
    pub validity: Option<Spanned<Duration>>,
    pub refresh: Option<Spanned<Duration>>,
    pub jitter: Option<Spanned<Duration>>,
    pub inception_offset: Option<Spanned<Duration>>,
    pub dnskey_ttl: Option<Spanned<Duration>>,
    pub ksk_lifetime: Option<Spanned<Duration>>,
    pub zsk_lifetime: Option<Spanned<Duration>>,
    pub cds: Option<Spanned<bool>>,
    pub zonemd: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Zone {
    pub name: Spanned<String>,
    pub file: Option<Spanned<String>>,
    pub sign: Option<Spanned<String>>,
    pub zonemd: Option<Spanned<String>>,
    pub primaries: Option<Spanned<Vec<Peer>>>,
    pub allow_notify: Option<Spanned<Vec<Allow>>>,
    pub transfer_in_size: Option<Spanned<u32>>,
    pub allow_update: Option<Spanned<Vec<Allow>>>,
    pub notify: Option<Spanned<Vec<Peer>>>,
    pub allow_transfer: Option<Spanned<Vec<Allow>>>,
    pub catalog_role: Option<Spanned<String>>,
    pub catalog_template: Option<Spanned<Vec<Spanned<String>>>>,
    pub catalog_scope: Option<Spanned<Vec<Spanned<String>>>>,
    pub catalog_zone: Option<Spanned<String>>,
    pub catalog_group: Option<Spanned<String>>,
    pub catalog_coo: Option<Spanned<String>>,
    pub catalog_from: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Template {
    pub primaries: Option<Spanned<Vec<Peer>>>,
    pub allow_notify: Option<Spanned<Vec<Allow>>>,
    pub transfer_in_size: Option<Spanned<u32>>,
    pub notify: Option<Spanned<Vec<Peer>>>,
    pub allow_transfer: Option<Spanned<Vec<Allow>>>,
    pub zonemd: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peer {
    pub address: Spanned<String>,
    pub key: Option<Spanned<String>>,
    pub tls: Option<Spanned<OverTls>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allow {
    pub prefix: Spanned<String>,
    pub key: Option<Spanned<String>>,
    pub tls: Option<Spanned<OverTls>>,
}

/// `true`, or a table that says who has to be at the other end.
#[derive(Clone, Debug)]
pub enum OverTls {
    Asked(bool),
    With(Identity),
}

/// A key, or a name and the authorities that vouch for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    pub pin: Option<String>,
    pub ca: Option<String>,
    pub name: Option<String>,
}

/// By hand, so that a mistake inside the table is told as in every other.
impl<'de> Deserialize<'de> for OverTls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OverTls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, { pin = \"sha256:...\" } or { ca = \"FILE\", name = \"...\" }")
            }

            fn visit_bool<E>(self, value: bool) -> Result<OverTls, E> {
                Ok(OverTls::Asked(value))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OverTls, A::Error> {
                Identity::deserialize(MapAccessDeserializer::new(map)).map(OverTls::With)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Key {
    pub name: Spanned<String>,
    pub algorithm: Option<Spanned<String>>,
    pub secret: Option<Spanned<String>>,
    pub secret_file: Option<Spanned<String>>,
}

/// Seconds as a number, or text with units such as `"21d"` or `"1h30m"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Duration {
    Seconds(u64),
    Text(String),
}
