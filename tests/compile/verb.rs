//! `saola zone compile` as an operator runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::export::{Export, example, zones};

fn saola(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saola")).args(["zone", "compile"]).args(args).output().expect("the tool runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the test")
}

/// Runs the tool; its exit code and what it said on stderr.
fn run(deposit: &Path, out: &Path, more: &[&str]) -> (i32, String) {
    let output = saola(&[&[text(deposit), "--out", text(out)], more].concat());
    (output.status.code().expect("it ends by itself"), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn the_example_comes_out_as_expected() {
    let out = TempDir::new().expect("folder");
    let (code, said) = run(&example(), out.path(), &["--at", "watermark", "--serial", "7"]);
    assert_eq!((code, &said[..]), (0, ""));
    let read = |name: &str| fs::read_to_string(out.path().join(name)).expect(name);
    let expected = fs::read_to_string(zones("example-export/expected-full.csv")).expect("expected");
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| [fields[1], fields[3], fields[4], fields[5], fields[6]].join(","))
        .collect();
    let found = read("outcomes.csv");
    assert_eq!(found.lines().next(), Some("domain,result,reason,findings,zone"));
    assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), expected[1..]);
    assert_eq!(read("hosts.csv"), fs::read_to_string(zones("example-export/expected-hosts.csv")).expect("expected"));
    assert!(read("hanoi.vn.zone").contains("hanoi.vn. 3600 IN SOA a.dns-servers.vn. hostmaster.dns-servers.vn. 7 1800 600 1209600 900\n"));
    assert!(read("vn.zone").contains("ns1.motglue.vn. 3600 IN A 198.51.100.61\n"));
    assert_eq!(fs::read_dir(out.path()).expect("folder").count(), 82);
    // The folder of deposits gives the same, and files beside can be named.
    let again = TempDir::new().expect("folder");
    let ledger = zones("example-export/orders.jsonl");
    let more = ["--at", "2026-11-21T00:00:00Z", "--serial", "7", "--orders", text(&ledger), "--profile", "147-2024"];
    assert_eq!(run(&zones("example-export"), again.path(), &more).0, 0);
    for entry in fs::read_dir(out.path()).expect("folder") {
        let name = entry.expect("entry").file_name();
        assert_eq!(fs::read(again.path().join(&name)).expect("same set"), read(name.to_str().expect("name")).into_bytes(), "{name:?}");
    }
}

#[test]
fn a_refused_deposit_leaves_everything_as_it_was() {
    let place = TempDir::new().expect("folder");
    let (deposit, out, state) = (place.path().join("d"), place.path().join("out"), place.path().join("state.json"));
    let stateful = ["--at", "watermark", "--state", text(&state)];
    let names = |n: usize| (0..n).fold(Export::new(), |export, i| export.domain(&format!("n{i}.vn"), &["ns1.khac.example"]));
    names(20).write(&deposit);
    assert_eq!(run(&deposit, &out, &stateful), (0, String::new()));
    let before = fs::read(out.join("vn.zone")).expect("written");
    let kept = fs::read(&state).expect("written");

    let refused = |code: &str, more: &[&str]| {
        let (exit, said) = run(&deposit, &out, &[&stateful, more].concat());
        assert_eq!(exit, 1, "{said}");
        assert!(said.contains(&format!("refused {code}: ")), "{said}");
        assert_eq!(fs::read(out.join("vn.zone")).expect("there"), before);
        assert_eq!(fs::read(&state).expect("there"), kept);
    };
    names(18).write(&deposit);
    refused("MASS_CHANGE", &[]);
    Export::new().write(&deposit);
    refused("MASS_CHANGE", &[]);
    Export { watermark: "2026-11-20T00:00:00Z".into(), ..names(20) }.write(&deposit);
    refused("STALE", &[]);
    refused("STALE", &["--approve"]);
    let key = place.path().join("key");
    fs::write(&key, data_encoding::BASE64.encode(&[9; 32])).expect("written");
    refused("SIGNATURE", &["--deposit-key", text(&key)]);
    let ledger = place.path().join("ledger");
    fs::write(&ledger, "{}\n{}\n").expect("written");
    names(20).write(&deposit);
    refused("BAD_ORDER", &["--orders", text(&ledger)]);
    fs::write(deposit.join("domain.csv"), "x").expect("written");
    refused("CHECKSUM", &[]);

    names(18).write(&deposit);
    assert_eq!(run(&deposit, &out, &[&stateful[..], &["--approve"]].concat()).0, 0);
    assert_ne!(fs::read(&state).expect("there"), kept);
}

#[test]
fn without_state_the_first_full_is_taken_but_not_an_empty_one() {
    let place = TempDir::new().expect("folder");
    let (deposit, out) = (place.path().join("d"), place.path().join("out"));
    Export::new().write(&deposit);
    let (code, said) = run(&deposit, &out, &[]);
    assert_eq!(code, 1);
    assert!(said.contains("refused MASS_CHANGE"), "{said}");
    assert!(!out.exists(), "nothing is written");
}

#[test]
fn mistakes_in_the_options_are_usage() {
    let out = TempDir::new().expect("folder");
    for more in [
        ["--at", "yesterday"],
        ["--profile", "1-2000"],
        ["--second-level", "no-such-file"],
        ["--gov-ns", "maybe"],
        ["--orders", "no-such-file"],
    ] {
        assert_eq!(run(&example(), out.path(), &more).0, 2, "{more:?}");
    }
}
