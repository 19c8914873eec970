//! Days of a secondary's life, with a clock of our own.

use super::*;
use crate::dns::Name;

const START: u64 = 1_795_305_600;

fn soa(serial: u32) -> Soa {
    Soa { mname: Name::root(), rname: Name::root(), serial, refresh: 1800, retry: 600, expire: 86_400, minimum: 60 }
}

fn hint(primary: Option<usize>, serial: Option<u32>) -> Hint {
    Hint { primary, serial: serial.map(Serial) }
}

/// A secondary and its clock. What happens is written down: `0w` asks primary 0 for the whole zone, `1c` for changes, `2?` whether there is any, `X` expires.
struct Life {
    secondary: Secondary,
    now: u64,
    random: u32,
}

impl Life {
    fn new(n_primaries: usize) -> Self {
        let n_primaries = NonZero::new(n_primaries).expect("some");
        Self { secondary: Secondary::new(n_primaries, UnixTime(START)), now: START, random: 0 }
    }

    /// With a version that was just taken from primary 0.
    fn with(n_primaries: usize, serial: u32) -> Self {
        let mut life = Self::new(n_primaries);
        assert_eq!(life.act(), "0w");
        life.taken(serial);
        life
    }

    /// What is to be done now.
    fn act(&mut self) -> String {
        let mut done = String::new();
        while let Some(action) = self.secondary.poll(UnixTime(self.now)) {
            done.push_str(&match action {
                Action::Expire => "X".to_owned(),
                Action::Fetch(Fetch { primary, how: How::Check }) => format!("{primary}?"),
                Action::Fetch(Fetch { primary, how: How::Changes }) => format!("{primary}c"),
                Action::Fetch(Fetch { primary, how: How::Whole }) => format!("{primary}w"),
            });
        }
        done
    }

    fn fetched(&mut self, outcome: Outcome) {
        self.secondary.fetched(outcome, UnixTime(self.now), self.random);
    }

    fn taken(&mut self, serial: u32) {
        self.fetched(Outcome::Taken { soa: soa(serial), expire: None });
    }

    fn current(&mut self, serial: u32, expire: Option<u32>) {
        self.fetched(Outcome::Current { serial: Serial(serial), expire });
    }

    /// Goes on to the next time at which something is to be done: how long that takes, and what it is.
    fn wait(&mut self) -> (u64, String) {
        let before = self.now;
        self.now = self.secondary.wakes_at().expect("there is always a next time").0.max(self.now);
        let done = self.act();
        assert_ne!(done, "", "woken for nothing");
        (self.now - before, done)
    }

    /// The next few things that happen when every question fails.
    fn fail(&mut self, n: usize) -> Vec<(u64, String)> {
        let each = |_| {
            let (after, done) = self.wait();
            if done.ends_with(|c: char| "?cw".contains(c)) {
                self.fetched(Outcome::Failed);
            }
            (after, done)
        };
        (0..n).map(each).collect()
    }
}

#[test]
fn a_quiet_zone_is_looked_at_every_refresh() {
    let mut life = Life::with(1, 5);
    for _ in 0..480 {
        assert_eq!(life.wait(), (1800, "0?".into()));
        life.current(5, None);
    }
    assert_eq!(life.now, START + 10 * 86_400);
    assert_eq!(life.secondary.kept(), Some(Kept { checked: UnixTime(life.now), until: UnixTime(life.now + 86_400) }));
    // Never later than asked for, and up to a tenth sooner.
    life.random = u32::MAX;
    life.wait();
    life.current(5, None);
    assert_eq!(life.wait().0, 1621);
}

#[test]
fn a_primary_that_is_gone_is_tried_until_the_zone_expires_and_after() {
    let mut life = Life::with(1, 5);
    let tried = life.fail(200);
    let expired = tried.iter().position(|(_, done)| done.starts_with('X')).expect("it expires");
    assert_eq!(tried[0], (1800, "0?".into()));
    assert!(tried[1..expired].iter().all(|tried| *tried == (600, "0?".into())));
    assert_eq!(tried[..=expired].iter().map(|(after, _)| after).sum::<u64>(), 86_400);
    assert_eq!(tried.iter().filter(|(_, done)| done.contains('X')).count(), 1);
    assert!(tried[expired + 1..].iter().all(|tried| *tried == (600, "0?".into())), "of an expired zone all may be here");
    let status = life.secondary.status();
    assert!(status.is_expired && status.n_failed > 190 && life.secondary.soa().is_none());
    let mut confirmed = Life { secondary: life.secondary.clone(), ..life };
    life.wait();
    life.taken(6);
    assert_eq!((life.secondary.status().is_expired, life.wait()), (false, (1800, "0?".into())));
    confirmed.wait();
    confirmed.current(5, None);
    assert_eq!((confirmed.secondary.status().is_expired, confirmed.wait()), (false, (1800, "0?".into())));
}

#[test]
fn who_hangs_is_asked_last() {
    let mut life = Life::new(3);
    life.secondary.avoid(|primary| primary != 2);
    assert_eq!(life.act(), "2w");
    life.fetched(Outcome::Failed);
    assert_eq!(life.act(), "0w");
    life.taken(5);
    life.secondary.avoid(|_| true);
    assert_eq!(life.wait(), (1800, "0?".into()));
    // Who has news is asked for it.
    life.current(5, None);
    life.secondary.avoid(|primary| primary == 0);
    life.secondary.notified(hint(Some(0), Some(6)));
    assert_eq!(life.act(), "0c");
}

/// Whatever a primary has is better than what is no longer good; that it is what is here has to be known first.
#[test]
fn an_expired_zone_is_had_from_who_is_behind() {
    let mut life = Life::with(2, 5);
    while !life.secondary.status().is_expired {
        life.fail(1);
    }
    for given in [4, 3] {
        while life.wait().1 != "0?" {
            life.fetched(Outcome::Failed);
        }
        life.current(given, None);
        assert_eq!(life.act(), "0w");
        // It has gone meanwhile: the other one is asked in the same way.
        life.fetched(Outcome::Failed);
        assert_eq!(life.act(), "1?");
        life.current(given, None);
        assert_eq!(life.act(), "1w");
        // What it has can have been confirmed as little as what is here.
        life.current(given, None);
    }
    life.secondary.notified(hint(Some(1), Some(2)));
    assert_eq!(life.act(), "1?");
    life.current(2, None);
    assert_eq!(life.act(), "1w");
    life.taken(2);
    assert_eq!((life.secondary.status().is_expired, life.wait()), (false, (1800, "1?".into())));
    life.current(2, None);
    life.secondary.ask(true);
    assert_eq!(life.act(), "1w");
}

#[test]
fn pauses_grow_for_a_zone_that_was_never_had() {
    let mut life = Life::new(1);
    let after: Vec<u64> = life.fail(16).into_iter().map(|(after, _)| after).collect();
    assert_eq!(after, [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600, 3600]);
    // A hint ends the pause, and does not make the next one longer.
    life.secondary.notified(hint(None, None));
    assert_eq!(life.act(), "0w");
    life.fetched(Outcome::Failed);
    assert_eq!(life.wait(), (3600, "0w".into()));
    life.taken(1);
    assert_eq!(life.wait(), (1800, "0?".into()));
}

#[test]
fn hints_are_followed_at_once_and_once() {
    let mut life = Life::with(2, 5);
    for serial in [5, 4, 4_000_000_000] {
        life.secondary.notified(hint(Some(1), Some(serial)));
        assert_eq!(life.act(), "", "{serial} is no news");
    }
    life.secondary.notified(hint(Some(1), Some(6)));
    assert_eq!(life.act(), "1c", "who told is asked");
    // A burst while it is asked: one question more, and none when the answer was the newest already.
    let burst = |life: &mut Life, newest: u32| {
        for i in 0..100 {
            life.secondary.notified(hint(Some(1), Some(newest - i % 3)));
            assert_eq!(life.act(), "");
        }
    };
    burst(&mut life, 7);
    life.taken(7);
    assert_eq!(life.act(), "");
    life.secondary.notified(hint(Some(1), Some(8)));
    assert_eq!(life.act(), "1c");
    burst(&mut life, 10);
    life.taken(8);
    assert_eq!(life.act(), "1c");
    life.taken(10);
    assert_eq!(life.act(), "");
    life.secondary.notified(hint(None, Some(11)));
    assert_eq!(life.act(), "1c", "who answered last");
    // Without a serial nobody knows: it may have been said after we asked.
    life.secondary.notified(hint(Some(0), None));
    life.secondary.notified(hint(Some(0), Some(11)));
    life.taken(11);
    assert_eq!(life.act(), "0c");
    life.current(11, None);
    assert_eq!(life.wait(), (1800, "0?".into()));
}

#[test]
fn primaries_are_asked_in_turn() {
    let mut life = Life::with(4, 5);
    life.secondary.notified(hint(Some(2), Some(6)));
    let mut asked = String::new();
    for _ in 0..4 {
        asked.push_str(&life.act());
        life.fetched(Outcome::Failed);
    }
    assert_eq!((asked.as_str(), life.act().as_str()), ("2c0c1c3c", ""));
    assert_eq!(life.wait(), (600, "0?".into()), "after the pause of a failure");
    life.fetched(Outcome::Failed);
    assert_eq!(life.act(), "1?");
    life.taken(6);
    assert_eq!(life.wait(), (1800, "1?".into()), "the one that answered is asked first");
    // One that is behind us is no source; one that has what we have is, when nothing else was hinted at.
    life.current(4, None);
    assert_eq!(life.act(), "0?");
    life.current(6, None);
    assert_eq!(life.act(), "");
    life.secondary.notified(hint(Some(0), Some(7)));
    let mut asked = String::new();
    for _ in 0..4 {
        asked.push_str(&life.act());
        life.current(6, None);
    }
    assert_eq!(asked, "0c1c2c3c", "one of them has it");
    assert_eq!(life.wait(), (600, "3?".into()), "or will have it soon");
    assert_eq!(life.secondary.status().n_failed, 0);
    // A number that is none here changes nothing.
    life.current(6, None);
    life.secondary.notified(hint(Some(9), None));
    assert_eq!(life.act(), "3c");
}

/// RFC 7314 §4.
#[test]
fn the_primary_may_say_how_long_a_zone_is_good() {
    let until = |life: &Life| life.secondary.kept().expect("held").until.0 - life.now;
    let mut life = Life::with(1, 5);
    for (expire, expected) in [(None, 86_400), (Some(1000), 1000), (Some(100_000), 86_400), (Some(0), 0)] {
        life.secondary.notified(hint(None, None));
        life.act();
        life.fetched(Outcome::Taken { soa: soa(5), expire });
        assert_eq!(until(&life), expected, "{expire:?}");
    }
    assert_eq!(life.act(), "X");
    // Looked at in time, although the refresh is later.
    life.secondary.notified(hint(None, None));
    life.act();
    life.fetched(Outcome::Taken { soa: soa(5), expire: Some(1000) });
    assert_eq!(life.wait(), (500, "0?".into()));
    // An answer without news never shortens it, and never goes beyond the SOA.
    life.current(5, Some(100));
    assert_eq!(until(&life), 500);
    for (expire, expected) in [(Some(5000), 5000), (Some(90_000), 86_400), (None, 86_400)] {
        life.wait();
        life.current(5, expire);
        assert_eq!(until(&life), expected, "{expire:?}");
    }
}

#[test]
fn odd_timers_are_bounded() {
    for (refresh, retry, expire, expected) in [
        (0, 0, 0, [(1, "0?"), (1, "0?"), (1, "X")]),
        (1, 1, 60, [(2, "0?"), (1, "0?"), (1, "0?")]),
        (u32::MAX, u32::MAX, u32::MAX, [(28 * 86_400, "0?"), (14 * 86_400, "0?"), (14 * 86_400, "0?")]),
    ] {
        let mut life = Life::new(1);
        life.act();
        life.fetched(Outcome::Taken { soa: Soa { refresh, retry, expire, ..soa(5) }, expire: None });
        let expected: Vec<_> = expected.map(|(after, done)| (after, done.to_owned())).into();
        let tried: Vec<_> = life.fail(3).into_iter().map(|(after, done)| (after, done.replace("X0?", "X"))).collect();
        assert_eq!(tried, expected, "{refresh} {retry} {expire}");
    }
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let one = NonZero::new(1).expect("one");
    let kept = |checked, until| Kept { checked: UnixTime(checked), until: UnixTime(until) };
    for (checked, until, expected) in [
        (START - 100, START + 500, "0?"),
        (START - 90_000, START - 3600, "X0?"),
        // The clock went back: no more than a whole expire is left.
        (START + 1_000_000, START + 1_086_400, "0?"),
    ] {
        let secondary = Secondary::resume(one, soa(5), kept(checked, until), UnixTime(START));
        let mut life = Life { secondary, now: START, random: 0 };
        assert_eq!(life.act(), expected, "{until}");
        let kept = life.secondary.kept().expect("held");
        assert!(kept.checked.0 <= START && kept.until.0 <= START + 86_400);
    }
}

/// Whoever can send datagrams can make hints, but not questions without end.
#[test]
fn hints_that_lead_to_nothing_are_slowed_down() {
    let mut life = Life::with(1, 5);
    let mut n_asked = 0;
    for i in 0..5000u32 {
        life.now = START + u64::from(i / 1000);
        life.secondary.notified(hint(Some(0), Some(6 + i)));
        if life.act() == "0c" {
            n_asked += 1;
            life.current(5, None);
        }
    }
    assert!((11..=15).contains(&n_asked), "{n_asked}");
    // News comes through, at the latest a second later.
    assert_eq!(life.wait(), (1, "0c".into()));
    life.taken(6);
    life.secondary.notified(hint(Some(0), Some(7)));
    assert_eq!(life.act(), "0c");
}

/// Whatever happens: one question at a time, never woken for nothing, expired when and only when it is time.
#[test]
fn a_life_of_accidents() {
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut n_taken, mut n_expired) = (0, 0);
    for _ in 0..300 {
        let mut life = Life::new(rng.usize(1..4));
        let (mut serial, mut is_asked) = (0u32, false);
        for _ in 0..200 {
            life.random = rng.u32(..);
            match rng.u8(..8) {
                0 => life.secondary.notified(hint(rng.bool().then(|| rng.usize(..4)), rng.bool().then(|| serial + rng.u32(..3)))),
                1..5 if is_asked => {
                    is_asked = false;
                    match rng.u8(..7) {
                        0 if life.secondary.known().is_some() => life.current(serial, rng.bool().then(|| rng.u32(..100_000))),
                        0 | 1 => {
                            serial += 1;
                            n_taken += 1;
                            life.fetched(Outcome::Taken { soa: soa(serial), expire: rng.bool().then(|| rng.u32(..100_000)) });
                        }
                        2 if life.secondary.known().is_some() => life.current(serial.saturating_sub(1), None),
                        _ => life.fetched(Outcome::Failed),
                    }
                }
                5 => life.now += rng.u64(..40_000),
                _ if !is_asked => life.now = life.secondary.wakes_at().expect("a next time").0.max(life.now),
                _ => {}
            }
            let was_due = life.secondary.wakes_at().is_some_and(|at| at.0 <= life.now);
            let done = life.act();
            assert_eq!(!done.is_empty(), was_due, "{done}");
            n_expired += u32::from(done.contains('X'));
            let n_asked = done.matches(|c: char| "?cw".contains(c)).count();
            assert!(n_asked <= usize::from(!is_asked), "one at a time");
            is_asked |= n_asked == 1;
            let is_good = life.secondary.kept().is_some_and(|kept| kept.until.0 > life.now);
            assert_eq!(life.secondary.soa().is_some(), is_good);
            assert!(is_asked || life.secondary.wakes_at().is_some());
        }
    }
    assert!(n_taken > 1000 && n_expired > 100, "{n_taken} {n_expired}");
}

#[test]
fn an_operator_is_not_kept_waiting() {
    let mut life = Life::with(2, 5);
    life.secondary.ask(false);
    assert_eq!(life.wait(), (0, "0?".into()));
    // What is asked for meanwhile comes behind, and the most of it counts.
    life.secondary.ask(true);
    life.secondary.ask(false);
    assert_eq!(life.act(), "");
    life.current(5, None);
    assert_eq!(life.wait(), (0, "0w".into()));
    life.fetched(Outcome::Failed);
    assert_eq!(life.wait(), (0, "1w".into()));
    // What comes is what is here, also when its serial is older.
    life.taken(3);
    assert_eq!(life.secondary.soa().map(|soa| soa.serial), Some(3));
    assert_eq!(life.wait(), (1800, "1?".into()));
}
