//! One copy is damaged in any way, or gone: everything is there, the copy is put right, and it is told.

use saola::orders::{Chain, Ledger};

use super::{file, first, ids, ledger_of, suspension};
use crate::disk::{Disk, Faults};

/// Disks of one machine with these copies.
fn disks_with(texts: [Option<&[u8]>; 2]) -> [Disk; 2] {
    let disk = Disk::default();
    let disks = [disk.clone(), disk.beside()];
    for (disk, text) in disks.iter().zip(texts) {
        text.iter().for_each(|text| disk.put(text));
    }
    disks
}

/// Opens, and wants all `n` orders, both copies whole afterwards, and an alarm where something was wrong.
#[track_caller]
fn check(disks: &[Disk; 2], n: usize, known: Option<&Chain>, is_wrong: bool, what: &str) {
    let opened = match Ledger::open(disks.clone(), known) {
        Ok(opened) => opened,
        Err(error) => panic!("{what}: {error}"),
    };
    assert_eq!(ids(opened.ledger.orders()), first(n), "{what}");
    assert_eq!(!opened.alarms.is_empty(), is_wrong, "{what}: {:?}", opened.alarms);
    assert_eq!(disks[0].octets(), disks[1].octets(), "{what}");
    let again = Ledger::open(disks.clone(), known).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(again.alarms.is_empty(), "{what}: it was put right");
}

#[test]
fn any_octet_of_one_copy_may_be_another() {
    let n = 100;
    let disks = ledger_of(n);
    let text = disks[0].octets();
    let known = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger.orders().chain().clone();
    // Every octet of the first and the last lines, and some of each between.
    for at in (0..400).chain((400..text.len() - 400).step_by(211)).chain(text.len() - 400..text.len()) {
        let mut damaged = text.clone();
        damaged[at] ^= 1 << (at % 8);
        let copies = if at % 2 == 0 { [&damaged, &text] } else { [&text, &damaged] };
        check(&disks_with(copies.map(|text| Some(&text[..]))), n, Some(&known), true, &format!("octet {at}"));
    }
}

#[test]
fn one_copy_may_end_anywhere_or_be_gone() {
    let n = 10;
    let text = ledger_of(n)[0].octets();
    for len in 0..text.len() {
        let copies = if len % 2 == 0 { [&text[..len], &text] } else { [&text, &text[..len]] };
        check(&disks_with(copies.map(Some)), n, None, true, &format!("{len} octets"));
    }
    check(&disks_with([Some(&text), None]), n, None, true, "a copy is gone");
    check(&disks_with([None, Some(&text)]), n, None, true, "a copy is gone");
    check(&disks_with([Some(&text), Some(&text)]), n, None, false, "both are whole");
}

#[test]
fn two_damaged_copies_are_put_together_where_the_chain_proves_it() {
    let n = 50;
    let text = ledger_of(n)[0].octets();
    for i in 0..100 {
        let (a, b) = ((i * 97) % (text.len() / 2), text.len() / 2 + 600 + (i * 89) % (text.len() / 2 - 1200));
        let flipped = |at: usize| {
            let mut text = text.clone();
            text[at] ^= 1;
            text
        };
        let copies = if i % 2 == 0 { [flipped(a), flipped(b)] } else { [flipped(b), flipped(a)] };
        check(&disks_with([Some(&copies[0]), Some(&copies[1])]), n, None, true, &format!("octets {a} and {b}"));
    }
    // The same line in both: nothing tells what it was.
    let mut damaged = text.clone();
    damaged[1000] = b'#';
    let one = damaged.clone();
    damaged[1001] = b'#';
    let error = Ledger::open(disks_with([Some(&one), Some(&damaged)]), None).err().expect("lines are missing");
    assert!(
        error.0.contains("only 2 lines can be put together") || error.0.contains("only 1 lines") || error.0.contains("only 3 lines"),
        "{error}"
    );
}

#[test]
fn what_was_in_force_is_missed() {
    let disks = ledger_of(5);
    let known = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger.orders().chain().clone();
    let short = ledger_of(3);
    let error = Ledger::open(short, Some(&known)).err().expect("shorter");
    assert!(error.0.contains("CHAIN_BROKEN") && error.0.contains("end at line 3"), "{error}");
    let gone = Disk::default();
    let error = Ledger::open([gone.clone(), gone.beside()], Some(&known)).err().expect("gone");
    assert!(error.0.contains("neither") && error.0.contains("5 lines"), "{error}");
    let other = Disk::default();
    let others = [other.clone(), other.beside()];
    let mut ledger = Ledger::open(others.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger;
    for i in 10..20 {
        file(&mut ledger, &suspension(i)).expect("room");
    }
    assert!(Ledger::open(others, Some(&known)).err().expect("another").0.contains("another ledger"));
}

#[test]
fn nothing_counts_that_is_not_in_both() {
    for copy in [0, 1] {
        let disks = ledger_of(3);
        let mut ledger = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger;
        for faults in [Faults { room: Some(100), ..Faults::default() }, Faults { sync: true, ..Faults::default() }] {
            disks[copy].set_faults(faults);
            assert!(file(&mut ledger, &suspension(4)).is_err());
            assert_eq!(ids(ledger.orders()), first(3));
        }
        disks[copy].set_faults(Faults::default());
        check(&disks, 3, None, false, "what was refused is taken back");
        file(&mut ledger, &suspension(4)).expect("room again");
        check(&disks, 4, None, false, "and can be filed again");
    }
}

#[test]
fn another_ledger_is_followed_where_it_goes_on() {
    let long = ledger_of(9)[0].octets();
    let at = |n: usize| long.iter().enumerate().filter(|(_, octet)| **octet == b'\n').nth(n - 1).expect("as many").0 + 1;
    let disk = Disk::default();
    let disks = [disk.clone(), disk.beside()];
    let mut ledger = Ledger::open(disks.clone(), None).unwrap_or_else(|error| panic!("{error}")).ledger;
    assert_eq!(ledger.follow(&long[..at(4)]).ok(), Some(4));
    assert_eq!(ledger.follow(&long[..at(2)]).ok(), Some(0), "it has these");
    assert_eq!(ledger.follow(&long[..at(6) - 1]).ok(), Some(2), "without its line feed the last line is whole");
    assert_eq!(ledger.follow(&long[..at(8) - 20]).ok(), Some(1), "what is torn is left out");
    assert_eq!(ids(ledger.orders()), first(7));
    file(&mut ledger, &suspension(100)).expect("room");
    assert!(ledger.follow(&long).expect_err("it went another way").to_string().contains("CHAIN_BROKEN"));
    assert_eq!(disks[0].octets(), disks[1].octets());
}
