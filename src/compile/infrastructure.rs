//! Who serves the registry's zones: the name servers of every apex, their addresses, and the SOA's names.

use std::net::IpAddr;

use serde::Deserialize;

use crate::dns::{Name, NameRef};

/// The server set of all zones.
#[derive(Clone, Debug)]
pub struct Infrastructure {
    /// SOA MNAME.
    pub primary: Name,
    /// SOA RNAME.
    pub contact: Name,
    /// The name servers.
    pub name_servers: Vec<NameServer>,
}

/// One name server of the set.
#[derive(Clone, Debug)]
pub struct NameServer {
    /// Its name.
    pub name: Name,
    /// Its addresses; needed when the name lies in one of the zones.
    pub addresses: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InfrastructureFile {
    primary: String,
    contact: String,
    ns: Vec<NsEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NsEntry {
    name: String,
    #[serde(default)]
    addresses: Vec<IpAddr>,
}

impl Infrastructure {
    /// Reads `primary`, `contact` and `[[ns]]` (name, addresses). Names are taken in lower case.
    ///
    /// # Errors
    /// What is wrong: TOML, an unknown key, a bad name or address, no name server, or one below `tld` without address.
    pub fn parse(text: &str, tld: NameRef<'_>) -> Result<Self, String> {
        let file: InfrastructureFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let name = |text: &str| match Name::parse(text) {
            Ok(name) => Ok(name.as_ref().to_lowercase()),
            Err(error) => Err(format!("'{text}': {error}")),
        };
        let mut name_servers = Vec::new();
        for entry in file.ns {
            let server = NameServer { name: name(&entry.name)?, addresses: entry.addresses };
            if server.addresses.is_empty() && server.name.as_ref().is_at_or_below(tld) {
                return Err(format!("name server '{}' lies below '{tld}' and needs an address", server.name));
            }
            name_servers.push(server);
        }
        if name_servers.is_empty() {
            return Err("there is no name server".into());
        }
        Ok(Self { primary: name(&file.primary)?, contact: name(&file.contact)?, name_servers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_committed_sets_are_good_and_mistakes_are_told() {
        let tld = Name::parse("vn").expect("vn");
        let parse = |text: &str| Infrastructure::parse(text, tld.as_ref());
        let example = include_str!("../../zones/infrastructure.toml");
        assert_eq!(parse(example).expect("example").name_servers.len(), 2);
        assert_eq!(parse(include_str!("../../zones/infrastructure-vn.toml")).expect("real").name_servers.len(), 8);
        for (from, to, why) in [
            ("addresses = [\"192.0.2.53\", \"2001:db8:53::a\"]", "", "needs an address"),
            ("192.0.2.53", "192.0.2.530", "IP address"),
            ("addresses =", "address =", "unknown field"),
            ("\"b.dns", "\"b..dns", "empty"),
        ] {
            let error = parse(&example.replacen(from, to, 1)).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
        assert!(parse("primary = \"a\"\ncontact = \"b\"\nns = []").is_err());
    }
}
