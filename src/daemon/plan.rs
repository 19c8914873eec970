//! From the configuration to what the rooms below take; and what a reload cannot change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::Face;
use crate::config::{Clock, Config, Membership, Peer, Source, TsigKey, Zone};
use crate::dns::{Name, NameRef};
use crate::pipeline::{CatalogPlan, FilePlan, Plan, RegistryPlan};
use crate::transfer::access::{Access, Allow, Demand};
use crate::transfer::catalog::Properties;
use crate::transfer::notify::Secondary;

/// What is to be served.
pub fn plan(config: &Config) -> Plan {
    // The reader of the configuration has seen that every policy named is there.
    let policy = |name: &Option<String>| name.as_ref().and_then(|name| config.policies.get(name));
    let registry = config.registry.as_ref().map(|registry| RegistryPlan {
        deposits: registry.deposits.clone(),
        orders: registry.orders.clone(),
        second_level: registry.second_level.clone(),
        infrastructure: registry.infrastructure.clone(),
        profiles: registry.profiles.clone(),
        idn_table: registry.idn_table.clone(),
        prohibited: registry.prohibited.clone(),
        delegated: registry.delegated.clone(),
        deposit_keys: registry.deposit_keys.clone(),
        max_shrink_percent: registry.max_shrink_percent,
        profile: registry.profile.clone(),
        at_watermark: registry.clock == Clock::Watermark,
        policy: policy(&registry.sign).map(|policy| policy.sign.clone()),
        rsa_bits: policy(&registry.sign).map_or(0, |policy| policy.rsa_bits),
        ledger: config.orders.ledger.clone(),
        notice: config.orders.notice.clone(),
    });
    let files = config.zones.iter().filter_map(|zone| {
        Some(FilePlan {
            apex: zone.name.clone(),
            file: zone.source.file()?.to_owned(),
            policy: policy(&zone.sign).map(|policy| policy.sign.clone()),
            rsa_bits: policy(&zone.sign).map_or(0, |policy| policy.rsa_bits),
            is_dynamic: !zone.allow_update.is_empty(),
            is_kept: !zone.allow_transfer.is_empty() || !zone.notify.is_empty(),
        })
    });
    let secondaries = config.zones.iter().filter(|zone| zone.source.is_primaries()).map(|zone| zone.name.as_ref().to_lowercase());
    let (catalogs, keys) = (catalogs(config), config.server.keys.clone());
    let zonemd = config.zones.iter().map(|zone| (zone.name.as_ref().to_lowercase(), zone.zonemd)).collect();
    Plan { registry, files: files.collect(), catalogs, secondaries: secondaries.collect(), zonemd, keys }
}

/// The catalogs that are made here, with what they list.
fn catalogs(config: &Config) -> Vec<CatalogPlan> {
    let properties = |of: &Membership, catalog: &Name| {
        let coo = match &of.from {
            _ if of.catalog == *catalog => of.coo.clone(),
            // The one that it comes from keeps it, and says where to, until all followers have moved it.
            Some(from) if from == catalog => Some(of.catalog.clone()),
            _ => return None,
        };
        Some(Properties { group: of.group.clone(), coo })
    };
    let made = config.zones.iter().filter(|zone| zone.source == Source::Generated).map(|zone| zone.name.as_ref().to_lowercase());
    let plan = |apex: Name| {
        let listed = |zone: &Zone| Some((zone.name.as_ref().to_lowercase(), properties(zone.member.as_ref()?, &apex)?));
        let members = config.zones.iter().filter_map(listed).collect();
        let registry = config.registry.as_ref().and_then(|registry| properties(registry.member.as_ref()?, &apex));
        CatalogPlan { apex, members, registry }
    };
    made.map(plan).collect()
}

/// What the server says of itself.
pub fn face(config: &Config, hostname: String, cookie_secrets: Vec<[u8; 16]>) -> Face {
    let server = &config.server;
    Face {
        identity: server.identity.clone().into_bytes(),
        hostname: server.hostname.clone().unwrap_or(hostname).into_bytes(),
        version: server.version.clone().into_bytes(),
        udp_limit: server.udp_limit,
        cookie_secrets,
        // Units of 100 ms (RFC 7828 §3.1); an hour, the most that is configured, fits.
        tcp_keepalive: u16::try_from(config.limits.idle.as_millis() / 100).unwrap_or(u16::MAX),
        ..Face::default()
    }
}

/// Who may transfer, change, and say that what has changed: nobody, but who is named, and a zone's primaries.
pub fn access(config: &Config) -> Access {
    let notifiers = |zone: &Zone| match &zone.source {
        Source::File(_) | Source::Generated => None,
        Source::Primaries { primaries, allow_notify, .. } => {
            // By its address alone, whatever key is spoken with it: some primaries sign no notices, and one is only a reason to ask.
            let by_address = primaries.iter().map(|peer| Allow { prefix: peer.address.ip().into(), key: None, tls: Demand::None });
            Some((zone.name.as_ref().to_lowercase(), by_address.chain(allow_notify.iter().cloned()).collect()))
        }
    };
    let updaters = |zone: &Zone| {
        let allowed = zone.allow_update.clone();
        (!allowed.is_empty()).then(|| (zone.name.as_ref().to_lowercase(), allowed))
    };
    Access {
        keys: config.keys.iter().map(TsigKey::key).collect(),
        zones: config.zones.iter().map(|zone| (zone.name.as_ref().to_lowercase(), zone.allow_transfer.clone())).collect(),
        others: config.registry.as_ref().map(|registry| registry.allow_transfer.clone()).unwrap_or_default(),
        catalogs: config.zones.iter().filter(|zone| is_catalog(zone)).map(|zone| zone.name.as_ref().to_lowercase()).collect(),
        secondaries: config.zones.iter().filter_map(notifiers).collect(),
        updates: config.zones.iter().filter_map(updaters).collect(),
    }
}

fn is_catalog(zone: &Zone) -> bool {
    zone.source == Source::Generated || zone.interpret.is_some()
}

/// Who is told of changes: secondaries of each zone that is named, and of all others.
pub fn secondaries(config: &Config) -> impl Fn(NameRef<'_>) -> Arc<[Secondary]> + use<> {
    let keys: BTreeMap<&Name, &TsigKey> = config.keys.iter().map(|key| (&key.name, key)).collect();
    // The reader of the configuration has seen that every key named is there.
    let key = |name: &Option<Name>| name.as_ref().and_then(|name| Some(keys.get(name)?.key()));
    let of = |peers: &[Peer]| peers.iter().map(|peer| Secondary { address: peer.address, key: key(&peer.key) }).collect();
    let zones: BTreeMap<Name, Arc<[Secondary]>> = config.zones.iter().map(|zone| (zone.name.clone(), of(&zone.notify))).collect();
    let others: Arc<[Secondary]> = config.registry.as_ref().map_or_else(Arc::default, |registry| of(&registry.notify));
    move |apex| Arc::clone(zones.get(&apex.to_owned()).unwrap_or(&others))
}

/// What [`secondaries`] gives.
pub type SecondariesOf = dyn Fn(NameRef<'_>) -> Arc<[Secondary]> + Send;

/// The keys that differ and that only a restart takes over.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.server, &new.server);
    let pairs = [
        ("server.listen", a.listen == b.listen),
        ("server.listen-tls", a.listen_tls == b.listen_tls),
        ("server.workers", a.workers == b.workers),
        ("server.transfers-in", a.transfers_in == b.transfers_in),
        ("server.transfer-in-time", a.transfer_in_time == b.transfer_in_time),
        ("server.state", a.state == b.state),
        ("server.control", a.control == b.control),
        ("server.udp-receive-buffer", old.limits.udp_receive_buffer == new.limits.udp_receive_buffer),
        ("[tcp]", tcp(old) == tcp(new)),
    ];
    pairs.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}

fn tcp(config: &Config) -> crate::transport::Limits {
    crate::transport::Limits { udp_receive_buffer: 0, ..config.limits.clone() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("saola.toml")).expect("good")
    }

    #[test]
    fn sockets_and_folders_need_a_restart() {
        let old = config("[server]\nlisten = [\"127.0.0.1:5300\"]");
        for (text, expected) in [
            ("[server]\nlisten = [\"127.0.0.1:5300\"]\nidentity = \"x\"", &[][..]),
            ("[server]\nlisten = [\"127.0.0.1:5301\"]", &["server.listen"]),
            ("[server]\nlisten = [\"127.0.0.1:5300\"]\nstate = \"x\"", &["server.state", "server.control"]),
            ("[server]\nlisten = [\"127.0.0.1:5300\"]\n[tcp]\nidle = 3", &["[tcp]"]),
            ("[server]\nlisten = [\"127.0.0.1:5300\"]\nudp-receive-buffer = 8192", &["server.udp-receive-buffer"]),
        ] {
            assert_eq!(needs_restart(&old, &config(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_zone_moves_from_one_catalog_to_another_in_steps() {
        for (keys, expected) in [
            ("catalog-zone = \"a\"", ["a: m.", "b:"]),
            ("catalog-zone = \"a\"\ncatalog-coo = \"B\"", ["a: m. > b.", "b:"]),
            ("catalog-zone = \"b\"\ncatalog-from = \"A\"", ["a: m. > b.", "b: m."]),
            ("catalog-zone = \"b\"", ["a:", "b: m."]),
        ] {
            let catalog = |name: &str| format!("[[zone]]\nname = \"{name}\"\ncatalog-role = \"generate\"\n");
            let text = format!(
                "[server]\nlisten = [\"127.0.0.1:5300\"]\n{}{}[[zone]]\nname = \"m\"\nfile = \"m\"\n{keys}\n",
                catalog("a"),
                catalog("b")
            );
            let show = |plan: &CatalogPlan| {
                let coo = |of: &Properties| of.coo.as_ref().map_or(String::new(), |coo| format!(" > {coo}"));
                let listed: Vec<String> = plan.members.iter().map(|(name, of)| format!(" {name}{}", coo(of))).collect();
                format!("{}:{}", plan.apex.to_string().trim_end_matches('.'), listed.concat())
            };
            let shown: Vec<String> = catalogs(&config(&text)).iter().map(show).collect();
            assert_eq!(shown, expected, "{keys}");
        }
    }

    #[test]
    fn the_face_is_what_the_configuration_says() {
        let told =
            face(&config("[server]\nlisten = [\"127.0.0.1:5300\"]\nversion = \"\"\n[tcp]\nidle = \"1h\""), "host".into(), Vec::new());
        assert_eq!((&told.hostname[..], &told.version[..], told.tcp_keepalive), (&b"host"[..], &b""[..], 36_000));
        let told = face(&config("[server]\nlisten = [\"127.0.0.1:5300\"]\nhostname = \"\""), "host".into(), Vec::new());
        assert_eq!((&told.hostname[..], &told.version[..6]), (&b""[..], &b"saola "[..]));
    }
}
