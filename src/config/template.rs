//! The commented template is held to the code: it is good as it stands, good with every key in use,
//! and names every key there is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::{Config, Orders, file};

const TEMPLATE: &str = include_str!("../../docs/saola.toml.template");

/// Learns the keys of a table from its `Deserialize`: they are all it asks for.
struct Keys<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, keys: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        self.0.extend(keys);
        Err(Error::custom("only asked for the keys"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a table was expected"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn keys<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    let mut keys = Vec::new();
    let _ = T::deserialize(Keys(&mut keys));
    assert!(!keys.is_empty());
    keys
}

#[test]
fn the_template_is_good_as_it_stands() {
    let config = Config::parse(TEMPLATE, Path::new("saola.toml")).expect("good");
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.policies["default"], super::Policy::default());
}

#[test]
fn the_template_is_good_with_every_key_in_use() {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::create_dir(dir.path().join("keys")).expect("dir");
    let secret = dir.path().join("keys/xfr.tsig");
    std::fs::write(&secret, "c2VjcmV0").expect("written");
    let shown = rcgen::generate_simple_self_signed(["ns.example".to_owned()]).expect("a certificate");
    std::fs::write(dir.path().join("keys/tls.pem"), shown.cert.pem()).expect("written");
    let key = dir.path().join("keys/tls.key");
    std::fs::write(&key, shown.signing_key.serialize_pem()).expect("written");
    for secret in [&secret, &key] {
        std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
    }
    let text: Vec<&str> = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    let config = Config::parse(&text.join("\n"), &dir.path().join("saola.toml")).expect("good");
    assert_eq!((config.zones.len(), config.keys.len()), (1, 1));
    // The values shown are the defaults where the text says nothing else.
    let mut shown = config.policies["default"].clone();
    (shown.ksk_lifetime, shown.zsk_lifetime) = (None, None);
    assert_eq!(shown, super::Policy::default());
    let plain = Config::parse(TEMPLATE, &dir.path().join("saola.toml")).expect("good");
    assert_eq!(config.limits, plain.limits);
    let mut shown = config.registry.clone().expect("there");
    // What is looked for beside the deposits is shown where the example has it.
    (shown.prohibited, shown.delegated, shown.profiles, shown.idn_table) = (None, None, None, None);
    assert_eq!(Some(shown), plain.registry);
    let shown = Orders { legal_grounds: None, ..config.orders.clone() };
    assert_eq!(shown, plain.orders);
    assert_eq!((config.server.state, config.server.keys, config.server.control), {
        (plain.server.state, plain.server.keys, plain.server.control)
    });
    assert_eq!((config.server.workers, config.server.udp_limit), (plain.server.workers, plain.server.udp_limit));
}

#[test]
fn the_template_names_every_key() {
    let tables = [
        ("[server]", keys::<file::Server>()),
        ("[tcp]", keys::<file::Tcp>()),
        ("[tls]", keys::<file::Tls>()),
        ("[registry]", keys::<file::Registry>()),
        ("[orders]", keys::<file::Orders>()),
        ("[policy.default]", keys::<file::Policy>()),
        ("[[zone]]", keys::<file::Zone>()),
        ("[template.edge]", keys::<file::Template>()),
        ("[[key]]", keys::<file::Key>()),
    ];
    assert_eq!(keys::<file::File>().len(), tables.len());
    for (header, keys) in tables {
        let bare = |line: &str| line.trim_start_matches('#').trim_start().to_owned();
        let section: Vec<String> =
            TEMPLATE.lines().map(bare).skip_while(|line| line != header).skip(1).take_while(|line| !line.starts_with('[')).collect();
        for key in keys {
            assert!(section.iter().any(|line| line.starts_with(&format!("{key} = "))), "{header} {key}");
        }
    }
}

#[test]
fn the_example_is_good() {
    let config = Config::parse(include_str!("../../saola.toml"), Path::new("saola.toml")).expect("good");
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.server.listen.len(), 2);
}
