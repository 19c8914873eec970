//! One zone's records as a file: versioned, closed by a SHA-256, every length checked on the way in.
//!
//! Layout, numbers big-endian: the magic `SAOLASNP`, `u32` version 1, the apex in wire form, `u32` count of records; then each
//! record: `u8` 1 when an owner in wire form follows, 0 when it is the owner of the record before; `u16` type, `u32` TTL,
//! `u16` length, RDATA; last the SHA-256 of all before it. Records stand in the order given (canonical, when sorted).

use std::fmt;
use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use crate::dns::name::MAX_NAME;
use crate::dns::{Name, NameRef, Records, Rtype};

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

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Short } else { Self::Io(error) }
    }
}

/// Writes the records of the zone `apex`; returns the checksum.
///
/// # Errors
/// Of `out`.
pub fn encode(apex: NameRef<'_>, records: &Records, out: &mut dyn Write) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut line = Vec::with_capacity(1024);
    line.extend_from_slice(MAGIC);
    line.extend_from_slice(&VERSION.to_be_bytes());
    line.extend_from_slice(apex.as_wire());
    let n = u32::try_from(records.len()).map_err(|_| io::Error::other("more than 2^32 records"))?;
    line.extend_from_slice(&n.to_be_bytes());
    let mut owner: &[u8] = &[];
    for record in records.iter() {
        if record.owner.as_wire() == owner {
            line.push(0);
        } else {
            owner = record.owner.as_wire();
            line.push(1);
            line.extend_from_slice(owner);
        }
        line.extend_from_slice(&record.rtype.0.to_be_bytes());
        line.extend_from_slice(&record.ttl.to_be_bytes());
        line.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
        line.extend_from_slice(record.rdata);
        if line.len() > 64 << 10 {
            hasher.update(&line);
            out.write_all(&line)?;
            line.clear();
        }
    }
    hasher.update(&line);
    out.write_all(&line)?;
    let checksum: [u8; 32] = hasher.finalize().into();
    out.write_all(&checksum)?;
    Ok(checksum)
}

/// Reads the records of the zone `apex` and the checksum. Memory grows with what is read, never with what is promised.
///
/// # Errors
/// [`SnapshotError`] for whatever is not exactly what [`encode`] wrote.
pub fn decode(apex: NameRef<'_>, file: &mut dyn Read) -> Result<(Records, [u8; 32]), SnapshotError> {
    let mut input = Input { file, hasher: Sha256::new(), buffer: vec![0; 64 << 10], at: 0, end: 0 };
    if input.array::<8>()? != *MAGIC || u32::from_be_bytes(input.array()?) != VERSION {
        return Err(SnapshotError::Version);
    }
    let mut owner = Vec::with_capacity(MAX_NAME);
    input.name(&mut owner)?;
    if owner != apex.as_wire() {
        return Err(Name::from_wire(&owner).map_or(SnapshotError::Malformed, SnapshotError::Apex));
    }
    let n = u32::from_be_bytes(input.array()?);
    let mut records = Records::with_capacity((n as usize).min(1 << 16));
    let mut rdata = Vec::new();
    owner.clear();
    for _ in 0..n {
        match input.array()? {
            [1] => input.name(&mut owner)?,
            [0] if !owner.is_empty() => {}
            _ => return Err(SnapshotError::Malformed),
        }
        let rtype = Rtype(u16::from_be_bytes(input.array()?));
        let ttl = u32::from_be_bytes(input.array()?);
        rdata.resize(usize::from(u16::from_be_bytes(input.array()?)), 0);
        input.fill(&mut rdata)?;
        let owner = NameRef::from_wire(&owner).map_err(|_| SnapshotError::Malformed)?;
        records.push(owner, rtype, ttl, &rdata).map_err(|_| SnapshotError::Malformed)?;
    }
    let computed: [u8; 32] = input.hasher.clone().finalize().into();
    if input.array::<32>()? != computed {
        return Err(SnapshotError::Checksum);
    }
    match input.array::<1>() {
        Err(SnapshotError::Short) => Ok((records, computed)),
        Err(error) => Err(error),
        Ok(_) => Err(SnapshotError::Malformed),
    }
}

/// Buffered input that hashes what is taken from it.
struct Input<'a> {
    file: &'a mut dyn Read,
    hasher: Sha256,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
}

impl Input<'_> {
    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), SnapshotError> {
        while !out.is_empty() {
            if self.at == self.end {
                self.at = 0;
                self.end = loop {
                    match self.file.read(&mut self.buffer) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => break other?,
                    }
                };
                if self.end == 0 {
                    return Err(SnapshotError::Short);
                }
            }
            let n = out.len().min(self.end - self.at);
            let (head, rest) = out.split_at_mut(n);
            head.copy_from_slice(&self.buffer[self.at..self.at + n]);
            self.hasher.update(&*head);
            self.at += n;
            out = rest;
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    /// Reads a name in wire form into `name`, label by label.
    fn name(&mut self, name: &mut Vec<u8>) -> Result<(), SnapshotError> {
        name.clear();
        loop {
            let [len] = self.array()?;
            name.push(len);
            if len == 0 {
                return Ok(());
            }
            let start = name.len();
            // Lengths above 63 are no labels, and a name ends within 255 octets (RFC 1035 §3.1).
            if len > 63 || start + usize::from(len) >= MAX_NAME {
                return Err(SnapshotError::Malformed);
            }
            name.resize(start + usize::from(len), 0);
            self.fill(&mut name[start..])?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
