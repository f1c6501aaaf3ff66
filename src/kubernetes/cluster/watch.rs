//! Waiting by watch: the objects of a selection are listed, then followed, until what is waited for is true of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use kube::api::WatchParams;
use serde_json::Value;
use tokio::time::Instant;

use super::{Cluster, Limits, Listed, Selection, collection, filled, of_kind};
use crate::error::{Call, Error, ErrorKind, of_answer};
use crate::object::{Object, ObjectRef};

/// How long the server keeps one watch open before it ends it; a dead connection is noticed a little later.
const SPAN: u32 = 60;

/// How long a watch is believed in: longer than the server keeps it, so that a connection which died in silence is found.
const BELIEF: Duration = Duration::from_secs(SPAN as u64 + 10);

/// The pause after a watch, so that a server which ends each at once is not asked without end.
const PAUSE: Duration = Duration::from_millis(200);

/// The objects of a selection, by namespace and name.
pub type Objects = BTreeMap<(Option<String>, String), Object>;

/// How a watch ended that did not get what was waited for.
enum Ended {
    /// The server closed it, or the connection broke: go on from the last version seen.
    Closed,
    /// The version that it went on from is no longer kept: list anew.
    Expired,
    /// For good.
    Failed(Error),
}

impl Cluster {
    /// Waits until `decide` breaks with a value. It sees the objects as they are now, then after each change.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] when the deadline passes first: `decide` has seen the last of them, and what it has
    /// kept says what stands in the way. [`ErrorKind::Interrupted`] when the user asks to stop.
    pub async fn wait<T>(
        &self,
        selection: &Selection,
        limits: &Limits,
        mut decide: impl FnMut(&Objects) -> ControlFlow<T>,
    ) -> Result<T, Error> {
        let place = self.0.place_of_all(Call::Watch, selection);
        loop {
            let Listed { items, mut resource_version } = self.list(selection, limits).await?;
            let mut objects: Objects = items.into_iter().map(keyed).collect();
            if let ControlFlow::Break(value) = decide(&objects) {
                return Ok(value);
            }
            loop {
                let followed = self.follow(selection, limits, &mut objects, &mut resource_version, &mut decide);
                let until = limits.deadline.min(Instant::now() + BELIEF);
                let ended = tokio::select! {
                    biased;
                    () = limits.stop.cancelled() => Ended::Failed(Error::new(place.clone(), ErrorKind::Interrupted)),
                    ended = tokio::time::timeout_at(until, followed) => match ended {
                        Ok(ControlFlow::Break(value)) => return Ok(value),
                        Ok(ControlFlow::Continue(ended)) => ended,
                        Err(_) => Ended::Closed,
                    },
                };
                match ended {
                    Ended::Closed if Instant::now() + PAUSE < limits.deadline => tokio::time::sleep(PAUSE).await,
                    Ended::Closed => return Err(Error::new(place.clone(), ErrorKind::DeadlineExceeded)),
                    Ended::Expired => break,
                    Ended::Failed(error) => return Err(error),
                }
            }
        }
    }

    /// Waits until `decide` breaks with a value, for one object; `None` while it is not there.
    ///
    /// # Errors
    /// As [`Cluster::wait`].
    pub async fn wait_for<T>(
        &self,
        at: &ObjectRef,
        limits: &Limits,
        mut decide: impl FnMut(Option<&Object>) -> ControlFlow<T>,
    ) -> Result<T, Error> {
        self.wait(&Selection::one(at), limits, |objects| decide(objects.values().next())).await
    }

    /// Waits until an object is gone: the one with this `uid` where one is given, else any of that name. One that is gone
    /// at once, as most are, needs no right to list and watch.
    ///
    /// # Errors
    /// As [`Cluster::wait`].
    pub async fn wait_until_gone(&self, at: &ObjectRef, uid: Option<&str>, limits: &Limits) -> Result<(), Error> {
        let is_there = |object: Option<&Object>| object.is_some_and(|object| uid.is_none_or(|uid| object.uid() == uid));
        if !is_there(self.get(at, limits).await?.as_ref()) {
            return Ok(());
        }
        self.wait_for(
            at,
            limits,
            |object| {
                if is_there(object) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        )
        .await
    }

    /// Follows one watch to its end.
    async fn follow<T>(
        &self,
        selection: &Selection,
        limits: &Limits,
        objects: &mut Objects,
        version: &mut String,
        decide: &mut impl FnMut(&Objects) -> ControlFlow<T>,
    ) -> ControlFlow<T, Ended> {
        let place = self.0.place_of_all(Call::Watch, selection);
        let params = WatchParams {
            label_selector: filled(&selection.labels),
            field_selector: filled(&selection.fields),
            timeout: Some(SPAN),
            ..WatchParams::default()
        };
        let opened = self
            .0
            .repeat(&place, limits, || {
                let request = collection(selection).watch(&params, version).map_err(|error| error.to_string());
                Box::pin(self.0.open(&place, request))
            })
            .await;
        let mut lines = match opened {
            Ok(lines) => lines,
            Err(error) => return ControlFlow::Continue(ended(error)),
        };
        loop {
            let line = match lines.next().await {
                Some(Ok(line)) if line.is_empty() => continue,
                Some(Ok(line)) => line,
                Some(Err(_)) | None => {
                    self.0.note_lost();
                    return ControlFlow::Continue(Ended::Closed);
                }
            };
            let Ok(event) = serde_json::from_slice::<Value>(&line) else {
                let why = ErrorKind::Malformed("an event of a watch is no JSON".to_owned());
                return ControlFlow::Continue(Ended::Failed(Error::new(place, why)));
            };
            match take(event, selection, objects, version) {
                Taken::Changed => {
                    if let ControlFlow::Break(value) = decide(objects) {
                        return ControlFlow::Break(value);
                    }
                }
                Taken::Nothing => {}
                Taken::Refused(status) => {
                    let code = status.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
                    let code = code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::GONE);
                    let error = of_answer(code, &HeaderMap::new(), status.to_string().as_bytes(), place);
                    return ControlFlow::Continue(ended(error));
                }
            }
        }
    }
}

fn ended(error: Error) -> Ended {
    match error.kind() {
        ErrorKind::Expired => Ended::Expired,
        _ => Ended::Failed(error),
    }
}

fn keyed(object: Object) -> ((Option<String>, String), Object) {
    ((object.namespace().map(ToOwned::to_owned), object.name().to_owned()), object)
}

enum Taken {
    Changed,
    Nothing,
    Refused(Value),
}

/// Takes one event into the objects.
fn take(mut event: Value, selection: &Selection, objects: &mut Objects, version: &mut String) -> Taken {
    let object = event.get_mut("object").map(Value::take).unwrap_or_default();
    let seen = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(ToOwned::to_owned);
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "ERROR" {
        return Taken::Refused(object);
    }
    if let Some(seen) = seen {
        *version = seen;
    }
    let Some((key, object)) = of_kind(object, selection.kind).map(keyed) else { return Taken::Nothing };
    match kind {
        "ADDED" | "MODIFIED" => {
            objects.insert(key, object);
            Taken::Changed
        }
        "DELETED" => {
            objects.remove(&key);
            Taken::Changed
        }
        _ => Taken::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Kind;

    fn pod(name: &str, version: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "gpu", "resourceVersion": version}})
    }

    #[test]
    fn events_are_taken_into_the_objects() {
        let selection = Selection::all(Kind::POD, None);
        let (mut objects, mut version) = (Objects::new(), "1".to_owned());
        let mut event = |kind: &str, object: Value, version: &mut String| {
            take(json!({"type": kind, "object": object}), &selection, &mut objects, version);
            objects.keys().map(|(_, name)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(event("ADDED", pod("a", "2"), &mut version), ["a"]);
        assert_eq!(event("ADDED", pod("b", "3"), &mut version), ["a", "b"]);
        assert_eq!(event("DELETED", pod("a", "4"), &mut version), ["b"]);
        assert_eq!(event("BOOKMARK", json!({"metadata": {"resourceVersion": "9"}}), &mut version), ["b"]);
        assert_eq!(version, "9");
    }
}
