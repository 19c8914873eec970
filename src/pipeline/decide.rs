//! What has to be done with a zone: pure decisions over what was published before and what is wanted now.

use crate::dns::{Serial, UnixTime};

/// What is known of the zone that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before<'a> {
    /// Its serial.
    pub serial: Serial,
    /// Digest of its unsigned content.
    pub content: &'a str,
    /// Digest of policy and keys.
    pub signing: &'a str,
    /// When its signatures are to be renewed; `None` = not signed.
    pub refresh_at: Option<UnixTime>,
}

/// Why a zone gets a new serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There was none.
    New,
    /// Its content changed.
    Content,
    /// Its policy or keys changed.
    Signing,
    /// Its signatures come to half their life.
    Refresh,
    /// At the start its files are as they were, so that its image is served.
    Image,
    /// A client changed it.
    Update,
    /// Orders began or ceased to hold.
    Order,
    /// The digest over it follows a change that went before (RFC 8976).
    Digest,
    /// A primary has it.
    Transferred,
    /// It is as it was, and its versions are kept from now on.
    Kept,
    /// It is as it was, and its files were written anew.
    Touched,
}

impl Why {
    /// For the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Content => "content changed",
            Self::Signing => "policy or keys changed",
            Self::Refresh => "signatures due",
            Self::Image => "from its image",
            Self::Update => "updated",
            Self::Order => "orders",
            Self::Digest => "digest made",
            Self::Transferred => "transferred",
            Self::Kept => "its versions are kept from now on",
            Self::Touched => "its files were touched",
        }
    }
}

/// Why the zone has to be made anew, `None` if what is published still is what is wanted.
pub fn change(before: Option<Before<'_>>, content: &str, signing: &str, now: UnixTime) -> Option<Why> {
    let Some(before) = before else { return Some(Why::New) };
    if before.content != content {
        return Some(Why::Content);
    }
    if before.signing != signing {
        return Some(Why::Signing);
    }
    before.refresh_at.is_some_and(|at| at <= now).then_some(Why::Refresh)
}

/// The serial of a zone whose content is ours: the date and a number of two digits, `YYYYMMDDnn`, and always newer than `previous`.
///
/// More than 99 in one day run into the next day's numbers; a clock that goes back changes nothing (RFC 1982 §3.2).
pub fn dated_serial(previous: Option<Serial>, now: UnixTime) -> Serial {
    let digits = now.to_rrsig();
    let date = digits.get(..8).and_then(|date| date.parse::<u32>().ok()).unwrap_or(0);
    // Until the year 4294 the number fits.
    let first = Serial(date.wrapping_mul(100).wrapping_add(1));
    match previous {
        Some(previous) if !first.is_newer_than(previous) => previous.next(),
        _ => first,
    }
}

/// The serial of a zone whose file an operator edits and that is signed here: the file's, as long as it moves forward.
pub fn edited_serial(previous: Option<Serial>, file: Serial) -> Serial {
    match previous {
        Some(previous) if !file.is_newer_than(previous) => previous.next(),
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_makes_a_zone_anew() {
        let before = Before { serial: Serial(1), content: "c", signing: "s", refresh_at: Some(UnixTime(100)) };
        for (before, content, signing, now, expected) in [
            (None, "c", "s", 0, Some(Why::New)),
            (Some(before), "c", "s", 99, None),
            (Some(before), "d", "s", 99, Some(Why::Content)),
            (Some(before), "c", "t", 99, Some(Why::Signing)),
            (Some(before), "c", "s", 100, Some(Why::Refresh)),
            (Some(Before { refresh_at: None, ..before }), "c", "s", 1 << 40, None),
        ] {
            assert_eq!(change(before, content, signing, UnixTime(now)), expected, "{before:?} {content} {signing} {now}");
        }
    }

    #[test]
    fn dated_serials_only_move_forward() {
        let now = UnixTime::parse_rfc3339("2026-11-21T12:00:00Z").expect("time");
        for (previous, expected) in [
            (None, 2_026_112_101),
            (Some(2_026_112_001), 2_026_112_101),
            (Some(2_026_112_099), 2_026_112_101),
            (Some(2_026_112_101), 2_026_112_102),
            (Some(2_026_112_199), 2_026_112_200),
            (Some(2_026_112_250), 2_026_112_251),
            (Some(1), 2_026_112_101),
            // More than 2^31 ahead is behind: the date would go back, so one step is made.
            (Some(4_100_000_000), 4_100_000_001),
            (Some(u32::MAX), 2_026_112_101),
        ] {
            let found = dated_serial(previous.map(Serial), now);
            assert_eq!(found, Serial(expected), "{previous:?}");
            assert!(previous.is_none_or(|previous| found.is_newer_than(Serial(previous))));
        }
    }

    #[test]
    fn edited_serials_follow_the_file() {
        for (previous, file, expected) in
            [(None, 5, 5), (Some(4), 5, 5), (Some(5), 5, 6), (Some(9), 5, 10), (Some(u32::MAX), 0, 0), (Some(u32::MAX), u32::MAX, 1)]
        {
            assert_eq!(edited_serial(previous.map(Serial), Serial(file)), Serial(expected), "{previous:?} {file}");
        }
    }
}
