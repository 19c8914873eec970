//! Serial numbers of zones (RFC 1982).

use std::fmt;

/// A zone's version, ordered on a circle of 2^32 (RFC 1982 §3.2).
///
/// Has no `Ord`: two serials 2^31 apart have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial(pub u32);

impl Serial {
    /// True if a secondary that holds `other` has to transfer `self`.
    pub fn is_newer_than(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        0 < ahead && ahead < 1 << 31
    }

    /// The serial after this one; 0 is left out, since some software takes it for "none".
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1).max(1))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_round() {
        assert!(Serial(1).is_newer_than(Serial(0)));
        assert!(Serial(0).is_newer_than(Serial(u32::MAX)));
        assert!(!Serial(5).is_newer_than(Serial(5)));
        assert!(!Serial(1 << 31).is_newer_than(Serial(0)));
        assert_eq!(Serial(u32::MAX).next(), Serial(1));
    }
}
