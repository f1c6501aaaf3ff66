//! Signs of life: a run counts on in an annotation of the release record that it works on, so that a run of another state,
//! or a second one of the same, can tell it from one that was killed.
//!
//! No clocks are compared: silence is what this run itself has heard, and a time in which it heard nothing at all, such as
//! while the API server was away, is no silence.

use std::{convert::Infallible, future::Future, time::Duration};

use kubernetes::{Cluster, Limits, ObjectRef};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::MANAGER;

/// The annotation: what tells the run, and how often it has beaten.
pub(super) const SIGN: &str = "terraform-provider-nvidia/sign-of-life";

/// Between two signs.
const BEAT: Duration = Duration::from_secs(3);

/// How long a run must have been silent to be taken for dead: three beats and some.
const SILENCE: Duration = Duration::from_secs(10);

/// Between two looks at another run.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// Without a look for so long nothing was heard, and what is heard next is the first.
const DEAF: Duration = Duration::from_secs(6);

/// What a run writes, after so many beats.
pub(super) fn sign(run: &str, beats: u64) -> String {
    format!("{run} {beats}")
}

/// Whether a sign is of this run.
pub(super) fn is_of(sign: Option<&Json>, run: &str) -> bool {
    sign.and_then(Json::as_str).and_then(|sign| sign.split_once(' ')).is_some_and(|(by, _)| by == run)
}

/// Carries out work on the record at `at`, and gives signs of life beside it. Without a record nobody listens.
pub(super) async fn beside<T>(
    cluster: &Cluster,
    at: Option<&ObjectRef>,
    run: &str,
    limits: &Limits,
    work: impl Future<Output = T>,
) -> T {
    let Some(at) = at else { return work.await };
    tokio::select! {
        biased;
        done = work => done,
        never = beats(cluster, at, run, limits) => match never {},
    }
}

async fn beats(cluster: &Cluster, at: &ObjectRef, run: &str, limits: &Limits) -> Infallible {
    let mut count = 0;
    loop {
        tokio::time::sleep(BEAT).await;
        count += 1;
        let mark = json!({ "metadata": { "annotations": { SIGN: sign(run, count) } } });
        // A cluster that does not answer now may do so at the next beat.
        if let Err(error) = cluster.patch(at, MANAGER, &mark, &Limits::brief(BEAT, &limits.stop)).await {
            tracing::debug!(%error, "no sign of life could be given");
        }
    }
}

/// What is known of another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Alive,
    /// It has not been listened to for long enough.
    Nothing,
    Dead,
}

/// Listens to another run, look by look.
#[derive(Debug)]
pub(super) struct Listener {
    sign: Option<String>,
    since: Instant,
    last: Instant,
}

impl Listener {
    /// From the first look on.
    pub(super) fn new(sign: Option<&str>, now: Instant) -> Self {
        Self { sign: sign.map(ToOwned::to_owned), since: now, last: now }
    }

    /// What a later look says.
    pub(super) fn look(&mut self, sign: Option<&str>, now: Instant) -> Heard {
        if self.sign.as_deref() != sign {
            return Heard::Alive;
        }
        if now.duration_since(self.last) > DEAF {
            self.since = now;
        }
        self.last = now;
        if now.duration_since(self.since) >= SILENCE { Heard::Dead } else { Heard::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(looks: &[(u64, &str)]) -> Heard {
        let start = Instant::now();
        let mut listener = Listener::new(Some("a 0"), start);
        let mut heard = Heard::Nothing;
        for (second, sign) in looks {
            heard = listener.look(Some(sign), start + Duration::from_secs(*second));
        }
        heard
    }

    #[test]
    fn a_run_is_dead_when_it_was_silent_for_long_and_alive_with_its_first_sign() {
        assert_eq!(heard(&[(2, "a 0"), (4, "a 0"), (6, "a 0"), (8, "a 0")]), Heard::Nothing);
        assert_eq!(heard(&[(2, "a 0"), (4, "a 0"), (6, "a 0"), (8, "a 0"), (10, "a 0")]), Heard::Dead);
        assert_eq!(heard(&[(2, "a 0"), (4, "a 1")]), Heard::Alive);
        assert_eq!(heard(&[(2, "b 0")]), Heard::Alive, "another run in its place");
    }

    #[test]
    fn a_time_without_a_look_is_no_silence() {
        assert_eq!(heard(&[(2, "a 0"), (30, "a 0")]), Heard::Nothing);
        assert_eq!(heard(&[(2, "a 0"), (30, "a 0"), (34, "a 0"), (38, "a 0")]), Heard::Nothing);
        assert_eq!(heard(&[(2, "a 0"), (30, "a 0"), (34, "a 0"), (38, "a 0"), (40, "a 0")]), Heard::Dead);
    }

    #[test]
    fn a_run_knows_its_own_signs() {
        assert!(is_of(Some(&json!(sign("a", 3))), "a"));
        assert!(!is_of(Some(&json!(sign("a", 3))), "b"));
        assert!(!is_of(None, "a"));
    }
}
