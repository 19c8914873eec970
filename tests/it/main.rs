//! Conformance of answering: a file for each RFC, a test for each of its rules, all of it through `respond` without a socket.

mod ask;
mod oracle;
mod proof;

mod rfc1034;
mod rfc1035;
mod rfc1996;
mod rfc2181;
mod rfc2308;
mod rfc3597;
mod rfc4035;
mod rfc4343;
mod rfc4592;
mod rfc4892;
mod rfc5001;
mod rfc5155;
mod rfc6604;
mod rfc6672;
mod rfc6840;
mod rfc6891;
mod rfc7314;
mod rfc7828;
mod rfc7873;
mod rfc8020;
mod rfc8482;
mod rfc8906;
mod rfc8914;
mod rfc8945;
mod rfc9077;
mod rfc9471;
mod rfc9567;
mod rfc9619;
mod rfc9660;
mod sweep;
