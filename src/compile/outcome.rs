//! What became of each row and each host: closed lists, with the codes that reports use.

use std::fmt;

use crate::registry::HostId;

/// A zone, by its place in [`super::Compiled::zones`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u16);

/// What became of one row of domain.csv.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict of the first check that fails.
    pub verdict: Verdict,
    /// What was noticed.
    pub findings: Findings,
    /// The zone that the name is published in.
    pub zone: Option<ZoneId>,
}

/// Whether a name is published, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Published.
    InZone,
    /// The registration stands, the name is not published.
    Excluded(Exclusion),
    /// The row breaks a rule.
    Rejected(Rejection),
}

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant),*
        }

        impl $name {
            /// Every case.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code in reports.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code),*
                }
            }
        }
    };
}

codes! {
    /// Why a standing registration is not published.
    Exclusion {
        /// A cancellation is in force.
        OrderCancel = "ORDER_CANCEL",
        /// A suspension is in force.
        OrderSuspend = "ORDER_SUSPEND",
        /// Held by the registry.
        StatusServerHold = "STATUS_SERVER_HOLD",
        /// Held by the registrar.
        StatusClientHold = "STATUS_CLIENT_HOLD",
        /// About to be deleted.
        StatusPendingDelete = "STATUS_PENDING_DELETE",
        /// Not yet registered.
        StatusPendingCreate = "STATUS_PENDING_CREATE",
        /// Expired, still to be renewed.
        ExpiredSuspended = "EXPIRED_SUSPENDED",
        /// Expired for good.
        ExpiredRevoke = "EXPIRED_REVOKE",
        /// The fee is late.
        FeeOverdue = "FEE_OVERDUE",
        /// A target instead of name servers, and the profile publishes none.
        TargetModeOff = "TARGET_MODE_OFF",
        /// No name server.
        NoNs = "NO_NS",
    }
}

codes! {
    /// Which rule a row breaks.
    Rejection {
        /// Not below the top-level domain.
        NotUnderTld = "NOT_UNDER_TLD",
        /// A label that none can be.
        BadLabel = "BAD_LABEL",
        /// Too many labels.
        LevelsExceeded = "LEVELS_EXCEEDED",
        /// A shared second-level name is nobody's.
        SharedSecondLevel = "SHARED_SECOND_LEVEL",
        /// Neither below the top-level domain nor below an active shared name.
        NotRegistrableLevel = "NOT_REGISTRABLE_LEVEL",
        /// The export contradicts itself.
        DuplicateName = "DUPLICATE_NAME",
        /// An A-label that stands for nothing.
        IdnBadALabel = "IDN_BAD_ALABEL",
        /// A code point outside the repertoire.
        IdnCodepoint = "IDN_CODEPOINT",
        /// Not in normalization form C.
        IdnNotNfc = "IDN_NOT_NFC",
        /// A-label and U-label differ.
        IdnMismatch = "IDN_MISMATCH",
        /// A forbidden phrase.
        ProhibitedPhrase = "PROHIBITED_PHRASE",
        /// A protected name without entitlement.
        ReservedName = "RESERVED_NAME",
        /// Not open to this kind of registrant.
        RegistrantClass = "REGISTRANT_CLASS",
        /// Every name server needs glue and has none.
        MissingGlue = "MISSING_GLUE",
        /// A name server abroad.
        GovNsForeign = "GOV_NS_FOREIGN",
    }
}

codes! {
    /// What was noticed about a row; in the order of the codes.
    Finding {
        /// A DS whose digest does not fit its type was left out.
        BadDs = "BAD_DS",
        /// A name server whose name none can have was left out.
        BadNs = "BAD_NS",
        /// A date, class, fee state or status that cannot be read was taken as null.
        BadValue = "BAD_VALUE",
        /// The same row several times.
        DuplicateIdentical = "DUPLICATE_IDENTICAL",
        /// Fewer than two name servers.
        FewNs = "FEW_NS",
        /// A name server abroad, reported only.
        GovNsForeign = "GOV_NS_FOREIGN",
        /// Where a name server stands is not known.
        GovNsUnverified = "GOV_NS_UNVERIFIED",
        /// The export contradicts itself: what is served stays.
        LiveStateKept = "LIVE_STATE_KEPT",
        /// A name server that needs glue and has none was left out.
        NsDroppedNoGlue = "NS_DROPPED_NO_GLUE",
        /// A name server's glue went with the domain above it.
        OrphanGlueDropped = "ORPHAN_GLUE_DROPPED",
        /// Not meant for this kind of registrant, reported only.
        RegistrantClass = "REGISTRANT_CLASS",
        /// Long without a name server.
        RevokeCandidate60d = "REVOKE_CANDIDATE_60D",
        /// Expired for good.
        RevokeCandidateExpiry = "REVOKE_CANDIDATE_EXPIRY",
    }
}

/// A set of findings; written as codes in alphabetical order with spaces between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings(u16);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.0 |= 1 << finding as u16;
    }

    /// True if it is in the set.
    pub fn contains(self, finding: Finding) -> bool {
        self.0 & (1 << finding as u16) != 0
    }

    /// What is in either set.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The findings, in alphabetical order.
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL.iter().copied().filter(move |&finding| self.contains(finding))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(finding.code())?;
        }
        Ok(())
    }
}

impl Verdict {
    /// `in_zone`, `excluded` or `rejected`.
    pub fn result(self) -> &'static str {
        match self {
            Self::InZone => "in_zone",
            Self::Excluded(_) => "excluded",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The code of the reason; empty for a published name.
    pub fn reason(self) -> &'static str {
        match self {
            Self::InZone => "",
            Self::Excluded(reason) => reason.code(),
            Self::Rejected(reason) => reason.code(),
        }
    }
}

/// What became of one host object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostOutcome {
    /// The host.
    pub host: HostId,
    /// Whether its addresses are published.
    pub result: HostResult,
}

/// Whether the addresses of a host are published as glue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostResult {
    /// In this zone.
    Glue(ZoneId),
    /// Not below the top-level domain.
    External,
    /// It has none.
    NoAddress,
    /// The domain above it is not published.
    SuperordinateNotInZone,
    /// No published name uses it.
    NotLinked,
    /// Too many labels.
    LevelsExceeded,
    /// A name that no host can have.
    BadLabel,
}

impl HostResult {
    /// `published`, `not_published` or `rejected`.
    pub fn result(self) -> &'static str {
        match self {
            Self::Glue(_) => "published",
            Self::External | Self::NoAddress | Self::SuperordinateNotInZone | Self::NotLinked => "not_published",
            Self::LevelsExceeded | Self::BadLabel => "rejected",
        }
    }

    /// The code of the reason; for glue the caller names the zone.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Glue(_) => "GLUE",
            Self::External => "EXTERNAL",
            Self::NoAddress => "NO_ADDRESS",
            Self::SuperordinateNotInZone => "SUPERORDINATE_NOT_IN_ZONE",
            Self::NotLinked => "NOT_LINKED",
            Self::LevelsExceeded => "LEVELS_EXCEEDED",
            Self::BadLabel => "BAD_LABEL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_written_in_alphabetical_order() {
        let codes: Vec<_> = Finding::ALL.iter().map(|finding| finding.code()).collect();
        assert!(codes.is_sorted());
        let mut findings = Findings::default();
        findings.add(Finding::NsDroppedNoGlue);
        findings.add(Finding::FewNs);
        findings.add(Finding::FewNs);
        assert_eq!(findings.to_string(), "FEW_NS NS_DROPPED_NO_GLUE");
        assert_eq!(Findings::default().to_string(), "");
    }
}
