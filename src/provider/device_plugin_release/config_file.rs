//! The plugin's configuration file: the one that `time_slicing` and `mps` write, and what is wrong with a given one.
//!
//! The plugin passes over a key that stands at the wrong level without a word (k8s-device-plugin#1433), so a known key
//! in another place than its own is an error at plan. Unknown keys are left alone: newer plugins have more of them.

use serde_json::Value as Json;

use super::yaml;

/// The file's name in the ConfigMap: the fallback strategy `named` takes it wherever a node names no other.
pub(super) const NAME: &str = "default";

/// How GPUs are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    TimeSlicing,
    Mps,
}

impl Strategy {
    /// Its key under `sharing`.
    fn key(self) -> &'static str {
        match self {
            Self::TimeSlicing => "timeSlicing",
            Self::Mps => "mps",
        }
    }
}

/// What a sharing block says. The plugin passes over a resource's `rename` and `devices` in every known version, and
/// forces `failRequestsGreaterThanOne` for MPS, so none of them is here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sharing {
    pub(super) strategy: Strategy,
    pub(super) rename_by_default: Option<bool>,
    pub(super) fail_requests_greater_than_one: Option<bool>,
    /// Name and replicas.
    pub(super) resources: Vec<(String, i64)>,
}

impl Sharing {
    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text = format!("version: v1\nsharing:\n  {}:\n", self.strategy.key());
        for (key, value) in [
            ("renameByDefault", self.rename_by_default),
            ("failRequestsGreaterThanOne", self.fail_requests_greater_than_one),
        ] {
            if let Some(value) = value {
                text.push_str(&format!("    {key}: {value}\n"));
            }
        }
        text.push_str("    resources:");
        for (name, replicas) in &self.resources {
            text.push_str(&format!("\n    - name: {}\n      replicas: {replicas}", yaml::text(name)));
        }
        text
    }

    /// What a text says, if it is one that [`Sharing::text`] gives.
    pub(super) fn read(text: &str) -> Option<Self> {
        let file: Json = serde_saphyr::from_str(text).ok()?;
        let sharing = file.get("sharing")?;
        let strategy = if sharing.get("mps").is_some() { Strategy::Mps } else { Strategy::TimeSlicing };
        let block = sharing.get(strategy.key())?;
        let flag = |key: &str| block.get(key).and_then(Json::as_bool);
        let resource = |item: &Json| Some((item.get("name")?.as_str()?.to_owned(), item.get("replicas")?.as_i64()?));
        let read = Self {
            strategy,
            rename_by_default: flag("renameByDefault"),
            fail_requests_greater_than_one: flag("failRequestsGreaterThanOne"),
            resources: block.get("resources")?.as_array()?.iter().map(resource).collect::<Option<_>>()?,
        };
        (read.text() == text).then_some(read)
    }
}

/// What is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no YAML: the line, from 1, where the parser knows it.
    NotYaml(Option<u64>),
    /// It is YAML, and no mapping.
    NotAMapping,
    /// A key that belongs elsewhere: where it stands, and where it belongs.
    Misplaced { key: String, at: String, belongs: String },
    /// Both ways to share.
    TwoStrategies,
}

const FLAGS: [&str; 8] = [
    "migStrategy",
    "failOnInitError",
    "nvidiaDriverRoot",
    "nvidiaDevRoot",
    "gdrcopyEnabled",
    "gdsEnabled",
    "mofedEnabled",
    "deviceDiscoveryStrategy",
];
const PLUGIN_FLAGS: [&str; 7] = [
    "passDeviceSpecs",
    "deviceListStrategy",
    "deviceIDStrategy",
    "cdiAnnotationPrefix",
    "nvidiaCTKPath",
    "containerDriverRoot",
    "sharedDevicesAllocationPolicy",
];
const DISCOVERY_FLAGS: [&str; 5] = ["oneshot", "noTimestamp", "sleepInterval", "outputFile", "machineTypeFile"];
const SHARING_FLAGS: [&str; 2] = ["renameByDefault", "failRequestsGreaterThanOne"];

/// Where a known key belongs, if not in the mapping at `at`.
fn home(key: &str, at: &str) -> Option<&'static str> {
    let (home, also) = match key {
        key if FLAGS.contains(&key) => ("flags", ""),
        key if PLUGIN_FLAGS.contains(&key) => ("flags.plugin", ""),
        key if DISCOVERY_FLAGS.contains(&key) => ("flags.gfd", ""),
        key if SHARING_FLAGS.contains(&key) => ("sharing.timeSlicing", "sharing.mps"),
        "timeSlicing" | "mps" => ("sharing", ""),
        "flags" | "sharing" => ("", ""),
        _ => return None,
    };
    (at != home && (also.is_empty() || at != also)).then_some(home)
}

/// The faults of a file, in the order in which they stand.
pub(super) fn faults(text: &str) -> Vec<Fault> {
    let file: Json = match serde_saphyr::from_str(text) {
        Ok(file) => file,
        Err(error) => return vec![Fault::NotYaml(error.location().map(|at| at.line()))],
    };
    if !file.is_object() && !file.is_null() {
        return vec![Fault::NotAMapping];
    }
    let mut faults = Vec::new();
    misplaced(&file, "", &mut faults);
    let sharing = file.get("sharing");
    let has = |key: &str| sharing.and_then(|block| block.get(key)).is_some_and(|block| !block.is_null());
    if has("timeSlicing") && has("mps") {
        faults.push(Fault::TwoStrategies);
    }
    faults
}

fn misplaced(block: &Json, at: &str, faults: &mut Vec<Fault>) {
    let Some(entries) = block.as_object() else { return };
    for (key, value) in entries {
        match home(key, at) {
            Some(home) => faults.push(Fault::Misplaced {
                key: key.clone(),
                at: if at.is_empty() { "the top".to_owned() } else { at.to_owned() },
                belongs: if home.is_empty() { "the top".to_owned() } else { home.to_owned() },
            }),
            None => misplaced(value, &if at.is_empty() { key.clone() } else { format!("{at}.{key}") }, faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sharing(strategy: Strategy) -> Sharing {
        Sharing {
            strategy,
            rename_by_default: Some(true),
            fail_requests_greater_than_one: None,
            resources: vec![("nvidia.com/gpu".into(), 4), ("nvidia.com/mig-1g.5gb".into(), 2)],
        }
    }

    #[test]
    fn a_sharing_block_is_written_where_the_plugin_reads_it() {
        assert_eq!(
            sharing(Strategy::TimeSlicing).text(),
            "version: v1\nsharing:\n  timeSlicing:\n    renameByDefault: true\n    resources:\n    - name: nvidia.com/gpu\n      replicas: 4\n    - name: nvidia.com/mig-1g.5gb\n      replicas: 2"
        );
        assert_eq!(faults(&sharing(Strategy::Mps).text()), []);
    }

    #[test]
    fn only_a_text_of_our_own_is_read_as_a_sharing_block() {
        for strategy in [Strategy::TimeSlicing, Strategy::Mps] {
            assert_eq!(Sharing::read(&sharing(strategy).text()), Some(sharing(strategy)));
        }
        let own = sharing(Strategy::Mps).text();
        for other in [format!("{own}\n"), own.replace("v1", "v1 # mine"), "version: v1".into(), String::new()] {
            assert_eq!(Sharing::read(&other), None, "{other}");
        }
    }

    fn places(text: &str) -> Vec<String> {
        faults(text)
            .into_iter()
            .map(|fault| match fault {
                Fault::Misplaced { key, at, belongs } => format!("{key}: {at} > {belongs}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_known_key_at_the_wrong_level_is_found() {
        assert_eq!(
            places(
                "version: v1\nflags:\n  migStrategy: none\n  renameByDefault: true\nsharing:\n  timeSlicing:\n    resources: []"
            ),
            ["renameByDefault: flags > sharing.timeSlicing"]
        );
        assert_eq!(places("migStrategy: none"), ["migStrategy: the top > flags"]);
        assert_eq!(places("flags: {deviceListStrategy: envvar}"), ["deviceListStrategy: flags > flags.plugin"]);
        assert_eq!(places("timeSlicing: {}"), ["timeSlicing: the top > sharing"]);
        assert_eq!(
            places("sharing: {failRequestsGreaterThanOne: true}"),
            ["failRequestsGreaterThanOne: sharing > sharing.timeSlicing"]
        );
        assert_eq!(
            places("sharing: {mps: {renameByDefault: true, resources: []}, flags: {}}"),
            ["flags: sharing > the top"]
        );
    }

    #[test]
    fn a_good_file_and_an_unknown_key_are_left_alone() {
        for text in [
            "",
            "version: v1",
            "version: v1\nflags:\n  plugin: {passDeviceSpecs: true}\n  gfd: {sleepInterval: 30s}\nresources: {gpus: []}\nimex: {channelIDs: [0]}\nfuture: {migStrategy2: x}",
        ] {
            assert_eq!(places(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_no_mapping_and_two_strategies_are_refused() {
        assert_eq!(faults("version: v1\na: b: c"), [Fault::NotYaml(Some(2))]);
        assert_eq!(faults("- a"), [Fault::NotAMapping]);
        assert_eq!(faults("sharing: {mps: {resources: []}, timeSlicing: {resources: []}}"), [Fault::TwoStrategies]);
    }
}
