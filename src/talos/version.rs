//! Versions of Talos, and which of them this project knows.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The oldest minor of Talos that this project supports: 1.8.
pub const OLDEST: (u64, u64) = (1, 8);

/// The newest minor of Talos that this project was tried with: 1.14.
pub const NEWEST: (u64, u64) = (1, 14);

/// A version of Talos, as the tag of its `Version` call says it: `v1.13.9`, or `v1.15.0-alpha.0-7-gb914c26` for a build
/// between two tags. Ordered as in semantic versioning, so an alpha comes before its release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TalosVersion {
    major: u64,
    minor: u64,
    patch: u64,
    pre_release: String,
}

/// A tag that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Talos version such as v1.13.9")]
pub struct VersionError(String);

/// How a version stands to the range that this project knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Before [`OLDEST`]: refused.
    TooOld,
    /// Between [`OLDEST`] and [`NEWEST`].
    Supported,
    /// After [`NEWEST`]: treated like the newest known one, with a warning.
    Newer,
}

impl TalosVersion {
    /// A release without a pre-release part.
    #[must_use]
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, pre_release: String::new() }
    }

    /// Major and minor, which decide what a Talos can do: `(1, 13)`.
    #[must_use]
    pub const fn minor(&self) -> (u64, u64) {
        (self.major, self.minor)
    }

    /// The third number.
    #[must_use]
    pub const fn patch(&self) -> u64 {
        self.patch
    }

    /// What follows the numbers, without the dash: `alpha.0-7-gb914c26`; empty for a release.
    #[must_use]
    pub fn pre_release(&self) -> &str {
        &self.pre_release
    }

    /// How this version stands to the range that this project knows.
    #[must_use]
    pub fn support(&self) -> Support {
        match self.minor() {
            minor if minor < OLDEST => Support::TooOld,
            minor if minor > NEWEST => Support::Newer,
            _ => Support::Supported,
        }
    }
}

impl FromStr for TalosVersion {
    type Err = VersionError;

    fn from_str(tag: &str) -> Result<Self, VersionError> {
        parse(tag).ok_or_else(|| VersionError(tag.to_owned()))
    }
}

fn parse(tag: &str) -> Option<TalosVersion> {
    let text = tag.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    // What stands behind a plus is about the build and takes no part in the order.
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (numbers, pre_release) = text.split_once('-').unwrap_or((text, ""));
    let mut parts = numbers.split('.').map(number);
    let version = TalosVersion {
        major: parts.next()??,
        minor: parts.next()??,
        patch: parts.next()??,
        pre_release: pre_release.to_owned(),
    };
    (parts.next().is_none() && pre_release.is_ascii()).then_some(version)
}

/// Digits alone: `u64::from_str` would take a sign as well.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for TalosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)?;
        if self.pre_release.is_empty() { Ok(()) } else { write!(f, "-{}", self.pre_release) }
    }
}

impl Ord for TalosVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| compare_pre_releases(&self.pre_release, &other.pre_release))
    }
}

impl PartialOrd for TalosVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Semantic versioning 2.0, section 11: no pre-release is the greatest; identifiers between dots are compared one by one,
/// numbers as numbers and before words; a longer list is greater.
fn compare_pre_releases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let identifiers = |text: &str| text.split('.').map(identifier).collect::<Vec<_>>();
    identifiers(left).cmp(&identifiers(right))
}

/// A number sorts before every word.
fn identifier(text: &str) -> (u8, u64, String) {
    number(text).map_or_else(|| (1, 0, text.to_owned()), |value| (0, value, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(tag: &str) -> TalosVersion {
        tag.parse().unwrap()
    }

    #[test]
    fn a_tag_is_read_and_written_the_same() {
        for tag in ["v1.13.9", "v1.8.0", "v1.14.0-rc.1", "v1.15.0-alpha.0-7-gb914c26"] {
            assert_eq!(version(tag).to_string(), tag);
        }
        assert_eq!(version("1.13.9+build.7"), TalosVersion::new(1, 13, 9));
        assert_eq!(version("v1.15.0-alpha.0-7-gb914c26").minor(), (1, 15));
        assert_eq!(version("v1.15.0-alpha.0-7-gb914c26").pre_release(), "alpha.0-7-gb914c26");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for tag in
            ["", "v", "1", "v1.13", "v1.13.9.1", "v1.x.0", "v1.13.+9", "none", "v-1.0.0", "v1.13.99999999999999999999"]
        {
            let error = tag.parse::<TalosVersion>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{tag}` is not a Talos version such as v1.13.9"));
        }
    }

    #[test]
    fn versions_are_ordered_as_they_were_released() {
        let order = [
            "v1.8.0",
            "v1.9.5",
            "v1.13.9",
            "v1.13.10",
            "v1.14.0-alpha.1",
            "v1.14.0-alpha.2",
            "v1.14.0-alpha.10",
            "v1.14.0-beta.0",
            "v1.14.0-rc.1",
            "v1.14.0",
            "v1.14.1",
            "v2.0.0",
        ];
        for pair in order.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn the_range_that_is_known_is_from_1_8_to_1_14() {
        for (tag, support) in [
            ("v1.7.6", Support::TooOld),
            ("v0.14.3", Support::TooOld),
            ("v1.8.0-alpha.1", Support::Supported),
            ("v1.8.0", Support::Supported),
            ("v1.14.9", Support::Supported),
            ("v1.15.0-alpha.0", Support::Newer),
            ("v1.99.0", Support::Newer),
            ("v2.0.0", Support::Newer),
        ] {
            assert_eq!(version(tag).support(), support, "{tag}");
        }
    }
}
