//! Plain questions about a zone's records: what is in them, which serial, which keys, how long they hold.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::dns::rdata::Soa;
use crate::dns::records::Full;
use crate::dns::{NameRef, Records, Rtype, Serial, UnixTime};
use crate::sign;

/// SHA-256 over all records in their order, but for the serial of the SOA at `apex`. Hexadecimal.
pub fn digest(records: &Records, apex: NameRef<'_>) -> String {
    const AT_ONCE: usize = 1 << 14;
    let mut hasher = Sha256::new();
    // The hash takes much at once faster than little often.
    let mut buffer = Vec::with_capacity(2 * AT_ONCE);
    for record in records.iter() {
        buffer.extend_from_slice(record.owner.as_wire());
        buffer.extend_from_slice(&record.rtype.0.to_be_bytes());
        buffer.extend_from_slice(&record.ttl.to_be_bytes());
        buffer.extend_from_slice(&(record.rdata.len() as u64).to_be_bytes());
        let is_soa = record.rtype == Rtype::SOA && record.owner == apex;
        match is_soa.then(|| Soa::read(record.rdata)).flatten() {
            Some(soa) => buffer.extend_from_slice(&Soa { serial: 0, ..soa }.to_rdata()),
            None => buffer.extend_from_slice(record.rdata),
        }
        if buffer.len() >= AT_ONCE {
            hasher.update(&buffer);
            buffer.clear();
        }
    }
    hasher.update(&buffer);
    HEXLOWER.encode(&hasher.finalize())
}

/// The serial of the SOA at `apex`.
pub fn serial(records: &Records, apex: NameRef<'_>) -> Option<Serial> {
    let soa = records.iter().find(|record| record.rtype == Rtype::SOA && record.owner == apex)?;
    Some(Serial(Soa::read(soa.rdata)?.serial))
}

/// Gives the SOA at `apex` another serial.
///
/// # Errors
/// [`Full`] past 4 GiB.
pub fn set_serial(records: &mut Records, apex: NameRef<'_>, serial: Serial) -> Result<(), Full> {
    let mut changed = Vec::new();
    records.retain(|record| {
        let is_soa = record.rtype == Rtype::SOA && record.owner == apex;
        match is_soa.then(|| Soa::read(record.rdata)).flatten() {
            Some(soa) => {
                changed.push((record.ttl, Soa { serial: serial.0, ..soa }.to_rdata()));
                false
            }
            None => true,
        }
    });
    for (ttl, rdata) in changed {
        records.push(apex, Rtype::SOA, ttl, &rdata)?;
    }
    Ok(())
}

/// Takes out what signing puts in, keys included, so that the zone can be signed again.
pub fn strip(records: &mut Records, apex: NameRef<'_>) {
    records.retain(|record| match record.rtype {
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM => false,
        Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY => record.owner != apex,
        _ => true,
    });
}

/// Takes out the digests at the apex, where it is the signer who makes them.
pub fn strip_digest(records: &mut Records, apex: NameRef<'_>) {
    records.retain(|record| record.rtype != Rtype::ZONEMD || record.owner != apex);
}

/// The first end of a signature; `None` without signatures. Expirations are read as the time nearest to `now` (RFC 4034 §3.1.5).
pub fn first_expiration(records: &Records, now: UnixTime) -> Option<UnixTime> {
    let expirations = records.iter().filter(|record| record.rtype == Rtype::RRSIG).filter_map(|record| {
        let field: [u8; 4] = record.rdata.get(8..12)?.try_into().ok()?;
        let ahead = u32::from_be_bytes(field).wrapping_sub(now.as_rrsig()) as i32;
        Some(UnixTime(now.0.saturating_add_signed(ahead.into())))
    });
    expirations.min()
}

/// The DS records (SHA-256) that the parent should hold for the zone: of each DNSKEY at the apex with zone and SEP flags.
///
/// Taken from the records that are served, so that no DS is ever published without its DNSKEY.
pub fn ds_of(records: &Records, apex: NameRef<'_>) -> Vec<Vec<u8>> {
    let keys = records.iter().filter(|record| record.rtype == Rtype::DNSKEY && record.owner == apex);
    let entry = keys.filter(|record| matches!(record.rdata, [1, 1, 3, ..]));
    let mut ds: Vec<Vec<u8>> = entry.filter_map(|record| sign::ds(apex, record.rdata, 2)).collect();
    ds.sort();
    ds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("name")
    }

    fn zone(serial: u32) -> Records {
        let mut records = Records::new();
        let soa = Soa { mname: name("a.vn"), rname: name("h.vn"), serial, refresh: 1, retry: 1, expire: 1, minimum: 60 };
        records.push(name("vn").as_ref(), Rtype::SOA, 3600, &soa.to_rdata()).expect("room");
        records.push(name("b.vn").as_ref(), Rtype::NS, 3600, b"\x01a\0").expect("room");
        records.push(name("vn").as_ref(), Rtype::DNSKEY, 60, &[1, 1, 3, 13, 7]).expect("room");
        records.push(name("vn").as_ref(), Rtype::DNSKEY, 60, &[1, 0, 3, 13, 8]).expect("room");
        let mut rrsig = vec![0; 20];
        rrsig[8..12].copy_from_slice(&1000u32.to_be_bytes());
        records.push(name("vn").as_ref(), Rtype::RRSIG, 60, &rrsig).expect("room");
        records.sort();
        records
    }

    #[test]
    fn the_serial_is_no_content() {
        let vn = name("vn");
        assert_eq!(digest(&zone(1), vn.as_ref()), digest(&zone(2), vn.as_ref()));
        let mut other = zone(1);
        other.retain(|record| record.rtype != Rtype::NS);
        assert_ne!(digest(&zone(1), vn.as_ref()), digest(&other, vn.as_ref()));
        set_serial(&mut other, vn.as_ref(), Serial(9)).expect("room");
        assert_eq!(serial(&other, vn.as_ref()), Some(Serial(9)));
        assert_eq!(other.len(), 4);
    }

    #[test]
    fn signatures_end_and_are_stripped() {
        let vn = name("vn");
        let mut records = zone(1);
        assert_eq!(first_expiration(&records, UnixTime(900)), Some(UnixTime(1000)));
        assert_eq!(first_expiration(&records, UnixTime((1 << 32) + 1100)), Some(UnixTime((1 << 32) + 1000)));
        assert_eq!(ds_of(&records, vn.as_ref()).len(), 1);
        strip(&mut records, vn.as_ref());
        assert_eq!(records.len(), 2);
        assert_eq!(first_expiration(&records, UnixTime(0)), None);
    }
}
