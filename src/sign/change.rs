//! From one signed zone to the next: signs what a change of its content touches, and leaves the rest as it is.
//!
//! What comes out is what signing the changed content from the start would give, but for signatures over what did not change, which stay
//! as they are. RFC 4035 §2 (what is signed), RFC 5155 §7.1 (chain), RFC 9077 (TTL of the chain).

use std::collections::BTreeMap;
use std::fmt;

use super::affected::{Affected, AffectedNames, records_of};
use super::relink::{Chain, Nsec3Chain, NsecChain, Relinked, Touched, relink};
use super::walk::LinkRule;
use super::{ApexSoa, Denial, Pen, Policy, Scratch, SignError, ZoneKeys, append_types, hasher, prepare, zonemd, zonemd_set};
use crate::dns::rdata::Soa;
use crate::dns::records::{Full, cmp_rdata};
use crate::dns::{Name, NameRef, Records, Rrset, Rtype, Serial, UnixTime};
use crate::parallel;
use crate::zone::{Diff, DiffError, Zone};

/// Signs what `change` touches in `zone`, which [`sign`](super::sign) has signed with the same keys and policy, or this since.
///
/// `change` is of the content alone: no signatures, nothing of the chain. It may have the SOA, whose serial is then overruled; TTLs of a
/// set are levelled with those in the zone. The result goes from the zone's serial to `serial`; it has the change, the SOA, and every
/// signature and link of the chain that comes, goes or is another, and applies to the zone strictly.
///
/// A ZONEMD at the apex is made anew, as in full signing. Its digest is over the whole zone and costs that much. To whom this is too slow,
/// the change can remove the ZONEMD and a later one bring it back, with any digest: so no digest ever stands beside another serial.
///
/// Signatures that did not change are kept however soon they end: to renew them is another's task.
///
/// Cost: that of the touched names and a signature for each set and link, on `threads` threads (0: one per core). With
/// opt-out, an insecure delegation costs none, and the SOA one. Two changes look further: a DS or other data that goes from below an empty
/// non-terminal looks there for another that keeps it in the chain; and with opt-out a wildcard that comes or goes looks for the names that
/// it guards below its parent.
///
/// # Errors
/// [`ChangeError`]; [`ChangeError::Anew`] where the zone has to be signed from the start.
pub fn sign_diff(
    zone: &Zone,
    change: &Diff,
    serial: Serial,
    keys: &ZoneKeys,
    policy: &Policy,
    now: UnixTime,
    threads: usize,
) -> Result<Diff, ChangeError> {
    let apex = zone.apex();
    if keys.zone() != apex {
        return Err(SignError::OtherZone { zone: apex.to_owned(), keys: keys.zone().to_owned() }.into());
    }
    if !serial.is_newer_than(zone.serial()) {
        return Err(ChangeError::Serial { from: zone.serial(), to: serial });
    }
    let pen = Pen::new(apex, keys, policy, now);
    let job = Job { zone, change, serial, keys, pen: &pen, threads };
    match &policy.denial {
        Denial::Nsec => job.carry_out(&NsecChain(zone)),
        Denial::Nsec3 { opt_out, salt, iterations } => {
            let hasher = hasher(salt, *iterations)?;
            let head = hasher.head(u8::from(*opt_out));
            job.carry_out(&Nsec3Chain { zone, hasher, head })
        }
    }
}

struct Job<'a> {
    zone: &'a Zone,
    change: &'a Diff,
    serial: Serial,
    keys: &'a ZoneKeys,
    pen: &'a Pen<'a>,
    threads: usize,
}

impl Job<'_> {
    fn carry_out<C: Chain>(&self, chain: &C) -> Result<Diff, ChangeError> {
        let policy = self.pen.policy;
        let links = |name: NameRef<'_>| chain.link(&chain.key(name)).unwrap_or_default();
        let mut names = AffectedNames::find(self.zone, self.change, &links)?;
        let (soa, zonemd) = self.prepare_apex(chain, names.apex_mut())?;
        names.find_kinds(LinkRule::of(&policy.denial), &links)?;

        let mut after = After::default();
        let mut touched: BTreeMap<C::Key, Touched> = BTreeMap::new();
        for (name, affected) in names.iter() {
            self.lay_out(affected, &mut after)?;
            let mut types = affected.kind.filter(|kind| kind.is_linked(LinkRule::of(&policy.denial))).map(|_| Vec::new());
            if let (Some(types), Some(kind), Some(records)) = (&mut types, affected.kind, records_of(&affected.content)) {
                append_types(&records, kind, &policy.denial, types);
            }
            let link = Touched { stands: affected.link.clone(), types };
            let key = chain.key(name);
            if link.types.is_some() && touched.get(&key).is_some_and(|other| other.types.is_some()) {
                let same = names.iter().find(|(other, _)| chain.key(*other) == key).map(|(other, _)| other.to_owned());
                return Err(SignError::Collision(same.unwrap_or_else(|| name.to_owned()), name.to_owned()).into());
            }
            touched.insert(key, link);
        }
        for link in relink(chain, touched).ok_or(ChangeError::Anew(Anew::Chain))? {
            lay_out_link::<C>(&link, soa.negative_ttl, &mut after)?;
        }
        let mut diff = self.sign(after)?;
        if !zonemd.is_empty() {
            self.add_zonemd(&mut diff, &zonemd, soa)?;
        }
        Ok(diff)
    }

    /// Gives the apex the new serial and what the signer makes there, and finds out whether the zone is signed as it would be anew.
    fn prepare_apex<C: Chain>(&self, chain: &C, affected: &mut Affected) -> Result<(ApexSoa, Vec<zonemd::Hash>), ChangeError> {
        let apex = self.pen.apex;
        let mut content = Records::new();
        for record in affected.content.iter() {
            match Soa::read(record.rdata).filter(|_| record.rtype == Rtype::SOA) {
                Some(soa) => content.push(apex, Rtype::SOA, record.ttl, &Soa { serial: self.serial.0, ..soa }.to_rdata())?,
                None => content.push(apex, record.rtype, record.ttl, record.rdata)?,
            }
        }
        let (soa, zonemd) = prepare(&mut content, apex, self.keys, self.pen.policy)?;
        let set = |records: &Records, rtype| records_of(records).and_then(|records| records.rrset(rtype)).map(owned);
        let made = [Rtype::DNSKEY, Rtype::CDS, Rtype::CDNSKEY, Rtype::NSEC3PARAM];
        if made.iter().any(|&rtype| set(&affected.content, rtype) != set(&content, rtype)) {
            return Err(ChangeError::Anew(Anew::Keys));
        }
        affected.content = content;
        for rtype in [Rtype::SOA, Rtype::DNSKEY] {
            let signatures = records_of(&affected.stands).and_then(|records| records.signatures(rtype));
            let mut stand: Vec<(u8, u16)> = signatures.iter().flat_map(|set| set.rdata()).filter_map(signer).collect();
            let mut wanted: Vec<(u8, u16)> = self.pen.signers(rtype).iter().map(|key| (key.algorithm().number(), key.tag())).collect();
            stand.sort_unstable();
            wanted.sort_unstable();
            if stand != wanted {
                return Err(ChangeError::Anew(Anew::Signers));
            }
        }
        let link = affected.link.iter().find(|record| record.rtype == C::RTYPE);
        let is_wanted = |rdata: &[u8]| chain.read(rdata).is_some_and(|(next, _)| rdata.starts_with(&chain.head(&next)));
        if !link.is_some_and(|record| record.ttl == soa.negative_ttl && is_wanted(record.rdata)) {
            return Err(ChangeError::Anew(Anew::Chain));
        }
        Ok((soa, zonemd))
    }

    /// Adds the records of a name, with the signatures that hold.
    fn lay_out(&self, affected: &Affected, after: &mut After) -> Result<(), Full> {
        after.old.extend(&affected.stands)?;
        let Some(records) = records_of(&affected.content) else { return Ok(()) };
        after.new.extend(&affected.content)?;
        let stand = records_of(&affected.stands);
        for set in records.rrsets().filter(|set| affected.kind.is_some_and(|kind| self.pen.signs(kind, set))) {
            let same = stand.and_then(|stand| stand.rrset(set.rtype())).is_some_and(|stands| is_same(&stands, &set));
            let signatures = stand.filter(|_| same).and_then(|stand| stand.signatures(set.rtype()));
            match signatures {
                Some(signatures) => push_set(&mut after.new, &signatures)?,
                None => push_set(&mut after.unsigned, &set)?,
            }
        }
        Ok(())
    }

    /// What leads from the old records to the new, with the signatures that are due.
    fn sign(&self, mut after: After) -> Result<Diff, ChangeError> {
        after.unsigned.sort();
        let sets: Vec<Rrset<'_>> = after.unsigned.rrsets().collect();
        let sign = |range: std::ops::Range<usize>| {
            let (mut made, mut scratch) = (Records::new(), Scratch::default());
            for set in &sets[range] {
                self.pen.sign_rrset(set.owner(), set.rtype(), set.ttl(), set.rdata(), &mut scratch, &mut made)?;
            }
            Ok::<_, SignError>(made)
        };
        let new = &mut after.new;
        parallel::in_order(parallel::ranges(sets.len()), self.threads, sign, |made| Ok(new.extend(&made)?))?;
        after.old.sort();
        after.new.sort();
        Ok(Diff::between(&after.old, &after.new))
    }

    /// Makes the digests of the zone after `diff`, which has placeholders for them.
    fn add_zonemd(&self, diff: &mut Diff, hashes: &[zonemd::Hash], soa: ApexSoa) -> Result<(), ChangeError> {
        let apex = self.pen.apex;
        let is_digest = |record: &crate::dns::Record<'_>| record.rtype == Rtype::ZONEMD && record.owner == apex;
        let digests = zonemd::digests_of(&self.zone.apply(diff)?, hashes, zonemd::By::Signer);
        diff.added.retain(|record| !is_digest(&record));
        Ok(diff.added.merge(zonemd_set(hashes, &digests, soa, self.pen)?)?)
    }
}

/// The records of what is affected, before and after.
#[derive(Default)]
struct After {
    old: Records,
    new: Records,
    /// The sets among the new ones that are to be signed.
    unsigned: Records,
}

/// Adds a link, with its signatures if they hold.
fn lay_out_link<C: Chain>(link: &Relinked, ttl: u32, after: &mut After) -> Result<(), Full> {
    after.old.extend(&link.stands)?;
    let Some((owner, rdata)) = &link.record else { return Ok(()) };
    let is_same = |record: crate::dns::Record<'_>| record.rtype == C::RTYPE && record.ttl == ttl && record.rdata == rdata;
    if link.stands.iter().any(is_same) && link.stands.iter().any(|record| record.rtype == Rtype::RRSIG) {
        return after.new.extend(&link.stands);
    }
    after.new.push(owner.as_ref(), C::RTYPE, ttl, rdata)?;
    after.unsigned.push(owner.as_ref(), C::RTYPE, ttl, rdata)
}

fn push_set(to: &mut Records, set: &Rrset<'_>) -> Result<(), Full> {
    set.ttls().zip(set.rdata()).try_for_each(|(ttl, rdata)| to.push(set.owner(), set.rtype(), ttl, rdata))
}

fn is_same(a: &Rrset<'_>, b: &Rrset<'_>) -> bool {
    a.ttls().eq(b.ttls()) && a.len() == b.len() && a.rdata().zip(b.rdata()).all(|(x, y)| cmp_rdata(a.rtype(), x, y).is_eq())
}

fn owned(set: Rrset<'_>) -> Vec<(u32, Vec<u8>)> {
    set.ttls().zip(set.rdata().map(<[u8]>::to_vec)).collect()
}

/// Algorithm and tag of a signature.
fn signer(rdata: &[u8]) -> Option<(u8, u16)> {
    super::tbs::Rrsig::read(rdata).map(|rrsig| (rrsig.algorithm, rrsig.tag))
}

/// Why a change cannot be signed. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The serial is not newer than the zone's.
    Serial {
        /// The zone's.
        from: Serial,
        /// The one wanted.
        to: Serial,
    },
    /// The change has a record that the signer makes itself.
    Made(Name, Rtype),
    /// The change does not fit the zone.
    Unfit(DiffError),
    /// The zone has to be signed from the start.
    Anew(Anew),
    /// As in full signing.
    Sign(SignError),
}

/// Why a zone has to be signed from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// DNSKEY, CDS, CDNSKEY or NSEC3PARAM of the zone are others than keys and policy make.
    Keys,
    /// Other keys have signed it than sign now, or none.
    Signers,
    /// Its chain is of another kind, has another TTL, or is broken.
    Chain,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { from, to } => write!(f, "serial {to} is not newer than the zone's {from}"),
            Self::Made(name, rtype) => {
                write!(f, "the change has the {rtype} record of '{name}', which the signer makes itself: leave it out")
            }
            Self::Unfit(error) => error.fmt(f),
            Self::Anew(Anew::Keys) => {
                f.write_str("the zone's DNSKEY, CDS, CDNSKEY or NSEC3PARAM are not those of its keys and policy: sign it anew")
            }
            Self::Anew(Anew::Signers) => f.write_str("the zone's signatures are not those of the keys that sign now: sign it anew"),
            Self::Anew(Anew::Chain) => f.write_str("the zone's chain is not the one its policy and SOA want: sign it anew"),
            Self::Sign(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl From<SignError> for ChangeError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

impl From<DiffError> for ChangeError {
    fn from(error: DiffError) -> Self {
        Self::Unfit(error)
    }
}

impl From<Full> for ChangeError {
    fn from(full: Full) -> Self {
        Self::Sign(full.into())
    }
}
