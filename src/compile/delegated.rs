//! Which country an address block was delegated to: the statistics file of a regional internet registry.
//!
//! The format is the one of the RIR statistics exchange, version 2: a version line, summary lines, records.

use std::fmt;
use std::net::IpAddr;

use crate::telemetry::count;

/// Address blocks with their countries, sorted. Both families share one order: IPv4 is kept in its own table.
#[derive(Clone, Debug, Default)]
pub struct DelegatedStats {
    v4: Vec<Block>,
    v6: Vec<Block>,
    /// The last day that the file covers, `YYYYMMDD`; 0 without a file.
    end_date: u32,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    first: u128,
    last: u128,
    country: [u8; 2],
}

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a block of this country.
    Country([u8; 2]),
    /// In no block of the file.
    Unknown,
}

/// A file that cannot be used: the last good one stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelegatedError {
    /// A line of another form (from 1).
    Line(usize),
    /// The summary lines or the version line count otherwise than the records.
    Counts {
        /// Of what.
        what: String,
        /// Counted.
        found: u64,
        /// Said.
        want: u64,
    },
}

impl fmt::Display for DelegatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "DELEGATED_SYNTAX: line {line} is no line of a delegated statistics file"),
            Self::Counts { what, found, want } => {
                write!(f, "DELEGATED_COUNTS: {} of {what}, the file says {want}", count(*found, "record"))
            }
        }
    }
}

impl std::error::Error for DelegatedError {}

impl DelegatedStats {
    /// No block is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a file and counts it against its summary.
    ///
    /// # Errors
    /// [`DelegatedError`].
    pub fn parse(text: &str) -> Result<Self, DelegatedError> {
        let mut stats = Self::none();
        let mut said: Vec<(String, u64)> = Vec::new();
        let (mut asn, mut v4, mut v6, mut version) = (0u64, 0u64, 0u64, false);
        for (i, line) in text.lines().enumerate() {
            let bad = || DelegatedError::Line(i + 1);
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            match fields[..] {
                [number, _registry, _serial, records, _start, end, _offset] if !version => {
                    if !number.starts_with('2') {
                        return Err(bad());
                    }
                    version = true;
                    said.push(("all kinds".into(), records.parse().map_err(|_| bad())?));
                    stats.end_date = end.parse().map_err(|_| bad())?;
                }
                [_registry, "*", kind, "*", count, "summary"] => said.push((kind.into(), count.parse().map_err(|_| bad())?)),
                [_registry, country, kind, start, value, ..] if fields.len() >= 7 => {
                    match kind {
                        "asn" => {
                            asn += 1;
                            continue;
                        }
                        "ipv4" => v4 += 1,
                        "ipv6" => v6 += 1,
                        _ => return Err(bad()),
                    }
                    let (first, last) = range(kind, start, value).ok_or_else(bad)?;
                    // Blocks of nobody (available, reserved) have no country.
                    let Ok(country) = <[u8; 2]>::try_from(country.as_bytes()) else { continue };
                    let block = Block { first, last, country: country.map(|letter| letter.to_ascii_uppercase()) };
                    if kind == "ipv4" { &mut stats.v4 } else { &mut stats.v6 }.push(block);
                }
                _ => return Err(bad()),
            }
        }
        if !version {
            return Err(DelegatedError::Line(1));
        }
        for (what, want) in said {
            let found = match &what[..] {
                "asn" => asn,
                "ipv4" => v4,
                "ipv6" => v6,
                _ => asn + v4 + v6,
            };
            if found != want {
                return Err(DelegatedError::Counts { what, found, want });
            }
        }
        stats.v4.sort_unstable_by_key(|block| block.first);
        stats.v6.sort_unstable_by_key(|block| block.first);
        Ok(stats)
    }

    /// The country of an address. IPv4 in IPv6 (`::ffff:0:0/96`) counts as IPv4.
    pub fn locate(&self, address: IpAddr) -> Location {
        let (table, value) = match address.to_canonical() {
            IpAddr::V4(v4) => (&self.v4, u128::from(u32::from(v4))),
            IpAddr::V6(v6) => (&self.v6, u128::from(v6)),
        };
        match table[..table.partition_point(|block| block.first <= value)].last() {
            Some(block) if value <= block.last => Location::Country(block.country),
            _ => Location::Unknown,
        }
    }

    /// The last day that the file covers, as the number `YYYYMMDD`; 0 without a file.
    pub fn end_date(&self) -> u32 {
        self.end_date
    }
}

/// First and last address: IPv4 as start and count, IPv6 as start and prefix length.
fn range(kind: &str, start: &str, value: &str) -> Option<(u128, u128)> {
    match (kind, start.parse().ok()?) {
        ("ipv4", IpAddr::V4(start)) => {
            let first = u128::from(u32::from(start));
            let count: u32 = value.parse().ok()?;
            let last = (first + u128::from(count)).checked_sub(1)?;
            (first <= last && last <= u128::from(u32::MAX)).then_some((first, last))
        }
        ("ipv6", IpAddr::V6(start)) => {
            let len: u32 = value.parse().ok().filter(|len| (1..=128).contains(len))?;
            let host = u128::MAX.checked_shr(len).unwrap_or(0);
            let first = u128::from(start) & !host;
            Some((first, first | host))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../zones/example-export/delegated-test.txt");

    #[test]
    fn addresses_are_located() {
        let stats = DelegatedStats::parse(EXAMPLE).expect("example");
        let at = |text: &str| match stats.locate(text.parse().expect("address")) {
            Location::Country(code) => String::from_utf8(code.to_vec()).expect("letters"),
            Location::Unknown => "?".into(),
        };
        let cases = [
            ("198.51.100.0", "VN"),
            ("198.51.100.255", "VN"),
            ("198.51.101.0", "?"),
            ("198.51.99.255", "?"),
            ("203.0.113.31", "US"),
            ("0.0.0.0", "?"),
            ("2001:db8:84::", "VN"),
            ("2001:db8:84:ffff:ffff:ffff:ffff:ffff", "VN"),
            ("2001:db8:85::", "?"),
            ("2001:db8:1::1", "US"),
            ("::ffff:198.51.100.7", "VN"),
        ];
        for (address, expected) in cases {
            assert_eq!(at(address), expected, "{address}");
        }
        assert_eq!(stats.end_date(), 20_261_120);
        assert_eq!(DelegatedStats::none().locate("198.51.100.0".parse().expect("address")), Location::Unknown);
    }

    #[track_caller]
    fn refused(from: &str, to: &str, why: &str) {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE);
        let error = DelegatedStats::parse(&text).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn damaged_files_are_refused() {
        refused("apnic|*|ipv4|*|2|summary", "apnic|*|ipv4|*|3|summary", "DELEGATED_COUNTS: 2 records of ipv4");
        refused("apnic|VN|ipv6|2001:db8:84::|48|20200101|assigned\n", "", "DELEGATED_COUNTS: 3 records of all kinds");
        refused("198.51.100.0|256", "198.51.100.0|x", "line 6");
        refused("198.51.100.0|256", "255.255.255.0|257", "line 6");
        refused("|48|20200101", "|129|20200101", "line 8");
        refused("2|apnic|20261121|4", "3|apnic|20261121|4", "line 2");
        refused("apnic|VN|ipv4", "apnic|VN|ipx", "line 6");
        assert_eq!(DelegatedStats::parse("").expect_err("empty"), DelegatedError::Line(1));
    }
}
