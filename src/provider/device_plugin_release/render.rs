//! The objects of a release: what `helm template` gives for a version, values and a release, as a pure function.
//!
//! Two things differ from Helm on purpose, and both mend the chart: an environment value is always text (0.16.0 to
//! 0.17.0 write `failOnInitError` as a YAML boolean, and from 0.16.0 on a configuration named `true` or `1` would
//! become no string either), and the names of configuration files and of the release are text in labels and keys.

mod config_map;
mod discovery;
mod imex;
mod mps;
pub(super) mod names;
mod plugin;
mod pod;
mod rbac;
mod security;

use serde_json::{Map, Value as Json};

use self::names::Names;
use super::{
    values::{Release, Values, nvidia_nodes},
    versions::{Chart, Trait},
};

/// What the objects are rendered from, with what several of them need worked out once.
struct Frame<'a> {
    chart: Chart,
    release: &'a Release,
    values: &'a Values,
    names: Names,
    /// Name of the ConfigMap with the plugin's configuration files, the user's or the release's own; empty if none.
    config_map: String,
}

impl<'a> Frame<'a> {
    fn new(chart: Chart, release: &'a Release, values: &'a Values) -> Self {
        let names = Names::of_plugin(chart, release, values);
        let config = &values.config;
        let config_map = match (config.name.as_str(), config.map.is_empty()) {
            ("", true) => String::new(),
            ("", false) => names.config_map(),
            (name, _) => name.to_owned(),
        };
        Self { chart, release, values, names, config_map }
    }

    fn has_config(&self) -> bool {
        !self.config_map.is_empty()
    }

    fn image(&self) -> String {
        let image = &self.values.image;
        match image.tag.as_str() {
            "" => format!("{}:v{}", image.repository, self.chart.version()),
            tag => format!("{}:{tag}", image.repository),
        }
    }

    /// The affinity of all pods. Up to 0.14.5 an empty one becomes that of GPU feature discovery where it is on.
    fn affinity(&self) -> Map<String, Json> {
        let given = &self.values.affinity;
        if given.is_empty() && self.values.gfd.enabled && self.chart.has(Trait::DiscoveryChart) {
            pod::into_map(nvidia_nodes())
        } else {
            given.clone()
        }
    }

    /// Whether the device plugin and the MPS control daemon are rendered: `devicePlugin.enabled` came with the daemon.
    fn has_plugin(&self) -> bool {
        self.values.device_plugin.enabled || !self.chart.has(Trait::ControlDaemon)
    }
}

/// The objects of a release in the order in which Helm applies them: service account, ConfigMap, cluster role, its
/// binding, then the DaemonSets of the plugin, of GPU feature discovery and of the MPS control daemon.
///
/// What the chart refuses is not looked at here: [`super::check`] does that at plan.
pub fn render(chart: Chart, release: &Release, values: &Values) -> Vec<Json> {
    let frame = Frame::new(chart, release, values);
    let mut objects = Vec::new();
    let account = rbac::objects(&frame);
    objects.extend(account.service_account);
    objects.extend(config_map::object(&frame));
    objects.extend(account.cluster_role);
    objects.extend(account.binding);
    if frame.has_plugin() {
        objects.push(plugin::daemon_set(&frame));
    }
    if frame.values.gfd.enabled {
        objects.push(discovery::daemon_set(&frame));
    }
    if frame.has_plugin() && chart.has(Trait::ControlDaemon) {
        objects.push(mps::daemon_set(&frame));
    }
    objects
}
