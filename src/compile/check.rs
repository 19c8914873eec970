//! The checks of one row, in their fixed order: the first that fails decides.

use super::delegated::Location;
use super::host::{HostPlace, Hosts};
use super::name::{Folded, is_ldh_label};
use super::outcome::{Exclusion, Finding, Findings, Outcome, Rejection, Verdict, ZoneId};
use super::profile::{Mode, TargetMode};
use super::second_level::Place;
use super::{At, Live, LiveDelegation, Policy};
use crate::dns::Rtype;
use crate::dns::idn::{ACE_PREFIX, IdnReject};
use crate::dns::records::Full;
use crate::orders::{InForce, Orders};
use crate::parallel;
use crate::registry::{Domain, DsRow, FeeState, HostId, Objects, RegistrantClass, RowId, Statuses};

/// The most name servers, DS and addresses of a host that are published. Our choice: one name whose set fits no message would
/// keep its whole zone from being published.
pub(super) const MAX_SET: usize = 100;
pub(super) const DAY: u64 = 86_400;
/// Rows or hosts that one core takes at once: far more work than to take them; our choice.
pub(super) const CHUNK: usize = 4096;

/// All that a row is judged by.
pub(super) struct Checker<'a> {
    pub objects: &'a Objects,
    pub orders: &'a Orders,
    pub policy: &'a Policy,
    pub hosts: &'a Hosts,
    pub at: At,
}

/// A name whose served delegation stays because the export contradicts itself.
pub(super) struct Kept {
    /// The first row of the name.
    pub row: RowId,
    pub zone: ZoneId,
    pub delegation: LiveDelegation,
}

/// Why a row is not published.
type Failed = Verdict;

/// Takes one record: its type, TTL and RDATA.
type Push<'a> = dyn FnMut(Rtype, u32, &[u8]) -> Result<(), Full> + 'a;

impl Checker<'_> {
    /// Judges every row, on all cores.
    pub fn judge_all(&self) -> Vec<Outcome> {
        let rows = self.objects.domains().len();
        let mut outcomes = vec![Outcome { verdict: Verdict::InZone, findings: Findings::default(), zone: None }; rows];
        parallel::map(outcomes.chunks_mut(CHUNK).enumerate().collect(), |(i, part)| {
            for (j, outcome) in part.iter_mut().enumerate() {
                *outcome = self.judge(RowId((i * CHUNK + j) as u32));
            }
        });
        self.agree(&mut outcomes);
        outcomes
    }

    /// Identical rows are one: what keeps one of them out keeps all out, and what is found in one is found in all.
    fn agree(&self, outcomes: &mut [Outcome]) {
        for row in 0..outcomes.len() {
            if !outcomes[row].findings.contains(Finding::DuplicateIdentical) {
                continue;
            }
            if self.objects.rows_like(RowId(row as u32)).next() != Some(RowId(row as u32)) {
                continue;
            }
            let rows: Vec<usize> = self.objects.rows_like(RowId(row as u32)).map(|row| row.0 as usize).collect();
            let worst = rows.iter().find(|&&row| outcomes[row].verdict != Verdict::InZone).unwrap_or(&row);
            let mut common = outcomes[*worst];
            if common.verdict == Verdict::InZone {
                rows.iter().for_each(|&row| common.findings = common.findings.union(outcomes[row].findings));
            }
            rows.iter().for_each(|&row| outcomes[row] = common);
        }
    }

    /// Finds the names that are rejected as duplicates, are served now, and are under no order.
    pub fn keep_live(&self, outcomes: &mut [Outcome], live: Option<&dyn Live>) -> Vec<Kept> {
        let mut kept = Vec::new();
        let Some(live) = live else { return kept };
        for row in 0..outcomes.len() {
            if outcomes[row].verdict != Verdict::Rejected(Rejection::DuplicateName) {
                continue;
            }
            let text = self.objects.bytes(self.objects.domain(RowId(row as u32)).name);
            let is_first = self.objects.rows_like(RowId(row as u32)).next() == Some(RowId(row as u32));
            if !is_first || self.orders.in_force(text, self.at.orders).is_some() {
                continue;
            }
            let rows: Vec<RowId> = self.objects.rows_like(RowId(row as u32)).collect();
            let name = Folded::new(text).expect("the name passed the checks before");
            let Place::Registrable(zone) = self.policy.second_levels.place(&name) else { continue };
            let apex = self.policy.second_levels.apexes()[zone.0 as usize].as_ref();
            let Some(delegation) = live.delegation(apex, name.as_name()) else { continue };
            for row in rows {
                let outcome = &mut outcomes[row.0 as usize];
                outcome.findings.add(Finding::LiveStateKept);
            }
            kept.push(Kept { row: RowId(row as u32), zone, delegation });
        }
        kept
    }

    pub fn judge(&self, row: RowId) -> Outcome {
        let mut findings = Findings::default();
        match self.check(row, &mut findings) {
            Ok(zone) => Outcome { verdict: Verdict::InZone, findings, zone: Some(zone) },
            Err(verdict) => Outcome { verdict, findings, zone: None },
        }
    }

    fn check(&self, row: RowId, findings: &mut Findings) -> Result<ZoneId, Failed> {
        let domain = self.objects.domain(row);
        let text = self.objects.bytes(domain.name);
        let (name, zone) = self.check_name(text)?;
        if domain.has_bad_value {
            findings.add(Finding::BadValue);
        }
        self.check_duplicate(row, findings)?;
        let u_label = self.check_idn(domain, &name)?;
        let phrase = u_label.as_deref().or_else(|| std::str::from_utf8(name.label(0)).ok()).unwrap_or("");
        if self.policy.prohibited.forbids(phrase, &self.policy.idn) {
            return Err(Verdict::Rejected(Rejection::ProhibitedPhrase));
        }
        if !domain.is_entitled && self.objects.is_reserved(text) {
            return Err(Verdict::Rejected(Rejection::ReservedName));
        }
        self.check_eligibility(domain.registrant_class, zone, findings)?;
        match self.orders.in_force(text, self.at.orders) {
            Some(InForce::Cancel(_)) => return Err(Verdict::Excluded(Exclusion::OrderCancel)),
            Some(InForce::Suspend(_)) => return Err(Verdict::Excluded(Exclusion::OrderSuspend)),
            None => {}
        }
        self.check_registration(row, zone, findings)?;
        Ok(zone)
    }

    /// True if nothing but orders keeps a name out that may be registered.
    pub fn is_kept_out_by_orders_alone(&self, row: RowId) -> bool {
        let name = self.check_name(self.objects.bytes(self.objects.domain(row).name));
        name.is_ok_and(|(_, zone)| self.check_registration(row, zone, &mut Findings::default()).is_ok())
    }

    /// Checks what the registry says of a name that may be registered: status, dates, fees, name servers, DS.
    fn check_registration(&self, row: RowId, zone: ZoneId, findings: &mut Findings) -> Result<(), Failed> {
        let domain = self.objects.domain(row);
        check_status(domain.statuses)?;
        self.check_expiry(domain, findings)?;
        if domain.fee_state == FeeState::Overdue {
            return Err(Verdict::Excluded(Exclusion::FeeOverdue));
        }
        self.check_name_servers(row, domain, zone, findings)?;
        let ds = self.objects.ds(row);
        if ds.len() > MAX_SET || ds.iter().any(|ds| ds_rdata(self.objects, ds).is_none()) {
            findings.add(Finding::BadDs);
        }
        Ok(())
    }

    /// Checks 1 to 5: whether this can be a registered name at all.
    fn check_name(&self, text: &[u8]) -> Result<(Folded, ZoneId), Failed> {
        let levels = &self.policy.second_levels;
        // Before the labels are looked at: only the last one counts here, even of a name that is too long.
        let mut labels = text.rsplit(|&octet| octet == b'.');
        let last = labels.next().unwrap_or(b"");
        if !last.eq_ignore_ascii_case(levels.tld().as_bytes()) || labels.next().is_none() {
            return Err(Verdict::Rejected(Rejection::NotUnderTld));
        }
        let Some(name) = Folded::new(text) else { return Err(Verdict::Rejected(Rejection::BadLabel)) };
        if !name.labels().all(is_ldh_label) {
            return Err(Verdict::Rejected(Rejection::BadLabel));
        }
        if name.label_count() > levels.max_levels() {
            return Err(Verdict::Rejected(Rejection::LevelsExceeded));
        }
        match levels.place(&name) {
            Place::Shared => Err(Verdict::Rejected(Rejection::SharedSecondLevel)),
            Place::NoLevel => Err(Verdict::Rejected(Rejection::NotRegistrableLevel)),
            Place::Registrable(zone) => Ok((name, zone)),
        }
    }

    /// Check 6: several rows of one name are one if roid and name servers agree, else nobody's.
    fn check_duplicate(&self, row: RowId, findings: &mut Findings) -> Result<(), Failed> {
        if self.objects.domain(row).is_crowded {
            return Err(Verdict::Rejected(Rejection::DuplicateName));
        }
        let mut rows = self.objects.rows_like(row);
        let first = rows.next().unwrap_or(row);
        let Some(second) = rows.next() else { return Ok(()) };
        let roid = |row: RowId| self.objects.bytes(self.objects.domain(row).roid);
        let servers = |row: RowId| {
            let mut servers = self.objects.name_servers(row).to_vec();
            servers.sort_unstable();
            servers.dedup();
            servers
        };
        let of_first = servers(first);
        if std::iter::once(second).chain(rows).all(|other| roid(other) == roid(first) && servers(other) == of_first) {
            findings.add(Finding::DuplicateIdentical);
            Ok(())
        } else {
            Err(Verdict::Rejected(Rejection::DuplicateName))
        }
    }

    /// True if several rows have the name of this one, and are not the same.
    pub fn is_in_doubt(&self, row: RowId) -> bool {
        self.objects.domain(row).shares_name && self.check_duplicate(row, &mut Findings::default()).is_err()
    }

    /// Check 7: every A-label stands for a U-label of the repertoire, and it is the one of `u_name`.
    ///
    /// Gives the U-label of the first label where that is an A-label.
    fn check_idn(&self, domain: &Domain, name: &Folded) -> Result<Option<String>, Failed> {
        if !name.labels().any(is_a_label) {
            return Ok(None);
        }
        let mut u_labels = Vec::with_capacity(name.label_count());
        for label in name.labels() {
            let label = std::str::from_utf8(label).expect("checked letters, digits and hyphens");
            if !is_a_label(label.as_bytes()) {
                u_labels.push(label.to_owned());
                continue;
            }
            let u_label = self.policy.idn.to_u_label(label).map_err(|reject| {
                Verdict::Rejected(match reject {
                    IdnReject::NotNfc => Rejection::IdnNotNfc,
                    IdnReject::CodePoint | IdnReject::NotLowercase => Rejection::IdnCodepoint,
                    IdnReject::BadALabel | IdnReject::LdhHyphen => Rejection::IdnBadALabel,
                })
            })?;
            u_labels.push(u_label);
        }
        let u_name = self.objects.text(domain.u_name);
        let agree = |(given, wanted): (&str, &String)| if given.is_ascii() { given.eq_ignore_ascii_case(wanted) } else { given == wanted };
        if u_name.split('.').count() != u_labels.len() || !u_name.split('.').zip(&u_labels).all(agree) {
            return Err(Verdict::Rejected(Rejection::IdnMismatch));
        }
        Ok(is_a_label(name.label(0)).then(|| u_labels.swap_remove(0)))
    }

    /// Check 10.
    fn check_eligibility(&self, class: RegistrantClass, zone: ZoneId, findings: &mut Findings) -> Result<(), Failed> {
        let label = self.policy.second_levels.label(zone);
        for rule in self.policy.profile.eligibility.iter().filter(|rule| rule.label.as_bytes() == label) {
            if rule.classes.iter().any(|word| RegistrantClass::parse(word.as_bytes()) == Some(class)) {
                continue;
            }
            match rule.mode {
                Mode::Enforce => return Err(Verdict::Rejected(Rejection::RegistrantClass)),
                Mode::Report => findings.add(Finding::RegistrantClass),
            }
        }
        Ok(())
    }

    /// Check 14. Day n is the n-th period of 24 hours after expiry.
    fn check_expiry(&self, domain: &Domain, findings: &mut Findings) -> Result<(), Failed> {
        let Some(expires) = domain.expires.filter(|&expires| expires < self.at.names) else { return Ok(()) };
        let elapsed = self.at.names.0 - expires.0;
        let profile = &self.policy.profile;
        if elapsed <= u64::from(profile.days_active_after_expiry) * DAY {
            Ok(())
        } else if elapsed <= u64::from(profile.last_suspended_day) * DAY {
            Err(Verdict::Excluded(Exclusion::ExpiredSuspended))
        } else {
            findings.add(Finding::RevokeCandidateExpiry);
            Err(Verdict::Excluded(Exclusion::ExpiredRevoke))
        }
    }

    /// Checks 16 to 19.
    fn check_name_servers(&self, row: RowId, domain: &Domain, zone: ZoneId, findings: &mut Findings) -> Result<(), Failed> {
        let mut kept = Vec::new();
        let left_out = self.usable_name_servers(row, &mut kept);
        if left_out.bad_name {
            findings.add(Finding::BadNs);
        }
        if kept.is_empty() && !left_out.no_glue {
            return self.check_without_name_server(domain, findings);
        }
        if kept.is_empty() {
            return Err(Verdict::Rejected(Rejection::MissingGlue));
        }
        if left_out.no_glue {
            findings.add(Finding::NsDroppedNoGlue);
        }
        self.check_home(&kept, zone, findings)?;
        if kept.len() < 2 {
            findings.add(Finding::FewNs);
        }
        Ok(())
    }

    fn check_without_name_server(&self, domain: &Domain, findings: &mut Findings) -> Result<(), Failed> {
        if domain.target.is_empty() {
            let idle = u64::from(self.policy.profile.days_without_name_server) * DAY;
            if domain.created.is_some_and(|created| self.at.names.0.saturating_sub(created.0) > idle) {
                findings.add(Finding::RevokeCandidate60d);
            }
            return Err(Verdict::Excluded(Exclusion::NoNs));
        }
        match self.policy.profile.target_mode {
            TargetMode::Cname if self.target(domain).is_some() => Ok(()),
            TargetMode::Cname | TargetMode::Off => Err(Verdict::Excluded(Exclusion::TargetModeOff)),
        }
    }

    /// The target of a name without name server, where the profile publishes it and it can be one.
    fn target(&self, domain: &Domain) -> Option<Folded> {
        if self.policy.profile.target_mode == TargetMode::Off {
            return None;
        }
        let text = self.objects.bytes(domain.target);
        Folded::new(text.strip_suffix(b".").unwrap_or(text)).filter(|name| name.labels().all(super::name::is_host_label))
    }

    /// Gives the records of a row that is published, in the order of the export; leaves its name servers in `servers`.
    pub fn delegation(&self, row: RowId, servers: &mut Vec<HostId>, push: &mut Push<'_>) -> Result<(), Full> {
        let (objects, ttls, domain) = (self.objects, self.policy.ttls, self.objects.domain(row));
        self.usable_name_servers(row, servers);
        for &host in &*servers {
            push(Rtype::NS, ttls.ns, self.hosts.name(host).as_wire())?;
        }
        if servers.is_empty()
            && let Some(target) = self.target(domain)
        {
            return push(Rtype::CNAME, ttls.ns, target.as_name().as_wire());
        }
        // Identical rows may carry their DS in either spelling of the name.
        let ds = objects.rows_like(row).flat_map(|row| objects.ds(row)).filter_map(|ds| ds_rdata(objects, ds));
        for rdata in ds.take(MAX_SET) {
            push(Rtype::DS, ttls.ds, &rdata)?;
        }
        Ok(())
    }

    /// Check 18, for the labels whose name servers must stand at home.
    fn check_home(&self, kept: &[HostId], zone: ZoneId, findings: &mut Findings) -> Result<(), Failed> {
        let profile = &self.policy.profile;
        let label = self.policy.second_levels.label(zone);
        if !profile.home_labels.iter().any(|home| home.as_bytes() == label) {
            return Ok(());
        }
        let (mut abroad, mut unknown) = (false, false);
        for &host in kept {
            let addresses = self.objects.addresses(host);
            unknown |= addresses.is_empty();
            for &address in addresses {
                match self.policy.delegated.locate(address) {
                    Location::Country(country) => abroad |= country != profile.home_country.as_bytes(),
                    Location::Unknown => unknown = true,
                }
            }
        }
        if abroad {
            match profile.home_mode {
                Mode::Enforce => return Err(Verdict::Rejected(Rejection::GovNsForeign)),
                Mode::Report => findings.add(Finding::GovNsForeign),
            }
        }
        if unknown {
            findings.add(Finding::GovNsUnverified);
        }
        Ok(())
    }

    /// Check 17: puts the name servers that can be published into `kept`, each once, in order.
    pub fn usable_name_servers(&self, row: RowId, kept: &mut Vec<HostId>) -> LeftOut {
        kept.clear();
        let mut left_out = LeftOut::default();
        let name = self.objects.bytes(self.objects.domain(row).name);
        for &host in self.objects.name_servers(row) {
            if kept.contains(&host) {
                continue;
            }
            if kept.len() == MAX_SET {
                left_out.bad_name = true;
                break;
            }
            let place = self.hosts.place(host);
            if place == HostPlace::BadLabel {
                left_out.bad_name = true;
                continue;
            }
            // At or below the name itself: the domain above the host is this one.
            let is_own = place
                .superordinate()
                .is_some_and(|above| above == row || self.objects.bytes(self.objects.domain(above).name).eq_ignore_ascii_case(name));
            if is_own && self.objects.addresses(host).is_empty() {
                left_out.no_glue = true;
                continue;
            }
            kept.push(host);
        }
        left_out
    }
}

/// Why name servers of a row are not published.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    /// One needs glue and has no address.
    pub no_glue: bool,
    /// One has a name that none can have, or there are too many.
    pub bad_name: bool,
}

/// Check 13.
fn check_status(statuses: Statuses) -> Result<(), Failed> {
    let order = [
        (Statuses::SERVER_HOLD, Exclusion::StatusServerHold),
        (Statuses::CLIENT_HOLD, Exclusion::StatusClientHold),
        (Statuses::PENDING_DELETE, Exclusion::StatusPendingDelete),
        (Statuses::PENDING_CREATE, Exclusion::StatusPendingCreate),
    ];
    match order.into_iter().find(|(status, _)| statuses.contains(*status)) {
        Some((_, exclusion)) => Err(Verdict::Excluded(exclusion)),
        None => Ok(()),
    }
}

/// Check 20: the RDATA of a DS row whose digest fits its type (RFC 4034 §5.1, RFC 4509, RFC 6605).
fn ds_rdata(objects: &Objects, row: &DsRow) -> Option<Vec<u8>> {
    let (key_tag, algorithm, digest_type) = (row.key_tag?, row.algorithm?, row.digest_type?);
    let digits = match digest_type {
        1 => 40,
        2 => 64,
        4 => 96,
        _ => return None,
    };
    let digest = objects.bytes(row.digest);
    if digest.len() != digits {
        return None;
    }
    let digest = data_encoding::HEXUPPER_PERMISSIVE.decode(digest).ok()?;
    let mut rdata = Vec::with_capacity(4 + digest.len());
    rdata.extend_from_slice(&key_tag.to_be_bytes());
    rdata.extend_from_slice(&[algorithm, digest_type]);
    rdata.extend_from_slice(&digest);
    Some(rdata)
}

fn is_a_label(label: &[u8]) -> bool {
    label.starts_with(ACE_PREFIX.as_bytes())
}
