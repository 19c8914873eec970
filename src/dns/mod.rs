//! Names, types, RDATA and records: what every room speaks. Knows no zone and no server.

pub mod idn;
pub mod master;
pub mod message;
pub mod name;
pub mod rdata;
pub mod records;
pub mod rtype;
pub mod serial;
pub mod time;

pub use name::{LowerName, Name, NameRef};
pub use records::{NameRecords, Record, Records, Rrset};
pub use rtype::{Class, Rtype};
pub use serial::Serial;
pub use time::UnixTime;
