//! Whether a configuration waits on a node that is not the active one: staged for the next boot, or tried with a
//! rollback to come.
//!
//! Pure. Source: talos-api facts, K.4. The persisted configuration can be seen as a resource from Talos 1.10 on (and only
//! after an apply since boot) and as a file up to 1.9. What cannot be seen: a tried configuration on a node that has no
//! persisted one to compare with; there the age of the last change is all there is.

use std::time::{Duration, SystemTime};

/// How long a tried configuration of which nothing else is known is taken to be pending. Its default is a minute.
const TRIED_AT_MOST: Duration = Duration::from_secs(600);

/// The active configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active<'a> {
    pub(crate) bytes: &'a [u8],
    /// 1 after a boot, one more with each apply.
    pub(crate) version: u64,
    pub(crate) updated: SystemTime,
}

/// What is known of the configuration that the next boot will take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Persisted<'a> {
    /// As a resource, from Talos 1.10 on.
    Resource { bytes: &'a [u8], updated: SystemTime },
    /// As the file of the STATE partition, up to Talos 1.9.
    File(&'a [u8]),
    /// The resource is not there (from 1.10 on): nothing was applied since boot, or only tried.
    NotSince,
    /// The file cannot be read (up to 1.9): nothing is known.
    Unseen,
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Nothing.
    Nothing,
    /// A staged configuration that differs from the active one in our own fragments alone.
    Ours,
    /// Somebody's staged configuration.
    Staged,
    /// Somebody's tried configuration, which the node is going to roll back.
    Tried,
    /// The persisted and the active configuration differ, and it cannot be told which is the newer.
    Differs,
    /// The active configuration changed this long ago and may be a tried one.
    MaybeTried(Duration),
    /// The same, so long ago that a tried configuration would have been rolled back.
    LongAgo(Duration),
}

/// Judges what waits. `same_but_for_ours` compares two configurations without our own fragments.
pub(crate) fn judge(
    active: Active<'_>,
    persisted: Persisted<'_>,
    now: SystemTime,
    same_but_for_ours: impl Fn(&[u8], &[u8]) -> bool,
) -> Pending {
    match persisted {
        Persisted::Resource { bytes, .. } | Persisted::File(bytes) if bytes == active.bytes => Pending::Nothing,
        Persisted::Resource { bytes, .. } | Persisted::File(bytes) if same_but_for_ours(active.bytes, bytes) => {
            Pending::Ours
        }
        Persisted::Resource { updated, .. } if updated >= active.updated => Pending::Staged,
        Persisted::Resource { .. } => Pending::Tried,
        Persisted::File(_) => Pending::Differs,
        Persisted::NotSince if active.version > 1 => {
            let age = now.duration_since(active.updated).unwrap_or_default();
            if age < TRIED_AT_MOST { Pending::MaybeTried(age) } else { Pending::LongAgo(age) }
        }
        Persisted::NotSince | Persisted::Unseen => Pending::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Now is second 10,000; two configurations that start with the same letter differ in our fragments alone.
    fn check(active: (&str, u64, u64), persisted: Persisted<'_>) -> Pending {
        let (bytes, version, updated) = active;
        let active = Active { bytes: bytes.as_bytes(), version, updated: at(updated) };
        judge(active, persisted, at(10_000), |a, b| a.first() == b.first())
    }

    fn resource(bytes: &str, updated: u64) -> Persisted<'_> {
        Persisted::Resource { bytes: bytes.as_bytes(), updated: at(updated) }
    }

    #[test]
    fn each_row_of_the_measured_table() {
        assert_eq!(check(("a", 1, 100), Persisted::NotSince), Pending::Nothing);
        assert_eq!(check(("b", 2, 9_990), Persisted::NotSince), Pending::MaybeTried(Duration::from_secs(10)));
        assert_eq!(check(("a", 3, 9_000), Persisted::NotSince), Pending::LongAgo(Duration::from_secs(1000)));
        assert_eq!(check(("a", 2, 200), resource("a", 200)), Pending::Nothing);
        assert_eq!(check(("b", 3, 300), resource("a", 200)), Pending::Tried);
        assert_eq!(check(("a", 2, 200), resource("b", 300)), Pending::Staged);
        assert_eq!(check(("a1", 2, 200), resource("a2", 300)), Pending::Ours);
    }

    #[test]
    fn up_to_1_9_the_file_tells_that_they_differ_and_not_which_is_newer() {
        assert_eq!(check(("a", 5, 9_999), Persisted::File(b"a")), Pending::Nothing);
        assert_eq!(check(("a", 5, 9_999), Persisted::File(b"b")), Pending::Differs);
        assert_eq!(check(("a1", 5, 9_999), Persisted::File(b"a2")), Pending::Ours);
        assert_eq!(check(("a", 5, 9_999), Persisted::Unseen), Pending::Nothing);
    }

    #[test]
    fn a_clock_behind_the_nodes_counts_as_just_now() {
        assert_eq!(check(("a", 2, 20_000), Persisted::NotSince), Pending::MaybeTried(Duration::ZERO));
    }
}
