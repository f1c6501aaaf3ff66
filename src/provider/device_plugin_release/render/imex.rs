//! The init container of GPU feature discovery in chart 0.17.0 alone.
//!
//! Its script is a value of the rendered object, so it is NVIDIA's to the byte (Apache-2.0): a pod that Helm made would
//! be replaced for any other. It copies the node's list of IMEX peers to where GPU feature discovery reads it.

use serde_json::{Value as Json, json};

use super::Frame;

const SCRIPT: &[&str] = &[
    "IMEX_NODES_CONFIG_FILE=/etc/nvidia-imex/nodes_config.cfg",
    "if [[ -f /config/${IMEX_NODES_CONFIG_FILE} ]]; then",
    "  echo \"Removing cached IMEX nodes config\"",
    "  rm -f /config/${IMEX_NODES_CONFIG_FILE}",
    "fi",
    "",
    "if [[ ! -f /driver-root/${IMEX_NODES_CONFIG_FILE} ]]; then",
    "  echo \"No IMEX nodes config path detected; Skipping\"",
    "  exit 0",
    "fi",
    "",
    "echo \"Copying IMEX nodes config\"",
    "mkdir -p $(dirname /config/${IMEX_NODES_CONFIG_FILE})",
    "cp /driver-root/${IMEX_NODES_CONFIG_FILE} /config/${IMEX_NODES_CONFIG_FILE}",
    "",
];

pub(super) fn init_container(frame: &Frame<'_>) -> Json {
    json!({
        "name": "gpu-feature-discovery-imex-init",
        "image": frame.image(),
        "command": ["/bin/bash", "-c"],
        "args": [SCRIPT.join("\n")],
        "volumeMounts": [
            { "name": "config", "mountPath": "/config" },
            { "name": "driver-root", "mountPath": "/driver-root/etc", "subPath": "etc", "readOnly": true },
        ],
    })
}
