//! Logs that are cut, flipped, reordered; and what is asked of a good one.

use saola::disk::Store;
use saola::dns::Serial;
use saola::journal::{Bounds, Diffs, DiffsError, Fault};

use super::disk::{Disk, Faults};
use super::{all, change, expected, filled, name, published};

fn open(octets: &[u8]) -> Result<Diffs<Disk>, DiffsError> {
    Ok(Diffs::open(Disk::with(octets), name("vn").as_ref())?.expect("there is one"))
}

/// Where each entry of a filled log begins, and its end.
fn places(diffs: &Diffs<Disk>) -> Vec<usize> {
    let first = diffs.first_serial().0;
    (first..=diffs.last_serial().0)
        .map(|serial| (diffs.octets() - diffs.log().octets_from(Serial(serial)).expect("there")) as usize)
        .collect()
}

#[test]
fn what_is_appended_reads_back_from_any_serial() {
    let diffs = filled(Disk::default(), 9);
    for from in 1..=9 {
        assert_eq!(all::<Disk>(diffs.range(Serial(from))), expected(from, 9));
    }
    assert!(all::<Disk>(diffs.range(Serial(10))).is_empty());
    assert!(diffs.range(Serial(11)).is_none() && diffs.range(Serial(0)).is_none());
    assert_eq!((diffs.first_serial(), diffs.last_serial(), diffs.len(), diffs.n_cut()), (Serial(1), Serial(10), 9, 0));
    let error = diffs.after_snapshot(Serial(40)).err().expect("unknown").to_string();
    assert!(error.starts_with("'log' goes from serial 1 to 10 and does not know the snapshot's 40; move the file away"), "{error}");
}

#[test]
fn a_reader_sees_what_there_was_when_it_began() {
    let mut diffs = filled(Disk::default(), 9);
    let steps = diffs.range(Serial(3));
    let mut begun = diffs.range(Serial(1)).expect("there");
    assert_eq!(begun.next().expect("one").expect("whole").to, Serial(2));
    diffs.append(&change(10, 11, 1), published(11)).expect("appended");
    let trimmed = diffs.trim(Bounds { octets: u64::MAX, entries: 4 }, Serial(11)).expect("trimmed").expect("something");
    assert_eq!((trimmed.entries, diffs.len(), diffs.first_serial()), (8, 2, Serial(9)));
    diffs.append(&change(11, 12, 1), published(12)).expect("appended");
    assert_eq!(all::<Disk>(steps), expected(3, 9));
    assert_eq!(begun.map(|step| step.expect("whole").to.0).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(all::<Disk>(diffs.range(Serial(10))).len(), 2);
}

#[test]
fn serials_never_go_back() {
    let disk = Disk::default();
    let mut diffs = filled(disk.clone(), 2);
    let before = disk.octets();
    for (from, to, expected) in [
        (2, 3, "'log' ends at serial 3 and cannot take a change from serial 2"),
        (4, 5, "'log' ends at serial 3 and cannot take a change from serial 4"),
        (3, 3, "'log' cannot take a change from serial 3 to 3, which is not newer"),
        (3, 2, "'log' cannot take a change from serial 3 to 2, which is not newer"),
        (3, 3 + (1 << 31), "'log' cannot take a change from serial 3 to 2147483651, which is not newer"),
    ] {
        assert_eq!(diffs.append(&change(from, to, 1), published(to)).expect_err("refused").to_string(), expected);
    }
    let mut without = change(3, 4, 1);
    without.added.retain(|record| record.ttl != 900);
    let mut other = change(3, 4, 1);
    other.removed.extend(&change(3, 4, 0).added).expect("room");
    for diff in [without, other] {
        assert!(matches!(diffs.append(&diff, published(4)).expect_err("refused").fault, Fault::Soa));
    }
    assert_eq!(disk.octets(), before);
    // Over the top of the circle, and round it until a serial comes again: the newest counts.
    for (from, to) in [(3, 1 << 31), (1 << 31, u32::MAX), (u32::MAX, 3), (3, 4)] {
        diffs.append(&change(from, to, 0), published(to)).expect("newer");
    }
    assert_eq!(all::<Disk>(diffs.range(Serial(3))).len(), 1);
    assert_eq!(all::<Disk>(diffs.range(Serial(2))).len(), 5);
}

#[test]
fn a_log_cut_at_any_octet_opens_at_its_last_whole_entry() {
    let disk = Disk::default();
    let places = places(&filled(disk.clone(), 6));
    let whole = disk.octets();
    for n in 0..whole.len() {
        let opened = open(&whole[..n]);
        if n < places[0] {
            assert!(matches!(opened.expect_err("no head").fault, Fault::Head | Fault::Version), "cut at {n}");
            continue;
        }
        let mut diffs = opened.expect("a torn tail is no damage");
        let n_whole = places.iter().filter(|&&place| place <= n).count() - 1;
        assert_eq!(diffs.n_cut() as usize, n - places[n_whole], "cut at {n}");
        assert_eq!(all::<Disk>(diffs.range(Serial(1))), expected(1, n_whole as u32), "cut at {n}");
        let last = diffs.last_serial().0;
        diffs.append(&change(last, last + 1, 1), published(last + 1)).expect("it goes on");
        assert_eq!(all::<Disk>(diffs.range(Serial(last))).len(), 1);
    }
}

#[test]
fn a_flipped_octet_is_seen() {
    let disk = Disk::default();
    let places = places(&filled(disk.clone(), 6));
    let whole = disk.octets();
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= bit;
            let opened = open(&damaged);
            let entry = places.iter().filter(|&&place| place <= at).count();
            match opened {
                Ok(diffs) => {
                    // Nobody can tell the newest entry, damaged, from one that a crash tore.
                    assert_eq!((entry, diffs.len()), (6, 5), "octet {at}");
                    assert_eq!(all::<Disk>(diffs.range(Serial(1))), expected(1, 5), "octet {at}");
                }
                Err(DiffsError { fault: Fault::Damaged { at: found, last }, .. }) => {
                    assert_eq!((places[entry - 1], entry), (found as usize, last.0 as usize), "octet {at}");
                    assert!(entry < 6, "octet {at}");
                }
                Err(error) => assert!(entry == 0 && matches!(error.fault, Fault::Head | Fault::Version), "octet {at}: {error}"),
            }
        }
    }
}

#[test]
fn damage_while_open_is_seen_by_its_reader() {
    let disk = Disk::default();
    let diffs = filled(disk.clone(), 6);
    let places = places(&diffs);
    let mut steps = diffs.range(Serial(1)).expect("there");
    // Over a new file it would not be seen: the open one is damaged.
    let file = disk.open().expect("there");
    saola::disk::Octets::write_at(&file, b"?", places[3] as u64 + 70).expect("written");
    let serials: Vec<Option<u32>> = steps.by_ref().map(|step| step.ok().map(|step| step.to.0)).collect();
    assert_eq!(serials, [Some(2), Some(3), Some(4), None]);
    assert!(steps.next().is_none());
}

#[test]
fn entries_that_are_not_the_next_are_refused() {
    let disk = Disk::default();
    let places = places(&filled(disk.clone(), 6));
    let whole = disk.octets();
    let entry = |n: usize| &whole[places[n]..places[n + 1]];
    let other = Disk::default();
    filled(other.clone(), 6);
    let other = other.octets();
    let head = &whole[..places[0]];
    let is_refused = |parts: &[&[u8]]| matches!(open(&parts.concat()).map_err(|error| error.fault), Err(Fault::Damaged { .. }));
    assert!(is_refused(&[head, entry(0), entry(2), entry(1)]), "reordered");
    assert!(is_refused(&[head, entry(0), entry(2)]), "one is missing");
    assert!(is_refused(&[head, entry(1)]), "the first is missing");
    assert!(is_refused(&[head, &entry(0)[..40], entry(1)]), "torn in the middle");
    assert!(is_refused(&[head, entry(0), b"garbage", entry(1), entry(2)]), "moved");
    assert!(is_refused(&[head, &[0; 200], &entry(2)[..30]]), "the begin of a later one proves that this one was whole");
    // Another course of the same chain: its last entry continues an entry that this one does not have.
    let fork = Disk::with(&whole[..places[3]]);
    let mut diffs = Diffs::open(fork.clone(), name("vn").as_ref()).expect("whole").expect("there");
    for from in 4..6 {
        diffs.append(&change(from, from + 1, 2), published(0)).expect("appended");
    }
    let fork_places = self::places(&diffs);
    assert!(is_refused(&[&whole[..places[4]], &fork.octets()[fork_places[4]..]]), "of another course");
    let n_cut = |parts: &[&[u8]]| open(&parts.concat()).map(|diffs| (diffs.len(), diffs.n_cut() > 0)).expect("opens");
    assert_eq!(n_cut(&[head, entry(0), entry(0)]), (1, true), "twice");
    assert_eq!(n_cut(&[head, entry(0), entry(1), entry(0)]), (2, true), "an old one behind");
    assert_eq!(n_cut(&[head, entry(0), &other[places[1]..]]), (1, true), "entries of another chain");
    assert_eq!(n_cut(&[head, entry(0), &[0; 100_000]]), (1, true), "zeros");
    assert_eq!(n_cut(&[head, entry(0), entry(1)]), (2, false));
}

#[test]
fn logs_of_others_are_refused_with_a_way_out() {
    let disk = Disk::default();
    filled(disk.clone(), 2);
    let error = Diffs::open(disk.clone(), name("com.vn").as_ref()).expect_err("another zone").to_string();
    assert!(error.starts_with("'log' is the log of zone 'vn.'; move the file away: "), "{error}");
    let mut newer = disk.octets();
    newer[11] = 2;
    let error = open(&newer).expect_err("another version").to_string();
    assert!(error.starts_with("'log' is no log of changes, or has a format that is not known here; move"), "{error}");
    assert!(matches!(open(b"").expect_err("empty").fault, Fault::Head));
    assert!(Diffs::open(Disk::default(), name("vn").as_ref()).expect("none").is_none());
    assert_eq!(open(&disk.octets()).expect("its own").len(), 2);
    assert_eq!(Diffs::open(disk, name("VN").as_ref()).expect("case is nothing").expect("there").len(), 2);
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was() {
    let disk = Disk::default();
    let octets = filled(disk.clone(), 3).octets();
    let len = {
        let disk = disk.copy();
        let mut diffs = Diffs::open(disk, name("vn").as_ref()).expect("whole").expect("there");
        diffs.append(&change(4, 5, 3), published(5)).expect("appended");
        diffs.octets() - octets
    };
    for room in 0..len as usize {
        for cut in [false, true] {
            let disk = disk.copy();
            let mut diffs = Diffs::open(disk.clone(), name("vn").as_ref()).expect("whole").expect("there");
            disk.set_faults(Faults { room: Some(room), cut, ..Faults::default() });
            let error = diffs.append(&change(4, 5, 3), published(5)).expect_err("no room");
            let text = error.to_string();
            assert!(text.starts_with("'log' could not be written, the zone stays at serial 4: "), "{text}");
            assert!(matches!(error.fault, Fault::Unwritten { is_torn, .. } if is_torn == cut), "room for {room}");
            assert_eq!(disk.octets().len(), octets as usize + if cut { room } else { 0 }, "room for {room}");
            assert_eq!((diffs.last_serial(), diffs.octets()), (Serial(4), octets));
            assert_eq!(all::<Disk>(diffs.range(Serial(1))), expected(1, 3));
            if cut {
                let text = diffs.append(&change(4, 5, 1), published(5)).expect_err("still torn").to_string();
                assert_eq!(
                    text.starts_with("'log' could not be brought back to its last whole entry, the zone stays at serial 4: "),
                    room > 0,
                    "{text}"
                );
            }
            disk.set_faults(Faults::default());
            diffs.append(&change(4, 5, 1), published(5)).expect("there is room again");
            assert_eq!(all::<Disk>(diffs.range(Serial(4))).len(), 1);
            let again = open(&disk.octets()).expect("whole");
            assert_eq!((again.n_cut(), again.last_serial()), (0, Serial(5)));
        }
    }
}

#[test]
fn bounds_hold_and_cost_little() {
    let disk = Disk::default();
    let mut diffs = filled(disk.clone(), 1);
    let bounds = Bounds { octets: 20_000, entries: 40 };
    let (mut trims, before) = (0, disk.n_writes());
    for from in 2..1000 {
        // Some of it is bound by its octets, some by its entries.
        diffs.append(&change(from, from + 1, if from < 500 { 20 } else { 0 }), published(from + 1)).expect("appended");
        trims += usize::from(diffs.trim(bounds, Serial(from + 1)).expect("trimmed").is_some());
        assert!(diffs.octets() <= bounds.octets && diffs.len() <= bounds.entries, "serial {from}");
        assert!(diffs.octets() * 3 > bounds.octets || diffs.len() * 3 > bounds.entries || from < 20, "serial {from}: too much went");
        assert_eq!(diffs.len() + 1, (diffs.first_serial().0..=diffs.last_serial().0).count());
    }
    assert!((20..100).contains(&trims), "{trims} times");
    assert!(disk.n_writes() - before < 20_000, "{} writes", disk.n_writes() - before);
    assert_eq!(open(&disk.octets()).expect("whole").len(), diffs.len());
}

#[test]
fn what_a_restart_needs_is_kept() {
    let mut diffs = filled(Disk::default(), 30);
    let bounds = Bounds { octets: u64::MAX, entries: 10 };
    assert_eq!(diffs.trim(bounds, Serial(1)).expect("nothing to do"), None);
    assert_eq!(diffs.trim(bounds, Serial(5)).expect("not worth it"), None);
    assert_eq!(diffs.trim(bounds, Serial(20)).expect("trimmed").expect("something").entries, 19);
    assert_eq!(diffs.trim(bounds, Serial(20)).expect("nothing to do"), None);
    assert_eq!(all::<Disk>(Some(diffs.after_snapshot(Serial(20)).expect("there"))), expected(20, 30));
    assert!(matches!(diffs.trim(bounds, Serial(19)).expect_err("gone").fault, Fault::Absent { .. }));
    assert_eq!(diffs.trim(bounds, Serial(31)).expect("trimmed").expect("something").entries, 6);
    // A change larger than the bounds stays until a snapshot makes up for it.
    diffs.append(&change(31, 32, 200), published(32)).expect("appended");
    let bounds = Bounds { octets: 4000, entries: 10 };
    assert_eq!(diffs.trim(bounds, Serial(31)).expect("trimmed").map(|trimmed| trimmed.entries), None);
    assert_eq!(diffs.trim(bounds, Serial(32)).expect("trimmed").expect("something").entries, 6);
    assert_eq!((diffs.len(), diffs.first_serial(), diffs.last_serial()), (0, Serial(32), Serial(32)));
    diffs.append(&change(32, 33, 1), published(33)).expect("appended");
    assert_eq!(all::<Disk>(diffs.range(Serial(32))).len(), 1);
}

#[test]
fn a_new_chain_takes_the_place_of_any_log() {
    let disk = Disk::with(b"anything");
    let mut diffs = Diffs::start(disk.clone(), name("vn").as_ref(), Serial(70)).expect("started");
    assert_eq!((diffs.first_serial(), diffs.last_serial(), diffs.is_empty()), (Serial(70), Serial(70), true));
    diffs.append(&change(70, 71, 1), published(71)).expect("appended");
    assert_eq!(open(&disk.octets()).expect("whole").last_serial(), Serial(71));
}
