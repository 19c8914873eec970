//! Deposits in, zones out: the registry's example and its faults, and many small exports of our own.

#[path = "compile/checks.rs"]
mod checks;
#[path = "compile/example.rs"]
mod example;
#[path = "compile/export.rs"]
mod export;
#[path = "compile/faults.rs"]
mod faults;
#[path = "compile/glue.rs"]
mod glue;
#[path = "compile/mutation.rs"]
mod mutation;
#[path = "compile/register.rs"]
mod register;
#[path = "compile/verb.rs"]
mod verb;
