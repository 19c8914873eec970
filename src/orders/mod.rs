//! Orders to suspend, cancel and restore names: reads the ledger and says which order is in force for a name.
//!
//! Orders outrank every export (92/2003 art. 13 s. 3.2). Knows no deposit, no zone and no clock: the time is given.

mod copies;
mod filing;
mod grounds;
mod ledger;
mod order;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

pub use copies::{Ledger, Opened, Unreadable};
pub use filing::{Filed, Filing, Refusal, Rules, Standing, is_plain, is_same_person};
pub use grounds::Grounds;
pub use ledger::{Chain, LedgerError, LedgerFault, ZERO_HASH, sha256};
pub use order::{Order, OrderKind, OrderState};

pub use record::{CANCEL_DUE, Damage, Due, Event, Record, What, due};

use crate::dns::UnixTime;

/// Every order of a ledger, by name.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    orders: Vec<Order>,
    /// By domain (A-labels, lower case): places in `orders`, oldest first.
    by_domain: HashMap<Box<[u8]>, Vec<usize>>,
    by_id: HashMap<String, usize>,
    /// From when orders, by their places, are ended by a restore.
    lifted: HashMap<usize, UnixTime>,
    /// The moments at which orders begin and suspensions expire, with their places.
    turns: BTreeMap<UnixTime, Vec<usize>>,
    chain: Chain,
    notes: Vec<String>,
}

/// What an order does to a name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InForce<'a> {
    /// The registration is ended by this order. Outranks a suspension.
    Cancel(&'a Order),
    /// The name is out of the zones until this order is restored or expires.
    Suspend(&'a Order),
}

impl Orders {
    /// No orders.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a ledger: one JSON object a line, each with the hash of the line before.
    ///
    /// A last line without LF is a torn write: it is taken when it is whole (a suspension must not be lost for one
    /// octet), else left out; both are told in [`Self::notes`].
    ///
    /// # Errors
    /// [`LedgerError`] with the first line that breaks the chain or cannot be read. Nothing of the ledger is used then.
    pub fn read(text: &[u8]) -> Result<Self, LedgerError> {
        let mut orders = Self::none();
        let mut rest = text;
        let mut line = 0;
        while !rest.is_empty() {
            line += 1;
            let end = rest.iter().position(|&octet| octet == b'\n');
            let whole = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or(&[][..], |end| &rest[end + 1..]);
            match orders.chain.read_line(whole) {
                Ok(order) => {
                    if end.is_none() {
                        orders.notes.push(format!("line {line}: has no line feed at its end, but is whole: taken"));
                    }
                    orders.add(line, order).map_err(|fault| LedgerError { line, fault })?;
                }
                Err(fault) if end.is_none() => {
                    orders.notes.push(format!("line {line}: torn at the end of the ledger, left out ({fault})"));
                }
                Err(fault) => return Err(LedgerError { line, fault }),
            }
        }
        Ok(orders)
    }

    /// The order that keeps `domain` (A-labels, no final dot, any case) out of the zones at `at`; a cancellation before suspensions.
    ///
    /// Cost: one look-up.
    pub fn in_force(&self, domain: &[u8], at: UnixTime) -> Option<InForce<'_>> {
        let mut found = None;
        for order in self.all_in_force(domain, at) {
            match order.kind {
                OrderKind::Cancel => return Some(InForce::Cancel(order)),
                OrderKind::Suspend => found = found.or(Some(InForce::Suspend(order))),
                OrderKind::Restore => {}
            }
        }
        found
    }

    /// The suspensions and cancellations that are active for `domain` at `at`, oldest first.
    ///
    /// An order is active once effective, as long as no restore that refers to it is effective and, for a suspension, it has not expired.
    pub fn all_in_force(&self, domain: &[u8], at: UnixTime) -> impl Iterator<Item = &Order> {
        let places = if domain.iter().any(u8::is_ascii_uppercase) {
            self.by_domain.get(&domain.to_ascii_lowercase()[..])
        } else {
            self.by_domain.get(domain)
        };
        let places = places.map_or(&[][..], Vec::as_slice);
        places.iter().filter(move |&&place| self.is_active(place, at)).map(|&place| &self.orders[place])
    }

    /// The names that orders are about, in A-labels and lower case, in no order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.by_domain.keys().map(|name| &name[..])
    }

    /// What an order is at a time, in a word or two: `in force`, `to come`, `expired`, `restored`; of a restore, `restore`.
    pub fn state(&self, order: &Order, at: UnixTime) -> &'static str {
        let is_lifted = self.lifted_at(order).is_some_and(|lifted| lifted <= at);
        match order.kind {
            OrderKind::Restore => "restore",
            OrderKind::Suspend | OrderKind::Cancel if is_lifted => "restored",
            OrderKind::Suspend | OrderKind::Cancel if order.has_expired(at) => "expired",
            OrderKind::Suspend | OrderKind::Cancel if order.effective_at > at => "to come",
            OrderKind::Suspend | OrderKind::Cancel => "in force",
        }
    }

    /// From when an order is ended by a restore.
    pub fn lifted_at(&self, order: &Order) -> Option<UnixTime> {
        self.lifted.get(self.by_id.get(&order.order_id)?).copied()
    }

    /// The first moment after `at` at which an order begins or ceases to hold by itself.
    pub fn next_turn(&self, at: UnixTime) -> Option<UnixTime> {
        Some(*self.turns.range((Bound::Excluded(at), Bound::Unbounded)).next()?.0)
    }

    /// The suspensions that have expired by `at` without a restore that says so, oldest first.
    pub fn ended(&self, at: UnixTime) -> impl Iterator<Item = &Order> {
        let turns = self.turns.range(..=at).flat_map(|(_, places)| places);
        let is_open = move |place: &&usize| self.orders[**place].has_expired(at) && !self.lifted.contains_key(place);
        let open: BTreeSet<usize> = turns.filter(is_open).copied().collect();
        open.into_iter().map(|place| &self.orders[place])
    }

    /// The names of which an order began or ceased to hold by itself after `from` and not after `to`.
    pub fn turned(&self, from: UnixTime, to: UnixTime) -> impl Iterator<Item = &str> {
        let turns = (from < to).then(|| self.turns.range((Bound::Excluded(from), Bound::Included(to))));
        turns.into_iter().flatten().flat_map(|(_, places)| places).map(|&place| &self.orders[place].domain[..])
    }

    /// Every order, oldest first; an order that was filed twice stands once.
    pub fn all(&self) -> &[Order] {
        &self.orders
    }

    /// The order of this id.
    pub fn by_id(&self, id: &str) -> Option<&Order> {
        self.by_id.get(id).map(|&i| &self.orders[i])
    }

    /// Where the ledger ends: what the next line has to carry.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The SHA-256 of an order's line, as far as the ledger as read can tell.
    pub fn line_digest(&self, order: &Order) -> Option<String> {
        if order.seq == self.chain.seq {
            return Some(self.chain.sha256.clone());
        }
        let next = self.orders.binary_search_by_key(&(order.seq + 1), |order| order.seq).ok()?;
        Some(self.orders[next].prev_sha256.to_ascii_lowercase())
    }

    /// True if the ledger's line `seq` has this SHA-256, as far as the ledger as read can tell.
    pub fn has_head(&self, seq: u64, sha256: &str) -> bool {
        if seq == self.chain.seq {
            return self.chain.sha256 == sha256;
        }
        let next = self.orders.iter().find(|order| order.seq == seq + 1);
        next.is_none_or(|order| order.prev_sha256.eq_ignore_ascii_case(sha256))
    }

    /// What an operator should look at: torn lines, restores that lift nothing.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn is_active(&self, place: usize, at: UnixTime) -> bool {
        let order = &self.orders[place];
        order.kind != OrderKind::Restore
            && order.effective_at <= at
            && !order.has_expired(at)
            && self.lifted.get(&place).is_none_or(|lifted| *lifted > at)
    }

    fn add(&mut self, line: u64, order: Order) -> Result<(), LedgerFault> {
        if let Some(&known) = self.by_id.get(&order.order_id) {
            if self.orders[known].has_same_body(&order) {
                self.notes.push(format!("line {line}: order '{}' is filed again with the same body, no change", order.order_id));
                return Ok(());
            }
            return Err(LedgerFault::OtherBody(order.order_id));
        }
        let in_vain = self.restore_in_vain(&order);
        if order.kind == OrderKind::Restore
            && in_vain.is_none()
            && let Some(&lifted) = order.refers_to.as_ref().and_then(|id| self.by_id.get(id))
        {
            let at = self.lifted.entry(lifted).or_insert(order.effective_at);
            *at = order.effective_at.min(*at);
        }
        if let Some(note) = order.remark().or(in_vain) {
            self.notes.push(format!("line {line}: {note}"));
        }
        let place = self.orders.len();
        for turn in [Some(order.effective_at), order.expires_at.filter(|_| order.kind == OrderKind::Suspend)].into_iter().flatten() {
            self.turns.entry(turn).or_default().push(place);
        }
        self.by_id.insert(order.order_id.clone(), place);
        self.by_domain.entry(order.domain.as_bytes().into()).or_default().push(place);
        self.orders.push(order);
        Ok(())
    }

    /// Why a restore lifts nothing. The name then stays out of the zones, which is the safe side.
    fn restore_in_vain(&self, order: &Order) -> Option<String> {
        if order.kind != OrderKind::Restore {
            return None;
        }
        let refers_to = order.refers_to.as_deref().unwrap_or("");
        let why = match self.by_id(refers_to) {
            None => "which is not in the ledger before it",
            Some(lifted) if lifted.domain != order.domain => "which is about another name",
            Some(lifted) if lifted.kind == OrderKind::Restore => "which is itself a restore",
            Some(lifted) if lifted.is_final() => "which cannot be restored (92/2003 art. 13.4)",
            Some(_) => return None,
        };
        Some(format!("restore '{}' refers to '{refers_to}', {why}: it changes nothing", order.order_id))
    }
}

#[cfg(test)]
mod tests;
