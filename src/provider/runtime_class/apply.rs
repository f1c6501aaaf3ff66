//! Create and update: the object is applied server-side under our field manager.
//!
//! A create never takes over an object that is there, and an update takes fields from other managers only where they were
//! ours before. What was ours and is no longer wanted is taken away even where somebody else has written it since.

use std::time::Duration;

use kubernetes::{Apply, Cluster, Error, ErrorKind, Limits, Object, ObjectRef, drift, error::FieldConflict};
use plugin::{Applied, ApplyRequest, Context, Diagnostics, Path, Value};
use serde_json::{Value as Json, json};

use super::{
    MANAGER,
    check::say,
    model::{self, Memory},
    plan,
    read::{failed, stored},
    target, timeouts,
};
use crate::{
    clusters::{Clusters, Names},
    texts::cluster::SayOf,
};

/// How long it is looked at what became of a call that got no answer.
const AFTERWARDS: Duration = Duration::from_secs(5);

pub(super) async fn create(
    clusters: &Clusters,
    names: &Names,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let planned = request.planned;
    let (at, wanted) = target(&planned).zip(model::object(&planned))?;
    let mut say = say(&at, diagnostics);
    let cluster = clusters.cluster().map_err(|why| say.no_cluster(&why)).ok()?;
    let limit = timeouts(&planned).create;
    // The cluster may be on its way up in this same apply.
    let limits = Limits::patient(limit, &context.stop);
    // From the look to the answer: of two resources with one name, the second is to see what the first has made. Each call
    // of the first ends with its own limits.
    let name = names.of(&at);
    let _held = name.lock().await;
    match cluster.get(&at, &limits).await {
        Ok(Some(live)) => {
            say.exists_already(true, "nvidia_runtime_class", &at.name, &live.managers());
            return None;
        }
        Ok(None) => {}
        Err(error) => {
            failed(&mut say, "Looking for", limit, &error);
            return None;
        }
    }
    let apply = Apply { manager: MANAGER, force: false, dry_run: false };
    match cluster.apply(&wanted, apply, &limits).await {
        Ok(applied) if applied.created || (applied.repeated && is_ours_alone(&applied.object)) => {
            clusters.note_ours(&at);
            Some(stored(&planned, &wanted, &applied.object))
        }
        // Somebody made it between our look and our apply, which has joined them. What another process of this provider
        // has made under the same manager cannot be told apart and given back.
        Ok(applied) => {
            if !is_ours_alone(&applied.object) {
                give_back(&cluster, &at, &limits, &mut say).await;
            }
            say.exists_already(true, "nvidia_runtime_class", &at.name, &applied.object.managers());
            None
        }
        Err(error) => {
            let live = afterwards(&cluster, &at, &error).await.filter(is_ours_alone);
            if !live.as_ref().is_some_and(|live| has_come(&wanted, live)) {
                failed(&mut say, "Creating", limit, &error);
            }
            live.map(|live| stored(&planned, &wanted, &live))
        }
    }
}

/// The object after a call without an answer, where that can be told.
async fn afterwards(cluster: &Cluster, at: &ObjectRef, error: &Error) -> Option<Object> {
    if !error.may_have_been_carried_out() {
        return None;
    }
    // A new token: the user has asked to stop, and what is there is to be known all the same.
    cluster.get(at, &Limits::brief(AFTERWARDS, &Default::default())).await.ok().flatten()
}

/// Whether an object has all that was wanted of it.
fn has_come(wanted: &Object, live: &Object) -> bool {
    drift::differences(wanted, live).is_empty()
}

/// Whether nobody else has written an object, so that it is the one that an earlier attempt of ours made.
fn is_ours_alone(live: &Object) -> bool {
    let managers = live.managers();
    !managers.is_empty() && managers.iter().all(|manager| *manager == MANAGER)
}

/// Gives up what an apply has taken part in.
async fn give_back(cluster: &Cluster, at: &ObjectRef, limits: &Limits, say: &mut SayOf<'_>) {
    let bare = Object::new(json!({
        "apiVersion": at.kind.api_version, "kind": at.kind.kind, "metadata": {"name": at.name},
    }));
    let Ok(bare) = bare else { return };
    let apply = Apply { manager: MANAGER, force: false, dry_run: false };
    if let Err(error) = cluster.apply(&bare, apply, limits).await {
        say.failed(&error);
    }
}

pub(super) async fn update(
    clusters: &Clusters,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Applied {
    let ApplyRequest { prior, planned, private, .. } = request;
    let kept = Applied { state: prior.clone(), private: private.clone() };
    let Some((at, wanted)) = target(&planned).zip(model::object(&planned)) else { return kept };
    let memory = Memory::of(&private);
    let was = memory.as_ref().and_then(Memory::object).or_else(|| model::object(&prior));
    if let (Some(was), Some(observed)) = (&was, model::object(&prior))
        && plan::same(&wanted, was)
        && plan::same(&wanted, &observed)
    {
        // A timeout, or another way to write the same.
        return Applied { state: planned, private: Memory::new(&wanted).to_private() };
    }
    let mut say = say(&at, diagnostics);
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(why) => {
            say.no_cluster(&why);
            return kept;
        }
    };
    let limit = timeouts(&planned).update;
    let change = Change {
        cluster: &cluster,
        at: &at,
        wanted: &wanted,
        was: was.as_ref(),
        uid: prior.get("uid").string().known().unwrap_or_default(),
        limits: Limits::patient(limit, &context.stop),
    };
    match change.carry_out().await {
        Ok(live) => stored(&planned, &wanted, &live),
        Err(Failure::Owned(conflicts)) => {
            say.conflicts(&conflicts, attribute_of);
            kept
        }
        Err(Failure::Call(error)) => {
            let live = afterwards(&cluster, &at, &error).await.filter(|live| live.uid() == change.uid);
            if let Some(live) = live.filter(|live| change.is_done(live)) {
                return stored(&planned, &wanted, &live);
            }
            failed(&mut say, "Changing", limit, &error);
            if !error.may_have_been_carried_out() {
                return kept;
            }
            // Both what was and what was wanted may be ours: the next refresh tells what of it stands there.
            let union = joined(was.as_ref(), &wanted);
            Applied { state: prior, private: Memory::new(&union).to_private() }
        }
        // What was applied is ours from now on, also where the rest failed.
        Err(Failure::HalfWay(live, error)) => {
            failed(&mut say, "Changing", limit, &error);
            let union = joined(was.as_ref(), &wanted);
            stored(&prior_with(&prior, &planned), &union, &live)
        }
    }
}

/// One update.
struct Change<'a> {
    cluster: &'a Cluster,
    at: &'a ObjectRef,
    wanted: &'a Object,
    /// As it was last applied.
    was: Option<&'a Object>,
    uid: &'a str,
    limits: Limits,
}

enum Failure {
    /// Nothing was changed: others own these.
    Owned(Vec<FieldConflict>),
    /// Nothing was changed, or it is not known.
    Call(Error),
    /// The object was applied, and what was no longer wanted could not be taken away.
    HalfWay(Box<Object>, Error),
}

impl Change<'_> {
    async fn carry_out(&self) -> Result<Object, Failure> {
        let object = self.for_this_object();
        let mut apply = Apply { manager: MANAGER, force: false, dry_run: false };
        let first = self.cluster.apply(&object, apply, &self.limits).await;
        let live = match first {
            Ok(applied) => applied.object,
            Err(error) => {
                let ErrorKind::Conflict(conflicts) = error.kind() else { return Err(Failure::Call(error)) };
                let foreign = not_ours(conflicts, self.was);
                if !foreign.is_empty() {
                    return Err(Failure::Owned(foreign));
                }
                apply.force = true;
                self.cluster.apply(&object, apply, &self.limits).await.map_err(Failure::Call)?.object
            }
        };
        let Some(patch) = self.was.and_then(|was| leftovers(was, self.wanted, &live)) else { return Ok(live) };
        let patched = self.cluster.patch(self.at, MANAGER, &patch, &self.limits).await;
        patched.map_err(|error| Failure::HalfWay(Box::new(live), error))
    }

    /// Whether an object has all that is wanted of it and nothing of what was ours and is no longer wanted.
    fn is_done(&self, live: &Object) -> bool {
        has_come(self.wanted, live) && self.was.is_none_or(|was| leftovers(was, self.wanted, live).is_none())
    }

    /// With the uid, so that an object that somebody has made anew is not changed.
    fn for_this_object(&self) -> Object {
        let mut json = Json::Object(self.wanted.fields().clone());
        if !self.uid.is_empty() {
            json["metadata"]["uid"] = json!(self.uid);
        }
        Object::new(json).unwrap_or_else(|_| self.wanted.clone())
    }
}

/// The conflicts about fields that we have not applied before.
fn not_ours(conflicts: &[FieldConflict], was: Option<&Object>) -> Vec<FieldConflict> {
    let ours = was.map(fields).unwrap_or_default();
    conflicts.iter().filter(|conflict| !ours.contains(&conflict.field)).cloned().collect()
}

/// The fields of an object as the API names them in conflicts: `.metadata.labels.a`.
fn fields(object: &Object) -> Vec<String> {
    let mut fields = Vec::new();
    for (pointer, path) in [
        ("/metadata/labels", ".metadata.labels"),
        ("/metadata/annotations", ".metadata.annotations"),
        ("/overhead/podFixed", ".overhead.podFixed"),
    ] {
        let keys = object.at(pointer).and_then(Json::as_object).into_iter().flat_map(|map| map.keys());
        fields.extend(keys.map(|key| format!("{path}.{key}")));
    }
    for (pointer, path) in [
        ("/scheduling/nodeSelector", ".scheduling.nodeSelector"),
        ("/scheduling/tolerations", ".scheduling.tolerations"),
    ] {
        if object.at(pointer).is_some() {
            fields.push(path.to_owned());
        }
    }
    fields.push(".handler".to_owned());
    fields
}

/// The attribute that a field of the API belongs to.
fn attribute_of(field: &str) -> Path {
    let of = |prefix: &str, name: &str| field.strip_prefix(prefix).map(|key| Path::attribute(name).key(key));
    of(".metadata.labels.", "labels")
        .or_else(|| of(".metadata.annotations.", "annotations"))
        .or_else(|| of(".overhead.podFixed.", "pod_overhead"))
        .unwrap_or_else(|| match field {
            ".scheduling.nodeSelector" => Path::attribute("scheduling").then("node_selector"),
            ".scheduling.tolerations" => Path::attribute("scheduling").then("tolerations"),
            _ => Path::attribute("name"),
        })
}

/// A merge patch that takes away what was ours, is no longer wanted, and still stands after the apply because somebody
/// else has written it; none when there is nothing.
fn leftovers(was: &Object, wanted: &Object, live: &Object) -> Option<Json> {
    let mut patch = json!({});
    for pointer in ["/metadata/labels", "/metadata/annotations", "/overhead/podFixed"] {
        let keys = was.at(pointer).and_then(Json::as_object).into_iter().flat_map(|map| map.keys());
        let has = |object: &Object, key: &str| object.at(pointer).is_some_and(|map| map.get(key).is_some());
        for key in keys.filter(|key| !has(wanted, key) && has(live, key)) {
            set(&mut patch, pointer, Some(key));
        }
    }
    for pointer in ["/scheduling/nodeSelector", "/scheduling/tolerations"] {
        if was.at(pointer).is_some() && wanted.at(pointer).is_none() && live.at(pointer).is_some() {
            set(&mut patch, pointer, None);
        }
    }
    if patch == json!({}) {
        return None;
    }
    // Only on what was looked at: somebody may write again in between.
    patch["metadata"]["resourceVersion"] = json!(live.resource_version());
    Some(patch)
}

/// Sets null at `/a/b`, or at `/a/b` and then `key`.
fn set(patch: &mut Json, pointer: &str, key: Option<&str>) {
    let mut at = patch;
    for step in pointer.split('/').skip(1).chain(key) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[step];
    }
    *at = Json::Null;
}

/// Both what was and what is now applied is ours.
fn joined(was: Option<&Object>, wanted: &Object) -> Object {
    let Some(was) = was else { return wanted.clone() };
    let mut json = Json::Object(was.fields().clone());
    merge(&mut json, &Json::Object(wanted.fields().clone()));
    Object::new(json).unwrap_or_else(|_| wanted.clone())
}

fn merge(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// The prior state with what only this provider reads as it is planned.
fn prior_with(prior: &Value, planned: &Value) -> Value {
    let mut state = prior.clone();
    state.set("timeouts", planned.get("timeouts").clone());
    state
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::full;
    use super::*;

    fn object(change: impl FnOnce(&mut Json)) -> Object {
        let mut json = model::object(&full()).unwrap().into_json();
        change(&mut json);
        Object::new(json).unwrap()
    }

    #[test]
    fn only_fields_that_were_ours_are_taken_from_others() {
        let conflict = |field: &str| FieldConflict { manager: "kubectl-edit".into(), field: field.into() };
        let was = object(|_| ());
        let ours =
            [".metadata.labels.a", ".overhead.podFixed.memory", ".scheduling.nodeSelector", ".scheduling.tolerations"];
        assert!(not_ours(&ours.map(conflict), Some(&was)).is_empty());
        let foreign = [conflict(".metadata.labels.b"), conflict(".metadata.labels.a")];
        assert_eq!(not_ours(&foreign, Some(&was)), [conflict(".metadata.labels.b")]);
        assert_eq!(not_ours(&foreign, None).len(), 2);
    }

    #[test]
    fn what_is_no_longer_wanted_is_taken_away_where_somebody_else_has_written_it() {
        let was = object(|_| ());
        let wanted = object(|json| {
            json["metadata"]["labels"] = json!({});
            json["scheduling"].as_object_mut().unwrap().remove("nodeSelector");
        });
        let live = object(|json| {
            json["metadata"]["labels"] = json!({"a": "theirs", "foreign": "x"});
            json["metadata"]["resourceVersion"] = json!("7");
        });
        assert_eq!(
            leftovers(&was, &wanted, &live),
            Some(json!({
                "metadata": {"labels": {"a": null}, "resourceVersion": "7"},
                "scheduling": {"nodeSelector": null},
            }))
        );
        let clean = object(|json| {
            json["metadata"]["labels"] = json!({"foreign": "x"});
            json["scheduling"].as_object_mut().unwrap().remove("nodeSelector");
        });
        assert_eq!(leftovers(&was, &wanted, &clean), None);
    }

    #[test]
    fn a_conflict_is_told_on_the_attribute_that_it_concerns() {
        for (field, path) in [
            (".metadata.labels.nvidia.com/gpu", "labels[\"nvidia.com/gpu\"]"),
            (".overhead.podFixed.memory", "pod_overhead[\"memory\"]"),
            (".scheduling.tolerations", "scheduling.tolerations"),
            (".handler", "name"),
        ] {
            assert_eq!(attribute_of(field).to_string(), path);
        }
    }
}
