//! The Kubernetes cluster of one provider: reached when a resource needs it, over connections that all of them share.
//!
//! What a refresh has learnt is kept for the plan that follows it, and dropped by every ConfigureProvider.

mod claims;
mod names;
mod talos_nodes;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kubernetes::{Cluster, Limits, ObjectRef, SettingsError, settings::SettingsProblem};
use plugin::Context;
use tokio::sync::OnceCell;

use self::claims::Claims;
pub(crate) use self::{names::Names, talos_nodes::TalosNode};
use crate::configuration::KubernetesSettings;

/// The field manager of what this provider alone writes.
pub(crate) const MANAGER: &str = "terraform-provider-nvidia";

/// How long a plan looks at a cluster: it must not hang on one that is not there.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// How long a refresh tries a server that nobody reaches.
const REFRESH: Duration = Duration::from_secs(5);

/// The cluster of one provider.
#[derive(Default)]
pub(crate) struct Clusters {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    settings: KubernetesSettings,
    cluster: Option<Cluster>,
    /// What a refresh has found to be ours.
    ours: BTreeSet<ObjectRef>,
    claims: Claims,
    /// The nodes as one look of this walk saw them; shared by all that ask.
    nodes: Arc<OnceCell<Vec<TalosNode>>>,
}

/// Why a cluster cannot be asked.
#[derive(Debug)]
pub(crate) enum NoCluster {
    /// The provider block has no `kubernetes`.
    Absent,
    /// This attribute of it is known only after apply.
    Unknown(String),
    /// It cannot be used.
    Bad(SettingsError),
}

impl NoCluster {
    /// Whether it may still become usable in the same apply: what is unknown becomes known, and a file is written.
    pub(crate) fn may_still_come(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Unknown(_) => true,
            Self::Bad(error) => matches!(error.problem(), SettingsProblem::Unreadable(_)),
        }
    }
}

impl Clusters {
    /// Takes a provider block: everything known from an earlier one is dropped.
    pub(crate) fn configure(&self, settings: KubernetesSettings) {
        *self.lock() = State { settings, ..State::default() };
    }

    /// The cluster that all share. Nothing connects here.
    pub(crate) fn cluster(&self) -> Result<Cluster, NoCluster> {
        let mut state = self.lock();
        if let Some(cluster) = &state.cluster {
            return Ok(cluster.clone());
        }
        let cluster = match &state.settings {
            KubernetesSettings::Absent => return Err(NoCluster::Absent),
            KubernetesSettings::Unknown(attribute) => return Err(NoCluster::Unknown(attribute.clone())),
            KubernetesSettings::Known(settings) => Cluster::resolve(settings).map_err(NoCluster::Bad)?,
        };
        state.cluster = Some(cluster.clone());
        Ok(cluster)
    }

    /// Notes that an object is one of ours, so that the plan of its replacement does not take it for somebody else's.
    pub(crate) fn note_ours(&self, at: &ObjectRef) {
        self.lock().ours.insert(at.clone());
    }

    /// Whether a refresh of this walk has found the object to be ours.
    pub(crate) fn is_ours(&self, at: &ObjectRef) -> bool {
        self.lock().ours.contains(at)
    }

    /// Notes that an object is imported. `false`: this walk imports it to another address too.
    pub(crate) fn claim_import(&self, at: &ObjectRef) -> bool {
        self.lock().claims.import(at)
    }

    /// Notes that a stored object is planned against itself. `false`: another address has it too.
    pub(crate) fn claim_plan(&self, at: &ObjectRef) -> bool {
        self.lock().claims.plan(at)
    }

    /// The nodes that run Talos, asked for once a walk. Empty where they cannot be listed: this is for warnings alone.
    pub(crate) async fn talos_nodes(&self, cluster: &Cluster, context: &Context) -> Vec<TalosNode> {
        let cell = Arc::clone(&self.lock().nodes);
        cell.get_or_init(|| talos_nodes::look(cluster, Limits::brief(LOOK, &context.stop))).await.clone()
    }

    /// The nodes that run Talos, where a refresh has asked for them. No call.
    pub(crate) fn known_talos_nodes(&self) -> Vec<TalosNode> {
        self.lock().nodes.get().cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What it holds is whole between any two statements, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Limits of a refresh: what heals within seconds is waited for.
pub(crate) fn refresh_limits(span: Duration, context: &Context) -> Limits {
    Limits { unreachable_for: REFRESH.min(span), ..Limits::brief(span, &context.stop) }
}
