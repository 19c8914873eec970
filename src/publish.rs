//! Publishes: first the journal, then the swap. What is answered is always what would come back after a crash.
//!
//! Each zone has a snapshot and a log of the changes since. A change is durable once it is in the log; a zone that is made as a whole once
//! the state names its new snapshot, and begins a new log. Knows neither what a zone is made from nor who answers from it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::Store;
use crate::dns::{Name, Serial, UnixTime};
use crate::journal::{Amendments, Bounds, Compiled, Diffs, DiffsError, Fault, Journal, Log, Saved, SavedZone, Trimmed};
use crate::zone::{Diff, NameMap};

/// Entries of a log before its oldest ones go. Our choice: the index of so many takes 400 kB, and a secondary that was away for as many
/// changes is as well off with the whole zone.
const MOST_ENTRIES: usize = 10_000;

/// Octets that every log may have. Our choice: little beside a process.
const ANY_LOG: u64 = 1 << 20;

/// What is in force, as the journal has it.
pub struct Press {
    journal: Arc<Journal>,
    saved: Saved,
    /// What is added to the state since it was written as a whole, by this process.
    amendments: Option<Amendments>,
    logs: BTreeMap<Name, Changes>,
    /// The logs among them, for those who send changes.
    shown: NameMap<Log>,
}

/// What is known of the changes of a zone.
enum Changes {
    /// None since the snapshot of this serial: there is no file until there is one to write.
    None(Serial),
    /// Some.
    Log(Diffs),
}

/// What the log of a zone gives at a start.
#[derive(Debug)]
pub struct Resumed {
    /// The changes since the snapshot, made one; `None` = none.
    pub change: Option<Diff>,
    /// Octets of an entry that was not whole and is cut off; it was never in force.
    pub n_cut: u64,
}

/// Why the log of a zone is of no use at a start; the serial that was certainly reached.
#[derive(Debug)]
pub struct Lost {
    /// What is wrong.
    pub what: String,
    /// The newest serial that is known of; none of its changes can be had.
    pub last: Option<Serial>,
}

impl Press {
    /// Reads what is in force; says why, if that is nothing.
    pub fn open(journal: Journal) -> (Self, Option<String>) {
        let (saved, problem) = match journal.read() {
            Ok(saved) => (saved, None),
            Err(error) => (Saved::default(), Some(error.to_string())),
        };
        let (logs, shown) = (BTreeMap::new(), NameMap::new());
        (Self { journal: Arc::new(journal), saved, amendments: None, logs, shown }, problem)
    }

    /// The state folder.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// What is in force.
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Changes the account of the export. It is written with the next state, and may be behind after a crash.
    pub fn account(&mut self, change: impl FnOnce(&mut Compiled)) {
        if let Some(compiled) = &mut self.saved.compiled {
            change(compiled);
        }
    }

    /// Opens the log of a zone and gives the changes since its snapshot.
    ///
    /// # Errors
    /// [`Lost`] where versions that were published cannot be had any more.
    pub fn resume(&mut self, apex: &Name, saved: &SavedZone) -> Result<Resumed, Lost> {
        let snapshot = Serial(saved.serial);
        let lost = |what: String, last: Option<Serial>| Lost { what, last };
        let Some(id) = &saved.log else {
            // What a crash left of the versions before.
            let _ = self.journal.diffs(apex.as_ref()).remove();
            self.keep_changes(apex, Changes::None(snapshot));
            return Ok(Resumed { change: None, n_cut: 0 });
        };
        let log =
            Diffs::open(self.journal.diffs(apex.as_ref()), apex.as_ref()).map_err(|error| lost(error.to_string(), reached(&error)))?;
        let log = log.ok_or_else(|| lost("the log of its changes is gone".into(), None))?;
        if log.id() != *id {
            let path = self.journal.diffs(apex.as_ref());
            return Err(lost(format!("'{}' is the log of other changes than were published last", path.path().display()), None));
        }
        let (n_cut, last) = (log.n_cut(), log.last_serial());
        let unfit = |error: &dyn std::fmt::Display| lost(error.to_string(), Some(last));
        let mut change: Option<Diff> = None;
        let mut steps = Vec::new();
        for step in log.after_snapshot(snapshot).map_err(|error| unfit(&error))? {
            steps.push(step.map_err(|error| unfit(&error))?.diff);
        }
        if !steps.is_empty() {
            change = Some(Diff::joined(steps).map_err(|error| unfit(&error))?);
        }
        self.keep_changes(apex, Changes::Log(log));
        Ok(Resumed { change, n_cut })
    }

    /// The newest serial in the log of a zone that is not in the state, if there is one.
    pub fn last_serial(&self, apex: &Name) -> Option<Serial> {
        last_serial(&self.journal, apex)
    }

    /// The zones of which a change can be appended to what is known of them.
    pub fn logged(&self) -> BTreeSet<Name> {
        self.logs.keys().cloned().collect()
    }

    /// True if a change of the zone can be appended to what is known of it.
    pub fn has_log(&self, apex: &Name) -> bool {
        self.logs.contains_key(apex)
    }

    /// Closes the log of a zone that could not be resumed and puts it aside, for who wants to look at it. Says where it is.
    pub fn forget(&mut self, apex: &Name) -> Option<PathBuf> {
        self.logs.remove(apex);
        self.shown.remove(apex.as_ref());
        let log = self.journal.diffs(apex.as_ref());
        let aside = log.path().with_extension("log.damaged");
        std::fs::rename(log.path(), &aside).ok().map(|()| aside)
    }

    /// Writes a change; it is durable when this returns.
    ///
    /// # Errors
    /// [`DiffsError`], in words; nothing changed.
    pub fn append(&mut self, apex: &Name, change: &Diff, now: UnixTime) -> Result<(), String> {
        if let Changes::None(serial) = self.logs.get(apex).ok_or("it has no log of changes")? {
            self.begin(apex, *serial)?;
        }
        let Some(Changes::Log(log)) = self.logs.get_mut(apex) else { return Err("its log of changes cannot be begun".into()) };
        let appended = log.append(change, now).map_err(|error| error.to_string());
        self.show(apex);
        appended
    }

    /// Begins the log of a zone, and has the state say so before anything is in it: without the log no start takes the snapshot for all.
    fn begin(&mut self, apex: &Name, serial: Serial) -> Result<(), String> {
        let log = Diffs::start(self.journal.diffs(apex.as_ref()), apex.as_ref(), serial).map_err(|error| error.to_string())?;
        let saved = self.saved.zones.get(&key(apex)).cloned().ok_or("it is not in the state")?;
        self.keep_changes(apex, Changes::Log(log));
        let amended = self.amend(vec![(key(apex), saved)]);
        if amended.is_err() {
            self.keep_changes(apex, Changes::None(serial));
        }
        amended.map_err(|error| format!("the state cannot be written: {error}"))
    }

    /// The log that a start has to find.
    fn log_of(&self, apex: &str) -> Option<String> {
        match self.logs.get(&Name::parse(apex).ok()?)? {
            Changes::Log(log) => Some(log.id()),
            Changes::None(_) => None,
        }
    }

    fn keep_changes(&mut self, apex: &Name, changes: Changes) {
        self.logs.insert(apex.clone(), changes);
        self.show(apex);
    }

    /// Shows the log of a zone as it is now.
    fn show(&mut self, apex: &Name) {
        match self.logs.get(apex) {
            Some(Changes::Log(log)) => self.shown.insert(apex.as_ref(), log.log()),
            Some(Changes::None(_)) | None => self.shown.remove(apex.as_ref()),
        }
    }

    /// Puts `next` in force, if it differs; the zones in `whole` begin new logs at these serials.
    ///
    /// # Errors
    /// When the state cannot be written; what was in force still is. A log that cannot be begun is no error: it is begun with the next whole
    /// zone, and what is wrong is in the list.
    pub fn commit(&mut self, mut next: Saved, whole: &[(Name, Serial)]) -> io::Result<Vec<(Name, String)>> {
        let anew: BTreeSet<String> = whole.iter().map(|(apex, _)| key(apex)).collect();
        for (apex, zone) in &mut next.zones {
            zone.log = self.log_of(apex).filter(|_| !anew.contains(apex));
        }
        // What was served until now; what was parked before has its log closed.
        for (apex, zone) in next.parked.iter_mut().filter(|(apex, _)| self.saved.zones.contains_key(*apex)) {
            zone.log = self.log_of(apex);
        }
        if self.saved != next {
            self.write(next)?;
        }
        let start = |(apex, serial): &(Name, Serial)| Some((apex.clone(), self.start(apex, *serial).err()?.to_string()));
        let problems = whole.iter().filter_map(start).collect();
        Ok(problems)
    }

    /// Puts `next` in force as the state of one zone; with `whole`, its log begins anew at that serial. Says what is wrong with the log, if it cannot.
    ///
    /// Cost: that of a line, and now and then that of all zones.
    ///
    /// # Errors
    /// When the state cannot be written; what was in force still is.
    pub fn commit_zone(&mut self, apex: &Name, next: SavedZone, whole: Option<Serial>) -> io::Result<Option<String>> {
        let next = SavedZone { log: self.log_of(&key(apex)).filter(|_| whole.is_none()), ..next };
        self.write_zones(vec![(key(apex), next)])?;
        Ok(whole.and_then(|serial| Some(self.start(apex, serial).err()?.to_string())))
    }

    /// Puts these in force as the states of zones, by their [keys](key).
    ///
    /// Cost: that of a line each, and now and then that of all zones.
    ///
    /// # Errors
    /// When the state cannot be written; what was in force still is, or the first of these are.
    pub fn amend(&mut self, mut next: Vec<(String, SavedZone)>) -> io::Result<()> {
        for (apex, zone) in &mut next {
            zone.log = self.log_of(apex);
        }
        self.write_zones(next)
    }

    fn write_zones(&mut self, mut next: Vec<(String, SavedZone)>) -> io::Result<()> {
        next.retain(|(key, zone)| self.saved.zones.get(key) != Some(zone));
        if next.is_empty() {
            return Ok(());
        }
        let Some(mut amendments) = self.amendments.take().filter(|amendments| !amendments.is_full()) else {
            let mut all = self.saved.clone();
            all.zones.extend(next);
            return self.write(all);
        };
        self.journal.sync()?;
        amendments.add(next.iter().map(|(key, zone)| (&key[..], zone)))?;
        self.amendments = Some(amendments);
        for (key, zone) in next {
            if let Some(before) = self.saved.zones.get(&key) {
                self.journal.supersede(before, &zone);
            }
            self.saved.zones.insert(key, zone);
        }
        Ok(())
    }

    fn write(&mut self, next: Saved) -> io::Result<()> {
        self.amendments = None;
        let written = self.journal.commit(&next)?;
        self.saved = next;
        // Without them, each change is written with all the rest.
        self.amendments = self.journal.begin_amendments(&written).ok();
        Ok(())
    }

    /// Lets the changes of a zone begin anew at the serial of its snapshot.
    fn start(&mut self, apex: &Name, serial: Serial) -> io::Result<()> {
        self.logs.remove(apex);
        self.show(apex);
        self.journal.diffs(apex.as_ref()).remove()?;
        self.keep_changes(apex, Changes::None(serial));
        Ok(())
    }

    /// Closes the logs of all zones but these.
    pub fn keep(&mut self, is_kept: impl Fn(&Name) -> bool) {
        let gone: Vec<Name> = self.logs.keys().filter(|apex| !is_kept(apex)).cloned().collect();
        for apex in gone {
            self.logs.remove(&apex);
            self.show(&apex);
        }
    }

    /// The logs as they are now, for those who send changes; none of a zone without a change. Costs next to nothing.
    pub fn logs(&self) -> NameMap<Log> {
        self.shown.clone()
    }

    /// The changes of a zone since version `from`, made one.
    ///
    /// # Errors
    /// When the log does not have them.
    pub fn since(&self, apex: &Name, from: Serial) -> Result<Diff, String> {
        let Some(Changes::Log(log)) = self.logs.get(apex) else { return Err("it has no log of changes".into()) };
        let steps = log.after_snapshot(from).map_err(|error| error.to_string())?;
        let steps = steps.map(|step| step.map(|step| step.diff)).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Diff::joined(steps).map_err(|error| error.to_string())
    }

    /// Shortens the log of a zone of so many octets where it is too long.
    ///
    /// # Errors
    /// When it cannot be; it grows then.
    pub fn trim(&mut self, apex: &Name, zone_octets: u64) -> Result<Option<Trimmed>, DiffsError> {
        let snapshot = self.snapshot(apex);
        let (Some(Changes::Log(log)), Some(snapshot)) = (self.logs.get_mut(apex), snapshot) else { return Ok(None) };
        let trimmed = log.trim(bounds(zone_octets), snapshot);
        self.show(apex);
        trimmed
    }

    /// True when so much has changed since the snapshot of a zone of so many octets that there should be a new one.
    pub fn wants_snapshot(&self, apex: &Name, zone_octets: u64) -> bool {
        let bounds = bounds(zone_octets);
        let (Some(Changes::Log(log)), Some(snapshot)) = (self.logs.get(apex), self.snapshot(apex)) else { return false };
        let log = log.log();
        log.octets_from(snapshot).is_some_and(|n| n > bounds.octets / 2) || log.len_from(snapshot).is_some_and(|n| n > bounds.entries / 2)
    }

    fn snapshot(&self, apex: &Name) -> Option<Serial> {
        Some(Serial(self.saved.zones.get(&key(apex))?.serial))
    }
}

/// The newest serial in the log of a zone, if there is one.
pub fn last_serial(journal: &Journal, apex: &Name) -> Option<Serial> {
    match Diffs::open(journal.diffs(apex.as_ref()), apex.as_ref()) {
        Ok(log) => log.map(|log| log.last_serial()),
        Err(error) => reached(&error),
    }
}

/// How long a log may be: a client that is further behind is as well off with the zone.
fn bounds(zone_octets: u64) -> Bounds {
    Bounds { octets: ANY_LOG.max(zone_octets), entries: MOST_ENTRIES }
}

/// How far a damaged log had come for certain, and as many versions as may have followed.
fn reached(error: &DiffsError) -> Option<Serial> {
    match error.fault {
        Fault::Damaged { last, .. } => Some(Serial(last.0.wrapping_add(MOST_ENTRIES as u32))),
        _ => None,
    }
}

/// The apex as the state names it.
pub fn key(apex: &Name) -> String {
    apex.as_ref().to_lowercase().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(inputs: &str) -> Saved {
        let compiled = Compiled { inputs: inputs.into(), names: [1, 2, 3], ..Compiled::default() };
        Saved { compiled: Some(compiled), ..Saved::default() }
    }

    #[test]
    fn nothing_is_in_force_before_it_is_durable() {
        let dir = tempfile::tempdir().expect("dir");
        let (mut press, problem) = Press::open(Journal::open(dir.path()).expect("free"));
        assert_eq!(problem, None);
        press.commit(saved("1"), &[]).expect("written");
        assert_eq!(press.journal().read().expect("whole"), saved("1"));
        // A folder in the place of the file: the journal cannot be written.
        std::fs::remove_file(dir.path().join("state")).expect("removed");
        std::fs::create_dir_all(dir.path().join("state/x")).expect("made");
        assert!(press.commit(saved("2"), &[]).is_err());
        assert_eq!(*press.saved(), saved("1"));
        press.commit(saved("1"), &[]).expect("nothing to write");
    }

    /// Whatever way a zone's state is written, a start reads what was put in force last.
    #[test]
    fn single_zones_are_as_durable_as_all() {
        let dir = tempfile::tempdir().expect("dir");
        let mut last = Saved::default();
        for round in 0..3u32 {
            let (mut press, problem) = Press::open(Journal::open(dir.path()).expect("free"));
            assert_eq!((problem, press.saved()), (None, &last));
            // So many that the state is written as a whole in between.
            for n in 0..300 {
                let apex = Name::parse(&format!("n{}.vn", n % 7)).expect("a name");
                let serial = Serial(1000 * round + n);
                let (file, checksum) = press.journal().save(apex.as_ref(), serial, &crate::dns::Records::new()).expect("saved");
                let zone = SavedZone { serial: serial.0, made: serial.0, file, checksum, ..SavedZone::default() };
                assert_eq!(press.commit_zone(&apex, zone.clone(), Some(serial)).expect("written"), None);
                last.zones.insert(key(&apex), zone);
                assert_eq!(press.journal().read().expect("whole"), last);
                if n % 50 == 0 {
                    last.compiled = saved(&n.to_string()).compiled;
                    press.commit(last.clone(), &[]).expect("written");
                }
            }
            assert_eq!(std::fs::read_dir(dir.path().join("zones")).expect("dir").count(), 7, "what is superseded is gone");
        }
    }
}
