//! How long each thing has stood in the way of the pods, and whether that ends the wait. Pure: the time is given.

use std::time::Duration;

use tokio::time::Instant;

use super::obstacles::{Obstacle, Patience};

/// What somebody may be at work on may stand for this part of the time that there is.
const PART: u32 = 3;

/// Why a wait is over although the pods do not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The deadline passed.
    Deadline,
    /// What stands in the way does not pass by itself.
    Hopeless,
    /// It has stood for so long that it will not pass before the deadline either.
    Stood(Duration),
}

/// What stands in the way without a break, and since when.
#[derive(Debug)]
pub(super) struct Standing {
    since: Vec<(Obstacle, Instant)>,
    /// The last refusal, and when it was first seen.
    refusal: (String, Instant),
    allowed: Duration,
}

impl Standing {
    /// For a wait that may take so long.
    pub(super) fn over(wait: Duration) -> Self {
        Self { since: Vec::new(), refusal: (String::new(), Instant::now()), allowed: wait / PART }
    }

    /// Notes what a look has found, with the time of the last refusal. `Some` when the wait is over: one look alone never
    /// ends it, since it may be of a moment in which things were on their way.
    ///
    /// A refusal stands for as long as it is heard again. The controller doubles the time between its attempts, so the last
    /// one may tell of what was mended since; for the same reason the next one comes before the deadline.
    pub(super) fn note(&mut self, found: &[Obstacle], refusal: &str, now: Instant) -> Option<Ending> {
        if self.refusal.0 != refusal {
            self.refusal = (refusal.to_owned(), now);
        }
        let heard = |one: &Obstacle| if one.is_refusal() { self.refusal.1 } else { now };
        let known = |one: &Obstacle| self.since.iter().find(|(known, _)| known.is_same(one)).map(|(_, since)| *since);
        let noted: Vec<_> = found.iter().map(|one| (one.clone(), known(one))).collect();
        let ending = noted.iter().find_map(|(one, since)| self.ending(one, heard(one).duration_since((*since)?)));
        self.since = noted.into_iter().map(|(one, since)| (one, since.unwrap_or(now))).collect();
        ending
    }

    fn ending(&self, one: &Obstacle, stood: Duration) -> Option<Ending> {
        match one.patience() {
            Patience::None => Some(Ending::Hopeless),
            Patience::Some if stood >= self.allowed => Some(Ending::Stood(stood)),
            Patience::Some | Patience::All => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(message: &str) -> Obstacle {
        Obstacle::Image { node: "gpu-1".into(), image: "i:1".into(), message: message.into() }
    }

    /// What each look ends with, a minute apart, of a wait of ten minutes.
    fn looks(looks: &[&[Obstacle]]) -> Vec<Option<Ending>> {
        let (mut standing, began) = (Standing::over(Duration::from_secs(600)), Instant::now());
        let minutes = (0_u32..).map(|minute| began + Duration::from_secs(60) * minute);
        looks.iter().zip(minutes).map(|(found, now)| standing.note(found, "", now)).collect()
    }

    #[test]
    fn a_refusal_ends_the_wait_when_it_is_heard_again_and_not_by_the_silence_after_it() {
        let (mut standing, began) = (Standing::over(Duration::from_secs(600)), Instant::now());
        let quota = [Obstacle::Quota { message: "exceeded quota".into() }];
        let mut look = |second: u64, refusal: &str| standing.note(&quota, refusal, began + Duration::from_secs(second));
        assert_eq!(look(2, "a"), None);
        assert_eq!(look(164, "b"), None);
        assert_eq!(look(320, "b"), None, "the quota may have been raised since");
        assert_eq!(look(328, "c"), Some(Ending::Stood(Duration::from_secs(326))));
    }

    #[test]
    fn what_stays_ends_the_wait_when_it_is_seen_again() {
        let refused = &[Obstacle::PodSecurity { message: "violates".into() }][..];
        assert_eq!(looks(&[refused, refused]), [None, Some(Ending::Hopeless)]);
        assert_eq!(looks(&[refused, &[], refused]), [None; 3], "two moments, not one that lasts");
    }

    #[test]
    fn what_somebody_may_mend_has_a_third_of_the_time_whatever_words_it_is_told_in() {
        let (pull, back_off) = (&[image("ErrImagePull")][..], &[image("ImagePullBackOff")][..]);
        let stood = Some(Ending::Stood(Duration::from_secs(240)));
        assert_eq!(looks(&[pull, back_off, pull, back_off, pull]), [None, None, None, None, stood]);
        assert_eq!(looks(&[pull, back_off, &[], pull, pull]), [None; 5]);
    }

    #[test]
    fn an_image_that_is_pulled_again_is_waited_for_until_that_fails_too() {
        let again = Obstacle::Pulling { node: "gpu-1".into(), image: "i:1".into(), message: String::new() };
        let (failed, again) = (&[image("ErrImagePull")][..], &[again][..]);
        let stood = Some(Ending::Stood(Duration::from_secs(300)));
        assert_eq!(looks(&[failed, again, again, again, again, failed]), [None, None, None, None, None, stood]);
    }

    #[test]
    fn nodes_that_fail_one_after_another_do_not_add_up() {
        let on = |node: &str| [Obstacle::Sandbox { node: node.into(), message: "cni".into() }];
        assert_eq!(looks(&[&on("a"), &on("a"), &on("b"), &on("b"), &on("c"), &on("c")]), [None; 6]);
    }

    #[test]
    fn nodes_may_come_until_the_deadline() {
        let no_node = [Obstacle::NoNode { nodes: 3, labels: vec!["a=b".into()] }];
        assert_eq!(looks(&[&no_node[..]; 12]), [None; 12]);
    }
}
