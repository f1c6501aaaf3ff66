//! What is said about a plan: what the cluster shows where it answers. Diagnostics only; no planned value comes from here,
//! and what the cluster shows at the moment is no error before the apply.

use kubernetes::{Limits, ObjectRef};
use plugin::{Context, Diagnostics};

use super::{plan::Decision, target};
use crate::{
    clusters::{Clusters, LOOK, NoCluster, TalosNode},
    texts::{cluster::SayOf, runtime_class as texts},
};

/// The version of Talos from which on the toolkit works through CDI.
const THROUGH_CDI: (u64, u64) = (1, 13);

pub(super) fn say<'a>(object: &'a ObjectRef, diagnostics: &'a mut Diagnostics) -> SayOf<'a> {
    SayOf { object, at: "name", diagnostics }
}

/// A stored object: whether this walk has planned it already, for another address.
pub(super) fn one_address(clusters: &Clusters, at: &ObjectRef, diagnostics: &mut Diagnostics) {
    if !clusters.claim_plan(at) {
        say(at, diagnostics).managed_twice();
    }
}

/// A resource that does not change: warns of what the refresh has seen, without a call.
pub(super) fn unchanged(clusters: &Clusters, decision: &Decision, diagnostics: &mut Diagnostics) {
    let Some(at) = target(&decision.planned) else { return };
    warn_of_cdi(&at, &clusters.known_talos_nodes(), diagnostics);
}

/// A change: the object is ours, so only the nodes are looked at.
pub(super) async fn change(clusters: &Clusters, context: &Context, decision: &Decision, diagnostics: &mut Diagnostics) {
    let Some(at) = target(&decision.planned) else { return };
    if let Ok(cluster) = clusters.cluster() {
        warn_of_cdi(&at, &clusters.talos_nodes(&cluster, context).await, diagnostics);
    }
}

/// A create, where the cluster can be asked: whether there is one of its name already.
pub(super) async fn create(clusters: &Clusters, context: &Context, decision: &Decision, diagnostics: &mut Diagnostics) {
    let at = target(&decision.planned);
    // What the configuration alone decides is said even while the name is unknown.
    let unnamed = ObjectRef::of_cluster(kubernetes::Kind::RUNTIME_CLASS, "(known after apply)");
    let mut say = say(at.as_ref().unwrap_or(&unnamed), diagnostics);
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(NoCluster::Unknown(_)) => return,
        Err(NoCluster::Bad(error)) if NoCluster::Bad(error.clone()).may_still_come() => {
            return say.settings_come_at_apply(&error);
        }
        Err(why) => return say.no_cluster(&why),
    };
    let Some(at) = &at else { return };
    match cluster.get(at, &Limits::brief(LOOK, &context.stop)).await {
        // The object of the resource that this create replaces.
        Ok(Some(_)) if clusters.is_ours(at) => {}
        Ok(Some(live)) => say.exists_already(false, "nvidia_runtime_class", &at.name, &live.managers()),
        Ok(None) => {}
        Err(error) => return say.checks_come_at_apply(&error),
    }
    warn_of_cdi(at, &clusters.talos_nodes(&cluster, context).await, diagnostics);
}

fn warn_of_cdi(at: &ObjectRef, nodes: &[TalosNode], diagnostics: &mut Diagnostics) {
    let through_cdi = through_cdi(nodes);
    if !through_cdi.is_empty() {
        texts::works_through_cdi(at, &through_cdi, diagnostics);
    }
}

/// The nodes that need no runtime class. Where some nodes are known to have GPUs, the others do not count.
fn through_cdi(nodes: &[TalosNode]) -> Vec<TalosNode> {
    let some_have = nodes.iter().any(|node| node.has_gpu);
    let counts = |node: &&TalosNode| node.version.minor() >= THROUGH_CDI && (node.has_gpu || !some_have);
    nodes.iter().filter(counts).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, version: &str, has_gpu: bool) -> TalosNode {
        TalosNode { name: name.into(), version: version.parse().unwrap(), has_gpu }
    }

    fn names(nodes: &[TalosNode]) -> Vec<String> {
        through_cdi(nodes).into_iter().map(|node| node.name).collect()
    }

    #[test]
    fn nodes_from_1_13_on_are_named_and_those_without_gpus_only_where_none_has_one() {
        let old = node("old", "v1.12.4", true);
        let new = node("new", "v1.13.0", false);
        assert_eq!(names(std::slice::from_ref(&old)), Vec::<String>::new());
        assert_eq!(names(&[old.clone(), new.clone()]), Vec::<String>::new(), "the GPUs are on 1.12");
        assert_eq!(names(std::slice::from_ref(&new)), ["new"]);
        assert_eq!(names(&[old, new, node("gpu", "v1.14.1", true)]), ["gpu"]);
    }
}
