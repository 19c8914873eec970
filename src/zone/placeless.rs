//! Records that a zone may have and that have no place in what is answered: links of another chain than the one in use, NSEC or NSEC3, and
//! signatures of nothing.
//!
//! A signer that goes from one chain to another has both for a while (RFC 5155 §10.4, RFC 4641 §4.2); whoever follows it has to know of both.

use super::build::{is_of, params_of};
use super::chain::Nsec3Params;
use super::diff::{Diff, DiffError};
use super::{Zone, ZoneError};
use crate::dns::records::NameRecords;
use crate::dns::{NameRef, Records, Rtype};

impl Zone {
    /// Takes out of the sorted `records` of a zone what [`Self::build`] would leave out.
    ///
    /// Cost: one pass; where there is anything, another.
    ///
    /// # Errors
    /// When there is too much.
    pub fn take_placeless(apex: NameRef<'_>, records: &mut Records) -> Result<Records, ZoneError> {
        let params = records.name(apex).and_then(|name| params_of(&name));
        // Without a link of it, the chain is one that is told of and not there.
        let params = params.filter(|params| records.names().any(|name| link(&name, Some(params)).is_some()));
        let mut placeless = Records::new();
        for name in records.names() {
            append(&name, params.as_ref(), &mut placeless).map_err(|_| ZoneError::TooBig)?;
        }
        if !placeless.is_empty() {
            placeless.sort();
            let mut gone = placeless.iter().peekable();
            records.retain(|record| {
                let is_it = |other: &crate::dns::Record<'_>| {
                    other.owner == record.owner && other.rtype == record.rtype && other.rdata == record.rdata
                };
                gone.next_if(is_it).is_none()
            });
        }
        Ok(placeless)
    }

    /// True if `after`, which is this zone after `diff`, has all that it should: nothing of it has no place.
    ///
    /// Cost: that of the names touched.
    ///
    /// # Errors
    /// When `diff` does not fit.
    pub fn has_all_of(&self, diff: &Diff, after: &Zone) -> Result<bool, DiffError> {
        let is_param = |rtype| rtype == Rtype::NSEC3PARAM;
        // With another chain in use, any name may have lost or won its place.
        if diff.removed.rtypes().chain(diff.added.rtypes()).any(is_param) {
            return Ok(false);
        }
        for (owner, change) in diff.by_name()? {
            let expected = change.apply_to(&self.records_of(owner.as_ref()))?;
            if after.records_of(owner.as_ref()).len() != expected.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What of a name has no place.
fn append(name: &NameRecords<'_>, params: Option<&Nsec3Params>, to: &mut Records) -> Result<(), crate::dns::records::Full> {
    let link = link(name, params);
    for set in name.rrsets() {
        let (rtype, covered) = (set.rtype(), set.covered());
        let stays = |rdata: &[u8]| match covered.unwrap_or(rtype) {
            Rtype::NSEC if params.is_some() => false,
            Rtype::NSEC3 if covered.is_some() => link.is_some(),
            Rtype::NSEC3 => link == Some(rdata),
            of => covered.is_none() || name.rrset(of).is_some(),
        };
        for (ttl, rdata) in set.ttls().zip(set.rdata()).filter(|(_, rdata)| !stays(rdata)) {
            to.push(name.owner(), rtype, ttl, rdata)?;
        }
    }
    Ok(())
}

/// The link of the chain in use that a name has.
fn link<'a>(name: &NameRecords<'a>, params: Option<&Nsec3Params>) -> Option<&'a [u8]> {
    name.rrset(Rtype::NSEC3)?.rdata().find(|rdata| params.is_some_and(|params| is_of(rdata, params)))
}
