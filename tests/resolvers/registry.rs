//! Two registries: the example export, and a generated one with secure, insecure and glued names in every zone.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::world::{Expected, Question, REGISTRANTS, World};
use crate::{NOERROR, NXDOMAIN, SERVFAIL};

/// What is registered.
pub enum Deposit {
    /// The project's example.
    Example,
    /// In every zone: `secure` (DS), `insecure` (no DS, name servers outside) and `glued` (name servers inside); and those of [`for_orders`].
    Generated,
}

const INSECURE: Expected = Expected { rcode: NOERROR, authentic: Some(false), n_answers: 1 };
const SECURE: Expected = Expected { rcode: NOERROR, authentic: Some(true), n_answers: 1 };

impl Deposit {
    /// The folder that saolad watches.
    pub fn folder(&self, world: &World) -> PathBuf {
        match self {
            Self::Example => Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example-export"),
            Self::Generated => world.path("deposits"),
        }
    }

    /// The registrants' zones with their files; written here.
    pub fn children(&self, world: &World) -> Vec<(String, PathBuf)> {
        let plain = |zone: &str, more: &str| {
            let file = world.path(&format!("plain-{zone}"));
            fs::write(&file, child(zone, more)).expect("the temporary folder takes files");
            (zone.to_owned(), file)
        };
        let mut hosts = String::new();
        for host in ["ns1.example.", "ns1.dns-ngoai.example.", "ns2.dns-ngoai.example."] {
            _ = writeln!(hosts, "{host} 3600 IN A {REGISTRANTS}");
        }
        let mut out = vec![plain("example.", &hosts)];
        match self {
            Self::Example => out.extend(example_names().iter().map(|(name, _)| plain(name, &hosts_below(name)))),
            Self::Generated => {
                for zone in &world.zones {
                    out.push(plain(&format!("insecure.{zone}"), ""));
                    out.push(plain(&format!("glued.{zone}"), &format!("ns1.glued.{zone} 3600 IN A {REGISTRANTS}\n")));
                    let secure = format!("secure.{zone}");
                    let (file, _) = world.sign(&secure, &child(&secure, ""));
                    out.push((secure, file));
                }
                for (name, is_secure) in for_orders(&world.zones) {
                    out.push(if is_secure { (name.clone(), world.sign(&name, &child(&name, "")).0) } else { plain(&name, "") });
                }
            }
        }
        out
    }

    /// Addresses of the registrants' server beside its own: the glue of the example.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let Self::Example = self else { return Vec::new() };
        let rows = rows(&example_deposit().join("hostAddresses.csv"));
        rows.iter().map(|row| row[1].parse().expect("the example's addresses are addresses")).collect()
    }

    /// What must be resolved below the zones' own names.
    pub fn questions(&self, zones: &[String]) -> Vec<Question> {
        let mut out = Vec::new();
        match self {
            Self::Example => {
                for (name, has_ds) in example_names() {
                    if has_ds {
                        // The example's digests are invented, so the child cannot be secure and must not be believed.
                        out.push(Question::new(&name, "DS", SECURE));
                        out.push(Question::new(
                            &format!("www.{name}"),
                            "A",
                            Expected { rcode: SERVFAIL, authentic: Some(false), n_answers: 0 },
                        ));
                    } else {
                        out.push(Question::new(&name, "DS", Expected { authentic: None, n_answers: 0, ..INSECURE }));
                        out.push(Question::new(&format!("www.{name}"), "A", INSECURE));
                        out.push(Question::new(&format!("any.thing.wild.{name}"), "A", INSECURE));
                    }
                }
            }
            Self::Generated => {
                for zone in zones {
                    let ask = |label: &str, qtype, expected| Question::new(&format!("{label}.{zone}"), qtype, expected);
                    out.push(ask("secure", "DS", SECURE));
                    out.push(ask("www.secure", "A", SECURE));
                    out.push(ask("any.thing.wild.secure", "A", SECURE));
                    out.push(ask("nothing.secure", "A", Expected { rcode: NXDOMAIN, n_answers: 0, ..SECURE }));
                    out.push(ask("insecure", "DS", Expected { authentic: None, n_answers: 0, ..INSECURE }));
                    out.push(ask("www.insecure", "A", INSECURE));
                    out.push(ask("any.thing.wild.insecure", "A", INSECURE));
                    out.push(ask("nothing.insecure", "A", Expected { rcode: NXDOMAIN, n_answers: 0, ..INSECURE }));
                    out.push(ask("www.glued", "A", INSECURE));
                }
            }
        }
        out
    }

    /// Writes the generated deposit; the example is there.
    pub fn write(&self, world: &World) {
        let Self::Generated = self else { return };
        let folder = self.folder(world).join("vn_2026-11-21_full_S1_R0");
        fs::create_dir_all(&folder).expect("the temporary folder takes folders");
        let mut domains = String::from(
            "name,roid,u_name,idn_table,original_name,registrant_class,cl_id,cr_date,ex_date,fee_state,entitlement_ref,target\n",
        );
        let mut statuses = String::from("name,roid,status,rgp_status\n");
        let mut servers = String::from("name,roid,host\n");
        let mut digests = String::from("name,roid,key_tag,alg,digest_type,digest\n");
        let mut hosts = String::from("name,roid,cl_id,cr_date\n");
        let mut host_statuses = String::from("name,status\n");
        let mut addresses = String::from("name,addr,ver\n");
        let in_every_zone = world.zones.iter().flat_map(|zone| {
            ["secure", "insecure", "glued"]
                .map(|label| (format!("{label}.{}", zone.trim_end_matches('.')), label == "secure", label == "glued"))
        });
        let for_orders =
            for_orders(&world.zones).into_iter().map(|(name, is_secure)| (name.trim_end_matches('.').to_owned(), is_secure, false));
        for (n, (name, is_secure, is_glued)) in (1..).zip(in_every_zone.chain(for_orders)) {
            let roid = format!("D{n:04}-VN");
            _ = writeln!(domains, "{name},{roid},,,,state,R01,2020-01-01T00:00:00Z,2030-01-01T00:00:00Z,paid,,");
            _ = writeln!(statuses, "{name},{roid},ok,");
            let host = if is_glued { format!("ns1.{name}") } else { "ns1.example".to_owned() };
            _ = writeln!(servers, "{name},{roid},{host}");
            if is_glued {
                _ = writeln!(hosts, "{host},H{n:04}-VN,R01,2020-01-01T00:00:00Z");
                _ = writeln!(host_statuses, "{host},linked");
                _ = writeln!(addresses, "{host},{REGISTRANTS},v4");
            }
            if is_secure {
                let fields = ds_of(world, &format!("{name}."));
                _ = writeln!(digests, "{name},{roid},{}", fields.join(","));
            }
        }
        _ = writeln!(hosts, "ns1.example,H0000-VN,R01,2020-01-01T00:00:00Z");
        _ = writeln!(host_statuses, "ns1.example,linked");
        let example = example_deposit();
        let files = [
            ("domain.csv", domains),
            ("domainStatuses.csv", statuses),
            ("domainNameServers.csv", servers),
            ("dnssec.csv", digests),
            ("host.csv", hosts),
            ("hostStatuses.csv", host_statuses),
            ("hostAddresses.csv", addresses),
            ("registrar.csv", read(&example.join("registrar.csv"))),
            ("idn.csv", read(&example.join("idn.csv"))),
            ("nndn.csv", read(&example.join("nndn.csv"))),
        ];
        let n_rows = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(0, |(_, text)| text.lines().count() - 1);
        let mut header = format!(
            "[deposit]\nformat = \"vn-rde-1\"\ntype = \"FULL\"\nid = \"20261121001\"\nprev_id = \"\"\nresend = 0\ntld = \"vn\"\n\
             watermark = \"2026-11-21T00:00:00Z\"\ncsv_header = true\nencoding = \"UTF-8\"\nseparator = \",\"\n\n[totals]\n\
             domain = {}\nhost = {}\nregistrar = {}\nnndn = {}\n",
            n_rows("domain.csv"),
            n_rows("host.csv"),
            n_rows("registrar.csv"),
            n_rows("nndn.csv")
        );
        for (name, text) in &files {
            fs::write(folder.join(name), text).expect("the temporary folder takes files");
            _ = write!(
                header,
                "\n[[file]]\nname = \"{name}\"\nrows = {}\nbytes = {}\ncrc32 = \"{:08X}\"\nsha256 = \"{}\"\n",
                n_rows(name),
                text.len(),
                crc32fast::hash(text.as_bytes()),
                data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
            );
        }
        fs::write(folder.join("deposit.toml"), header).expect("the temporary folder takes files");
    }
}

/// Names that no question is about but those about orders, and whether they have a DS.
pub fn for_orders(zones: &[String]) -> Vec<(String, bool)> {
    let of_zone = |zone: &String| [(format!("ordered.{zone}"), true), (format!("ordered-too.{zone}"), false)];
    zones.iter().filter(|zone| ["vn.", "com.vn."].contains(&&zone[..])).flat_map(of_zone).collect()
}

/// A registrant's zone: an apex, a name, a wildcard.
fn child(zone: &str, more: &str) -> String {
    format!(
        "{zone} 3600 IN SOA ns1.example. h.example. 1 7200 3600 1209600 300\n{zone} 3600 IN NS ns1.example.\n\
         www.{zone} 300 IN A {REGISTRANTS}\n*.wild.{zone} 300 IN A {REGISTRANTS}\n{more}"
    )
}

/// Key tag, algorithm, digest type and digest of the child that was signed.
fn ds_of(world: &World, zone: &str) -> Vec<String> {
    let rdata = read(&world.path(&format!("zone-{zone}")).join("ds"));
    let fields: Vec<&str> = rdata.split_whitespace().collect();
    [fields[..3].iter().map(ToString::to_string).collect(), vec![fields[3..].concat()]].concat()
}

/// The example's hosts below a registrant's name, as its own zone has them.
fn hosts_below(name: &str) -> String {
    let rows = rows(&example_deposit().join("hostAddresses.csv"));
    let below = rows.iter().filter(|row| format!("{}.", row[0]).ends_with(&format!(".{name}")));
    below.map(|row| format!("{}. 3600 IN {} {}\n", row[0], if row[2] == "v4" { "A" } else { "AAAA" }, row[1])).collect()
}

/// Published names of the example, with their final dot, and whether they have a DS.
fn example_names() -> Vec<(String, bool)> {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example-export/expected-full.csv");
    let digests = rows(&example_deposit().join("dnssec.csv"));
    // Bad digests are left out of the zone; the data says which names have a good one.
    let has_ds = |name: &str| digests.iter().any(|row| row[0] == name && row[5].len() == 64);
    let mut names: Vec<_> = rows(&expected).into_iter().filter(|row| row[3] == "in_zone").map(|row| row[1].to_lowercase()).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (format!("{name}."), has_ds(&name))).collect()
}

fn example_deposit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example-export/vn_2026-11-21_full_S1_R0")
}

fn rows(file: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    reader.records().map(|row| row.expect("the example is CSV").iter().map(str::to_owned).collect()).collect()
}

#[track_caller]
fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
