//! The shared second-level names: which zones there are beside the top-level domain's, and where a name belongs.

use std::collections::HashMap;

use serde::Deserialize;

use super::name::{Folded, is_ldh_label};
use super::outcome::ZoneId;
use crate::dns::Name;

/// The top-level domain and the labels below it that are shared.
#[derive(Clone, Debug)]
pub struct SecondLevels {
    tld: String,
    max_levels: usize,
    /// True for a level at which names can be registered: [2, 3].
    registrable: [bool; 2],
    /// Each label with its zone; `None` for an inactive one.
    labels: HashMap<Vec<u8>, Option<ZoneId>>,
    /// The apex of every zone: the top-level domain, then the active labels in alphabetical order.
    apexes: Vec<Name>,
}

/// Where a name belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It can be registered, in this zone.
    Registrable(ZoneId),
    /// It is a shared second-level name itself.
    Shared,
    /// It is neither.
    NoLevel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondLevelFile {
    schema: u32,
    #[serde(rename = "as_of")]
    _as_of: Option<toml::Value>,
    tld: String,
    max_levels: usize,
    registrable_levels: Vec<usize>,
    #[serde(default)]
    second_level: Vec<SecondLevelEntry>,
}

/// The fields for people are taken so that a misspelt key of the others is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondLevelEntry {
    label: String,
    active: bool,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "name_vi")]
    _name_vi: Option<String>,
    #[serde(rename = "unit_2025")]
    _unit_2025: Option<String>,
    #[serde(rename = "registrants")]
    _registrants: Option<String>,
    #[serde(rename = "basis")]
    _basis: Option<String>,
    #[serde(rename = "since")]
    _since: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

impl SecondLevels {
    /// Reads the list.
    ///
    /// # Errors
    /// What is wrong: TOML, an unknown key, a label that none can be or that stands twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: SecondLevelFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if file.schema != 1 {
            return Err(format!("schema {} is not known, want 1", file.schema));
        }
        let tld = file.tld.to_ascii_lowercase();
        let is_label = |label: &str| (1..=63).contains(&label.len()) && is_ldh_label(label.as_bytes());
        if !is_label(&tld) {
            return Err(format!("'{tld}' is no top-level domain"));
        }
        if let Some(level) = file.registrable_levels.iter().find(|level| !(2..=3).contains(*level)) {
            return Err(format!("names at level {level} are not supported, want 2 and 3"));
        }
        if !(2..=127).contains(&file.max_levels) {
            return Err(format!("max_levels {} makes no sense", file.max_levels));
        }
        let mut entries: Vec<(String, bool)> =
            file.second_level.into_iter().map(|entry| (entry.label.to_ascii_lowercase(), entry.active)).collect();
        entries.sort();
        let mut labels = HashMap::new();
        let mut apexes = vec![parse_name(&tld)?];
        for (label, active) in entries {
            if !is_label(&label) {
                return Err(format!("'{label}' is no label"));
            }
            let zone = if active {
                apexes.push(parse_name(&format!("{label}.{tld}"))?);
                Some(ZoneId(u16::try_from(apexes.len() - 1).map_err(|_| "more than 65,535 zones".to_owned())?))
            } else {
                None
            };
            if labels.insert(label.clone().into_bytes(), zone).is_some() {
                return Err(format!("'{label}' stands twice"));
            }
        }
        let registrable = [2, 3].map(|level| file.registrable_levels.contains(&level));
        Ok(Self { tld, max_levels: file.max_levels, registrable, labels, apexes })
    }

    /// The top-level domain in lower case, no dot.
    pub fn tld(&self) -> &str {
        &self.tld
    }

    /// The most labels a name may have (92/2003 art. 7.2).
    pub fn max_levels(&self) -> usize {
        self.max_levels
    }

    /// The apex of every zone, by [`ZoneId`]; the top-level domain is the first.
    pub fn apexes(&self) -> &[Name] {
        &self.apexes
    }

    /// The zone of the top-level domain.
    pub fn parent(&self) -> ZoneId {
        ZoneId(0)
    }

    /// The label of a zone below the top-level domain; empty for the top-level domain's own.
    pub fn label(&self, zone: ZoneId) -> &[u8] {
        match zone {
            ZoneId(0) => b"",
            ZoneId(i) => self.apexes[i as usize].as_ref().labels().next().unwrap_or(b""),
        }
    }

    /// True if the last label is the top-level domain.
    pub(super) fn is_below(&self, name: &Folded) -> bool {
        name.label_count() >= 2 && name.labels().last() == Some(self.tld.as_bytes())
    }

    /// Where a name below the top-level domain belongs.
    pub(super) fn place(&self, name: &Folded) -> Place {
        match name.label_count() {
            2 if self.labels.contains_key(name.label(0)) => Place::Shared,
            2 if self.registrable[0] => Place::Registrable(self.parent()),
            3 if self.registrable[1] => match self.labels.get(name.label(1)) {
                Some(Some(zone)) => Place::Registrable(*zone),
                _ => Place::NoLevel,
            },
            _ => Place::NoLevel,
        }
    }

    /// How many labels the registrable name has that `name` is or lies below, and the zone it belongs to.
    pub(super) fn superordinate(&self, name: &Folded) -> Option<(usize, ZoneId)> {
        let n = name.label_count();
        if n < 2 {
            return None;
        }
        let second = name.as_name().suffix(2).labels().next()?;
        match self.labels.get(second) {
            None => self.registrable[0].then_some((2, self.parent())),
            Some(Some(zone)) if n >= 3 && self.registrable[1] => Some((3, *zone)),
            Some(_) => None,
        }
    }
}

fn parse_name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| format!("'{text}': {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> SecondLevels {
        SecondLevels::parse(include_str!("../../zones/second-level.toml")).expect("committed")
    }

    #[test]
    fn eighty_zones() {
        let list = list();
        assert_eq!((list.apexes().len(), list.max_levels(), list.tld()), (80, 5, "vn"));
        assert_eq!(list.apexes()[0].to_string(), "vn.");
        assert!(list.apexes()[1..].is_sorted());
    }

    #[test]
    fn names_have_their_place() {
        let list = list();
        let place = |text: &str| match list.place(&Folded::new(text.as_bytes()).expect("name")) {
            Place::Registrable(zone) => list.apexes()[zone.0 as usize].to_string(),
            Place::Shared => "shared".into(),
            Place::NoLevel => "none".into(),
        };
        let cases = [
            ("vidu.vn", "vn."),
            ("com.vn", "shared"),
            ("hatay.vn", "shared"),
            ("vidu.com.vn", "com.vn."),
            ("vidu.hatay.vn", "none"),
            ("www.vidu.vn", "none"),
            ("a.vidu.com.vn", "none"),
        ];
        for (name, expected) in cases {
            assert_eq!(place(name), expected, "{name}");
        }
        let above = |text: &str| list.superordinate(&Folded::new(text.as_bytes()).expect("name")).map(|(n, _)| n);
        let cases =
            [("vn", None), ("com.vn", None), ("vidu.vn", Some(2)), ("ns1.a.vidu.vn", Some(2)), ("ns1.com.vn", Some(3)), ("x.mil.vn", None)];
        for (name, expected) in cases {
            assert_eq!(above(name), expected, "{name}");
        }
    }

    #[test]
    fn a_new_label_is_one_more_line_and_mistakes_are_told() {
        let text = include_str!("../../zones/second-level.toml");
        let more = format!("{text}\n[[second_level]]\nlabel = \"XYZ\"\nactive = true\n");
        assert_eq!(SecondLevels::parse(&more).expect("one more").apexes().len(), 81);
        for (from, to, why) in [
            ("label = \"ac\"", "label = \"com\"", "twice"),
            ("label = \"ac\"", "label = \"a_c\"", "no label"),
            ("active = false", "activ = false", "unknown field"),
            ("schema = 1", "schema = 2", "schema"),
            ("[2, 3]", "[2, 4]", "level 4"),
            ("tld = \"vn\"", "tld = \"\"", "top-level"),
        ] {
            let error = SecondLevels::parse(&text.replacen(from, to, 1)).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}
