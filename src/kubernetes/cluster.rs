//! A cluster and the calls on it. One client for all of them, made at the first call; the connections are shared.
//!
//! Every call has a deadline, ends with Ctrl-C, and is made again where that heals ([`Limits`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, StatusCode};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::{Answer, Line};
use crate::error::{Call, Error, ErrorKind, Place};
use crate::object::{Kind, NotAnObject, Object, ObjectRef};
use crate::settings::{Settings, SettingsError};

mod contents;
mod events;
mod logs;
mod watch;

pub use events::Event;
pub use logs::LogOptions;
pub use watch::Objects;

/// A cluster. Cloning is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Line>);

/// How long a call may take, and what ends it early.
#[derive(Clone, Debug)]
pub struct Limits {
    /// No call goes on after it.
    pub deadline: Instant,
    /// How long a server that nobody reaches is tried; from the first failure on. A plan and a refresh wait briefly, an
    /// apply as long as it may, since the cluster may be on its way up.
    pub unreachable_for: Duration,
    /// The user asked to stop.
    pub stop: CancellationToken,
}

impl Limits {
    /// Gives up within `span`, and on a server that nobody reaches after the first try.
    #[must_use]
    pub fn brief(span: Duration, stop: &CancellationToken) -> Self {
        Self { deadline: Instant::now() + span, unreachable_for: Duration::ZERO, stop: stop.clone() }
    }

    /// Goes on until `span` is over, also while nobody answers.
    #[must_use]
    pub fn patient(span: Duration, stop: &CancellationToken) -> Self {
        Self { deadline: Instant::now() + span, unreachable_for: span, stop: stop.clone() }
    }
}

/// How an object is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The field manager whose fields these become.
    pub manager: &'a str,
    /// Take fields from other managers. Without, they are a [`ErrorKind::Conflict`].
    pub force: bool,
    /// Let the server do everything but store it.
    pub dry_run: bool,
}

/// An object after an apply.
#[derive(Clone, Debug)]
pub struct Applied {
    /// As the server has it now, with the fields of others and its defaults.
    pub object: Object,
    /// Whether the apply made it.
    pub created: bool,
    /// Whether it was sent more than once, so that an attempt without an answer may have made it.
    pub repeated: bool,
}

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The kind.
    pub kind: Kind,
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Only those with these labels: `app=a,tier in (x,y)`; empty for all.
    pub labels: String,
    /// Only those with these fields: `spec.nodeName=a`; empty for all.
    pub fields: String,
}

impl Selection {
    /// All objects of a kind, in a namespace or the whole cluster.
    #[must_use]
    pub fn all(kind: Kind, namespace: Option<&str>) -> Self {
        Self { kind, namespace: namespace.map(ToOwned::to_owned), labels: String::new(), fields: String::new() }
    }

    /// One object: what RBAC rules with `resourceNames` allow to list and watch.
    #[must_use]
    pub fn one(at: &ObjectRef) -> Self {
        Self { fields: format!("metadata.name={}", at.name), ..Self::all(at.kind, at.namespace.as_deref()) }
    }

    /// Those with these labels.
    #[must_use]
    pub fn with_labels(mut self, selector: &str) -> Self {
        selector.clone_into(&mut self.labels);
        self
    }

    /// Those with these fields.
    #[must_use]
    pub fn with_fields(mut self, selector: &str) -> Self {
        selector.clone_into(&mut self.fields);
        self
    }
}

/// The objects of a [`Selection`] at one moment.
#[derive(Clone, Debug)]
pub struct Listed {
    /// In the server's order.
    pub items: Vec<Object>,
    /// The moment: where a watch goes on.
    pub resource_version: String,
}

/// What must be true of an object for it to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// It is this object and not another one of its name.
    pub uid: Option<String>,
    /// Nobody has written it since.
    pub resource_version: Option<String>,
}

/// What becomes of the objects that belong to a deleted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// The server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it says it: `v1.37.2`.
    pub tag: String,
    /// Major and minor, where they can be read.
    pub minor: Option<(u64, u64)>,
}

impl Version {
    /// Of the answer to `/version`. A server that was built without the two numbers, as one from source may be, says them
    /// in its tag alone.
    fn of(answer: &Value) -> Self {
        let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default();
        let number = |digits: &str| digits.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok();
        let tag = text("gitVersion");
        let mut parts = tag.trim_start_matches('v').split('.').map(number);
        let of_tag = parts.next().flatten().zip(parts.next().flatten());
        Self { tag: tag.to_owned(), minor: number(text("major")).zip(number(text("minor"))).or(of_tag) }
    }
}

/// How many objects a list asks for at once.
const PAGE: u32 = 500;

impl Cluster {
    /// Finds out how the cluster is reached. Connects to nothing and runs no plugin.
    ///
    /// # Errors
    /// Says which file, context and field cannot be used; where nothing is configured, where was looked.
    pub fn resolve(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self(Arc::new(Line::new(settings.resolve()?))))
    }

    /// The server: `https://10.0.0.1:6443`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server.url
    }

    /// Where the settings come from: `context prod of /root/.kube/config`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.server.origin
    }

    /// The server's version.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn version(&self, limits: &Limits) -> Result<Version, Error> {
        let place = self.0.place_of_server(Call::Version);
        let request = || Request::get("/version").body(Vec::new()).map_err(|error| error.to_string());
        let json = self.0.ask(&place, limits, request).await?.json(&place)?;
        Ok(Version::of(&json))
    }

    /// An object; `None` when the server says that there is none of that name.
    ///
    /// # Errors
    /// Every other answer, a missing kind among them.
    pub async fn get(&self, at: &ObjectRef, limits: &Limits) -> Result<Option<Object>, Error> {
        let place = self.0.place(Call::Get, at);
        let request = || path(at).get(&at.name, &kube::api::GetParams::default()).map_err(|error| error.to_string());
        match self.0.ask(&place, limits, request).await {
            Ok(answer) => answer.object(&place).map(Some),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a selection, in pages.
    ///
    /// # Errors
    /// When one of the pages cannot be had.
    pub async fn list(&self, selection: &Selection, limits: &Limits) -> Result<Listed, Error> {
        let place = self.0.place_of_all(Call::List, selection);
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let mut page = self.page(&place, selection, PAGE, &token, limits).await?;
            items.extend(taken(&mut page, selection.kind));
            let metadata = |field: &str| {
                page.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            token = metadata("continue");
            if token.is_empty() {
                return Ok(Listed { items, resource_version: metadata("resourceVersion") });
            }
        }
    }

    /// The first objects of a selection, in one call.
    ///
    /// # Errors
    /// When they cannot be had.
    pub async fn first(&self, selection: &Selection, most: u32, limits: &Limits) -> Result<Vec<Object>, Error> {
        let place = self.0.place_of_all(Call::List, selection);
        let mut page = self.page(&place, selection, most, "", limits).await?;
        Ok(taken(&mut page, selection.kind))
    }

    async fn page(
        &self,
        place: &Place,
        selection: &Selection,
        most: u32,
        token: &str,
        limits: &Limits,
    ) -> Result<Value, Error> {
        let params = ListParams {
            label_selector: filled(&selection.labels),
            field_selector: filled(&selection.fields),
            limit: Some(most),
            continue_token: filled(token),
            ..ListParams::default()
        };
        let request = || collection(selection).list(&params).map_err(|error| error.to_string());
        self.0.ask(place, limits, request).await?.json(place)
    }

    /// Applies an object server-side: its fields become those of `apply.manager`, and fields that this manager applied
    /// before and that are no longer in it go.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where others own what would change; [`ErrorKind::Changed`] when the object has a `uid` or
    /// `resourceVersion` that is no longer that of the stored one.
    pub async fn apply(&self, object: &Object, apply: Apply<'_>, limits: &Limits) -> Result<Applied, Error> {
        let at = self.0.reference(object, Call::Apply)?;
        let place = self.0.place(Call::Apply, &at);
        let params = PatchParams {
            dry_run: apply.dry_run,
            force: apply.force,
            field_manager: Some(apply.manager.to_owned()),
            field_validation: Some(kube::api::ValidationDirective::Strict),
        };
        let patch = Patch::Apply(object.fields());
        let attempts = AtomicU32::new(0);
        let request = || {
            attempts.fetch_add(1, Ordering::Relaxed);
            path(&at).patch(&at.name, &params, &patch).map_err(|error| error.to_string())
        };
        let answer = self.0.ask(&place, limits, request).await?;
        let created = answer.status == StatusCode::CREATED;
        Ok(Applied { object: answer.object(&place)?, created, repeated: attempts.into_inner() > 1 })
    }

    /// Changes parts of an object by a JSON merge patch (RFC 7386). With a `metadata.resourceVersion` in it, only when
    /// nobody has written the object since.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn patch(&self, at: &ObjectRef, manager: &str, patch: &Value, limits: &Limits) -> Result<Object, Error> {
        let place = self.0.place(Call::Patch, at);
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(patch);
        let request = || path(at).patch(&at.name, &params, &patch).map_err(|error| error.to_string());
        self.0.ask(&place, limits, request).await?.object(&place)
    }

    /// Makes an object. It is sent again only where the server cannot have carried it out.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is one of its name.
    pub async fn create(&self, object: &Object, manager: &str, limits: &Limits) -> Result<Object, Error> {
        let at = self.0.reference(object, Call::Create)?;
        let place = self.0.place(Call::Create, &at);
        let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let body = bytes(object);
        let request = || path(&at).create(&params, body.clone()).map_err(|error| error.to_string());
        self.0.ask(&place, limits, request).await?.object(&place)
    }

    /// Replaces an object by a later version of it, which carries the `resourceVersion` that it was made from. It is sent
    /// again only where the server cannot have carried it out.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] when somebody has written it since.
    pub async fn replace(&self, object: &Object, manager: &str, limits: &Limits) -> Result<Object, Error> {
        let at = self.0.reference(object, Call::Replace)?;
        let place = self.0.place(Call::Replace, &at);
        let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let body = bytes(object);
        let request = || path(&at).replace(&at.name, &params, body.clone()).map_err(|error| error.to_string());
        self.0.ask(&place, limits, request).await?.object(&place)
    }

    /// Deletes an object. `false`: there was none. It may stay for a while after, until its finalizers are through: see
    /// [`Cluster::wait_until_gone`].
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] when the preconditions do not hold.
    pub async fn delete(
        &self,
        at: &ObjectRef,
        only: &Preconditions,
        propagation: Propagation,
        limits: &Limits,
    ) -> Result<bool, Error> {
        let place = self.0.place(Call::Delete, at);
        let params = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: (*only != Preconditions::default()).then(|| kube::api::Preconditions {
                uid: only.uid.clone(),
                resource_version: only.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let request = || path(at).delete(&at.name, &params).map_err(|error| error.to_string());
        match self.0.ask(&place, limits, request).await {
            Ok(_) => Ok(true),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn path(at: &ObjectRef) -> kube::core::Request {
    kube::core::Request::new(at.kind.path(at.namespace.as_deref()))
}

fn collection(selection: &Selection) -> kube::core::Request {
    kube::core::Request::new(selection.kind.path(selection.namespace.as_deref()))
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn bytes(object: &Object) -> Vec<u8> {
    Value::Object(object.fields().clone()).to_string().into_bytes()
}

/// The objects of a page.
fn taken(page: &mut Value, kind: Kind) -> Vec<Object> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(found)) => found.into_iter().filter_map(|item| of_kind(item, kind)).collect(),
        _ => Vec::new(),
    }
}

/// An item of a list, which does not say its kind.
fn of_kind(mut item: Value, kind: Kind) -> Option<Object> {
    let fields = item.as_object_mut()?;
    fields.entry("apiVersion").or_insert_with(|| json!(kind.api_version));
    fields.entry("kind").or_insert_with(|| json!(kind.kind));
    Object::new(item).ok()
}

impl Answer {
    fn object(self, place: &Place) -> Result<Object, Error> {
        Object::new(self.json(place)?)
            .map_err(|why: NotAnObject| Error::new(place.clone(), ErrorKind::Malformed(why.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Version;

    #[test]
    fn the_minor_is_of_the_numbers_or_else_of_the_tag() {
        for (answer, minor) in [
            (json!({"major": "1", "minor": "30+", "gitVersion": "v1.30.14-eks-1"}), Some((1, 30))),
            (json!({"major": "", "minor": "", "gitVersion": "v1.30.14"}), Some((1, 30))),
            (json!({"gitVersion": "unknown"}), None),
        ] {
            assert_eq!(Version::of(&answer).minor, minor, "{answer}");
        }
    }
}
