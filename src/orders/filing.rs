//! What an operator files, and whether it may become an order: who ordered it, on what ground, for which name, and by two persons.
//!
//! Pure: the ledger, the rules and the time are given. What is refused is refused with a code and changes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::grounds::Grounds;
use super::order::{self, Order, OrderKind};
use super::{Orders, ledger};
use crate::dns::{UnixTime, idn};

/// An order as it is filed: the fields of the ledger's line but for its place, and what is left out is filled in. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// Unique, at most 40 characters; made when it is left out. Whoever may have to file again gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: OrderKind,
    /// The order that a restore ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<String>,
    /// The name, in U-labels or A-labels.
    pub domain: String,
    /// Who ordered.
    pub authority: String,
    /// A code of the table of legal grounds.
    pub legal_ground: String,
    /// The number of the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_no: Option<String>,
    /// Where the evidence is archived.
    pub evidence_ref: String,
    /// When it arrived; now by default.
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub received_at: Option<UnixTime>,
    /// From when it holds; now by default.
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<UnixTime>,
    /// When a suspension ends by itself.
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixTime>,
    /// When it is to be looked at again; 30 days after it holds by default (art. 13.1.3).
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub review_at: Option<UnixTime>,
    /// Who files it.
    pub operator: String,
    /// Who approved it: somebody else. May be left out of what is urgent, and is missed until it is given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub approver: String,
    /// The approver may follow later.
    #[serde(default, skip_serializing_if = "order::is_false")]
    pub urgent: bool,
    /// When the registrant was told.
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub notice_sent_at: Option<UnixTime>,
    /// How the registrant was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_channel: Option<String>,
    /// When the registrar was told.
    #[serde(default, with = "order::moment", skip_serializing_if = "Option::is_none")]
    pub registrar_notified_at: Option<UnixTime>,
    /// For what public feeds leave out.
    #[serde(default, skip_serializing_if = "order::is_false")]
    pub confidential: bool,
    /// The name is protected, and is meant all the same.
    #[serde(default, skip_serializing_if = "order::is_false")]
    pub break_glass: bool,
    /// What else breaks is known and accepted.
    #[serde(default, skip_serializing_if = "order::is_false")]
    pub accept_impact: bool,
}

/// What a name is to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A name that can be registered.
    Registrable,
    /// A zone of the registry's own: the top-level domain or a shared second-level name.
    Zone,
    /// Anything else.
    Other,
}

/// What filings are judged by.
pub struct Rules<'a> {
    /// The table of legal grounds.
    pub grounds: &'a Grounds,
    /// Names that need break-glass, as do those above them; in A-labels and lower case, without final dot.
    pub protected: &'a [String],
    /// What a name (A-labels, lower case, no final dot) is to the registry.
    pub standing: &'a dyn Fn(&str) -> Standing,
}

/// What a filing comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// A new order: all but its place in the ledger.
    New(Box<Order>),
    /// It is in the ledger already, under this number.
    Known(u64),
}

/// Why a filing is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A field is missing, empty or too long, or does not go with the others.
    BadOrder(String),
    /// The id is taken by an order with another body.
    IdTaken(String),
    /// The name is none that an order can be about.
    BadName(String),
    /// The name is protected, or a zone of the registry's own.
    ProtectedName(String),
    /// The legal ground is not in the table, or is one of another kind of order.
    BadGround(String),
    /// The approver is missing, or is the operator.
    TwoPersons(String),
    /// The order to end is not there, or is about another name, or has ended.
    NothingToRestore(String),
    /// A cancellation on the registrant's own request (92/2003 art. 13.4).
    NotRestorable(String),
    /// The order to end is another body's (92/2003 art. 13.4).
    NotTheirs(String),
}

impl Refusal {
    /// The code as operators and reports see it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadOrder(_) => "BAD_ORDER",
            Self::IdTaken(_) => "ORDER_ID_TAKEN",
            Self::BadName(_) => "BAD_ORDER_NAME",
            Self::ProtectedName(_) => "PROTECTED_NAME",
            Self::BadGround(_) => "BAD_GROUND",
            Self::TwoPersons(_) => "TWO_PERSONS",
            Self::NothingToRestore(_) => "NOTHING_TO_RESTORE",
            Self::NotRestorable(_) => "NOT_RESTORABLE",
            Self::NotTheirs(_) => "NOT_THEIRS",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::BadOrder(what)
        | Self::IdTaken(what)
        | Self::BadName(what)
        | Self::ProtectedName(what)
        | Self::BadGround(what)
        | Self::TwoPersons(what)
        | Self::NothingToRestore(what)
        | Self::NotRestorable(what)
        | Self::NotTheirs(what)) = self;
        write!(f, "{}: {what}", self.code())
    }
}

impl std::error::Error for Refusal {}

/// The registry, as an authority is written: it may end the order of any body.
const REGISTRY: &str = "VNNIC";

/// The most characters of a field. Our choice: a reference, never the document itself.
const MOST: usize = 200;

/// After how long a suspension is looked at again, in seconds (92/2003 art. 13.1.3).
const REVIEW_SECS: u64 = 30 * 86_400;

/// What comes after it cannot be written as the ledger writes times: the year 9999 begins.
const END_OF_TIME: UnixTime = UnixTime(253_370_764_800);

/// True of a character that is seen where it stands: none that controls, hides, or turns the direction of what follows.
pub fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        )
        && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        && !matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_at_or_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// True if two names are one person's, however it is written.
pub fn is_same_person(a: &str, b: &str) -> bool {
    let person = |text: &str| text.nfkc().flat_map(char::to_lowercase).nfc().filter(|c| c.is_alphanumeric()).collect::<String>();
    person(a) == person(b)
}

impl Filing {
    /// Judges a filing against the ledger.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&self, orders: &Orders, rules: &Rules<'_>, now: UnixTime) -> Result<Filed, Refusal> {
        self.check_fields()?;
        let name = self.name(rules)?;
        if let Some(known) = self.order_id.as_deref().and_then(|id| orders.by_id(id)) {
            return if self.is(known, &name) {
                Ok(Filed::Known(known.seq))
            } else {
                Err(Refusal::IdTaken(format!("order '{}' is there already with another body", known.order_id)))
            };
        }
        self.check_ground(rules.grounds)?;
        self.check_persons()?;
        let effective_at = self.effective_at.unwrap_or(now);
        self.check_times(effective_at)?;
        if self.kind == OrderKind::Restore {
            self.check_restored(orders, &name, effective_at)?;
        }
        let review_at =
            self.review_at.or_else(|| (self.kind == OrderKind::Suspend).then_some(UnixTime(effective_at.0.saturating_add(REVIEW_SECS))));
        Ok(Filed::New(Box::new(Order {
            seq: 0,
            prev_sha256: String::new(),
            order_id: self.order_id.clone().unwrap_or_default(),
            kind: self.kind,
            refers_to: self.refers_to.clone(),
            domain: name,
            authority: self.authority.clone(),
            legal_ground: self.legal_ground.clone(),
            document_no: self.document_no.clone(),
            evidence_ref: self.evidence_ref.clone(),
            received_at: self.received_at.unwrap_or(now),
            effective_at,
            expires_at: self.expires_at,
            review_at,
            operator: self.operator.clone(),
            approver: self.approver.clone(),
            urgent: self.urgent,
            notice_sent_at: self.notice_sent_at,
            notice_channel: self.notice_channel.clone(),
            registrar_notified_at: self.registrar_notified_at,
            confidential: self.confidential,
            state: None,
            snapshot: None,
            impact: None,
            applied: None,
        })))
    }

    fn check_fields(&self) -> Result<(), Refusal> {
        let bad = |what: String| Err(Refusal::BadOrder(what));
        let needed = [
            ("authority", &self.authority),
            ("legal_ground", &self.legal_ground),
            ("evidence_ref", &self.evidence_ref),
            ("operator", &self.operator),
        ];
        if let Some((field, _)) = needed.iter().find(|(_, value)| value.trim().is_empty()) {
            return bad(format!("{field} is empty"));
        }
        let optional = [("document_no", &self.document_no), ("notice_channel", &self.notice_channel), ("refers_to", &self.refers_to)];
        let optional = optional.iter().filter_map(|(field, value)| Some((*field, value.as_ref()?)));
        for (field, value) in needed.into_iter().chain([("approver", &self.approver)]).chain(optional) {
            if value.chars().count() > MOST || !value.chars().all(is_plain) {
                return bad(format!("{field} has more than {MOST} characters, or characters that cannot be printed"));
            }
        }
        if let Some(id) = &self.order_id
            && ((1..=ledger::MOST_ID).contains(&id.chars().count()), id.chars().all(|c| is_plain(c) && !c.is_whitespace())) != (true, true)
        {
            return bad(format!("order_id must have 1 to {} characters that can be seen, none of them a space", ledger::MOST_ID));
        }
        if (self.kind == OrderKind::Restore) != self.refers_to.as_deref().is_some_and(|id| !id.is_empty()) {
            return bad("a restore must name the order it ends in refers_to, and nothing else may".into());
        }
        Ok(())
    }

    /// The name in A-labels, if an order can be about it.
    fn name(&self, rules: &Rules<'_>) -> Result<String, Refusal> {
        let bad = |why: &str| Refusal::BadName(format!("'{}' {why}", self.domain.escape_debug()));
        let text = self.domain.strip_suffix('.').unwrap_or(&self.domain);
        if !text.chars().all(is_plain) {
            return Err(bad("has characters that cannot be seen: it is another name than it looks like"));
        }
        let name = idn::encode_name(text).ok_or_else(|| bad("cannot be written in A-labels"))?;
        if name.contains('*') {
            return Err(bad("is a wildcard: an order is about one name, and whatever is below goes with it"));
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
        };
        if !name.split('.').all(is_label) {
            return Err(bad("is no domain name that can be registered"));
        }
        match (rules.standing)(&name) {
            Standing::Zone => Err(Refusal::ProtectedName(format!(
                "'{name}' is a zone that many names share, and no order takes it away: it is taken out of the list of second-level names"
            ))),
            Standing::Other => Err(bad("is not at a level where names are registered: file the order for the registered name above it")),
            Standing::Registrable => match rules.protected.iter().find(|below| is_at_or_below(below, &name)) {
                Some(kept) if !self.break_glass => {
                    Err(Refusal::ProtectedName(format!("'{kept}' is protected: --break-glass and two persons are needed")))
                }
                Some(kept) if self.approver.is_empty() => {
                    Err(Refusal::TwoPersons(format!("'{kept}' is protected: also what is urgent needs its approver at once")))
                }
                Some(_) | None => Ok(name),
            },
        }
    }

    fn check_ground(&self, grounds: &Grounds) -> Result<(), Refusal> {
        let code = &self.legal_ground;
        match grounds.kind(code) {
            Some(Some(kind)) if kind == self.kind => Ok(()),
            Some(_) => {
                let of_kind: Vec<&str> = grounds.of_kind(self.kind).collect();
                Err(Refusal::BadGround(format!("'{code}' is no ground of a {}, write one of {}", self.kind, of_kind.join(", "))))
            }
            None => Err(Refusal::BadGround(format!("there is no legal ground '{}' in the table", code.escape_debug()))),
        }
    }

    fn check_persons(&self) -> Result<(), Refusal> {
        let is_alone = self.approver.trim().is_empty();
        if is_alone && self.kind == OrderKind::Restore {
            return Err(Refusal::TwoPersons("an approver is needed: nobody brings a name back alone, and that is never urgent".into()));
        }
        if is_alone && !self.urgent {
            return Err(Refusal::TwoPersons("an approver is needed; what is urgent may name one later".into()));
        }
        if is_same_person(&self.approver, &self.operator) {
            return Err(Refusal::TwoPersons("the approver must be somebody other than the operator".into()));
        }
        Ok(())
    }

    fn check_times(&self, effective_at: UnixTime) -> Result<(), Refusal> {
        let times = [
            ("received_at", self.received_at),
            ("effective_at", self.effective_at),
            ("expires_at", self.expires_at),
            ("review_at", self.review_at),
            ("notice_sent_at", self.notice_sent_at),
            ("registrar_notified_at", self.registrar_notified_at),
        ];
        if let Some((field, _)) = times.iter().find(|(_, time)| time.is_some_and(|time| time >= END_OF_TIME)) {
            return Err(Refusal::BadOrder(format!("{field} lies beyond the year 9998, leave it out if it is to be for ever")));
        }
        match self.expires_at {
            Some(_) if self.kind != OrderKind::Suspend => {
                Err(Refusal::BadOrder(format!("a {} does not end by itself: expires_at is for suspensions", self.kind)))
            }
            Some(end) if end <= effective_at => {
                Err(Refusal::BadOrder(format!("it would expire at {end}, before it holds at {effective_at}")))
            }
            _ => Ok(()),
        }
    }

    fn check_restored(&self, orders: &Orders, name: &str, at: UnixTime) -> Result<(), Refusal> {
        let id = self.refers_to.as_deref().unwrap_or_default();
        let nothing = |why: &str| Err(Refusal::NothingToRestore(format!("order '{}' {why}", id.escape_debug())));
        match orders.by_id(id) {
            None => nothing("is not in the ledger"),
            Some(order) if order.kind == OrderKind::Restore => nothing("is itself a restore"),
            Some(order) if order.domain != *name => nothing(&format!("is about '{}'", order.domain)),
            Some(order) if order.is_final() => {
                Err(Refusal::NotRestorable(format!("order '{id}' is a cancellation on the registrant's own request (92/2003 art. 13.4)")))
            }
            Some(order) if order.has_expired(at) => nothing("has expired"),
            Some(order) if orders.lifted_at(order).is_some_and(|lifted| lifted <= at) => nothing("has been restored already"),
            Some(order) if ![&order.authority[..], REGISTRY].iter().any(|body| body.eq_ignore_ascii_case(self.authority.trim())) => {
                Err(Refusal::NotTheirs(format!(
                    "order '{id}' is of '{}': the body that ordered it ends it, or {REGISTRY} (92/2003 art. 13.4)",
                    order.authority.escape_debug()
                )))
            }
            Some(_) => Ok(()),
        }
    }

    /// True if the order is what is filed, as far as that says anything.
    fn is(&self, order: &Order, name: &str) -> bool {
        fn fits<T: PartialEq>(filed: &Option<T>, known: &Option<T>) -> bool {
            filed.is_none() || filed == known
        }
        self.kind == order.kind
            && *name == order.domain
            && self.authority == order.authority
            && self.legal_ground == order.legal_ground
            && self.evidence_ref == order.evidence_ref
            && self.operator == order.operator
            && self.refers_to == order.refers_to
            && (self.approver.is_empty() || self.approver == order.approver)
            && self.expires_at == order.expires_at
            && fits(&self.document_no, &order.document_no)
            && fits(&self.received_at, &Some(order.received_at))
            && fits(&self.effective_at, &Some(order.effective_at))
            && fits(&self.review_at, &order.review_at)
            && fits(&self.notice_sent_at, &order.notice_sent_at)
            && fits(&self.notice_channel, &order.notice_channel)
            && fits(&self.registrar_notified_at, &order.registrar_notified_at)
    }
}
