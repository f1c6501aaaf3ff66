//! Changes of a text as replaced ranges, and how many of them one after the other add up to.

use std::ops::Range;

/// One replaced range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Splice {
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { range: at..at, text: text.into() }
    }

    pub(super) fn delete(range: Range<usize>) -> Self {
        Self { range, text: String::new() }
    }

    pub(super) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }
}

/// A stretch that differs between the first and the last text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) before: Range<usize>,
    pub(super) after: Range<usize>,
}

/// All stretches that differ, in order, apart from each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Hunks(pub(super) Vec<Hunk>);

impl Hunks {
    /// Adds a splice of the last text.
    pub(super) fn push(&mut self, splice: &Splice) {
        let Range { start, end } = splice.range;
        let first = self.0.partition_point(|hunk| hunk.after.end < start);
        let last = self.0.partition_point(|hunk| hunk.after.start <= end).max(first);
        let mut merged = Hunk { before: self.before(first, start)..0, after: start..end };
        if let Some(head) = self.0[first..last].first()
            && head.after.start <= start
        {
            merged.before.start = head.before.start;
            merged.after.start = head.after.start;
        }
        merged.before.end = match self.0[first..last].last() {
            Some(tail) if tail.after.end >= end => {
                merged.after.end = tail.after.end;
                tail.before.end
            }
            _ => self.before(last, end),
        };
        let grown = splice.text.len();
        let shrunk = end - start;
        merged.after.end = merged.after.end + grown - shrunk;
        for hunk in &mut self.0[last..] {
            hunk.after.start = hunk.after.start + grown - shrunk;
            hunk.after.end = hunk.after.end + grown - shrunk;
        }
        self.0.splice(first..last, [merged]);
    }

    /// The offset in the first text of an offset in the last one that lies in no hunk, given how many hunks are
    /// before it.
    fn before(&self, hunks: usize, after: usize) -> usize {
        match self.0[..hunks].last() {
            Some(hunk) => hunk.before.end + (after - hunk.after.end),
            None => after,
        }
    }

    /// Leaves what really differs: what was changed and changed back falls out.
    pub(super) fn trim(&mut self, before: &str, after: &str) {
        for hunk in &mut self.0 {
            let (old, new) = (&before[hunk.before.clone()], &after[hunk.after.clone()]);
            if old.is_empty() || new.is_empty() {
                continue;
            }
            let head = common_prefix(old, new);
            let tail = common_suffix(&old[head..], &new[head..]);
            hunk.before = hunk.before.start + head..hunk.before.end - tail;
            hunk.after = hunk.after.start + head..hunk.after.end - tail;
        }
        self.0.retain(|hunk| !hunk.before.is_empty() || !hunk.after.is_empty());
    }
}

fn common_prefix(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(char, _)| char.len_utf8()).sum()
}

fn common_suffix(one: &str, other: &str) -> usize {
    one.chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(|(one, other)| one == other)
        .map(|(char, _)| char.len_utf8())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Hunks, Splice};

    proptest! {
        #[test]
        fn hunks_add_up_to_the_whole_change(
            start in "[a-z]{0,40}",
            steps in proptest::collection::vec((0usize..60, 0usize..10, "[A-Z]{0,8}"), 0..12),
        ) {
            let mut text = start.clone();
            let mut hunks = Hunks::default();
            for (at, length, new) in steps {
                let at = at.min(text.len());
                let end = (at + length).min(text.len());
                hunks.push(&Splice::replace(at..end, new.clone()));
                text.replace_range(at..end, &new);
            }
            let mut rebuilt = String::new();
            let mut seen = 0;
            for hunk in &hunks.0 {
                rebuilt.push_str(&start[seen..hunk.before.start]);
                prop_assert_eq!(rebuilt.len(), hunk.after.start);
                rebuilt.push_str(&text[hunk.after.clone()]);
                seen = hunk.before.end;
            }
            rebuilt.push_str(&start[seen..]);
            prop_assert_eq!(rebuilt, text);
        }
    }
}
