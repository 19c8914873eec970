//! Logs in real files.

use std::fs;
use std::os::unix::fs::MetadataExt;

use saola::disk::Place;
use saola::dns::Serial;
use saola::journal::{Bounds, Diffs, Fault, Journal};

use super::{all, change, expected, filled, name, published};

#[test]
fn a_log_lives_in_the_state_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Journal::open(dir.path()).expect("free");
    let place = journal.diffs(name("VN").as_ref());
    assert!(Diffs::open(place.clone(), name("vn").as_ref()).expect("none").is_none());
    let mut diffs = filled(place.clone(), 9);
    let path = dir.path().join("journal/vn.log");
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
    assert_eq!(fs::metadata(&path).expect("there").len(), diffs.octets());
    let steps = diffs.range(Serial(2));
    diffs.trim(Bounds { octets: 1 << 20, entries: 6 }, Serial(10)).expect("trimmed").expect("something");
    assert_eq!(fs::metadata(&path).expect("there").len(), diffs.octets());
    assert_eq!(all::<Place>(steps), expected(2, 9));
    drop(diffs);

    // A crash left a file half written beside it, and half an entry in it.
    fs::write(path.with_extension("log.new"), b"half").expect("written");
    let mut octets = fs::read(&path).expect("there");
    let len = octets.len();
    octets.extend_from_within(len - 50..);
    fs::write(&path, &octets).expect("written");
    let mut diffs = Diffs::open(place.clone(), name("vn").as_ref()).expect("whole").expect("there");
    assert_eq!((diffs.n_cut(), diffs.first_serial(), diffs.last_serial()), (50, Serial(7), Serial(10)));
    assert_eq!(fs::metadata(&path).expect("there").len(), len as u64);
    diffs.append(&change(10, 11, 300), published(11)).expect("appended");
    diffs.trim(Bounds { octets: 1 << 20, entries: 3 }, Serial(11)).expect("trimmed").expect("something");
    assert_eq!(fs::read_dir(dir.path().join("journal")).expect("a folder").count(), 1);
    let again = Diffs::open(place, name("vn").as_ref()).expect("whole").expect("there");
    assert_eq!(all::<Place>(again.range(Serial(10))).len(), 1);
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("vn.log");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("runs").success());
    for next in ["a folder", "nothing"] {
        let error = Diffs::open(Place::new(path.clone()), name("vn").as_ref()).expect_err("no file");
        assert!(matches!(error.fault, Fault::Io(_)), "{error}");
        assert!(error.to_string().starts_with(&format!("'{}' cannot be used: ", path.display())));
        if next == "a folder" {
            fs::remove_file(&path).expect("there");
            fs::create_dir(&path).expect("made");
        }
    }
}

#[test]
fn a_log_whose_folder_is_gone_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("journal/vn.log");
    fs::create_dir(dir.path().join("journal")).expect("made");
    let mut diffs = filled(Place::new(path.clone()), 9);
    fs::remove_dir_all(dir.path().join("journal")).expect("removed");
    let error = diffs.trim(Bounds { octets: 1 << 20, entries: 2 }, Serial(10)).expect_err("no folder");
    assert!(matches!(error.fault, Fault::Untrimmed { is_torn: true, .. }), "{error}");
    // The file that is still open has no name any more: what went there would be lost.
    assert!(matches!(diffs.append(&change(10, 11, 1), published(11)).expect_err("refused").fault, Fault::Torn { .. }));
    assert_eq!(all::<Place>(diffs.range(Serial(1))), expected(1, 9));
}
