//! Destroy: exactly what this resource put in is taken out, what was there before is restored, and nothing is rebooted.

use plugin::{Applied, Context, DeleteRequest, Diagnostics, Field, Value};
use talos::machine_config::Record;
use tokio::time::Instant;

use super::{
    Target, check,
    check::Moment,
    claim,
    memory::{self, Memory},
    named,
    prospect::{Delivery, Facts, removal},
    timeouts,
    write::{self, Job, Step},
};
use crate::{
    configuration::OnUnreachable,
    extensions,
    kernel_modules::{ModuleState, kernel_name},
    nodes::{Claim, Holding, Nodes, Owner},
    texts::Say,
};

/// Whether a destroy leaves the node as it is.
pub(super) fn keeps(object: &Value) -> bool {
    object.get("on_destroy").string() == Field::Known("keep")
}

/// Warns of what a destroy leaves behind, as far as the refresh has seen it.
pub(super) async fn plan(nodes: &Nodes, request: &DeleteRequest, diagnostics: &mut Diagnostics) {
    let Some(target) = Target::from(&request.prior) else { return };
    let mut say = Say { node: &target.node, diagnostics };
    let memory = match Memory::of(&request.private) {
        Ok(Some(memory)) => memory,
        Ok(None) => return,
        Err(newer) => return say.newer_memory(newer.0),
    };
    let (owner, mut has) = (Owner::Instance(memory.instance.clone()), claim::held(&request.prior, &memory));
    if keeps(&request.prior) {
        say.kept();
        // What is left on the node is anybody's.
        has.iter_mut().for_each(|has| has.keys.clear());
    } else {
        left_behind_at_plan(nodes, &target, &memory, &mut say);
    }
    claim::claim(nodes, Claim { owner, has, wants: None }, diagnostics).await;
}

fn left_behind_at_plan(nodes: &Nodes, target: &Target, memory: &Memory, say: &mut Say<'_>) {
    if let Ok(snapshot) = nodes.snapshot(&target.node, target.endpoint.as_deref())
        && let Some((running, extensions)) = snapshot.known_extensions()
    {
        if memory.applied.default_runtime && running.version.as_ref().is_some_and(|v| v.minor() <= (1, 13)) {
            say.staged_removal(&running.tag);
        }
        if let Some(toolkit) = extensions::toolkit(extensions)
            && memory.applied.has_module("nvidia")
        {
            say.boot_hazard(&toolkit.name);
        }
    }
}

/// `Some`: the object is still there.
pub(super) async fn delete(
    nodes: &Nodes,
    context: &Context,
    request: DeleteRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let DeleteRequest { prior, private } = request;
    let memory = match memory::of_stored(&prior, &private) {
        Ok(memory) => memory,
        Err(_) if keeps(&prior) => None,
        Err(newer) => {
            Say { node: named(&prior), diagnostics }.newer_memory(newer.0);
            return Some(Applied { state: prior, private });
        }
    };
    if keeps(&prior) {
        memory.iter().for_each(|memory| nodes.note_taken_back(&memory.instance));
        return None;
    }
    let Some(memory) = memory else {
        Say { node: named(&prior), diagnostics }.nothing_remembered();
        return Some(Applied { state: prior, private });
    };
    if memory.record.is_empty() {
        nodes.note_taken_back(&memory.instance);
        return None;
    }
    // What a create carried is of several objects; what is stored is its own.
    let still_there = Some(Applied { state: prior.clone(), private: memory.to_private() });
    let Some(target) = Target::from(&prior) else { return still_there };
    let mut say = Say { node: &target.node, diagnostics };
    let deadline = Instant::now() + timeouts(&prior).delete;
    let Some(mut job) = Job::new(nodes, &target, context, deadline, &mut say) else { return still_there };
    if nodes.on_unreachable() == OnUnreachable::Warn {
        // One short dial tells whether the node is gone.
        if let Err(error) = job.call().version().await
            && error.is_unreachable()
        {
            say.forgotten_unreachable(&error);
            return None;
        }
    }
    let Some(_turn) = job.turn_to_write(&mut say).await else { return still_there };
    let holds = Holding { site: job.site.clone(), keys: memory.keys() };
    let taken: Vec<String> = nodes.applied(|claims| claims.claim(&memory.instance, holds)).into_iter().collect();
    if !taken.is_empty() {
        nodes.applied(|claims| claims.release(&memory.instance));
        say.owned_twice(&taken, None);
        return still_there;
    }
    // What other resources of this process made around its keys goes with the last of them.
    let record = nodes.with_containers(&job.site, memory.record.clone());
    nodes.note_made(&job.site, &record);
    let memory = Memory { record, ..memory };
    let done = take_back(&job, &memory, &mut say).await;
    nodes.forget(&target.node);
    if !done {
        return still_there;
    }
    nodes.applied(|claims| claims.release(&memory.instance));
    nodes.note_taken_back(&memory.instance);
    None
}

/// The two steps: what goes at once, and what has to be staged behind it. `false`: it is not done, and why was said.
async fn take_back(job: &Job<'_>, memory: &Memory, say: &mut Say<'_>) -> bool {
    let mut staged = false;
    let live = write::write(job, memory.record.clone(), say, |facts, record, say| {
        let removal = may_be_taken_back(facts, memory, record, say)?;
        staged = removal.staged.is_some();
        let delivery = live_delivery(facts, &removal.live.bytes, memory);
        Some(Step { edited: removal.live, delivery, at_next_boot: false })
    })
    .await;
    let Some(live) = live.filter(|live| live.complete) else { return false };
    if staged {
        let rest = write::write(job, live.step.edited.record.clone(), say, |facts, record, say| {
            let removal = may_be_taken_back(facts, memory, record, say)?;
            let edited = removal.staged.unwrap_or(removal.live);
            let waits_already = facts.persisted.bytes() == Some(edited.bytes.as_slice());
            let delivery = if waits_already { Delivery::Nothing } else { Delivery::Staged };
            Some(Step { edited, delivery, at_next_boot: true })
        })
        .await;
        if !rest.is_some_and(|rest| rest.complete) {
            return false;
        }
        say.staged_removal(&live.facts.tag);
    }
    left_behind(memory, &live.facts, say);
    true
}

fn live_delivery(facts: &Facts, target: &[u8], memory: &Memory) -> Delivery {
    let waits = memory.pending.is_some();
    let next_boot_has_it = facts.next_boot_has(target, waits);
    if facts.active.bytes.expose() == target && next_boot_has_it { Delivery::Nothing } else { Delivery::Live }
}

fn may_be_taken_back(
    facts: &Facts,
    memory: &Memory,
    record: &Record,
    say: &mut Say<'_>,
) -> Option<super::prospect::Removal> {
    check::machine(facts, Some(memory), say);
    check::waiting(
        facts.pending(record, memory.staged_over.as_ref(), std::time::SystemTime::now()),
        Moment::Apply,
        say,
    );
    removal(facts, record).map_err(|error| say.cannot_edit(check::attribute_of(&error), &error)).ok()
}

/// Says what a destroy cannot take back before the next boot.
fn left_behind(memory: &Memory, facts: &Facts, say: &mut Say<'_>) {
    let found = memory.record.found();
    let ours = |name: &String| !found.contains(&talos::machine_config::Subject::Module(name.clone()));
    let loaded: Vec<String> = memory
        .applied
        .modules
        .iter()
        .map(|m| kernel_name(&m.name))
        .filter(ours)
        .filter(|name| matches!(facts.loaded.get(name), Some(ModuleState::Live | ModuleState::Loading)))
        .collect();
    if !loaded.is_empty() {
        say.stays_loaded(&loaded);
    }
    if let Some(toolkit) = extensions::toolkit(&facts.extensions)
        && memory.applied.has_module("nvidia")
        && ours(&"nvidia".to_owned())
    {
        say.boot_hazard(&toolkit.name);
    }
}
