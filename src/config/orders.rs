//! `[orders]`: where the ledger is kept, what an order may be about, and who is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::read::{Reader, Text};
use super::{ConfigError, file};
use crate::compile::Notice;
use crate::dns::{Name, idn};

/// `[orders]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Orders {
    /// The two copies of the ledger.
    pub ledger: [PathBuf; 2],
    /// The table of legal grounds in place of the built-in one.
    pub legal_grounds: Option<PathBuf>,
    /// Names of which, and of what is above, orders need break-glass; in A-labels and lower case, without final dot.
    pub protected: Vec<String>,
    /// Names that may lose name servers by an order before somebody has to accept that.
    pub max_impact: u32,
    /// After how long an order should be in force at all secondaries.
    pub deadline: Duration,
    /// The folder of acknowledgements for the registry's database.
    pub outbox: PathBuf,
    /// What stands in the place of suspended names.
    pub notice: Notice,
}

/// Names that are protected whatever is said: the registry's own.
const PROTECTED: [&str; 2] = ["dns-servers.vn", "vnnic.vn"];

/// After how long an order should be everywhere (VN-13.3.2a).
const DEADLINE: Duration = Duration::from_secs(60);

impl Reader<'_> {
    /// Reads the table; `state` is the folder of all that must outlive the process.
    pub(super) fn orders(&mut self, table: file::Orders, state: &Path) -> Result<Orders, ConfigError> {
        let given = table.ledger.clone();
        let ledger = match table.ledger {
            None => ["orders", "orders-copy"].map(|folder| state.join(folder).join("ledger.jsonl")),
            Some(texts) => {
                let paths = texts.get_ref().iter().map(|text| self.path(Some(text.clone()), "orders.ledger", ""));
                match &paths.collect::<Result<Vec<_>, _>>()?[..] {
                    [a, b] if a != b => [a.clone(), b.clone()],
                    _ => return Err(self.error(&texts, "orders.ledger", "must be two different paths, best on two disks")),
                }
            }
        };
        if let Some(texts) = &given
            && ledger.contains(&state.join("orders/record.jsonl"))
        {
            return Err(self.error(texts, "orders.ledger", "is the file in which is written what becomes of orders: choose another name"));
        }
        let legal_grounds = table.legal_grounds.map(|text| self.path(Some(text), "orders.legal-grounds", "")).transpose()?;
        let more = table.protected.unwrap_or_default().iter().map(|name| self.protected(name)).collect::<Result<Vec<_>, _>>()?;
        let max_impact = self.number(table.max_impact, "orders.max-impact", 0, 0..=u32::MAX)?;
        let deadline = self.duration(table.deadline, "orders.deadline", DEADLINE, 1..=86_400)?;
        let outbox = match table.outbox {
            None => state.join("outbox"),
            Some(text) => {
                let outbox = self.path(Some(text.clone()), "orders.outbox", "")?;
                if ledger.iter().any(|copy| copy.parent() == Some(&outbox)) {
                    return Err(self.error(
                        &text,
                        "orders.outbox",
                        "is the folder of a copy of the ledger, and files are taken out of it: choose another",
                    ));
                }
                outbox
            }
        };
        let name = |text: &Text| Ok(self.name(text, "orders.notice-servers")?.as_ref().to_lowercase());
        let servers = table.notice_servers.unwrap_or_default().iter().map(name).collect::<Result<Vec<_>, ConfigError>>()?;
        let grounds = table.notice_grounds.unwrap_or_default();
        if let (Some(first), true) = (grounds.first(), servers.is_empty()) {
            return Err(self.error(
                first,
                "orders.notice-grounds",
                "has no effect without notice-servers, name the servers that tell of a suspension",
            ));
        }
        // Without their addresses nobody is told anything.
        let of_servers = servers.iter().map(|server| server.to_string().trim_end_matches('.').to_owned());
        let protected = PROTECTED.map(str::to_owned).into_iter().chain(of_servers).chain(more).collect();
        let notice = Notice { servers, grounds: grounds.into_iter().map(Spanned::into_inner).collect() };
        Ok(Orders { ledger, legal_grounds, protected, max_impact, deadline, outbox, notice })
    }

    fn protected(&self, name: &Text) -> Result<String, ConfigError> {
        let text = name.get_ref().strip_suffix('.').unwrap_or(name.get_ref());
        let encoded = idn::encode_name(text).filter(|name| !name.is_empty() && Name::parse(name).is_ok());
        encoded.ok_or_else(|| self.error(name, "orders.protected", format!("'{}' is no domain name", name.get_ref())))
    }
}
