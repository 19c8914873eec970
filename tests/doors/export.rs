//! The doors of what the registry and the authorities send: deposits and orders.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use saola::compile::{DelegatedStats, Infrastructure, Notice, Policy, Profile, Prohibited, SecondLevels, Ttls, compile};
use saola::dns::Serial;
use saola::dns::idn::Repertoire;
use saola::orders::Orders;
use saola::registry::{Deposit, Header, ReadOptions};
use saola::zone::Zone;
use sha2::{Digest, Sha256};

use super::NOW;

/// In front of each file of a deposit that is given as one text.
const MARK: &str = "=== ";

/// The files of a deposit, with a header that fits them, are read and compiled. Every row gets an outcome, every zone is one.
pub fn deposit(text: &[u8]) {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path();
    let text = String::from_utf8_lossy(text);
    let files: Vec<(&str, &str)> = text.split(MARK).filter_map(|part| part.split_once('\n')).collect();
    let n_rows = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(0, |(_, text)| text.lines().count().saturating_sub(1));
    let mut header = format!(
        "[deposit]\nformat = \"vn-rde-1\"\ntype = \"FULL\"\nid = \"1\"\nprev_id = \"\"\nresend = 0\ntld = \"vn\"\nwatermark = \"2026-11-21T00:00:00Z\"\n\
         csv_header = true\nencoding = \"UTF-8\"\nseparator = \",\"\n\n[totals]\ndomain = {}\nhost = {}\nregistrar = {}\nnndn = {}\n",
        n_rows("domain.csv"),
        n_rows("host.csv"),
        n_rows("registrar.csv"),
        n_rows("nndn.csv")
    );
    let known: Vec<&(&str, &str)> = files.iter().filter(|(name, _)| FILES.contains(name)).collect();
    for (name, text) in &known {
        fs::write(folder.join(name), text).expect("the temporary folder takes files");
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        let (rows, bytes, crc32) = (n_rows(name), text.len(), crc32fast::hash(text.as_bytes()));
        _ = write!(header, "\n[[file]]\nname = \"{name}\"\nrows = {rows}\nbytes = {bytes}\ncrc32 = \"{crc32:08X}\"\nsha256 = \"{hash}\"\n");
    }
    FILES.iter().filter(|name| !known.iter().any(|(n, _)| n == *name)).for_each(|name| _ = fs::remove_file(folder.join(name)));
    fs::write(folder.join("deposit.toml"), header).expect("the temporary folder takes files");

    let Ok(deposit) = Deposit::read(folder, &ReadOptions::default()) else { return };
    let orders = Orders::read(include_bytes!("../../zones/example-export/orders.jsonl")).expect("the example's ledger is whole");
    let compiled = compile(&deposit, &orders, policy(), NOW, None).expect("a whole deposit compiles");
    assert_eq!(compiled.outcomes.len(), n_rows("domain.csv"), "an outcome for every row");
    for zone in compiled.zones {
        let apex = zone.apex.clone();
        let records = zone.into_records(Serial(1)).expect("there is room");
        Zone::build(apex.as_ref(), records).expect("what is compiled is a zone");
    }
}

/// The example, as one text.
pub fn deposit_seeds() -> Vec<Vec<u8>> {
    let folder = root().join("zones/example-export/vn_2026-11-21_full_S1_R0");
    let file = |name: &&str| format!("{MARK}{name}\n{}", fs::read_to_string(folder.join(name)).expect("the example is there"));
    vec![FILES.iter().map(file).collect::<String>().into_bytes()]
}

/// `deposit.toml`.
pub fn header(text: &[u8]) {
    let _ = Header::parse(&String::from_utf8_lossy(text));
}

/// The example's header.
pub fn header_seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../zones/example-export/vn_2026-11-21_full_S1_R0/deposit.toml").to_vec()]
}

/// A ledger with a chain that fits is read or refused; what is read is judged.
pub fn orders(text: &[u8]) {
    let _ = Orders::read(text);
    let Ok(orders) = Orders::read(&chained(text)) else { return };
    for order in orders.all() {
        let _ = orders.in_force(order.domain.as_bytes(), NOW);
        assert!(orders.by_id(&order.order_id).is_some(), "an order that cannot be found");
    }
}

/// The same lines, each with the hash of the one before.
fn chained(text: &[u8]) -> Vec<u8> {
    const FIELD: &str = "\"prev_sha256\":\"";
    let mut out = String::new();
    let mut hash = "0".repeat(64);
    for line in String::from_utf8_lossy(text).lines() {
        let at = line.find(FIELD).map(|at| at + FIELD.len()).filter(|at| line.is_char_boundary(at + 64) && at + 64 <= line.len());
        let line = at.map_or(line.to_owned(), |at| format!("{}{hash}{}", &line[..at], &line[at + 64..]));
        hash = data_encoding::HEXLOWER.encode(&Sha256::digest(line.as_bytes()));
        out += &line;
        out.push('\n');
    }
    out.into_bytes()
}

/// The example's ledger.
pub fn orders_seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../zones/example-export/orders.jsonl").to_vec()]
}

const FILES: [&str; 10] = [
    "domain.csv",
    "domainStatuses.csv",
    "domainNameServers.csv",
    "dnssec.csv",
    "host.csv",
    "hostStatuses.csv",
    "hostAddresses.csv",
    "registrar.csv",
    "idn.csv",
    "nndn.csv",
];

fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| {
        let read = |name: &str| fs::read_to_string(root().join("zones").join(name)).expect("the project's data");
        let second_levels = SecondLevels::parse(&read("second-level.toml")).expect("the project's data");
        let idn = Repertoire::parse(&read("idn-vi.txt")).expect("the project's data");
        Policy {
            profile: Profile::named("92-2003").expect("it is built in"),
            infrastructure: Infrastructure::parse(&read("infrastructure.toml"), second_levels.apexes()[0].as_ref())
                .expect("the project's data"),
            second_levels,
            prohibited: Prohibited::parse(read("example-export/prohibited.csv").as_bytes(), &idn).expect("the example's data"),
            idn,
            delegated: DelegatedStats::parse(&read("example-export/delegated-test.txt")).expect("the example's data"),
            ttls: Ttls::default(),
            notice: Notice::default(),
        }
    })
}

/// The project's folder, also when built from `fuzz/`.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.parent().expect("fuzz/ stands in the project").to_owned() } else { here.to_owned() }
}
