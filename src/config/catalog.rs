//! Catalog zones (RFC 9432) in the configuration: who lists what, and what members are.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::read::{Reader, Text, ZONEMD};
use super::{ConfigError, Peer, Source, TsigKey, Zone, file};
use crate::dns::Name;
use crate::pipeline::Zonemd;
use crate::transfer::access::Allow;
use crate::transfer::catalog::Group;
use crate::transport::tls::Credentials;

/// What the members of a catalog are here.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Templates by name; at least one, the first is for members that no other is for.
    templates: Vec<(String, Template)>,
    /// Members have to be at or below one of these names; none = anywhere.
    pub scope: Vec<Name>,
}

impl Rules {
    /// The template for a member of these groups: the first one that has the name of a group.
    pub fn template(&self, groups: &[Group]) -> &Template {
        let named = self.templates.iter().find(|(name, _)| groups.iter().any(|group| group.is(name)));
        &named.unwrap_or(&self.templates[0]).1
    }
}

/// What a member is configured as.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Where it comes from.
    pub source: Source,
    /// Its secondaries.
    pub notify: Vec<Peer>,
    /// Who may transfer it.
    pub allow_transfer: Vec<Allow>,
    /// What is asked of its ZONEMD.
    pub zonemd: Zonemd,
}

/// That a zone is listed in a catalog that is made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The catalog, in lower case.
    pub catalog: Name,
    /// The group that it is given there.
    pub group: Option<String>,
    /// The catalog that may take it over, which does not list it yet.
    pub coo: Option<Name>,
    /// The catalog that it comes from, which lists it still, and gives it to this one.
    pub from: Option<Name>,
}

/// `[template.NAME]` as it is written, its peers understood.
pub(super) struct Written {
    primaries: Option<(Vec<Peer>, Vec<Allow>)>,
    transfer_in_size: Option<u64>,
    notify: Vec<Peer>,
    allow_transfer: Vec<Allow>,
    zonemd: Zonemd,
}

/// The keys of a zone or of the registry that say where it is listed.
pub(super) struct Listing {
    pub zone: Option<Text>,
    pub group: Option<Text>,
    pub coo: Option<Text>,
    pub from: Option<Text>,
}

/// The keys of a zone that say that it is a catalog.
pub(super) struct Role {
    pub role: Option<Text>,
    pub template: Option<Spanned<Vec<Text>>>,
    pub scope: Option<Spanned<Vec<Text>>>,
}

/// What a zone is to catalogs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Generate,
    Interpret,
}

impl Role {
    fn kind(&self, reader: &Reader<'_>) -> Result<Kind, ConfigError> {
        let names = [("generate", Kind::Generate), ("interpret", Kind::Interpret)];
        reader.choice(self.role.clone(), "zone.catalog-role", &names, Kind::None)
    }

    /// True for a catalog that is made here.
    pub fn is_generated(&self, reader: &Reader<'_>) -> Result<bool, ConfigError> {
        Ok(self.kind(reader)? == Kind::Generate)
    }
}

impl Reader<'_> {
    /// `[template.NAME]`.
    pub(super) fn templates(
        &self,
        tables: BTreeMap<String, file::Template>,
        keys: &[TsigKey],
        tls: Option<&Credentials>,
    ) -> Result<BTreeMap<String, Written>, ConfigError> {
        let template = |(name, table): (String, file::Template)| {
            let key = |rest: &str| format!("template.{name}.{rest}");
            let primaries = match (&table.primaries, table.allow_notify) {
                (Some(list), allow) => {
                    let (primaries, allow) =
                        (self.primaries(list, &key("primaries"), keys, tls)?, self.allowed(allow, &key("allow-notify"), keys)?);
                    Some((primaries, allow))
                }
                (None, Some(allow)) => {
                    let what = "says who may speak of changes in place of primaries that are not named, add primaries, or remove it";
                    return Err(self.error(&allow, &key("allow-notify"), what));
                }
                (None, None) => None,
            };
            let transfer_in_size = self.mebibytes(table.transfer_in_size, &key("transfer-in-size"))?;
            let notify = self.told(table.notify, &key("notify"), keys)?;
            let allow_transfer = self.allowed(table.allow_transfer, &key("allow-transfer"), keys)?;
            let zonemd = self.choice(table.zonemd, &key("zonemd"), &ZONEMD, Zonemd::Off)?;
            Ok((name, Written { primaries, transfer_in_size, notify, allow_transfer, zonemd }))
        };
        tables.into_iter().map(template).collect()
    }

    /// What members are, of a zone that is a catalog and not made here; the zone is read but for this.
    pub(super) fn rules(&self, role: Role, zone: &Zone, templates: &BTreeMap<String, Written>) -> Result<Option<Rules>, ConfigError> {
        let kind = role.kind(self)?;
        if kind != Kind::Interpret {
            let what = "is for a catalog that members are taken from, remove it, or add catalog-role = \"interpret\"";
            return match (&role.template, &role.scope) {
                (Some(list), _) => Err(self.error(list, "zone.catalog-template", what)),
                (None, Some(list)) => Err(self.error(list, "zone.catalog-scope", what)),
                (None, None) => Ok(None),
            };
        }
        let Zone { source: own, notify, allow_transfer, zonemd, .. } = zone;
        let resolve = |text: &Text| {
            let key = "zone.catalog-template";
            let name = text.get_ref();
            let what = || format!("there is no template '{name}', add a table [template.{name}]");
            let written = templates.get(name).ok_or_else(|| self.error(text, key, what()))?;
            let Written { primaries, transfer_in_size, notify, allow_transfer, zonemd } = written;
            let source = match (primaries, own) {
                (Some((primaries, allow_notify)), _) | (None, Source::Primaries { primaries, allow_notify, .. }) => {
                    let (primaries, allow_notify) = (primaries.clone(), allow_notify.clone());
                    Source::Primaries { primaries, allow_notify, transfer_in_size: *transfer_in_size }
                }
                (None, Source::File(_) | Source::Generated) => {
                    let what =
                        format!("the template '{name}' has no primaries, and the catalog has none that members could come from, add them");
                    return Err(self.error(text, key, what));
                }
            };
            Ok((name.clone(), Template { source, notify: notify.clone(), allow_transfer: allow_transfer.clone(), zonemd: *zonemd }))
        };
        let list = role.template.as_ref().map_or(&[][..], |list| list.get_ref());
        let mut templates = list.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
        if templates.is_empty() {
            if let (false, Some(at)) = (own.is_primaries(), &role.role) {
                let what = "comes from a file: add catalog-template = [\"...\"] with a template that has the primaries of the members";
                return Err(self.error(at, "zone.catalog-role", what));
            }
            let same = Template { source: own.clone(), notify: notify.clone(), allow_transfer: allow_transfer.clone(), zonemd: *zonemd };
            templates.push((String::new(), same));
        }
        let scope = role.scope.iter().flat_map(|list| list.get_ref());
        let scope =
            scope.map(|text| Ok(self.name(text, "zone.catalog-scope")?.as_ref().to_lowercase())).collect::<Result<_, ConfigError>>()?;
        Ok(Some(Rules { templates, scope }))
    }

    /// Where a zone is listed; that the catalog is made here is seen once all zones are read.
    pub(super) fn membership(&mut self, listing: Listing, table: &str) -> Result<Option<Membership>, ConfigError> {
        let key = |rest: &str| format!("{table}.{rest}");
        let Some(zone) = listing.zone else {
            let without = |text: &Text, rest: &str| {
                self.error(text, &key(rest), "is for a zone that a catalog lists, add catalog-zone, or remove it")
            };
            let keys = [(&listing.group, "catalog-group"), (&listing.coo, "catalog-coo"), (&listing.from, "catalog-from")];
            return match keys.into_iter().find_map(|(text, rest)| Some((text.as_ref()?, rest))) {
                Some((text, rest)) => Err(without(text, rest)),
                None => Ok(None),
            };
        };
        let catalog = self.name(&zone, &key("catalog-zone"))?.as_ref().to_lowercase();
        self.named.push((zone.span(), key("catalog-zone"), catalog.clone()));
        if let (Some(text), Some(_)) = (&listing.from, &listing.coo) {
            return Err(self.error(text, &key("catalog-from"), "and catalog-coo are two steps of a move, remove one of them"));
        }
        let other = |text: &Option<Text>, rest: &str, what: &str| {
            let Some(text) = text else { return Ok(None) };
            let name = self.name(text, &key(rest))?.as_ref().to_lowercase();
            if name == catalog { Err(self.error(text, &key(rest), what)) } else { Ok(Some(name)) }
        };
        let coo = other(&listing.coo, "catalog-coo", "is the catalog that it is in, write the one that takes it over")?;
        let from = other(&listing.from, "catalog-from", "is the catalog that it is in, write the one that it comes from")?;
        if let (Some(text), Some(from)) = (&listing.from, &from) {
            self.named.push((text.span(), key("catalog-from"), from.clone()));
        }
        let group = self.short_text(listing.group, &key("catalog-group"))?;
        Ok(Some(Membership { catalog, group, coo, from }))
    }

    /// Catalogs that zones are listed in have to be made here.
    pub(super) fn check_named(&mut self, zones: &[Zone]) -> Result<(), ConfigError> {
        let is_made = |name: &Name| zones.iter().any(|zone| zone.source == Source::Generated && zone.name == *name);
        match self.named.iter().find(|(_, _, name)| !is_made(name)) {
            Some((span, key, name)) => {
                let what = format!("no catalog '{name}' is made here, add a [[zone]] with this name and catalog-role = \"generate\"");
                Err(self.source.error(span.clone(), key.clone(), what))
            }
            None => Ok(()),
        }
    }
}

/// A catalog that is named, and where.
pub(super) type Named = (Range<usize>, String, Name);
