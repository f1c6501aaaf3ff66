//! Read: the owned parts of the node as they are. It never drops the object, and a node that cannot be read is an
//! error (or, if so configured and the node cannot be reached, a warning) with the state kept.

use plugin::{Applied, Diagnostics, Private, ReadRequest};
use talos::{
    machine_config::{View, adopt, edit, view},
    version::Support,
};

use super::{
    Target, check,
    check::NoFacts,
    claim, destroy,
    memory::{Memory, PendingReboot, Waiting, new_instance},
    model::{CRI_PLUGIN, ExtensionCheck, Wanted, backend},
    observe::{self, Observed, standing},
    prospect::ConfigFact,
    timeouts,
};
use crate::{
    configuration::OnUnreachable,
    kernel_modules::States,
    nodes::{NoNode, Nodes, Running, Snapshot, boot_id},
    texts::Say,
};

pub(super) async fn read(nodes: &Nodes, request: ReadRequest, diagnostics: &mut Diagnostics) -> Applied {
    let ReadRequest { state, private } = request;
    let Some(target) = Target::from(&state) else { return Applied { state, private } };
    let mut say = Say { node: &target.node, diagnostics };
    let memory = match Memory::of(&private) {
        Ok(memory) => memory,
        Err(newer) => {
            say.newer_memory(newer.0);
            return Applied { state, private };
        }
    };
    let snapshot = match nodes.snapshot(&target.node, target.endpoint.as_deref()) {
        Ok(snapshot) => snapshot,
        Err(NoNode::Unknown(attribute)) => {
            say.not_refreshed_unknown(&attribute);
            return Applied { state, private };
        }
        Err(why) => {
            why.say(&mut say);
            return Applied { state, private };
        }
    };

    let limit = timeouts(&state).read;
    let waiting = memory.as_ref().and_then(|memory| memory.pending.as_ref());
    let wants_extensions = ExtensionCheck::from(&state) != ExtensionCheck::Off;
    let found = match tokio::time::timeout(limit, look(&snapshot, waiting, wants_extensions)).await {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => {
            match why.call().filter(|error| error.is_unreachable()) {
                Some(error) if nodes.on_unreachable() == OnUnreachable::Warn => say.kept_unreachable(error),
                // The configuration may name another one already, and no read is told of it.
                Some(error) if target.endpoint.is_some() => say.unreachable_at_last_endpoint(error),
                _ => why.say("Reading", &mut say),
            }
            return Applied { state, private };
        }
        Err(_) => {
            say.too_slow(nodes.on_unreachable() == OnUnreachable::Warn, "Reading", limit);
            return Applied { state, private };
        }
    };
    let (memory, view) = match recall(memory, &state, &found, &mut say) {
        Ok(known) => known,
        Err(error) => {
            say.cannot_edit(check::attribute_of(&error), &error);
            return Applied { state, private };
        }
    };
    if found.version.support() == Support::Newer {
        say.newer_than_known(&found.running.tag);
    }
    let observed = Observed { version: found.version, tag: &found.running.tag, view: &view, loaded: found.loaded };
    let (state, private) = (observe::state(&state, &memory, &observed), memory.to_private());
    if let Some(has) = claim::held(&state, &memory) {
        // One that is kept on destroy needs no memory for it.
        let carried = if destroy::keeps(&state) { Private::empty() } else { private.clone() };
        nodes.planned(|claims| claims.seen(&memory.instance, has, carried));
    }
    Applied { state, private }
}

/// What one read asks of a node: at most four calls, in two round trips.
struct Found<'a> {
    running: &'a Running,
    version: &'a talos::TalosVersion,
    active: &'a ConfigFact,
    loaded: &'a States,
    persisted: Option<Vec<u8>>,
    boot_id: Option<String>,
}

async fn look<'a>(
    snapshot: &'a Snapshot,
    waiting: Option<&PendingReboot>,
    wants_extensions: bool,
) -> Result<Found<'a>, NoFacts> {
    let (running, active) = tokio::try_join!(snapshot.running(), snapshot.active())?;
    let version = running.version.as_ref().ok_or_else(|| NoFacts::NotAVersion(running.tag.clone()))?;
    if version.support() == Support::TooOld {
        return Err(NoFacts::TooOld(running.tag.clone()));
    }
    let active = active.ok_or(NoFacts::NoConfiguration)?;
    let mut found = Found { running, version, active, loaded: &NO_STATES, persisted: None, boot_id: None };
    match waiting.map(|pending| pending.kind) {
        Some(Waiting::Staged) => {
            let (loaded, persisted) = tokio::try_join!(snapshot.loaded(version), snapshot.persisted(version))?;
            found.loaded = loaded;
            found.persisted = persisted.bytes().map(<[u8]>::to_vec);
        }
        Some(Waiting::NextBoot) => {
            let (loaded, boot) = tokio::try_join!(snapshot.loaded(version), boot_id(snapshot.node(), version))?;
            found.loaded = loaded;
            found.boot_id = boot;
        }
        None if wants_extensions => {
            let (loaded, _) = tokio::try_join!(snapshot.loaded(version), snapshot.extensions())?;
            found.loaded = loaded;
        }
        None => found.loaded = snapshot.loaded(version).await?,
    }
    Ok(found)
}

static NO_STATES: States = States::new();

/// What is remembered, brought up to date, and the configuration that counts: the staged one while ours waits.
fn recall(
    memory: Option<Memory>,
    state: &plugin::Value,
    found: &Found<'_>,
    say: &mut Say<'_>,
) -> Result<(Memory, View), talos::machine_config::EditError> {
    let active = view(found.active.bytes.expose(), CRI_PLUGIN)?;
    let Some(mut memory) = memory else {
        say.lost_memory();
        return Ok((adopted(state, found)?, active));
    };
    if memory.unverified && memory.pending.is_none() {
        verified(&mut memory, found);
    }
    let stands = |view: &View| standing(&memory.applied, view).same(&memory.applied);
    match memory.pending.as_ref().map(|pending| pending.kind) {
        None => {}
        Some(Waiting::NextBoot) => {
            let made_in = memory.pending.as_ref().and_then(|pending| pending.boot_id.as_ref());
            if let (Some(now), Some(then)) = (&found.boot_id, made_in)
                && now != then
            {
                memory.pending = None;
            }
        }
        Some(Waiting::Staged) => {
            // It waits while the next boot takes another configuration than the active one, and that one is as wanted.
            let next = found.persisted.as_deref().filter(|bytes| *bytes != found.active.bytes.expose());
            match next.map(|bytes| view(bytes, CRI_PLUGIN)).transpose()? {
                Some(staged) if stands(&staged) => return Ok((memory, staged)),
                _ => {
                    memory.pending = None;
                    memory.staged_over = None;
                }
            }
        }
    }
    Ok((memory, active))
}

/// A change that ended unverified has left nothing behind when there is nothing to edit on the node.
fn verified(memory: &mut Memory, found: &Found<'_>) {
    let bytes = found.active.bytes.expose();
    let backend = backend(found.version);
    if let Ok(edited) = edit(bytes, &memory.applied.desired(), &memory.record, backend)
        && edited.bytes == bytes
    {
        memory.record = edited.record;
        memory.unverified = false;
    }
}

/// A memory for an object that has none: what it lists is taken to be ours, as after an import.
fn adopted(state: &plugin::Value, found: &Found<'_>) -> Result<Memory, talos::machine_config::EditError> {
    let applied = Wanted::from(state).unwrap_or_default();
    let record = adopt(found.active.bytes.expose(), &applied.desired())?;
    Ok(Memory::new(new_instance(), None, record, applied))
}
