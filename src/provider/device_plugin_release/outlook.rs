//! What is said about a plan: what the cluster shows where it answers. Warnings only; no planned value comes from here,
//! and what the cluster shows at the moment is no error before the apply.

use kubernetes::{Cluster, Error, Kind, Limits, Object, ObjectRef, Selection};
use plugin::{Context, Diagnostics, Value};
use serde_json::Value as Json;

use super::{
    namespace, objects,
    obstacles::Obstacle,
    placement,
    plan::{Decision, Effect},
    records::Records,
    values::Release,
    wanted::{Manner, Wanted, release},
};
use crate::{
    clusters::{Clusters, LOOK, NoCluster, TalosNode},
    texts::device_plugin_release::engine::{self as texts, Say},
};

/// The version of Talos from which on the guide uses the GPU operator.
const WITH_OPERATOR: (u64, u64) = (1, 13);

/// A stored release: whether this walk has planned it already, for another address.
pub(super) fn one_address(clusters: &Clusters, release: &Release, diagnostics: &mut Diagnostics) {
    let mut say = Say::new(release, diagnostics);
    if !clusters.claim_plan(say.place()) {
        say.managed_twice();
    }
}

pub(super) async fn look(clusters: &Clusters, context: &Context, decision: &Decision, diagnostics: &mut Diagnostics) {
    let unnamed = || Release { name: "(known after apply)".into(), namespace: "(known after apply)".into() };
    let named = release(&decision.planned);
    let is_named = named.is_some();
    let release = named.unwrap_or_else(unnamed);
    if decision.effect == Effect::None {
        return texts::talos_1_13(&release, &newer(&clusters.known_talos_nodes()), diagnostics);
    }
    for (key, field) in &decision.replaced {
        texts::is_replaced(key, field, diagnostics);
    }
    let mut say = Say::new(&release, diagnostics);
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(NoCluster::Unknown(_)) => return,
        Err(NoCluster::Bad(error)) if NoCluster::Bad(error.clone()).may_still_come() => {
            return say.settings_come_at_apply(&error);
        }
        Err(why) => return say.no_cluster(&why),
    };
    if !is_named {
        return;
    }
    let look = Look { cluster: &cluster, clusters, limits: Limits::brief(LOOK, &context.stop), release: &release };
    let (around, nodes) = tokio::join!(look.around(decision, &mut say), clusters.talos_nodes(&cluster, context));
    if let Err(error) = around {
        return say.checks_come_at_apply(&error);
    }
    texts::talos_1_13(&release, &newer(&nodes), diagnostics);
    if needs_class(&decision.planned, &nodes) {
        texts::no_runtime_class(diagnostics);
    }
}

struct Look<'a> {
    cluster: &'a Cluster,
    clusters: &'a Clusters,
    limits: Limits,
    release: &'a Release,
}

/// Why a create would find its name taken.
enum Taken {
    Release { number: u32, status: &'static str, chart: String },
    Object { at: ObjectRef, managers: Vec<String> },
}

impl Look<'_> {
    /// Everything is asked for at the same time; what is said keeps its order.
    async fn around(&self, decision: &Decision, say: &mut Say<'_>) -> Result<(), Error> {
        let manner = Manner::of(&decision.planned);
        let place = namespace::place(self.release);
        let live = self.cluster.get(&place, &self.limits);
        let Some(wanted) = &decision.wanted else { return namespace(live.await, manner, say) };
        let (all_nodes, all_sets) = (Selection::all(Kind::NODE, None), Selection::all(Kind::DAEMON_SET, None));
        let (live, taken, nodes, sets) = tokio::join!(
            live,
            self.taken(wanted, manner, decision.effect),
            self.cluster.list(&all_nodes, &self.limits),
            self.cluster.list(&all_sets, &self.limits),
        );
        namespace(live, manner, say)?;
        match taken? {
            Some(Taken::Release { number, status, chart }) => say.release_exists(false, number, status, &chart),
            Some(Taken::Object { at, managers }) => {
                say.foreign(false, &at, &managers.iter().map(String::as_str).collect::<Vec<_>>());
            }
            None => {}
        }
        // Nothing is said where nodes or DaemonSets cannot be listed.
        if let Ok(nodes) = nodes {
            placement(wanted, nodes.items, say);
        }
        if let Ok(sets) = sets {
            self.others(wanted, &sets.items, say);
        }
        Ok(())
    }

    /// Whether a create would find its name taken.
    async fn taken(&self, wanted: &Wanted, manner: Manner, effect: Effect) -> Result<Option<Taken>, Error> {
        let set = wanted.owned().into_iter().find(|object| object["kind"] == "DaemonSet");
        let Some(at) = set.as_ref().and_then(objects::place).filter(|_| effect == Effect::Create) else {
            return Ok(None);
        };
        if self.clusters.is_ours(&at) {
            return Ok(None);
        }
        if manner.writes_record
            && let Ok(records) = Records::read(self.cluster, self.release, &self.limits).await
            && !records.is_begun_create()
            && let Some(latest) = records.history.latest()
        {
            let chart = format!("{}-{}", latest.chart_name(), latest.chart_version());
            return Ok(Some(Taken::Release { number: latest.number(), status: latest.status().word(), chart }));
        }
        let live = self.cluster.get(&at, &self.limits).await?;
        Ok(live.filter(|live| !objects::belongs(live, self.release)).map(|live| {
            let managers = live.managers().into_iter().map(ToOwned::to_owned).collect();
            Taken::Object { at, managers }
        }))
    }

    /// Another plugin in the cluster.
    fn others(&self, wanted: &Wanted, sets: &[Object], say: &mut Say<'_>) {
        let ours: Vec<_> = wanted.owned().iter().filter_map(objects::place).collect();
        for other in sets.iter().filter(|set| is_plugin(set)) {
            let Ok(at) = other.reference() else { continue };
            if !ours.contains(&at) && !objects::belongs(other, self.release) {
                say.another_plugin(&at, is_of_operator(other));
            }
        }
    }
}

fn namespace(live: Result<Option<Object>, Error>, manner: Manner, say: &mut Say<'_>) -> Result<(), Error> {
    match live {
        Ok(Some(live)) => {
            let level = live.at("/metadata/labels/pod-security.kubernetes.io~1enforce").and_then(Json::as_str);
            if let Some(level) = level.filter(|level| *level != "privileged") {
                say.pod_security(level);
            }
        }
        Ok(None) if !manner.creates_namespace => say.no_namespace(false),
        Ok(None) => {}
        Err(error) if matches!(error.kind(), kubernetes::ErrorKind::Forbidden { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether there is a node for the plugin.
fn placement(wanted: &Wanted, nodes: Vec<Object>, say: &mut Say<'_>) {
    let nodes: Vec<Json> = nodes.into_iter().map(Object::into_json).collect();
    let set = wanted.owned().into_iter().find(|object| object["kind"] == "DaemonSet");
    let Some(spec) = set.as_ref().and_then(|set| set.pointer("/spec/template/spec")) else { return };
    if !nodes.is_empty() && nodes.iter().all(|node| placement::misfit(spec, node).is_some()) {
        let labels = placement::wanted_labels(spec);
        let name = set.as_ref().and_then(|set| set.pointer("/metadata/name")?.as_str()).unwrap_or_default();
        say.no_node(name, &Obstacle::NoNode { nodes: nodes.len(), labels });
    }
}

fn is_plugin(set: &Object) -> bool {
    let containers = set.at("/spec/template/spec/containers").and_then(Json::as_array);
    containers.into_iter().flatten().any(|container| {
        let text = |field: &str| container.get(field).and_then(Json::as_str).unwrap_or_default();
        text("name").starts_with("nvidia-device-plugin") && text("image").contains("k8s-device-plugin")
    })
}

fn is_of_operator(set: &Object) -> bool {
    let owners = set.at("/metadata/ownerReferences").and_then(Json::as_array);
    owners.into_iter().flatten().any(|owner| owner["kind"] == "ClusterPolicy")
}

/// The nodes where the guide uses the operator. Where some nodes are known to have GPUs, the others do not count.
fn newer(nodes: &[TalosNode]) -> Vec<TalosNode> {
    let some_have = nodes.iter().any(|node| node.has_gpu);
    let counts = |node: &&TalosNode| node.version.minor() >= WITH_OPERATOR && (node.has_gpu || !some_have);
    nodes.iter().filter(counts).cloned().collect()
}

/// Whether the pods get no GPU for want of a runtime class, unless nvidia is containerd's default runtime.
fn needs_class(planned: &Value, nodes: &[TalosNode]) -> bool {
    planned.get("runtime_class_name").is_null()
        && !nodes.is_empty()
        && nodes.iter().all(|node| node.version.minor() < WITH_OPERATOR)
}
