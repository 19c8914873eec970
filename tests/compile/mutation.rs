//! Deposits damaged at random, with sums that fit: refused or compiled, never a panic.

use std::fs;

use saola::compile::compile;
use saola::registry::{Deposit, ReadOptions};
use tempfile::TempDir;

use crate::export::{Rules, example, seal};

const SEED: u64 = 92_2003;

#[test]
fn damaged_deposits_are_refused_or_compiled() {
    let rules = Rules::new();
    let header = fs::read_to_string(example().join("deposit.toml")).expect("header");
    let head = header.split("# objects").next().expect("head").to_owned();
    let files: Vec<(String, Vec<u8>)> = fs::read_dir(example())
        .expect("example")
        .map(|entry| entry.expect("entry"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("file")))
        .filter(|(name, _)| name.ends_with(".csv"))
        .collect();
    let mut rng = fastrand::Rng::with_seed(SEED);
    let folder = TempDir::new().expect("folder");
    let (mut refused, mut compiled) = (0, 0);
    for round in 0..250 {
        for (name, bytes) in &files {
            fs::write(folder.path().join(name), bytes).expect("file");
        }
        let (name, bytes) = rng.choice(files.iter()).expect("some");
        let mut bytes = bytes.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..5) {
                0 => bytes[at] ^= 1 << rng.u8(..7),
                1 => bytes[at] = *rng.choice(b",.\n-x0\"V_").expect("some"),
                2 => bytes.insert(at, *rng.choice(b"a.-,x").expect("some")),
                3 => drop(bytes.remove(at)),
                _ => bytes.truncate(at + 1),
            }
        }
        fs::write(folder.path().join(name), &bytes).expect("file");
        seal(folder.path(), &head);
        match Deposit::read(folder.path(), &ReadOptions::default()) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            Ok(deposit) => {
                let at = deposit.header.watermark;
                let result = compile(&deposit, &rules.orders, &rules.policy, at, None);
                let outcomes = result.unwrap_or_else(|error| panic!("seed {SEED} round {round}: {error}")).outcomes;
                assert_eq!(outcomes.len(), deposit.objects.domains().len());
                compiled += 1;
            }
        }
    }
    assert!(refused > 50 && compiled > 50, "{refused} refused, {compiled} compiled: the damage is of the right size");
}

#[test]
fn damaged_headers_are_refused_or_read() {
    let header = fs::read(example().join("deposit.toml")).expect("header");
    let folder = TempDir::new().expect("folder");
    for entry in fs::read_dir(example()).expect("example") {
        let entry = entry.expect("entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copy");
    }
    let mut rng = fastrand::Rng::with_seed(SEED);
    for _ in 0..500 {
        let mut damaged = header.clone();
        let at = rng.usize(..damaged.len());
        match rng.u8(..3) {
            0 => damaged[at] = rng.u8(..),
            1 => damaged.truncate(at),
            _ => drop(damaged.remove(at)),
        }
        fs::write(folder.path().join("deposit.toml"), &damaged).expect("header");
        let _ = Deposit::read(folder.path(), &ReadOptions::default());
    }
}
