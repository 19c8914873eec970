//! One zone's life from input to published. Touches files so that the rooms below need not.

pub mod keys;
