//! What Helm keeps of a release: one Secret for each revision, which Helm 3 and 4 read and write.
//!
//! A record stays the JSON that it was read as, so that fields that only Helm knows outlive a change of status. Gzip
//! and base64 are Helm's (storage driver `secrets`); the Secret's own base64 comes on top.

pub(super) mod history;
mod time;

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Map, Value as Json, json};

use super::{
    manifest,
    values::{self, Release},
    versions::Chart,
    yaml,
};

/// The chart's name in a record.
pub(super) const CHART_NAME: &str = "nvidia-device-plugin";

/// Type of the Secrets.
const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Labels of the Secrets that are Helm's own. Any other is the user's.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// A record that is larger than this when unpacked is none: Helm's are some tens of kilobytes.
const MAX_SIZE: u64 = 32 << 20;

/// How far a revision has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Deployed,
    Superseded,
    Failed,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
    Uninstalling,
    Uninstalled,
    Unknown,
}

const STATUSES: [(Status, &str); 9] = [
    (Status::Deployed, "deployed"),
    (Status::Superseded, "superseded"),
    (Status::Failed, "failed"),
    (Status::PendingInstall, "pending-install"),
    (Status::PendingUpgrade, "pending-upgrade"),
    (Status::PendingRollback, "pending-rollback"),
    (Status::Uninstalling, "uninstalling"),
    (Status::Uninstalled, "uninstalled"),
    (Status::Unknown, "unknown"),
];

impl Status {
    /// Helm's word.
    pub(super) fn word(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("unknown", |(_, word)| word)
    }

    fn of(word: &str) -> Self {
        STATUSES.iter().find(|(_, known)| *known == word).map_or(Self::Unknown, |(status, _)| *status)
    }

    /// Somebody is at work on the release, or was and did not end it: Helm refuses to begin.
    pub(super) fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback | Self::Uninstalling)
    }
}

/// One revision of a release.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record(Json);

/// What a new revision is made of.
pub(super) struct Revision<'a> {
    pub(super) chart: Chart,
    pub(super) release: &'a Release,
    pub(super) number: u32,
    /// The values that the user gives, as helm would hold them.
    pub(super) values: &'a Json,
    /// In Helm's order.
    pub(super) objects: &'a [Json],
    /// When the release was first made, as an earlier revision says it.
    pub(super) first_deployed: Option<&'a str>,
    pub(super) status: Status,
    pub(super) description: &'a str,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// A Secret that is no release record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotARecord {
    /// It has no field `release`, or one that is no text.
    #[error("the Secret has no data under \"release\"")]
    NoData,
    /// Its data are not what Helm writes.
    #[error("the data under \"release\" are not base64 as Helm writes it")]
    Base64(#[from] base64::DecodeError),
    /// It cannot be unpacked.
    #[error("the data under \"release\" cannot be unpacked")]
    Gzip(#[from] std::io::Error),
    /// It holds no JSON.
    #[error("the data under \"release\" hold no JSON")]
    Json(#[from] serde_json::Error),
    /// It is larger than any release record.
    #[error("the data under \"release\" are larger than any release record")]
    TooLarge,
}

impl Record {
    /// A new revision.
    pub(super) fn new(revision: &Revision<'_>) -> Self {
        let version = revision.chart.version().to_string();
        let now = time::rfc3339(revision.now);
        Self(json!({
            "name": revision.release.name,
            "namespace": revision.release.namespace,
            "version": revision.number,
            "info": {
                "first_deployed": revision.first_deployed.unwrap_or(&now),
                "last_deployed": now,
                "deleted": "",
                "description": revision.description,
                "status": revision.status.word(),
            },
            "chart": {
                "metadata": {
                    "apiVersion": "v2",
                    "name": CHART_NAME,
                    "version": version,
                    "appVersion": version,
                    "type": "application",
                    "description": "NVIDIA's device plugin for Kubernetes, written by terraform-provider-nvidia",
                },
                "lock": null,
                "templates": [],
                // `helm upgrade --reuse-values` renders with these.
                "values": values::defaults(revision.chart),
                "schema": null,
                "files": [],
            },
            "config": revision.values,
            "manifest": manifest_text(revision.chart, revision.objects),
            "hooks": [],
            // Helm 4 goes on as the objects were applied; Helm 3 passes over it.
            "apply_method": "ssa",
        }))
    }

    /// The same with another status.
    pub(super) fn with_status(mut self, status: Status, description: &str) -> Self {
        self.0["info"]["status"] = json!(status.word());
        self.0["info"]["description"] = json!(description);
        self
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
    }

    /// Name of the release.
    pub(super) fn name(&self) -> &str {
        self.text("/name")
    }

    /// Namespace of the release.
    pub(super) fn namespace(&self) -> &str {
        self.text("/namespace")
    }

    /// Number of the revision, from 1.
    pub(super) fn number(&self) -> u32 {
        self.0.get("version").and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    }

    pub(super) fn status(&self) -> Status {
        Status::of(self.text("/info/status"))
    }

    /// What Helm or we say of it.
    pub(super) fn description(&self) -> &str {
        self.text("/info/description")
    }

    /// When the release was first made; empty when the record does not say.
    pub(super) fn first_deployed(&self) -> &str {
        self.text("/info/first_deployed")
    }

    /// Name of the chart.
    pub(super) fn chart_name(&self) -> &str {
        self.text("/chart/metadata/name")
    }

    /// Version of the chart.
    pub(super) fn chart_version(&self) -> &str {
        self.text("/chart/metadata/version")
    }

    /// The values that the user gave.
    pub(super) fn values(&self) -> Json {
        match self.0.get("config") {
            Some(config @ Json::Object(_)) => config.clone(),
            _ => json!({}),
        }
    }

    /// The objects, as they were applied.
    ///
    /// # Errors
    /// The manifest is not YAML; the parser's words.
    pub(super) fn objects(&self) -> Result<Vec<Json>, String> {
        let documents: Vec<Json> =
            serde_saphyr::from_multiple(self.text("/manifest")).map_err(|error| error.to_string())?;
        Ok(documents.into_iter().filter(Json::is_object).collect())
    }

    /// Name of the Secret.
    pub(super) fn secret_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name(), self.number())
    }

    /// The Secret, created or changed at `now` (seconds since 1970).
    ///
    /// # Errors
    /// None in practice: writing to memory.
    pub(super) fn secret(&self, stamp: Stamp, now: u64) -> Result<Json, NotARecord> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&serde_json::to_vec(&self.0)?)?;
        let release = STANDARD.encode(STANDARD.encode(gzip.finish()?));
        let mut labels = json!({
            "name": self.name(),
            "owner": "helm",
            "status": self.status().word(),
            "version": self.number().to_string(),
        });
        labels[stamp.label()] = json!(now.to_string());
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": SECRET_TYPE,
            "metadata": { "name": self.secret_name(), "namespace": self.namespace(), "labels": labels },
            "data": { "release": release },
        }))
    }

    /// The Secret of a revision that begins at `now` (seconds since 1970), with the user's labels of the one before.
    ///
    /// # Errors
    /// None in practice: writing to memory.
    pub(super) fn new_secret(&self, labels: Map<String, Json>, now: u64) -> Result<Json, NotARecord> {
        let mut secret = self.secret(Stamp::Created, now)?;
        for (name, value) in labels {
            secret["metadata"]["labels"][name] = value;
        }
        Ok(secret)
    }

    /// Reads a Secret, of Helm's or ours.
    ///
    /// # Errors
    /// The Secret is no release record.
    pub(super) fn from_secret(secret: &Json) -> Result<Self, NotARecord> {
        let data = secret.pointer("/data/release").and_then(Json::as_str).ok_or(NotARecord::NoData)?;
        let packed = STANDARD.decode(STANDARD.decode(data)?)?;
        Ok(Self(serde_json::from_slice(&unpack(packed)?)?))
    }
}

/// What the user has labelled the release with (`helm install --labels`): Helm hands it on from revision to revision, and
/// `helm list --selector` finds the release by it.
pub(super) fn labels_of_user(secret: &Json) -> Map<String, Json> {
    let mut labels = secret.pointer("/metadata/labels").and_then(Json::as_object).cloned().unwrap_or_default();
    labels.retain(|name, _| !SYSTEM_LABELS.contains(&name.as_str()));
    labels
}

/// Helm's first releases were not packed, so it looks, and so do we.
fn unpack(packed: Vec<u8>) -> Result<Vec<u8>, NotARecord> {
    if !packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        return Ok(packed);
    }
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice()).take(MAX_SIZE + 1).read_to_end(&mut json)?;
    if u64::try_from(json.len()).unwrap_or(u64::MAX) > MAX_SIZE { Err(NotARecord::TooLarge) } else { Ok(json) }
}

/// The label that says when a Secret was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    Created,
    Modified,
}

impl Stamp {
    fn label(self) -> &'static str {
        match self {
            Self::Created => "createdAt",
            Self::Modified => "modifiedAt",
        }
    }
}

/// The objects as `helm get manifest` shows them: one document each, below the name of the template that gives it.
fn manifest_text(chart: Chart, objects: &[Json]) -> String {
    objects
        .iter()
        .map(|object| {
            let source = manifest::source(chart, object);
            format!("---\n# Source: {CHART_NAME}/templates/{source}\n{}", yaml::document(object))
        })
        .collect()
}

#[cfg(test)]
mod tests;
