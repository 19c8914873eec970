//! Power cuts at any moment, over and over: what was acknowledged is there, nothing is half there, and the log opens without hands.

use saola::dns::Serial;
use saola::journal::{Bounds, Diffs, Fault};

use super::disk::{Disk, Faults};
use super::{Change, all, change, expected, filled, listed, name, published};

/// A zone's life as it should be: every change that was acknowledged.
#[derive(Default)]
struct Model {
    first: u32,
    changes: Vec<Change>,
    /// Changes that were not acknowledged; one of them may be there all the same.
    doubtful: Vec<Change>,
    /// What a restart starts from.
    snapshot: u32,
}

impl Model {
    fn last(&self) -> u32 {
        self.changes.last().map_or(self.first, |change| change.1)
    }

    /// The log has what it must have, and what it has is right.
    fn check(&mut self, diffs: &Diffs<Disk>, seed: u64) {
        let found = all::<Disk>(diffs.range(diffs.first_serial()));
        if diffs.last_serial() != Serial(self.last()) {
            let last = found.last().expect("not empty");
            let n = self.doubtful.iter().position(|change| change == last);
            self.changes.push(self.doubtful.swap_remove(n.unwrap_or_else(|| panic!("seed {seed}: nobody appended {last:?}"))));
        }
        self.doubtful.clear();
        assert!(self.changes.ends_with(&found), "seed {seed}: the log differs");
        assert!(diffs.range(Serial(self.snapshot)).is_some(), "seed {seed}: a restart from {} is not possible", self.snapshot);
    }
}

#[test]
fn what_is_acknowledged_outlives_any_power_cut() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut disk = Disk::default();
        let first = *rng.choice(&[1, u32::MAX - 3, 2_026_112_101]).expect("some");
        let mut model = Model { first, snapshot: first, ..Model::default() };
        drop(Diffs::start(disk.clone(), name("vn").as_ref(), Serial(first)).expect("started"));
        for _ in 0..12 {
            let mut diffs = Diffs::open(disk.clone(), name("vn").as_ref())
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"))
                .unwrap_or_else(|| panic!("seed {seed}: the log is gone"));
            model.check(&diffs, seed);
            disk.set_faults(Faults { power: Some(rng.usize(..60)), ..Faults::default() });
            while !disk.is_off() {
                live(&mut diffs, &disk, &mut model, &mut rng, seed);
            }
            disk = if rng.u8(..4) == 0 {
                // Only the process ended.
                let disk = disk.copy();
                disk.set_faults(Faults::default());
                disk
            } else {
                disk.after_power_cut(&mut |n| rng.usize(..n))
            };
        }
    }
}

/// One thing that happens to a log.
fn live(diffs: &mut Diffs<Disk>, disk: &Disk, model: &mut Model, rng: &mut fastrand::Rng, seed: u64) {
    let from = model.last();
    match rng.u8(..8) {
        0 => {
            model.snapshot = diffs.last_serial().0;
            let bounds = Bounds { octets: rng.u64(..6000), entries: rng.usize(..12) };
            let _ = diffs.trim(bounds, Serial(model.snapshot));
        }
        kind => {
            let to = from.wrapping_add(rng.u32(1..4));
            let diff = change(from, to, rng.usize(..8));
            if kind == 1 {
                // The disk is bad for a while.
                let power = disk.power();
                let faults = Faults { power, room: Some(rng.usize(..300)), cut: rng.bool(), sync: rng.bool() };
                disk.set_faults(faults);
            }
            let appended = diffs.append(&diff, published(to));
            disk.set_faults(Faults { power: disk.power(), ..Faults::default() });
            match appended {
                Ok(()) => {
                    model.changes.push(listed(from, to, &diff));
                    model.doubtful.clear();
                }
                Err(error) => match error.fault {
                    // Taken back: it must not come again.
                    Fault::Unwritten { is_torn: false, .. } => {}
                    _ => model.doubtful.push(listed(from, to, &diff)),
                },
            }
        }
    }
    assert_eq!(diffs.last_serial(), Serial(model.last()), "seed {seed}");
    if rng.u8(..4) == 0 {
        assert!(model.changes.ends_with(&all::<Disk>(diffs.range(diffs.first_serial()))), "seed {seed}: the open log differs");
    }
}

#[test]
fn a_power_cut_while_the_oldest_entries_go_loses_nothing() {
    let bounds = Bounds { octets: 3000, entries: 100 };
    let full = Disk::default();
    filled(full.clone(), 20);
    let mut rng = fastrand::Rng::with_seed(5);
    for power in 0.. {
        let disk = full.copy();
        let mut diffs = Diffs::open(disk.clone(), name("vn").as_ref()).expect("whole").expect("there");
        disk.set_faults(Faults { power: Some(power), ..Faults::default() });
        let trimmed = diffs.trim(bounds, Serial(15));
        for _ in 0..20 {
            let after = disk.after_power_cut(&mut |n| rng.usize(..n));
            let opened = Diffs::open(after, name("vn").as_ref()).expect("whole").expect("there");
            assert_eq!(opened.n_cut(), 0);
            let first = opened.first_serial().0;
            assert_eq!(all::<Disk>(opened.range(Serial(first))), expected(first, 20), "after {power} operations");
        }
        if trimmed.is_ok() {
            assert!(power > 10, "too few operations to tell anything");
            return;
        }
        // The power is back before the process ends: whichever file has the name, the log goes on.
        disk.set_faults(Faults::default());
        diffs.append(&change(21, 22, 1), published(22)).expect("appended");
        let after = disk.after_power_cut(&mut |n| rng.usize(..n));
        let opened = Diffs::open(after, name("vn").as_ref()).expect("whole").expect("there");
        assert_eq!(opened.last_serial(), Serial(22), "after {power} operations");
    }
}
