//! Publishes: first the journal, then the swap. What is answered is always what would come back after a crash.
//!
//! Knows neither what a zone is made from nor who answers from it.

use std::io;

use crate::journal::{Journal, Saved};

/// Puts `next` in force: durable first (only if it differs from `current`), then `swap`.
///
/// # Errors
/// When the journal cannot be written; `swap` was not called and `current` is still in force.
pub fn publish(journal: &Journal, current: &mut Saved, next: Saved, swap: impl FnOnce()) -> io::Result<()> {
    if *current != next {
        journal.commit(&next)?;
        *current = next;
    }
    swap();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Compiled;

    fn saved(inputs: &str) -> Saved {
        let compiled = Compiled { inputs: inputs.into(), names: [1, 2, 3], ..Compiled::default() };
        Saved { compiled: Some(compiled), ..Saved::default() }
    }

    #[test]
    fn nothing_is_swapped_before_it_is_durable() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(dir.path()).expect("free");
        let mut current = Saved::default();
        publish(&journal, &mut current, saved("1"), || assert_eq!(journal.read().expect("whole"), saved("1"))).expect("published");
        // A folder in the place of the file: the journal cannot be written.
        std::fs::remove_file(dir.path().join("state")).expect("removed");
        std::fs::create_dir_all(dir.path().join("state/x")).expect("made");
        assert!(publish(&journal, &mut current, saved("2"), || panic!("not durable")).is_err());
        assert_eq!(current, saved("1"));
        let mut swapped = false;
        publish(&journal, &mut current, saved("1"), || swapped = true).expect("nothing to write");
        assert!(swapped);
    }
}
