//! A domain name of the export in lower case, split into labels: no escapes, as the export has none.

use crate::dns::NameRef;

/// The longest text that is looked at: 253 octets is the longest name without final dot (RFC 1035 §2.3.4).
const MAX_TEXT: usize = 253;
/// More labels than any rule lets through.
const MAX_KEPT: usize = 8;

/// A folded name. Holds its octets in wire form.
pub(super) struct Folded {
    /// Length octets and labels, then the root label.
    wire: [u8; MAX_TEXT + 2],
    wire_len: usize,
    /// Where each of the first labels starts in `wire`.
    starts: [u8; MAX_KEPT],
    labels: usize,
}

impl Folded {
    /// Splits at dots and folds; `None` for an empty label, one of more than 63 octets, or too long a name.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return None;
        }
        let end = text.len() + 1;
        let mut folded = Self { wire: [0; MAX_TEXT + 2], wire_len: end + 1, starts: [0; MAX_KEPT], labels: 0 };
        // Wire form is the text one octet on, with lengths for dots.
        folded.wire[1..end].copy_from_slice(text);
        folded.wire[1..end].make_ascii_lowercase();
        let mut start = 0;
        for at in 1..=end {
            if at < end && folded.wire[at] != b'.' {
                continue;
            }
            let length = at - start - 1;
            if length == 0 || length > 63 {
                return None;
            }
            folded.wire[start] = length as u8;
            if let Some(kept) = folded.starts.get_mut(folded.labels) {
                *kept = start as u8;
            }
            folded.labels += 1;
            start = at;
        }
        Some(folded)
    }

    pub fn label_count(&self) -> usize {
        self.labels
    }

    /// A label from the left.
    pub fn label(&self, i: usize) -> &[u8] {
        let start = self.starts[i] as usize;
        &self.wire[start + 1..start + 1 + self.wire[start] as usize]
    }

    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.as_name().labels()
    }

    pub fn as_name(&self) -> NameRef<'_> {
        NameRef::from_wire(&self.wire[..self.wire_len]).expect("labels of 1 to 63 octets, 255 in all")
    }
}

/// What may be a label of a registered name: letters, digits and hyphens in lower case, no hyphen at an end,
/// two hyphens at the third and fourth place only in an A-label (RFC 5891 §4.2.3.1).
pub(super) fn is_ldh_label(label: &[u8]) -> bool {
    label.iter().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && label.first() != Some(&b'-')
        && label.last() != Some(&b'-')
        && (label.get(2..4) != Some(b"--") || label.starts_with(b"xn--"))
}

/// What may be a label of a name server's name: the underscore is no host name, but is served all the same.
pub(super) fn is_host_label(label: &[u8]) -> bool {
    label.iter().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_split() {
        let name = Folded::new(b"WWW.Vidu.vn").expect("name");
        assert_eq!((name.label_count(), name.label(0), name.label(2)), (3, &b"www"[..], &b"vn"[..]));
        assert_eq!(name.as_name().to_string(), "www.vidu.vn.");
        for bad in ["", ".", "vn.", ".vn", "a..vn", &format!("{}.vn", "a".repeat(64)), &"a.".repeat(126), &format!("{}a", "ab.".repeat(85))]
        {
            assert!(Folded::new(bad.as_bytes()).is_none(), "{bad}");
        }
        let deep = Folded::new("a.".repeat(120).trim_end_matches('.').as_bytes()).expect("deep");
        assert_eq!(deep.label_count(), 120);
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(Folded::new(longest.as_bytes()).expect("253").as_name().as_wire().len(), 255);
    }

    #[test]
    fn labels_follow_the_letter() {
        for good in ["a", "1", "a-b", "a--b", "xn--x", "abc--d"] {
            assert!(is_ldh_label(good.as_bytes()), "{good}");
        }
        for bad in ["-a", "a-", "-", "ab--c", "a_b", "a b", "A", "\u{e9}"] {
            assert!(!is_ldh_label(bad.as_bytes()), "{bad}");
        }
    }
}
