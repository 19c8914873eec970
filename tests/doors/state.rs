//! The doors of what the machine itself holds: configuration, control requests, snapshots, logs of changes, images.

use std::io::{ErrorKind, Write};
use std::path::Path;

use saola::config::Config;
use saola::control::{self, Doors, DumpError};
use saola::dns::{Name, Records, Serial, UnixTime, master};
use saola::journal::{self, Diffs};
use saola::zone::{Diff, Image, Zone, ZoneSet};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::disk::Disk;

/// A configuration is read or refused, with a message.
pub fn config(text: &[u8]) {
    if let Err(error) = Config::parse(&String::from_utf8_lossy(text), Path::new("saola.toml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// The example's configuration and the template.
pub fn config_seeds() -> Vec<Vec<u8>> {
    let template = include_str!("../../docs/saola.toml.template");
    let all: String = template
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|l| format!("{l}\n"))
        .collect();
    vec![include_bytes!("../../saola.toml").to_vec(), template.as_bytes().to_vec(), all.into_bytes()]
}

/// A line at the control socket gets lines of JSON back, whatever it is.
pub fn line(text: &[u8]) {
    let mut out = Vec::new();
    control::handle(&String::from_utf8_lossy(text), &Closed, &mut out).expect("memory takes it");
    assert!(out.ends_with(b"\n"), "a reply ends its line");
    for line in out.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<Value>(line).expect("a reply is JSON");
    }
}

/// Every request.
pub fn line_seeds() -> Vec<Vec<u8>> {
    let lines = [
        r#"{"verb":"server-status"}"#,
        r#"{"verb":"server-stats"}"#,
        r#"{"verb":"server-reload"}"#,
        r#"{"verb":"server-stop"}"#,
        r#"{"verb":"zone-status","zone":"vn."}"#,
        r#"{"verb":"zone-dump","zone":"vn."}"#,
        r#"{"verb":"zone-reload"}"#,
        r#"{"verb":"zone-refresh","zone":"vn.","whole":true}"#,
        r#"{"verb":"key-list"}"#,
    ];
    lines.map(|line| line.as_bytes().to_vec()).to_vec()
}

/// A snapshot is refused without its checksum, whatever it is; with the right one, records come out that can be written again.
pub fn snapshot(octets: &[u8]) {
    let apex = Name::parse("vn.").expect("a name");
    let decode = |octets: &[u8]| journal::decode(apex.as_ref(), &mut &octets[..]).map(|(records, _)| records);
    assert!(decode(octets).is_err(), "taken without a checksum");
    let Ok(records) = decode(&[octets, &Sha256::digest(octets)].concat()) else { return };
    let mut again = Vec::new();
    journal::encode(apex.as_ref(), &records, &mut again).expect("memory takes it");
    assert_eq!(decode(&again).expect("just written").len(), records.len());
}

/// The zone of the other doors, without the checksum.
pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    let apex = Name::parse("vn.").expect("a name");
    let options = master::Options::new(apex.as_ref());
    let records = master::scan(super::ZONE.as_bytes(), "zone", &options, &mut |_, _| Err(String::new())).expect("good text");
    let mut out = Vec::new();
    let checksum = journal::encode(apex.as_ref(), &records, &mut out).expect("memory takes it");
    out.truncate(out.len() - checksum.len());
    vec![out]
}

/// A log is refused or opened, without and with the right checksums. What opens can be read, goes on, and opens again as it is.
pub fn log(octets: &[u8]) {
    let apex = Name::parse("vn.").expect("a name");
    for octets in [octets.to_vec(), seal_log(octets)] {
        let disk = Disk::with(&octets);
        let Ok(Some(mut diffs)) = Diffs::open(disk.clone(), apex.as_ref()) else { continue };
        let n = diffs.len();
        let steps = diffs.range(diffs.first_serial()).expect("the first is there");
        assert!(steps.count() <= n, "more entries than were counted");
        let last = diffs.last_serial();
        let next = version_change(last, last.next());
        // An entry more than there are numbers is refused.
        let appended = diffs.append(&next, UnixTime(0)).is_ok();
        let again = Diffs::open(disk, apex.as_ref()).expect("just written").expect("there");
        assert_eq!((again.n_cut(), again.len()), (0, n + usize::from(appended)));
        if appended {
            let step = again.range(last).expect("there").next().expect("one").expect("whole");
            assert_eq!((step.from, step.to, step.diff.added.len()), (last, last.next(), next.added.len()));
        }
    }
}

/// A change of the serial and some records.
fn version_change(from: Serial, to: Serial) -> Diff {
    let records = |serial: Serial| {
        let text = format!("@ 900 IN SOA a.dns hostmaster {serial} 30m 10m 2w 900\nx 60 A 192.0.2.{}\nx 60 TXT {serial}\n", serial.0 as u8);
        let apex = Name::parse("vn.").expect("a name");
        let options = master::Options::new(apex.as_ref());
        master::scan(text.as_bytes(), "zone", &options, &mut |_, _| Err(String::new())).expect("good text")
    };
    let (removed, added): (Records, Records) = (records(from), records(to));
    Diff { removed, added }
}

/// Puts the right checksums into a log, read by what its format says.
fn seal_log(octets: &[u8]) -> Vec<u8> {
    const FIXED: usize = 8 + 4 + 16 + 8 + 4 + 16;
    let mut out = octets.to_vec();
    let mut seal = |from: usize, to: usize, before: &[u8]| {
        let entry = out.get_mut(from..to + 16)?;
        if from > 0 {
            entry[48..64].copy_from_slice(before);
        }
        let sum = Sha256::digest(&entry[..to - from])[..16].to_vec();
        entry[to - from..].copy_from_slice(&sum);
        Some(sum)
    };
    let mut at = FIXED;
    while let Some(&len) = octets.get(at).filter(|len| **len > 0) {
        at += 1 + usize::from(len);
    }
    at += 1;
    let _ = seal(0, at, &[]);
    let mut before = octets.get(40..56).unwrap_or_default().to_vec();
    at += 16;
    while let Some(field) = octets.get(at + 24..at + 32) {
        let len = u64::from_be_bytes(field.try_into().expect("eight octets"));
        let Some(len) = usize::try_from(len).ok().filter(|len| (88..=octets.len()).contains(len)) else { break };
        let Some(sum) = seal(at, at + len - 16, &before) else { break };
        before = sum;
        at += len;
    }
    out
}

/// A log of three changes, and one whose oldest went.
pub fn log_seeds() -> Vec<Vec<u8>> {
    let apex = Name::parse("vn.").expect("a name");
    let disk = Disk::default();
    let mut diffs = Diffs::start(disk.clone(), apex.as_ref(), Serial(1)).expect("memory takes it");
    for serial in 1..4 {
        diffs.append(&version_change(Serial(serial), Serial(serial + 1)), UnixTime(0)).expect("memory takes it");
    }
    let whole = disk.octets();
    assert!(seal_log(&whole) == whole, "a good log is as it would be sealed");
    diffs.trim(journal::Bounds { octets: 4096, entries: 2 }, Serial(4)).expect("memory takes it").expect("too large");
    vec![whole, disk.octets()]
}

/// An image is refused without its checksums, whatever it is; with the right ones, the zones come out that are in it or nothing.
pub fn image(octets: &[u8]) -> Vec<Zone> {
    let apex = Name::parse("vn.").expect("a name");
    let read = |octets: &[u8]| {
        let read_at = |out: &mut [u8], at: u64| {
            let there = usize::try_from(at).ok().and_then(|at| octets.get(at..at.checked_add(out.len())?));
            out.copy_from_slice(there.ok_or(ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        Image::open(apex.as_ref(), octets.len() as u64, &read_at)?.zone()
    };
    [Some(octets.to_vec()), seal(octets)].into_iter().flatten().filter_map(|octets| read(&octets).ok()).collect()
}

/// Puts the right checksums into an image, read by what its format says.
fn seal(octets: &[u8]) -> Option<Vec<u8>> {
    let mut out = octets.to_vec();
    let number = |at: usize| Some(u64::from_le_bytes(octets.get(at..at.checked_add(8)?)?.try_into().ok()?));
    let size = |at: usize| number(at).filter(|&n| n < 1 << 20).map(|n| n as usize);
    let mut place = 24 + size(16)?;
    let mut at = 24;
    for _ in 0..3 {
        at += 8 + size(at)?;
    }
    let seed = number(at)?;
    let (pieces, nodes, buckets) = (size(at + 64)?, size(at + 72)?, size(at + 80)?);
    let kind = *octets.get(at + 88)?;
    let chain = match kind {
        1 => [size(at + 89)? * 4, 0, 0],
        2 => {
            let salt = size(at + 97)?;
            let (shift, n) = (size(at + 105 + salt)?, size(at + 113 + salt)?);
            [n * 20, n * 4, ((1usize << 32usize.checked_sub(shift).filter(|bits| *bits < 20)?) + 1) * 4]
        }
        _ => [0; 3],
    };
    let head = crc32fast::hash(out.get(..place)?);
    out.get_mut(place..place + 4)?.copy_from_slice(&head.to_le_bytes());
    place += 4;
    for len in [pieces, nodes, buckets * 64].into_iter().chain(chain).filter(|len| *len > 0) {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&(place as u64).to_le_bytes());
        hasher.update(out.get(place..place + len)?);
        out.get_mut(place + len..place + len + 4)?.copy_from_slice(&hasher.finalize().to_le_bytes());
        place += len + 4;
    }
    Some(out)
}

/// Images of the zone of the other doors, unsigned and in each denial.
pub fn image_seeds() -> Vec<Vec<u8>> {
    let apex = Name::parse("vn.").expect("a name");
    let image = |set: &ZoneSet| {
        let mut out = Vec::new();
        set.get(apex.as_ref()).expect("there").write_image(b"account", &mut out).expect("memory takes it");
        assert_eq!(seal(&out).as_ref(), Some(&out), "a good image is as it would be sealed");
        out
    };
    super::zones().iter().map(image).collect()
}

/// Text in the three forms of time.
pub fn time(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(time) = UnixTime::parse_rfc3339(&text) {
        assert_eq!(UnixTime::parse_rfc3339(&time.to_string()), Some(time));
    }
    let _ = UnixTime::parse_rrsig(text.as_bytes());
}

/// Times at the edges.
pub fn time_seeds() -> Vec<Vec<u8>> {
    [
        "2026-11-21T00:00:00Z",
        "2024-02-29T23:59:60.5+07:00",
        "1970-01-01T00:00:00-00:00",
        "9999-12-31T23:59:59Z",
        "20261121000000",
        "4294967295",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A daemon that does nothing.
struct Closed;

impl Doors for Closed {
    fn server_status(&self) -> Value {
        json!({})
    }
    fn server_stats(&self) -> Value {
        json!({})
    }
    fn reload(&self, _: Option<&str>) -> Result<Value, String> {
        Err("closed".into())
    }
    fn zone_refresh(&self, _: &str, _: bool) -> Result<(), String> {
        Err("closed".into())
    }
    fn stop(&self) {}
    fn zone_status(&self, _: Option<&str>) -> Result<Value, String> {
        Ok(json!([]))
    }
    fn zone_dump(&self, zone: &str, out: &mut dyn Write) -> Result<(), DumpError> {
        Ok(writeln!(out, "{zone}")?)
    }
    fn order_file(&self, _: Vec<saola::orders::Filing>) -> Result<Value, String> {
        Err(String::new())
    }
    fn order_impact(&self, _: String) -> Result<Value, String> {
        Err(String::new())
    }
    fn order_list(&self, _: Option<String>, _: bool, _: u64) -> Result<Value, String> {
        Err(String::new())
    }
    fn order_show(&self, _: String) -> Result<Value, String> {
        Err(String::new())
    }
    fn order_report(&self) -> Result<Value, String> {
        Err(String::new())
    }
    fn order_note(&self, _: String, _: Option<String>, _: Option<String>) -> Result<Value, String> {
        Err(String::new())
    }
    fn key_list(&self) -> Result<Value, String> {
        Ok(json!([]))
    }
}
