//! Small exports in memory, written as deposits with right sums, and what they compile to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use saola::compile::{
    Compiled, DelegatedStats, HostResult, Infrastructure, Live, Notice, Policy, Profile, Prohibited, SecondLevels, Ttls, ZoneId, compile,
};
use saola::dns::idn::Repertoire;
use saola::dns::{Rtype, UnixTime, master};
use saola::orders::Orders;
use saola::registry::{Deposit, ReadOptions};
use tempfile::TempDir;

/// The example's watermark: the time at which cases are evaluated.
pub const NOW: &str = "2026-11-21T00:00:00Z";

/// The files of a FULL, as text; `deposit.toml` is written from them.
#[derive(Clone)]
pub struct Export {
    pub files: BTreeMap<&'static str, String>,
    pub watermark: String,
    pub id: String,
    pub resend: u32,
    pub kind: &'static str,
}

const HEADERS: [(&str, &str); 10] = [
    ("domain.csv", "name,roid,u_name,idn_table,original_name,registrant_class,cl_id,cr_date,ex_date,fee_state,entitlement_ref,target"),
    ("domainStatuses.csv", "name,roid,status,rgp_status"),
    ("domainNameServers.csv", "name,roid,host"),
    ("dnssec.csv", "name,roid,key_tag,alg,digest_type,digest"),
    ("host.csv", "name,roid,cl_id,cr_date"),
    ("hostStatuses.csv", "name,status"),
    ("hostAddresses.csv", "name,addr,ver"),
    ("registrar.csv", "id,name,status"),
    ("idn.csv", "id,language,file"),
    ("nndn.csv", "name,state,reason,article"),
];

impl Export {
    pub fn new() -> Self {
        Self {
            files: HEADERS.map(|(name, header)| (name, format!("{header}\n"))).into(),
            watermark: NOW.into(),
            id: "T1".into(),
            resend: 0,
            kind: "FULL",
        }
    }

    /// Adds a line to a file.
    pub fn row(mut self, file: &str, line: &str) -> Self {
        let text = self.files.get_mut(file).expect("a file of vn-rde-1");
        text.push_str(line);
        text.push('\n');
        self
    }

    /// A plain, paid registration with the roid `D-name` and these name servers.
    pub fn domain(self, name: &str, servers: &[&str]) -> Self {
        self.domain_with(name, &[], servers)
    }

    /// A registration with some columns of domain.csv set.
    pub fn domain_with(mut self, name: &str, columns: &[(&str, &str)], servers: &[&str]) -> Self {
        let header = HEADERS[0].1;
        let column = |column: &str| {
            if let Some((_, value)) = columns.iter().find(|(key, _)| *key == column) {
                return (*value).to_owned();
            }
            match column {
                "name" => name.into(),
                "roid" => format!("D-{}", name.to_ascii_lowercase()),
                "registrant_class" => "org".into(),
                "cl_id" => "R01".into(),
                "cr_date" => "2025-03-10T02:00:00Z".into(),
                "ex_date" => "2027-03-10T02:00:00Z".into(),
                "fee_state" => "paid".into(),
                _ => String::new(),
            }
        };
        assert!(columns.iter().all(|(key, _)| header.split(',').any(|column| column == *key)), "columns of domain.csv");
        let roid = column("roid");
        let line: Vec<String> = header.split(',').map(column).collect();
        self = self.row("domain.csv", &line.join(","));
        for server in servers {
            self = self.row("domainNameServers.csv", &format!("{name},{roid},{server}"));
        }
        self
    }

    /// A host object with its addresses.
    pub fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        self = self.row("host.csv", &format!("{name},H-{name},R01,2025-03-10T02:00:00Z"));
        for address in addresses {
            let version = if address.contains(':') { "v6" } else { "v4" };
            self = self.row("hostAddresses.csv", &format!("{name},{address},{version}"));
        }
        self
    }

    /// Writes the deposit into `folder`.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("folder");
        for (name, text) in &self.files {
            fs::write(folder.join(name), text).expect("file");
        }
        let head = format!(
            "[deposit]\nformat = \"vn-rde-1\"\ntype = \"{}\"\nid = \"{}\"\nresend = {}\ntld = \"vn\"\nwatermark = \"{}\"\n",
            self.kind, self.id, self.resend, self.watermark
        );
        seal(folder, &head);
    }

    /// Writes, reads and compiles the export.
    pub fn compile(&self, rules: &Rules) -> Answer {
        let folder = TempDir::new().expect("folder");
        self.write(folder.path());
        let deposit = Deposit::read(folder.path(), &ReadOptions::default()).expect("a whole deposit");
        let at = UnixTime::parse_rfc3339(&rules.at).expect("time");
        let compiled = compile(&deposit, &rules.orders, &rules.policy, at, rules.live.as_deref()).expect("compiles");
        Answer { deposit, compiled }
    }
}

/// Writes `deposit.toml` with the right sums, rows and totals for what is in the folder.
pub fn seal(folder: &Path, head: &str) {
    let mut files = String::new();
    let mut rows_of = BTreeMap::new();
    let mut names: Vec<String> =
        fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names.iter().filter(|name| name.ends_with(".csv")) {
        let bytes = fs::read(folder.join(name)).expect("file");
        let rows = bytes.iter().filter(|&&octet| octet == b'\n').count().saturating_sub(1);
        rows_of.insert(name.clone(), rows);
        let sha256 = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
        files.push_str(&format!(
            "\n[[file]]\nname = \"{name}\"\nrows = {rows}\nbytes = {}\ncrc32 = \"{:08X}\"\nsha256 = \"{sha256}\"\n",
            bytes.len(),
            crc32fast::hash(&bytes)
        ));
    }
    let total = |name: &str| rows_of.get(name).copied().unwrap_or(0);
    let totals = format!(
        "\n[totals]\ndomain = {}\nhost = {}\nregistrar = {}\nnndn = {}\n",
        total("domain.csv"),
        total("host.csv"),
        total("registrar.csv"),
        total("nndn.csv")
    );
    fs::write(folder.join("deposit.toml"), format!("{head}{totals}{files}")).expect("header");
}

/// What an export is judged by.
pub struct Rules {
    pub policy: Policy,
    pub orders: Orders,
    pub at: String,
    pub live: Option<Box<dyn Live>>,
}

impl Rules {
    pub fn new() -> Self {
        let read = |name: &str| fs::read_to_string(zones(name)).expect(name);
        let idn = Repertoire::parse(&read("idn-vi.txt")).expect("repertoire");
        let second_levels = SecondLevels::parse(&read("second-level.toml")).expect("list");
        let policy = Policy {
            profile: Profile::named("92-2003").expect("profile"),
            infrastructure: Infrastructure::parse(&read("infrastructure.toml"), second_levels.apexes()[0].as_ref()).expect("servers"),
            second_levels,
            prohibited: Prohibited::parse(read("example-export/prohibited.csv").as_bytes(), &idn).expect("phrases"),
            idn,
            delegated: DelegatedStats::parse(&read("example-export/delegated-test.txt")).expect("blocks"),
            ttls: Ttls::default(),
            notice: Notice::default(),
        };
        Self { policy, orders: Orders::none(), at: NOW.into(), live: None }
    }
}

/// A file below `zones/`.
pub fn zones(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones").join(name)
}

/// The example's FULL.
pub fn example() -> PathBuf {
    zones("example-export/vn_2026-11-21_full_S1_R0")
}

/// A compiled export, shown as text.
pub struct Answer {
    pub deposit: Deposit,
    pub compiled: Compiled,
}

impl Answer {
    fn apex(&self, zone: ZoneId) -> String {
        self.compiled.zones[zone.0 as usize].apex.to_string().trim_end_matches('.').to_owned()
    }

    /// `result REASON [findings] zone` of each row, in order; what is empty is left out.
    pub fn outcomes(&self) -> Vec<String> {
        let shown = |outcome: &saola::compile::Outcome| {
            let findings = outcome.findings.to_string();
            let parts = [
                outcome.verdict.result().to_owned(),
                outcome.verdict.reason().to_owned(),
                if findings.is_empty() { findings } else { format!("[{findings}]") },
                outcome.zone.map_or(String::new(), |zone| self.apex(zone)),
            ];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        };
        self.compiled.outcomes.iter().map(shown).collect()
    }

    /// `host: result REASON` of each host object.
    pub fn hosts(&self) -> Vec<String> {
        let shown = |outcome: &saola::compile::HostOutcome| {
            let objects = &self.deposit.objects;
            let reason = match outcome.result {
                HostResult::Glue(zone) => format!("GLUE in {}", self.apex(zone)),
                result => result.reason().to_owned(),
            };
            format!("{}: {} {reason}", objects.text(objects.host(outcome.host).name), outcome.result.result())
        };
        self.compiled.hosts.iter().map(shown).collect()
    }

    /// The records of a zone that come from the export, `owner IN TYPE RDATA`, sorted as text.
    pub fn records(&self, zone: &str) -> Vec<String> {
        let apexes: Vec<_> = self.compiled.zones.iter().map(|zone| zone.apex.clone()).collect();
        let zone = self.compiled.zones.iter().find(|candidate| candidate.apex.to_string() == format!("{zone}.")).expect("zone");
        let mut lines = Vec::new();
        for record in zone.records.iter() {
            let owner = record.owner.to_string();
            if apexes.iter().any(|apex| apex.as_ref() == record.owner) || owner.ends_with(".dns-servers.vn.") {
                continue;
            }
            let mut rdata = Vec::new();
            master::write_rdata(record.rtype, record.rdata, &mut rdata);
            let ttl = if record.rtype == Rtype::DS { Ttls::default().ds } else { Ttls::default().ns };
            assert_eq!(record.ttl, ttl, "{owner}");
            lines.push(format!("{owner} IN {} {}", record.rtype, String::from_utf8(rdata).expect("text")));
        }
        lines.sort();
        lines
    }
}
