//! The kinds of object in use, and their paths in the API. A table in place of discovery: it needs no call, no rights,
//! and cannot be wrong for built-in kinds.

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// Such as `node.k8s.io/v1`.
    pub api_version: &'static str,
    /// Such as `RuntimeClass`.
    pub kind: &'static str,
    /// As in paths and RBAC rules: `runtimeclasses`.
    pub plural: &'static str,
    /// Whether its objects belong to a namespace.
    pub namespaced: bool,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $version:literal $kind:literal $plural:literal $namespaced:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self =
                Self { api_version: $version, kind: $kind, plural: $plural, namespaced: $namespaced };)*

            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    /// How containerd runs the containers of a pod.
    RUNTIME_CLASS = "node.k8s.io/v1" "RuntimeClass" "runtimeclasses" false;
    /// A namespace.
    NAMESPACE = "v1" "Namespace" "namespaces" false;
    /// A node.
    NODE = "v1" "Node" "nodes" false;
    /// A pod.
    POD = "v1" "Pod" "pods" true;
    /// An event, of the kind that `kubectl describe` shows.
    EVENT = "v1" "Event" "events" true;
    /// Settings of a program.
    CONFIG_MAP = "v1" "ConfigMap" "configmaps" true;
    /// Settings that few may read.
    SECRET = "v1" "Secret" "secrets" true;
    /// Who a pod is towards the API.
    SERVICE_ACCOUNT = "v1" "ServiceAccount" "serviceaccounts" true;
    /// An address for pods.
    SERVICE = "v1" "Service" "services" true;
    /// How much a namespace may use.
    RESOURCE_QUOTA = "v1" "ResourceQuota" "resourcequotas" true;
    /// The bounds of what each pod of a namespace may use.
    LIMIT_RANGE = "v1" "LimitRange" "limitranges" true;
    /// One pod on each node.
    DAEMON_SET = "apps/v1" "DaemonSet" "daemonsets" true;
    /// Pods that are all alike.
    DEPLOYMENT = "apps/v1" "Deployment" "deployments" true;
    /// A state of the pods of a DaemonSet.
    CONTROLLER_REVISION = "apps/v1" "ControllerRevision" "controllerrevisions" true;
    /// Pods that run to their end.
    JOB = "batch/v1" "Job" "jobs" true;
    /// Rights in the whole cluster.
    CLUSTER_ROLE = "rbac.authorization.k8s.io/v1" "ClusterRole" "clusterroles" false;
    /// Who has rights in the whole cluster.
    CLUSTER_ROLE_BINDING = "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "clusterrolebindings" false;
    /// Rights in a namespace.
    ROLE = "rbac.authorization.k8s.io/v1" "Role" "roles" true;
    /// Who has rights in a namespace.
    ROLE_BINDING = "rbac.authorization.k8s.io/v1" "RoleBinding" "rolebindings" true;
    /// A kind that somebody has added to the API.
    CUSTOM_RESOURCE_DEFINITION = "apiextensions.k8s.io/v1" "CustomResourceDefinition" "customresourcedefinitions" false;
    /// What a pod of one priority may push aside.
    PRIORITY_CLASS = "scheduling.k8s.io/v1" "PriorityClass" "priorityclasses" false;
    /// Rules of Node Feature Discovery, which GFD's chart brings.
    NODE_FEATURE_RULE = "nfd.k8s-sigs.io/v1alpha1" "NodeFeatureRule" "nodefeaturerules" false;
    /// Features of a node, as GFD reports them to Node Feature Discovery.
    NODE_FEATURE = "nfd.k8s-sigs.io/v1alpha1" "NodeFeature" "nodefeatures" true;
    /// The configuration of NVIDIA's GPU operator.
    CLUSTER_POLICY = "nvidia.com/v1" "ClusterPolicy" "clusterpolicies" false;
}

impl Kind {
    /// The kind of an object's `apiVersion` and `kind`; none when it is not in use here.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.api_version == api_version && known.kind == kind)
    }

    /// The group, as RBAC rules name it: empty for the core.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// As an operator names it to kubectl: `runtimeclasses.node.k8s.io`, `pods`.
    #[must_use]
    pub fn resource(&self) -> String {
        match self.group() {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// The path of its collection. Without a namespace that of the whole cluster.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group().is_empty() { "/api" } else { "/apis" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural),
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(Kind::RUNTIME_CLASS.path(None), "/apis/node.k8s.io/v1/runtimeclasses");
        assert_eq!(Kind::POD.path(Some("gpu")), "/api/v1/namespaces/gpu/pods");
        assert_eq!(Kind::POD.path(None), "/api/v1/pods");
        assert_eq!(Kind::NODE.path(Some("gpu")), "/api/v1/nodes", "a namespace is nothing to an object of the cluster");
        assert_eq!((Kind::POD.resource(), Kind::DAEMON_SET.resource()), ("pods".into(), "daemonsets.apps".into()));
    }

    #[test]
    fn a_kind_is_found_by_its_names() {
        assert_eq!(Kind::of("apps/v1", "DaemonSet"), Some(Kind::DAEMON_SET));
        assert_eq!(Kind::of("apps/v1beta1", "DaemonSet"), None);
    }
}
