//! The power goes at any moment: what was accepted is there, and of what was not, nothing is there by half.

use saola::orders::Ledger;

use super::{file, first, ids, judge, suspension};
use crate::disk::{Disk, Faults};
use saola::orders::Filed;

/// A small generator of numbers; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Files one by one or some at a time until the power goes; gives how many were accepted, and how many were tried.
fn file_until_dark(disks: &[Disk; 2], from: usize, random: &mut Random) -> (usize, usize) {
    let Ok(opened) = Ledger::open(disks.clone(), None) else { return (from, from) };
    let mut ledger = opened.ledger;
    let (mut accepted, mut tried) = (from, from);
    while !disks[0].is_off() && tried < from + 12 {
        if ids(ledger.orders()).len() < accepted {
            return (accepted, tried);
        }
        let n = 1 + random.below(3);
        // What was tried before and not accepted is filed again: it may be known by now.
        let next = accepted + 1;
        let result = if n == 1 {
            file(&mut ledger, &suspension(next))
        } else {
            for i in next..next + n {
                if let Filed::New(order) = judge(&suspension(i), ledger.orders()).expect("a good filing") {
                    ledger.add(*order).expect("an order");
                }
            }
            ledger.commit()
        };
        tried = tried.max(accepted + n);
        if result.is_ok() {
            accepted += n;
        }
    }
    (accepted, tried)
}

#[test]
fn ten_thousand_power_cuts() {
    let seed = 20_261_123;
    let mut random = Random(seed);
    let mut n_kept = 0;
    for round in 0..2_500 {
        let disk = Disk::default();
        let mut disks = [disk.clone(), disk.beside()];
        let (mut accepted, mut tried) = (0, 0);
        for cut in 0..4 {
            let what = format!("seed {seed}, round {round}, cut {cut}");
            disks[0].set_faults(Faults { power: Some(random.below(30)), ..Faults::default() });
            let before = accepted;
            let (n, m) = file_until_dark(&disks, accepted, &mut random);
            (accepted, tried) = (n, tried.max(m));
            assert!(n >= before);
            let one = disks[0].after_power_cut(&mut |n| random.below(n));
            let two = disks[1].after_power_cut(&mut |n| random.below(n)).moved_beside(&one);
            disks = [one, two];
            let opened = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{what}: {error}"));
            let there = ids(opened.ledger.orders());
            assert!((accepted..=tried).contains(&there.len()), "{what}: {} of {accepted} to {tried}", there.len());
            assert_eq!(there, first(there.len()), "{what}");
            n_kept += there.len() - accepted;
            accepted = there.len();
        }
    }
    assert!(n_kept > 100, "the power also went where an order was durable and not yet accepted: {n_kept}");
}
