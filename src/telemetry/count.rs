//! Counts as operators read them: `1 zone`, `80 zones`.

use std::fmt;

/// A number and what it counts; `noun` is one of them, such as `zone` or `query`.
///
/// Knows the two plurals that our words need: an s, and -ies for a y behind a consonant.
pub fn count(n: impl TryInto<u64>, noun: &str) -> Count<'_> {
    // What does not fit is far more than one.
    Count { n: n.try_into().unwrap_or(u64::MAX), noun }
}

/// Made by [`count`].
#[derive(Clone, Copy, Debug)]
pub struct Count<'a> {
    n: u64,
    noun: &'a str,
}

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, noun) = (self.n, self.noun);
        match noun.strip_suffix('y') {
            _ if n == 1 => write!(f, "{n} {noun}"),
            Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => write!(f, "{n} {stem}ies"),
            _ => write!(f, "{n} {noun}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn one_is_no_plural() {
        let text = |n: usize, noun| count(n, noun).to_string();
        let found = [text(0, "fault"), text(1, "fault"), text(2, "fault"), text(1, "query"), text(2, "query"), text(2, "key")];
        assert_eq!(found, ["0 faults", "1 fault", "2 faults", "1 query", "2 queries", "2 keys"]);
    }
}
