//! What is to be served, as values: the pipeline knows no TOML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Zonemd;
use crate::compile::Notice;
use crate::dns::Name;
use crate::sign;
use crate::transfer::catalog::Properties;

/// Everything that is to be served.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The registry's zones; `None` = there are none.
    pub registry: Option<RegistryPlan>,
    /// Zones from master files; no two with one apex.
    pub files: Vec<FilePlan>,
    /// Catalogs of what is served here; none of them is among the others.
    pub catalogs: Vec<CatalogPlan>,
    /// Zones that come from primaries, and are put in force by [`Pipeline::put`](super::Pipeline::put); none of them is among the others.
    pub secondaries: Vec<Name>,
    /// What is asked of the ZONEMD of a zone that others make, in a file or as its primaries, by apex in lower case; nothing of those that are not here.
    pub zonemd: BTreeMap<Name, Zonemd>,
    /// The folder of signing keys.
    pub keys: PathBuf,
}

impl Plan {
    /// All zones but the registry's.
    pub fn apexes(&self) -> impl Iterator<Item = &Name> {
        let files = self.files.iter().map(|file| &file.apex);
        files.chain(self.catalogs.iter().map(|catalog| &catalog.apex)).chain(&self.secondaries)
    }

    /// What is asked of the ZONEMD of a zone.
    pub fn zonemd(&self, apex: &Name) -> Zonemd {
        self.zonemd.get(apex).copied().unwrap_or_default()
    }
}

/// The zones that come out of the registry's export.
#[derive(Clone, Debug)]
pub struct RegistryPlan {
    /// The folder of deposits.
    pub deposits: PathBuf,
    /// A ledger of orders that the own one begins with, and follows as long as it goes on.
    pub orders: PathBuf,
    /// The two copies of the own ledger.
    pub ledger: [PathBuf; 2],
    /// The data file of shared second-level names.
    pub second_level: PathBuf,
    /// Who serves the zones.
    pub infrastructure: PathBuf,
    /// Legal profiles; `None` = those built in.
    pub profiles: Option<PathBuf>,
    /// Code points of Vietnamese labels; `None` = those built in.
    pub idn_table: Option<PathBuf>,
    /// Forbidden phrases; `None` = `prohibited.csv` beside the deposits, if there.
    pub prohibited: Option<PathBuf>,
    /// Delegated statistics; `None` = the first `delegated*.txt` beside the deposits, if there.
    pub delegated: Option<PathBuf>,
    /// Public keys, one of which must have signed the deposit; none = no signature is asked for.
    pub deposit_keys: Vec<PathBuf>,
    /// The share of a zone's published names that one deposit may take away, in percent.
    pub max_shrink_percent: u32,
    /// The legal profile's name.
    pub profile: String,
    /// Names are judged at the deposit's watermark instead of now.
    pub at_watermark: bool,
    /// How the zones are signed; `None` = not at all.
    pub policy: Option<sign::Policy>,
    /// The size of RSA keys that are made.
    pub rsa_bits: u32,
    /// What stands in the place of some suspended names.
    pub notice: Notice,
}

/// A zone from a master file.
#[derive(Clone, Debug)]
pub struct FilePlan {
    /// The apex.
    pub apex: Name,
    /// The master file.
    pub file: PathBuf,
    /// How it is signed; `None` = served as it stands.
    pub policy: Option<sign::Policy>,
    /// The size of RSA keys that are made.
    pub rsa_bits: u32,
    /// Its versions are kept also where it is served as it stands: there are secondaries that want to know what changes.
    pub is_kept: bool,
    /// Clients may change it: the file is only its beginning, and what is published last is what it is.
    pub is_dynamic: bool,
}

/// A catalog of zones that are served here (RFC 9432).
#[derive(Clone, Debug)]
pub struct CatalogPlan {
    /// The apex.
    pub apex: Name,
    /// The zones it lists.
    pub members: BTreeMap<Name, Properties>,
    /// How it lists the zones that come out of the registry's export; `None` = it does not.
    pub registry: Option<Properties>,
}

/// How much of the plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// As [`Self::All`], but for master files that are as they were when the image of their zone was made.
    Start,
    /// All inputs are read again.
    All,
    /// The inputs of one zone; for a zone of the registry that is the whole export.
    Zone(Name),
    /// No input is read: other zones are had from others than before.
    Members,
    /// No file is read that an operator may be editing: signatures that are due are renewed, and names are judged anew where
    /// the wall clock judges them.
    Timer,
}

impl Scope {
    /// True if nobody asked for it: what was said before is not said again.
    pub fn is_by_itself(&self) -> bool {
        match self {
            Self::Members | Self::Timer => true,
            Self::Start | Self::All | Self::Zone(_) => false,
        }
    }
}
