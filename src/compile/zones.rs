//! Writes the records: delegations, DS, glue, and what the registry's own name servers need.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::check::{Checker, Kept, MAX_SET};
use super::host::HostPlace;
use super::name::Folded;
use super::outcome::{Exclusion, Finding, HostOutcome, HostResult, Outcome, Verdict, ZoneId};
use super::second_level::Place;
use super::{CompileError, Infrastructure, SecondLevels, Ttls};
use crate::dns::rdata::Soa;
use crate::dns::records::Full;
use crate::dns::{Name, NameRef, Records, Rtype, Serial};
use crate::parallel;
use crate::registry::{HostId, RowId};

/// What a compilation gives.
#[derive(Debug)]
pub struct Compiled {
    /// Every zone: the top-level domain's first, then the others in alphabetical order. See [`ZoneId`].
    pub zones: Vec<CompiledZone>,
    /// What became of each row of domain.csv, in its order.
    pub outcomes: Vec<Outcome>,
    /// What became of each host object, in the order of the export.
    pub hosts: Vec<HostOutcome>,
}

/// One zone without its SOA record: whoever publishes it knows the serial.
#[derive(Debug)]
pub struct CompiledZone {
    /// The apex.
    pub apex: Name,
    /// Every record but the SOA, not sorted: the apex NS, delegations, DS, glue, addresses of the registry's name servers.
    pub records: Records,
    /// How many names of the export are published here.
    pub published: u64,
    soa: Soa,
    ttls: Ttls,
}

impl CompiledZone {
    /// The SOA at a serial.
    pub fn soa(&self, serial: Serial) -> Soa {
        Soa { serial: serial.0, ..self.soa.clone() }
    }

    /// All records with the SOA at `serial`, in canonical order.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB.
    pub fn into_records(self, serial: Serial) -> Result<Records, Full> {
        let soa = self.soa(serial).to_rdata();
        let mut records = self.records;
        records.push(self.apex.as_ref(), Rtype::SOA, self.ttls.soa, &soa)?;
        records.sort();
        Ok(records)
    }
}

impl Compiled {
    /// Adds the DS records of a zone to the zone of the top-level domain, once its keys are known.
    ///
    /// # Errors
    /// [`Full`] past 4 GiB.
    pub fn add_ds(&mut self, child: NameRef<'_>, rdata: &[Vec<u8>]) -> Result<(), Full> {
        let parent = &mut self.zones[0];
        for rdata in rdata {
            parent.records.push(child, Rtype::DS, parent.ttls.ds, rdata)?;
        }
        Ok(())
    }

    /// Published names of each zone, by apex without final dot: what the next deposit is compared with.
    pub fn published(&self) -> BTreeMap<String, u64> {
        let text = |zone: &CompiledZone| zone.apex.to_string().trim_end_matches('.').to_owned();
        self.zones.iter().map(|zone| (text(zone), zone.published)).collect()
    }
}

/// Builds every zone from the outcomes, zones on all cores; adds the findings that only show once all names are judged.
pub(super) fn build(checker: &Checker<'_>, mut outcomes: Vec<Outcome>, kept: Vec<Kept>) -> Result<Compiled, CompileError> {
    let policy = checker.policy;
    let objects = checker.objects;
    // The first row of each published name stands for it.
    let mut is_published = vec![false; outcomes.len()];
    for (row, outcome) in outcomes.iter().enumerate() {
        let is_first = || {
            !outcome.findings.contains(Finding::DuplicateIdentical)
                || objects.rows_like(RowId(row as u32)).next() == Some(RowId(row as u32))
        };
        is_published[row] = outcome.verdict == Verdict::InZone && is_first();
    }
    for kept in &kept {
        is_published[kept.row.0 as usize] = true;
    }

    let mut rows_of = vec![Vec::new(); policy.second_levels.apexes().len()];
    for (row, outcome) in outcomes.iter().enumerate().filter(|(row, _)| is_published[*row]) {
        if let Some(zone) = outcome.zone {
            rows_of[zone.0 as usize].push(RowId(row as u32));
        }
    }
    let mut zones = Zones::new(&policy.second_levels, &policy.infrastructure, policy.ttls, &rows_of);
    let is_linked: Vec<AtomicBool> = objects.hosts().map(|_| AtomicBool::new(false)).collect();
    let filled = parallel::map(zones.zones.into_iter().zip(rows_of).collect(), |(mut zone, rows)| {
        let orphans = fill(checker, &mut zone, &rows, &is_published, &is_linked)?;
        Ok::<_, Full>((zone, orphans))
    });
    zones.zones = Vec::with_capacity(filled.len());
    for result in filled {
        let (zone, orphans) = result?;
        zones.zones.push(zone);
        for row in orphans.into_iter().flat_map(|row| objects.rows_like(row)) {
            outcomes[row.0 as usize].findings.add(Finding::OrphanGlueDropped);
        }
    }
    for Kept { row, zone, delegation } in kept {
        let name = Folded::new(objects.bytes(objects.domain(row).name)).expect("a kept name passed the checks");
        for server in &delegation.ns {
            let text = server.to_string();
            if let Some(host) = objects.host_named(text.trim_end_matches('.').as_bytes()) {
                is_linked[host.0 as usize].store(true, Ordering::Relaxed);
            }
            zones.push(zone, name.as_name(), Rtype::NS, policy.ttls.ns, server.as_ref().as_wire())?;
        }
        for rdata in &delegation.ds {
            zones.push(zone, name.as_name(), Rtype::DS, policy.ttls.ds, rdata)?;
        }
        zones.zones[zone.0 as usize].published += 1;
    }

    if !policy.notice.servers.is_empty() {
        for (row, _) in outcomes.iter().enumerate().filter(|(_, outcome)| outcome.verdict == Verdict::Excluded(Exclusion::OrderSuspend)) {
            let row = RowId(row as u32);
            let text = objects.bytes(objects.domain(row).name);
            let Some(servers) = policy.notice.of(checker.orders, text, checker.at) else { continue };
            let name = Folded::new(text).expect("a suspended name passed the checks");
            let Place::Registrable(zone) = policy.second_levels.place(&name) else { continue };
            let is_published_else = || objects.rows_like(row).all(|row| checker.is_kept_out_by_orders_alone(row));
            if objects.rows_like(row).next() == Some(row) && is_published_else() {
                for server in servers {
                    zones.push(zone, name.as_name(), Rtype::NS, policy.ttls.ns, server.as_ref().as_wire())?;
                }
            }
        }
    }

    let mut hosts = Vec::new();
    for (i, host) in objects.hosts().enumerate() {
        let id = HostId(i as u32);
        let result = judge_host(checker, id, &is_published, is_linked[i].load(Ordering::Relaxed));
        if let HostResult::Glue(zone) = result {
            for &address in objects.addresses(id).iter().take(MAX_SET) {
                zones.push_address(zone, checker.hosts.name(id), address)?;
            }
        }
        if host.is_object {
            hosts.push(HostOutcome { host: id, result });
        }
    }
    Ok(Compiled { zones: zones.zones, outcomes, hosts })
}

/// Adds the records of `rows`, and marks the hosts they use; gives the rows with a name server whose glue is left out.
fn fill(
    checker: &Checker<'_>,
    zone: &mut CompiledZone,
    rows: &[RowId],
    is_published: &[bool],
    is_linked: &[AtomicBool],
) -> Result<Vec<RowId>, Full> {
    let (objects, records) = (checker.objects, &mut zone.records);
    let (mut servers, mut orphans) = (Vec::new(), Vec::new());
    for &row in rows {
        let name = Folded::new(objects.bytes(objects.domain(row).name)).expect("a published name passed the checks");
        checker.delegation(row, &mut servers, &mut |rtype, ttl, rdata| records.push(name.as_name(), rtype, ttl, rdata))?;
        servers.iter().for_each(|&host| is_linked[host.0 as usize].store(true, Ordering::Relaxed));
        if servers.iter().any(|&host| is_orphan(checker, host, is_published)) {
            orphans.push(row);
        }
    }
    zone.published += rows.len() as u64;
    Ok(orphans)
}

/// True for a host whose glue is left out because the domain above it is not published.
fn is_orphan(checker: &Checker<'_>, host: HostId, is_published: &[bool]) -> bool {
    judge_host(checker, host, is_published, true) == HostResult::SuperordinateNotInZone
}

fn judge_host(checker: &Checker<'_>, host: HostId, is_published: &[bool], is_linked: bool) -> HostResult {
    match checker.hosts.place(host) {
        HostPlace::BadLabel => HostResult::BadLabel,
        HostPlace::External => HostResult::External,
        HostPlace::TooDeep { .. } => HostResult::LevelsExceeded,
        HostPlace::Internal { .. } if checker.objects.addresses(host).is_empty() => HostResult::NoAddress,
        HostPlace::Internal { superordinate, zone } => match superordinate {
            Some(row) if is_published[row.0 as usize] => {
                if is_linked {
                    HostResult::Glue(zone)
                } else {
                    HostResult::NotLinked
                }
            }
            _ => HostResult::SuperordinateNotInZone,
        },
    }
}

struct Zones {
    zones: Vec<CompiledZone>,
    ttls: Ttls,
}

impl Zones {
    /// Every zone with what it has without any registration.
    fn new(levels: &SecondLevels, infrastructure: &Infrastructure, ttls: Ttls, rows_of: &[Vec<RowId>]) -> Self {
        let soa = Soa {
            mname: infrastructure.primary.clone(),
            rname: infrastructure.contact.clone(),
            serial: 0,
            refresh: ttls.refresh,
            retry: ttls.retry,
            expire: ttls.expire,
            minimum: ttls.negative,
        };
        let zone = |(i, apex): (usize, &Name)| CompiledZone {
            apex: apex.clone(),
            // Most names have two name servers.
            records: Records::with_capacity(2 * rows_of[i].len()),
            published: 0,
            soa: soa.clone(),
            ttls,
        };
        let mut zones = Self { zones: levels.apexes().iter().enumerate().map(zone).collect(), ttls };
        zones.add_infrastructure(levels, infrastructure).expect("a few hundred records fit");
        zones
    }

    fn add_infrastructure(&mut self, levels: &SecondLevels, infrastructure: &Infrastructure) -> Result<(), Full> {
        let apexes = levels.apexes();
        for (i, apex) in apexes.iter().enumerate() {
            for server in &infrastructure.name_servers {
                let rdata = server.name.as_ref().as_wire();
                self.push(ZoneId(i as u16), apex.as_ref(), Rtype::NS, self.ttls.ns, rdata)?;
                if i > 0 {
                    self.push(levels.parent(), apex.as_ref(), Rtype::NS, self.ttls.ns, rdata)?;
                }
            }
        }
        for server in &infrastructure.name_servers {
            // Authoritative in the deepest zone around it; when that is not the parent, the parent needs it as glue.
            let around = (0..apexes.len()).filter(|&i| server.name.as_ref().is_at_or_below(apexes[i].as_ref()));
            for zone in around.map(|i| ZoneId(i as u16)) {
                for &address in &server.addresses {
                    self.push_address(zone, server.name.as_ref(), address)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, zone: ZoneId, owner: NameRef<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Result<(), Full> {
        self.zones[zone.0 as usize].records.push(owner, rtype, ttl, rdata)
    }

    fn push_address(&mut self, zone: ZoneId, owner: NameRef<'_>, address: IpAddr) -> Result<(), Full> {
        match address {
            IpAddr::V4(v4) => self.push(zone, owner, Rtype::A, self.ttls.address, &v4.octets()),
            IpAddr::V6(v6) => self.push(zone, owner, Rtype::AAAA, self.ttls.address, &v6.octets()),
        }
    }
}
