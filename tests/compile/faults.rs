//! Faulty deposits: each is refused with its code, and with the file and line where there is one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ring::signature::{Ed25519KeyPair, KeyPair};
use saola::dns::UnixTime;
use saola::registry::{
    Applied, Approval, Deposit, DepositError, HostId, PublicKey, ReadOptions, Reason, RowId, SignaturePolicy, check_not_stale,
    check_shrink, newest_full,
};
use tempfile::TempDir;

use crate::export::{Export, example, seal};

/// A copy of the example to damage.
fn copy() -> TempDir {
    let folder = TempDir::new().expect("folder");
    for entry in fs::read_dir(example()).expect("example") {
        let entry = entry.expect("entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copy");
    }
    folder
}

fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join(file);
    let mut bytes = fs::read(&path).expect("file");
    change(&mut bytes);
    fs::write(path, bytes).expect("file");
}

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    edit(folder, file, |bytes| {
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(text.contains(from), "{file} holds '{from}'");
        *bytes = text.replacen(from, to, 1).into_bytes();
    });
}

/// Writes the sums anew, as a registry with a fault of its own would.
fn reseal(folder: &Path) {
    let header = fs::read_to_string(folder.join("deposit.toml")).expect("header");
    let head = header.split("# objects").next().expect("head").to_owned();
    seal(folder, &head);
}

#[track_caller]
fn refused(folder: &Path, reason: Reason, shown: &str) -> DepositError {
    let error = Deposit::read(folder, &ReadOptions::default()).expect_err("refused");
    assert_eq!(error.reason, reason, "{error}");
    assert!(error.to_string().contains(shown), "'{error}' names '{shown}'");
    assert!(error.to_string().starts_with(reason.code()));
    error
}

#[test]
fn f01_a_flipped_octet() {
    for (file, at) in [("domain.csv", 0), ("domain.csv", 2000), ("dnssec.csv", 190), ("nndn.csv", 60)] {
        let folder = copy();
        edit(folder.path(), file, |bytes| bytes[at] ^= 0x20);
        refused(folder.path(), Reason::Checksum, file);
    }
    let folder = copy();
    edit(folder.path(), "domain.csv", |bytes| bytes.push(b'\n'));
    refused(folder.path(), Reason::Checksum, "4081 octets");
    let folder = copy();
    replace(folder.path(), "deposit.toml", "2696d90e", "2696d90f");
    refused(folder.path(), Reason::Checksum, "sha256");
}

#[test]
fn f02_rows_are_counted() {
    for (from, to) in [("rows = 48", "rows = 49"), ("rows = 87", "rows = 86"), ("rows = 17", "rows = 18")] {
        let folder = copy();
        replace(folder.path(), "deposit.toml", from, to);
        refused(folder.path(), Reason::RowCount, &format!("deposit.toml says {}", &to[7..]));
    }
}

#[test]
fn f03_totals_are_counted() {
    for (from, to) in
        [("domain = 47", "domain = 48"), ("host = 20", "host = 19"), ("registrar = 2", "registrar = 3"), ("nndn = 2", "nndn = 0")]
    {
        let folder = copy();
        replace(folder.path(), "deposit.toml", from, to);
        refused(folder.path(), Reason::Totals, "[totals] says");
    }
}

#[test]
fn f08_the_file_set_is_exact() {
    let folder = copy();
    fs::remove_file(folder.path().join("idn.csv")).expect("removed");
    refused(folder.path(), Reason::FileSet, "idn.csv: listed in deposit.toml, but not in the folder");
    for extra in ["extra.csv", ".hidden", "deletes_domain.csv", "domain.csv.bak"] {
        let folder = copy();
        fs::write(folder.path().join(extra), "").expect("written");
        refused(folder.path(), Reason::FileSet, &format!("{extra}: in the folder, but not listed"));
    }
    let folder = copy();
    fs::create_dir(folder.path().join("sub")).expect("made");
    refused(folder.path(), Reason::FileSet, "sub");
    let folder = copy();
    replace(folder.path(), "deposit.toml", "\"idn.csv\"", "\"domain.csv\"");
    refused(folder.path(), Reason::FileSet, "listed twice");
    let folder = copy();
    fs::rename(folder.path().join("idn.csv"), folder.path().join("contact.csv")).expect("renamed");
    replace(folder.path(), "deposit.toml", "\"idn.csv\"", "\"contact.csv\"");
    refused(folder.path(), Reason::FileSet, "no such file");
    let folder = copy();
    fs::remove_file(folder.path().join("dnssec.csv")).expect("removed");
    reseal(folder.path());
    refused(folder.path(), Reason::FileSet, "a FULL needs this file");
    let folder = copy();
    fs::remove_file(folder.path().join("deposit.toml")).expect("removed");
    refused(folder.path(), Reason::FileSet, "deposit.toml");
}

#[test]
fn f09_syntax_is_told_with_file_and_line() {
    let cases: [(&str, &str, &str, u64, &str); 6] = [
        ("domain.csv", "bigiu.vn,", "bigiu.vn,,", 6, "more than 12 fields"),
        ("host.csv", "ns2.vidu.com.vn,", "ns2.vidu.com.vn", 3, "3 fields, want 4"),
        ("domain.csv", "tukhoa", "tuk\0hoa", 7, "NUL"),
        ("nndn.csv", "name,state", "name,status", 1, "header line"),
        ("nndn.csv", "entitlement needed\"", "entitlement needed", 3, "not closed"),
        ("hostStatuses.csv", "linked\n", "linked\r\n", 2, "carriage return"),
    ];
    for (file, from, to, line, shown) in cases {
        let folder = copy();
        replace(folder.path(), file, from, to);
        reseal(folder.path());
        let error = refused(folder.path(), Reason::CsvSyntax, shown);
        assert_eq!((&error.file[..], error.line), (file, line));
    }
    let folder = copy();
    edit(folder.path(), "registrar.csv", |bytes| bytes[30] = 0xff);
    reseal(folder.path());
    let error = refused(folder.path(), Reason::CsvSyntax, "registrar.csv line 2: not UTF-8");
    assert_eq!(error.line, 2);
}

#[test]
fn a_large_file_is_told_by_its_lines_too() {
    // Far more than is read as one piece.
    let mut export = Export::new();
    for i in 0..4000 {
        export = export.domain(&format!("ten{i}.vn"), &[&format!("ns{}.may.example", i % 7), &format!("NS{}.may.example.", i % 1000)]);
        if i % 1000 == 999 {
            export = export.row("domainNameServers.csv", &format!("khong{i}.vn,,ns1.may.example"));
        }
    }
    let folder = TempDir::new().expect("folder");
    export.write(folder.path());
    let objects = Deposit::read(folder.path(), &ReadOptions::default()).expect("whole").objects;
    let note = |line: u32, i: u32| format!("domainNameServers.csv line {line}: 'khong{i}.vn' with this roid is no domain, disregarded");
    assert_eq!(objects.notes(), [note(2002, 999), note(4003, 1999), note(6004, 2999), note(8005, 3999)]);
    // Hosts are numbered as they come first, whatever their case, and every row has its own.
    let text = |host: HostId| objects.text(objects.host(host).name);
    let hosts: Vec<&str> = (0..objects.hosts().len() as u32).map(|i| text(HostId(i))).collect();
    assert_eq!(
        (hosts.len(), &hosts[..3], hosts[999]),
        (1000, &["ns0.may.example", "ns1.may.example", "ns2.may.example"][..], "NS999.may.example")
    );
    for row in 0..4000 {
        let servers: Vec<u32> = objects.name_servers(RowId(row)).iter().map(|host| host.0).collect();
        assert_eq!(servers, [row % 7, row % 1000], "row {row}");
    }

    let export = export.row("domainNameServers.csv", "ten0.vn,D-ten0.vn").row("domainNameServers.csv", "\"ten1.vn\" ");
    export.write(folder.path());
    refused(folder.path(), Reason::CsvSyntax, "domainNameServers.csv line 8006: 2 fields, want 3");
}

#[test]
fn f14_signatures() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).expect("seed");
    let key = PublicKey::new(pair.public_key().as_ref().try_into().expect("32 octets"));
    let required = ReadOptions { signatures: SignaturePolicy { keys: vec![key], required: true }, ..ReadOptions::default() };
    let code = |folder: &Path| Deposit::read(folder, &required).map(drop).map_err(|error| error.reason);

    let folder = copy();
    assert_eq!(code(folder.path()), Err(Reason::Signature), "absent");
    let header = fs::read(folder.path().join("deposit.toml")).expect("header");
    fs::write(folder.path().join("deposit.toml.sig"), pair.sign(&header).as_ref()).expect("signed");
    assert_eq!(code(folder.path()), Ok(()));
    assert!(Deposit::read(folder.path(), &ReadOptions::default()).is_ok(), "not required: taken");
    replace(folder.path(), "deposit.toml", "20261121001", "20261121002");
    assert_eq!(code(folder.path()), Err(Reason::Signature), "over another header");
    // The signature is judged before anything else of the deposit.
    edit(folder.path(), "domain.csv", |bytes| bytes[9] ^= 1);
    assert_eq!(code(folder.path()), Err(Reason::Signature));
}

fn applied(watermark: &str, published: &[(&str, u64)]) -> Applied {
    let published: BTreeMap<String, u64> = published.iter().map(|(zone, n)| ((*zone).to_owned(), *n)).collect();
    Applied { id: "before".into(), watermark: UnixTime::parse_rfc3339(watermark).expect("time"), resend: 0, published }
}

#[test]
fn f05_an_older_full_is_stale() {
    let read = |resend: u32| {
        let folder = TempDir::new().expect("folder");
        Export { resend, ..Export::new() }.domain("vidu.vn", &["ns1.khac.example"]).write(folder.path());
        Deposit::read(folder.path(), &ReadOptions::default()).expect("whole")
    };
    let code = |deposit: &Deposit, applied: Option<&Applied>, approval| {
        check_not_stale(&deposit.header, applied, approval).map_err(|error| error.reason)
    };
    let (plain, again) = (read(0), read(1));
    let newer = applied("2026-11-21T00:00:01Z", &[]);
    let same = applied("2026-11-21T00:00:00Z", &[]);
    assert_eq!(code(&plain, None, Approval::None), Ok(()));
    assert_eq!(code(&plain, Some(&same), Approval::None), Ok(()));
    assert_eq!(code(&plain, Some(&newer), Approval::None), Err(Reason::Stale));
    assert_eq!(code(&plain, Some(&newer), Approval::Given), Err(Reason::Stale), "the resend is not raised");
    assert_eq!(code(&again, Some(&newer), Approval::None), Err(Reason::Stale), "nobody confirms");
    assert_eq!(code(&again, Some(&newer), Approval::Given), Ok(()));
    let text = serde_json::to_string(&newer).expect("json");
    assert_eq!(serde_json::from_str::<Applied>(&text).expect("json"), newer);
}

#[test]
fn f07_a_mass_change_waits_for_a_second_person() {
    let folder = TempDir::new().expect("folder");
    Export::new().domain("vidu.vn", &["ns1.khac.example"]).write(folder.path());
    let deposit = Deposit::read(folder.path(), &ReadOptions::default()).expect("whole");
    let check = |before: &[(&str, u64)], after: &[(&str, u64)], percent: u32, approval| {
        let applied = applied("2026-11-01T00:00:00Z", before);
        let after = after.iter().map(|(zone, n)| ((*zone).to_owned(), *n)).collect();
        check_shrink(&deposit, Some(&applied), &after, percent, approval).map_err(|error| error.reason)
    };
    let held = Err(Reason::MassChange);
    assert_eq!(check(&[("vn", 100)], &[("vn", 95)], 5, Approval::None), Ok(()));
    assert_eq!(check(&[("vn", 100)], &[("vn", 94)], 5, Approval::None), held);
    assert_eq!(check(&[("vn", 100)], &[("vn", 94)], 5, Approval::Given), Ok(()));
    assert_eq!(check(&[("vn", 100)], &[("vn", 94)], 6, Approval::None), Ok(()));
    assert_eq!(check(&[("vn", 100), ("com.vn", 3)], &[("vn", 200), ("com.vn", 2)], 5, Approval::None), held, "each zone by itself");
    assert_eq!(check(&[("vn", 1)], &[], 5, Approval::None), held, "a zone that is gone");
    assert_eq!(check(&[("vn", 0)], &[("vn", 0)], 5, Approval::None), Ok(()));
    assert_eq!(check(&[("vn", u64::MAX)], &[("vn", u64::MAX)], 5, Approval::None), Ok(()));
    assert!(check_shrink(&deposit, None, &BTreeMap::new(), 5, Approval::None).is_ok(), "the first FULL is no shrink");
}

#[test]
fn f15_an_empty_export_is_held() {
    let folder = TempDir::new().expect("folder");
    Export::new().write(folder.path());
    let deposit = Deposit::read(folder.path(), &ReadOptions::default()).expect("whole, with right sums");
    let check =
        |applied: Option<&Applied>, approval| check_shrink(&deposit, applied, &BTreeMap::new(), 5, approval).map_err(|error| error.reason);
    assert_eq!(check(None, Approval::None), Err(Reason::MassChange));
    assert_eq!(check(Some(&applied("2026-11-01T00:00:00Z", &[])), Approval::None), Err(Reason::MassChange));
    assert_eq!(check(None, Approval::Given), Ok(()));
}

#[test]
fn a_diff_is_proven_but_does_not_stand_alone() {
    let diff = crate::export::zones("example-export/vn_2026-11-22_diff_S1_R0");
    let deposit = Deposit::read(&diff, &ReadOptions::default()).expect("the DIFF of the example is whole");
    let code = |applied: Option<&Applied>| check_not_stale(&deposit.header, applied, Approval::None).map_err(|error| error.reason);
    assert_eq!(code(None), Err(Reason::OutOfOrder));
    let mut last = applied("2026-11-21T00:00:00Z", &[]);
    assert_eq!(code(Some(&last)), Err(Reason::OutOfOrder), "F04");
    last.id = "20261121001".into();
    assert_eq!(code(Some(&last)), Ok(()));
    let rules = crate::export::Rules::new();
    assert!(saola::compile::compile(&deposit, &rules.orders, &rules.policy, deposit.header.watermark, None).is_err());
}

#[test]
fn limits_and_odd_folders() {
    let folder = copy();
    let small = ReadOptions { max_bytes: 10_000, ..ReadOptions::default() };
    assert_eq!(Deposit::read(folder.path(), &small).map(drop).map_err(|error| error.reason), Err(Reason::FileSet));
    assert_eq!(
        Deposit::read(Path::new("no-such-folder"), &ReadOptions::default()).map(drop).map_err(|error| error.reason),
        Err(Reason::Unreadable)
    );
    fs::remove_file(folder.path().join("idn.csv")).expect("removed");
    fs::create_dir(folder.path().join("idn.csv")).expect("made");
    refused(folder.path(), Reason::Unreadable, "not a regular file");
    fs::write(folder.path().join("deposit.toml"), vec![b' '; 2 << 20]).expect("written");
    refused(folder.path(), Reason::FileSet, "1 MiB");
}

#[test]
fn the_newest_full_is_found() {
    let check = |from: &Path, taken: &Path, passed_over: &[&str]| {
        let found = newest_full(from).expect("a FULL");
        assert_eq!(found.folder, taken);
        assert_eq!(found.passed_over.len(), passed_over.len(), "{:?}", found.passed_over);
        assert!(found.passed_over.iter().zip(passed_over).all(|(found, expected)| found.contains(expected)), "{:?}", found.passed_over);
    };
    check(&example(), &example(), &[]);
    // The FULL, not the DIFF.
    check(example().parent().expect("parent"), &example(), &[]);
    let folder = TempDir::new().expect("folder");
    for (name, watermark, resend) in [("a", "2026-01-02T00:00:00Z", 0), ("b", "2026-01-02T00:00:00Z", 1), ("c", "2026-01-01T00:00:00Z", 9)]
    {
        Export { watermark: watermark.into(), resend, ..Export::new() }.write(&folder.path().join(name));
    }
    let older = "c' is passed over for 'b': its watermark 2026-01-01T00:00:00Z is older";
    check(folder.path(), &folder.path().join("b"), &[older]);
    fs::create_dir(folder.path().join("d")).expect("made");
    fs::write(folder.path().join("d/deposit.toml"), "junk").expect("written");
    check(folder.path(), &folder.path().join("b"), &[older, "d' is passed over for 'b': HEADER"]);
    assert!(newest_full(&folder.path().join("none")).is_err());
}
