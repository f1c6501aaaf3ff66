//! The revisions of a release: which counts, which comes next, which are forgotten.

use super::{Record, Status};

/// Revisions that are kept, as by helm's `--history-max`.
pub(in crate::device_plugin_release) const KEPT: usize = 10;

/// The records of one release, in any order.
#[derive(Clone, Debug, Default)]
pub(in crate::device_plugin_release) struct History(Vec<Record>);

impl History {
    /// The records of one release.
    pub(in crate::device_plugin_release) fn new(mut records: Vec<Record>) -> Self {
        records.sort_by_key(Record::number);
        Self(records)
    }

    /// The newest revision, whatever came of it.
    pub(in crate::device_plugin_release) fn latest(&self) -> Option<&Record> {
        self.0.last()
    }

    /// The newest revision that is deployed: what runs, if the newest of all failed or has not ended.
    pub(in crate::device_plugin_release) fn deployed(&self) -> Option<&Record> {
        self.0.iter().rev().find(|record| record.status() == Status::Deployed)
    }

    /// The number of the next revision.
    pub(in crate::device_plugin_release) fn next(&self) -> u32 {
        self.latest().map_or(1, |record| record.number().saturating_add(1))
    }

    /// A revision on which somebody is at work, or was and did not end it.
    pub(in crate::device_plugin_release) fn pending(&self) -> Option<&Record> {
        self.latest().filter(|record| record.status().is_pending())
    }

    /// Revisions that a new one becomes the successor of: all that are deployed.
    pub(in crate::device_plugin_release) fn superseded_by_next(&self) -> Vec<&Record> {
        self.0.iter().filter(|record| record.status() == Status::Deployed).collect()
    }

    /// Revisions to forget before a new one is written, oldest first, so that `keep` remain with it. What is deployed
    /// is never forgotten, as by Helm.
    pub(in crate::device_plugin_release) fn to_forget(&self, keep: usize) -> Vec<&Record> {
        let deployed = self.deployed().map(Record::number);
        let surplus = (self.0.len() + 1).saturating_sub(keep);
        self.0.iter().filter(|record| Some(record.number()) != deployed).take(surplus).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn history(revisions: &[(u32, &str)]) -> History {
        History::new(
            revisions
                .iter()
                .map(|(number, status)| Record(json!({ "name": "r", "version": number, "info": { "status": status } })))
                .collect(),
        )
    }

    fn numbers(records: &[&Record]) -> Vec<u32> {
        records.iter().map(|record| record.number()).collect()
    }

    #[test]
    fn the_highest_number_is_the_latest_and_the_next_is_one_more() {
        let history = history(&[(10, "failed"), (9, "deployed"), (2, "superseded")]);
        assert_eq!(history.latest().map(Record::number), Some(10));
        assert_eq!(history.deployed().map(Record::number), Some(9));
        assert_eq!(history.next(), 11);
        assert_eq!(History::default().next(), 1);
    }

    #[test]
    fn only_the_latest_can_be_pending() {
        assert!(history(&[(1, "deployed"), (2, "pending-upgrade")]).pending().is_some());
        for status in ["pending-install", "pending-upgrade", "pending-rollback", "uninstalling"] {
            assert!(history(&[(1, status)]).pending().is_some(), "{status}");
        }
        assert!(history(&[(1, "pending-install"), (2, "deployed")]).pending().is_none());
        assert!(history(&[(1, "failed")]).pending().is_none());
    }

    #[test]
    fn ten_revisions_are_kept_with_the_new_one_and_the_deployed_one_never_goes() {
        let mut revisions: Vec<(u32, &str)> = vec![(1, "deployed")];
        revisions.extend((2..=12).map(|number| (number, "failed")));
        assert_eq!(numbers(&history(&revisions).to_forget(KEPT)), [2, 3, 4]);
        revisions[0].1 = "superseded";
        assert_eq!(numbers(&history(&revisions).to_forget(KEPT)), [1, 2, 3]);
        assert_eq!(numbers(&history(&revisions[..9]).to_forget(KEPT)), Vec::<u32>::new());
    }

    #[test]
    fn every_deployed_revision_is_superseded() {
        let history = history(&[(1, "deployed"), (2, "failed"), (3, "deployed")]);
        assert_eq!(numbers(&history.superseded_by_next()), [1, 3]);
    }
}
