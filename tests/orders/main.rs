//! Orders in the pipeline: whatever runs beside them, however it ends, the zones are what export and orders say.

mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use saola::compile::Notice;
use saola::dns::{Name, Records, Rtype, UnixTime};
use saola::journal::Journal;
use saola::orders::{Filed, Filing, Grounds, Rules, Standing};
use saola::pipeline::{Pipeline, Plan, RegistryPlan};
use saola::sign;
use tempfile::TempDir;

/// When everything here happens.
const NOW: UnixTime = UnixTime(1_795_000_000);

/// Names of the example that are published without orders.
const NAMES: [&str; 6] = ["vidu-congty.vn", "dungchung.vn", "tengiucho2.vn", "vidu.com.vn", "vidu-glue.vn", "trung2.org.vn"];

/// A small generator of numbers; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// A registry with the example's export, its own copies of all inputs, and a state.
struct Office {
    dir: TempDir,
    policy: Option<sign::Policy>,
    n_orders: usize,
}

impl Office {
    fn new(policy: Option<sign::Policy>) -> Self {
        let dir = TempDir::new().expect("dir");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("zones"), &dir.path().join("zones"));
        std::fs::create_dir(dir.path().join("keys")).expect("made");
        Self { dir, policy, n_orders: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn plan(&self) -> Plan {
        let zones = self.path("zones");
        let registry = RegistryPlan {
            deposits: zones.join("example-export"),
            orders: zones.join("example-export/orders.jsonl"),
            ledger: ["state/orders/ledger.jsonl", "state/orders-copy/ledger.jsonl"].map(|file| self.path(file)),
            second_level: zones.join("second-level.toml"),
            infrastructure: zones.join("infrastructure.toml"),
            profiles: None,
            idn_table: None,
            prohibited: None,
            delegated: None,
            deposit_keys: Vec::new(),
            max_shrink_percent: 50,
            profile: "92-2003".into(),
            at_watermark: true,
            policy: self.policy.clone(),
            rsa_bits: 2048,
            notice: Notice::default(),
        };
        Plan {
            registry: Some(registry),
            files: Vec::new(),
            catalogs: Vec::new(),
            secondaries: Vec::new(),
            zonemd: BTreeMap::new(),
            keys: self.path("keys"),
        }
    }

    fn open(&self, state: &str) -> Pipeline {
        let (pipeline, problems) = Pipeline::open(Journal::open(&self.path(state)).expect("free"));
        assert!(problems.is_empty(), "{problems:?}");
        pipeline
    }

    /// Files an order; gives its name.
    fn file(&mut self, pipeline: &mut Pipeline, kind: &str, name: &str, refers_to: Option<&str>) -> String {
        self.n_orders += 1;
        let id = format!("T-{}", self.n_orders);
        let ground = if kind == "restore" { "RESTORE_13_4" } else { "INVESTIGATION" };
        let mut order = serde_json::json!({
            "order_id": id, "type": kind, "domain": name, "authority": "A05", "legal_ground": ground, "evidence_ref": "E", "operator": "a", "approver": "b",
        });
        if let Some(refers_to) = refers_to {
            order["refers_to"] = refers_to.into();
        }
        let filing: Filing = serde_json::from_value(order).expect("a filing");
        let (grounds, standing) = (Grounds::built_in(), |_: &str| Standing::Registrable);
        let rules = Rules { grounds: &grounds, protected: &[], standing: &standing };
        let ledger = pipeline.book().ledger().expect("open");
        let Ok(Filed::New(order)) = filing.judge(ledger.orders(), &rules, NOW) else { panic!("{name} is taken") };
        ledger.add(*order).expect("added");
        ledger.commit().expect("durable");
        id
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Owner, type, TTL and RDATA.
type Line = (Name, Rtype, u32, Vec<u8>);

/// The content of all zones: without what signing puts there, and without SOA.
fn contents(pipeline: &Pipeline) -> BTreeMap<Name, BTreeSet<Line>> {
    let is_content = |rtype: Rtype| {
        !matches!(
            rtype,
            Rtype::SOA
                | Rtype::RRSIG
                | Rtype::NSEC
                | Rtype::NSEC3
                | Rtype::NSEC3PARAM
                | Rtype::DNSKEY
                | Rtype::CDS
                | Rtype::CDNSKEY
                | Rtype::ZONEMD
        )
    };
    let lines = |records: &Records| {
        let content = records.iter().filter(|record| is_content(record.rtype));
        content.map(|record| (record.owner.to_lowercase(), record.rtype, record.ttl, record.rdata.to_vec())).collect()
    };
    pipeline.live().iter().map(|(apex, live)| (apex.clone(), lines(&live.zone.records()))).collect()
}

/// Every zone verifies as a whole.
fn verify(pipeline: &Pipeline) {
    for (apex, live) in pipeline.live() {
        if let Err(faults) = sign::verify(&live.zone.records(), apex.as_ref(), &[], NOW, 1) {
            panic!("{apex}: {}", faults[0]);
        }
    }
}
