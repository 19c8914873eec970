//! Names, types, RDATA and records: what every room speaks. Knows no zone and no server.

<<<<<<< HEAD
pub mod master;
=======
pub mod idn;
>>>>>>> 5c8ee4d (registry, orders, compile: deposits proven whole, the ledger of orders, every check in its order)
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
