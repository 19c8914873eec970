//! The state folder: which snapshots are in force, what they were made from, and which serials were ever given.
//!
//! `state` is one line `saola-state 3 SHA-256` and JSON below it; `zones/NAME.SERIAL.snapshot` are the zones, `journal/NAME.log` their changes. A snapshot is written
//! under a new name before the state that names it replaces the old one, so state and snapshots always fit together. What changes of single zones
//! is added to `state.amendments` until that is as large as the state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::amendments::{self, Amendments};
use super::images::Images;
use super::snapshot::{self, SnapshotError};
use crate::disk::{self, Batch, FolderLock, LockError, Place};
use crate::dns::{Name, NameRef, Records, Serial};

/// What is in force, as written at the last publish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Digest of everything the registry's zones were compiled from, and what came out; none before the first compile.
    pub compiled: Option<Compiled>,
    /// The zones whose versions are kept here, by apex in presentation form, lower case.
    pub zones: BTreeMap<String, SavedZone>,
    /// Zones that are not served any more and of which a file may not tell all: what they were, should they come back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parked: BTreeMap<String, SavedZone>,
}

/// The account of one compile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compiled {
    /// SHA-256 over all inputs, hexadecimal.
    pub inputs: String,
    /// SHA-256 of the deposit's header, hexadecimal: which deposit it was, to the octet.
    pub header: String,
    /// The deposit's identifier.
    pub deposit: String,
    /// Its watermark, RFC 3339.
    pub watermark: String,
    /// Its resend counter.
    pub resend: u32,
    /// Published names of each zone when it was compiled, by apex without final dot.
    pub published: BTreeMap<String, u64>,
    /// How many lines of the ledger of orders were in that. Later ones change zones, and not these numbers.
    #[serde(default)]
    pub counted: u64,
    /// Names published, excluded and rejected.
    pub names: [u64; 3],
    /// How many lines of the ledger of orders were in it.
    #[serde(default)]
    pub orders: u64,
    /// SHA-256 of the last of them, hexadecimal; empty without any.
    #[serde(default)]
    pub orders_head: String,
    /// Apexes of the zones that came out.
    pub zones: Vec<String>,
}

/// One zone in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedZone {
    /// The snapshot's serial. What was published since is in the log of changes.
    pub serial: u32,
    /// The serial at which `content` and `signing` held.
    pub made: u32,
    /// SHA-256 of the unsigned content, its serial not counted, hexadecimal.
    pub content: String,
    /// SHA-256 of policy and keys, hexadecimal.
    pub signing: String,
    /// Unix time at which signatures are to be renewed; `None` = not signed.
    pub refresh_at: Option<u64>,
    /// Unix times at which a primary last confirmed the zone, and until which it is good; `None` = it is our own.
    #[serde(default)]
    pub good: Option<[u64; 2]>,
    /// A ZONEMD of what it was made from was found right, in every version since.
    #[serde(default)]
    pub proven: bool,
    /// Its primary has records of it that have no place in what is served, and are not kept.
    #[serde(default)]
    pub placeless: bool,
    /// Clients have changed it since it was read from its file.
    #[serde(default)]
    pub changed: bool,
    /// The [id](super::Diffs::id) of the log that has the changes since, hexadecimal; none before the first. Of another log they are of another zone.
    pub log: Option<String>,
    /// The snapshot's file name within `zones/`.
    pub file: String,
    /// Its checksum, hexadecimal.
    pub checksum: String,
}

/// Why the state cannot be used. Zones are made anew then; their serials are kept from the names of the snapshots.
#[derive(Debug)]
pub enum StateError {
    /// The file system says no.
    Io(PathBuf, io::Error),
    /// The file is not what was written.
    Damaged(PathBuf),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "'{}': {error}", path.display()),
            Self::Damaged(path) => {
                write!(f, "'{}' is damaged, zones are made anew and serials go on from the snapshots' names", path.display())
            }
        }
    }
}

impl std::error::Error for StateError {}

/// The state folder, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// What is written into the folder of the zones.
    snapshots: Batch,
    _lock: FolderLock,
}

impl Journal {
    /// Makes the folder if needed and takes its lock.
    ///
    /// # Errors
    /// [`LockError`] when it cannot be made or another process has it.
    pub fn open(folder: &Path) -> Result<Self, LockError> {
        let (zones, changes) = (folder.join("zones"), folder.join("journal"));
        for path in [folder, &zones, &changes] {
            disk::make_folder(path).map_err(|error| LockError::Io(path.to_owned(), error))?;
        }
        // What is synced inside them is lost with the names of the folders.
        disk::sync_folder_of(&changes).map_err(|error| LockError::Io(folder.to_owned(), error))?;
        let snapshots = Batch::new(&zones).map_err(|error| LockError::Io(zones, error))?;
        Ok(Self { _lock: FolderLock::take(folder)?, snapshots, folder: folder.to_owned() })
    }

    /// The images of zones.
    pub fn images(&self) -> Images {
        Images::new(self.folder.join("images"))
    }

    /// The place of the published changes of the zone `apex`: what [`super::Diffs`] opens.
    pub fn diffs(&self, apex: NameRef<'_>) -> Place {
        Place::new(self.folder.join("journal").join(format!("{}.log", stem(apex))))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads what is in force; empty at the very first start.
    ///
    /// # Errors
    /// [`StateError`]; start with an empty one and [`Self::serials`] then.
    pub fn read(&self) -> Result<Saved, StateError> {
        let path = self.folder.join("state");
        let text = match disk::read_text(&path, MAX_STATE) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(StateError::Damaged(path)),
            Err(error) => return Err(StateError::Io(path, error)),
        };
        let (mut saved, checksum) = parse(&text).ok_or(StateError::Damaged(path))?;
        let path = self.amended();
        match amendments::read(&path, checksum, MAX_STATE) {
            Ok(amended) => saved.zones.extend(amended),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(StateError::Damaged(path)),
            Err(error) => return Err(StateError::Io(path, error)),
        }
        Ok(saved)
    }

    fn amended(&self) -> PathBuf {
        self.folder.join("state.amendments")
    }

    /// The zones of which there is a log of changes, as [`stem`] has them.
    pub fn logged(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(self.folder.join("journal")).into_iter().flatten().flatten();
        files.filter_map(|entry| Some(entry.file_name().into_string().ok()?.strip_suffix(".log")?.to_owned())).collect()
    }

    /// The newest serial that any snapshot in the folder bears, by apex: no zone goes behind it, whatever became of the state.
    pub fn serials(&self) -> BTreeMap<String, Serial> {
        let mut serials: BTreeMap<String, Serial> = BTreeMap::new();
        let files = std::fs::read_dir(self.folder.join("zones")).into_iter().flatten().flatten();
        for file in files.filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some((stem, serial)) = file.strip_suffix(".snapshot").and_then(|rest| rest.rsplit_once('.')) else { continue };
            let Ok(serial) = serial.parse().map(Serial) else { continue };
            let newest = serials.entry(stem.to_owned()).or_insert(serial);
            if serial.is_newer_than(*newest) {
                *newest = serial;
            }
        }
        serials
    }

    /// The records of a saved zone.
    ///
    /// # Errors
    /// [`SnapshotError`] when the file is not exactly the one that was saved.
    pub fn load(&self, apex: NameRef<'_>, saved: &SavedZone) -> Result<Records, SnapshotError> {
        // The name comes from a file: it must not lead elsewhere.
        if saved.file.contains('/') {
            return Err(SnapshotError::Malformed);
        }
        let mut file = disk::open(&self.folder.join("zones").join(&saved.file)).map_err(SnapshotError::Io)?;
        let (records, checksum) = snapshot::decode(apex, &mut file)?;
        if HEXLOWER.encode(&checksum) != saved.checksum { Err(SnapshotError::Checksum) } else { Ok(records) }
    }

    /// Writes a snapshot; it is in force once the state names it, which is not before [`Self::sync`]. Returns its file name and checksum.
    ///
    /// # Errors
    /// Of the file system; what is in force stays.
    pub fn save(&self, apex: NameRef<'_>, serial: Serial, records: &Records) -> io::Result<(String, String)> {
        let name = format!("{}.{serial}.snapshot", stem(apex));
        let mut checksum = [0; 32];
        self.snapshots.put(&name, 0o640, |out| {
            checksum = snapshot::encode(apex, records, out)?;
            Ok(())
        })?;
        Ok((name, HEXLOWER.encode(&checksum)))
    }

    /// Makes the snapshots durable that were saved.
    ///
    /// # Errors
    /// Of the file system; none of them may be named then.
    pub fn sync(&self) -> io::Result<()> {
        self.snapshots.sync()
    }

    /// Puts `saved` in force and removes the snapshots of its zones that it no longer names. What it was written as is what [`Self::begin_amendments`] goes on
    /// from.
    ///
    /// The newest snapshot of a zone that is no longer served stays: it keeps the zone's serial, should it come back.
    ///
    /// Cost: that of all zones.
    ///
    /// # Errors
    /// Of the file system; what was in force stays so.
    pub fn commit(&self, saved: &Saved) -> io::Result<Written> {
        let json = serde_json::to_string_pretty(saved).map_err(io::Error::other)?;
        let checksum = HEXLOWER.encode(&Sha256::digest(json.as_bytes()));
        self.sync()?;
        disk::replace(&self.folder.join("state"), 0o640, |out| write!(out, "{HEADER}{checksum}\n{json}"))?;
        let written = Written { octets: json.len() as u64, checksum };
        let newest = self.serials();
        let zones = self.folder.join("zones");
        let named: BTreeSet<&str> = saved.zones.values().chain(saved.parked.values()).map(|zone| &zone.file[..]).collect();
        for file in std::fs::read_dir(&zones)?.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some((stem, serial)) = file.strip_suffix(".snapshot").and_then(|rest| rest.rsplit_once('.')) else { continue };
            let is_newest = newest.get(stem).is_some_and(|newest| newest.to_string() == serial);
            if !is_newest && !named.contains(&file[..]) {
                // Left behind, it costs room on the disk and nothing else.
                let _ = std::fs::remove_file(zones.join(&file));
            }
        }
        Ok(written)
    }

    /// Begins what is added to a state that was written.
    ///
    /// # Errors
    /// Of the file system.
    pub fn begin_amendments(&self, written: &Written) -> io::Result<Amendments> {
        Amendments::begin(&self.amended(), &written.checksum, written.octets)
    }

    /// Removes the snapshot `before`, in whose place another of the same zone is in force; not if it bears the newer serial, which no zone goes behind.
    pub fn supersede(&self, before: &SavedZone, by: &SavedZone) {
        if before.file != by.file && !before.file.contains('/') && Serial(by.serial).is_newer_than(Serial(before.serial)) {
            // Left behind, it costs room on the disk until all of the state is written.
            let _ = std::fs::remove_file(self.folder.join("zones").join(&before.file));
        }
    }
}

/// The state as it was written as a whole.
#[derive(Clone, Debug)]
pub struct Written {
    /// Of the JSON, hexadecimal.
    checksum: String,
    octets: u64,
}

impl Journal {
    /// Removes snapshots and logs of zones that are not in force: of serials that somebody else gives, nothing has to be remembered.
    pub fn erase(&self, apexes: &[&Name]) {
        let stems: BTreeSet<String> = apexes.iter().map(|apex| stem(apex.as_ref())).collect();
        let zones = self.folder.join("zones");
        let files = std::fs::read_dir(&zones).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let is_of = |file: &String| {
            file.strip_suffix(".snapshot").and_then(|rest| rest.rsplit_once('.')).is_some_and(|(stem, _)| stems.contains(stem))
        };
        // Left behind, they cost room on the disk and nothing else.
        files.filter(is_of).for_each(|file| _ = std::fs::remove_file(zones.join(file)));
        stems.iter().for_each(|stem| _ = std::fs::remove_file(self.folder.join("journal").join(format!("{stem}.log"))));
    }
}

/// The most octets of the state: a line of some 400 for each zone; our choice, far above any real one.
const MAX_STATE: u64 = 1 << 30;

const HEADER: &str = "saola-state 3 ";

fn parse(text: &str) -> Option<(Saved, &str)> {
    let (checksum, json) = text.strip_prefix(HEADER)?.split_once('\n')?;
    if HEXLOWER.encode(&Sha256::digest(json.as_bytes())) != checksum {
        return None;
    }
    Some((serde_json::from_str(json).ok()?, checksum))
}

/// The apex as a file name: lower case, what is no letter, digit, hyphen, underscore or dot as `%XX`; the root is `%2E`, and
/// names too long for a file system are their SHA-256.
pub fn stem(apex: NameRef<'_>) -> String {
    let text = Name::from_wire(apex.as_wire()).map(|name| name.to_string().to_ascii_lowercase()).unwrap_or_default();
    let text = text.strip_suffix('.').unwrap_or(&text);
    if text.is_empty() {
        return "%2E".into();
    }
    let mut stem = String::with_capacity(text.len());
    for c in text.bytes() {
        match c {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => stem.push(char::from(c)),
            _ => stem.push_str(&format!("%{c:02X}")),
        }
    }
    if stem.len() > 200 { HEXLOWER.encode(&Sha256::digest(stem.as_bytes())) } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Rtype;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("name")
    }

    fn records(ttl: u32) -> Records {
        let mut records = Records::new();
        records.push(name("vn").as_ref(), Rtype::TXT, ttl, b"\x01x").expect("room");
        records
    }

    #[test]
    fn pipes_in_the_folder_are_never_waited_for() {
        let dir = tempfile::tempdir().expect("dir");
        let pipe = |name: &str| assert!(std::process::Command::new("mkfifo").arg(dir.path().join(name)).status().expect("runs").success());
        {
            let journal = Journal::open(dir.path()).expect("free");
            pipe("state");
            assert!(matches!(journal.read(), Err(StateError::Io(..))));
            pipe("zones/vn.1.snapshot");
            let file = "vn.1.snapshot".into();
            let zone = SavedZone { serial: 1, made: 1, file, ..SavedZone::default() };
            assert!(matches!(journal.load(name("vn").as_ref(), &zone), Err(SnapshotError::Io(_))));
        }
        std::fs::remove_file(dir.path().join("lock")).expect("removed");
        pipe("lock");
        assert!(matches!(Journal::open(dir.path()), Err(LockError::Io(..))));
    }

    fn publish(journal: &Journal, saved: &mut Saved, apex: &str, serial: u32) {
        let (file, checksum) = journal.save(name(apex).as_ref(), Serial(serial), &records(serial)).expect("saved");
        let zone = SavedZone {
            serial,
            made: serial,
            content: "c".into(),
            signing: "s".into(),
            refresh_at: Some(9),
            good: None,
            proven: false,
            placeless: false,
            changed: false,
            log: None,
            file,
            checksum,
        };
        saved.zones.insert(apex.into(), zone);
        journal.commit(saved).expect("committed");
    }

    #[test]
    fn what_is_committed_reads_back() {
        let dir = tempfile::tempdir().expect("dir");
        let mut saved = Saved::default();
        {
            let journal = Journal::open(dir.path()).expect("free");
            assert_eq!(journal.read().expect("empty"), saved);
            for serial in [1, 2, u32::MAX] {
                publish(&journal, &mut saved, "vn.", serial);
            }
            publish(&journal, &mut saved, "com.vn.", 7);
        }
        let journal = Journal::open(dir.path()).expect("free");
        assert_eq!(journal.read().expect("whole"), saved);
        let back = journal.load(name("vn").as_ref(), &saved.zones["vn."]).expect("whole");
        assert_eq!(back.iter().next().expect("one").ttl, u32::MAX);
        let mut files: Vec<_> = std::fs::read_dir(dir.path().join("zones")).expect("dir").flatten().map(|e| e.file_name()).collect();
        files.sort();
        // 2 is newer than u32::MAX on the circle of RFC 1982, so it stays as the mark that serials do not pass below.
        assert_eq!(files, ["com.vn.7.snapshot", "vn.2.snapshot", "vn.4294967295.snapshot"]);
        assert_eq!(journal.serials()["vn"], Serial(2));
    }

    /// Amended again and again, read after a cut at every octet: what was added whole counts, and the state is what it was then.
    #[test]
    fn what_is_amended_reads_back() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(dir.path()).expect("free");
        let mut saved = Saved::default();
        publish(&journal, &mut saved, "vn.", 1);
        let written = journal.commit(&saved).expect("written");
        let mut amendments = journal.begin_amendments(&written).expect("begun");
        let path = dir.path().join("state.amendments");
        let length = || std::fs::metadata(&path).expect("there").len() as usize;
        let mut versions = vec![(length(), saved.clone())];
        for serial in 2..6 {
            let apex = ["vn.", "com.vn."][serial as usize % 2];
            let zone = SavedZone { serial, ..saved.zones["vn."].clone() };
            amendments.add([(apex, &zone)]).expect("added");
            saved.zones.insert(apex.into(), zone);
            versions.push((length(), saved.clone()));
        }
        let whole = std::fs::read(&path).expect("there");
        for at in versions[0].0..=whole.len() {
            std::fs::write(&path, &whole[..at]).expect("written");
            let (_, expected) = versions.iter().rev().find(|(length, _)| *length <= at).expect("the first");
            assert_eq!(journal.read().expect("whole"), *expected, "cut at {at}");
        }
        // Damage is told from a cut but for the last line, which looks like one.
        for at in 0..versions[versions.len() - 2].0 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).expect("written");
            assert!(matches!(journal.read(), Err(StateError::Damaged(damaged)) if damaged == path), "octet {at}");
        }
        // Those of a state that was written anew since are none.
        std::fs::write(&path, &whole).expect("written");
        publish(&journal, &mut saved, "vn.", 9);
        assert_eq!(journal.read().expect("whole"), saved);
    }

    #[test]
    fn damage_at_any_octet_is_seen() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(dir.path()).expect("free");
        let mut saved = Saved::default();
        publish(&journal, &mut saved, "vn.", 1);
        let path = dir.path().join("state");
        let whole = std::fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).expect("written");
            assert!(journal.read().is_err(), "octet {at}");
            std::fs::write(&path, &whole[..at]).expect("written");
            assert!(journal.read().is_err(), "cut at {at}");
        }
        assert_eq!(journal.serials()["vn"], Serial(1));
    }

    #[test]
    fn apexes_are_file_names() {
        for (apex, expected) in
            [("vn", "vn"), ("Com.VN", "com.vn"), (".", "%2E"), (r"a\.b/c.vn", "a%5C.b%2Fc.vn"), (r"\000.vn", "%5C000.vn")]
        {
            assert_eq!(stem(name(apex).as_ref()), expected);
        }
        let long = format!("{0}.{0}.{0}.vn", "a".repeat(60) + r"\");
        if let Ok(long) = Name::parse(&long) {
            assert!(stem(long.as_ref()).len() < 250);
        }
        assert_eq!(stem(name(&[r"\001"; 60].join(".")).as_ref()).len(), 64);
    }
}
