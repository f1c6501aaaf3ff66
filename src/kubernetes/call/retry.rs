//! Whether a call is made again, and when: decided on types, without a clock of its own.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Call, ErrorKind};

/// How often a call that the server failed to answer is made: a change of etcd's leader takes a few seconds.
const SERVER_FAILURES: u32 = 6;

/// The first pause; each one is twice the one before.
const FIRST: Duration = Duration::from_millis(200);

/// The longest pause that we choose ourselves.
const LONGEST: Duration = Duration::from_secs(5);

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Make the call again after this pause.
    Again(Duration),
    /// It does not heal, or has not.
    Enough,
}

/// The patience with one call.
pub(super) struct Patience {
    unreachable_for: Duration,
    failures: u32,
    unreachable_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(unreachable_for: Duration) -> Self {
        Self { unreachable_for, failures: 0, unreachable_since: None }
    }

    /// Judges a failure that happened at `now`. `carried_out`: the server may have done what must not be done twice.
    pub(super) fn after(&mut self, kind: &ErrorKind, call: Call, carried_out: bool, now: Instant) -> Verdict {
        if carried_out {
            return Verdict::Enough;
        }
        self.failures += 1;
        let pause = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failures.min(8) - 1));
        match kind {
            ErrorKind::Unreachable(_) | ErrorKind::DeadlineExceeded => {
                let since = *self.unreachable_since.get_or_insert(now);
                if now.duration_since(since) + pause <= self.unreachable_for {
                    Verdict::Again(pause)
                } else {
                    Verdict::Enough
                }
            }
            // Nothing was done, whatever the call.
            ErrorKind::Busy { retry_after } => {
                self.unreachable_since = None;
                Verdict::Again(pause.max(retry_after.unwrap_or_default()))
            }
            ErrorKind::Server { .. } if call.is_repeatable() && self.failures < SERVER_FAILURES => {
                self.unreachable_since = None;
                Verdict::Again(pause)
            }
            _ => Verdict::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Unreachable;

    fn lost() -> ErrorKind {
        ErrorKind::Unreachable(Unreachable::Lost("x".into()))
    }

    fn failed() -> ErrorKind {
        ErrorKind::Server { code: 500, said: "etcdserver: leader changed".into() }
    }

    #[test]
    fn a_server_that_nobody_reaches_is_tried_as_long_as_is_allowed() {
        let now = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(1));
        assert_eq!(patience.after(&lost(), Call::Get, false, now), Verdict::Again(Duration::from_millis(200)));
        let later = now + Duration::from_millis(300);
        assert_eq!(patience.after(&lost(), Call::Get, false, later), Verdict::Again(Duration::from_millis(400)));
        assert_eq!(patience.after(&lost(), Call::Get, false, now + Duration::from_secs(1)), Verdict::Enough);
        assert_eq!(Patience::new(Duration::ZERO).after(&lost(), Call::Get, false, now), Verdict::Enough);
    }

    #[test]
    fn a_failing_server_is_asked_a_few_times_with_growing_pauses() {
        let mut patience = Patience::new(Duration::ZERO);
        let pauses: Vec<Verdict> =
            (0..6).map(|_| patience.after(&failed(), Call::Apply, false, Instant::now())).collect();
        let again = |ms| Verdict::Again(Duration::from_millis(ms));
        assert_eq!(pauses, [again(200), again(400), again(800), again(1600), again(3200), Verdict::Enough]);
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause() {
        let busy = ErrorKind::Busy { retry_after: Some(Duration::from_secs(9)) };
        let verdict = Patience::new(Duration::ZERO).after(&busy, Call::Create, false, Instant::now());
        assert_eq!(verdict, Verdict::Again(Duration::from_secs(9)));
    }

    #[test]
    fn what_must_not_be_done_twice_is_not_repeated() {
        let now = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(60));
        assert_eq!(patience.after(&lost(), Call::Create, true, now), Verdict::Enough);
        assert_eq!(patience.after(&failed(), Call::Create, false, now), Verdict::Enough);
    }

    #[test]
    fn refusals_are_final() {
        for kind in [ErrorKind::Unauthorized, ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::Interrupted] {
            let verdict = Patience::new(Duration::from_secs(60)).after(&kind, Call::Get, false, Instant::now());
            assert_eq!(verdict, Verdict::Enough, "{kind}");
        }
    }
}
