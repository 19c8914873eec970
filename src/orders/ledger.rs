//! The chain of a ledger: numbers without a gap, each line with the hash of the one before.

use std::fmt;

use super::order::Order;
use crate::dns::idn;

/// The hash that the first line carries.
pub const ZERO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The most characters of an order's id.
pub const MOST_ID: usize = 40;

/// Where a ledger ends: what its next line has to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of the last line; 0 for none.
    pub seq: u64,
    /// SHA-256 of the last line without its LF, 64 hex digits in lower case.
    pub sha256: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, sha256: ZERO_HASH.to_owned() }
    }
}

/// A ledger that cannot be used, and the first line that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: LedgerFault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFault {
    /// The hash of the line before is another.
    BrokenChain,
    /// The number does not follow the one before.
    Gap {
        /// The number found.
        found: u64,
        /// The number that belongs there.
        want: u64,
    },
    /// Not an order, or with a key or value that none has.
    BadOrder(String),
    /// The id is taken by an order with another body.
    OtherBody(String),
}

impl LedgerFault {
    /// The code as operators and reports see it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BrokenChain | Self::Gap { .. } => "CHAIN_BROKEN",
            Self::BadOrder(_) => "BAD_ORDER",
            Self::OtherBody(_) => "ORDER_ID_TAKEN",
        }
    }
}

impl fmt::Display for LedgerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokenChain => f.write_str("prev_sha256 is not the hash of the line before"),
            Self::Gap { found, want } => write!(f, "seq is {found}, want {want}"),
            Self::BadOrder(detail) => f.write_str(detail),
            Self::OtherBody(id) => write!(f, "order '{id}' is there already with another body"),
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}: {}", self.fault.code(), self.line, self.fault)
    }
}

impl std::error::Error for LedgerError {}

/// The SHA-256 of a line, or of a file, in lower-case hexadecimal.
pub fn sha256(line: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, line).as_ref())
}

impl Chain {
    /// Reads the line that follows, without its LF, and moves on; a line that is refused moves nothing.
    pub(super) fn read_line(&mut self, line: &[u8]) -> Result<Order, LedgerFault> {
        let mut order: Order = serde_json::from_slice(line).map_err(|error| LedgerFault::BadOrder(error.to_string()))?;
        if order.seq != self.seq + 1 {
            return Err(LedgerFault::Gap { found: order.seq, want: self.seq + 1 });
        }
        if !order.prev_sha256.eq_ignore_ascii_case(&self.sha256) {
            return Err(LedgerFault::BrokenChain);
        }
        // An order for `name.vn.` is one for `name.vn`: it must not miss its name for a dot.
        let name = order.domain.strip_suffix('.').unwrap_or(&order.domain);
        order.domain =
            idn::encode_name(name).ok_or_else(|| LedgerFault::BadOrder(format!("'{}' cannot be written in A-labels", order.domain)))?;
        if let Some(detail) = order.fault() {
            return Err(LedgerFault::BadOrder(detail));
        }
        self.seq = order.seq;
        self.sha256 = sha256(line);
        Ok(order)
    }
}
