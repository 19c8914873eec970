//! Reading and compiling a generated export of real size: `compile/full_100k`.
//!
//! `SAOLA_BENCH_EXPORT=DIR SAOLA_BENCH_NAMES=700000 cargo bench --bench compile` writes such a deposit and ends, so that the
//! tool itself can be measured on it.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput};
use saola::compile::{DelegatedStats, Infrastructure, Notice, Policy, Profile, Prohibited, SecondLevels, Ttls, compile};
use saola::dns::idn::Repertoire;
use saola::orders::Orders;
use saola::registry::{Deposit, ReadOptions};

const SEED: u64 = 19_940_429;

fn main() {
    if let Ok(folder) = std::env::var("SAOLA_BENCH_EXPORT") {
        let names = std::env::var("SAOLA_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(700_000);
        generate(Path::new(&folder), names);
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    full_100k(&mut criterion);
    criterion.final_summary();
}

fn full_100k(criterion: &mut Criterion) {
    let names = 100_000;
    let folder = tempfile::TempDir::new().expect("folder");
    generate(folder.path(), names);
    let policy = policy();
    let mut group = criterion.benchmark_group("compile");
    group.throughput(Throughput::Elements(names as u64));
    group.bench_function("full_100k", |bencher| {
        bencher.iter(|| {
            let deposit = Deposit::read(folder.path(), &ReadOptions::default()).expect("whole");
            let at = deposit.header.watermark;
            black_box(compile(&deposit, &Orders::none(), &policy, at, None).expect("compiles"))
        });
    });
    group.finish();
}

fn policy() -> Policy {
    let idn = Repertoire::parse(include_str!("../zones/idn-vi.txt")).expect("repertoire");
    let second_levels = SecondLevels::parse(include_str!("../zones/second-level.toml")).expect("list");
    Policy {
        profile: Profile::named("92-2003").expect("built in"),
        infrastructure: Infrastructure::parse(include_str!("../zones/infrastructure.toml"), second_levels.apexes()[0].as_ref())
            .expect("servers"),
        second_levels,
        prohibited: Prohibited::parse(include_bytes!("../zones/example-export/prohibited.csv"), &idn).expect("phrases"),
        idn,
        delegated: DelegatedStats::none(),
        ttls: Ttls::default(),
        notice: Notice::default(),
    }
}

/// A FULL with about the mix of .vn: most names directly below vn or com.vn, a few hundred hosting name servers, one name in
/// ten with its own hosts, one in ten signed, one in eight Vietnamese.
fn generate(folder: &Path, names: usize) {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let idn = Repertoire::parse(include_str!("../zones/idn-vi.txt")).expect("repertoire");
    let mut domain =
        String::from("name,roid,u_name,idn_table,original_name,registrant_class,cl_id,cr_date,ex_date,fee_state,entitlement_ref,target\n");
    let mut statuses = String::from("name,roid,status,rgp_status\n");
    let mut servers = String::from("name,roid,host\n");
    let mut dnssec = String::from("name,roid,key_tag,alg,digest_type,digest\n");
    let mut host = String::from("name,roid,cl_id,cr_date\n");
    let mut addresses = String::from("name,addr,ver\n");
    for i in 0..500 {
        for n in 1..=2 {
            writeln!(host, "ns{n}.hosting{i}.example,H{i}-{n},R01,2025-03-10T02:00:00Z").expect("text");
        }
    }
    let syllables = ["an", "binh", "cong", "dai", "gia", "hoa", "khanh", "long", "minh", "nam", "phu", "quang", "son", "tan", "viet"];
    let toned = ["ân", "bình", "công", "đại", "gia", "hoà", "khánh", "lộng", "mỉnh", "năm", "phú", "quảng", "sơn", "tấn", "việt"];
    for i in 0..names {
        let pick = [rng.usize(..15), rng.usize(..15)];
        let zone = *rng.choice(["vn", "vn", "vn", "com.vn", "com.vn", "net.vn", "edu.vn", "hanoi.vn"].iter()).expect("some");
        let plain = format!("{}{}{i}", syllables[pick[0]], syllables[pick[1]]);
        let (name, u_name) = if rng.u8(..8) == 0 {
            let label = format!("{}{}{i}", toned[pick[0]], toned[pick[1]]);
            match idn.to_a_label(&label) {
                Ok(a_label) if a_label != label => (format!("{a_label}.{zone}"), format!("{label}.{zone}")),
                _ => (format!("{plain}.{zone}"), String::new()),
            }
        } else {
            (format!("{plain}.{zone}"), String::new())
        };
        let roid = format!("D{i:07}-VN");
        writeln!(domain, "{name},{roid},{u_name},,,org,R01,2025-03-10T02:00:00Z,2027-03-10T02:00:00Z,paid,,").expect("text");
        let status = if rng.u8(..100) == 0 { "serverHold" } else { "ok" };
        writeln!(statuses, "{name},{roid},{status},").expect("text");
        let own = rng.u8(..10) == 0;
        let hosting = rng.usize(..500);
        for n in 1..=2 {
            if own {
                writeln!(servers, "{name},{roid},ns{n}.{name}").expect("text");
                writeln!(host, "ns{n}.{name},H{roid}-{n},R01,2025-03-10T02:00:00Z").expect("text");
                writeln!(addresses, "ns{n}.{name},192.0.2.{},v4", rng.u8(..)).expect("text");
            } else {
                writeln!(servers, "{name},{roid},ns{n}.hosting{hosting}.example").expect("text");
            }
        }
        if rng.u8(..10) == 0 {
            writeln!(dnssec, "{name},{roid},{},13,2,{:064X}", rng.u16(..), rng.u128(..)).expect("text");
        }
    }
    let files = [
        ("domain.csv", domain),
        ("domainStatuses.csv", statuses),
        ("domainNameServers.csv", servers),
        ("dnssec.csv", dnssec),
        ("host.csv", host),
        ("hostAddresses.csv", addresses),
        ("nndn.csv", "name,state,reason,article\n".to_owned()),
    ];
    fs::create_dir_all(folder).expect("folder");
    let (mut listed, mut rows_of) = (String::new(), Vec::new());
    for (name, text) in &files {
        let rows = text.lines().count() - 1;
        rows_of.push(rows);
        let sha256 = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
        let crc32 = crc32fast::hash(text.as_bytes());
        let bytes = text.len();
        writeln!(listed, "[[file]]\nname = \"{name}\"\nrows = {rows}\nbytes = {bytes}\ncrc32 = \"{crc32:08X}\"\nsha256 = \"{sha256}\"")
            .expect("text");
        fs::write(folder.join(name), text).expect("file");
    }
    let header = format!(
        "[deposit]\nformat = \"vn-rde-1\"\ntype = \"FULL\"\nid = \"bench\"\nprev_id = \"\"\nresend = 0\ntld = \"vn\"\n\
         watermark = \"2026-11-21T00:00:00Z\"\n[totals]\ndomain = {}\nhost = {}\n{listed}",
        rows_of[0], rows_of[4]
    );
    fs::write(folder.join("deposit.toml"), header).expect("header");
}
