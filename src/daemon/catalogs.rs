//! The catalogs that are followed here, and the zones that are had by them (RFC 9432): kept in the state folder, so that a start knows them
//! whatever has become of a catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Config, Rules, Zone as ZoneConfig};
use crate::disk;
use crate::dns::Name;
use crate::pipeline::Pipeline;
use crate::telemetry::count;
use crate::transfer::catalog::{self, Broken, Catalog, Change, Clash, Group, Heard, Id, Member};
use crate::zone::Zone;

/// Members that are left out of which the log says each, whenever catalogs are settled. Our choice: enough to see what they have in common.
const MOST_SAID: usize = 10;

/// What is known of catalogs.
pub struct Catalogs {
    path: PathBuf,
    members: BTreeMap<Name, Member>,
    /// What is on the disk.
    saved: BTreeMap<Name, Member>,
    clashes: BTreeSet<Clash>,
    readings: BTreeMap<Name, Reading>,
}

/// One version of a catalog, read once.
struct Reading {
    zone: Arc<Zone>,
    says: Result<Catalog, Broken>,
}

impl Catalogs {
    /// With the members that the state in `folder` has; without any where it cannot be read, and says so.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("members");
        let members = load(&path).unwrap_or_else(|what| {
            log::error!("which zones are had by catalogs is not known before the catalogs are read: {what}");
            BTreeMap::new()
        });
        Self { path, saved: members.clone(), members, clashes: BTreeSet::new(), readings: BTreeMap::new() }
    }

    /// Works out the members anew from what catalogs say now; what is different goes into the log, and is what comes back.
    pub fn settle(&mut self, config: &Config, pipeline: &Pipeline) -> Vec<Change> {
        let followed: Vec<(Name, &Rules)> = followed(config).map(|(zone, rules)| (zone.name.as_ref().to_lowercase(), rules)).collect();
        if followed.is_empty() && self.members.is_empty() {
            return Vec::new();
        }
        self.readings.retain(|apex, _| followed.iter().any(|(name, _)| name == apex));
        for (apex, _) in &followed {
            self.read(apex, pipeline);
        }
        let says = |apex: &Name| self.readings.get(apex).filter(|_| !pipeline.is_expired(apex))?.says.as_ref().ok();
        let heard: Vec<Heard<'_>> = followed.iter().map(|(apex, rules)| Heard { apex, says: says(apex), scope: &rules.scope }).collect();
        let of_registry = pipeline.compiled().into_iter().flat_map(|compiled| &compiled.zones).filter_map(|apex| Name::parse(apex).ok());
        let ours: BTreeSet<Name> = config.zones.iter().map(|zone| zone.name.clone()).chain(of_registry).collect();
        let settled = catalog::settle(|apex| ours.contains(apex), &heard, &self.members);
        for change in &settled.changes {
            log::info!("{change}");
        }
        let mut news = settled.clashes.difference(&self.clashes);
        for clash in news.by_ref().take(MOST_SAID) {
            log::warn!("{clash}");
        }
        let n_more = news.count();
        if n_more > 0 {
            log::warn!("{} of catalogs left out as well", count(n_more, "more member"));
        }
        (self.members, self.clashes) = (settled.members, settled.clashes);
        settled.changes
    }

    /// Reads a catalog, where it is another version than was read last.
    fn read(&mut self, apex: &Name, pipeline: &Pipeline) {
        let Some(live) = pipeline.live().get(apex) else { return };
        let before = self.readings.get(apex);
        if before.is_some_and(|before| Arc::ptr_eq(&before.zone, &live.zone)) {
            return;
        }
        let says = Catalog::read(&live.zone);
        let serial = live.zone.serial();
        match (&says, before.map(|before| &before.says)) {
            (Err(broken), _) => log::error!("[{apex}] the catalog of serial {serial} is broken, its members stay as they are: {broken}"),
            (Ok(says), Some(Err(_))) => log::info!("[{apex}] the catalog is whole again, {}", count(says.entries.len(), "member")),
            (Ok(_), _) => {}
        }
        self.readings.insert(apex.clone(), Reading { zone: Arc::clone(&live.zone), says });
    }

    /// Keeps the members; an error goes into the log.
    pub fn save(&mut self) {
        if self.saved == self.members {
            return;
        }
        match save(&self.path, &self.members) {
            Ok(()) => self.saved.clone_from(&self.members),
            Err(error) => log::error!("which zones are had by catalogs cannot be kept in '{}': {error}", self.path.display()),
        }
    }

    /// The configuration with the members, but for those in `without`, among its zones.
    pub fn with_members(&self, config: &Config, without: &BTreeSet<Name>) -> Config {
        let rules: BTreeMap<&Name, &Rules> = followed(config).map(|(zone, rules)| (&zone.name, rules)).collect();
        let zone = |(name, member): (&Name, &Member)| {
            let template = rules.get(&member.catalog)?.template(&member.groups);
            let (source, notify, allow_transfer) = (template.source.clone(), template.notify.clone(), template.allow_transfer.clone());
            Some(ZoneConfig {
                name: name.clone(),
                source,
                sign: None,
                zonemd: template.zonemd,
                notify,
                allow_transfer,
                allow_update: Vec::new(),
                interpret: None,
                member: None,
            })
        };
        let mut config = config.clone();
        let members: Vec<ZoneConfig> = self.members.iter().filter(|(name, _)| !without.contains(*name)).filter_map(zone).collect();
        config.zones.extend(members);
        config
    }

    /// How a zone is had, where that is by a catalog.
    pub fn member(&self, apex: &Name) -> Option<&Member> {
        self.members.get(apex)
    }

    /// How many members each catalog has here, and what is broken in it.
    pub fn followed(&self) -> BTreeMap<Name, (usize, Option<String>)> {
        let broken =
            |reading: &Reading| Some(format!("the catalog is broken, its members stay as they are: {}", reading.says.as_ref().err()?));
        let mut all: BTreeMap<Name, (usize, Option<String>)> =
            self.readings.iter().map(|(apex, reading)| (apex.clone(), (0, broken(reading)))).collect();
        for member in self.members.values() {
            all.entry(member.catalog.clone()).or_default().0 += 1;
        }
        all
    }
}

fn followed(config: &Config) -> impl Iterator<Item = (&ZoneConfig, &Rules)> {
    config.zones.iter().filter_map(|zone| Some((zone, zone.interpret.as_ref()?)))
}

/// True if `apex` is a catalog that is followed.
pub fn is_followed(config: &Config, apex: &Name) -> bool {
    followed(config).any(|(zone, _)| zone.name == *apex)
}

/// A member as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    zone: String,
    catalog: String,
    /// Hexadecimal, as the groups are.
    id: String,
    groups: Vec<String>,
}

const HEADER: &str = "saola-members 1 ";

/// The most octets of the file: a line of some 150 for each member; our choice, far above any real one.
const MOST: u64 = 1 << 30;

fn load(path: &Path) -> Result<BTreeMap<Name, Member>, String> {
    let damaged = || format!("'{}' is damaged", path.display());
    let text = match disk::read_text(path, MOST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("'{}': {error}", path.display())),
    };
    let (checksum, json) = text.strip_prefix(HEADER).and_then(|rest| rest.split_once('\n')).ok_or_else(damaged)?;
    if HEXLOWER.encode(&Sha256::digest(json.as_bytes())) != checksum {
        return Err(damaged());
    }
    let all: Vec<Kept> = serde_json::from_str(json).map_err(|_| damaged())?;
    let octets = |text: &String| HEXLOWER.decode(text.as_bytes()).ok();
    let member = |kept: &Kept| {
        let groups = kept.groups.iter().map(|group| Some(Group(octets(group)?.into()))).collect::<Option<_>>()?;
        Some((
            Name::parse(&kept.zone).ok()?,
            Member { catalog: Name::parse(&kept.catalog).ok()?, id: Id(octets(&kept.id)?.into()), groups },
        ))
    };
    all.iter().map(member).collect::<Option<_>>().ok_or_else(damaged)
}

fn save(path: &Path, members: &BTreeMap<Name, Member>) -> io::Result<()> {
    let kept = |(zone, Member { catalog, id, groups }): (&Name, &Member)| Kept {
        zone: zone.to_string(),
        catalog: catalog.to_string(),
        id: HEXLOWER.encode(&id.0),
        groups: groups.iter().map(|group| HEXLOWER.encode(&group.0)).collect(),
    };
    let json = serde_json::to_string(&members.iter().map(kept).collect::<Vec<_>>()).map_err(io::Error::other)?;
    // A line each, for who looks.
    let json = json.replace("},{", "},\n{");
    let checksum = HEXLOWER.encode(&Sha256::digest(json.as_bytes()));
    disk::replace(path, 0o640, |out| write!(out, "{HEADER}{checksum}\n{json}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_kept_and_damage_is_seen() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("members");
        assert_eq!(load(&path), Ok(BTreeMap::new()));
        let name = |text: &str| Name::parse(text).expect("a name");
        let member = |i: u8| {
            (
                name(&format!(r"a\.{i}.vn")),
                Member { catalog: name("c"), id: Id::new(&[i, 255]), groups: vec![Group::new("},{"), Group(Box::new([i]))] },
            )
        };
        let members: BTreeMap<Name, Member> = (0..3).map(member).collect();
        save(&path, &members).expect("written");
        // What a group is called has no effect on the text around it.
        assert_eq!(load(&path), Ok(members));
        let whole = std::fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 7);
            std::fs::write(&path, &damaged).expect("written");
            assert!(load(&path).is_err(), "octet {at}");
            std::fs::write(&path, &whole[..at]).expect("written");
            assert!(load(&path).is_err(), "cut at {at}");
        }
    }
}
