//! The names and labels of a release's objects.

use serde_json::{Map, Value as Json, json};

use crate::device_plugin_release::{
    values::{Release, Values},
    versions::{Chart, Version},
};

/// The chart's name, and the label of its objects.
const PLUGIN: &str = "nvidia-device-plugin";

/// The chart inside it, up to 0.14.5.
const DISCOVERY: &str = "gpu-feature-discovery";

/// Names and labels as one chart makes them: the device plugin's, or that of GPU feature discovery inside it.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Of the objects, and the beginning of the names of more.
    pub(super) fullname: String,
    /// Of the objects.
    pub(super) namespace: String,
    name: String,
    chart: String,
    version: Version,
    instance: String,
    overriding: Map<String, Json>,
}

impl Names {
    /// Of the device plugin's chart.
    pub(super) fn of_plugin(chart: Chart, release: &Release, values: &Values) -> Self {
        let name = or(&values.name_override, PLUGIN);
        Self {
            fullname: fullname(&values.fullname_override, name, &release.name),
            namespace: or(&values.namespace_override, &release.namespace).to_owned(),
            name: cut(name),
            chart: cut(&format!("{name}-{}", chart.version())),
            version: chart.version(),
            instance: release.name.clone(),
            overriding: values.selector_labels_override.clone().into_iter().collect(),
        }
    }

    /// Of the chart of GPU feature discovery: it knows its own values only.
    pub(super) fn of_discovery(version: Version, release: &Release, values: &Values) -> Self {
        let name = or(&values.gfd.name_override, DISCOVERY);
        Self {
            fullname: fullname("", name, &release.name),
            namespace: or(&values.gfd.namespace_override, &release.namespace).to_owned(),
            name: cut(name),
            chart: cut(&format!("{name}-{version}")),
            version,
            instance: release.name.clone(),
            overriding: Map::new(),
        }
    }

    /// `<fullname>-<part>` for a DaemonSet.
    pub(super) fn part(&self, part: &str) -> String {
        cut(&format!("{}-{part}", self.fullname))
    }

    pub(super) fn service_account(&self) -> String {
        format!("{}-service-account", self.fullname)
    }

    pub(super) fn config_map(&self) -> String {
        format!("{}-configs", self.fullname)
    }

    /// Labels of every object.
    pub(super) fn labels(&self) -> Map<String, Json> {
        self.label_list().into_iter().collect()
    }

    /// The same in the order in which the chart writes them.
    pub(super) fn label_list(&self) -> Vec<(String, Json)> {
        let mut labels = vec![("helm.sh/chart".to_owned(), json!(self.chart))];
        labels.extend(self.pod_label_list());
        labels.push(("app.kubernetes.io/version".to_owned(), json!(self.version.to_string())));
        labels.push(("app.kubernetes.io/managed-by".to_owned(), json!("Helm")));
        labels
    }

    /// Labels of the pods.
    pub(super) fn pod_labels(&self) -> Map<String, Json> {
        self.pod_label_list().into_iter().collect()
    }

    fn pod_label_list(&self) -> Vec<(String, Json)> {
        let mut labels = vec![
            ("app.kubernetes.io/name".to_owned(), json!(self.name)),
            ("app.kubernetes.io/instance".to_owned(), json!(self.instance)),
        ];
        labels.extend(self.overriding.clone());
        labels
    }

    /// What a DaemonSet finds its pods by.
    pub(super) fn selector(&self) -> Map<String, Json> {
        if self.overriding.is_empty() { self.pod_labels() } else { self.overriding.clone() }
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

fn fullname(overriding: &str, name: &str, release: &str) -> String {
    if !overriding.is_empty() {
        cut(overriding)
    } else if release.contains(name) {
        cut(release)
    } else {
        cut(&format!("{release}-{name}"))
    }
}

/// At most 63 characters, without one dash at the end: what a label may hold.
fn cut(name: &str) -> String {
    let end = name.char_indices().nth(63).map_or(name.len(), |(at, _)| at);
    let short = &name[..end];
    short.strip_suffix('-').unwrap_or(short).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(release: &str, user: Json) -> Names {
        let chart = Chart::newest();
        let release = Release { name: release.to_owned(), namespace: "gpu".to_owned() };
        Names::of_plugin(chart, &release, &Values::over_defaults(chart, &user).unwrap())
    }

    #[test]
    fn a_release_that_holds_the_chart_name_is_not_named_twice() {
        for (release, user, fullname) in [
            ("nvidia-device-plugin", json!({}), "nvidia-device-plugin"),
            ("my-nvidia-device-plugin-2", json!({}), "my-nvidia-device-plugin-2"),
            ("nvdp", json!({}), "nvdp-nvidia-device-plugin"),
            ("nvdp", json!({ "nameOverride": "gpu" }), "nvdp-gpu"),
            ("gpu-1", json!({ "nameOverride": "gpu" }), "gpu-1"),
            ("nvdp", json!({ "nameOverride": "gpu", "fullnameOverride": "mine" }), "mine"),
        ] {
            assert_eq!(names(release, user.clone()).fullname, fullname, "{release} {user}");
        }
    }

    #[test]
    fn names_are_cut_at_63_characters_and_lose_one_dash() {
        let long = "a".repeat(62);
        assert_eq!(names("r", json!({ "fullnameOverride": format!("{long}-b") })).fullname, long);
        assert_eq!(
            names("r", json!({ "fullnameOverride": format!("{}--b", "a".repeat(61)) })).fullname,
            format!("{}-", "a".repeat(61))
        );
        let part = names("r", json!({ "fullnameOverride": "a".repeat(50) })).part("mps-control-daemon");
        assert_eq!(part, format!("{}-mps-control", "a".repeat(50)));
    }

    #[test]
    fn overriding_labels_alone_select_and_the_pods_carry_both() {
        let names = names("r", json!({ "selectorLabelsOverride": { "app": "x" } }));
        assert_eq!(names.selector(), *json!({ "app": "x" }).as_object().unwrap());
        assert_eq!(names.pod_labels().len(), 3);
        assert_eq!(names.labels()["app"], "x");
    }
}
