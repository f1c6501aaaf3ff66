//! The ConfigMap of the plugin's configuration files, and the checksum that makes pods follow it.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::Frame;
use crate::device_plugin_release::yaml;

/// The annotation that changes with the configuration files.
const CHECKSUM: &str = "checksum/config";

/// The object, if the release brings the files itself.
pub(super) fn object(frame: &Frame<'_>) -> Option<Json> {
    let files = &frame.values.config.map;
    (!files.is_empty()).then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": frame.config_map,
                "namespace": frame.names.namespace,
                "labels": frame.names.labels(),
            },
            "data": files.iter().map(|(name, text)| (name.clone(), json!(read_back(text)))).collect::<Map<_, _>>(),
        })
    })
}

/// The annotations of a pod, with the checksum unless the user gives one.
pub(super) fn with_checksum(frame: &Frame<'_>, mut annotations: Map<String, Json>) -> Map<String, Json> {
    if !frame.values.config.map.is_empty() && !annotations.contains_key(CHECKSUM) {
        annotations.insert(CHECKSUM.to_owned(), json!(checksum(frame)));
    }
    annotations
}

/// Helm's checksum is over the text that the template gives, so a release that helm made and we go on with keeps its
/// pods only if our text is the same to the byte.
fn checksum(frame: &Frame<'_>) -> String {
    let digest = Sha256::digest(text(frame).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(frame: &Frame<'_>) -> String {
    let mut text = format!(
        "\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n  namespace: {}\n  labels:",
        frame.config_map, frame.names.namespace
    );
    for (key, value) in frame.names.label_list() {
        let value = match (key.as_str(), value) {
            // The chart quotes this one by hand, and writes its own others as they are.
            ("app.kubernetes.io/version", Json::String(version)) => format!("\"{version}\""),
            (_, Json::String(plain)) if !frame.values.selector_labels_override.contains_key(&key) => plain,
            (_, other) => yaml::go_scalar(&other),
        };
        text.push_str(&format!("\n    {}: {value}", yaml::go_scalar(&Json::String(key))));
    }
    text.push_str("\ndata:");
    for (name, file) in &frame.values.config.map {
        text.push_str(&format!("\n  {name}: |-\n    {}", file.replace('\n', "\n    ")));
    }
    text
}

/// What a YAML parser reads of a file that the template writes as a block without final line breaks.
fn read_back(text: &str) -> &str {
    text.trim_end_matches('\n')
}
