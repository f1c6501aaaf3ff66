//! What Helm keeps of a release: one Secret for each revision, which Helm 3 and 4 read and write.
//!
//! A record stays the JSON that it was read as, so that fields that only Helm knows outlive a change of status. Gzip
//! and base64 are Helm's (storage driver `secrets`); the Secret's own base64 comes on top.

pub(super) mod history;
mod time;

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value as Json, json};

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
pub(super) enum NotARecord {
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
mod tests {
    use super::*;
    use crate::device_plugin_release::{render, values::Values};

    const NOW: u64 = 1_764_000_000;

    fn record(values: &Json) -> (Record, Vec<Json>) {
        let chart = Chart::newest();
        let release = Release { name: "nvdp".into(), namespace: "gpu".into() };
        let objects = render(chart, &release, &Values::over_defaults(chart, values).unwrap());
        let record = Record::new(&Revision {
            chart,
            release: &release,
            number: 3,
            values,
            objects: &objects,
            first_deployed: Some("2025-01-01T00:00:00Z"),
            status: Status::PendingUpgrade,
            description: "Preparing upgrade",
            now: NOW,
        });
        (record, objects)
    }

    fn values() -> Json {
        json!({ "config": { "map": { "default": "version: v1\nsharing: {}\n" } }, "podAnnotations": { "a": "yes" } })
    }

    #[test]
    fn a_record_reads_back_from_its_secret() {
        let (record, objects) = record(&values());
        let secret = record.secret(Stamp::Created, NOW).unwrap();
        assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.nvdp.v3");
        assert_eq!(secret["metadata"]["namespace"], "gpu");
        assert_eq!(secret["type"], "helm.sh/release.v1");
        assert_eq!(
            secret["metadata"]["labels"],
            json!({ "name": "nvdp", "owner": "helm", "status": "pending-upgrade", "version": "3", "createdAt": "1764000000" })
        );

        let read = Record::from_secret(&secret).unwrap();
        assert_eq!(read, record);
        assert_eq!((read.name(), read.namespace(), read.number()), ("nvdp", "gpu", 3));
        assert_eq!((read.chart_name(), read.chart_version()), ("nvidia-device-plugin", "0.20.0"));
        assert_eq!(read.first_deployed(), "2025-01-01T00:00:00Z");
        assert_eq!(read.values(), values());
        assert_eq!(read.status(), Status::PendingUpgrade);
        assert_eq!(Json::Array(read.objects().unwrap()).to_string(), Json::Array(objects).to_string());
    }

    #[test]
    fn a_change_of_status_keeps_what_only_helm_knows() {
        let (mut record, _) = record(&json!({}));
        record.0["chart"]["templates"] = json!([{ "name": "templates/x.yml", "data": "eA==" }]);
        let changed = record.clone().with_status(Status::Superseded, "Superseded by 4");
        let secret = changed.secret(Stamp::Modified, NOW).unwrap();
        assert_eq!(secret["metadata"]["labels"]["status"], "superseded");
        assert_eq!(secret["metadata"]["labels"]["modifiedAt"], "1764000000");
        let read = Record::from_secret(&secret).unwrap();
        assert_eq!(read.status(), Status::Superseded);
        assert_eq!(read.description(), "Superseded by 4");
        assert_eq!(read.0["chart"], record.0["chart"]);
    }

    #[test]
    fn the_manifest_names_the_template_of_each_object() {
        let (record, _) = record(&values());
        let text = record.text("/manifest");
        let sources: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# Source: nvidia-device-plugin/templates/")).collect();
        assert_eq!(
            sources,
            [
                "service-account.yml",
                "configmap.yml",
                "role.yml",
                "role-binding.yml",
                "daemonset-device-plugin.yml",
                "daemonset-mps-control-daemon.yml"
            ]
        );
        assert!(text.contains("        a: \"yes\"\n"), "{text}");
    }

    #[test]
    fn a_record_that_was_never_packed_is_read_too() {
        let text = json!({ "name": "old", "version": 1, "info": { "status": "deployed" } }).to_string();
        let data = STANDARD.encode(STANDARD.encode(text));
        let read = Record::from_secret(&json!({ "data": { "release": data } })).unwrap();
        assert_eq!((read.name(), read.status(), read.values()), ("old", Status::Deployed, json!({})));
    }

    #[test]
    fn another_secret_is_no_record() {
        let of = |data: Json| Record::from_secret(&json!({ "data": { "release": data } })).unwrap_err().to_string();
        assert_eq!(Record::from_secret(&json!({})).unwrap_err().to_string(), NotARecord::NoData.to_string());
        assert!(of(json!("!")).contains("base64"));
        assert!(of(json!(STANDARD.encode(STANDARD.encode("no json")))).contains("JSON"));
        assert!(of(json!(STANDARD.encode(STANDARD.encode([0x1f, 0x8b, 0x08, 0, 1])))).contains("unpacked"));
    }

    #[test]
    fn the_data_unpack_twice_from_base64_to_gzip() {
        let (record, _) = record(&json!({}));
        let secret = record.secret(Stamp::Created, NOW).unwrap();
        let once = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
        let twice = STANDARD.decode(&once).unwrap();
        assert!(once.is_ascii());
        assert_eq!(&twice[..3], [0x1f, 0x8b, 0x08]);
    }

    /// Written by helm 4.3.1 from a chart of ours with one object, on a real API server.
    #[test]
    fn a_record_that_helm_wrote_is_read() {
        let secret: Json = serde_json::from_str(include_str!("record/written_by_helm_4.json")).unwrap();
        let read = Record::from_secret(&secret).unwrap();
        assert_eq!((read.name(), read.namespace(), read.number()), ("by-helm", "gpu", 1));
        assert_eq!((read.chart_name(), read.chart_version()), (CHART_NAME, "0.17.4"));
        assert_eq!((read.status(), read.description()), (Status::Deployed, "Install complete"));
        assert_eq!(read.values(), json!({ "image": { "tag": "1.10" }, "runtimeClassName": "nvidia" }));
        let objects = read.objects().unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0]["metadata"]["annotations"], json!({ "on": "yes" }));
        assert_eq!(read.secret_name(), secret["metadata"]["name"]);
        let again = Record::from_secret(&read.secret(Stamp::Modified, NOW).unwrap()).unwrap();
        assert_eq!(again, read);
    }
}
