//! One order: its fields, and what can be said of it alone.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ledger;
use crate::dns::UnixTime;

/// One line of the ledger. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The place in the ledger, from 1, without a gap.
    pub seq: u64,
    /// SHA-256 of the line before, 64 hex digits; zeros first.
    pub prev_sha256: String,
    /// Unique, at most 40 characters.
    pub order_id: String,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: OrderKind,
    /// The order that a restore ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<String>,
    /// The name: A-labels in lower case, no final dot.
    pub domain: String,
    /// Who ordered: A05, COURT, INSPECTORATE, VNNIC, REGISTRAR ...
    pub authority: String,
    /// A code of the table of legal grounds.
    pub legal_ground: String,
    /// The number of the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_no: Option<String>,
    /// Where the evidence is archived.
    pub evidence_ref: String,
    /// When it arrived.
    #[serde(deserialize_with = "time", serialize_with = "write_time")]
    pub received_at: UnixTime,
    /// From when it holds; may lie in the future.
    #[serde(deserialize_with = "time", serialize_with = "write_time")]
    pub effective_at: UnixTime,
    /// When a suspension ends by itself. Must be there, may be null.
    #[serde(with = "moment")]
    pub expires_at: Option<UnixTime>,
    /// When it is to be looked at again; by default 30 days after it holds (art. 13.1.3).
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub review_at: Option<UnixTime>,
    /// Who filed it.
    pub operator: String,
    /// Who approved it; somebody else.
    pub approver: String,
    /// True when the approver may follow later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub urgent: bool,
    /// When the registrant was told. Must be there, may be null (art. 13.3.1).
    #[serde(with = "moment")]
    pub notice_sent_at: Option<UnixTime>,
    /// How the registrant was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_channel: Option<String>,
    /// When the registrar was told.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub registrar_notified_at: Option<UnixTime>,
    /// True for what public feeds leave out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub confidential: bool,
    /// Written by the program: how far it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// Written by the program: SHA-256 of the delegation taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Written by the program: names that used hosts below the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Vec<String>>,
    /// Written by the program: where it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Vec<serde_json::Value>>,
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderKind {
    /// Hides the name until it is restored or the order expires.
    Suspend,
    /// Ends the registration.
    Cancel,
    /// Ends another order.
    Restore,
}

/// How far an order got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// Written down.
    Draft,
    /// Durable.
    Accepted,
    /// Published.
    Applied,
    /// Replaced by another.
    Superseded,
    /// Restored or expired.
    Ended,
    /// Not accepted.
    Refused,
}

impl OrderKind {
    /// The word of the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Cancel => "cancel",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Order {
    /// True once a suspension ended by itself; a cancellation never does.
    pub(super) fn has_expired(&self, at: UnixTime) -> bool {
        self.kind == OrderKind::Suspend && self.expires_at.is_some_and(|end| end <= at)
    }

    /// True for a cancellation on the registrant's own request, which cannot be restored (art. 13.4).
    pub(super) fn is_final(&self) -> bool {
        self.kind == OrderKind::Cancel && self.legal_ground == "VOLUNTARY"
    }

    /// True if only the place in the ledger differs.
    pub(super) fn has_same_body(&self, other: &Self) -> bool {
        let placed = Self { seq: self.seq, prev_sha256: self.prev_sha256.clone(), ..other.clone() };
        placed == *self
    }

    /// What makes the line unusable, in the operator's words.
    pub(super) fn fault(&self) -> Option<String> {
        if self.order_id.is_empty() || self.order_id.chars().count() > ledger::MOST_ID {
            return Some(format!("order_id must have 1 to {} characters", ledger::MOST_ID));
        }
        if self.domain.is_empty() {
            return Some("domain is empty".into());
        }
        if self.kind == OrderKind::Restore && self.refers_to.as_deref().unwrap_or("").is_empty() {
            return Some("a restore must name the order it ends in refers_to".into());
        }
        None
    }

    /// What a person should look at. The order is carried out all the same: the ledger is the record of what was decided.
    pub(super) fn remark(&self) -> Option<String> {
        let given = [
            ("authority", &self.authority),
            ("legal_ground", &self.legal_ground),
            ("evidence_ref", &self.evidence_ref),
            ("operator", &self.operator),
        ];
        if let Some((field, _)) = given.iter().find(|(_, value)| value.is_empty()) {
            return Some(format!("{field} is empty"));
        }
        if self.domain.split('.').any(str::is_empty) || !(2..=3).contains(&self.domain.split('.').count()) {
            return Some(format!("'{}' is no name of two or three labels", self.domain));
        }
        if !self.domain.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.')) {
            return Some(format!("'{}' holds what no registered name holds: the order finds no name", self.domain.escape_default()));
        }
        if self.approver == self.operator || (self.approver.is_empty() && !self.urgent) {
            return Some("the approver must be somebody other than the operator".into());
        }
        None
    }
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

pub(super) fn write_time<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixTime::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no RFC 3339 time")))
}

/// A moment that may be null.
pub(super) mod moment {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::UnixTime;

    pub fn serialize<S: Serializer>(time: &Option<UnixTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnixTime>, D::Error> {
        let parse =
            |text: String| UnixTime::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no RFC 3339 time")));
        Option::<String>::deserialize(deserializer)?.map(parse).transpose()
    }
}
