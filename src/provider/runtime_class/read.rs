//! Read: our fields as they are on the cluster. The object is dropped only when the server says that there is none of its
//! name, or another one; every failure is an error with the state kept.

use kubernetes::{Error, ErrorKind, Object};
use plugin::{Applied, Context, Diagnostics, ReadRequest, Value};

use super::{check::say, model, model::Memory, observe, target, timeouts};
use crate::{
    clusters::{Clusters, NoCluster, refresh_limits},
    texts::cluster::SayOf,
};

pub(super) async fn read(
    clusters: &Clusters,
    context: &Context,
    request: ReadRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let ReadRequest { state, private } = request;
    let Some(at) = target(&state) else { return Some(Applied { state, private }) };
    let mut say = say(&at, diagnostics);
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(NoCluster::Unknown(attribute)) => {
            say.not_refreshed_unknown(&attribute);
            return Some(Applied { state, private });
        }
        Err(why) => {
            say.no_cluster(&why);
            return Some(Applied { state, private });
        }
    };
    let limit = timeouts(&state).read;
    let limits = refresh_limits(limit, context);
    // The nodes are for a warning in the plan, which makes no call of its own when nothing changes.
    let (found, _) = tokio::join!(cluster.get(&at, &limits), clusters.talos_nodes(&cluster, context));
    let live = match found {
        Ok(Some(live)) => live,
        Ok(None) => return None,
        Err(error) => {
            failed(&mut say, "Reading", limit, &error);
            return Some(Applied { state, private });
        }
    };
    let ours = state.get("uid").string().known().unwrap_or_default();
    if !ours.is_empty() && ours != live.uid() {
        say.another_stands_there(ours, live.uid());
        return None;
    }
    if live.is_going() {
        say.is_going();
    }
    clusters.note_ours(&at);
    let memory = Memory::of(&private);
    let Some(applied) = memory.as_ref().and_then(Memory::object).or_else(|| model::object(&state)) else {
        return Some(Applied { state, private });
    };
    Some(stored(&state, &applied, &live))
}

/// The object to store: what is ours, as it stands.
pub(super) fn stored(state: &Value, applied: &Object, live: &Object) -> Applied {
    Applied { state: observe::state(state, applied, live), private: Memory::new(applied).to_private() }
}

/// Says why a call failed.
pub(super) fn failed(say: &mut SayOf<'_>, what: &str, limit: std::time::Duration, error: &Error) {
    match error.kind() {
        ErrorKind::Interrupted => say.interrupted(error),
        ErrorKind::DeadlineExceeded => say.too_slow(what, limit, error),
        // An apply carries the uid, so that it makes no object anew.
        ErrorKind::Changed(_) | ErrorKind::NotFound => say.changed_since_plan(error),
        _ => say.failed(error),
    }
}
