//! Points in time: seconds of Unix time, RFC 3339 text, the 14 digits of RRSIG text (RFC 4034 §3.2).
//!
//! Reads no clock but in [`UnixTime::now`], which only the shell calls.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The wall clock. For the shell: what decides takes the time as an argument.
    pub fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
    }

    /// Reads RFC 3339 in UTC: `2026-11-21T00:00:00Z`, or with an offset such as `+07:00`; fractions of a second are cut off.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        let digits = |from: usize, n: usize| {
            let mut part = b.get(from..from + n)?.iter();
            part.try_fold(0, |value, c| c.is_ascii_digit().then(|| value * 10 + i64::from(c - b'0')))
        };
        if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || !matches!(b[10], b'T' | b't') || b[13] != b':' || b[16] != b':' {
            return None;
        }
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let local = seconds(year, month, day, digits(11, 2)?, digits(14, 2)?, digits(17, 2)?)?;
        let mut at = 19;
        if b[at] == b'.' {
            let n = b[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if n == 0 {
                return None;
            }
            at += 1 + n;
        }
        let offset = match b.get(at..)? {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
                let (h, m) = (digits(at + 1, 2)?, digits(at + 4, 2)?);
                if h > 23 || m > 59 {
                    return None;
                }
                (h * 3600 + m * 60) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        u64::try_from(local - offset).ok().map(Self)
    }

    /// Reads `YYYYMMDDHHmmSS`, or a plain number of seconds of up to ten digits (RFC 4034 §3.2).
    pub fn parse_rrsig(text: &[u8]) -> Option<Self> {
        if !matches!(text.len(), 1..=10 | 14) || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |from: usize, to: usize| text[from..to].iter().fold(0, |n, digit| 10 * n + i64::from(digit - b'0'));
        let seconds = match text.len() {
            14 => seconds(number(0, 4), number(4, 6), number(6, 8), number(8, 10), number(10, 12), number(12, 14))?,
            n => number(0, n),
        };
        u64::try_from(seconds).ok().map(Self)
    }

    /// `YYYYMMDDHHmmSS`.
    pub fn to_rrsig(self) -> String {
        let (year, month, day, hour, minute, second) = self.civil();
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    }

    /// The low 32 bits, as RRSIG fields hold them (RFC 4034 §3.1.5, compared by RFC 1982).
    pub fn as_rrsig(self) -> u32 {
        self.0 as u32
    }

    /// Year, month, day, hour, minute and second in UTC.
    pub(super) fn civil(self) -> (i64, i64, i64, u64, u64, u64) {
        let (days, rest) = ((self.0 / 86400) as i64, self.0 % 86400);
        // Days to year-month-day in the proleptic Gregorian calendar, eras of 400 years from 0000-03-01.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        (year, month, doy - (153 * mp + 2) / 5 + 1, rest / 3600, rest / 60 % 60, rest % 60)
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds from the start of 1970 to a time of the calendar, if there is such a time.
fn seconds(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let is_one = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    is_one.then(|| days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let yoe = y.rem_euclid(400);
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T00:00:00Z", 1_795_219_200),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2106-02-07T06:28:16Z", 1 << 32),
        ] {
            assert_eq!(UnixTime::parse_rfc3339(text), Some(UnixTime(seconds)), "{text}");
            assert_eq!(UnixTime(seconds).to_string(), text);
            assert_eq!(UnixTime::parse_rrsig(UnixTime(seconds).to_rrsig().as_bytes()), Some(UnixTime(seconds)));
        }
        assert_eq!(UnixTime::parse_rfc3339("2026-11-21T07:00:00.5+07:00"), Some(UnixTime(1_795_219_200)));
        for bad in [
            "2026-11-21",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T00:00:00",
            "2026-11-21T00:00:00Zx",
            "2026-11-2१T00:00:00Z",
        ] {
            assert_eq!(UnixTime::parse_rfc3339(bad), None, "{bad}");
        }
    }
}
