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

/// How long after nobody reached a server its refusals are not believed: one that has just started knows neither roles
/// nor tokens for a moment.
const WARM_UP: Duration = Duration::from_secs(15);

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
    last_unreachable: Option<Instant>,
}

impl Patience {
    /// `lost`: when the server, or a connection to it, was last lost.
    pub(super) fn new(unreachable_for: Duration, lost: Option<Instant>) -> Self {
        Self { unreachable_for, failures: 0, unreachable_since: None, last_unreachable: lost }
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
                self.last_unreachable = Some(now);
                let since = *self.unreachable_since.get_or_insert(now);
                if now.duration_since(since) + pause <= self.unreachable_for {
                    Verdict::Again(pause)
                } else {
                    Verdict::Enough
                }
            }
            ErrorKind::Unauthorized | ErrorKind::Forbidden { .. } | ErrorKind::Escalation { .. }
                if self.last_unreachable.is_some_and(|last| now.duration_since(last) + pause <= WARM_UP) =>
            {
                Verdict::Again(pause)
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
        let mut patience = Patience::new(Duration::from_secs(1), None);
        assert_eq!(patience.after(&lost(), Call::Get, false, now), Verdict::Again(Duration::from_millis(200)));
        let later = now + Duration::from_millis(300);
        assert_eq!(patience.after(&lost(), Call::Get, false, later), Verdict::Again(Duration::from_millis(400)));
        assert_eq!(patience.after(&lost(), Call::Get, false, now + Duration::from_secs(1)), Verdict::Enough);
        assert_eq!(Patience::new(Duration::ZERO, None).after(&lost(), Call::Get, false, now), Verdict::Enough);
    }

    #[test]
    fn a_failing_server_is_asked_a_few_times_with_growing_pauses() {
        let mut patience = Patience::new(Duration::ZERO, None);
        let pauses: Vec<Verdict> =
            (0..6).map(|_| patience.after(&failed(), Call::Apply, false, Instant::now())).collect();
        let again = |ms| Verdict::Again(Duration::from_millis(ms));
        assert_eq!(pauses, [again(200), again(400), again(800), again(1600), again(3200), Verdict::Enough]);
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause() {
        let busy = ErrorKind::Busy { retry_after: Some(Duration::from_secs(9)) };
        let verdict = Patience::new(Duration::ZERO, None).after(&busy, Call::Create, false, Instant::now());
        assert_eq!(verdict, Verdict::Again(Duration::from_secs(9)));
    }

    #[test]
    fn what_must_not_be_done_twice_is_not_repeated() {
        let now = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(60), None);
        assert_eq!(patience.after(&lost(), Call::Create, true, now), Verdict::Enough);
        assert_eq!(patience.after(&failed(), Call::Create, false, now), Verdict::Enough);
    }

    #[test]
    fn a_server_that_has_just_started_is_not_believed_when_it_refuses() {
        let refused =
            || ErrorKind::Forbidden { user: None, verb: "get".into(), resource: "pods".into(), namespace: None };
        let (now, mut patience) = (Instant::now(), Patience::new(Duration::from_secs(60), None));
        let after = |seconds| now + Duration::from_secs(seconds);
        patience.after(&lost(), Call::Apply, false, now);
        assert!(matches!(patience.after(&refused(), Call::Apply, false, after(1)), Verdict::Again(_)));
        assert!(matches!(patience.after(&ErrorKind::Unauthorized, Call::Apply, false, after(5)), Verdict::Again(_)));
        assert_eq!(patience.after(&refused(), Call::Apply, false, after(15)), Verdict::Enough);
        let mut another = Patience::new(Duration::ZERO, Some(now));
        assert!(matches!(another.after(&refused(), Call::Watch, false, after(1)), Verdict::Again(_)));
    }

    #[test]
    fn refusals_are_final() {
        for kind in [ErrorKind::Unauthorized, ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::Interrupted] {
            let verdict = Patience::new(Duration::from_secs(60), None).after(&kind, Call::Get, false, Instant::now());
            assert_eq!(verdict, Verdict::Enough, "{kind}");
        }
    }
}
