//! The chart versions that are known, and what changed from one to the next.
//!
//! The 25 published versions from 0.13.0 to 0.20.0 have 13 shapes. A shape is not a template of its own: what differs
//! is asked of the version by a name that says what it is ([`Chart::has`]), and the table says from when to when.

use std::fmt;

/// A chart version, compared by its three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u16, u16, u16);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A known version of the chart `nvidia-device-plugin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chart {
    version: Version,
    /// Version of the chart `gpu-feature-discovery` inside it; none from 0.15.0 on, where the chart renders it itself.
    discovery: Option<Version>,
}

/// Something that some versions have and others have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    /// MPS control daemon, CDI directory, commands, `NVIDIA_VISIBLE_DEVICES`, and a default affinity.
    ControlDaemon,
    /// `namespaceOverride` lets a release in the namespace `default` pass.
    OverrideEscapesDefault,
    /// GPU feature discovery is a chart of its own, with its own values.
    DiscoveryChart,
    /// `GFD_USE_NODE_FEATURE_API`: whether labels go through NFD's API can be chosen.
    NodeFeatureChoice,
    /// The service account and its role exist whether a pod uses them or not.
    AccountAlways,
    /// Cluster roles carry a namespace, which has no meaning on them.
    NamespacedClusterRoles,
    /// Without a MIG strategy and without a configuration file, MIG counts as off.
    MigOffUnlessNamed,
    /// The device list strategy `volume-mounts` brings `SYS_ADMIN`.
    VolumeMountsNeedAdmin,
    /// An empty value of an environment variable is left out.
    EmptyEnvLeftOut,
    /// An environment variable `DEVICE_PLUGIN_MODE` without a value.
    PluginMode,
    /// CDI hook path, `/dev` root and the strategy to discover devices are passed on.
    HookPath,
    /// GPU feature discovery sees the driver's root and has a directory for its configuration.
    DiscoveryDriverRoot,
    /// An init container copies the IMEX nodes file for GPU feature discovery.
    ImexInit,
    /// Host paths say what must be there; the volume of the kubelet's sockets has its long name.
    TypedHostPaths,
    /// The MPS control daemon can run in the host's process namespace; `GDRCOPY_ENABLED`.
    HostPid,
    /// `CDI_FEATURE_FLAGS`.
    CdiFeatureFlags,
    /// GPU feature discovery always labels through NFD's API, and may read its own pod.
    NodeFeatureAlways,
    /// Every pod runs under the service account.
    AccountInEveryPod,
    /// Pods can use the host's network.
    HostNetwork,
}

const fn v(major: u16, minor: u16, patch: u16) -> Version {
    Version(major, minor, patch)
}

const fn chart(minor: u16, patch: u16, discovery: Option<Version>) -> Chart {
    Chart { version: v(0, minor, patch), discovery }
}

/// Every version that is known, oldest first.
pub const CHARTS: [Chart; 25] = [
    chart(13, 0, Some(v(0, 7, 0))),
    chart(14, 0, Some(v(0, 8, 0))),
    chart(14, 1, Some(v(0, 8, 1))),
    chart(14, 2, Some(v(0, 8, 2))),
    chart(14, 3, Some(v(0, 8, 2))),
    chart(14, 4, Some(v(0, 8, 2))),
    chart(14, 5, Some(v(0, 8, 2))),
    chart(15, 0, None),
    chart(15, 1, None),
    chart(16, 0, None),
    chart(16, 1, None),
    chart(16, 2, None),
    chart(17, 0, None),
    chart(17, 1, None),
    chart(17, 2, None),
    chart(17, 3, None),
    chart(17, 4, None),
    chart(18, 0, None),
    chart(18, 1, None),
    chart(18, 2, None),
    chart(19, 0, None),
    chart(19, 1, None),
    chart(19, 2, None),
    chart(19, 3, None),
    chart(20, 0, None),
];

const OLDEST: Version = CHARTS[0].version;
const NEWEST: Version = CHARTS[CHARTS.len() - 1].version;

/// First and last version with each trait. `AccountAlways` has a gap and is decided in [`Chart::has`].
const SPANS: [(Trait, Version, Version); 18] = [
    (Trait::ControlDaemon, v(0, 15, 0), NEWEST),
    (Trait::OverrideEscapesDefault, OLDEST, v(0, 14, 5)),
    (Trait::DiscoveryChart, OLDEST, v(0, 14, 5)),
    (Trait::NodeFeatureChoice, v(0, 15, 0), v(0, 18, 2)),
    (Trait::NamespacedClusterRoles, v(0, 15, 0), v(0, 16, 2)),
    (Trait::MigOffUnlessNamed, v(0, 16, 0), NEWEST),
    (Trait::VolumeMountsNeedAdmin, v(0, 16, 2), NEWEST),
    (Trait::EmptyEnvLeftOut, v(0, 16, 0), NEWEST),
    (Trait::PluginMode, v(0, 16, 0), v(0, 16, 1)),
    (Trait::HookPath, v(0, 16, 0), NEWEST),
    (Trait::DiscoveryDriverRoot, v(0, 17, 0), NEWEST),
    (Trait::ImexInit, v(0, 17, 0), v(0, 17, 0)),
    (Trait::TypedHostPaths, v(0, 17, 4), NEWEST),
    (Trait::HostPid, v(0, 18, 0), NEWEST),
    (Trait::CdiFeatureFlags, v(0, 18, 1), NEWEST),
    (Trait::NodeFeatureAlways, v(0, 19, 0), NEWEST),
    (Trait::AccountInEveryPod, v(0, 19, 2), NEWEST),
    (Trait::HostNetwork, v(0, 20, 0), NEWEST),
];

impl Chart {
    /// The chart of a version as the attribute `version` names it, such as `0.17.4`; `None` when it is not known.
    pub fn find(version: &str) -> Option<Self> {
        CHARTS.into_iter().find(|chart| chart.version.to_string() == version)
    }

    /// The newest that is known.
    pub const fn newest() -> Self {
        CHARTS[CHARTS.len() - 1]
    }

    /// The version.
    pub const fn version(self) -> Version {
        self.version
    }

    /// Version of the chart `gpu-feature-discovery` inside it.
    pub(super) const fn discovery(self) -> Option<Version> {
        self.discovery
    }

    pub(super) fn has(self, wanted: Trait) -> bool {
        match wanted {
            Trait::AccountAlways => self.version == v(0, 15, 0) || self.version >= v(0, 19, 2),
            _ => span(wanted).is_some_and(|(from, to)| from <= self.version && self.version <= to),
        }
    }
}

fn span(wanted: Trait) -> Option<(Version, Version)> {
    SPANS.iter().find(|(name, ..)| *name == wanted).map(|(_, from, to)| (*from, *to))
}

/// `0.16.0 and newer`, `up to 0.14.5`, `0.16.0 to 0.16.1`: the versions with a trait, for a message.
pub(super) fn versions_with(wanted: Trait) -> String {
    match span(wanted) {
        Some((from, to)) if to == NEWEST => format!("{from} and newer"),
        Some((from, to)) if from == OLDEST => format!("up to {to}"),
        Some((from, to)) => format!("{from} to {to}"),
        None => "0.15.0, and 0.19.2 and newer".to_owned(),
    }
}

/// `0.13.0 to 0.20.0`: the known versions, for a message.
pub(crate) fn known_range() -> String {
    format!("{OLDEST} to {NEWEST}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_only_as_it_was_published() {
        assert_eq!(Chart::find("0.17.4").map(|chart| chart.version().to_string()).as_deref(), Some("0.17.4"));
        for given in ["0.17.5", "0.12.3", "v0.17.4", "0.17", "0.21.0", "0.13.00", ""] {
            assert_eq!(Chart::find(given), None, "{given}");
        }
    }

    #[test]
    fn the_25_versions_have_13_shapes() {
        let all = [
            Trait::ControlDaemon,
            Trait::NodeFeatureChoice,
            Trait::AccountAlways,
            Trait::NamespacedClusterRoles,
            Trait::MigOffUnlessNamed,
            Trait::VolumeMountsNeedAdmin,
            Trait::PluginMode,
            Trait::DiscoveryDriverRoot,
            Trait::ImexInit,
            Trait::TypedHostPaths,
            Trait::HostPid,
            Trait::CdiFeatureFlags,
            Trait::NodeFeatureAlways,
            Trait::AccountInEveryPod,
            Trait::HostNetwork,
        ];
        let mut shapes: Vec<Vec<bool>> =
            CHARTS.iter().map(|chart| all.iter().map(|wanted| chart.has(*wanted)).collect()).collect();
        shapes.dedup();
        assert_eq!(shapes.len(), 13);
    }

    #[test]
    fn a_trait_is_named_by_the_versions_that_have_it() {
        assert_eq!(versions_with(Trait::HookPath), "0.16.0 and newer");
        assert_eq!(versions_with(Trait::DiscoveryChart), "up to 0.14.5");
        assert_eq!(versions_with(Trait::PluginMode), "0.16.0 to 0.16.1");
        assert_eq!(known_range(), "0.13.0 to 0.20.0");
    }
}
