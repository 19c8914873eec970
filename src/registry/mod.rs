//! Reads the registry's exports (`vn-rde-1` deposits) and says whether they may be used. All or nothing.
//!
//! Knows the form of a deposit and of its objects, and when one is stale or takes too much away; knows no
//! zone, no order and no rule about names. RFC 8909 (deposits) and RFC 9022 (objects as CSV) in spirit.

mod acceptance;
mod build;
pub mod csv;
mod deposit;
mod header;
mod index;
mod objects;
mod refusal;
mod signature;
mod span;

pub use acceptance::{Applied, Approval, DEFAULT_MAX_SHRINK_PERCENT, check_not_stale, check_shrink};
pub use deposit::{Deposit, Newest, ReadOptions, newest_full};
pub use header::{DepositKind, Header, Totals};
pub use objects::{Domain, DsRow, FeeState, Host, HostId, Objects, RegistrantClass, RowId, Statuses};
pub use refusal::{DepositError, Reason};
pub use signature::{PublicKey, SignaturePolicy};
pub use span::Span;
