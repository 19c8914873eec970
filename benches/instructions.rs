//! User-space instructions of one answer, counted by callgrind: the same on every machine and every run, so that a rise is seen at once.
//!
//! Budgets are what was measured and five hundredths; who makes an answer cheaper lowers them.
//!
//! `cargo bench --bench instructions` prints a table and ends with 1 where an answer costs more than its budget. Needs valgrind, which
//! emulates a processor without SHA extensions: a hash counts about 900 instructions here, and far fewer where they are real.

#![allow(missing_docs)]

mod tld;

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use saola::answer::{Face, Meta, Outcome, Transport, respond};
use saola::dns::{Name, Rtype};
use saola::sign::Denial;
use saola::zone::ZoneSet;
use tld::{NOW, Shape, Tld, question};

/// Answers counted a case.
const ANSWERS: usize = 1000;

/// What reading a request alone costs, and more.
const LEAST: u64 = 1000;

/// A kind of question, how the zone denies, what is asked, and the most instructions that an answer may cost.
struct Case {
    name: &'static str,
    denial: Denial,
    ask: fn(&Tld) -> Vec<Vec<u8>>,
    budget: u64,
}

const CASES: &[Case] = &[
    Case { name: "referral_insecure", denial: Denial::NSEC3_OPT_OUT, ask: |tld| all(&tld.insecure, Rtype::A), budget: 3050 },
    Case { name: "referral_signed", denial: Denial::NSEC3_OPT_OUT, ask: |tld| all(&tld.secure, Rtype::A), budget: 2470 },
    Case { name: "nxdomain_optout", denial: Denial::NSEC3_OPT_OUT, ask: |tld| all(&tld.missing, Rtype::A), budget: 4910 },
    Case { name: "nxdomain_nsec3", denial: Denial::NSEC3, ask: |tld| all(&tld.missing, Rtype::A), budget: 4910 },
    Case { name: "nxdomain_nsec", denial: Denial::Nsec, ask: |tld| all(&tld.missing, Rtype::A), budget: 8710 },
    Case {
        name: "apex_dnskey",
        denial: Denial::NSEC3_OPT_OUT,
        ask: |_| all(&[Name::parse("vn.").expect("a name")], Rtype::DNSKEY),
        budget: 1960,
    },
];

fn all(names: &[Name], rtype: Rtype) -> Vec<Vec<u8>> {
    names.iter().map(|name| question(name, rtype)).collect()
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var("SAOLA_BENCH_CASE") {
        answer(CASES.iter().find(|case| case.name == name).expect("a case"));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not there: nothing counted");
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    for case in CASES {
        let count = count(case.name) / ANSWERS as u64;
        // No answer is that cheap: then something else was counted.
        let is_counted = count > LEAST;
        let verdict = match count <= case.budget {
            _ if !is_counted => "NOT COUNTED",
            true => "ok",
            false => "TOO MANY",
        };
        good &= is_counted && count <= case.budget;
        println!("{:20} {count:6} instructions, budget {:6}  {verdict}", case.name, case.budget);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The work that is counted: only what runs inside [`counted`] is.
fn answer(case: &Case) {
    let tld = tld::make(Shape::like_vn(5000));
    let mut zones = ZoneSet::new();
    zones.insert(Arc::new(tld::serve(tld.records.clone(), case.denial.clone())));
    let questions = (case.ask)(&tld);
    let meta = Meta { transport: Transport::Udp, client: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let mut buffer = vec![0; 65_535];
    for question in questions.iter().cycle().take(ANSWERS) {
        let outcome = counted(&zones, &Face::default(), &meta, question, &mut buffer);
        assert!(matches!(outcome, Outcome::Reply { .. }));
    }
}

/// One answer, in a function of its own that nothing else is inlined into and that is entered once: what callgrind counts.
#[inline(never)]
fn counted(zones: &ZoneSet, face: &Face, meta: &Meta, question: &[u8], buffer: &mut [u8]) -> Outcome {
    respond(zones, face, NOW, meta, question, buffer)
}

/// Runs a case under callgrind; returns the instructions counted.
fn count(case: &str) -> u64 {
    let folder = tempfile::TempDir::new().expect("a folder");
    let out = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program"))
        .env("SAOLA_BENCH_CASE", case)
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if let Ok(kept) = std::env::var("SAOLA_BENCH_KEEP") {
        std::fs::copy(&out, format!("{kept}/{case}.callgrind")).expect("kept");
    }
    let text = std::fs::read_to_string(&out).expect("counts");
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    totals.and_then(|count| count.trim().parse().ok()).expect("a total")
}
