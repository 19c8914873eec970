//! The digest over a zone that is signed here (ZONEMD, RFC 8976): left out of a change that is urgent, and made beside the work to follow it.
//!
//! A digest is over the whole zone, a change is not. So a large zone that changes is published without a digest at once, and with one, under
//! the next serial, a moment later: no digest ever stands beside the SOA of another version. What is told here is a zone that lacks its
//! digest, whatever the reason; so it follows after a crash as well.

use std::path::PathBuf;
use std::sync::Arc;

use super::make::{self, Live, MakeError};
use super::signing::{self, Past};
use super::{Pipeline, Plan, Problem, Published, Why, dated_serial, zones_of};
use crate::dns::{Name, Rtype, Serial, UnixTime};
use crate::journal::Log;
use crate::sign;
use crate::zone::{Diff, NameMap, Zone, ZoneSet};

/// Records up to which a digest is made at once with the change: it takes some 5 ms then, with its check. Our choice.
pub const AT_ONCE: usize = 5000;

/// The change, with the digest of the zone made anew or left out.
///
/// # Errors
/// When there is too much.
pub fn with(change: &Diff, zone: &Zone, is_made: bool) -> Result<Diff, MakeError> {
    let apex = zone.apex();
    let mut change = change.clone();
    for side in [&mut change.removed, &mut change.added] {
        super::content::strip_digest(side, apex);
    }
    for record in zone.records_at(apex).iter().filter(|record| record.rtype == Rtype::ZONEMD) {
        change.removed.push(apex, Rtype::ZONEMD, record.ttl, record.rdata)?;
    }
    if is_made {
        change.added.push(apex, Rtype::ZONEMD, 0, &sign::zonemd_wanted())?;
    }
    change.removed.sort();
    change.added.sort();
    Ok(change)
}

/// A zone that is to have its digest.
pub struct DigestJob {
    apex: Name,
    before: Live,
    to: Serial,
    keys: PathBuf,
    policy: sign::Policy,
    rsa_bits: u32,
}

/// What came of a [`DigestJob`].
pub struct Digested {
    apex: Name,
    before: Live,
    made: Result<(Diff, Zone, Option<UnixTime>), String>,
}

impl DigestJob {
    /// Makes the digest, signs it, and verifies both. Takes as long as a pass over the zone; nobody should wait for it.
    pub fn carry_out(self, now: UnixTime) -> Digested {
        let Self { apex, before, to, keys, policy, rsa_bits } = self;
        let signing = signing::signing(&keys, &apex, &policy, rsa_bits, 1, Past::Signed, now);
        let made = signing.and_then(|signing| {
            if signing.digest != before.signing {
                return Err("its policy or keys are no longer those it is signed with, a reload signs it anew".into());
            }
            let change = with(&Diff::default(), &before.zone, true).map_err(|error| error.to_string())?;
            make::signed_as_it_is(&before, &change, to, &signing, now).map_err(|error| error.to_string())
        });
        Digested { apex, before, made }
    }
}

impl Pipeline {
    /// The zones that should have a digest and have none, with their serials.
    pub fn lacking_digests(&self, plan: &Plan) -> Vec<(Name, Serial)> {
        let lacks = |apex: &Name| {
            let live = self.live.get(apex).filter(|live| !live.signing.is_empty())?;
            live.zone.apex_node().set(Rtype::ZONEMD).is_none().then(|| (apex.clone(), live.zone.serial()))
        };
        let of_registry = plan.registry.as_ref().filter(|registry| registry.policy.as_ref().is_some_and(|policy| policy.zonemd));
        let of_registry = of_registry.and(self.press.saved().compiled.as_ref());
        let of_files = plan.files.iter().filter(|file| file.policy.as_ref().is_some_and(|policy| policy.zonemd));
        of_files.map(|file| file.apex.clone()).chain(zones_of(of_registry)).filter_map(|apex| lacks(&apex)).collect()
    }

    /// The job of making the digest of a zone as it is served now; `None` where it is not to have one.
    pub fn digest_job(&self, plan: &Plan, apex: &Name, now: UnixTime) -> Option<DigestJob> {
        let before = self.live.get(apex)?.clone();
        let (from, keys) = (before.zone.serial(), plan.keys.clone());
        let (policy, rsa_bits, to) = match plan.files.iter().find(|file| file.apex == *apex) {
            Some(file) => (file.policy.clone()?, file.rsa_bits, from.next()),
            None => {
                let registry = plan.registry.as_ref()?;
                (registry.policy.clone()?, registry.rsa_bits, dated_serial(Some(from), now))
            }
        };
        Some(DigestJob { apex: apex.clone(), before, to, keys, policy, rsa_bits })
    }

    /// Puts the zone with its digest in force: journal, then `swap`. `None` where the zone has changed meanwhile, so that it is another's digest.
    ///
    /// # Errors
    /// Why it cannot be made or kept. The zone stays without one.
    pub fn digested(
        &mut self,
        done: Digested,
        now: UnixTime,
        swap: impl FnOnce(ZoneSet, NameMap<Log>),
    ) -> Result<Option<Published>, Problem> {
        let Digested { apex, before, made } = done;
        let Some(live) = self.live.get(&apex).filter(|live| Arc::ptr_eq(&live.zone, &before.zone)) else { return Ok(None) };
        let kept = made.and_then(|(change, zone, refresh_at)| {
            self.press.append(&apex, &change, now)?;
            Ok((zone, refresh_at))
        });
        let (zone, refresh_at) = kept.map_err(|what| {
            let what = format!("its digest (ZONEMD) cannot be made, it is served without one: {what}");
            self.problems.insert(apex.clone(), what.clone());
            Problem { zone: Some(apex.clone()), what }
        })?;
        let mut next = Live { zone: Arc::new(zone), refresh_at, ..live.clone() };
        if let Some(saved) = &mut next.saved {
            // The content is what it was.
            saved.made = next.zone.serial().0;
            saved.refresh_at = refresh_at.map(|at| at.0);
            // Without it, the next start finds out what the zone was made from.
            let _ = self.press.commit_zone(&apex, saved.clone(), None);
        }
        Ok(Some(self.take_over(&apex, next, Why::Digest, swap).0))
    }
}
