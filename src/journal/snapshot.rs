//! One zone's records as a file: versioned, closed by a SHA-256, every length checked on the way in.
//!
//! Layout, numbers big-endian: the magic `SAOLASNP`, `u32` version 1, the apex in wire form, the records (`journal/records.rs`; in canonical
//! order, when sorted), last the SHA-256 of all before it.

use std::fmt;
use std::io::{self, Read, Write};

use super::records::{Input, InputError, Output};
use crate::dns::name::MAX_NAME;
use crate::dns::{Name, NameRef, Records};

const MAGIC: &[u8; 8] = b"SAOLASNP";
const VERSION: u32 = 1;

/// Why a snapshot is refused; the zone is to be made anew.
#[derive(Debug)]
pub enum SnapshotError {
    /// The file cannot be read.
    Io(io::Error),
    /// It ends too early.
    Short,
    /// It is no snapshot, or of a version not known here.
    Version,
    /// It is of another zone.
    Apex(Name),
    /// A name, a flag or a length in it makes no sense, or octets follow its end.
    Malformed,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the snapshot cannot be read: {error}"),
            Self::Short => f.write_str("the snapshot is cut off"),
            Self::Version => f.write_str("the snapshot has a format that is not known here"),
            Self::Apex(name) => write!(f, "the snapshot is of zone '{name}'"),
            Self::Malformed => f.write_str("the snapshot is damaged"),
            Self::Checksum => f.write_str("the snapshot is damaged, its checksum is wrong"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<InputError> for SnapshotError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Io(error) => Self::Io(error),
            InputError::Short => Self::Short,
            InputError::Malformed => Self::Malformed,
        }
    }
}

/// Writes the records of the zone `apex`; returns the checksum.
///
/// # Errors
/// Of `out`.
pub fn encode(apex: NameRef<'_>, records: &Records, out: &mut dyn Write) -> io::Result<[u8; 32]> {
    let mut output = Output::new(out);
    output.put(MAGIC);
    output.put(&VERSION.to_be_bytes());
    output.put(apex.as_wire());
    output.records(records.len(), records.iter())?;
    output.seal()
}

/// Reads the records of the zone `apex` and the checksum. Memory grows with what is read, never with what is promised.
///
/// # Errors
/// [`SnapshotError`] for whatever is not exactly what [`encode`] wrote.
pub fn decode(apex: NameRef<'_>, file: &mut dyn Read) -> Result<(Records, [u8; 32]), SnapshotError> {
    let mut input = Input::new(file);
    if input.array::<8>()? != *MAGIC || u32::from_be_bytes(input.array()?) != VERSION {
        return Err(SnapshotError::Version);
    }
    let mut owner = Vec::with_capacity(MAX_NAME);
    input.name(&mut owner)?;
    if owner != apex.as_wire() {
        return Err(Name::from_wire(&owner).map_or(SnapshotError::Malformed, SnapshotError::Apex));
    }
    let records = input.records()?;
    let checksum = input.sealed()?.ok_or(SnapshotError::Checksum)?;
    match input.array::<1>() {
        Err(InputError::Short) => Ok((records, checksum)),
        Err(error) => Err(error.into()),
        Ok(_) => Err(SnapshotError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Rtype;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("name")
    }

    fn zone() -> Records {
        let mut records = Records::new();
        for (owner, rtype, rdata) in [
            ("vn", Rtype::NS, &b"\x01a\0"[..]),
            ("vn", Rtype::TXT, &b"\x03abc"[..]),
            ("A.vn", Rtype::A, &[192, 0, 2, 1][..]),
            ("a.vn", Rtype(65280), &[][..]),
            ("b.vn", Rtype(65281), &[7; 65535][..]),
        ] {
            records.push(name(owner).as_ref(), rtype, 3600, rdata).expect("room");
        }
        records
    }

    fn written(records: &Records) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(name("vn").as_ref(), records, &mut bytes).expect("written");
        bytes
    }

    fn list(records: &Records) -> Vec<(Vec<u8>, u16, u32, Vec<u8>)> {
        records.iter().map(|r| (r.owner.as_wire().to_vec(), r.rtype.0, r.ttl, r.rdata.to_vec())).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        for records in [zone(), Records::new()] {
            let (back, checksum) = decode(name("vn").as_ref(), &mut &written(&records)[..]).expect("whole");
            assert_eq!(list(&back), list(&records));
            assert!(written(&records).ends_with(&checksum));
        }
    }

    #[test]
    fn another_zone_is_refused() {
        let result = decode(name("com.vn").as_ref(), &mut &written(&zone())[..]);
        assert!(matches!(&result, Err(SnapshotError::Apex(apex)) if *apex == name("vn")), "{:?}", result.err());
    }

    #[test]
    fn a_cut_at_any_place_is_refused() {
        let mut records = zone();
        records.retain(|record| record.rdata.len() < 100);
        let bytes = written(&records);
        for n in 0..bytes.len() {
            assert!(decode(name("vn").as_ref(), &mut &bytes[..n]).is_err(), "cut at {n}");
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert!(matches!(decode(name("vn").as_ref(), &mut &longer[..]), Err(SnapshotError::Malformed)));
    }

    #[test]
    fn a_changed_octet_is_refused() {
        let bytes = written(&zone());
        let mut rng = fastrand::Rng::with_seed(3);
        for i in 0..2000 {
            let mut damaged = bytes.clone();
            // The first 200 octets hold every kind of field; the rest is one long RDATA and the checksum.
            let at = if i < 200 { i } else { rng.usize(..bytes.len()) };
            damaged[at] ^= rng.u8(1..);
            assert!(decode(name("vn").as_ref(), &mut &damaged[..]).is_err(), "octet {at}");
        }
    }

    #[test]
    fn promises_cost_no_memory() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(b"\x02vn\0\xff\xff\xff\xff");
        assert!(matches!(decode(name("vn").as_ref(), &mut &bytes[..]), Err(SnapshotError::Short)));
    }
}
