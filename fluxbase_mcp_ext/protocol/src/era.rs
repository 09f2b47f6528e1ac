//! Protocol revisions and eras: which exist, how they are named, and what each of them may be sent.
//!
//! Invariant: every difference between revisions that an answer shows is asked here by name (`structured`, `titles`,
//! …), so that no other file compares versions.
//!
//! It does not choose the era of a message: see `ladder.rs`.

/// The newest revision served, and the only one without a handshake.
pub const LATEST: &str = "2026-07-28";

/// The newest revision with a handshake: the answer to an `initialize` that asks for a version we do not speak.
pub const LATEST_LEGACY: &str = "2025-11-25";

/// Every revision served, newest first. The same list stands in `server/discover` and in errors −32022, as
/// the specification wants (2026-07-28, basic/versioning).
pub const SUPPORTED: [&str; 5] = [LATEST, LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

/// A revision with an `initialize` handshake. Ordered by date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2024-11-05, the first one.
    V2024_11_05,
    /// 2025-03-26: tool annotations.
    V2025_03_26,
    /// 2025-06-18: titles, output schemas, structured content, the header `MCP-Protocol-Version`.
    V2025_06_18,
    /// 2025-11-25.
    V2025_11_25,
}

impl Version {
    /// The newest of them, [`LATEST_LEGACY`].
    pub const NEWEST: Version = Version::V2025_11_25;

    /// The revision with this name, or `None`. The name is compared exactly.
    pub fn parse(name: &str) -> Option<Version> {
        match name {
            "2024-11-05" => Some(Version::V2024_11_05),
            "2025-03-26" => Some(Version::V2025_03_26),
            "2025-06-18" => Some(Version::V2025_06_18),
            LATEST_LEGACY => Some(Version::V2025_11_25),
            _ => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V2024_11_05 => "2024-11-05",
            Version::V2025_03_26 => "2025-03-26",
            Version::V2025_06_18 => "2025-06-18",
            Version::V2025_11_25 => LATEST_LEGACY,
        }
    }
}

/// How a request wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2026-07-28: the version stands in `params._meta` of each request.
    Modern,
    /// A handshake revision, named by the header `MCP-Protocol-Version` or negotiated by `initialize`.
    Legacy(Version),
    /// Neither header nor `_meta` nor `initialize` named a version: the plainest answer, as in the user's document.
    Unversioned,
}

impl Era {
    /// True where `structuredContent` and `outputSchema` exist: from 2025-06-18 on.
    pub fn structured(&self) -> bool {
        self.since(Version::V2025_06_18)
    }

    /// True where tools and resources have a `title`: from 2025-06-18 on.
    pub fn titles(&self) -> bool {
        self.since(Version::V2025_06_18)
    }

    /// True where tools have `annotations`: from 2025-03-26 on.
    pub fn annotations(&self) -> bool {
        self.since(Version::V2025_03_26)
    }

    /// True for 2026-07-28, where each result needs `resultType` and lists need `ttlMs` and `cacheScope`.
    pub fn modern(&self) -> bool {
        matches!(self, Era::Modern)
    }

    /// The revision's name, `None` for [`Era::Unversioned`].
    pub fn as_str(&self) -> Option<&'static str> {
        match self {
            Era::Modern => Some(LATEST),
            Era::Legacy(version) => Some(version.as_str()),
            Era::Unversioned => None,
        }
    }

    fn since(&self, first: Version) -> bool {
        match self {
            Era::Modern => true,
            Era::Legacy(version) => *version >= first,
            Era::Unversioned => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_name_but_the_latest_is_a_legacy_version() {
        assert_eq!(SUPPORTED[0], LATEST);
        assert_eq!(Version::parse(LATEST), None);
        for name in &SUPPORTED[1..] {
            assert_eq!(Version::parse(name).map(Version::as_str), Some(*name));
        }
        assert_eq!(Version::NEWEST.as_str(), LATEST_LEGACY);
        for other in ["", "2025-06-18 ", "2025-06-1", "2027-01-01", "DRAFT-2026-v1"] {
            assert_eq!(Version::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn features_begin_with_their_revision() {
        let rows = [
            (Era::Unversioned, false, false),
            (Era::Legacy(Version::V2024_11_05), false, false),
            (Era::Legacy(Version::V2025_03_26), true, false),
            (Era::Legacy(Version::V2025_06_18), true, true),
            (Era::Legacy(Version::V2025_11_25), true, true),
            (Era::Modern, true, true),
        ];
        for (era, annotations, structured) in rows {
            assert_eq!(era.annotations(), annotations, "{era:?}");
            assert_eq!(era.structured(), structured, "{era:?}");
            assert_eq!(era.titles(), structured, "{era:?}");
        }
    }
}
